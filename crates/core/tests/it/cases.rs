//! The small files of `tests/cases`, each made after a bug report: every one does what its line says.

use std::collections::BTreeSet;
use std::path::PathBuf;

use flare_core::tensor::{Element, Error, Tensors};
use half::bf16;

/// What must come of each file: the message of its error, or nothing if it is legal.
const OUTCOMES: &[(&str, &str)] = &[
    (
        "c029-data-larger-than-shape",
        r#"tensor "t": shape [1] of F32 takes 4 bytes, but data_offsets give 8"#,
    ),
    ("c029-duplicate-field", r#"tensor "w": header field "shape" occurs twice"#),
    ("c029-duplicate-name-same-range", r#"tensor "w": the name occurs twice"#),
    ("c029-duplicate-name", r#"tensor "w": the name occurs twice"#),
    ("c029-empty-file", "0 bytes are fewer than the 8 of the header's length"),
    (
        "c029-first-not-at-zero",
        r#"tensor "a": header field "data_offsets": begins at 4, but the data before end at 0"#,
    ),
    (
        "c029-fractional-dimension",
        r#"tensor "t": header field "shape": byte 29: expected a whole number"#,
    ),
    (
        "c029-gap",
        r#"tensor "b": header field "data_offsets": begins at 8, but the data before end at 4"#,
    ),
    ("c029-header-deep", r#"tensor "a": header: byte 5: expected an object, found [[["#),
    ("c029-header-is-a-list", "header: byte 0: expected the opening brace, found []"),
    ("c029-header-length-2-63", "the header's length is 9223372036854775808 bytes"),
    ("c029-header-length-max-less-7", "the header's length is 18446744073709551608 bytes"),
    ("c029-header-length-max", "the header's length is 18446744073709551615 bytes"),
    ("c029-header-length-past-end", r#"length is 5000 bytes, but 60 bytes follow it"#),
    ("c029-header-length-zero", "header: byte 0: expected the opening brace, found the end"),
    ("c029-header-not-utf8", r#"the header is not UTF-8 at its byte 2"#),
    ("c029-header-with-bom", r"header: byte 0: expected the opening brace, found \u{feff}"),
    (
        "c029-negative-dimension",
        r#"tensor "t": header field "shape": byte 29: expected a whole number"#,
    ),
    ("c029-no-dtype", r#"tensor "t": header field "dtype" is missing"#),
    (
        "c029-offset-past-end",
        r#"tensor "t": header field "data_offsets": [0, 8] ends past the 4 bytes"#,
    ),
    (
        "c029-offsets-reversed",
        r#"tensor "t": header field "data_offsets": [4, 0] ends before it begins"#,
    ),
    (
        "c029-overlap",
        r#"tensor "b": header field "data_offsets": begins at 4, inside of tensor "a""#,
    ),
    ("c029-seven-bytes", "7 bytes are fewer than the 8 of the header's length"),
    ("c029-shape-larger-than-data", r#"tensor "t": shape [1000, 1000] of F32 takes 4000000 bytes"#),
    ("c029-three-offsets", r#"tensor "t": header field "data_offsets": byte 52: expected no more"#),
    ("c029-trailing-bytes", r#"4 bytes follow the last tensor "a""#),
    ("c029-unknown-dtype", r#"tensor "t": header field "dtype": "F12" is not one of"#),
    ("c032-bf16-specials", ""),
    ("c032-bool-two", r#"tensor "b": element 1 is the byte 2, a bool must be 0 or 1"#),
    ("c032-empty-first-middle-last", ""),
    ("c032-empty-name", r#"tensor "": a tensor's name must not be empty"#),
    ("c032-escape-in-name", r#"tensor "\u{1b}[31mred\u{1b}[0m\u{a}{"level":"info"}""#),
    ("c032-f64-after-one-bool", ""),
    ("c032-keys-not-in-data-order", ""),
    ("c032-long-name", "the name has 65536 bytes, 255 are the limit"),
    ("c032-metadata-number", r#"header field "__metadata__": byte 25: expected a text in quotes"#),
    ("c032-metadata-only", ""),
    ("c032-no-tensors", ""),
    ("c032-nul-in-name", r#"tensor "a\u{0}b": the name contains the control character \u{0}"#),
    (
        "c032-nul-padding",
        r#"header: byte 54: expected only spaces after the closing brace, found \u{0}"#,
    ),
    ("c032-one-element-no-bytes", r#"tensor "t": shape [1] of F32 takes 4 bytes"#),
    ("c032-path-in-name", ""),
    ("c032-scalar-int64", ""),
    ("c032-scalar", ""),
    ("c032-unaligned-header", ""),
];

#[test]
fn every_file_has_its_outcome_and_no_outcome_lacks_its_file() {
    let known: BTreeSet<String> =
        OUTCOMES.iter().map(|(name, _)| format!("{name}.safetensors")).collect();
    let manifest = std::fs::read_to_string(folder().join("MANIFEST.tsv")).unwrap();
    let listed = manifest.lines().skip(1).map(|line| {
        let mut columns = line.split('\t');
        let (name, bytes) = (columns.next().unwrap(), columns.next().unwrap());
        let found = std::fs::metadata(folder().join(name)).unwrap().len();
        assert_eq!(found, bytes.parse::<u64>().unwrap(), "{name} is not the file of its line");
        name.to_owned()
    });
    assert_eq!(listed.collect::<BTreeSet<_>>(), known);
    let files = std::fs::read_dir(folder()).unwrap();
    let files = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let files = files.filter(|file| file.ends_with(".safetensors"));
    assert_eq!(files.collect::<BTreeSet<_>>(), known);
}

#[test]
fn the_illegal_are_refused_by_name_and_the_legal_are_read() {
    for (name, expected) in OUTCOMES {
        match read(name) {
            Ok(_) => assert!(expected.is_empty(), "{name} was read"),
            Err(error) => {
                let message = error.to_string();
                let matches = !expected.is_empty() && message.contains(expected);
                assert!(matches, "{name}: {message}");
                assert!(!message.chars().any(char::is_control), "{name}: {message:?}");
                assert!(message.len() < 1000, "{name}: {} bytes of message", message.len());
            }
        }
    }
}

#[test]
fn the_odd_but_legal_have_exact_values() {
    for name in ["c032-no-tensors", "c032-metadata-only"] {
        assert_eq!(read(name).unwrap(), Tensors::empty(), "{name}");
    }
    check::<f32>("c032-scalar", "s", &[], &[3.0]);
    check::<i64>("c032-scalar-int64", "n", &[], &[9_007_199_254_740_993]);
    check::<f64>("c032-unaligned-header", "d", &[2], &[1.5, -2.25]);
    check::<f64>("c032-f64-after-one-bool", "d", &[2], &[1.5, -2.25]);
    check::<bool>("c032-f64-after-one-bool", "b", &[1], &[true]);
    check::<f32>("c032-keys-not-in-data-order", "z", &[1], &[1.0]);
    check::<f32>("c032-keys-not-in-data-order", "a", &[1], &[2.0]);
    check::<f32>("c032-path-in-name", "../../etc/x", &[1], &[1.0]);
    check::<f32>("c032-empty-first-middle-last", "a", &[0], &[]);
    check::<f32>("c032-empty-first-middle-last", "b", &[1], &[1.0]);
    check::<f32>("c032-empty-first-middle-last", "c", &[2, 0, 3], &[]);
    check::<f32>("c032-empty-first-middle-last", "d", &[1], &[2.0]);
    check::<i8>("c032-empty-first-middle-last", "e", &[0], &[]);
}

#[test]
fn bits_are_kept_as_they_are() {
    let tensors = read("c032-bf16-specials").unwrap();
    let bits: Vec<u16> = tensors.slice::<bf16>("x").unwrap().iter().map(|x| x.to_bits()).collect();
    assert_eq!(bits, [0x3f80, 0x3f81, 0x7f80, 0xff80, 0x7fc1, 0x8000]);
}

fn check<T: Element + PartialEq>(file: &str, tensor: &str, shape: &[usize], values: &[T]) {
    let tensors = read(file).unwrap();
    let found = tensors.require(tensor).unwrap();
    assert_eq!(found.shape, shape, "{file}");
    assert_eq!(found.as_slice::<T>().unwrap(), values, "{file}");
}

fn read(name: &str) -> Result<Tensors, Error> {
    let path = folder().join(format!("{name}.safetensors"));
    Tensors::decode(std::fs::read(path).unwrap())
}

fn folder() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "cases"].iter().collect()
}
