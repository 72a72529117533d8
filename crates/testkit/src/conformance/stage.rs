//! A client side in the open: an executor whose tasks tell what they do, and wait when they are told to.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::time::Duration;

use bytes::Bytes;
use flare_core::component::ExecutorFactory;
use flare_core::executor::{Context, Error, Executor, Reply, Task};
use flare_core::filter::Chain;
use flare_core::hash::Hash;
use flare_core::journal::StateStore;
use flare_core::memory::MemoryStates;
use flare_core::metric::{Direction, Metric};
use flare_core::names::{Name, Rank, Roster};
use flare_core::operation::{Key, OperationId, StateAccess};
use flare_core::outcome::{Cause, Weight};
use flare_core::shareable::Shareable;
use flare_core::tensor::{TensorData, Tensors};
use flare_core::transport::{Announcement, Assignment, Event, TaskId, Transport};

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a transport under test is made for.
pub struct Setup {
    /// The clients.
    pub roster: Roster,
    /// What they run.
    pub unit: Arc<dyn ExecutorFactory>,
    /// Where their states are kept.
    pub states: Arc<dyn StateStore>,
    /// Filters on replies as they leave.
    pub reply_out: Chain,
}

/// A transport under test, the stage on which its executors play, and what it tells.
pub struct Theatre {
    /// What is tested.
    pub transport: Arc<dyn Transport>,
    /// What its executors do.
    pub stage: Arc<Stage>,
    events: mpsc::Receiver<Event>,
}

impl Theatre {
    /// Clients `client-0` … over a transport made by `make`.
    pub fn new(clients: u32, make: impl FnOnce(Setup) -> Arc<dyn Transport>) -> Self {
        Self::with(clients, Arc::new(MemoryStates::default()), Arc::new([]), make)
    }

    /// [`Theatre::new`] with states and filters of the test's own.
    pub fn with(
        clients: u32,
        states: Arc<dyn StateStore>,
        reply_out: Chain,
        make: impl FnOnce(Setup) -> Arc<dyn Transport>,
    ) -> Self {
        let stage = Arc::new(Stage::default());
        let roster = Roster::counted(clients).unwrap();
        let transport = make(Setup { roster, unit: stage.unit(), states, reply_out });
        let events = listen(&*transport);
        Self { transport, stage, events }
    }

    /// Sends a task to clients, none of which has a state.
    pub fn dispatch(&self, task: &Arc<Task>, ranks: impl IntoIterator<Item = u32>) {
        let to = |rank| Assignment { rank: Rank(rank), state: None };
        self.transport.dispatch(task, &ranks.into_iter().map(to).collect::<Vec<_>>());
    }

    /// The next event; a test that waits in vain fails.
    pub fn next(&self) -> Event {
        self.events.recv_timeout(PATIENCE).expect("an event was awaited, and none came")
    }

    /// The next end of a task.
    pub fn end(&self) -> (TaskId, Result<Announcement, Cause>) {
        loop {
            match self.next() {
                Event::Announced(task, announcement) => return (task, Ok(announcement)),
                Event::Failed { task, cause, .. } => return (task, Err(cause)),
                _ => {}
            }
        }
    }

    /// The next `count` ends, by client.
    pub fn ends(&self, count: usize) -> BTreeMap<u32, Result<Announcement, Cause>> {
        (0..count).map(|_| self.end()).map(|(task, end)| (task.rank.0, end)).collect()
    }

    /// The next end, which is an announcement.
    pub fn announced(&self) -> (TaskId, Announcement) {
        let (task, end) = self.end();
        (task, end.unwrap())
    }

    /// Has `clients` carry out one more operation, under the number `operation`. What came before it is
    /// over then, wherever tasks are taken in turn. Hands back the other events that came.
    pub fn barrier(&self, operation: u64, clients: u32) -> Vec<Event> {
        self.dispatch(&task(operation, "echo", Tensors::empty()), 0..clients);
        let mut left = clients;
        let mut others = Vec::new();
        while left > 0 {
            match self.next() {
                Event::Announced(task, _) if task.operation.0 == operation => left -= 1,
                other => others.push(other),
            }
        }
        others
    }

    /// A whole held reply.
    pub fn fetch(&self, task: TaskId, bytes: u64) -> Bytes {
        futures::executor::block_on(self.transport.fetch(task, 0..bytes)).unwrap()
    }
}

/// What a transport tells, on a thread of its own, so that a test can wait with a deadline.
pub fn listen(transport: &dyn Transport) -> mpsc::Receiver<Event> {
    let (sender, receiver) = mpsc::channel();
    let batches = transport.events();
    std::thread::spawn(move || {
        for batch in futures::executor::block_on_stream(batches) {
            batch.into_iter().for_each(|event| drop(sender.send(event)));
        }
    });
    receiver
}

/// What the executors do, and have done.
#[derive(Default)]
pub struct Stage {
    scene: Mutex<Scene>,
    changed: Condvar,
}

#[derive(Default)]
struct Scene {
    open: bool,
    started: Vec<Started>,
}

/// One execution.
#[derive(Debug, Clone, PartialEq)]
pub struct Started {
    /// Of which operation.
    pub operation: u64,
    /// By which client.
    pub client: String,
    /// Whether it was cancelled when it began.
    pub was_cancelled: bool,
}

