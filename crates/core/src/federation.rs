//! The handle through which a controller sees its clients.

mod error;
mod handle;
mod handlers;

use std::collections::BTreeMap;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::clock::Timestamp;
use crate::event::{Event, Interest, Kind, What};
use crate::executor;
use crate::hash::Hash;
use crate::journal::Run;
use crate::names::Roster;
use crate::operation::{Course, Gather, Key, OperationId, OperationSpec, RelayFailure};
use crate::operations::{self, Operations};
use crate::outcome::{Gathered, Outcome, Record, Reply};
use crate::random::{Stream, StreamId};
use crate::tensor::Tensors;
use crate::value::{self, Value};

pub use error::Error;
pub use handle::Handle;

use handle::{Ended, Open};
use handlers::{Handlers, Known};

/// A controller's view of its clients: it starts operations, waits for them, and keeps its state.
///
/// Handlers run on the task of the controller, in order, while it waits for an operation; the call
/// returns, and the operation is released, when they are done.
pub struct Federation {
    operations: Arc<dyn Operations>,
    model: Tensors,
    handlers: Handlers,
    open: Mutex<BTreeMap<OperationId, Open>>,
}

impl Federation {
    /// A view onto whoever carries out the operations.
    pub fn new(operations: Arc<dyn Operations>) -> Self {
        let model = Tensors::empty();
        Self { operations, model, handlers: Handlers::default(), open: Mutex::default() }
    }

    /// The same with the job's initial model.
    #[must_use]
    pub fn with_model(self, model: Tensors) -> Self {
        Self { model, ..self }
    }

    /// The job's initial model (contract 30); no tensors where it has none.
    pub fn model(&self) -> &Tensors {
        &self.model
    }

    /// What the run is a function of.
    pub fn run(&self) -> &Run {
        &self.operations.opened().run
    }

    /// The job's clients.
    pub fn roster(&self) -> &Roster {
        &self.run().roster
    }

    /// Registers a handler for events of operations started from now on.
    pub fn on(
        &self,
        kind: Kind,
        handler: impl Fn(&Event) -> Result<(), executor::Error> + Send + Sync + 'static,
    ) {
        self.handlers.add(kind, Arc::new(handler));
    }

    /// Lets [`Handle::events`] tell of these kinds, too, in operations started from now on: it tells of what
    /// somebody wanted to hear of when the operation started.
    pub fn watch(&self, interest: Interest) {
        self.handlers.watch(interest);
    }

