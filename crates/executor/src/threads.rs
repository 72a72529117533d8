//! Threads lent to core's folds.

use std::num::NonZeroUsize;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use flare_core::pool::Pool;

/// Up to so many threads for one computation, the caller's among them; they end with it, so that no
/// thread waits between folds. Starting one takes some tens of microseconds.
#[derive(Debug, Clone, Copy)]
pub struct Threads(NonZeroUsize);

impl Threads {
    /// As many as `count`.
    pub fn new(count: NonZeroUsize) -> Self {
        Self(count)
    }

    /// As many as there are cores.
    pub fn available() -> Self {
        Self(std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN))
    }
}

impl Pool for Threads {
    fn threads(&self) -> usize {
        self.0.get()
    }

    fn for_each(&self, jobs: usize, job: &(dyn Fn(usize) + Sync)) {
        let helpers = self.0.get().min(jobs).saturating_sub(1);
        if helpers == 0 {
            return (0..jobs).for_each(job);
        }
        let (next, panicked) = (AtomicUsize::new(0), Mutex::new(None));
        let work = || {
            let result = panic::catch_unwind(AssertUnwindSafe(|| take_jobs(&next, jobs, job)));
            if let Err(payload) = result {
                next.store(jobs, Ordering::Relaxed);
                panicked.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(payload);
            }
        };
        std::thread::scope(|scope| {
            (0..helpers).for_each(|_| drop(scope.spawn(work)));
            work();
        });
        if let Some(payload) = panicked.into_inner().unwrap_or_else(PoisonError::into_inner) {
            panic::resume_unwind(payload);
        }
    }
}

fn take_jobs(next: &AtomicUsize, jobs: usize, job: &(dyn Fn(usize) + Sync)) {
    loop {
        let index = next.fetch_add(1, Ordering::Relaxed);
        if index >= jobs {
            return;
        }
        job(index);
    }
}
