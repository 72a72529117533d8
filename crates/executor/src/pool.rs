//! The pool: a queue of work, and the threads that carry it out.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use bytes::Bytes;
use flare_core::executor::{Cancel, Task};
use flare_core::hash::Hash;
use flare_core::metric::Metric;
use flare_core::names::Rank;
use flare_core::operation::OperationId;
use flare_core::outcome::{Cause, Weight};
use flare_core::transport::TaskId;

use crate::permits::{Permit, Permits};
use crate::work::Work;
use crate::worker::Worker;
use crate::{PoolOptions, work::Assigned};
use crate::{attempt, panics};

/// What a client side keeps and announces of a reply: filters have passed it, and the state that it left
/// is kept.
#[derive(Debug)]
pub struct Output {
    /// What it weighs.
    pub weight: Weight,
    /// What was measured.
    pub metrics: Box<[Metric]>,
    /// The headers in their canonical encoding; empty when there are none.
    pub headers: Box<[u8]>,
    /// Hash of the encoded tensors.
    pub tensors: Hash,
    /// The encoded tensors. Their permit is given back when the last clone of them is dropped.
    pub encoded: Bytes,
    /// Their permit, for whoever knows earlier that they are in transfer or in a fold no more.
    pub permit: Option<Arc<Permit>>,
    /// Whether the task left a new version of the client's state.
    pub wrote_state: bool,
}

/// Who hears of attempts. Called by the workers, so it does not wait.
pub trait Sink: Send + Sync {
    /// An attempt ended, with a reply or with the cause why there is none, or it was cancelled before it
    /// began. Nothing is heard of what was released.
    fn finished(
        &self,
        task: &Arc<Task>,
        assigned: Assigned,
        result: Result<Output, Cause>,
        pool: &Handle,
    );
    /// A learner reported progress, 0 to 1.
    fn progress(&self, task: TaskId, done: f32);
}

/// A bounded number of threads through which any number of clients is multiplexed.
///
/// Dropping it cancels what runs, waits for it, and ends the threads.
pub struct Pool {
    handle: Handle,
    threads: Vec<JoinHandle<()>>,
}

/// Gives work to a [`Pool`]; cheap to clone. After the pool is gone it does nothing.
#[derive(Clone)]
pub struct Handle {
    shared: Arc<Shared>,
}

/// What the workers share.
pub(crate) struct Shared {
    pub(crate) options: PoolOptions,
    pub(crate) permits: Arc<Permits>,
    pub(crate) sink: Arc<dyn Sink>,
    pub(crate) setup: Task,
    queue: Mutex<Queue>,
    filled: Condvar,
    seats: Vec<Mutex<Seat>>,
}

#[derive(Default)]
struct Queue {
    works: VecDeque<Arc<Work>>,
    stopping: bool,
}

/// What a worker is at. The work is set when it is taken up, with the queue locked: so whatever may
/// still be claimed is in the queue or at a seat.
#[derive(Default)]
struct Seat {
    work: Option<Arc<Work>>,
    rank: Option<Rank>,
    cancel: Cancel,
}

impl Pool {
    /// Starts the threads.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn new(options: PoolOptions, sink: Arc<dyn Sink>) -> std::io::Result<Self> {
        panics::install_hook();
        let workers = options.workers.get();
        let shared = Shared {
            permits: Permits::new(options.reply_window, options.window_bytes),
            sink,
            setup: attempt::setup_task(),
            queue: Mutex::default(),
            filled: Condvar::new(),
            seats: (0..workers).map(|_| Mutex::default()).collect(),
            options,
        };
        let handle = Handle { shared: Arc::new(shared) };
        let mut pool = Self { handle, threads: Vec::with_capacity(workers) };
        for index in 0..workers {
            let worker = Worker::new(pool.handle.clone(), index);
            let named = std::thread::Builder::new().name(format!("flare-worker-{index}"));
            pool.threads.push(named.spawn(move || worker.run())?);
        }
        Ok(pool)
    }

    /// Gives work to it.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.handle.stop();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a worker of the pool panicked outside of any learner");
            }
        }
    }
}

impl Handle {
    /// Puts work at the end of the queue.
    pub fn submit(&self, work: Work) {
        let mut queue = self.shared.lock_queue();
        if queue.stopping || work.is_over() {
            return;
        }
        let helpers = work.left();
        queue.works.push_back(Arc::new(work));
        drop(queue);
        if helpers > 1 {
            self.shared.filled.notify_all();
        } else {
            self.shared.filled.notify_one();
        }
    }

