//! Reading IDX: headers are not believed.

use std::path::Path;

use flare_data::{Dataset, Error, IdxOptions, MAX_FILE_BYTES, Options, Source};

use crate::{fault, idx_pair};

/// Reads the pair in `folder`.
fn read(folder: &Path, options: IdxOptions) -> Result<Dataset, Error> {
    Source::new(folder, Options::Idx(options)).load().map(|dataset| (*dataset).clone())
}

/// Reads a pair whose images begin with a header of this shape, followed by `bytes` bytes.
fn read_shape(shape: [u32; 3], bytes: usize) -> Result<Dataset, Error> {
    let folder = tempfile::tempdir().unwrap();
    let options = idx_pair(folder.path(), 6);
    let mut images = vec![0, 0, 8, 3];
    images.extend(shape.iter().flat_map(|size| size.to_be_bytes()));
    images.extend(vec![1; bytes]);
    std::fs::write(folder.path().join("images"), images).unwrap();
    read(folder.path(), options)
}

#[test]
fn bytes_become_features_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let options = IdxOptions { scale: Some(2.0), ..idx_pair(folder.path(), 6) };
    let data = read(folder.path(), options).unwrap();
    assert_eq!((data.rows(), data.columns, data.classes), (6, 4, 3));
    assert_eq!(data.row(1), [2.0, 2.5, 3.0, 3.5]);
    assert_eq!(data.labels, [0, 1, 2, 0, 1, 2]);
    assert_eq!(data.feature_names, ["p0", "p1", "p2", "p3"]);
}

/// Were memory taken as the header claims, these would end the process.
#[test]
fn a_claimed_size_takes_no_memory() {
    let claim = |shape, bytes| fault(read_shape(shape, bytes));
    assert_eq!(
        claim([15_000, 1000, 1000], 24),
        "its header claims the shape [15000, 1000, 1000], which is 15000000000 bytes, but less follow \
         it: get the file again"
    );
    assert_eq!(
        claim([u32::MAX; 3], 24),
        format!(
            "its header claims the shape [4294967295, 4294967295, 4294967295], which is \
             79228162458924105385300197375 bytes: from 1 to {MAX_FILE_BYTES} are read"
        )
    );
    assert!(claim([6, 2, 2], 23).contains("which is 24 bytes, but less follow it"));
    assert!(claim([6, 2, 2], 25).contains("which is 24 bytes, but more follow it"));
    assert!(claim([0, 2, 2], 0).contains("which is 0 bytes"));
    assert_eq!(read_shape([6, 2, 2], 24).unwrap().rows(), 6);
}

#[test]
fn both_files_must_belong_together() {
    let message = fault(read_shape([3, 2, 4], 24));
    assert!(message.starts_with("it has 6 labels, but "), "{message}");
    assert!(message.ends_with(" has 3 images: do they belong together?"), "{message}");
}

#[test]
fn a_file_shorter_than_a_header_is_no_idx() {
    let folder = tempfile::tempdir().unwrap();
    let options = idx_pair(folder.path(), 6);
    for (bytes, length) in [(&[][..], 0), (&[0, 0, 8], 3), (&[0, 0, 8, 3, 0, 0, 0, 6, 0], 9)] {
        std::fs::write(folder.path().join("images"), bytes).unwrap();
        assert_eq!(
            fault(read(folder.path(), options.clone())),
            format!("it is not IDX, or cut off: its {length} bytes are no whole header")
        );
    }
}

#[test]
fn labels_are_below_the_number_of_classes() {
    let folder = tempfile::tempdir().unwrap();
    let options = IdxOptions { classes: Some(2), ..idx_pair(folder.path(), 6) };
    assert_eq!(
        fault(read(folder.path(), options)),
        "item 2, from 0: label 2 is outside 0..1, as `classes` says"
    );
}

#[test]
fn names_cannot_lead_out_of_the_folder() {
    for name in ["../images", "/etc/passwd", "a/b", "..", "", "x\n"] {
        let options = Options::Idx(IdxOptions::new("images", name));
        let faults = options.check().unwrap_err();
        let labels = faults.iter().map(|fault| (&*fault.path, &*fault.expected));
        let expected = ("labels", "the name of a file in the folder");
        assert_eq!(labels.collect::<Vec<_>>(), [expected], "{name:?}: {faults}");
    }
}

#[test]
fn columns_are_a_matter_of_csv() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options::Idx(idx_pair(folder.path(), 6));
    let error = Source::new(folder.path(), options).column("site").unwrap_err().to_string();
    assert!(error.ends_with("IDX files have no columns, so none is named 'site'"), "{error}");
}
