//! An operation in flight, and how it is waited for.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::StreamExt;
use futures::stream::BoxStream;

use crate::event::{Event, Kind, What};
use crate::operation::{Key, OperationId};
use crate::operations;
use crate::outcome::{Outcome, Record};

use super::handlers::Known;
use super::{Error, Federation};

/// An operation in flight. Dropping it cancels nothing.
#[must_use = "an operation that nobody waits for is cancelled when the controller returns"]
pub struct Handle<'a> {
    pub(super) federation: &'a Federation,
    pub(super) operation: OperationId,
    pub(super) open: Open,
}

/// What is known of an operation whose end nobody took yet.
#[derive(Clone)]
pub(super) struct Open {
    pub(super) key: Key,
    pub(super) known: Known,
    /// How many of its events its handlers have had: a wait that was given up is taken up there.
    pub(super) handled: Arc<AtomicUsize>,
}

impl Handle<'_> {
    /// The operation's number.
    pub fn operation(&self) -> OperationId {
        self.operation
    }

    /// Cancels the operation; its outcome then is the failure `Cancelled`, unless it was decided before.
    ///
    /// # Errors
    /// When the operation is no longer known.
    pub async fn cancel(&self) -> Result<(), Error> {
        Ok(self.federation.operations.cancel(self.operation).await?)
    }

    /// The operation's events as a stream, from its beginning, however late this is called; the last is its end.
    /// They are those that handlers are registered for, and those of [`Federation::watch`].
    ///
    /// No handler runs for it, and it releases nothing: wait for the handle as well. It gives an error, and ends,
    /// where the runtime does.
    pub fn events(&self) -> BoxStream<'static, Result<Event, operations::Error>> {
        self.federation.operations.events(self.operation)
    }

    /// Waits for the operation's end, running handlers on the way.
    ///
    /// # Errors
    /// When the operation fails, a handler fails, or the runtime does.
    pub async fn wait(self) -> Result<Outcome, Error> {
        let (federation, operation) = (self.federation, self.operation);
        let ended = self.ended().await?;
        let outcome = federation.outcome(Arc::clone(&ended.record), ended.replayed).await;
        federation.finish(operation, ended, outcome).await
    }

    pub(super) async fn ended(self) -> Result<Ended, Error> {
        let mut events = self.events();
        let mut handler = None;
        let mut ended = None;
        let Open { key, known, handled } = self.open;
        let mut seen = 0;
        while let Some(event) = events.next().await {
            let event = event?;
            seen += 1;
            if handled.fetch_max(seen, Ordering::Relaxed) < seen {
                let fault = self.federation.handlers.call(&event, known).err();
                handler = handler.or(fault.map(|fault| (event.kind(), fault)));
            }
            if let What::OperationEnded { record } = event.what {
                ended = Some((record, event.replayed));
            }
        }
        let stopped = || operations::Error::Stopped(": the operation's events ended early".into());
        let (record, replayed) = ended.ok_or_else(stopped)?;
        Ok(Ended { key, record, replayed, handler })
    }
}

/// An operation that ended and was not released yet.
pub(super) struct Ended {
    pub(super) key: Key,
    pub(super) record: Arc<Record>,
    pub(super) replayed: bool,
    /// The first handler that failed.
    pub(super) handler: Option<(Kind, String)>,
}
