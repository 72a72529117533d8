//! The seam through which heavy loops get threads: core itself starts none.

use std::sync::{Mutex, PoisonError};

/// Threads that a caller lends for one computation.
///
/// 1. [`for_each`](Pool::for_each) runs `job(0)` to `job(jobs - 1)`, each exactly once, in any
///    order and at any degree of concurrency, and returns when all have returned.
/// 2. A job that panics makes `for_each` panic, after the running jobs have ended.
/// 3. No result may depend on [`threads`](Pool::threads), only the speed.
pub trait Pool: Send + Sync {
    /// How many jobs run at the same time: a hint for cutting work, at least 1.
    fn threads(&self) -> usize;

    /// Runs the jobs.
    fn for_each(&self, jobs: usize, job: &(dyn Fn(usize) + Sync));
}

/// Runs every job on the caller's thread, in order.
#[derive(Debug, Clone, Copy, Default)]
pub struct Serial;

impl Pool for Serial {
    fn threads(&self) -> usize {
        1
    }

    fn for_each(&self, jobs: usize, job: &(dyn Fn(usize) + Sync)) {
        (0..jobs).for_each(job);
    }
}

/// Runs `work` once with each item, which it may change or consume.
pub(crate) fn for_each_item<T: Send>(pool: &dyn Pool, items: Vec<T>, work: impl Fn(T) + Sync) {
    if let [_] = &items[..] {
        return items.into_iter().for_each(work);
    }
    let slots: Vec<Mutex<Option<T>>> =
        items.into_iter().map(|item| Mutex::new(Some(item))).collect();
    pool.for_each(slots.len(), &|index| {
        let item = slots[index].lock().unwrap_or_else(PoisonError::into_inner).take();
        item.into_iter().for_each(&work);
    });
}
