//! Files that a run leaves to people.

use std::fs;

use flare_store::{Durability, Lines, write_atomically};

use crate::places::{files, folder};

#[test]
fn a_file_is_replaced_whole_and_an_error_leaves_the_old_one_and_nothing_beside_it() {
    let folder = folder();
    let path = folder.path().join("model.safetensors");
    for durability in [Durability::Process, Durability::Power] {
        for bytes in [&b"longer than the next"[..], b"short", b""] {
            write_atomically(&path, bytes, durability).unwrap();
            assert_eq!(fs::read(&path).unwrap(), bytes);
            assert_eq!(files(folder.path()), std::slice::from_ref(&path));
        }
    }
    let taken = folder.path().join("taken");
    fs::create_dir(&taken).unwrap();
    for (path, word) in [(&taken, "taken"), (&folder.path().join("none/file"), "none/file")] {
        let text = write_atomically(path, b"x", Durability::Process).unwrap_err().to_string();
        assert!(text.contains(word), "{text}");
    }
    assert_eq!(files(folder.path()), [path]);
}

#[test]
fn lines_go_on_behind_those_that_are_kept() {
    let folder = folder();
    let path = folder.path().join("metrics.jsonl");
    let mut lines = Lines::open(&path, |_| panic!("there are none")).unwrap();
    for line in ["one", "two", "three", "two"] {
        lines.append(line).unwrap();
    }
    lines.sync().unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntwo\nthree\ntwo\n");
    // What comes after a refused line goes as well, and a line without its end.
    let mut lines = Lines::open(&path, |line| line != b"three").unwrap();
    lines.append("3").unwrap();
    fs::write(&path, fs::read_to_string(&path).unwrap() + "half").unwrap();
    let mut lines = Lines::open(&path, |_| true).unwrap();
    lines.append("4").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntwo\n3\n4\n");
}
