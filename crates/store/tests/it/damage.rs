//! Files that are not as they were written: an error by name, or a last commit that is gone; never
//! something else than what was written.

use std::fs;
use std::path::Path;

use flare_core::Hash;
use flare_core::journal::{Entry, Error};
use flare_core::names::Rank;
use flare_core::operation::OperationId;
use flare_store::{Durability, Folder};

use crate::places::{folder, open};
use flare_testkit::conformance::entries::{EPOCH, ended, opened, run, started, value};
use flare_testkit::conformance::store::Dice;

fn commits() -> Vec<Vec<Entry>> {
    vec![vec![run(), opened(1)], vec![value(3)], vec![started(0), value(40)], vec![ended(0)]]
}

fn entries(folder: &Path) -> Result<Vec<Entry>, Error> {
    Folder::open(folder, Durability::Process)?.journal().entries()
}

/// Writes the commits; gives the journal's bytes, and where each commit ends.
fn written(folder: &Path) -> (Vec<u8>, Vec<usize>) {
    let path = folder.join("journal");
    let journal = open(folder).journal();
    let mut ends = vec![fs::read(&path).unwrap().len()];
    for commit in commits() {
        journal.append(EPOCH, &commit, true).unwrap();
        ends.push(fs::read(&path).unwrap().len());
    }
    (fs::read(&path).unwrap(), ends)
}

#[test]
fn a_flipped_byte_before_the_last_commit_is_an_error_that_says_where() {
    let folder = folder();
    let path = folder.path().join("journal");
    let (whole, ends) = written(folder.path());
    let mut dice = Dice(11);
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << dice.below(8);
        fs::write(&path, &bytes).unwrap();
        let commit = ends.iter().rposition(|end| *end <= at);
        match entries(folder.path()) {
            Ok(found) => {
                assert_eq!(commit, Some(3), "byte {at}: only the last commit may be dropped");
                assert_eq!(found, commits()[..3].concat(), "byte {at}");
            }
            Err(error) => {
                assert_ne!(commit, Some(3), "byte {at}: {error}");
                let offset = commit.map(|commit| format!("byte {} ", ends[commit]));
                let text = error.to_string();
                assert!(text.contains("journal"), "{text}");
                assert!(offset.is_none_or(|offset| text.contains(&offset)), "byte {at}: {text}");
                assert_eq!(fs::read(&path).unwrap(), bytes, "a damaged journal is left as it is");
            }
        }
    }
}

/// A power cut may keep a later commit and lose an earlier one, as long as neither was synced: that is no
/// damage. Once something was synced after both, it is.
#[test]
fn j4_unsynced_commits_may_be_lost_out_of_order_and_synced_ones_may_not() {
    let folder = folder();
    let path = folder.path().join("journal");
    let length = || fs::metadata(&path).unwrap().len() as usize;
    let journal = open(folder.path()).journal();
    journal.append(EPOCH, &[value(30)], true).unwrap();
    let lost = length();
    journal.append(EPOCH, &[value(31)], false).unwrap();
    journal.append(EPOCH, &[value(32)], false).unwrap();
    let unsynced = fs::read(&path).unwrap();
    journal.append(EPOCH, &[value(33)], true).unwrap();
    journal.append(EPOCH, &[value(34)], false).unwrap();
    drop(journal);
    let synced = fs::read(&path).unwrap();
    let without = |mut bytes: Vec<u8>| {
        bytes[lost..lost + 40].fill(0);
        fs::write(&path, bytes).unwrap();
        entries(folder.path())
    };
    let error = without(synced).unwrap_err();
    assert!(error.to_string().contains(&format!("byte {lost} ")), "{error}");
    assert_eq!(without(unsynced).unwrap(), [value(30)]);
    assert_eq!(length(), lost);
}

#[test]
fn a_commit_that_was_taken_out_or_moved_is_damage() {
    let folder = folder();
    let path = folder.path().join("journal");
    let (whole, ends) = written(folder.path());
    let part = |from: usize, to: usize| &whole[ends[from]..ends[to]];
    let head = &whole[..ends[0]];
    let orders = [
        [head, part(1, 4)].concat(),
        [head, part(0, 1), part(2, 4)].concat(),
        [head, part(0, 1), part(2, 3), part(1, 2), part(3, 4)].concat(),
    ];
    for bytes in orders {
        fs::write(&path, bytes).unwrap();
        match entries(folder.path()) {
            Err(Error::Damaged { .. }) => {}
            Ok(found) => assert!(commits().concat().starts_with(&found) && found.len() < 3),
            Err(other) => panic!("{other}"),
        }
    }
}

