//! X2 and E3, as the pool that runs learners owes them: over every learner that a job can name.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flare_core::component::{ComponentSpec, Role};
use flare_core::executor::{Context, DataSource, Error, Executor, Reply, Task};
use flare_core::hash::Hash;
use flare_core::metric::Metric;
use flare_core::names::{Name, Rank, Roster};
use flare_core::operation::{Key, OperationId, StateAccess};
use flare_core::outcome::{Cause, Weight};
use flare_core::tensor::{TensorData, Tensors};
use flare_core::transport::TaskId;
use flare_core::value::Value;
use flare_executor::{Assigned, ClientData, Handle, Output, Pool, PoolOptions, Sink, Work};

/// Each learner; settings under which its tasks are short, and such that they take long, if there are any.
const LEARNERS: [(&str, &str, Option<&str>); 5] = [
    ("echo", "", None),
    ("failing", "rounds = [9]", None),
    ("fixed", "scale = 0.5", None),
    ("sleepy", "jitter = 0.002\nreply.scale = 0.5", Some("delay = 60.0")),
    ("softmax-regression", "batch_size = 1", Some("batch_size = 1\nepochs = 20000000")),
];
/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// A learner that is added is tried as well.
#[test]
fn every_learner_is_tried() {
    let registry = flare::registry();
    let learners = registry.iter().filter(|component| component.role == Role::Executor);
    let mut kinds: Vec<&str> = learners.map(|component| component.kind.as_str()).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, LEARNERS.map(|(kind, ..)| kind));
}

/// That no two threads are in it is what its type says. While it blocks, others begin and end.
#[test]
fn e3_a_learner_that_blocks_holds_up_nobody_else() {
    for (kind, settings, _) in LEARNERS {
        for name in ["train", "evaluate"] {
            let what = format!("{kind}: {name}");
            let alone = Hosted::new(kind, settings, 1, Wait::No);
            alone.submit(1, name, 0..4);
            let expected = alone.replies(4, &what);

            let (hosted, gate) = Hosted::gated(kind, settings, 2, Wait::Opened);
            hosted.submit(1, name, 0..4);
            let others = hosted.replies(3, &what);
            assert!(!others.contains_key(&0), "{what}: it did not block");
            drop(gate);
            let mut all = hosted.replies(1, &what);
            all.extend(others);
            assert_eq!(all, expected, "{what}");
        }
    }
}

/// Long tasks end with an error; short ones are carried out, and count for nothing. It is told once, and the
/// next task finds a learner that nothing has happened to.
#[test]
fn x2_what_nobody_waits_for_when_the_learner_begins_is_no_reply() {
    for (kind, settings, long) in LEARNERS {
        for name in ["train", "evaluate"] {
            let what = format!("{kind}: {name}");
            let hosted = Hosted::new(kind, long.unwrap_or(settings), 1, Wait::Cancelled);
            hosted.submit(1, name, 0..1);
            hosted.cancel_when_it_has_begun(1);
            let cause = match long {
                Some(_) => Cause::Error("cancelled".into()),
                None => Cause::Cancelled,
            };
            assert_eq!(hosted.end().1.unwrap_err(), cause, "{what}");
            if long.is_none() {
                hosted.submit(2, name, 0..1);
                hosted.replies(1, &what);
            }
            assert_eq!(hosted.rest(), 0, "{what} is told twice");
        }
    }
}

/// It would take long, and give a reply.
#[test]
fn x2_a_long_task_is_stopped_in_its_midst() {
    for (kind, _, long) in LEARNERS {
        let Some(settings) = long else { continue };
        let hosted = Hosted::new(kind, settings, 1, Wait::No);
        hosted.submit(1, "train", 0..1);
        if kind == "softmax-regression" {
            hosted.progress.recv_timeout(PATIENCE).expect("it tells how far it is");
        }
        hosted.cancel_when_it_has_begun(1);
        let cause = hosted.end().1.unwrap_err();
        assert_eq!(cause, Cause::Error("cancelled".into()), "{kind}");
        assert_eq!(hosted.rest(), 0, "{kind} is told twice");
    }
}

type End = Result<Output, Cause>;
/// What a reply is: the hash of its tensors, its weight and its metrics.
type Made = (Hash, Weight, Box<[Metric]>);

/// A pool of one learner, and what is heard of it.
struct Hosted {
    pool: Pool,
    began: Receiver<()>,
    ends: Receiver<(u32, End)>,
    progress: Receiver<f32>,
}

impl Hosted {
    fn new(kind: &str, settings: &str, workers: usize, wait: Wait) -> Self {
        Self::gated(kind, settings, workers, wait).0
    }

