//! How tasks reach executors, and how their replies come back.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;

use crate::executor::{Reply, Task};
use crate::hash::Hash;
use crate::journal;
use crate::metric::Metric;
use crate::names::Rank;
use crate::operation::OperationId;
use crate::outcome::{Cause, Weight};

/// Largest reply, in bytes of its encoded tensors, that rides along in its announcement.
pub const INLINE_LIMIT: usize = 16 * 1024;

/// One client's share of a dispatch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Assignment {
    /// The client.
    pub rank: Rank,
    /// The version of its state to start from; `None` when it has none.
    pub state: Option<OperationId>,
}

/// A task of one client, as it is spoken of between runtime and transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId {
    /// The operation.
    pub operation: OperationId,
    /// The stop of a relay, else 0.
    pub stop: u32,
    /// The client.
    pub rank: Rank,
}

/// What a client side says of a finished reply: everything but the tensors.
#[derive(Debug, Clone)]
pub struct Announcement {
    /// Which attempt it was, counted by the client side from 1.
    pub attempt: u32,
    /// What it weighs.
    pub weight: Weight,
    /// What was measured.
    pub metrics: Box<[Metric]>,
    /// The headers in their canonical encoding; empty when there are none.
    pub headers: Box<[u8]>,
    /// Hash of the encoded tensors.
    pub tensors: Hash,
    /// Size of the encoded tensors in bytes.
    pub bytes: u64,
    /// The encoded tensors themselves, if they are small.
    pub inline: Option<Bytes>,
    /// Whether the task left a new version of the client's state.
    pub wrote_state: bool,
}

impl Announcement {
    /// For client sides: what is said of a reply that has passed their filters. Small tensors ride along.
    pub fn of(reply: &Reply, attempt: u32, wrote_state: bool) -> Self {
        let tensors = &reply.output.tensors;
        let bytes = tensors.encoded();
        Self {
            attempt,
            weight: reply.weight,
            metrics: reply.metrics.as_slice().into(),
            headers: reply.output.encode_headers().into(),
            tensors: tensors.hash(),
            bytes: bytes.len() as u64,
            inline: (bytes.len() <= INLINE_LIMIT).then(|| bytes.clone()),
            wrote_state,
        }
    }
}

/// What comes from the client side.
#[derive(Debug, Clone)]
pub enum Event {
    /// A reply is ready and held.
    Announced(TaskId, Announcement),
    /// An attempt failed.
    Failed {
        /// The task.
        task: TaskId,
        /// Which attempt it was.
        attempt: u32,
        /// Why.
        cause: Cause,
    },
    /// A learner reported progress, 0 to 1.
    Progress(TaskId, f32),
    /// A client's lease ran out.
    Gone(Rank, Arc<str>),
    /// A client is there: for the first time, or again.
    Back(Rank),
}

/// Why bytes of a reply cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The client side no longer has it; the task must be executed again.
    #[error("the client side no longer holds the reply")]
    Lost,
    /// The bytes are not those that were announced. The runtime compares the hash of all that it is given,
    /// too; in either case it fetches them again, as often as its limits say, before the reply counts as lost.
    #[error("the reply's bytes are not those that were announced")]
    Corrupt,
    /// The range asked for is not inside the blob.
    #[error("bytes {}..{} were asked of a reply of {size}", range.start, range.end)]
    Range {
        /// What was asked for.
        range: Range<u64>,
        /// What there is.
        size: u64,
    },
}

/// Carries tasks to executors and replies back, between a runtime and the client sides of a roster.
///
/// ```text
///   dispatch -> running -> held (announced) -> folded | released
///                  \-> failed        cancel -> failed (cancelled)
/// ```
///
/// T1. `dispatch` returns at once; each assignment ends in at least one `Announced` or `Failed`, unless
/// its client is gone, it is cancelled, or its operation is released.
/// T2. The same task dispatched again while it runs starts no second execution; when it is held it is
/// announced again, and no second execution starts. With another hash, or from another version of the
/// client's state, it is another task: no reply of the one before answers it (contract 11).
/// T3. What is announced is held unchanged, and `fetch` serves it as often as asked, until `let_go` or
/// `release`.
/// T4. `fetch` of a range gives exactly those bytes of the encoded tensors; past the end is an error.
/// T5. After `cancel` the task's `Cancel` is set, and a task not yet started does not start.
/// T6. `release` frees everything of the operation: replies, and the state versions of those who do not
/// count. The versions of those who count become heads; it may come twice.
/// T7. After `release` nothing of the operation is announced.
/// T8. A task that names a state version gets exactly that version; if it is not there the task fails as
/// an environment failure that says `state lost`, and never starts from an empty state.
/// T9. The client side's filters have run before a reply is announced: what it stops never leaves it.
/// T10. After `settle` every new state version of the operation's announced replies survives a crash.
/// T11. Events of one task come in the order in which they happened.
#[async_trait]
pub trait Transport: Send + Sync + 'static {
    /// The clients that are there now.
    fn present(&self) -> Vec<Rank>;

    /// How long an absent client keeps its place; `None` where clients are gone with their process only.
    fn lease(&self) -> Option<Duration> {
        None
    }

    /// The tasks that have an executor at this moment, and perhaps some that had one; `None` where every task has
    /// one from its dispatch on. What waits for its turn is silent, and not stalled.
    fn at_work(&self) -> Option<Vec<TaskId>> {
        None
    }

    /// Sends a task to clients; returns at once.
    fn dispatch(&self, task: &Arc<Task>, to: &[Assignment]);

    /// Tells clients that nobody waits for their replies.
    fn cancel(&self, operation: OperationId, ranks: &[Rank]);

    /// Bytes of a held reply's encoded tensors.
    ///
    /// # Errors
    /// See [`FetchError`].
    async fn fetch(&self, task: TaskId, range: Range<u64>) -> Result<Bytes, FetchError>;

    /// The runtime has folded this reply, made it its journal's, or will never count it: a client side
    /// that dies together with the runtime may let go of it.
    fn let_go(&self, task: TaskId);

    /// Makes durable what clients that count left as their new state. Called before the operation's record
    /// is written; a transport whose client sides kept it before they announced has nothing to do.
    ///
    /// # Errors
    /// When it cannot be kept: the run then ends, and nothing is released.
    fn settle(&self, operation: OperationId) -> Result<(), journal::Error>;

    /// The operation is over and durable; `counted` are those whose replies count, ascending.
    fn release(&self, operation: OperationId, counted: &[Rank]);

    /// What comes from the client side, in batches; the first caller gets it.
    fn events(&self) -> BoxStream<'static, Vec<Event>>;
}
