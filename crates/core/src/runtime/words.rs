//! The machine's words: what it hears, what it wants done, and its limits.

use crate::names::Rank;
use crate::operation::OperationId;
use crate::outcome::Cause;
use crate::transport::TaskId;

use super::active::Start;
use super::verdict::Verdict;

/// What happened, as the machine hears of it.
#[derive(Debug, Clone)]
pub enum Input {
    /// An operation begins.
    Start(Start),
    /// A reply of so many bytes is ready at its client.
    Announced {
        /// The task that it answers.
        task: TaskId,
        /// Which attempt it was.
        attempt: u32,
        /// Size of its encoded tensors.
        bytes: u64,
    },
    /// An attempt failed at its client.
    Failed {
        /// The task.
        task: TaskId,
        /// Which attempt it was.
        attempt: u32,
        /// Why.
        cause: Cause,
    },
    /// A client's lease ran out.
    Gone(Rank, std::sync::Arc<str>),
    /// A fetched reply was checked whole: from now on it counts.
    Checked(TaskId),
    /// A fetched reply was refused; or a client was not given its task, since a filter stopped it.
    Refused(TaskId, Cause),
    /// What a fetch brought is not what was announced: the reply is fetched again, or is lost.
    Damaged(TaskId),
    /// The client side no longer has a reply: its task is executed again.
    Lost(TaskId),
    /// A reply's bytes were given back: it is folded, or kept at the run's home.
    GivenBack(TaskId),
    /// A relay's stop is durable: the next may be dispatched.
    StopKept(OperationId),
    /// The replies cannot be combined, whoever else answers.
    Hopeless(OperationId, String),
    /// The controller, or the user, cancels.
    Cancel(OperationId),
    /// The operation is over and durable; forget it.
    Forget(OperationId),
    /// Time went on.
    Tick,
}

/// What the machine wants done.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Send the operation's task to these clients.
    Dispatch {
        /// The operation.
        operation: OperationId,
        /// The stop of a relay, else 0.
        stop: u32,
        /// The clients.
        ranks: Vec<Rank>,
    },
    /// Tell these clients that nobody waits.
    Cancel {
        /// The operation.
        operation: OperationId,
        /// The clients.
        ranks: Vec<Rank>,
    },
    /// Fetch a reply and check it whole.
    Fetch(TaskId),
    /// The reply counts: fold it, or keep it.
    Count(TaskId),
    /// The reply does not count: let go of it.
    Drop(TaskId),
    /// A relay's stop ended: make it durable, then say `StopKept`.
    KeepStop {
        /// The relay.
        operation: OperationId,
        /// The stop, from 0.
        stop: u32,
    },
    /// Who counts is final: conclude and commit.
    Decide(OperationId, Verdict),
}

/// Replies that changed nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Replies after the decision, or of operations that are over.
    pub late: u64,
    /// Replies announced twice.
    pub duplicates: u64,
}

/// What [`Limits::max_fetches`] is by default.
pub const MAX_FETCHES: u32 = 3;

/// Limits of the machine.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How many whole replies may be in transfer or in the fold at once.
    pub reply_window: u32,
    /// So many bytes may be, however small the replies.
    pub window_bytes: u64,
    /// How often a task is executed for one client before its environment's failure counts.
    pub max_attempts: u32,
    /// How often a reply is fetched whose bytes are not those that were announced, before it counts as
    /// lost (contract 19).
    pub max_fetches: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { reply_window: 2, window_bytes: 64 << 20, max_attempts: 3, max_fetches: MAX_FETCHES }
    }
}