    /// Starts a broadcast; wait for it through the handle.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn broadcast(&self, spec: OperationSpec) -> Result<Handle<'_>, Error> {
        self.start(OperationSpec { course: Course::Broadcast, ..spec }).await
    }

    /// Asks all targets at once and waits; the replies come by rank.
    ///
    /// # Errors
    /// When the operation fails or cannot be carried out; the same for the four below.
    pub async fn broadcast_and_wait(&self, spec: OperationSpec) -> Result<Outcome, Error> {
        self.broadcast(spec).await?.wait().await
    }

    /// A broadcast of which only the aggregate is handed back.
    ///
    /// # Errors
    /// As for [`Federation::broadcast_and_wait`].
    pub async fn aggregate(&self, spec: OperationSpec) -> Result<Outcome, Error> {
        if spec.gather == Gather::Replies {
            let fault = "an aggregate needs an aggregator: name one".into();
            return Err(operations::Error::Spec { key: shown_key(&spec), fault }.into());
        }
        self.broadcast_and_wait(spec).await
    }

    /// Asks all targets at once, and lets a closure of the controller make something of the replies, which
    /// it gets by rank. What it made is kept: a run that goes on is given it, and the closure is not called
    /// again.
    ///
    /// # Errors
    /// As for [`Federation::broadcast_and_wait`]; when the closure fails.
    pub async fn broadcast_and_conclude<T: Serialize + DeserializeOwned>(
        &self,
        spec: OperationSpec,
        conclude: impl FnOnce(&[Reply]) -> Result<T, executor::Error>,
    ) -> Result<T, Error> {
        let handle = self.broadcast(OperationSpec { gather: Gather::Replies, ..spec }).await?;
        let operation = handle.operation;
        let ended = handle.ended().await?;
        let made = self.conclude(operation, &ended, conclude).await;
        self.finish(operation, ended, made).await
    }

    async fn conclude<T: Serialize + DeserializeOwned>(
        &self,
        operation: OperationId,
        ended: &Ended,
        conclude: impl FnOnce(&[Reply]) -> Result<T, executor::Error>,
    ) -> Result<T, Error> {
        let key = &ended.key;
        let fault = |source| Error::Value { what: format!("what operation {key} gave"), source };
        if let Some(kept) = self.operations.concluded(operation).await? {
            return Value::decode(&kept).and_then(|value| value.parse()).map_err(fault);
        }
        let outcome = self.outcome(Arc::clone(&ended.record), ended.replayed).await?;
        let replies = self.replies(&outcome).await?;
        let made =
            conclude(&replies).map_err(|fault| Error::Closure { key: key.clone(), fault })?;
        let value = value::to_value(&made).map_err(fault)?;
        self.operations.conclude(operation, value.encode().into()).await?;
        Ok(made)
    }

    /// Asks one target, or the first of the listed that takes the task.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn send(&self, spec: OperationSpec) -> Result<Handle<'_>, Error> {
        self.start(OperationSpec { course: Course::Send, ..spec }).await
    }

    /// [`Federation::send`], and waits.
    ///
    /// # Errors
    /// As for [`Federation::broadcast_and_wait`].
    pub async fn send_and_wait(&self, spec: OperationSpec) -> Result<Outcome, Error> {
        self.send(spec).await?.wait().await
    }

    /// Passes the task from one target to the next in the listed order; each gets what the one before
    /// replied. The one reply handed back is the last stop's.
    ///
    /// # Errors
    /// As for [`Federation::broadcast_and_wait`].
    pub async fn relay_and_wait(
        &self,
        spec: OperationSpec,
        on_failure: RelayFailure,
    ) -> Result<Outcome, Error> {
        self.start(OperationSpec { course: Course::Relay { on_failure }, ..spec })
            .await?
            .wait()
            .await
    }

    async fn start(&self, spec: OperationSpec) -> Result<Handle<'_>, Error> {
        if handlers::is_inside() {
            return Err(operations::Error::InsideHandler { key: shown_key(&spec) }.into());
        }
        let (known, interest) = self.handlers.known();
        let (operation, key) = self.operations.start(spec, interest).await?;
        let handled = Arc::new(AtomicUsize::new(0));
        let open = Open { key, known, handled };
        let mut all = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(operation, open.clone());
        Ok(Handle { federation: self, operation, open })
    }

    /// The counted replies of an operation without aggregator, by rank. Each is fetched when it is asked
    /// for, so that no more than one need be in memory.
    ///
    /// # Errors
    /// When a reply is no longer kept.
    pub async fn reply(&self, outcome: &Outcome, index: usize) -> Result<Option<Reply>, Error> {
        let counted = outcome.record.counted();
        let Some((rank, summary)) = counted.get(index) else { return Ok(None) };
        let bytes = self.operations.fetch(summary.tensors).await?;
        let tensors = self.decode(&outcome.record, bytes)?;
        Ok(Some(Reply { rank: *rank, summary: (*summary).clone(), tensors }))
    }

    /// All counted replies of an operation without aggregator, by rank.
    ///
    /// # Errors
    /// When one is no longer kept.
    pub async fn replies(&self, outcome: &Outcome) -> Result<Vec<Reply>, Error> {
        let mut replies = Vec::new();
        while let Some(reply) = self.reply(outcome, replies.len()).await? {
            replies.push(reply);
        }
        Ok(replies)
    }

    /// The controller's last checkpoint: where a run that goes on begins.
    ///
    /// # Errors
    /// When it has another shape.
    pub fn checkpoint<T: DeserializeOwned>(&self) -> Result<Option<T>, Error> {
        let stored = self.operations.opened().checkpoint.as_ref();
        stored.map(Value::parse).transpose().map_err(|source| Error::Value {
            what: "the checkpoint does not fit this controller".into(),
            source,
        })
    }

    /// Keeps the controller's state; `pins` are tensors that it names by hash.
    ///
    /// # Errors
    /// When it cannot be kept.
    pub async fn save<T: Serialize>(&self, state: &T, pins: &[&Tensors]) -> Result<(), Error> {
        let value = value::to_value(state)
            .map_err(|source| Error::Value { what: "saving a checkpoint".into(), source })?;
        let mut hashes = Vec::with_capacity(pins.len());
        for tensors in pins {
            hashes.push(self.operations.put(tensors.encoded().clone()).await?);
        }
        Ok(self.operations.checkpoint(value, hashes).await?)
    }

    /// Tensors kept at the run's home, such as those that a checkpoint names.
    ///
    /// # Errors
    /// When they are not there, or do not decode.
    pub async fn tensors(&self, hash: Hash) -> Result<Tensors, Error> {
        let bytes = self.operations.fetch(hash).await?;
        let key = || Key::Ordinal(0);
        Tensors::decode(bytes).map_err(|source| Error::Tensors { key: key(), source })
    }

    /// A random stream of the controller's own.
    pub fn random(&self, purpose: &str) -> Stream {
        StreamId::new(self.run().seed, purpose).stream()
    }

    /// A value that is made once in the life of the run, and the same ever after.
    ///
    /// # Errors
    /// When it cannot be kept, or was kept with another shape.
    pub async fn value<T: Serialize + DeserializeOwned>(
        &self,
        name: &str,
        fresh: impl FnOnce() -> T,
    ) -> Result<T, Error> {
        let fault = |source| Error::Value { what: format!("value {name:?}"), source };
        let fresh = value::to_value(&fresh()).map_err(fault)?;
        let kept = self.operations.value(name, fresh).await?;
        kept.parse().map_err(fault)
    }

    /// The time at which this was first asked under `name` in the life of the run: a resumed controller
    /// gets the same answer.
    ///
    /// # Errors
    /// When it cannot be kept.
    pub async fn now(&self, name: &str) -> Result<Timestamp, Error> {
        self.value(&format!("now/{name}"), || self.operations.now()).await
    }

    /// Tells handlers that a round begins or ends.
    ///
    /// # Errors
    /// When a handler fails.
    pub fn round(&self, kind: Kind, round: u64) -> Result<(), Error> {
        let event = Event { replayed: false, what: What::Round { kind, round } };
        self.handlers.call(&event, Known::ALL).map_err(|fault| Error::Handler {
            kind,
            key: Key::Ordinal(round),
            fault,
        })
    }

    /// Ends what the controller left open: each is cancelled and named, and its handlers run to its end.
    ///
    /// # Errors
    /// When one cannot be cancelled, or a handler fails.
    pub async fn close(&self) -> Result<Vec<Key>, Error> {
        let open = std::mem::take(&mut *self.open.lock().unwrap_or_else(PoisonError::into_inner));
        for operation in open.keys() {
            self.operations.cancel(*operation).await?;
        }
        let mut keys = Vec::with_capacity(open.len());
        for (operation, open) in open {
            keys.push(open.key.clone());
            let ended = Handle { federation: self, operation, open }.ended().await?;
            self.finish(operation, ended, Ok(())).await?;
        }
        Ok(keys)
    }

    fn decode(&self, record: &Record, bytes: bytes::Bytes) -> Result<Tensors, Error> {
        let fault = |source| Error::Tensors { key: record.key.clone(), source };
        Tensors::decode(bytes).map_err(fault)
    }

    async fn outcome(&self, record: Arc<Record>, replayed: bool) -> Result<Outcome, Error> {
        let gathered = record.result.as_ref().map_err(|failure| Error::Failed {
            key: record.key.clone(),
            failure: failure.clone(),
        })?;
        let aggregate = match gathered {
            Gathered::Aggregate { tensors } => {
                let bytes = self.operations.fetch(*tensors).await?;
                Some(self.decode(&record, bytes)?)
            }
            Gathered::Replies | Gathered::Concluded { .. } => None,
        };
        Ok(Outcome { record, replayed, aggregate })
    }
}

impl Federation {
    /// Releases an operation, and hands back what was made of it.
    async fn finish<T>(
        &self,
        operation: OperationId,
        ended: Ended,
        made: Result<T, Error>,
    ) -> Result<T, Error> {
        self.operations.release(operation).await?;
        self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&operation);
        match ended.handler {
            Some((kind, fault)) => Err(Error::Handler { kind, key: ended.key, fault }),
            None => made,
        }
    }
}

fn shown_key(spec: &OperationSpec) -> Key {
    spec.label.clone().map_or(Key::Ordinal(0), Key::Label)
}
