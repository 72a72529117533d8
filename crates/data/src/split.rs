//! Splitting a data set into one folder for each client, as sites have it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::dataset::RowError;
use crate::file;
use crate::idx::pair;
use crate::source::{Options, Source};
use crate::table::{self, SPLIT_FILE};

/// Why a data set cannot be split.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A client's name is no name of a folder.
    #[error("splitting data: {name:?} cannot be a folder's name: rename the client")]
    Name {
        /// The name.
        name: String,
    },
    /// A client has no rows, and a file without rows cannot be read.
    #[error("splitting data: client {name} has no rows: leave it out")]
    NoRows {
        /// The client.
        name: String,
    },
    /// A client's rows are not in the data set.
    #[error("splitting data: client {name}: {source}")]
    Row {
        /// The client.
        name: String,
        /// Which row.
        source: RowError,
    },
    /// The system does not take a file, or it is there already.
    #[error("splitting data: writing {}: {source}; nothing that was there is overwritten", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The data set cannot be read.
    #[error(transparent)]
    Read(#[from] crate::Error),
}

/// What a client is to get: the folder's name and the numbers of its rows.
type Part<'a> = (&'a str, &'a [u32]);

impl Source {
    /// Writes, for each client, a folder named by it in `out` with its rows: read with the same options,
    /// the folder gives the bits that the view of these rows gives, in the same order.
    ///
    /// From a CSV file the lines are copied as they are, with all their columns, into a file named
    /// [`SPLIT_FILE`], unpacked and with LF at the end of each row; from IDX files, the bytes into files
    /// of the same names. Gives the folders, in the order of the clients.
    ///
    /// # Errors
    /// When the data set cannot be read, a client has a bad name or no rows, or a file cannot be written
    /// or is there already. Folders that were finished before stay.
    pub fn split<'a>(
        &self,
        parts: impl IntoIterator<Item = Part<'a>>,
        out: &Path,
    ) -> Result<Vec<PathBuf>, Error> {
        let parts: Vec<Part<'_>> = parts.into_iter().collect();
        for (name, rows) in &parts {
            check_part(name, rows)?;
        }
        match &self.options {
            Options::Csv(options) => {
                let content = file::read(&table::file(&self.path))?;
                let raw = table::raw(&content, options)?;
                write_all(&parts, raw.rows.len(), out, |rows| {
                    vec![(SPLIT_FILE, raw.with_rows(rows))]
                })
            }
            Options::Idx(options) => {
                let (images, labels) = pair(&self.path, options)?;
                write_all(&parts, images.len(), out, |rows| {
                    vec![
                        (options.images.as_str(), images.with_items(rows)),
                        (options.labels.as_str(), labels.with_items(rows)),
                    ]
                })
            }
        }
    }
}

/// Writes each part's files, which `files` makes of its rows.
fn write_all<'n>(
    parts: &[Part<'_>],
    count: usize,
    out: &Path,
    files: impl Fn(&[u32]) -> Vec<(&'n str, Vec<u8>)>,
) -> Result<Vec<PathBuf>, Error> {
    for (name, rows) in parts {
        if let Some(row) = rows.iter().find(|row| **row as usize >= count) {
            let source = RowError { row: *row, rows: count };
            return Err(Error::Row { name: (*name).to_owned(), source });
        }
    }
    let mut folders = Vec::new();
    for (name, rows) in parts {
        let folder = out.join(name);
        fs::create_dir_all(&folder).map_err(|source| Error::Io { path: folder.clone(), source })?;
        for (file, bytes) in files(rows) {
            write_new(&folder.join(file), &bytes)?;
        }
        folders.push(folder);
    }
    Ok(folders)
}

/// Writes a file that is not there yet.
fn write_new(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let written = File::create_new(path).and_then(|mut file| file.write_all(bytes));
    written.map_err(|source| Error::Io { path: path.to_owned(), source })
}

/// Refuses a part that cannot be a folder which can be read.
fn check_part(name: &str, rows: &[u32]) -> Result<(), Error> {
    if !file::is_plain_name(name) {
        return Err(Error::Name { name: name.to_owned() });
    }
    if rows.is_empty() {
        return Err(Error::NoRows { name: name.to_owned() });
    }
    Ok(())
}
