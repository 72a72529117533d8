//! Counting train calls: what a resumed run must not do again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flare_core::component::ExecutorFactory;
use flare_core::executor::{Context, Error, Executor, Reply, TRAIN, Task};

/// A factory whose executors count the train calls that they take.
pub(super) struct Counting {
    inner: Arc<dyn ExecutorFactory>,
    calls: Arc<AtomicU64>,
}

impl Counting {
    pub(super) fn new(inner: Arc<dyn ExecutorFactory>) -> Self {
        Self { inner, calls: Arc::default() }
    }

    /// The count so far.
    pub(super) fn calls(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.calls)
    }
}

impl ExecutorFactory for Counting {
    fn create(&self) -> Box<dyn Executor> {
        Box::new(Counted { inner: self.inner.create(), calls: Arc::clone(&self.calls) })
    }
}

struct Counted {
    inner: Box<dyn Executor>,
    calls: Arc<AtomicU64>,
}

impl Executor for Counted {
    fn setup(&mut self, ctx: &mut Context<'_>) -> Result<(), Error> {
        self.inner.setup(ctx)
    }

    fn execute(&mut self, task: &Task, ctx: &mut Context<'_>) -> Result<Reply, Error> {
        if *task.name == *TRAIN {
            self.calls.fetch_add(1, Ordering::Relaxed);
        }
        self.inner.execute(task, ctx)
    }

    fn teardown(&mut self) {
        self.inner.teardown();
    }
}
