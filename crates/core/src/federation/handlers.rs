//! Handlers of events: who is called for what, in which order.

use std::cell::Cell;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::event::{Event, Interest, Kind};
use crate::executor::Error;
use crate::filter::panic_text;

type Handler = dyn Fn(&Event) -> Result<(), Error> + Send + Sync;

thread_local! {
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is in a handler.
pub(super) fn is_inside() -> bool {
    INSIDE.get()
}

/// Says that this thread is in a handler, for as long as it lives.
struct Inside;

impl Inside {
    fn enter() -> Self {
        INSIDE.set(true);
        Self
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        INSIDE.set(false);
    }
}

/// The handlers of a federation, in the order in which they were registered.
#[derive(Default)]
pub(super) struct Handlers {
    registered: Mutex<Vec<(Kind, Arc<Handler>)>>,
    /// What is heard of without a handler.
    watched: Mutex<Interest>,
}

/// So many handlers were registered when an operation started: it is told to no others.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known(usize);

impl Known {
    /// Whoever is registered when the event comes.
    pub(super) const ALL: Self = Self(usize::MAX);
}

impl Handlers {
    pub(super) fn add(&self, kind: Kind, handler: Arc<Handler>) {
        self.lock().push((kind, handler));
    }

    /// Wants to hear of these kinds from now on, without a handler.
    pub(super) fn watch(&self, interest: Interest) {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        *watched = watched.union(interest);
    }

    /// Those who are registered now, and what is to be heard of.
    pub(super) fn known(&self) -> (Known, Interest) {
        let watched = *self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        let registered = self.lock();
        let interest = registered.iter().fold(watched, |all, (kind, _)| all.with(*kind));
        (Known(registered.len()), interest)
    }

    /// Calls the handlers that are known for an event, in order, until one fails.
    ///
    /// # Errors
    /// What the failing handler said; a panic is an error like any other.
    pub(super) fn call(&self, event: &Event, known: Known) -> Result<(), String> {
        let kind = event.kind();
        let handlers: Vec<Arc<Handler>> = {
            let registered = self.lock();
            let known = registered.iter().take(known.0);
            known.filter(|(wanted, _)| *wanted == kind).map(|(_, call)| Arc::clone(call)).collect()
        };
        let _inside = Inside::enter();
        handlers.iter().try_for_each(|handler| {
            let call = std::panic::AssertUnwindSafe(|| handler(event));
            match std::panic::catch_unwind(call) {
                Ok(result) => result.map_err(|fault| fault.to_string()),
                Err(panic) => Err(format!("it panicked: {}", panic_text(&*panic))),
            }
        })
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(Kind, Arc<Handler>)>> {
        self.registered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
