//! A pool whose executors are closures, and whose results are collected.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, Once, mpsc};
use std::time::Duration;

use flare_core::executor::{Context, Error, Executor, Reply, Task};
use flare_core::hash::Hash;
use flare_core::metric::Metric;
use flare_core::names::{Name, Rank, Roster};
use flare_core::operation::{Key, OperationId, StateAccess};
use flare_core::outcome::{Cause, Weight};
use flare_core::shareable::Shareable;
use flare_core::tensor::{TensorData, Tensors};
use flare_core::transport::TaskId;
use flare_executor::{Assigned, Handle, Output, Pool, PoolOptions, Sink, Work};

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// Threads that panicked where the pool does not catch it, as the hook before the pool's hears of them.
pub(crate) static PANICKED: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// One result, by client.
pub(crate) type End = Result<Output, Cause>;

pub(crate) struct Bench {
    pub(crate) pool: Pool,
    ends: mpsc::Receiver<(TaskId, u32, End)>,
    pub(crate) progress: Arc<Mutex<Vec<f32>>>,
}

struct Collector {
    ends: mpsc::Sender<(TaskId, u32, End)>,
    progress: Arc<Mutex<Vec<f32>>>,
}

impl Sink for Collector {
    fn finished(&self, task: &Arc<Task>, assigned: Assigned, result: End, _: &Handle) {
        let id = TaskId { operation: task.operation, stop: task.stop, rank: assigned.rank };
        drop(self.ends.send((id, assigned.attempt, result)));
    }

    fn progress(&self, _: TaskId, done: f32) {
        self.progress.lock().unwrap().push(done);
    }
}

impl Bench {
    pub(crate) fn new(options: PoolOptions) -> Self {
        note_panics();
        let (sender, ends) = mpsc::channel();
        let progress = Arc::<Mutex<Vec<f32>>>::default();
        let sink = Arc::new(Collector { ends: sender, progress: Arc::clone(&progress) });
        Self { pool: Pool::new(options, sink).unwrap(), ends, progress }
    }

    /// Has clients carry out a task, first attempts without state.
    pub(crate) fn submit(&self, task: &Arc<Task>, ranks: impl IntoIterator<Item = u32>) {
        let to = ranks.into_iter().map(|rank| assigned(rank, None)).collect();
        self.pool.handle().submit(Work::new(Arc::clone(task), to));
    }

    /// The next end.
    pub(crate) fn end(&self) -> End {
        self.ends.recv_timeout(PATIENCE).expect("an end was awaited, and none came").2
    }

    /// The next `count` ends, by client.
    pub(crate) fn ends(&self, count: usize) -> BTreeMap<u32, End> {
        let ends = (0..count).map(|_| self.ends.recv_timeout(PATIENCE).unwrap());
        ends.map(|(task, _, end)| (task.rank.0, end)).collect()
    }

    /// Has one client carry out one task, and waits for it.
    pub(crate) fn run(&self, operation: u64, name: &str, rank: u32) -> End {
        self.submit(&task(operation, name), [rank]);
        self.end()
    }

    /// The ends that nobody has asked for.
    pub(crate) fn rest(self) -> Vec<(TaskId, End)> {
        drop(self.pool);
        self.ends.try_iter().map(|(task, _, end)| (task, end)).collect()
    }
}

/// Before any pool is made, so that the pool's hook has one to delegate to.
fn note_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let name = std::thread::current().name().unwrap_or_default().to_owned();
            PANICKED.lock().unwrap().push(name);
            before(info);
        }));
    });
}

pub(crate) fn assigned(rank: u32, state: Option<u64>) -> Assigned {
    Assigned { rank: Rank(rank), attempt: 1, state: state.map(OperationId) }
}

/// A task without tensors that may write state.
pub(crate) fn task(operation: u64, name: &str) -> Arc<Task> {
    with_tensors(operation, name, Tensors::empty())
}

pub(crate) fn with_tensors(operation: u64, name: &str, tensors: Tensors) -> Arc<Task> {
    Arc::new(Task {
        operation: OperationId(operation),
        key: Key::Label(Name::new(&format!("{name}-{operation}")).unwrap()),
        stop: 0,
        name: name.into(),
        round: None,
        hash: Hash::of(name),
        input: tensors.into(),
        state: StateAccess::Write,
    })
}

pub(crate) fn doubles(values: &[f64]) -> Tensors {
    Tensors::from_slices([("x", [values.len()].as_slice(), TensorData::F64(values))]).unwrap()
}

pub(crate) fn reply(tensors: Tensors) -> Reply {
    Reply {
        output: Shareable::from(tensors),
        weight: Weight::Count(1),
        metrics: Vec::<Metric>::new(),
    }
}

/// An executor that is one closure.
pub(crate) struct Doing<F>(pub(crate) F);

impl<F> Executor for Doing<F>
where
    F: Fn(&Task, &mut Context<'_>) -> Result<Reply, Error> + Send,
{
    fn setup(&mut self, _: &mut Context<'_>) -> Result<(), Error> {
        Ok(())
    }

    fn execute(&mut self, task: &Task, ctx: &mut Context<'_>) -> Result<Reply, Error> {
        (self.0)(task, ctx)
    }
}

/// Options for clients who all do the same.
pub(crate) fn doing<F>(clients: u32, workers: usize, work: F) -> PoolOptions
where
    F: Fn(&Task, &mut Context<'_>) -> Result<Reply, Error> + Clone + Send + Sync + 'static,
{
    made_by(clients, workers, move || Box::new(Doing(work.clone())))
}

/// Options for clients whose executors `make` makes.
pub(crate) fn made_by(
    clients: u32,
    workers: usize,
    make: impl Fn() -> Box<dyn Executor> + Send + Sync + 'static,
) -> PoolOptions {
    let mut options = PoolOptions::new(Roster::counted(clients).unwrap(), 7, Arc::new(make));
    options.workers = NonZeroUsize::new(workers).unwrap();
    options
}
