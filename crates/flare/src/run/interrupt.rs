//! Asking a run to stop, from another thread.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

type Hook = Box<dyn Fn() + Send>;

/// Asks a run to stop: it ends within a second if its learners look at `cancelled()`, and keeps what is
/// finished. A cheap handle; set it from a signal handler's thread. When that returns, the page of the rounds
/// that are finished is in the run's folder.
#[derive(Clone, Default)]
pub struct Interrupt(Arc<Inner>);

#[derive(Default)]
struct Inner {
    is_set: AtomicBool,
    hook: Mutex<Option<Hook>>,
}

impl Interrupt {
    /// One that is not set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks the run to stop. Later calls change nothing.
    pub fn set(&self) {
        self.0.is_set.store(true, Ordering::SeqCst);
        if let Some(hook) = &*self.0.hook.lock().unwrap_or_else(PoisonError::into_inner) {
            hook();
        }
    }

    /// Whether the run was asked to stop.
    pub fn is_set(&self) -> bool {
        self.0.is_set.load(Ordering::SeqCst)
    }

    /// What is called when it is set, until the guard is dropped; at once if it is set already.
    pub(super) fn on_set(&self, hook: impl Fn() + Send + 'static) -> Guard<'_> {
        *self.0.hook.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(hook));
        if self.is_set() {
            self.set();
        }
        Guard(self)
    }
}

/// Takes the hook back when it is dropped.
pub(super) struct Guard<'a>(&'a Interrupt);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        *self.0.0.hook.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl std::fmt::Debug for Interrupt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Interrupt").field(&self.is_set()).finish()
    }
}
