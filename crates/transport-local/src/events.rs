//! What waits to be told: a batch that grows until somebody takes it.

use std::task::{Context, Poll, Waker};

use flare_core::transport::Event;

/// Events in the order in which they happened. Whoever adds the first one has to wake the listener.
#[derive(Default)]
pub(crate) struct Outbox {
    batch: Vec<Event>,
    listener: Option<Waker>,
    closed: bool,
}

impl Outbox {
    /// Adds an event; the waker that is returned, if any, is to be called when nothing is locked.
    #[must_use]
    pub(crate) fn push(&mut self, event: Event) -> Option<Waker> {
        self.batch.push(event);
        self.listener.take()
    }

    /// What has gathered; `None` at the end.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Vec<Event>>> {
        if !self.batch.is_empty() {
            return Poll::Ready(Some(std::mem::take(&mut self.batch)));
        }
        if self.closed {
            return Poll::Ready(None);
        }
        self.listener = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Makes the listener look again.
    #[must_use]
    pub(crate) fn wake(&mut self) -> Option<Waker> {
        self.listener.take()
    }

    /// Nothing comes any more.
    #[must_use]
    pub(crate) fn close(&mut self) -> Option<Waker> {
        self.closed = true;
        self.wake()
    }
}
