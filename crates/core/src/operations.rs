//! The seam between a controller and whoever carries out its operations.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;

use crate::clock::Timestamp;
use crate::event::{Event, Interest};
use crate::hash::Hash;
use crate::journal::{self, Run};
use crate::operation::{Key, OperationId, OperationSpec};
use crate::value::Value;

/// What a controller finds when it opens its run.
#[derive(Debug, Clone)]
pub struct Opened {
    /// What the run is a function of.
    pub run: Arc<Run>,
    /// Which process in the run's life this is, from 1.
    pub epoch: u64,
    /// The controller's last checkpoint.
    pub checkpoint: Option<Value>,
}

/// Why an operation, or another call, cannot be done. An operation that was started and failed is an
/// outcome, not one of these.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The specification makes no sense.
    #[error("operation {key}: {fault}")]
    Spec {
        /// The operation.
        key: Key,
        /// What is wrong with it.
        fault: String,
    },
    /// The journal knows the operation with another specification (contract 2).
    #[error(
        "operation {key} differs: {part}; the run's journal has it otherwise, so this is not the \
         program, job or data that began the run"
    )]
    Differs {
        /// The operation.
        key: Key,
        /// The first part that differs.
        part: &'static str,
    },
    /// The journal belongs to another run.
    #[error(
        "the folder holds run {run}, whose {part} differs from what is asked now: resume it with the job \
         and options that began it, or name another folder"
    )]
    OtherRun {
        /// The run that the journal knows.
        run: journal::RunId,
        /// The first part that differs.
        part: &'static str,
    },
    /// The run was begun with other code, and the change was not accepted (contract 8).
    #[error(
        "run {run} was begun with another build of the program or of a component: with {old}, and this is {new}; \
         go on with that build, or accept the change (--accept-unit)"
    )]
    OtherUnits {
        /// The run.
        run: journal::RunId,
        /// The units that it was begun with, or last went on with, and that are not here.
        old: String,
        /// The units that are here instead.
        new: String,
    },
    /// The key was used before in this run by this process.
    #[error("operation {key} was started already: a label is used once in a run")]
    Again {
        /// The operation.
        key: Key,
    },
    /// Two operations at once need labels on both (contract 2).
    #[error("operation {key} starts while {other} is in flight: give both a label")]
    NeedsLabels {
        /// The new operation.
        key: Key,
        /// The one in flight.
        other: Key,
    },
    /// Two operations write the same client's state, and the first was not released (contract 21).
    #[error(
        "operation {key} writes the state of client {client}, as {other} does, which is in flight or was \
         not waited for: wait for it first"
    )]
    StateConflict {
        /// The new operation.
        key: Key,
        /// The first.
        other: Key,
        /// A client of both.
        client: String,
    },
    /// The replies of an operation without aggregator cannot all be kept (contract 17).
    #[error(
        "operation {key} would keep {replies} replies of about {bytes} bytes each, {} in all, and the hold takes \
         {limit} bytes{}: name an aggregator, ask fewer clients, or raise the limit (hold)",
        replies.saturating_mul(*bytes), taken(*in_use)
    )]
    Hold {
        /// The operation.
        key: Key,
        /// How many replies may count.
        replies: u64,
        /// The size of its task, as which each of them is counted.
        bytes: u64,
        /// What the operations in flight take of the hold.
        in_use: u64,
        /// The limit.
        limit: u64,
    },
    /// A controller that ignores its checkpoint asks for an operation before it (contract 6).
    #[error(
        "operation {key} ended before the last checkpoint and its result is no longer kept: begin \
         from the checkpoint"
    )]
    Pruned {
        /// The operation.
        key: Key,
    },
    /// The call was made from inside an event handler (contract 22).
    #[error(
        "operation {key} was started inside an event handler: start it where the handler's call returns"
    )]
    InsideHandler {
        /// The operation.
        key: Key,
    },
    /// The operation is not known, or was released.
    #[error("operation {operation} is not known here, or was released")]
    Unknown {
        /// The operation.
        operation: OperationId,
    },
    /// A client would be given up before its silence is told.
    #[error(
        "idle ({idle:?}) is longer than the lease of the clients ({lease:?}): lower the one, or raise the other"
    )]
    Idle {
        /// After how long a silence is told.
        idle: Duration,
        /// After how long an absent client is given up.
        lease: Duration,
    },
    /// The run's memory failed; the run ends, and nothing was released.
    #[error(transparent)]
    Journal(#[from] journal::Error),
    /// The runtime has stopped.
    #[error("the runtime has stopped{0}")]
    Stopped(String),
}

