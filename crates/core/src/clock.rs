//! Time and background work come in from outside, so that every schedule can be replayed.

use std::time::Duration;

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

/// A point in time: nanoseconds since an epoch of the clock's own. Only differences mean anything.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// This much later; saturates at the end of time.
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// How long ago `earlier` was; zero if it was not.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// A source of time.
///
/// K1. `now` never goes back.
/// K2. The future of `sleep_until` is ready at `at` or soon after, and never before.
pub trait Clock: Send + Sync {
    /// The present.
    fn now(&self) -> Timestamp;
    /// Ready when `at` has come.
    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'static, ()>;
}

/// Who runs background work.
///
/// S1. Work given to `spawn` is polled to its end, or dropped when the owner shuts down; nothing is
/// detached and forgotten.
/// S2. Work given to `blocking` may block or compute for long without holding up spawned futures.
pub trait Spawn: Send + Sync {
    /// Runs a future to its end; `name` tells what failed if it panics.
    fn spawn(&self, name: &'static str, work: BoxFuture<'static, ()>);
    /// Runs a closure where blocking is allowed.
    fn blocking(&self, name: &'static str, work: Box<dyn FnOnce() + Send>);
}
