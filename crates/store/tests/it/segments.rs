//! Client states on disk: few files, freed space, and damage that is never taken for a state.

use std::fs;
use std::path::Path;

use bytes::Bytes;
use flare_core::Hash;
use flare_core::journal::Error;
use flare_core::names::Rank;
use flare_core::operation::OperationId;

use crate::places::{files, folder, open};
use flare_testkit::conformance::store::Dice;

const FIRST: OperationId = OperationId(0);
const SECOND: OperationId = OperationId(1);

fn state(rank: u32) -> Bytes {
    Dice(u64::from(rank)).bytes(40 + rank as usize % 7)
}

/// Puts and settles the states of so many clients.
fn put(folder: &Path, version: OperationId, count: u32) {
    let states = open(folder).states();
    (0..count).for_each(|rank| states.put(Rank(rank), version, state(rank)).unwrap());
    states.settle(version).unwrap();
}

fn sizes(folder: &Path) -> Vec<u64> {
    let files = files(&folder.join("states"));
    files.iter().map(|path| fs::metadata(path).unwrap().len()).collect()
}

fn get(folder: &Path, rank: u32, version: OperationId) -> Result<Bytes, Error> {
    open(folder).states().get(Rank(rank), version)
}

#[test]
fn an_operation_of_many_clients_leaves_one_file_of_little_more_than_their_states() {
    let folder = folder();
    put(folder.path(), FIRST, 20_000);
    let [size] = sizes(folder.path())[..] else { panic!("{:?}", files(folder.path())) };
    assert!(size < 20_000 * 100, "{size} bytes for 20,000 states of 43");
    let states = open(folder.path()).states();
    for rank in (0..20_000).step_by(61) {
        assert_eq!(states.get(Rank(rank), FIRST).unwrap(), state(rank));
    }
}

#[test]
fn dropped_versions_give_their_space_back() {
    let folder = folder();
    put(folder.path(), FIRST, 3_000);
    put(folder.path(), SECOND, 2_900);
    let [before, other] = sizes(folder.path())[..] else { panic!() };
    let counted: Vec<Rank> = (0..2_900).map(Rank).collect();
    let states = open(folder.path()).states();
    states.release(SECOND, &counted).unwrap();
    for rank in 2_900..3_000 {
        assert_eq!(states.get(Rank(rank), FIRST).unwrap(), state(rank), "moved, not changed");
    }
    drop(states);
    let [left, same] = sizes(folder.path())[..] else { panic!() };
    assert!(left < before / 20, "{left} of {before} bytes are left, for 100 of 3,000 versions");
    assert!(same < other + 100);
    for rank in [0, 2_899] {
        assert!(matches!(get(folder.path(), rank, FIRST), Err(Error::Missing { .. })));
        assert_eq!(get(folder.path(), rank, SECOND).unwrap(), state(rank));
    }
    assert_eq!(get(folder.path(), 2_900, FIRST).unwrap(), state(2_900));
    // The last live versions go, and the file with them.
    put(folder.path(), OperationId(2), 3_000);
    let counted: Vec<Rank> = (0..3_000).map(Rank).collect();
    open(folder.path()).states().release(OperationId(2), &counted).unwrap();
    assert_eq!(files(&folder.path().join("states")), [folder.path().join("states/op-2")]);
}

#[test]
fn a_state_file_that_was_removed_or_swapped_is_a_lost_state() {
    let folder = folder();
    put(folder.path(), FIRST, 3);
    put(folder.path(), SECOND, 3);
    let path = |number: u64| folder.path().join(format!("states/op-{number}"));
    let opened = open(folder.path());
    let second = fs::read(path(1)).unwrap();
    fs::remove_file(path(0)).unwrap();
    let lost = opened.states().get(Rank(1), FIRST);
    assert!(matches!(lost, Err(Error::Missing { .. })), "{lost:?}");
    // A file of the same length is not taken for it, neither while it is open nor later.
    fs::write(path(0), second).unwrap();
    let lost = opened.states().get(Rank(1), FIRST);
    assert!(matches!(lost, Err(Error::Damaged { .. })), "{lost:?}");
    drop(opened);
    let lost = get(folder.path(), 1, FIRST);
    assert!(
        matches!(&lost, Err(Error::Damaged { place, .. }) if place.ends_with("op-0")),
        "{lost:?}"
    );
    assert_eq!(get(folder.path(), 1, SECOND).unwrap(), state(1));
}

#[test]
fn a_flipped_byte_or_a_cut_anywhere_never_gives_another_state() {
    let folder = folder();
    put(folder.path(), FIRST, 3);
    let path = folder.path().join("states/op-0");
    let whole = fs::read(&path).unwrap();
    let mut dice = Dice(3);
    for at in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << dice.below(8);
        // A flip in the version is refused when the folder is opened (see `damage`), one in the padding
        // is nothing.
        let lost = if (12..16).contains(&at) { None } else { Some(lost(&path, &flipped)) };
        assert!(lost.is_none_or(|lost| lost > 0 || is_padding(at)), "flip at {at}");
        let kept = 3 - self::lost(&path, &whole[..at]);
        assert!(kept <= at / 80, "{kept} states in {at} bytes");
    }
}

