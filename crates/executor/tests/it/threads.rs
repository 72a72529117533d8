//! Threads lent to folds: each job once, and no panic lost.

use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex};

use flare_core::pool::Pool;
use flare_executor::Threads;

#[test]
fn each_job_runs_once_and_as_many_at_once_as_promised() {
    for (threads, jobs) in [(1, 10), (3, 0), (3, 1), (3, 3), (3, 100), (8, 5)] {
        let pool = Threads::new(NonZeroUsize::new(threads).unwrap());
        assert_eq!(pool.threads(), threads);
        let done = Mutex::new(Vec::new());
        pool.for_each(jobs, &|job| done.lock().unwrap().push(job));
        let mut done = done.into_inner().unwrap();
        done.sort_unstable();
        assert_eq!(done, (0..jobs).collect::<Vec<_>>());
    }
    // Were there fewer threads than jobs, nobody would pass.
    let barrier = Barrier::new(4);
    Threads::new(4.try_into().unwrap()).for_each(4, &|_| {
        barrier.wait();
    });
}

#[test]
fn a_panic_in_a_job_is_the_callers_after_the_others_have_ended() {
    let running = AtomicUsize::new(0);
    let pool = Threads::new(3.try_into().unwrap());
    let result = catch_unwind(AssertUnwindSafe(|| {
        pool.for_each(50, &|job| {
            running.fetch_add(1, Ordering::SeqCst);
            let panics = job == 7;
            running.fetch_sub(1, Ordering::SeqCst);
            assert!(!panics, "job seven");
        });
    }));
    let payload = result.unwrap_err();
    assert!(payload.downcast_ref::<&str>().is_some_and(|text| text.contains("job seven")));
    assert_eq!(running.load(Ordering::SeqCst), 0);
}
