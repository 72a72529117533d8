//! The cases from public bug reports, by id: each file that lies in `tests/cases`.

use std::sync::Arc;

use flare_data::{
    CsvOptions, Dataset, Error, IdxOptions, Options, Partition, PartitionError, Source, View, deal,
};
use serde::Deserialize;

use crate::{case, csv, fault, read};

/// The options of C021: a text column is excluded by name.
fn without_note() -> CsvOptions {
    CsvOptions { exclude: vec!["note".to_owned()], ..csv() }
}

#[test]
fn c021_a_byte_order_mark_hides_nothing() {
    let clean = read(&case("c021-clean.csv"), without_note()).unwrap();
    assert_eq!(clean.features, [0.5, -1.0, 1.5, 2.0, -0.25, 0.75, 3.0, -2.5, 0.0, 0.0]);
    assert_eq!(clean.labels, [0, 1, 2, 1, 0]);
    assert_eq!(clean.feature_names, ["f0", "f1"]);
    let quoted = read(&case("c021-bom-quoted-crlf.csv"), without_note()).unwrap();
    assert_eq!(quoted, clean);
}

#[test]
fn c021_text_within_quotes_is_what_it_is() {
    let source = Source::new(case("c021-bom-quoted-crlf.csv"), Options::Csv(csv()));
    assert_eq!(
        source.column("note").unwrap(),
        ["ok", "two\r\nlines", "a \"quoted\" word", "comma, inside", ""]
    );
}

#[test]
fn c021_other_files_are_refused_by_name() {
    let fault = |name| fault(read(&case(name), without_note()));
    assert_eq!(fault("c021-bom-only-header.csv"), "it has a header and no rows");
    assert_eq!(
        fault("c021-utf16.csv"),
        "it is UTF-16, as its byte order mark says: save it as UTF-8"
    );
    assert_eq!(
        fault("c021-semicolon-decimal-comma.csv"),
        "line 1, the header: there is no column 'label'; the columns are 'f0;f1;note;label': it is \
         divided at ',' but seems to use ';'; set `delimiter`"
    );
}

#[test]
fn c021_a_decimal_comma_is_named() {
    let options = CsvOptions { delimiter: ';', ..without_note() };
    assert_eq!(
        fault(read(&case("c021-semicolon-decimal-comma.csv"), options)),
        "line 2, column 'f0': '0,5' is no number: write a decimal point, not a comma"
    );
}

#[test]
fn c023_columns_go_by_name() {
    let data = read(&case("c023-label-first.csv"), csv()).unwrap();
    assert_eq!(data.labels, [2, 0]);
    assert_eq!(data.features, [1.5, 2.5, 3.5, 4.5]);
    assert_eq!((data.columns, data.classes), (2, 3));
}

#[test]
fn c023_faults_have_line_column_and_value() {
    let fault = |name| fault(read(&case(name), csv()));
    let expected = [
        ("c023-short-row.csv", "line 3: 2 fields, 3 expected as in the header"),
        ("c023-long-row.csv", "line 3: 4 fields, 3 expected as in the header"),
        (
            "c023-empty-label.csv",
            "line 3, column 'label': the label is empty: give the row a class, or leave it out",
        ),
        (
            "c023-word-label.csv",
            "line 3, column 'label': label 'cat' is no whole number: number the classes from 0",
        ),
        (
            "c023-negative-label.csv",
            "line 3, column 'label': label -1 is negative: number the classes from 0",
        ),
        (
            "c023-huge-label.csv",
            "line 3, column 'label': label 4000000000 is beyond 65535, the largest that is taken for a \
             class where `classes` names no number",
        ),
        (
            "c023-nan-feature.csv",
            "2 faults\n  line 3, column 'f0': 'nan' is no number: leave the row out, or put a number \
             there\n  line 4, column 'f0': '1e999' is out of the range of a 32-bit float",
        ),
        (
            "c023-no-label-column.csv",
            "line 1, the header: there is no column 'label'; the columns are 'f0', 'f1', 'target'",
        ),
        (
            "c023-no-header.csv",
            "line 1, the header: there is no column 'label'; the columns are '1', '2', '0'",
        ),
        ("c023-duplicate-column.csv", "line 1, the header: column 'f0' is there twice: rename one"),
    ];
    for (name, message) in expected {
        assert_eq!(fault(name), message, "{name}");
    }
}

#[test]
fn c023_a_label_is_below_the_number_of_classes() {
    let classes = |classes| CsvOptions { classes: Some(classes), ..csv() };
    let path = case("c023-label-equals-classes.csv");
    assert_eq!(
        fault(read(&path, classes(3))),
        "line 3, column 'label': label 3 is outside 0..2, as `classes` says"
    );
    assert_eq!(read(&path, classes(4)).unwrap().classes, 4);
}

