//! What a store of client states owes: V1 to V4.

use std::collections::BTreeMap;

use bytes::Bytes;
use flare_core::journal::{Error, StateStore};
use flare_core::names::Rank;
use flare_core::operation::OperationId;

use super::store::{Dice, Fresh};

type Key = (Rank, OperationId);

fn key(rank: u32, version: u64) -> Key {
    (Rank(rank), OperationId(version))
}

fn state(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

fn check(store: &dyn StateStore, key: Key, wanted: Option<&Bytes>) {
    check_in("", store, key, wanted);
}

fn check_in(case: &str, store: &dyn StateStore, (rank, version): Key, wanted: Option<&Bytes>) {
    match (store.get(rank, version), wanted) {
        (Ok(found), Some(wanted)) => {
            assert_eq!(found, wanted, "{case}client {rank} after {version}")
        }
        (Err(Error::Missing { what }), None) => {
            let names = format!("client {rank} as operation {version}");
            assert!(what.contains(&names), "{what:?} does not name {names}");
        }
        (found, wanted) => panic!("{case}client {rank} after {version}: {found:?}, not {wanted:?}"),
    }
}

/// Versions stand side by side; the same one put again replaces itself only.
pub fn v1_versions_stand_side_by_side(fresh: Fresh<dyn StateStore>) {
    let place = fresh();
    let store = place();
    let versions = [(key(0, 0), "a"), (key(0, 1), "b"), (key(1, 1), ""), (key(0, 0), "longer")];
    for ((rank, version), text) in versions {
        store.put(rank, version, state(text)).unwrap();
        check(&*store, (rank, version), Some(&state(text)));
    }
    [0, 1].iter().for_each(|version| store.settle(OperationId(*version)).unwrap());
    drop(store);
    let store = place();
    for (key, text) in &versions[1..] {
        check(&*store, *key, Some(&state(text)));
    }
    store.put(Rank(0), OperationId(1), state("again")).unwrap();
    check(&*store, key(0, 1), Some(&state("again")));
    check(&*store, key(0, 0), Some(&state("longer")));
}

/// What was settled is there for the next process; settling twice, or nothing, is no error.
pub fn v2_what_was_settled_is_there_later(fresh: Fresh<dyn StateStore>) {
    let place = fresh();
    let mut dice = Dice(5);
    let sizes = [0, 3, 8, 65_535, 65_536, 65_537, 300_000];
    let states: Vec<Bytes> = sizes.iter().map(|size| dice.bytes(*size)).collect();
    let store = place();
    for (rank, state) in (0..).map(Rank).zip(&states) {
        store.put(rank, OperationId(9), state.clone()).unwrap();
    }
    [9, 9, 4].iter().for_each(|version| store.settle(OperationId(*version)).unwrap());
    drop(store);
    let store = place();
    for (rank, state) in (0..).zip(&states) {
        check(&*store, key(rank, 9), Some(state));
    }
    check(&*store, key(0, 4), None);
}

/// What was not put, or was dropped, is missing and is said so; never an empty state.
pub fn v3_what_was_not_put_is_missing_by_name(fresh: Fresh<dyn StateStore>) {
    let place = fresh();
    let store = place();
    check(&*store, key(3, 7), None);
    store.put(Rank(3), OperationId(7), state("x")).unwrap();
    for other in [key(2, 7), key(4, 7), key(3, 6), key(3, 8), key(7, 3)] {
        check(&*store, other, None);
    }
    store.settle(OperationId(7)).unwrap();
    store.release(OperationId(7), &[]).unwrap();
    check(&*store, key(3, 7), None);
    drop(store);
    check(&*place(), key(3, 7), None);
}

/// A release drops what is before the versions that count, and the versions that do not; nothing else.
pub fn v4_a_release_drops_what_does_not_count(fresh: Fresh<dyn StateStore>) {
    let place = fresh();
    let mut store = place();
    for (rank, version) in [(0, 1), (1, 1), (2, 1), (3, 1), (0, 2), (1, 2), (4, 2), (0, 3)] {
        store.put(Rank(rank), OperationId(version), state(&format!("{rank} {version}"))).unwrap();
    }
    (1..4).for_each(|version| store.settle(OperationId(version)).unwrap());
    // 0 counts; 1 and 4 do not; 2 counts but left no version; 3 was not asked.
    let left = [(1, 1), (2, 1), (3, 1), (0, 2), (0, 3)];
    let gone = [(0, 1), (1, 2), (4, 2)];
    for time in 0..3 {
        if time < 2 {
            store.release(OperationId(2), &[Rank(0), Rank(2)]).unwrap();
        }
        for (rank, version) in left {
            check(&*store, key(rank, version), Some(&state(&format!("{rank} {version}"))));
        }
        gone.iter().for_each(|(rank, version)| check(&*store, key(*rank, *version), None));
        drop(store);
        store = place();
    }
}

/// Rounds with random clients, states and ends, opened again now and then, against a plain map.
pub fn v4_random_rounds_leave_what_a_plain_map_has(fresh: Fresh<dyn StateStore>) {
    for seed in 0..12 {
        let place = fresh();
        let mut dice = Dice(seed);
        let mut store = place();
        let mut map: BTreeMap<Key, Bytes> = BTreeMap::new();
        for round in 0..30 {
            let version = OperationId(round);
            for _ in 0..dice.below(8) {
                let (rank, size) =
                    (Rank(dice.below(6) as u32), [5, 300, 20_000][dice.below(3) as usize]);
                let state = dice.bytes(size);
                store.put(rank, version, state.clone()).unwrap();
                map.insert((rank, version), state);
            }
            store.settle(version).unwrap();
            // A round in four stays open.
            if dice.below(4) > 0 {
                let counted: Vec<Rank> = (0..6).map(Rank).filter(|_| dice.below(3) > 0).collect();
                store.release(version, &counted).unwrap();
                release(&mut map, version, &counted);
            }
            if dice.below(3) == 0 {
                drop(store);
                store = place();
            }
        }
        for rank in 0..7 {
            for version in 0..31 {
                let key = key(rank, version);
                check_in(&format!("seed {seed}: "), &*store, key, map.get(&key));
            }
        }
    }
}

/// The rule of V4, word by word.
fn release(map: &mut BTreeMap<Key, Bytes>, released: OperationId, counted: &[Rank]) {
    let left: Vec<Rank> =
        map.keys().filter(|(_, version)| *version == released).map(|(rank, _)| *rank).collect();
    map.retain(|(rank, version), _| {
        let counts = counted.contains(rank);
        let is_before = counts && left.contains(rank) && *version < released;
        let is_stray = !counts && *version == released;
        !is_before && !is_stray
    });
}