fn taken(in_use: u64) -> String {
    if in_use == 0 { String::new() } else { format!(", {in_use} of them in use") }
}

/// Carries out a controller's operations.
///
/// O1. `start` of a key that the journal knows with an equal specification is the same operation, answered
/// from the journal; with another specification it is [`Error::Differs`].
/// O2. An operation ends exactly once, with one `OperationEnded`; each selected client ends in it exactly once.
/// O3. What `OperationEnded` tells is durable before it is told.
/// O4. Replies after the decision are counted as late, duplicates as duplicates; neither changes anything.
/// O5. `events` gives an operation's events from its beginning, however late it is called, until `release`.
/// O6. After `release` of an operation its client side is free of it; where an operation in flight started from
/// a version of a client's state that goes with the release, then when that one is over.
/// O7. `cancel` ends the operation with the failure `Cancelled`, or not at all if it was decided before. Later
/// processes are answered so from the journal.
/// O8. `value` gives the same value under one name for the whole life of the run.
/// O9. `checkpoint` is durable before it returns, and is what `open` gives in the next process.
/// O10. A journal that cannot be written ends the run with an error, and nothing is released.
/// O11. An operation without aggregator is [`Error::Hold`] at its start if its replies do not fit into what the
/// hold has left; replies that turn out larger than their task, and overfill it, make it fail as a limit.
/// O12. All attempts of a task start from the version of its client's state that was the head when its operation
/// was started: the one left by the last operation that was released by then, wrote it and counted the client.
/// O13. Only bytes that were announced count: a reply that comes otherwise is fetched again. After so many
/// fetches as the limits say it is lost, and its task is asked for again, as after any failure of a client's
/// surroundings; the client ends so when that was done often enough.
/// O14. When another process has opened the run (contract 1), the next thing that this one would write is refused
/// by the journal, and it stops: every call then is that error, and nothing is dispatched or released any more.
#[async_trait]
pub trait Operations: Send + Sync {
    /// The run, as this process found it.
    fn opened(&self) -> &Opened;

    /// The present, by the run's clock.
    fn now(&self) -> Timestamp;

    /// Starts an operation; `interest` says which events will be asked for.
    ///
    /// # Errors
    /// See [`Error`].
    async fn start(
        &self,
        spec: OperationSpec,
        interest: Interest,
    ) -> Result<(OperationId, Key), Error>;

    /// The events of an operation in which interest was shown; `OperationEnded` is always among them,
    /// and the last.
    fn events(&self, operation: OperationId) -> BoxStream<'static, Result<Event, Error>>;

    /// Bytes of a blob at the run's home.
    ///
    /// # Errors
    /// When it is not kept.
    async fn fetch(&self, blob: Hash) -> Result<Bytes, Error>;

    /// Keeps bytes at the run's home until two checkpoints later.
    ///
    /// # Errors
    /// When they cannot be kept.
    async fn put(&self, bytes: Bytes) -> Result<Hash, Error>;

    /// Says what a closure of the controller made of an ended operation's replies.
    ///
    /// # Errors
    /// When the operation is unknown, or it cannot be kept.
    async fn conclude(&self, operation: OperationId, value: Bytes) -> Result<(), Error>;

    /// What a closure of the controller made of an operation's replies, if it did in this process or an
    /// earlier one.
    ///
    /// # Errors
    /// When it is no longer kept.
    async fn concluded(&self, operation: OperationId) -> Result<Option<Bytes>, Error>;

    /// Keeps the controller's state; `pins` are the blobs that it names.
    ///
    /// # Errors
    /// When it cannot be kept.
    async fn checkpoint(&self, state: Value, pins: Vec<Hash>) -> Result<(), Error>;

    /// The value under `name`; `fresh` if there was none.
    ///
    /// # Errors
    /// When it cannot be kept.
    async fn value(&self, name: &str, fresh: Value) -> Result<Value, Error>;

    /// Cancels an operation.
    ///
    /// # Errors
    /// When it is unknown.
    async fn cancel(&self, operation: OperationId) -> Result<(), Error>;

    /// The controller and its handlers are done with the operation.
    ///
    /// # Errors
    /// When it is unknown, or its release cannot be written down.
    async fn release(&self, operation: OperationId) -> Result<(), Error>;
}
