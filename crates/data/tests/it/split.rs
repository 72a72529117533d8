//! Splitting: a site's folder gives the bits that a view of its rows gives.

use std::fs;
use std::sync::Arc;

use flare_data::{CsvOptions, Dataset, IdxOptions, Options, Partition, Source, View};

use crate::{case, csv, idx_pair};

/// The rows of a view as a data set of its own.
fn copied(view: &View) -> (Vec<u32>, Vec<u32>) {
    let bits = |i| view.features(i).iter().map(|x| x.to_bits()).collect::<Vec<_>>();
    ((0..view.len()).flat_map(bits).collect(), (0..view.len()).map(|i| view.label(i)).collect())
}

/// Splits `source` and checks that each folder, read with the same options, is the view of its rows.
fn check(source: &Source, parts: &[Arc<[u32]>]) -> tempfile::TempDir {
    let out = tempfile::tempdir().unwrap();
    let names: Vec<String> = (0..parts.len()).map(|i| format!("client-{i}")).collect();
    let named = names.iter().zip(parts).map(|(name, part)| (name.as_str(), &part[..]));
    let folders = source.split(named, out.path()).unwrap();
    assert_eq!(folders, names.iter().map(|name| out.path().join(name)).collect::<Vec<_>>());
    let whole = source.load().unwrap();
    for (folder, part) in folders.iter().zip(parts) {
        let site: Arc<Dataset> = Source::new(folder, source.options.clone()).load().unwrap();
        let view = View::new(whole.clone(), Some(part.clone())).unwrap();
        assert_eq!(copied(&View::all(site)), copied(&view));
    }
    out
}

#[test]
fn digits_scaled_and_dealt_out() {
    let digits = crate::digits::source();
    let options = CsvOptions { scale: Some(16.0), classes: Some(10), ..csv() };
    let source = Source::new(digits.path, Options::Csv(options));
    let partition: Partition =
        serde_json::from_str(r#"{"kind": "dirichlet", "alpha": 0.5}"#).unwrap();
    let view = View::all(source.load().unwrap());
    let parts = source.partition(&partition, &view, 10, 0).unwrap();
    check(&source, &parts);
}

/// Text that is no feature stays as it was: quotes, line breaks and all.
#[test]
fn lines_are_copied_as_they_are() {
    let options = CsvOptions { exclude: vec!["note".to_owned()], classes: Some(3), ..csv() };
    let source = Source::new(case("c021-bom-quoted-crlf.csv"), Options::Csv(options));
    let out = check(&source, &[Arc::new([1, 2, 4]), Arc::new([3, 0])]);
    let text = |client: &str| fs::read_to_string(out.path().join(client).join("data.csv")).unwrap();
    assert_eq!(
        text("client-0"),
        "\"f0\",\"f1\",\"note\",\"label\"\n\"1.5\",2.0,\"two\r\nlines\",1\n\
         \"-0.25\",0.75,\"a \"\"quoted\"\" word\",2\n\"0.0\",0.0,\"\",0\n"
    );
    assert_eq!(
        text("client-1"),
        "\"f0\",\"f1\",\"note\",\"label\"\n\"3.0\",-2.5,\"comma, inside\",1\n\"0.5\",-1.0,\"ok\",0\n"
    );
}

/// What a learner reads as f32 another reads as f64: no digit may be lost.
#[test]
fn no_digit_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let text = "a,label\n0.1234567890123456789,0\n1e-5,1\n";
    fs::write(folder.path().join("data.csv"), text).unwrap();
    let options = CsvOptions { classes: Some(2), ..csv() };
    let source = Source::new(folder.path(), Options::Csv(options));
    let out = check(&source, &[Arc::new([0, 1])]);
    assert_eq!(fs::read_to_string(out.path().join("client-0/data.csv")).unwrap(), text);
}

#[test]
fn images_keep_their_files() {
    let folder = tempfile::tempdir().unwrap();
    let options = IdxOptions { classes: Some(3), scale: Some(255.0), ..idx_pair(folder.path(), 6) };
    let source = Source::new(folder.path(), Options::Idx(options));
    let out = check(&source, &[Arc::new([0, 5]), Arc::new([1, 2, 3, 4])]);
    assert_eq!(
        fs::read(out.path().join("client-0/labels")).unwrap(),
        [0, 0, 8, 1, 0, 0, 0, 2, 0, 2]
    );
}

#[test]
fn what_cannot_be_written_is_refused_before_anything_is() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("data.csv"), "a,label\n1,0\n2,1\n").unwrap();
    let source = Source::new(folder.path(), Options::Csv(csv()));
    let out = folder.path().join("out");
    let refused = |name: &str, rows: &[u32]| {
        let parts: [(&str, &[u32]); 2] = [("good", &[0]), (name, rows)];
        let error = source.split(parts, &out).unwrap_err().to_string();
        assert!(!out.exists(), "{error}");
        error
    };
    for name in ["../up", "/etc", "a/b", ".", "", "new\nline"] {
        let error = refused(name, &[1]);
        assert_eq!(
            error,
            format!("splitting data: {name:?} cannot be a folder's name: rename the client")
        );
    }
    assert_eq!(refused("b", &[]), "splitting data: client b has no rows: leave it out");
    assert_eq!(
        refused("b", &[1, 2]),
        "splitting data: client b: row 2 is asked for, but the data set has 2 rows, numbered from 0: \
         is it another file?"
    );
}

#[test]
fn nothing_is_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("data.csv"), "a,label\n1,0\n2,1\n").unwrap();
    let source = Source::new(folder.path(), Options::Csv(csv()));
    let out = folder.path().join("out");
    source.split([("b", &[0][..])], &out).unwrap();
    let error = source.split([("b", &[1][..])], &out).unwrap_err().to_string();
    assert!(
        error.contains("out/b/data.csv")
            && error.ends_with("nothing that was there is overwritten")
    );
    assert_eq!(fs::read_to_string(out.join("b/data.csv")).unwrap(), "a,label\n1,0\n");
}
