//! A run's memory that a simulated kill leaves as it was, or a simulated power cut tears.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use flare_core::hash::Hash;
use flare_core::journal::{BlobStore, Entry, Epochs, Error, Journal, StateStore};
use flare_core::memory::MemoryStates;
use flare_core::names::Rank;
use flare_core::operation::OperationId;

use super::log::{Log, Seen};

/// A journal that keeps every entry, and can be made to fail.
pub struct SimJournal {
    log: Log,
    state: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    entries: Vec<Entry>,
    /// How many of them a power cut leaves.
    synced: usize,
    epochs: Epochs,
    /// So many appends are still kept; `None`: all.
    left: Option<usize>,
}

impl SimJournal {
    /// An empty journal that notes what is written.
    pub fn new(log: Log) -> Self {
        Self { log, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, Kept> {
        locked(&self.state)
    }

    /// After so many more appends each one fails.
    pub fn fail_after(&self, appends: usize) {
        self.state().left = Some(appends);
    }

    /// The disk works again, as after a restart.
    pub fn repair(&self) {
        self.state().left = None;
    }

    /// What was not synced is lost.
    pub fn cut_power(&self) {
        let mut state = self.state();
        let (synced, all) = (state.synced, state.entries.len());
        state.entries.truncate(synced);
        state.epochs = Epochs::of(&state.entries);
        self.log.push(Seen::PowerCut(all - synced));
    }
}

impl Journal for SimJournal {
    fn append(&self, epoch: u64, entries: &[Entry], sync: bool) -> Result<(), Error> {
        let mut state = self.state();
        state.epochs.admit(epoch, entries)?;
        match &mut state.left {
            Some(0) => {
                let full = std::io::Error::other("the simulated disk is full");
                return Err(Error::io("writing", "the simulated journal", full));
            }
            Some(left) => *left -= 1,
            None => {}
        }
        state.epochs.note(entries);
        state.entries.extend_from_slice(entries);
        if sync {
            state.synced = state.entries.len();
        }
        for entry in entries {
            self.log.push(Seen::Journaled(Box::new(entry.clone())));
        }
        Ok(())
    }

    fn entries(&self) -> Result<Vec<Entry>, Error> {
        Ok(self.state().entries.clone())
    }
}

/// Blobs that are copied, as a disk would: what was fetched is given back.
#[derive(Debug, Default)]
pub struct SimBlobs {
    blobs: Mutex<BTreeMap<Hash, Bytes>>,
}

impl SimBlobs {
    fn blobs(&self) -> MutexGuard<'_, BTreeMap<Hash, Bytes>> {
        locked(&self.blobs)
    }

    /// How many are kept.
    pub fn count(&self) -> usize {
        self.blobs().len()
    }
}

impl BlobStore for SimBlobs {
    fn put(&self, hash: Hash, bytes: &Bytes) -> Result<(), Error> {
        self.blobs().insert(hash, Bytes::copy_from_slice(bytes));
        Ok(())
    }

    fn get(&self, hash: Hash) -> Result<Bytes, Error> {
        let missing = || Error::Missing { what: format!("blob {hash}") };
        self.blobs().get(&hash).cloned().ok_or_else(missing)
    }

    fn retain(&self, keep: &BTreeSet<Hash>) -> Result<(), Error> {
        self.blobs().retain(|hash, _| keep.contains(hash));
        Ok(())
    }
}

/// Client states of which a crash takes what was not settled.
#[derive(Debug, Default)]
pub struct SimStates {
    states: MemoryStates,
    settled: Mutex<BTreeSet<OperationId>>,
    put: Mutex<BTreeSet<OperationId>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SimStates {
    /// What was not settled is lost.
    ///
    /// # Errors
    /// When it cannot be dropped.
    pub fn crash(&self) -> Result<(), Error> {
        let settled = locked(&self.settled);
        let lost: Vec<OperationId> = locked(&self.put).difference(&settled).copied().collect();
        lost.iter().try_for_each(|version| self.states.release(*version, &[]))
    }
}

impl StateStore for SimStates {
    fn put(&self, rank: Rank, version: OperationId, state: Bytes) -> Result<(), Error> {
        locked(&self.put).insert(version);
        self.states.put(rank, version, state)
    }

    fn settle(&self, version: OperationId) -> Result<(), Error> {
        locked(&self.settled).insert(version);
        Ok(())
    }

    fn get(&self, rank: Rank, version: OperationId) -> Result<Bytes, Error> {
        self.states.get(rank, version)
    }

    fn release(&self, version: OperationId, counted: &[Rank]) -> Result<(), Error> {
        self.states.release(version, counted)
    }
}

/// A run's home in the simulation.
#[derive(Clone)]
pub struct SimHome {
    /// Its journal.
    pub journal: Arc<SimJournal>,
    /// Its blobs.
    pub blobs: Arc<SimBlobs>,
}