#[test]
fn random_damage_never_gives_entries_that_were_not_written() {
    let folder = folder();
    let path = folder.path().join("journal");
    let (whole, _) = written(folder.path());
    for seed in 0..300 {
        let mut dice = Dice(seed);
        let mut bytes = whole.clone();
        for _ in 0..=dice.below(4) {
            let at = dice.below(bytes.len().max(1) as u64) as usize;
            match dice.below(3) {
                0 => bytes[at] = dice.below(256) as u8,
                1 => drop(bytes.drain(at..(at + dice.below(60) as usize).min(bytes.len()))),
                _ => bytes.truncate(at.max(20)),
            }
        }
        fs::write(&path, &bytes).unwrap();
        if let Ok(found) = entries(folder.path()) {
            assert!(commits().concat().starts_with(&found), "seed {seed}: {found:?}");
        }
    }
}

#[test]
fn a_journal_or_states_of_another_version_are_refused_by_name() {
    let folder = folder();
    let states = open(folder.path()).states();
    states.put(Rank(0), OperationId(0), "x".into()).unwrap();
    drop(states);
    for file in ["journal", "states/op-0"] {
        let path = folder.path().join(file);
        let whole = fs::read(&path).unwrap();
        for (version, advice) in [(2_u8, "a later version"), (0, "an earlier version")] {
            let mut other = whole.clone();
            other[12] = version;
            fs::write(&path, &other).unwrap();
            let text = entries(folder.path()).unwrap_err().to_string();
            assert!(text.contains(file) && text.contains(advice), "{text}");
            assert!(text.contains(&format!("version {version},")), "{text}");
            assert_eq!(fs::read(&path).unwrap(), other);
        }
        fs::write(&path, whole).unwrap();
    }
    fs::write(folder.path().join("journal"), "{\"json\": true, \"or\": \"so\"}").unwrap();
    let error = entries(folder.path()).unwrap_err();
    assert!(matches!(error, Error::Damaged { .. }), "{error}");
}

#[test]
fn a_blob_that_is_not_what_its_name_says_is_damaged_and_can_be_put_again() {
    let folder = folder();
    for size in [3, 100_000] {
        let bytes = Dice(size).bytes(size as usize);
        let hash = Hash::of(&bytes);
        open(folder.path()).blobs().put(hash, &bytes).unwrap();
        let path = folder.path().join("blobs").join(hash.to_string());
        let mut flipped = bytes.to_vec();
        flipped[2] ^= 4;
        for bad in [flipped, bytes[..2].to_vec(), Vec::new(), [&bytes[..], b"x"].concat()] {
            fs::write(&path, &bad).unwrap();
            let blobs = open(folder.path()).blobs();
            let error = blobs.get(hash).unwrap_err();
            assert!(
                matches!(&error, Error::Damaged { place, .. } if place.contains(&hash.to_string()))
            );
            blobs.put(hash, &bytes).unwrap();
            assert_eq!(blobs.get(hash).unwrap(), bytes);
        }
        fs::remove_file(&path).unwrap();
        let missing = open(folder.path()).blobs().get(hash).unwrap_err();
        assert!(matches!(missing, Error::Missing { .. }));
    }
}

#[test]
fn a_half_written_file_is_neither_taken_for_a_blob_nor_left() {
    let folder = folder();
    let bytes = Dice(1).bytes(10);
    let hash = Hash::of(&bytes);
    drop(open(folder.path()));
    let leftovers =
        [format!("blobs/{hash}.12-0.flare.tmp"), "model.safetensors.3-4.flare.tmp".into()];
    leftovers.iter().for_each(|name| fs::write(folder.path().join(name), &bytes).unwrap());
    let theirs = folder.path().join("notes.tmp");
    fs::write(&theirs, "a person's own").unwrap();
    let found = open(folder.path()).blobs().get(hash);
    assert!(matches!(found, Err(Error::Missing { .. })));
    assert!(leftovers.iter().all(|name| !folder.path().join(name).exists()));
    assert!(theirs.exists());
}
