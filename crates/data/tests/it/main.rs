//! Tests of the data crate through its public interface.
#![allow(clippy::unwrap_used)]

mod cache;
mod cases;
mod csv;
mod digits;
mod idx;
mod partition;
mod split;

use std::path::{Path, PathBuf};

use flare_data::{CsvOptions, Dataset, Error, IdxOptions, Options, Source};

/// A file of this crate's cases.
fn case(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases").join(name)
}

/// Options for a CSV file whose class is in the column `label`.
fn csv() -> CsvOptions {
    CsvOptions::new("label")
}

/// Reads `path` past nothing: as a user does.
fn read(path: &Path, options: CsvOptions) -> Result<Dataset, Error> {
    Source::new(path, Options::Csv(options)).load().map(|dataset| (*dataset).clone())
}

/// Reads `text` as a CSV file.
fn read_text(text: impl AsRef<[u8]>, options: CsvOptions) -> Result<Dataset, Error> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("data.csv"), text).unwrap();
    read(folder.path(), options)
}

/// What is said of the file after its path.
#[track_caller]
fn fault(result: Result<Dataset, Error>) -> String {
    let message = result.unwrap_err().to_string();
    match message.split_once(": ") {
        Some((start, rest)) if start.starts_with("reading data ") => rest.to_owned(),
        _ => message,
    }
}

/// Puts an IDX pair of so many images of 2 x 2 into `folder`: image i has the bytes 4 i to 4 i + 3, and
/// the label i mod 3.
fn idx_pair(folder: &Path, count: u8) -> IdxOptions {
    let mut images = vec![0, 0, 8, 3, 0, 0, 0, count, 0, 0, 0, 2, 0, 0, 0, 2];
    images.extend(0..4 * count);
    let mut labels = vec![0, 0, 8, 1, 0, 0, 0, count];
    labels.extend((0..count).map(|i| i % 3));
    std::fs::write(folder.join("images"), images).unwrap();
    std::fs::write(folder.join("labels"), labels).unwrap();
    IdxOptions::new("images", "labels")
}
