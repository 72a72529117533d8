//! One writer at a time.

use flare_core::journal::Error;
use flare_store::{Durability, Folder};

use crate::child::Child;
use crate::places::{folder, open};

#[test]
fn a_folder_in_use_is_refused_by_the_number_of_its_process_and_free_after_its_death() {
    let folder = folder();
    let mut child = Child::start("hold", folder.path(), &[]);
    assert_eq!(child.line(), "held");
    let error = Folder::open(folder.path(), Durability::Process).err().unwrap();
    assert!(matches!(&error, Error::InUse { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains(&format!("process {}", child.id())), "{text}");
    assert!(text.contains(&*folder.path().to_string_lossy()), "{text}");
    child.kill();
    drop(open(folder.path()));
}

#[test]
fn the_lock_is_held_as_long_as_anything_of_the_folder_is() {
    let folder = folder();
    let is_free = || Folder::open(folder.path(), Durability::Process).is_ok();
    let opened = open(folder.path());
    let (journal, blobs, states) = (opened.journal(), opened.blobs(), opened.states());
    drop(opened);
    assert!(!is_free());
    drop(journal);
    assert!(!is_free());
    drop(blobs);
    assert!(!is_free());
    drop(states);
    assert!(is_free());
}

#[test]
fn a_folder_without_a_run_is_not_resumed() {
    let folder = folder();
    let none = folder.path().join("none");
    let error = Folder::reopen(&none, Durability::Process).err().unwrap();
    assert!(matches!(&error, Error::Missing { what } if what.contains("none/journal")), "{error}");
    assert!(!none.exists());
    drop(open(&none));
    assert!(Folder::reopen(&none, Durability::Process).is_ok());
}

#[test]
fn folders_above_are_made_and_what_is_in_the_way_is_named() {
    let folder = folder();
    let deep = folder.path().join("a/b/c");
    drop(open(&deep));
    assert!(deep.join("journal").is_file());
    let file = folder.path().join("file");
    std::fs::write(&file, "x").unwrap();
    for path in [file.clone(), file.join("run")] {
        let error = Folder::open(&path, Durability::Process).err().unwrap();
        assert!(error.to_string().contains(&*file.to_string_lossy()), "{error}");
    }
}
