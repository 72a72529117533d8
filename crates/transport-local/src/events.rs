//! What waits to be told: batches that fill up until somebody takes them.

use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};

use flare_core::transport::Event;

/// How many events a batch has at most. Small enough to be allocated where another one was freed, and to
/// be still in the cache when it is taken.
const BATCH: usize = 256;

/// Events in the order in which they happened. Whoever adds the first one has to wake the listener.
#[derive(Default)]
pub(crate) struct Outbox {
    full: VecDeque<Vec<Event>>,
    batch: Vec<Event>,
    listener: Option<Waker>,
    closed: bool,
}

impl Outbox {
    /// Adds an event; the waker that is returned, if any, is to be called when nothing is locked.
    #[must_use]
    pub(crate) fn push(&mut self, event: Event) -> Option<Waker> {
        if self.batch.len() == BATCH {
            self.full.push_back(std::mem::take(&mut self.batch));
        }
        if self.batch.is_empty() {
            self.batch.reserve_exact(BATCH);
        }
        self.batch.push(event);
        self.listener.take()
    }

    /// The batch that has waited longest; `None` at the end.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Vec<Event>>> {
        if let Some(batch) = self.full.pop_front() {
            return Poll::Ready(Some(batch));
        }
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