#[test]
fn c023_the_message_names_the_file() {
    let path = case("c023-short-row.csv");
    let message = read(&path, csv()).unwrap_err().to_string();
    assert!(message.starts_with(&format!("reading data {}: line 3", path.display())), "{message}");
}

/// Reads the IDX files of the cases with these names.
fn idx(images: &str, labels: &str) -> Result<Dataset, Error> {
    let options = Options::Idx(IdxOptions::new(images, labels));
    Source::new(case(""), options).load().map(|dataset| (*dataset).clone())
}

const GOOD_IMAGES: &str = "c024-good-images-idx3-ubyte";
const GOOD_LABELS: &str = "c024-good-labels-idx1-ubyte";

#[test]
fn c024_images_and_labels_packed_or_not() {
    let good = idx(GOOD_IMAGES, GOOD_LABELS).unwrap();
    assert_eq!((good.rows(), good.columns, good.classes), (10, 16, 10));
    assert_eq!(good.labels, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    // The bytes as a dump of the file shows them.
    assert_eq!(good.row(0)[..5], [11.0, 48.0, 85.0, 122.0, 159.0]);
    let packed = idx("c024-gzip-under-plain-name-idx3-ubyte", GOOD_LABELS).unwrap();
    assert_eq!(packed, good);
}

#[test]
fn c024_other_files_are_named_for_what_they_are() {
    let expected = [
        (
            "c024-half-gzip-idx3-ubyte.gz",
            "the gzip stream ends early: the file is cut off, get it again",
        ),
        (
            "c024-labels-given-as-images-idx3-ubyte",
            "magic 0x801 (labels) where magic 0x803 (images) is expected",
        ),
        (
            "c024-little-endian-idx3-ubyte",
            "magic 0x03080000: its header is little-endian, and IDX is big-endian: convert it",
        ),
        (
            "c024-float-type-idx3",
            "element type 0x0D (32-bit float), but only 0x08 (unsigned byte) is read: convert the file",
        ),
        (
            "c024-html-idx3-ubyte",
            "it is not IDX: it begins with magic 0x3c21444f where magic 0x803 (images) is expected",
        ),
    ];
    for (name, message) in expected {
        assert_eq!(fault(idx(name, GOOD_LABELS)), message, "{name}");
    }
    assert_eq!(
        fault(idx(GOOD_IMAGES, GOOD_IMAGES)),
        "magic 0x803 (images) where magic 0x801 (labels) is expected"
    );
}

/// The fragment of a job in C026, whose key names are nobody's.
#[derive(Deserialize)]
struct Fragment {
    data: FragmentData,
}

#[derive(Deserialize)]
struct FragmentData {
    clients: usize,
    partition: String,
    alpha: f64,
    min_size: u32,
}

/// Deals the digits out as the fragment says.
fn deal_digits(name: &str, seed: u64) -> Result<Vec<Arc<[u32]>>, PartitionError> {
    let Fragment { data } = toml::from_str(&std::fs::read_to_string(case(name)).unwrap()).unwrap();
    assert_eq!(data.partition, "dirichlet");
    let min_size = data.min_size.try_into().unwrap();
    let partition = Partition::Dirichlet { alpha: data.alpha, min_size };
    deal(&partition, &View::all(crate::digits::digits()), &[], data.clients, seed)
}

#[test]
fn c026_an_impossible_minimum_is_refused_at_once() {
    let error = deal_digits("c026-dirichlet-impossible.toml", 0).unwrap_err();
    assert_eq!(
        error.to_string(),
        "partition: 100 clients with at least 30 each take 3000, but there are only 1797 rows: ask for \
         fewer clients, or for less than 30 (min_size)"
    );
}

#[test]
fn c026_an_improbable_minimum_ends_with_advice() {
    let error = deal_digits("c026-dirichlet-improbable.toml", 0).unwrap_err().to_string();
    assert!(
        error.starts_with("partition: none of 1000 Dirichlet draws with alpha = 0.001 gave each of 100 clients min_size = 17 of 1797 rows (the best gave "),
        "{error}"
    );
    assert!(error.ends_with("): raise alpha, lower min_size, or ask for fewer clients"), "{error}");
    let again = deal_digits("c026-dirichlet-improbable.toml", 0).unwrap_err().to_string();
    assert_eq!(error, again);
}

/// A case that nobody tries is none: every file is named in this module.
#[test]
fn every_case_has_its_test() {
    let source = include_str!("cases.rs");
    for entry in std::fs::read_dir(case("")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(name == "README.md" || source.contains(&name), "{name} is not tried");
    }
}
