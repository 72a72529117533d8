//! `kill -9` at every step of every write: in a first run, and again while the next process recovers.

use std::collections::BTreeSet;
use std::path::Path;

use flare_store::WritePoint;

use crate::child::{Child, Ended};
use crate::places::folder;
use crate::story::{KILL, TIME, check, check_end};

const SIGKILL: i32 = 9;

/// Steps that a process comes to while it opens a folder.
const OPENING: &[WritePoint] = &[
    WritePoint::FoldersMade,
    WritePoint::LockTaken,
    WritePoint::LeftoverFound,
    WritePoint::JournalHeaderHalf,
    WritePoint::JournalHeaderWritten,
    WritePoint::JournalTornFound,
    WritePoint::JournalCut,
    WritePoint::JournalOpened,
    WritePoint::SegmentTornFound,
    WritePoint::SegmentDropped,
];

fn run(folder: &Path, kill: Option<WritePoint>, time: u32) -> Ended {
    let kill = kill.map(|point| (KILL, format!("{point:?}")));
    let settings: Vec<_> = kill.into_iter().chain([(TIME, time.to_string())]).collect();
    Child::start("story", folder, &settings).ended()
}

/// Runs up to a point. Whether it got there; if not, it ran to its end.
fn is_killed(folder: &Path, point: WritePoint, time: u32) -> bool {
    let ended = run(folder, Some(point), time);
    assert!(ended.is_well || ended.signal == Some(SIGKILL), "{point:?}: {ended:?}");
    let copy = copy(folder);
    check(copy.path(), &ended.lines);
    !ended.is_well
}

/// To look at a folder is to open it, and that puts it right: what is looked at is a copy.
fn copy(from: &Path) -> tempfile::TempDir {
    let to = folder();
    for file in crate::places::files(from) {
        let path = to.path().join(file.strip_prefix(from).unwrap());
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::copy(file, path).unwrap();
    }
    to
}

fn finish(folder: &Path) {
    let ended = run(folder, None, 0);
    assert!(ended.is_well, "{ended:?}");
    check_end(folder);
}

#[test]
fn a_folder_opens_after_a_kill_at_any_point_of_a_run_and_of_its_recovery() {
    let mut reached = BTreeSet::new();
    for first in WritePoint::ALL {
        for time in [1, 2] {
            let first_left = folder();
            if !is_killed(first_left.path(), *first, time) {
                continue;
            }
            reached.insert(*first);
            for second in OPENING.iter().filter(|_| time == 1) {
                let left = copy(first_left.path());
                if is_killed(left.path(), *second, 1) {
                    reached.insert(*second);
                    finish(left.path());
                }
            }
            finish(first_left.path());
        }
    }
    let missed: Vec<_> = WritePoint::ALL.iter().filter(|point| !reached.contains(point)).collect();
    assert!(missed.is_empty(), "no process was killed at {missed:?}");
}

#[test]
fn an_undisturbed_run_leaves_what_it_should() {
    let folder = folder();
    finish(folder.path());
}
