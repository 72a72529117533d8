//! A journal that was cut short at any byte.

use std::fs;

use flare_core::journal::Entry;

use crate::places::{folder, open};
use flare_testkit::conformance::entries::{EPOCH, value};

/// What a journal with these commits is when its file ends after each so many bytes.
pub(crate) fn cut_at_every_byte(commits: &[Vec<Entry>]) -> Vec<Vec<Entry>> {
    let folder = folder();
    let path = folder.path().join("journal");
    let journal = open(folder.path()).journal();
    commits.iter().for_each(|commit| journal.append(EPOCH, commit, true).unwrap());
    drop(journal);
    let whole = fs::read(&path).unwrap();
    let cut = |length: usize| {
        fs::write(&path, &whole[..length]).unwrap();
        let found = open(folder.path()).journal().entries().unwrap();
        check_that_it_goes_on(folder.path(), &found);
        found
    };
    let found: Vec<Vec<Entry>> = (0..=whole.len()).map(cut).collect();
    assert!(found.is_sorted_by_key(Vec::len), "a longer journal never has fewer commits");
    found
}

/// What comes next stands behind what is left, and not behind the torn commit.
fn check_that_it_goes_on(folder: &std::path::Path, found: &[Entry]) {
    open(folder).journal().append(EPOCH, &[value(77)], true).unwrap();
    let entries = open(folder).journal().entries().unwrap();
    assert_eq!(entries, [found, &[value(77)]].concat());
}

/// Each commit but the first torn one is there although it could not be known to be: as long as a commit
/// is, so long is the file.
#[test]
fn a_torn_tail_is_cut_off_when_the_journal_is_opened() {
    let folder = folder();
    let path = folder.path().join("journal");
    let journal = open(folder.path()).journal();
    journal.append(EPOCH, &[value(10)], true).unwrap();
    let first = fs::metadata(&path).unwrap().len();
    journal.append(EPOCH, &[value(500)], true).unwrap();
    drop(journal);
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    drop(open(folder.path()));
    assert_eq!(fs::metadata(&path).unwrap().len(), first);
    // Garbage of any length, also one that looks like the start of a commit.
    for tail in [&b"\0"[..], &[0xff; 100], &whole[first as usize..first as usize + 40]] {
        fs::write(&path, [&whole[..first as usize], tail].concat()).unwrap();
        assert_eq!(open(folder.path()).journal().entries().unwrap(), [value(10)]);
        assert_eq!(fs::metadata(&path).unwrap().len(), first);
    }
}