/// Records are of 40 bytes and the state, to the next multiple of 8.
fn is_padding(at: usize) -> bool {
    let ends = [(16 + 40 + 40, 0), (16 + 80 + 40 + 41, 7), (16 + 80 + 88 + 40 + 42, 6)];
    ends.iter().any(|(end, padding)| (*end..end + padding).contains(&at))
}

/// How many of three states are lost when the file has these bytes; none may be another. They can be put
/// again.
fn lost(path: &Path, bytes: &[u8]) -> usize {
    fs::write(path, bytes).unwrap();
    let folder = path.parent().and_then(Path::parent).unwrap();
    let states = open(folder).states();
    let mut lost = 0;
    for rank in 0..3 {
        match states.get(Rank(rank), FIRST) {
            Ok(found) => assert_eq!(found, state(rank)),
            Err(Error::Missing { .. } | Error::Damaged { .. }) => {
                lost += 1;
                states.put(Rank(rank), FIRST, state(rank)).unwrap();
            }
            Err(other) => panic!("{other}"),
        }
    }
    drop(states);
    let states = open(folder).states();
    let found = (0..3).all(|rank| states.get(Rank(rank), FIRST).unwrap() == state(rank));
    assert!(found, "what was put again is there");
    lost
}

#[test]
fn what_is_put_behind_a_torn_version_ends_the_file() {
    let folder = folder();
    put(folder.path(), FIRST, 2);
    open(folder.path()).states().put(Rank(2), FIRST, Dice(1).bytes(1_000)).unwrap();
    let path = folder.path().join("states/op-0");
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 8]).unwrap();
    let states = open(folder.path()).states();
    states.put(Rank(0), FIRST, "x".into()).unwrap();
    drop(states);
    let missing = get(folder.path(), 2, FIRST);
    assert!(matches!(missing, Err(Error::Missing { .. })), "{missing:?}");
    assert_eq!(get(folder.path(), 0, FIRST).unwrap(), "x");
    assert_eq!(get(folder.path(), 1, FIRST).unwrap(), state(1));
}

#[test]
fn a_file_that_was_cut_while_it_is_open_is_damaged() {
    let folder = folder();
    let states = open(folder.path()).states();
    for size in [100, 200_000] {
        states.put(Rank(0), FIRST, Dice(size).bytes(size as usize)).unwrap();
        let path = folder.path().join("states/op-0");
        let length = fs::metadata(&path).unwrap().len();
        fs::File::options().write(true).open(&path).unwrap().set_len(length - 9).unwrap();
        let cut = states.get(Rank(0), FIRST);
        assert!(matches!(cut, Err(Error::Damaged { .. })), "{cut:?}");
    }
}

/// What an operation's release dropped elsewhere stays dropped when its own file is rewritten.
#[test]
fn v4_a_rewritten_file_still_says_what_its_release_dropped() {
    let folder = folder();
    let counted = |count: u32| (0..count).map(Rank).collect::<Vec<_>>();
    for (version, count) in [(0, 3_000), (1, 1_000), (2, 900)] {
        put(folder.path(), OperationId(version), count);
        open(folder.path()).states().release(OperationId(version), &counted(count)).unwrap();
    }
    let [first, second, _] = sizes(folder.path())[..] else { panic!() };
    assert!(first > 200_000 && second < 20_000, "only the second is rewritten: {first} {second}");
    let states = open(folder.path()).states();
    for rank in 0..1_000 {
        let dropped = states.get(Rank(rank), FIRST);
        assert!(matches!(dropped, Err(Error::Missing { .. })), "client {rank}: {dropped:?}");
    }
    assert_eq!(states.get(Rank(1_000), FIRST).unwrap(), state(1_000));
    assert_eq!(states.get(Rank(950), SECOND).unwrap(), state(950));
}

#[test]
fn versions_stay_readable_while_others_come_and_go() {
    let folder = folder();
    let states = open(folder.path()).states();
    let large = Dice(9).bytes(200_000);
    states.put(Rank(0), FIRST, large.clone()).unwrap();
    let held = states.get(Rank(0), FIRST).unwrap();
    states.put(Rank(0), SECOND, "small".into()).unwrap();
    states.release(SECOND, &[Rank(0)]).unwrap();
    assert!(matches!(states.get(Rank(0), FIRST), Err(Error::Missing { .. })));
    assert_eq!(held, large);
}

#[test]
fn many_threads_put_and_read_at_once() {
    let folder = folder();
    let opened = open(folder.path());
    let (states, blobs) = (opened.states(), opened.blobs());
    std::thread::scope(|scope| {
        for thread in 0..4_u32 {
            let (states, blobs) = (&states, &blobs);
            scope.spawn(move || {
                for number in 0..100 {
                    let rank = thread * 1_000 + number;
                    states.put(Rank(rank), FIRST, state(rank)).unwrap();
                    assert_eq!(states.get(Rank(rank), FIRST).unwrap(), state(rank));
                    // The same blobs from all of them.
                    let blob = Dice(u64::from(number)).bytes(500);
                    blobs.put(Hash::of(&blob), &blob).unwrap();
                    assert_eq!(blobs.get(Hash::of(&blob)).unwrap(), blob);
                    states.settle(FIRST).unwrap();
                }
            });
        }
    });
    drop((opened, states, blobs));
    let states = open(folder.path()).states();
    for rank in (0..4).flat_map(|thread| (0..100).map(move |number| thread * 1_000 + number)) {
        assert_eq!(states.get(Rank(rank), FIRST).unwrap(), state(rank));
    }
}
