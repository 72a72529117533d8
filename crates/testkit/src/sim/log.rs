//! What the runtime did to its surroundings, in order.

use std::sync::{Arc, Mutex, PoisonError};

use flare_core::journal::Entry;
use flare_core::names::Rank;
use flare_core::operation::OperationId;
use flare_core::transport::TaskId;

/// One thing that the runtime did.
#[derive(Debug, Clone, PartialEq)]
pub enum Seen {
    /// It sent a task, with the version of the client's state to start from.
    Dispatched(TaskId, Option<OperationId>),
    /// It began to fetch a reply.
    Fetched(TaskId),
    /// It told clients that nobody waits.
    Cancelled(OperationId, Vec<Rank>),
    /// It let go of a reply.
    LetGo(TaskId),
    /// It had states made durable.
    Settled(OperationId),
    /// It released an operation, with those who count.
    Released(OperationId, Vec<Rank>),
    /// It wrote an entry.
    Journaled(Box<Entry>),
    /// A power cut took so many of the last entries.
    PowerCut(usize),
    /// A client carried out an attempt.
    Executed(TaskId, u32),
    /// Whoever drives the simulation noted something.
    Noted(String),
}

/// All that was seen; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Log(Arc<Mutex<Vec<Seen>>>);

impl Log {
    /// Adds to it.
    pub fn push(&self, seen: Seen) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(seen);
    }

    /// All of it so far.
    pub fn all(&self) -> Vec<Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Where the first that fits stands.
    pub fn position(&self, fits: impl FnMut(&Seen) -> bool) -> Option<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().position(fits)
    }
}