    /// Executes one task of a work once more.
    pub fn submit_one(&self, task: Arc<Task>, assigned: Assigned) {
        self.submit(Work::new(task, vec![assigned]));
    }

    /// Nobody waits for these clients any more: those that run are told so, those that have not begun
    /// do not begin. Each of them is still reported as finished, once.
    pub fn cancel(&self, operation: OperationId, ranks: &[Rank]) {
        for work in self.shared.works_of(operation) {
            work.cancel(ranks);
        }
        self.shared.each_seat(|seat| {
            let is_it = seat.rank.is_some_and(|rank| ranks.contains(&rank));
            if is_it && seat.work.as_ref().is_some_and(|work| work.operation() == operation) {
                seat.cancel.set();
            }
        });
        self.shared.permits.wake();
    }

    /// The operation is over: nothing of it begins, is kept or reported any more. State versions of
    /// those who do not count are dropped, also such as come later.
    pub fn release(&self, operation: OperationId, counted: &[Rank]) {
        let works = self.shared.works_of(operation);
        if !works.is_empty() {
            let counted: Arc<[Rank]> = counted.into();
            works.iter().for_each(|work| work.release(&counted));
            self.shared.lock_queue().works.retain(|work| work.operation() != operation);
            self.shared.each_seat(|seat| {
                if seat.work.as_ref().is_some_and(|work| work.operation() == operation) {
                    seat.cancel.set();
                }
            });
            self.shared.permits.wake();
        }
        self.shared.release_states(operation, counted);
    }

    /// What each worker is at, or was at last.
    pub fn at_work(&self) -> Vec<TaskId> {
        let mut tasks = Vec::new();
        self.shared.each_seat(|seat| {
            if let (Some(work), Some(rank)) = (&seat.work, seat.rank) {
                tasks.push(TaskId { operation: work.operation(), stop: work.stop(), rank });
            }
        });
        tasks
    }

    /// How many replies, and bytes of them, are in the making, held or fetched.
    pub fn in_use(&self) -> (usize, u64) {
        self.shared.permits.in_use()
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    fn stop(&self) {
        let mut queue = self.shared.lock_queue();
        queue.stopping = true;
        queue.works.clear();
        self.shared.each_seat(|seat| {
            seat.work.iter().for_each(|work| work.drop_all());
            seat.cancel.set();
        });
        drop(queue);
        self.shared.filled.notify_all();
        self.shared.permits.wake();
    }
}

impl Shared {
    /// Waits for work, and takes it up at a seat; `None` when the pool ends.
    pub(crate) fn take_up(&self, seat: usize) -> Option<Arc<Work>> {
        let mut queue = self.lock_queue();
        loop {
            while queue.works.front().is_some_and(|work| work.is_over()) {
                queue.works.pop_front();
            }
            if queue.stopping {
                return None;
            }
            if let Some(work) = queue.works.front() {
                let work = Arc::clone(work);
                self.seat(seat).work = Some(Arc::clone(&work));
                return Some(work);
            }
            self.seat(seat).work = None;
            queue = self.filled.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// A worker begins an attempt; what cancels it from now on is the token that it gets.
    pub(crate) fn begin(&self, seat: usize, rank: Rank) -> Cancel {
        let mut seat = self.seat(seat);
        if seat.cancel.is_set() {
            seat.cancel = Cancel::default();
        }
        seat.rank = Some(rank);
        seat.cancel.clone()
    }

    /// Drops the state versions of those who do not count; a version that cannot be removed costs room
    /// and nothing else, since none is used unless a record names it.
    pub(crate) fn release_states(&self, operation: OperationId, counted: &[Rank]) {
        if let Err(error) = self.options.states.release(operation, counted) {
            tracing::warn!(%operation, %error, "states that are of no use any more cannot be removed");
        }
    }

    /// Works of an operation of which something may still be claimed or runs.
    fn works_of(&self, operation: OperationId) -> Vec<Arc<Work>> {
        let queue = self.lock_queue();
        let mut works: Vec<Arc<Work>> = queue.works.iter().cloned().collect();
        self.each_seat(|seat| works.extend(seat.work.clone()));
        works.retain(|work| work.operation() == operation);
        works
    }

    fn each_seat(&self, mut visit: impl FnMut(&mut Seat)) {
        (0..self.seats.len()).for_each(|index| visit(&mut self.seat(index)));
    }

    fn seat(&self, index: usize) -> MutexGuard<'_, Seat> {
        self.seats[index].lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
