//! Work as it waits in the queue: one task, and the clients that are to carry it out.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use flare_core::executor::{EVALUATE, Task};
use flare_core::names::Rank;
use flare_core::operation::OperationId;
use flare_core::transport::{INLINE_LIMIT, TaskId};

/// One client's attempt at a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Assigned {
    /// The client.
    pub rank: Rank,
    /// Which attempt it is, from 1.
    pub attempt: u32,
    /// The version of its state to start from.
    pub state: Option<OperationId>,
}

/// A task and the clients that are to carry it out: one entry in the queue, however many they are.
#[derive(Debug)]
pub struct Work {
    task: Arc<Task>,
    to: Vec<Assigned>,
    next: AtomicUsize,
    /// The largest reply so far: no permit is taken for less.
    largest: AtomicU64,
    has_cancelled: AtomicBool,
    cancelled: Mutex<BTreeSet<Rank>>,
    is_dropped: AtomicBool,
    released: OnceLock<Arc<[Rank]>>,
}

impl Work {
    /// Work that nobody has begun.
    pub fn new(task: Arc<Task>, to: Vec<Assigned>) -> Self {
        let tensors = &task.input.tensors;
        let gives_none = tensors.is_empty() || &*task.name == EVALUATE;
        let estimate = if gives_none { 0 } else { tensors.encoded().len() as u64 };
        Self {
            task,
            to,
            next: AtomicUsize::new(0),
            largest: AtomicU64::new(estimate),
            has_cancelled: AtomicBool::new(false),
            cancelled: Mutex::default(),
            is_dropped: AtomicBool::new(false),
            released: OnceLock::new(),
        }
    }

    pub(crate) fn task(&self) -> &Arc<Task> {
        &self.task
    }

    pub(crate) fn operation(&self) -> OperationId {
        self.task.operation
    }

    pub(crate) fn stop(&self) -> u32 {
        self.task.stop
    }

    pub(crate) fn task_id(&self, rank: Rank) -> TaskId {
        TaskId { operation: self.task.operation, stop: self.task.stop, rank }
    }

    /// The next attempt that nobody has begun.
    pub(crate) fn claim(&self) -> Option<Assigned> {
        if self.is_over() {
            return None;
        }
        self.to.get(self.next.fetch_add(1, Ordering::Relaxed)).copied()
    }

    /// Whether nothing is left to claim.
    pub(crate) fn is_over(&self) -> bool {
        self.next.load(Ordering::Relaxed) >= self.to.len() || self.is_dropped()
    }

    /// How many attempts are left to claim.
    pub(crate) fn left(&self) -> usize {
        self.to.len().saturating_sub(self.next.load(Ordering::Relaxed))
    }

    /// How large a reply has to be thought before it is made: as the task's tensors, or as the largest
    /// that another client gave. A task without tensors, and one that evaluates, is thought to give none.
    pub(crate) fn estimate(&self) -> u64 {
        self.largest.load(Ordering::Relaxed)
    }

    pub(crate) fn saw_reply(&self, bytes: u64) {
        if bytes > INLINE_LIMIT as u64 {
            self.largest.fetch_max(bytes, Ordering::Relaxed);
        }
    }

    /// These clients' attempts, if they have not begun, do not begin.
    pub(crate) fn cancel(&self, ranks: &[Rank]) {
        self.cancelled.lock().unwrap_or_else(PoisonError::into_inner).extend(ranks);
        self.has_cancelled.store(true, Ordering::Release);
    }

    pub(crate) fn is_cancelled(&self, rank: Rank) -> bool {
        self.has_cancelled.load(Ordering::Acquire)
            && self.cancelled.lock().unwrap_or_else(PoisonError::into_inner).contains(&rank)
    }

    /// The operation is over: nothing of this work is wanted any more.
    pub(crate) fn release(&self, counted: &Arc<[Rank]>) {
        // Released before: then those who count are the same.
        drop(self.released.set(Arc::clone(counted)));
        self.drop_all();
    }

    /// Nothing of this work is wanted any more, for now: the pool ends.
    pub(crate) fn drop_all(&self) {
        self.is_dropped.store(true, Ordering::Release);
    }

    pub(crate) fn is_dropped(&self) -> bool {
        self.is_dropped.load(Ordering::Acquire)
    }

    /// Those who counted, once the operation is over.
    pub(crate) fn released(&self) -> Option<&Arc<[Rank]>> {
        self.released.get()
    }
}
