//! The clients' states by version: one file for each operation that left any.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use flare_core::journal::{Error, StateStore};
use flare_core::names::Rank;
use flare_core::operation::OperationId;

use crate::disk::{self, Doing, sync_folder};
use crate::file::remove_unfinished;
use crate::lock::RunLock;
use crate::point::{Steps, WritePoint};
use crate::segment::{self, Segment};

/// The client states in a run's folder.
///
/// What a release drops is noted in the segment of the released operation, before anything goes: so it
/// is dropped for a process that comes later, too. A segment goes with its last live version.
pub(crate) struct FolderStates {
    folder: PathBuf,
    steps: Steps,
    index: Mutex<Index>,
    _lock: Arc<RunLock>,
}

/// What is where.
#[derive(Default)]
struct Index {
    segments: BTreeMap<OperationId, Segment>,
    /// The live versions, by client.
    versions: BTreeSet<(Rank, OperationId)>,
}

impl FolderStates {
    /// Opens the client states of `folder`, and goes on with what a killed process was about to remove.
    pub(crate) fn open(folder: &Path, steps: Steps, lock: Arc<RunLock>) -> Result<Self, Error> {
        let folder = folder.join("states");
        remove_unfinished(&folder, &steps)?;
        let mut index = Index::default();
        for name in disk::names_in(&folder)? {
            let path = folder.join(name);
            if let Some(operation) = segment::operation(&path) {
                index.insert(operation, Segment::open(path, operation)?);
            }
        }
        let all: Vec<OperationId> = index.segments.keys().copied().collect();
        for operation in &all {
            index.older_than_released(*operation).iter().for_each(|version| index.drop(*version));
        }
        index.tidy(all, &steps)?;
        Ok(Self { folder, steps, index: Mutex::new(index), _lock: lock })
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StateStore for FolderStates {
    fn put(&self, rank: Rank, version: OperationId, state: Bytes) -> Result<(), Error> {
        let mut index = self.index();
        let path = || self.folder.join(segment::name(version));
        let segment =
            index.segments.entry(version).or_insert_with(|| Segment::new(path(), version));
        segment.put(rank, &state, &self.steps)?;
        index.versions.insert((rank, version));
        Ok(())
    }

    fn settle(&self, version: OperationId) -> Result<(), Error> {
        let (file, with_name) = match self.index().segments.get_mut(&version) {
            None => return Ok(()),
            Some(segment) => segment.settling(&self.steps)?,
        };
        // Outside the lock: others go on while the disk works.
        file.sync_data().doing("syncing a file of client states in", &self.folder)?;
        self.steps.reach(WritePoint::StatesSynced);
        if with_name {
            sync_folder(&self.folder)?;
            self.steps.reach(WritePoint::SegmentNameSynced);
        }
        if let Some(segment) = self.index().segments.get_mut(&version) {
            segment.settled();
        }
        Ok(())
    }

    fn get(&self, rank: Rank, version: OperationId) -> Result<Bytes, Error> {
        let reading = self.index().segments.get(&version).map(|segment| segment.reading(rank));
        let missing = || Error::Missing {
            what: format!("state of client {rank} as operation {version} left it"),
        };
        reading.transpose()?.flatten().ok_or_else(missing)?.state()
    }

    fn release(&self, version: OperationId, counted: &[Rank]) -> Result<(), Error> {
        let index = &mut *self.index();
        let Some(segment) = index.segments.get_mut(&version) else { return Ok(()) };
        let counts = |rank: &Rank| counted.binary_search(rank).is_ok();
        let (kept, strays): (Vec<Rank>, Vec<Rank>) = segment.ranks().partition(counts);
        let mut gone: Vec<_> = strays.iter().map(|rank| (*rank, version)).collect();
        gone.extend(kept.iter().flat_map(|rank| older(&index.versions, *rank, version)));
        if !kept.is_empty() && !gone.is_empty() {
            segment.release(&strays, &self.steps)?;
        }
        gone.iter().for_each(|version| index.drop(*version));
        let touched: BTreeSet<OperationId> = gone.iter().map(|(_, version)| *version).collect();
        index.tidy(touched, &self.steps)
    }
}

impl Index {
    fn insert(&mut self, operation: OperationId, segment: Segment) {
        self.versions.extend(segment.ranks().map(|rank| (rank, operation)));
        self.segments.insert(operation, segment);
    }

    fn drop(&mut self, (rank, version): (Rank, OperationId)) {
        self.versions.remove(&(rank, version));
        if let Some(segment) = self.segments.get_mut(&version) {
            segment.drop_version(rank);
        }
    }

    /// The versions that went with an operation's release.
    fn older_than_released(&self, operation: OperationId) -> Vec<(Rank, OperationId)> {
        let segment = self.segments.get(&operation).filter(|segment| segment.is_released());
        let ranks = segment.into_iter().flat_map(Segment::ranks);
        ranks.flat_map(|rank| older(&self.versions, rank, operation)).collect()
    }

    /// Removes those of these segments that have nothing left, and rewrites those that have little.
    fn tidy(
        &mut self,
        operations: impl IntoIterator<Item = OperationId>,
        steps: &Steps,
    ) -> Result<(), Error> {
        for operation in operations {
            let Some(segment) = self.segments.get_mut(&operation) else { continue };
            if segment.is_done() {
                segment.remove(steps)?;
                self.segments.remove(&operation);
            } else {
                segment.compact(steps)?;
            }
        }
        Ok(())
    }
}

fn older(
    versions: &BTreeSet<(Rank, OperationId)>,
    rank: Rank,
    version: OperationId,
) -> impl Iterator<Item = (Rank, OperationId)> + '_ {
    versions.range((rank, OperationId(0))..(rank, version)).copied()
}
