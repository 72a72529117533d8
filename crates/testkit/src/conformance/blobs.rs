//! What a store of blobs owes: B1 to B3.

use std::collections::BTreeSet;

use bytes::Bytes;
use flare_core::Hash;
use flare_core::journal::{BlobStore, Error};

use super::store::{Dice, Fresh};

/// Sizes around those at which stores change their ways.
const SIZES: &[usize] = &[0, 1, 4_095, 4_096, 65_535, 65_536, 200_000];

fn blobs(seed: u64) -> Vec<(Hash, Bytes)> {
    let mut dice = Dice(seed);
    let blobs = SIZES.iter().map(|size| dice.bytes(*size));
    blobs.map(|bytes| (Hash::of(&bytes), bytes)).collect()
}

fn is_missing(blobs: &dyn BlobStore, hash: Hash) -> bool {
    matches!(blobs.get(hash), Err(Error::Missing { what }) if what.contains(&hash.to_string()))
}

/// A blob is there from `put` until `retain` leaves it out; to put it again changes nothing.
pub fn b1_a_blob_is_there_until_it_is_left_out(fresh: Fresh<dyn BlobStore>) {
    let place = fresh();
    let all = blobs(1);
    let store = place();
    for (hash, bytes) in &all {
        assert!(is_missing(&*store, *hash));
        store.put(*hash, bytes).unwrap();
        store.put(*hash, bytes).unwrap();
    }
    drop(store);
    let store = place();
    store.put(all[2].0, &all[2].1).unwrap();
    let keep: BTreeSet<Hash> = all.iter().step_by(2).map(|(hash, _)| *hash).collect();
    store.retain(&keep).unwrap();
    drop(store);
    for round in 0..2 {
        let store = place();
        for (hash, bytes) in &all {
            match keep.contains(hash) {
                true => assert_eq!(store.get(*hash).unwrap(), bytes, "round {round}"),
                false => assert!(is_missing(&*store, *hash), "round {round}"),
            }
        }
    }
    let store = place();
    store.put(all[1].0, &all[1].1).unwrap();
    assert_eq!(store.get(all[1].0).unwrap(), all[1].1, "dropped, then put again");
}

/// The bytes that were put come back, in this process and in the next.
pub fn b2_the_bytes_that_were_put_come_back(fresh: Fresh<dyn BlobStore>) {
    let place = fresh();
    let all = blobs(2);
    let store = place();
    all.iter().for_each(|(hash, bytes)| store.put(*hash, bytes).unwrap());
    all.iter().rev().for_each(|(hash, bytes)| assert_eq!(store.get(*hash).unwrap(), bytes));
    drop(store);
    let store = place();
    all.iter().for_each(|(hash, bytes)| assert_eq!(store.get(*hash).unwrap(), bytes));
}

/// Bytes that were handed out stay valid when the blob is dropped, and when others take its place.
pub fn b3_bytes_handed_out_outlive_the_blob(fresh: Fresh<dyn BlobStore>) {
    let place = fresh();
    let store = place();
    let (first, second) = (blobs(3), blobs(4));
    first.iter().for_each(|(hash, bytes)| store.put(*hash, bytes).unwrap());
    let held: Vec<Bytes> = first.iter().map(|(hash, _)| store.get(*hash).unwrap()).collect();
    store.retain(&BTreeSet::new()).unwrap();
    second.iter().for_each(|(hash, bytes)| store.put(*hash, bytes).unwrap());
    for ((hash, bytes), held) in first.iter().zip(&held) {
        assert_eq!(bytes, held);
        // The empty blob is the same in both.
        assert_eq!(is_missing(&*store, *hash), !bytes.is_empty());
    }
    drop(store);
    assert!(first.iter().zip(&held).all(|((_, bytes), held)| bytes == held));
}
