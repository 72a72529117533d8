//! A data set that is dealt out to the clients of a federation in this process.

use std::path::PathBuf;
use std::sync::Arc;

use flare_core::executor::{self, DataSource};
use flare_core::hash::Hash;
use flare_core::names::{Name, Rank, Roster};
use flare_core::value::{self, Value};
use flare_data::{HeldOut, Partition, PartitionError, Source, View};
use flare_executor::ClientData;

/// Why data cannot be dealt out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// They cannot be read.
    #[error(transparent)]
    Read(#[from] flare_data::Error),
    /// The partition cannot be reached.
    #[error(transparent)]
    Partition(#[from] PartitionError),
}

/// A data set, and whose each row is.
#[derive(Clone)]
pub(crate) struct Dealt {
    path: PathBuf,
    options: Value,
    hash: Hash,
    parts: Vec<Arc<[u32]>>,
    held_out: Arc<[u32]>,
    /// Read once, and kept for as long as clients may ask for it.
    _dataset: Arc<flare_data::Dataset>,
}

impl Dealt {
    /// Reads the data, holds rows out and deals the others out, by the seed.
    ///
    /// # Errors
    /// See [`Error`].
    pub(crate) fn new(
        source: &Source,
        partition: &Partition,
        held_out: HeldOut,
        roster: &Roster,
        seed: u64,
    ) -> Result<Self, Error> {
        let dataset = source.load()?;
        let (train, test) = flare_data::held_out(&View::all(Arc::clone(&dataset)), held_out, seed)?;
        let view = View::new(Arc::clone(&dataset), Some(train.into()))
            .expect("rows of the view of a data set are its rows");
        let parts = source.partition(partition, &view, roster.len(), seed)?;
        let options = value::to_value(&source.options)
            .expect("options of data are plain fields, which always become a value");
        let (path, hash) = (source.path.clone(), source.hash()?);
        Ok(Self { path, options, hash, parts, held_out: test.into(), _dataset: dataset })
    }

    /// Hash of the files' content.
    pub(crate) fn hash(&self) -> Hash {
        self.hash
    }

    /// The rows that no client has.
    pub(crate) fn held_out(&self) -> &Arc<[u32]> {
        &self.held_out
    }

    /// Each client's rows, by rank.
    pub(crate) fn parts(&self) -> &[Arc<[u32]>] {
        &self.parts
    }

    /// All clients' rows, in the order of the roster.
    pub(crate) fn union(&self) -> Arc<[u32]> {
        self.parts.iter().flat_map(|part| part.iter().copied()).collect()
    }

    /// These rows, as a learner gets them.
    pub(crate) fn source(&self, rows: &Arc<[u32]>) -> DataSource {
        let (path, options) = (self.path.clone(), self.options.clone());
        DataSource { path, rows: Some(Arc::clone(rows)), options }
    }
}

impl ClientData for Dealt {
    /// Under every name a client's own rows; at the held-out seat those that no client has.
    fn data(&self, rank: Rank, client: &Name, _set: &str) -> Result<DataSource, executor::Error> {
        match self.parts.get(rank.index()) {
            Some(rows) => Ok(self.source(rows)),
            None if self.held_out.is_empty() => {
                Err(format!("there are no rows for {client}: the job holds none out").into())
            }
            None => Ok(self.source(&self.held_out)),
        }
    }
}