    /// With what keeps the gate shut until it is dropped.
    fn gated(kind: &str, settings: &str, workers: usize, wait: Wait) -> (Self, Sender<()>) {
        let config: Value = toml::from_str(settings).unwrap();
        let spec = ComponentSpec { config, ..ComponentSpec::plain(kind) };
        let learner = flare::registry().executor(&spec).unwrap();
        let ((begins, began), (shut, opened)) = (channel(), channel());
        let (is_passed, opened) = (AtomicBool::new(false), Mutex::new(opened));
        let gate = Arc::new(Gate { wait, is_passed, begins, opened });
        let create = move || -> Box<dyn Executor> {
            Box::new(Gated { inner: learner.create(), gate: Arc::clone(&gate) })
        };
        let mut options = PoolOptions::new(Roster::counted(4).unwrap(), 7, Arc::new(create));
        options.workers = NonZeroUsize::new(workers).unwrap();
        options.data = Arc::new(Rows::written());
        let ((told, ends), (tells, progress)) = (channel(), channel());
        let pool = Pool::new(options, Arc::new(Heard(told, tells))).unwrap();
        (Self { pool, began, ends, progress }, shut)
    }

    fn submit(&self, operation: u64, name: &str, ranks: std::ops::Range<u32>) {
        let to = ranks.map(|rank| Assigned { rank: Rank(rank), attempt: 1, state: None });
        self.pool.handle().submit(Work::new(task(operation, name), to.collect()));
    }

    /// Cancels the task of the first client.
    fn cancel_when_it_has_begun(&self, operation: u64) {
        self.began.recv_timeout(PATIENCE).expect("a task begins");
        self.pool.handle().cancel(OperationId(operation), &[Rank(0)]);
    }

    fn end(&self) -> (u32, End) {
        self.ends.recv_timeout(PATIENCE).expect("an end was awaited, and none came")
    }

    /// The next replies, by client.
    fn replies(&self, count: usize, what: &str) -> BTreeMap<u32, Made> {
        let made = |(rank, end): (u32, End)| {
            let output = end.unwrap_or_else(|cause| panic!("{what}: {cause}"));
            (rank, (output.tensors, output.weight, output.metrics))
        };
        (0..count).map(|_| made(self.end())).collect()
    }

    /// How many ends nobody has asked for.
    fn rest(self) -> usize {
        drop(self.pool);
        self.ends.try_iter().count()
    }
}

struct Heard(Sender<(u32, End)>, Sender<f32>);

impl Sink for Heard {
    fn finished(&self, _: &Arc<Task>, assigned: Assigned, result: End, _: &Handle) {
        drop(self.0.send((assigned.rank.0, result)));
    }

    fn progress(&self, _: TaskId, done: f32) {
        self.1.send(done).ok();
    }
}

/// What the first client's first task waits for before its learner hears of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wait {
    No,
    Opened,
    Cancelled,
}

struct Gate {
    wait: Wait,
    is_passed: AtomicBool,
    begins: Sender<()>,
    opened: Mutex<Receiver<()>>,
}

/// A learner behind a gate.
struct Gated {
    inner: Box<dyn Executor>,
    gate: Arc<Gate>,
}

impl Executor for Gated {
    fn setup(&mut self, ctx: &mut Context<'_>) -> Result<(), Error> {
        self.inner.setup(ctx)
    }

    fn execute(&mut self, task: &Task, ctx: &mut Context<'_>) -> Result<Reply, Error> {
        if ctx.client().as_str() == "client-0" && !self.gate.is_passed.swap(true, Ordering::Relaxed)
        {
            self.gate.begins.send(()).ok();
            match self.gate.wait {
                Wait::No => (),
                Wait::Opened => drop(self.gate.opened.lock().unwrap().recv()),
                Wait::Cancelled => {
                    while !ctx.cancelled() {
                        std::thread::yield_now();
                    }
                }
            }
        }
        self.inner.execute(task, ctx)
    }

    fn teardown(&mut self) {
        self.inner.teardown();
    }
}

/// Rows of two features and a class: each client has two of its own.
struct Rows(tempfile::TempDir);

impl Rows {
    fn written() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let rows = (0..8).map(|row| format!("{}.5,{},{}\n", row, 7 - row * row, row % 2));
        let text = format!("a,b,class\n{}", rows.collect::<String>());
        std::fs::write(folder.path().join("rows.csv"), text).unwrap();
        Self(folder)
    }
}

impl ClientData for Rows {
    fn data(&self, rank: Rank, _: &Name, _: &str) -> Result<DataSource, Error> {
        let options = [("format", "csv"), ("label", "class")].map(|(k, v)| (k, Value::from(v)));
        let rows = Some([rank.0, rank.0 + 4].as_slice().into());
        let path = self.0.path().join("rows.csv");
        Ok(DataSource { path, rows, options: options.into_iter().collect() })
    }
}

fn task(operation: u64, name: &str) -> Arc<Task> {
    let (weights, bias) = ([0.5, -0.25, 0.125, 1.0], [0.25, -0.125]);
    let model = Tensors::from_slices([
        ("weights", [2, 2].as_slice(), TensorData::F32(&weights)),
        ("bias", [2].as_slice(), TensorData::F32(&bias)),
    ]);
    Arc::new(Task {
        operation: OperationId(operation),
        key: Key::Label(Name::new(&format!("{name}-{operation}")).unwrap()),
        stop: 0,
        name: name.into(),
        round: Some(1),
        input: model.unwrap().into(),
        state: StateAccess::None,
        hash: Hash::of(name),
    })
}
