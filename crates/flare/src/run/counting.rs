//! Counting train calls: what a resumed run must not do again.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flare_core::component::ExecutorFactory;
use flare_core::executor::{Context, Error, Executor, Reply, TRAIN, Task};

/// A factory whose executors count the train calls that they take.
pub(super) struct Counting {
    inner: Arc<dyn ExecutorFactory>,
    calls: Arc<AtomicU64>,
    file: Option<Arc<File>>,
}

impl Counting {
    /// The calls also go to `file`, a byte for each.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub(super) fn new(inner: Arc<dyn ExecutorFactory>, file: Option<&Path>) -> io::Result<Self> {
        let open = |path: &Path| File::options().create(true).append(true).open(path);
        let file = file.map(open).transpose()?.map(Arc::new);
        Ok(Self { inner, calls: Arc::default(), file })
    }

    /// The count so far.
    pub(super) fn calls(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.calls)
    }
}

impl ExecutorFactory for Counting {
    fn create(&self) -> Box<dyn Executor> {
        let (calls, file) = (Arc::clone(&self.calls), self.file.clone());
        Box::new(Counted { inner: self.inner.create(), calls, file })
    }
}

struct Counted {
    inner: Box<dyn Executor>,
    calls: Arc<AtomicU64>,
    file: Option<Arc<File>>,
}

impl Counted {
    fn count(&self) -> Result<(), Error> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let Some(file) = &self.file else { return Ok(()) };
        let written = (&**file).write_all(b".");
        written.map_err(|error| format!("counting the train call in a file: {error}").into())
    }
}

impl Executor for Counted {
    fn setup(&mut self, ctx: &mut Context<'_>) -> Result<(), Error> {
        self.inner.setup(ctx)
    }

    fn execute(&mut self, task: &Task, ctx: &mut Context<'_>) -> Result<Reply, Error> {
        if *task.name == *TRAIN {
            self.count()?;
        }
        self.inner.execute(task, ctx)
    }

    fn teardown(&mut self) {
        self.inner.teardown();
    }
}
