//! Background work on the one thread of the simulation, in an order that is drawn.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use flare_core::clock::Spawn;
use futures::future::BoxFuture;

/// Whether a future was woken since it was last polled.
#[derive(Debug)]
pub(crate) struct Flag(AtomicBool);

impl Flag {
    /// A flag that is set: whoever is new is polled once.
    pub(crate) fn set() -> Arc<Self> {
        Arc::new(Self(AtomicBool::new(true)))
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    pub(crate) fn take(&self) -> bool {
        self.0.swap(false, Ordering::SeqCst)
    }
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

enum Job {
    Future { work: BoxFuture<'static, ()>, flag: Arc<Flag> },
    Blocking(Box<dyn FnOnce() + Send>),
}

impl Job {
    fn is_ready(&self) -> bool {
        match self {
            Self::Future { flag, .. } => flag.is_set(),
            Self::Blocking(_) => true,
        }
    }
}

/// Futures and closures that wait for their turn.
#[derive(Default)]
pub struct LocalSpawn {
    jobs: Mutex<Vec<Job>>,
}

impl LocalSpawn {
    fn jobs(&self) -> MutexGuard<'_, Vec<Job>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many could go on now.
    pub(crate) fn ready(&self) -> usize {
        self.jobs().iter().filter(|job| job.is_ready()).count()
    }

    /// Lets one of those that are ready go on, by its place among them.
    pub(crate) fn turn(&self, choice: usize) {
        let mut jobs = self.jobs();
        let found = (0..jobs.len()).filter(|at| jobs[*at].is_ready()).nth(choice);
        let Some(at) = found else { return };
        let job = jobs.remove(at);
        // What runs may spawn.
        drop(jobs);
        match job {
            Job::Blocking(work) => work(),
            Job::Future { mut work, flag } => {
                flag.take();
                let waker = Waker::from(Arc::clone(&flag));
                if work.as_mut().poll(&mut Context::from_waker(&waker)) == Poll::Pending {
                    self.jobs().push(Job::Future { work, flag });
                }
            }
        }
    }

    /// The process is killed: nothing of it runs on.
    pub(crate) fn kill(&self) {
        let jobs = std::mem::take(&mut *self.jobs());
        drop(jobs);
    }
}

impl Spawn for LocalSpawn {
    fn spawn(&self, _name: &'static str, work: BoxFuture<'static, ()>) {
        self.jobs().push(Job::Future { work, flag: Flag::set() });
    }

    fn blocking(&self, _name: &'static str, work: Box<dyn FnOnce() + Send>) {
        self.jobs().push(Job::Blocking(work));
    }
}
