//! What happens in a run, for handlers, progress displays and logs.

use std::sync::Arc;
use std::time::Duration;

use crate::names::{Name, Rank};
use crate::operation::{Key, OperationId};
use crate::outcome::{Cause, Record};

/// What a handler can be registered for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A reply was announced.
    Reply,
    /// A client failed in an operation, and is not asked again; told at once, not when the operation ends.
    Failure,
    /// A learner reported progress.
    Progress,
    /// Nothing was heard of a running client for [`Options::idle`](crate::runtime::Options::idle).
    Stalled,
    /// A client came for the first time; those who are there when a run begins are told with its first operation.
    Joined,
    /// A client left.
    Left,
    /// A client came back.
    Back,
    /// An operation started.
    OperationStarted,
    /// An operation ended: its record says who counted.
    OperationEnded,
    /// The controller began a round.
    RoundStarted,
    /// The controller ended a round.
    RoundEnded,
}

impl Kind {
    fn bit(self) -> u16 {
        1 << (self as u16)
    }
}

/// A set of kinds: what somebody wants to hear of. What nobody wants to hear of costs nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Interest(u16);

impl Interest {
    /// Everything.
    pub const ALL: Self = Self(u16::MAX);

    /// This kind as well.
    #[must_use]
    pub fn with(self, kind: Kind) -> Self {
        Self(self.0 | kind.bit())
    }

    /// Both sets.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether a kind is in the set.
    pub fn has(self, kind: Kind) -> bool {
        self.0 & kind.bit() != 0
    }
}

/// One thing that happened.
#[derive(Debug, Clone)]
pub struct Event {
    /// Whether it comes from the journal of an earlier process (contract 22).
    pub replayed: bool,
    /// What it is.
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone)]
pub enum What {
    /// A reply was announced; whether it counts is said when the operation ends.
    Reply {
        /// The operation.
        operation: OperationId,
        /// The client.
        client: Name,
    },
    /// A client failed in an operation.
    Failure {
        /// The operation.
        operation: OperationId,
        /// The client.
        client: Name,
        /// Why.
        cause: Cause,
    },
    /// A learner reported progress.
    Progress {
        /// The operation.
        operation: OperationId,
        /// The client.
        client: Name,
        /// How much of the task is done, 0 to 1.
        done: f32,
    },
    /// Nothing was heard of a client that carries out a task: told once for each silence, and not replayed. Its
    /// learner may be at work all the same; only a deadline ends it (contract 36).
    Stalled {
        /// The operation.
        operation: OperationId,
        /// The client.
        client: Name,
        /// For how long, at least.
        idle: Duration,
    },
    /// A client came for the first time, left, or came back.
    Presence {
        /// Which of the three.
        kind: Kind,
        /// The client.
        client: Name,
    },
    /// An operation started.
    OperationStarted {
        /// The operation.
        operation: OperationId,
        /// Its key.
        key: Key,
        /// Who is asked.
        selected: Arc<[Rank]>,
    },
    /// An operation ended.
    OperationEnded {
        /// Everything that is known of it.
        record: Arc<Record>,
    },
    /// The controller began or ended a round.
    Round {
        /// [`Kind::RoundStarted`] or [`Kind::RoundEnded`].
        kind: Kind,
        /// The round, from 1.
        round: u64,
    },
}

impl Event {
    /// The kind that handlers are registered for.
    pub fn kind(&self) -> Kind {
        match &self.what {
            What::Reply { .. } => Kind::Reply,
            What::Failure { .. } => Kind::Failure,
            What::Progress { .. } => Kind::Progress,
            What::Stalled { .. } => Kind::Stalled,
            What::Presence { kind, .. } | What::Round { kind, .. } => *kind,
            What::OperationStarted { .. } => Kind::OperationStarted,
            What::OperationEnded { .. } => Kind::OperationEnded,
        }
    }
}
