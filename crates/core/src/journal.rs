//! What a run remembers: the journal, its blobs, and the clients' states.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::hash::Hash;
use crate::names::{Name, Rank, Roster};
use crate::operation::{Key, OperationId, SpecDigest};
use crate::outcome::{ClientEnd, Record};

mod answered;

pub(crate) use answered::Failures;
pub use answered::answered;

/// A run's identity: 128 random bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RunId(pub u128);

impl std::fmt::Display for RunId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// What a run is a function of, fixed before its first dispatch (contract 1).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Its identity.
    pub id: RunId,
    /// The job's name.
    pub job: Name,
    /// Hash of the job's text in its canonical form, data hashes included.
    pub job_hash: Hash,
    /// The seed of all its random streams.
    pub seed: u64,
    /// Its clients.
    pub roster: Roster,
    /// The code it runs with: component, version, build hash (contract 8).
    pub units: Vec<(String, Hash)>,
}

impl Run {
    /// One hash over the code that it runs with: what each operation's record names.
    pub fn unit(&self) -> Hash {
        let bytes = postcard::to_allocvec(&self.units);
        Hash::derive("flare unit", bytes.expect("plain data in memory always serialises"))
    }
}

/// One durable step of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Entry {
    /// The run itself; the first entry of a journal.
    Run(Run),
    /// A process opened the run as its one writer, under this epoch.
    Opened {
        /// Higher than any before.
        epoch: u64,
    },
    /// An operation was decided on; its first dispatch comes after this.
    Started {
        /// Its number.
        operation: OperationId,
        /// Its key.
        key: Key,
        /// What it asks.
        digest: SpecDigest,
        /// Whom it asks, in order.
        selected: Vec<Rank>,
    },
    /// A stop of a relay ended, before the next is dispatched (contract 11). A counted reply's tensors are
    /// a blob.
    Stop {
        /// The relay.
        operation: OperationId,
        /// The stop, from 0.
        stop: u32,
        /// How it ended.
        end: ClientEnd,
    },
    /// An operation ended: who counted, with what result (contract 3).
    Ended(Arc<Record>),
    /// What a closure of the controller made of the operation's replies.
    Concluded {
        /// The operation.
        operation: OperationId,
        /// Hash of the closure's result.
        value: Hash,
    },
    /// The client side was told that the operation is over.
    Released {
        /// The operation.
        operation: OperationId,
    },
    /// The controller's state (contract 6).
    Checkpoint {
        /// The state, in the canonical encoding of a value.
        state: Vec<u8>,
        /// Blobs that it names.
        pins: Vec<Hash>,
        /// How many operations without a label came before it.
        ordinals: u64,
    },
    /// A value that the controller asked for once (contract 7).
    Value {
        /// Its name.
        name: String,
        /// The value, in its canonical encoding.
        value: Vec<u8>,
    },
    /// What a journal that forgets still knows of the operations it forgot.
    Forgot {
        /// The heads of the clients' states.
        heads: BTreeMap<Rank, OperationId>,
    },
}

/// The clients whose states an operation has written: its versions become the heads when it is released.
pub(crate) fn wrote(record: &Record) -> Vec<Rank> {
    if record.result.is_err() {
        return Vec::new();
    }
    let wrote = record.replies().filter(|(_, reply)| reply.wrote_state);
    wrote.map(|(rank, _)| rank).collect()
}

/// Why the run's memory cannot be written or read.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// Writing or reading failed; for a write: nothing of it counts.
    #[error("{doing} {place}: {source}")]
    Io {
        /// What was being done, such as "writing".
        doing: &'static str,
        /// The file or folder.
        place: String,
        /// The system's word.
        source: Arc<std::io::Error>,
    },
    /// What is there is not what was written.
    #[error("{place} is damaged: {fault}")]
    Damaged {
        /// The file or folder.
        place: String,
        /// What is wrong with it.
        fault: String,
    },
    /// Another process has the run.
    #[error("{place} is in use by another run{by}: wait for it, or name another folder")]
    InUse {
        /// The folder.
        place: String,
        /// " (process 123)", if known.
        by: String,
    },
    /// Another process has opened the run since.
    #[error(
        "the run was taken over by epoch {epoch}: whoever opened it since goes on with it, and this process stops"
    )]
    TakenOver {
        /// The epoch under which the run was opened last.
        epoch: u64,
    },
    /// Nothing is kept under that name.
    #[error("no {what} is kept here")]
    Missing {
        /// The blob, state or entry.
        what: String,
    },
}

impl Error {
    /// Wraps the system's word.
    pub fn io(doing: &'static str, place: impl Into<String>, source: std::io::Error) -> Self {
        Self::Io { doing, place: place.into(), source: Arc::new(source) }
    }
}

