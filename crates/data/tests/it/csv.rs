//! Reading CSV: options, places of faults, and files that are not what they seem.

use std::io::Write;

use flare_data::{CsvOptions, MAX_CLASSES, MAX_CLASSES_UNNAMED, MAX_FAULTS, Options};

use crate::{csv, fault, read_text};

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn numbers_are_rounded_once() {
    // Through an f64 the first would be rounded twice, to 1.
    let text = "a,b,c,label\n1.000000059604644775390626, 3.4028235e38 ,-0,0\n.5,1e-45,+7.,1\n";
    let data = read_text(text, csv()).unwrap();
    let bits: Vec<u32> = data.features.iter().map(|x| x.to_bits()).collect();
    assert_eq!(bits, [0x3f80_0001, 0x7f7f_ffff, 0x8000_0000, 0x3f00_0000, 1, 0x40e0_0000]);
}

#[test]
fn features_are_divided_by_the_scale() {
    let options = CsvOptions { scale: Some(16.0), ..csv() };
    assert_eq!(read_text("a,label\n4,0\n16,0\n", options).unwrap().features, [0.25, 1.0]);
    let options = CsvOptions { scale: Some(1e-30), ..csv() };
    assert_eq!(
        fault(read_text("a,label\n1e30,0\n", options)),
        "line 2, column 'a': '1e30' is out of the range of a 32-bit float once it is divided by `scale`"
    );
}

#[test]
fn listed_features_come_in_the_listed_order() {
    let options = CsvOptions { features: Some(names(&["c", "a"])), ..csv() };
    let data = read_text("a,b,c,label\n1,x,3,0\n4,y,6,1\n", options).unwrap();
    assert_eq!(data.features, [3.0, 1.0, 6.0, 4.0]);
    assert_eq!(data.feature_names, ["c", "a"]);
}

#[test]
fn columns_that_cannot_be_chosen_are_named() {
    let text = "a,,label\n1,2,0\n";
    let features = |list: &[&str]| CsvOptions { features: Some(names(list)), ..csv() };
    let exclude = |list: &[&str]| CsvOptions { exclude: names(list), ..csv() };
    let header = |rest: &str| format!("line 1, the header: {rest}");
    assert_eq!(
        fault(read_text(text, csv())),
        header(
            "column 2 has no name: name it, or put \"\" into `exclude` where it only numbers the rows"
        )
    );
    assert_eq!(read_text(text, exclude(&[""])).unwrap().features, [1.0]);
    assert_eq!(
        fault(read_text(text, exclude(&["z"]))),
        header("there is no column 'z'; the columns are 'a', '', 'label'")
    );
    assert_eq!(
        fault(read_text(text, exclude(&["", "a"]))),
        header("no column is left for a feature: name some")
    );
    assert_eq!(
        fault(read_text(text, features(&["a", "label"]))),
        header("'label' is the label and cannot be a feature, too")
    );
    assert_eq!(
        fault(read_text(text, features(&["a", "a"]))),
        "the data options: features = 'a': expected each column once"
    );
    let both = CsvOptions { features: Some(names(&["a"])), ..exclude(&[""]) };
    assert_eq!(
        fault(read_text(text, both)),
        "the data options: exclude = [\"\"]: expected nothing, since `features` lists the columns"
    );
}

/// However lines end, and wherever empty lines and quoted line breaks stand.
#[test]
fn lines_are_counted_as_an_editor_does() {
    for end in ["\n", "\r\n", "\r"] {
        let text =
            format!("a,note,label{end}{end}1,\"x{end}y\",0{end}{end}{end}2,z,0{end}q,z,0{end}");
        let options = CsvOptions { exclude: names(&["note"]), ..csv() };
        assert_eq!(
            fault(read_text(&text, options)),
            "line 8, column 'a': 'q' is no number: exclude the column if it is no feature",
            "{text:?}"
        );
    }
    assert_eq!(
        fault(read_text("\u{feff}\n\na,b\n1,2\n", csv())),
        "line 3, the header: there is no column 'label'; the columns are 'a', 'b'"
    );
}

#[test]
fn values_that_are_no_features_are_told_apart() {
    let fault = |value: &str| fault(read_text(format!("a,label\n{value},0\n"), csv()));
    let at = "line 2, column 'a': ";
    let put = "leave the row out, or put a number there";
    assert_eq!(fault(" "), format!("{at}'' is empty: {put}"));
    assert_eq!(fault("NaN"), format!("{at}'NaN' is no number: {put}"));
    assert_eq!(fault("-inf"), format!("{at}'-inf' is not finite: {put}"));
    assert_eq!(fault("-1e39"), format!("{at}'-1e39' is out of the range of a 32-bit float"));
    let exclude = "exclude the column if it is no feature";
    assert_eq!(fault("0x10"), format!("{at}'0x10' is no number: {exclude}"));
    assert_eq!(fault("\u{1b}[2J"), format!("{at}'\\u{{1b}}[2J' is no number: {exclude}"));
    let long = fault(&"y".repeat(1000));
    assert_eq!(long, format!("{at}'{}…' is no number: {exclude}", "y".repeat(60)));
}

#[test]
fn labels_are_whole_numbers_in_range() {
    let fault = |value: &str| fault(read_text(format!("a,label\n1,{value}\n"), csv()));
    let at = "line 2, column 'label': ";
    assert_eq!(
        fault("1.0"),
        format!("{at}label '1.0' is no whole number: number the classes from 0")
    );
    let huge = "99999999999999999999999999";
    assert!(fault(huge).starts_with(&format!("{at}label {huge} is beyond 65535")));
    let last = MAX_CLASSES_UNNAMED - 1;
    let data = read_text(format!("a,label\n1,{last}\n"), csv()).unwrap();
    assert_eq!(data.classes, MAX_CLASSES_UNNAMED as usize);
    assert!(fault(&MAX_CLASSES_UNNAMED.to_string()).contains("is beyond 65535"));
    let named = CsvOptions { classes: Some(70_000), ..csv() };
    assert_eq!(read_text("a,label\n1,69999\n", named).unwrap().labels, [69_999]);
}

