//! What is told of one operation: its events, for those who listen from the start, or later.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures::Stream;

use crate::event::Event;
use crate::operations::Error;

/// How many events a listener takes at once.
const BATCH: usize = 256;

/// The side that tells. Nobody hears anything before [`Told::publish`]: who listens is woken once for
/// all that one input made happen.
#[derive(Default)]
pub(super) struct Told {
    fresh: Vec<Event>,
    end: Option<Result<(), Error>>,
    log: Arc<Mutex<Log>>,
}

/// Every event since the operation's start.
#[derive(Default)]
struct Log {
    events: Vec<Event>,
    end: Option<Result<(), Error>>,
    waiting: Vec<Waker>,
}

impl Told {
    pub(super) fn tell(&mut self, event: Event) {
        self.fresh.push(event);
    }

    /// No event comes after this; `Err` is what those who listen hear last.
    pub(super) fn end(&mut self, end: Result<(), Error>) {
        self.end.get_or_insert(end);
    }

    /// Whoever is to be woken, where nothing is locked.
    #[must_use]
    pub(super) fn publish(&mut self) -> Vec<Waker> {
        let end = self.end.take();
        if self.fresh.is_empty() && end.is_none() {
            return Vec::new();
        }
        let mut log = locked(&self.log);
        log.events.append(&mut self.fresh);
        log.end = log.end.take().or(end);
        std::mem::take(&mut log.waiting)
    }

    /// All events, from the first one.
    pub(super) fn listen(&self) -> Listener {
        let batch = Vec::new().into_iter();
        Listener { log: Arc::clone(&self.log), batch, taken: 0, over: false }
    }
}

/// The side that hears.
pub(super) struct Listener {
    log: Arc<Mutex<Log>>,
    batch: std::vec::IntoIter<Event>,
    taken: usize,
    over: bool,
}

impl Stream for Listener {
    type Item = Result<Event, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(event) = self.batch.next() {
            return Poll::Ready(Some(Ok(event)));
        }
        if self.over {
            return Poll::Ready(None);
        }
        let log = Arc::clone(&self.log);
        let mut log = locked(&log);
        let fresh = &log.events[self.taken..];
        let batch = fresh[..fresh.len().min(BATCH)].to_vec();
        self.taken += batch.len();
        self.batch = batch.into_iter();
        if let Some(event) = self.batch.next() {
            return Poll::Ready(Some(Ok(event)));
        }
        match &log.end {
            None => {
                log.waiting.retain(|waker| !waker.will_wake(cx.waker()));
                log.waiting.push(cx.waker().clone());
                Poll::Pending
            }
            Some(end) => {
                self.over = true;
                Poll::Ready(end.clone().err().map(Err))
            }
        }
    }
}

fn locked(log: &Mutex<Log>) -> MutexGuard<'_, Log> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}