impl Stage {
    /// Makes executors that play here.
    pub fn unit(self: &Arc<Self>) -> Arc<dyn ExecutorFactory> {
        let stage = Arc::clone(self);
        let create =
            move || -> Box<dyn Executor> { Box::new(Player { stage: Arc::clone(&stage) }) };
        Arc::new(create)
    }

    /// Lets the tasks named `gate` go on.
    pub fn open(&self) {
        self.scene.lock().unwrap().open = true;
        self.changed.notify_all();
    }

    /// Executions of an operation so far.
    pub fn started(&self, operation: u64) -> Vec<Started> {
        let scene = self.scene.lock().unwrap();
        scene.started.iter().filter(|it| it.operation == operation).cloned().collect()
    }

    /// How many executions have begun so far, of all operations.
    pub fn executions(&self) -> usize {
        self.scene.lock().unwrap().started.len()
    }

    /// Waits until so many executions of an operation have begun.
    pub fn wait_started(&self, operation: u64, count: usize) {
        let scene = self.scene.lock().unwrap();
        let too_few = |scene: &mut Scene| {
            scene.started.iter().filter(|it| it.operation == operation).count() < count
        };
        let (_scene, timeout) = self.changed.wait_timeout_while(scene, PATIENCE, too_few).unwrap();
        assert!(!timeout.timed_out(), "{count} executions of {operation} were awaited");
    }

    fn note(&self, started: Started) {
        self.scene.lock().unwrap().started.push(started);
        self.changed.notify_all();
    }

    /// Waits until the gate is open, or nobody waits for the task.
    fn pass_gate(&self, ctx: &Context<'_>) -> Result<(), Error> {
        let mut scene = self.scene.lock().unwrap();
        while !scene.open {
            if ctx.cancelled() {
                return Err("cancelled".into());
            }
            let look_again = Duration::from_millis(1);
            scene = self.changed.wait_timeout(scene, look_again).unwrap().0;
        }
        Ok(())
    }
}

struct Player {
    stage: Arc<Stage>,
}

impl Executor for Player {
    fn setup(&mut self, _: &mut Context<'_>) -> Result<(), Error> {
        Ok(())
    }

    fn execute(&mut self, task: &Task, ctx: &mut Context<'_>) -> Result<Reply, Error> {
        self.stage.note(Started {
            operation: task.operation.0,
            client: ctx.client().to_string(),
            was_cancelled: ctx.cancelled(),
        });
        let (mut metrics, mut tensors) = (Vec::new(), task.input.tensors.clone());
        match &*task.name {
            "echo" => {}
            "grow" => tensors = grown(&tensors),
            "gate" => self.stage.pass_gate(ctx)?,
            "fail" => return Err("as it was told".into()),
            "progress" => [0.25, 0.5, 1.0].into_iter().for_each(|done| ctx.progress(done)),
            "append" => {
                let mut state = ctx.state().map(|state| state.to_vec()).unwrap_or_default();
                metrics.push(metric("state", state_number(&state)));
                state.push(task.operation.0 as u8);
                ctx.set_state(state)?;
            }
            "look" => {
                let state = ctx.state().map(|state| state.to_vec()).unwrap_or_default();
                metrics.push(metric("state", state_number(&state)));
            }
            other => return Err(format!("no task {other} is known").into()),
        }
        let output = Shareable { tensors, ..Shareable::default() };
        Ok(Reply { output, weight: Weight::Count(1), metrics })
    }
}

/// A state as one number: 1 and 2, appended in this order, give 12.
fn state_number(state: &[u8]) -> f64 {
    state.iter().fold(0.0, |number, byte| 10.0 * number + f64::from(*byte))
}

/// A metric of weight 1.
pub fn metric(name: &str, value: f64) -> Metric {
    Metric { name: name.into(), value, weight: 1.0, direction: Direction::HigherIsBetter }
}

/// A task of an operation without state.
pub fn task(operation: u64, name: &str, tensors: Tensors) -> Arc<Task> {
    stateful(operation, name, tensors, StateAccess::None)
}

/// A task of an operation.
pub fn stateful(operation: u64, name: &str, tensors: Tensors, state: StateAccess) -> Arc<Task> {
    Arc::new(Task {
        operation: OperationId(operation),
        key: Key::Label(Name::new(&format!("{name}-{operation}")).unwrap()),
        stop: 0,
        name: name.into(),
        round: Some(operation),
        hash: Hash::derive("test task", tensors.hash().as_bytes()),
        input: tensors.into(),
        state,
    })
}

/// So many floats, and the encoded set is a little larger.
pub fn floats(count: usize) -> Tensors {
    let values: Vec<f32> = (0..count).map(|index| index as f32).collect();
    Tensors::from_slices([("w", [count].as_slice(), TensorData::F32(&values))]).unwrap()
}

/// What is replied to [`floats`] by a client that adds a tensor of its own, larger than them.
pub fn grown(floats: &Tensors) -> Tensors {
    let values = floats.slice::<f32>("w").unwrap();
    let more = vec![0.5; 100 + values.len()];
    Tensors::from_slices([
        ("w", [values.len()].as_slice(), TensorData::F32(values)),
        ("more", [more.len()].as_slice(), TensorData::F32(&more)),
    ])
    .unwrap()
}