#[test]
fn at_most_ten_faults_are_listed() {
    let text = |bad: usize| format!("a,label\n{}3,0\n", "x,0\n".repeat(bad));
    let all = fault(read_text(text(MAX_FAULTS), csv()));
    assert!(all.starts_with("10 faults\n  line 2, column 'a'"), "{all}");
    assert!(all.contains("line 11, column 'a'"), "{all}");
    let more = fault(read_text(text(MAX_FAULTS + 1), csv()));
    assert!(more.starts_with("the first 10 faults\n"), "{more}");
    assert!(!more.contains("line 12"), "{more}");
}

#[test]
fn a_quote_that_is_never_closed_swallows_nothing() {
    let options = || CsvOptions { exclude: names(&["note"]), ..csv() };
    assert_eq!(
        fault(read_text("label,a,note\n0,1,x\n1,2,\"y\n0,3,z\n", options())),
        "line 3: a quote is opened here and never closed: close it, or write it twice"
    );
    // A quote within a field is a character, and one that swallows no line does no harm.
    let data = read_text("label,a,note\n1,2,5\" pipe\n", options()).unwrap();
    assert_eq!(data.features, [2.0]);
}

#[test]
fn what_is_no_text_is_refused() {
    assert_eq!(
        fault(read_text("", csv())),
        "it is empty: it should begin with a header that names the columns"
    );
    assert!(fault(read_text(b"f\0i\0\n", csv())).starts_with("its first line has zero bytes"));
    assert_eq!(
        fault(read_text(b"a,\xff\xfe,label\n", csv())),
        "line 1, the header: the name of column 2 is no UTF-8: '\u{fffd}\u{fffd}'"
    );
    assert!(fault(read_text(b"\xfe\xff\0a", csv())).starts_with("it is UTF-16"));
    let absent = crate::read("/nonexistent/x.csv".as_ref(), csv()).unwrap_err().to_string();
    assert!(absent.starts_with("reading data /nonexistent/x.csv: No such file"), "{absent}");
}

#[test]
fn gzip_is_known_by_content() {
    let pack = |text: &str| {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(text.as_bytes()).unwrap();
        packer.finish().unwrap()
    };
    // Two members after each other are one file.
    let mut packed = pack("a,label\n1,0\n");
    packed.extend(pack("2,1\n"));
    assert_eq!(read_text(&packed, csv()).unwrap().features, [1.0, 2.0]);
    let cut = &packed[..packed.len() - 3];
    assert_eq!(
        fault(read_text(cut, csv())),
        "the gzip stream ends early: the file is cut off, get it again"
    );
    let middle = packed.len() / 4;
    packed[middle] ^= 0xff;
    assert!(fault(read_text(&packed, csv())).starts_with("the gzip stream is broken ("));
}

#[test]
fn options_that_can_hold_for_no_file_are_refused() {
    let fault = |options: CsvOptions| {
        let checked = Options::Csv(options.clone()).check().unwrap_err().to_string();
        let read = fault(read_text("a,label\n1,0\n", options));
        assert_eq!(read, format!("the data options: {checked}"));
        checked
    };
    for delimiter in ['"', '\n', 'é', '\0'] {
        let message = fault(CsvOptions { delimiter, ..csv() });
        assert!(message.starts_with("delimiter = "), "{message}");
    }
    assert_eq!(
        fault(CsvOptions { classes: Some(0), ..csv() }),
        "classes = 0: expected 1 to 16777216"
    );
    assert_eq!(
        fault(CsvOptions { classes: Some(MAX_CLASSES + 1), ..csv() }),
        "classes = 16777217: expected 1 to 16777216"
    );
    for scale in [0.0, f32::NAN, f32::INFINITY, 1e-45] {
        let message = fault(CsvOptions { scale: Some(scale), ..csv() });
        assert!(message.ends_with(
            ": expected a finite number other than 0, by which features can be divided"
        ));
        assert!(message.starts_with("scale = "), "{message}");
    }
    let all = CsvOptions { delimiter: '"', classes: Some(0), scale: Some(0.0), ..csv() };
    assert_eq!(Options::Csv(all).check().unwrap_err().iter().count(), 3);
    Options::Csv(CsvOptions { classes: Some(MAX_CLASSES), ..csv() }).check().unwrap();
}

#[test]
fn options_are_typed_text() {
    let options: Options =
        serde_json::from_str(r#"{"format": "csv", "label": "y", "scale": 16, "delimiter": ";"}"#)
            .unwrap();
    let expected = CsvOptions { scale: Some(16.0), delimiter: ';', ..CsvOptions::new("y") };
    assert_eq!(options, Options::Csv(expected));
    assert_eq!(
        serde_json::to_string(&options).unwrap(),
        r#"{"format":"csv","label":"y","scale":16.0,"delimiter":";"}"#
    );
    let refused = |text: &str| serde_json::from_str::<Options>(text).unwrap_err().to_string();
    let unknown = refused(r#"{"format": "csv", "label": "y", "labels": 1}"#);
    assert!(unknown.contains("unknown field `labels`"), "{unknown}");
    let unknown = refused(r#"{"format": "idx", "images": "a", "labels": "b", "label": "c"}"#);
    assert!(unknown.contains("unknown field `label`"), "{unknown}");
    let schema = serde_json::to_string(&schemars::schema_for!(Options)).unwrap();
    assert!(schema.contains("The column with the class of each row"), "{schema}");
}
