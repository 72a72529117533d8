//! The order of writing, syncing and renaming, on which it rests that a power cut loses nothing.

use std::path::Path;
use std::sync::{Arc, Mutex};

use flare_core::Hash;
use flare_core::names::Rank;
use flare_core::operation::OperationId;
use flare_store::WritePoint::{self, *};
use flare_store::{Durability, Folder};

use crate::places::folder;
use flare_testkit::conformance::entries::{EPOCH, value};
use flare_testkit::conformance::store::Dice;

/// A folder, and the steps that were reached since the last look.
struct Watched {
    folder: Folder,
    reached: Arc<Mutex<Vec<WritePoint>>>,
}

impl Watched {
    fn open(path: &Path, durability: Durability) -> Self {
        let reached = Arc::new(Mutex::new(Vec::new()));
        let watch = Arc::clone(&reached);
        let watch = Arc::new(move |point| watch.lock().unwrap().push(point));
        let folder = Folder::open_watched(path, durability, watch).unwrap();
        Self { folder, reached }
    }

    fn steps(&self) -> Vec<WritePoint> {
        std::mem::take(&mut self.reached.lock().unwrap())
    }
}

#[test]
fn j4_a_commit_is_synced_before_append_returns_and_then_so_are_those_before_it() {
    let folder = folder();
    for durability in [Durability::Process, Durability::Power] {
        let watched = Watched::open(folder.path(), durability);
        let journal = watched.folder.journal();
        watched.steps();
        journal.append(EPOCH, &[value(1)], false).unwrap();
        assert_eq!(watched.steps(), [CommitHalf, CommitWritten]);
        journal.append(EPOCH, &[value(2)], true).unwrap();
        assert_eq!(watched.steps(), [CommitHalf, CommitWritten, CommitSynced]);
        journal.append(EPOCH, &[], true).unwrap();
        assert_eq!(watched.steps(), [CommitSynced]);
    }
}

#[test]
fn a_new_journal_is_synced_before_anything_is_appended() {
    let folder = folder();
    let watched = Watched::open(folder.path(), Durability::Process);
    let opening = [FoldersMade, LockTaken, JournalHeaderHalf, JournalHeaderWritten, JournalOpened];
    assert_eq!(watched.steps(), opening);
}

#[test]
fn blobs_and_exports_are_synced_as_the_durability_says() {
    let folder = folder();
    let bytes = Dice(1).bytes(100);
    let watched = Watched::open(folder.path(), Durability::Process);
    watched.steps();
    watched.folder.blobs().put(Hash::of(&bytes), &bytes).unwrap();
    watched.folder.export("model.bin", &bytes).unwrap();
    let written = [BlobHalf, BlobWritten, BlobRenamed, ExportHalf, ExportWritten, ExportRenamed];
    assert_eq!(watched.steps(), written);
    drop(watched);
    let watched = Watched::open(folder.path(), Durability::Power);
    watched.steps();
    // It is there, but perhaps torn: it is written once more.
    watched.folder.blobs().put(Hash::of(&bytes), &bytes).unwrap();
    assert_eq!(watched.steps(), [BlobHalf, BlobWritten, BlobSynced, BlobRenamed, BlobNameSynced]);
    watched.folder.blobs().put(Hash::of(&bytes), &bytes).unwrap();
    assert_eq!(watched.steps(), []);
    watched.folder.export("model.bin", &bytes).unwrap();
    let exported = [ExportHalf, ExportWritten, ExportSynced, ExportRenamed, ExportNameSynced];
    assert_eq!(watched.steps(), exported);
}

#[test]
fn v2_states_are_synced_by_one_sync_when_they_are_settled_whatever_the_durability() {
    let folder = folder();
    let watched = Watched::open(folder.path(), Durability::Process);
    let states = watched.folder.states();
    for rank in 0..50 {
        states.put(Rank(rank), OperationId(1), "state".into()).unwrap();
    }
    watched.steps();
    states.settle(OperationId(1)).unwrap();
    assert_eq!(watched.steps(), [StatesSynced, SegmentNameSynced]);
    states.put(Rank(3), OperationId(1), "again".into()).unwrap();
    assert_eq!(watched.steps(), [StateHalf, StateWritten]);
    states.settle(OperationId(1)).unwrap();
    assert_eq!(watched.steps(), [StatesSynced]);
}

#[test]
fn who_counted_is_noted_before_anything_goes() {
    let folder = folder();
    let watched = Watched::open(folder.path(), Durability::Process);
    let states = watched.folder.states();
    for version in [1, 2] {
        states.put(Rank(0), OperationId(version), "state".into()).unwrap();
        states.settle(OperationId(version)).unwrap();
    }
    watched.steps();
    states.release(OperationId(2), &[Rank(0)]).unwrap();
    assert_eq!(watched.steps(), [ReleaseHalf, ReleaseWritten, SegmentDropped]);
    states.release(OperationId(2), &[Rank(0)]).unwrap();
    assert_eq!(watched.steps(), []);
}
