//! Surroundings for a runtime over a transport that has threads of its own.

use std::sync::Arc;

use flare_core::clock::Spawn;
use flare_core::pool::Serial;
use flare_core::runtime::Seams;
use futures::future::BoxFuture;

use crate::sim::ManualClock;

/// Runs each piece of work on a thread of its own.
#[derive(Debug, Clone, Copy, Default)]
pub struct Threads;

impl Spawn for Threads {
    fn spawn(&self, _name: &'static str, work: BoxFuture<'static, ()>) {
        std::thread::spawn(move || futures::executor::block_on(work));
    }

    fn blocking(&self, _name: &'static str, work: Box<dyn FnOnce() + Send>) {
        std::thread::spawn(work);
    }
}

/// Threads, and a clock that stands still: nothing runs into a deadline.
pub fn seams() -> Seams {
    Seams {
        clock: Arc::new(ManualClock::default()),
        spawn: Arc::new(Threads),
        pool: Arc::new(Serial),
    }
}
