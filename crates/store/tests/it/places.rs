//! Folders for tests, and how the suites open them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flare_core::journal::{BlobStore, Journal, StateStore};
use flare_store::{Durability, Folder};
use tempfile::TempDir;

use flare_testkit::conformance::store::Place;

/// A folder that goes with its owner. In memory where the system has such a place: a killed process leaves
/// the same there, and syncing costs nothing.
pub(crate) fn folder() -> TempDir {
    let shared = Path::new("/dev/shm");
    match shared.is_dir() {
        true => tempfile::tempdir_in(shared).unwrap(),
        false => tempfile::tempdir().unwrap(),
    }
}

/// The run in a folder, opened.
pub(crate) fn open(folder: &Path) -> Folder {
    Folder::open(folder, Durability::Power).unwrap()
}

/// A fresh folder's journal.
pub(crate) fn journal() -> Place<dyn Journal> {
    let folder = folder();
    Box::new(move || open(folder.path()).journal())
}

/// A fresh folder's blobs.
pub(crate) fn blobs() -> Place<dyn BlobStore> {
    let folder = folder();
    Box::new(move || open(folder.path()).blobs())
}

/// A fresh folder's states.
pub(crate) fn states() -> Place<dyn StateStore> {
    let folder = folder();
    Box::new(move || open(folder.path()).states())
}

/// A place in memory: the same store each time.
pub(crate) fn kept<T: ?Sized + 'static>(store: Arc<T>) -> Place<T> {
    Box::new(move || Arc::clone(&store))
}

/// All files below a folder, sorted.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files.extend(self::files(&path)),
            false => files.push(path),
        }
    }
    files.sort();
    files
}

/// Names of unfinished files below a folder.
pub(crate) fn unfinished(folder: &Path) -> Vec<PathBuf> {
    files(folder).into_iter().filter(|path| path.to_string_lossy().ends_with(".tmp")).collect()
}
