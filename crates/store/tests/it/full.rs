//! A disk that is full, shown by the limit of file sizes in a process of its own.

use std::fs;
use std::path::Path;

use flare_core::Hash;
use flare_core::journal::Error;
use flare_core::names::Rank;
use flare_core::operation::OperationId;
use flare_store::{Durability, Folder, Lines, write_atomically};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::child::{Child, say, setting};
use crate::places::{folder, unfinished};
use flare_testkit::conformance::entries::{EPOCH, value};
use flare_testkit::conformance::journal;
use flare_testkit::conformance::store::Dice;

const WHAT: &str = "FLARE_STORE_TEST_FULL";
/// Larger files than this cannot be written.
const LIMIT: u64 = 100_000;

/// Fills one kind of file in a process of its own, which must survive it and end well.
fn in_a_child(what: &str) {
    let folder = folder();
    let ended = Child::start("full", folder.path(), &[(WHAT, what.into())]).ended();
    assert!(ended.is_well, "{ended:?}");
    let [text] = &ended.lines[..] else { panic!("{ended:?}") };
    assert!(text.contains(&*folder.path().to_string_lossy()), "{text} does not name the path");
    assert!(text.contains("too large"), "{text} does not name the cause");
}

#[test]
fn j1_after_a_failed_write_what_was_kept_stays_and_every_append_fails() {
    in_a_child("journal");
}

#[test]
fn a_blob_that_does_not_fit_is_not_there_and_leaves_nothing() {
    in_a_child("blobs");
}

#[test]
fn a_state_that_does_not_fit_leaves_the_others_as_they_are() {
    in_a_child("states");
}

#[test]
fn an_export_that_does_not_fit_leaves_the_old_file() {
    in_a_child("export");
}

#[test]
fn a_line_that_does_not_fit_leaves_no_half() {
    in_a_child("lines");
}

/// What the child does.
pub(crate) fn fill(folder: &Path) {
    let what = setting(WHAT).unwrap();
    let open = || Folder::open(folder, Durability::Process).unwrap();
    limit(Some(LIMIT));
    let error = match what.as_str() {
        "journal" => fill_journal(folder),
        "blobs" => fill_blobs(folder, &open()),
        "states" => fill_states(&open),
        "export" => fill_export(folder),
        "lines" => fill_lines(folder),
        other => panic!("nothing is called {other}"),
    };
    say(&error.to_string());
}

fn limit(bytes: Option<u64>) {
    let hard = getrlimit(Resource::Fsize).maximum;
    setrlimit(Resource::Fsize, Rlimit { current: bytes.or(hard), maximum: hard }).unwrap();
}

fn fill_journal(folder: &Path) -> Error {
    // Nothing of the failed commit is left, even before the folder is opened again.
    let other = folder.join("other");
    let journal = Folder::open(&other, Durability::Process).unwrap().journal();
    journal.append(EPOCH, &[value(1)], true).unwrap();
    let length = || fs::metadata(other.join("journal")).unwrap().len();
    let before = length();
    let large = (0..200).map(|_| value(999)).collect::<Vec<_>>();
    journal.append(EPOCH, &large, false).unwrap_err();
    assert_eq!(length(), before);
    journal::j1_after_an_error_every_append_fails(&|| {
        let folder = folder.to_owned();
        Box::new(move || Folder::open(&folder, Durability::Process).unwrap().journal())
    })
}

fn fill_blobs(path: &Path, folder: &Folder) -> Error {
    let (small, large) = (Dice(1).bytes(1_000), Dice(2).bytes(LIMIT as usize + 1));
    folder.blobs().put(Hash::of(&small), &small).unwrap();
    let error = folder.blobs().put(Hash::of(&large), &large).unwrap_err();
    assert!(matches!(folder.blobs().get(Hash::of(&large)), Err(Error::Missing { .. })));
    assert_eq!(folder.blobs().get(Hash::of(&small)).unwrap(), small);
    assert!(unfinished(path).is_empty());
    limit(None);
    folder.blobs().put(Hash::of(&large), &large).unwrap();
    assert_eq!(folder.blobs().get(Hash::of(&large)).unwrap(), large);
    error
}

fn fill_states(open: &dyn Fn() -> Folder) -> Error {
    let small = bytes::Bytes::from_static(b"small");
    let state = |rank: u32| Dice(u64::from(rank)).bytes(30_000);
    let version = OperationId(5);
    let states = open().states();
    let put = |rank: u32| states.put(Rank(rank), version, state(rank));
    let failed = (0..10).find_map(|rank| put(rank).err().map(|error| (rank, error)));
    let (failed, error) = failed.unwrap();
    assert_eq!(failed, 3);
    states.settle(version).unwrap();
    for rank in 0..3 {
        assert_eq!(states.get(Rank(rank), version).unwrap(), state(rank));
    }
    assert!(matches!(states.get(Rank(3), version), Err(Error::Missing { .. })));
    limit(None);
    states.put(Rank(4), version, small.clone()).unwrap();
    states.settle(version).unwrap();
    drop(states);
    let states = open().states();
    for rank in 0..3 {
        assert_eq!(states.get(Rank(rank), version).unwrap(), state(rank));
    }
    assert_eq!(states.get(Rank(4), version).unwrap(), small);
    let missing = states.get(Rank(3), version);
    assert!(matches!(missing, Err(Error::Missing { .. })), "half of it is left: {missing:?}");
    error
}

fn fill_export(folder: &Path) -> Error {
    drop(Folder::open(folder, Durability::Process).unwrap());
    let path = folder.join("model.safetensors");
    write_atomically(&path, b"the last good one", Durability::Power).unwrap();
    let large = Dice(1).bytes(LIMIT as usize + 1);
    let error = write_atomically(&path, &large, Durability::Power).unwrap_err();
    assert_eq!(fs::read(&path).unwrap(), b"the last good one");
    assert!(unfinished(folder).is_empty());
    error
}

fn fill_lines(folder: &Path) -> Error {
    flare_store::survive_file_size_limit();
    let path = folder.join("metrics.jsonl");
    let mut lines = Lines::open(&path, |_| true).unwrap();
    let line = "x".repeat(30_000);
    let error = (0..10).find_map(|_| lines.append(&line).err()).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text.len(), 3 * (line.len() + 1));
    lines.append("short").unwrap();
    assert!(fs::read_to_string(&path).unwrap().ends_with("x\nshort\n"));
    error
}
