//! One copy of each content in a process, and none that nobody holds.

use std::sync::{Arc, Barrier};

use flare_data::{CsvOptions, Options, Source};

use crate::csv;

#[test]
fn one_content_is_read_once_by_whatever_path() {
    let folder = tempfile::tempdir().unwrap();
    let source = |name: &str, text: &str, options: CsvOptions| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        Source::new(path, Options::Csv(options))
    };
    let text = "a,label\n1,0\n2,1\n";
    let first = source("first.csv", text, csv());
    let data = first.load().unwrap();
    assert!(Arc::ptr_eq(&data, &first.load().unwrap()));
    assert!(Arc::ptr_eq(&data, &source("second.csv", text, csv()).load().unwrap()));
    let scaled = CsvOptions { scale: Some(2.0), ..csv() };
    assert_eq!(source("third.csv", text, scaled).load().unwrap().features, [0.5, 1.0]);
    let other = source("fourth.csv", "a,label\n1,0\n3,1\n", csv()).load().unwrap();
    assert_eq!(other.features, [1.0, 3.0]);
}

#[test]
fn a_file_that_changes_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let source = Source::new(folder.path(), Options::Csv(csv()));
    let write = |text: &str| std::fs::write(folder.path().join("data.csv"), text).unwrap();
    write("a,label\n1,0\n");
    let old = source.load().unwrap();
    write("a,label\n1,0\n2,0\n");
    let longer = source.load().unwrap();
    assert_eq!((old.rows(), longer.rows()), (1, 2));
    // Another file of the same length in its place.
    std::fs::write(folder.path().join("new"), "a,label\n1,0\n3,0\n").unwrap();
    std::fs::rename(folder.path().join("new"), folder.path().join("data.csv")).unwrap();
    assert_eq!(source.load().unwrap().features, [1.0, 3.0]);
}

#[test]
fn what_nobody_holds_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let source = Source::new(folder.path(), Options::Csv(csv()));
    std::fs::write(folder.path().join("data.csv"), "a,label\n77,0\n").unwrap();
    let weak = Arc::downgrade(&source.load().unwrap());
    assert!(weak.upgrade().is_none());
    assert_eq!(source.load().unwrap().features, [77.0]);
}

#[test]
fn those_who_ask_at_once_share_one() {
    let folder = tempfile::tempdir().unwrap();
    let source = Source::new(folder.path(), Options::Csv(csv()));
    let rows = "5,1\n".repeat(20_000);
    std::fs::write(folder.path().join("data.csv"), format!("a,label\n{rows}")).unwrap();
    let barrier = Barrier::new(4);
    let load = || {
        barrier.wait();
        source.load().unwrap()
    };
    let all: Vec<_> = std::thread::scope(|scope| {
        let threads = [(); 4].map(|()| scope.spawn(load));
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(all.iter().all(|data| Arc::ptr_eq(data, &all[0])));
}