/// Who may append to a journal, for those who implement one: the last who opened the run (J6).
#[derive(Debug, Clone, Copy, Default)]
pub struct Epochs {
    last: u64,
}

impl Epochs {
    /// What entries that are kept say of it.
    pub fn of<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Self {
        let mut epochs = Self::default();
        epochs.note(entries);
        epochs
    }

    /// Whether a process of this epoch may append these.
    ///
    /// # Errors
    /// [`Error::TakenOver`], where it is not the last, or opens the run with an epoch that is no later one.
    pub fn admit(&self, epoch: u64, entries: &[Entry]) -> Result<(), Error> {
        let mut opens = entries.iter().filter_map(opens);
        let is_late = epoch < self.last || opens.any(|opens| opens <= self.last);
        if is_late { Err(Error::TakenOver { epoch: self.last }) } else { Ok(()) }
    }

    /// These are kept.
    pub fn note<'a>(&mut self, entries: impl IntoIterator<Item = &'a Entry>) {
        self.last = entries.into_iter().filter_map(opens).fold(self.last, u64::max);
    }
}

fn opens(entry: &Entry) -> Option<u64> {
    match entry {
        Entry::Opened { epoch } => Some(*epoch),
        _ => None,
    }
}

/// The run's entries, in order.
///
/// J1. `append` returns when all of its entries are kept, in order, or none of them is and it is an error;
/// after an error every later `append` fails as well.
/// J2. Entries given to one `append` are one commit: after a crash all of them are there, or none.
/// J3. `entries` gives what was appended, in order, by this process and by those before.
/// J4. With `sync` the commit survives what the journal's durability says; without, a later one with `sync`
/// makes it so.
/// J5. A journal that forgets (memory) may drop ended operations before the last checkpoint, all but the
/// heads of the clients' states; one on disk drops nothing.
/// J6. Whoever opens the run with a later epoch takes it over: an append of an earlier one is
/// [`Error::TakenOver`] and keeps nothing. So is opening it with an epoch that is no later one, as two may who
/// open it at once. It is no error to those of the last epoch.
pub trait Journal: Send + Sync {
    /// Appends entries as one commit, for the process that opened the run with this epoch.
    ///
    /// # Errors
    /// When they are not kept.
    fn append(&self, epoch: u64, entries: &[Entry], sync: bool) -> Result<(), Error>;

    /// All entries that are kept.
    ///
    /// # Errors
    /// When they cannot be read, or are not what was written.
    fn entries(&self) -> Result<Vec<Entry>, Error>;
}

/// Immutable bytes by hash.
///
/// B1. After `put` the blob is there, durable as the store is, until `retain` leaves it out.
/// B2. `get` gives the bytes that were put, checked against the hash where they come from a disk.
/// B3. `retain` drops all blobs but the named ones; bytes handed out before stay valid.
pub trait BlobStore: Send + Sync {
    /// Keeps bytes whose hash is `hash`.
    ///
    /// # Errors
    /// When they cannot be written.
    fn put(&self, hash: Hash, bytes: &Bytes) -> Result<(), Error>;

    /// The bytes of a blob.
    ///
    /// # Errors
    /// When it is not there, cannot be read, or is damaged.
    fn get(&self, hash: Hash) -> Result<Bytes, Error>;

    /// Drops all blobs but these.
    ///
    /// # Errors
    /// When one cannot be removed.
    fn retain(&self, keep: &BTreeSet<Hash>) -> Result<(), Error>;
}

/// The clients' states, by version: a version is named by the operation whose task made it.
///
/// V1. `put` keeps a version beside the older ones; the same version put again replaces it.
/// V2. `settle` returns when every version of the operation that was put is durable as the store is.
/// V3. `get` gives a version that was put and not dropped; another one is [`Error::Missing`].
/// V4. `release` drops, of those who count and left a version, all versions before it; of those who do
/// not count, the operation's version. It may come twice.
pub trait StateStore: Send + Sync {
    /// Keeps a new version.
    ///
    /// # Errors
    /// When it cannot be kept.
    fn put(&self, rank: Rank, version: OperationId, state: Bytes) -> Result<(), Error>;

    /// Makes the versions of an operation durable.
    ///
    /// # Errors
    /// When they are not.
    fn settle(&self, version: OperationId) -> Result<(), Error>;

    /// A version.
    ///
    /// # Errors
    /// When it is not there, cannot be read, or is damaged.
    fn get(&self, rank: Rank, version: OperationId) -> Result<Bytes, Error>;

    /// The operation is over; `counted` are those who count, ascending.
    ///
    /// # Errors
    /// When something cannot be removed.
    fn release(&self, version: OperationId, counted: &[Rank]) -> Result<(), Error>;
}
