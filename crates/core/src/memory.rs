//! A run's memory that lives and dies with its process: journal, blobs and client states.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::hash::Hash;
use crate::journal::{BlobStore, Entry, Epochs, Error, Journal, StateStore, wrote};
use crate::names::Rank;
use crate::operation::OperationId;

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A journal that keeps the run, open operations, the last checkpoint and what came after it, so that
/// its size does not grow with the number of rounds.
#[derive(Debug, Default)]
pub struct MemoryJournal {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    entries: Vec<Entry>,
    epochs: Epochs,
}

impl Journal for MemoryJournal {
    fn append(&self, epoch: u64, entries: &[Entry], _sync: bool) -> Result<(), Error> {
        let mut kept = locked(&self.kept);
        kept.epochs.admit(epoch, entries)?;
        kept.epochs.note(entries);
        kept.entries.extend_from_slice(entries);
        if entries.iter().any(|entry| matches!(entry, Entry::Checkpoint { .. })) {
            forget(&mut kept.entries);
        }
        Ok(())
    }

    fn entries(&self) -> Result<Vec<Entry>, Error> {
        Ok(locked(&self.kept).entries.clone())
    }
}

/// Drops released operations and older checkpoints before the last checkpoint. Of what it drops the heads of
/// states stay, where they moved in between the operations that are kept.
fn forget(entries: &mut Vec<Entry>) {
    let is_checkpoint = |entry: &Entry| matches!(entry, Entry::Checkpoint { .. });
    let Some(last) = entries.iter().rposition(is_checkpoint) else { return };
    let after = entries.split_off(last);
    let released: BTreeSet<OperationId> = entries.iter().filter_map(released).collect();
    let mut written = BTreeMap::new();
    let mut heads = BTreeMap::new();
    let mut kept = Vec::new();
    for entry in entries.drain(..) {
        match &entry {
            Entry::Run(_) | Entry::Opened { .. } | Entry::Value { .. } => kept.push(entry),
            Entry::Started { operation, .. } if !released.contains(operation) => {
                if !heads.is_empty() {
                    kept.push(Entry::Forgot { heads: std::mem::take(&mut heads) });
                }
                kept.push(entry);
            }
            Entry::Stop { operation, .. } if !released.contains(operation) => kept.push(entry),
            Entry::Ended(record) if !released.contains(&record.operation) => kept.push(entry),
            Entry::Ended(record) => {
                written.insert(record.operation, wrote(record));
            }
            Entry::Released { operation } => {
                let wrote = written.remove(operation).unwrap_or_default();
                heads.extend(wrote.into_iter().map(|rank| (rank, *operation)));
            }
            Entry::Forgot { heads: known } => heads.extend(known),
            Entry::Started { .. }
            | Entry::Stop { .. }
            | Entry::Concluded { .. }
            | Entry::Checkpoint { .. } => {}
        }
    }
    kept.push(Entry::Forgot { heads });
    kept.extend(after);
    *entries = kept;
}

fn released(entry: &Entry) -> Option<OperationId> {
    match entry {
        Entry::Released { operation } => Some(*operation),
        _ => None,
    }
}

/// Blobs in memory, shared with whoever put them.
#[derive(Debug, Default)]
pub struct MemoryBlobs {
    blobs: Mutex<BTreeMap<Hash, Bytes>>,
}

impl BlobStore for MemoryBlobs {
    fn put(&self, hash: Hash, bytes: &Bytes) -> Result<(), Error> {
        locked(&self.blobs).insert(hash, bytes.clone());
        Ok(())
    }

    fn get(&self, hash: Hash) -> Result<Bytes, Error> {
        let missing = || Error::Missing { what: format!("blob {hash}") };
        locked(&self.blobs).get(&hash).cloned().ok_or_else(missing)
    }

    fn retain(&self, keep: &BTreeSet<Hash>) -> Result<(), Error> {
        locked(&self.blobs).retain(|hash, _| keep.contains(hash));
        Ok(())
    }
}

/// Client states in memory.
#[derive(Debug, Default)]
pub struct MemoryStates {
    versions: Mutex<BTreeMap<(Rank, OperationId), Bytes>>,
}

impl StateStore for MemoryStates {
    fn put(&self, rank: Rank, version: OperationId, state: Bytes) -> Result<(), Error> {
        locked(&self.versions).insert((rank, version), state);
        Ok(())
    }

    fn settle(&self, _version: OperationId) -> Result<(), Error> {
        Ok(())
    }

    fn get(&self, rank: Rank, version: OperationId) -> Result<Bytes, Error> {
        let what = || format!("state of client {rank} as operation {version} left it");
        let found = locked(&self.versions).get(&(rank, version)).cloned();
        found.ok_or_else(|| Error::Missing { what: what() })
    }

    fn release(&self, version: OperationId, counted: &[Rank]) -> Result<(), Error> {
        let mut versions = locked(&self.versions);
        for rank in counted
            .iter()
            .filter(|rank| versions.contains_key(&(**rank, version)))
            .copied()
            .collect::<Vec<_>>()
        {
            let older = versions.range((rank, OperationId(0))..(rank, version));
            let older: Vec<_> = older.map(|(key, _)| *key).collect();
            older.iter().for_each(|key| drop(versions.remove(key)));
        }
        let stray =
            |key: &(Rank, OperationId)| key.1 == version && counted.binary_search(&key.0).is_err();
        versions.retain(|key, _| !stray(key));
        Ok(())
    }
}
