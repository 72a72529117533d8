//! A transport whose client side is one thread: the smallest that keeps every obligation of `Transport`.
#![forbid(unsafe_code)]

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};

use bytes::Bytes;
use flare_core::executor::{Cancel, Context, DataSource, Error, Reply, Surroundings, Task};
use flare_core::filter::{self, Chain, Passage, Point, panic_text};
use flare_core::journal::{self, StateStore};
use flare_core::names::{Rank, Roster};
use flare_core::transport::*;
use flare_core::{component::ExecutorFactory, hash::Hash, operation::OperationId, outcome::Cause};
use futures::{StreamExt, channel::mpsc as channel, stream::BoxStream};

/// What the client side is made of: names, what they run, their states, filters on their replies.
pub struct Clients {
    pub roster: Roster,
    pub unit: Arc<dyn ExecutorFactory>,
    pub states: Arc<dyn StateStore>,
    pub reply_out: Chain,
}

/// What a held reply answers: the task, and the version of the state that it started from.
type Asked = (Hash, Option<OperationId>);
type Order = (Arc<Task>, Assignment, u32, Cancel);

enum Phase {
    Waiting(Cancel),
    Held(Announcement, Bytes, Asked),
    Over,
}

#[derive(Default)]
struct Tasks {
    phases: BTreeMap<TaskId, (u32, Phase)>,
    released: HashSet<OperationId>,
}

struct Shared {
    clients: Clients,
    tasks: Mutex<Tasks>,
    events: channel::UnboundedSender<Vec<Event>>,
}

/// Carries tasks to one thread, and replies back.
pub struct OneThread {
    shared: Arc<Shared>,
    work: Mutex<mpsc::Sender<Order>>,
    events: Mutex<Option<channel::UnboundedReceiver<Vec<Event>>>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl OneThread {
    /// Starts the thread; it ends when the transport is dropped.
    pub fn new(clients: Clients) -> Self {
        let (sender, events) = channel::unbounded();
        let shared = Arc::new(Shared { clients, tasks: Mutex::default(), events: sender });
        let (work, orders) = mpsc::channel();
        let worker = Arc::clone(&shared);
        std::thread::spawn(move || orders.iter().for_each(|order| worker.work(order)));
        Self { shared, work: Mutex::new(work), events: Mutex::new(Some(events)) }
    }
}

impl Shared {
    /// Tells the runtime something, unless the operation was released meanwhile.
    fn tell(&self, tasks: &Tasks, operation: OperationId, event: Event) {
        if !tasks.released.contains(&operation) {
            self.events.unbounded_send(vec![event]).unwrap_or(());
        }
    }

    fn work(&self, (task, to, attempt, cancel): Order) {
        let id = TaskId { operation: task.operation, stop: task.stop, rank: to.rank };
        let is_wanted = !cancel.is_set() && locked(&self.tasks).phases.contains_key(&id);
        let end = match is_wanted {
            true => self.attempt(id, &task, to.state, &cancel),
            false => Err(Cause::Cancelled),
        };
        let mut tasks = locked(&self.tasks);
        let Some((_, phase)) = tasks.phases.get_mut(&id) else { return };
        let event = match end {
            Ok((reply, wrote_state)) => {
                let announcement = Announcement::of(&reply, attempt, wrote_state);
                let bytes = reply.output.tensors.encoded().clone();
                *phase = Phase::Held(announcement.clone(), bytes, (task.hash, to.state));
                Event::Announced(id, announcement)
            }
            Err(cause) => {
                *phase = Phase::Over;
                Event::Failed { task: id, attempt, cause }
            }
        };
        self.tell(&tasks, id.operation, event);
    }

    /// The reply, and whether it left a new state.
    fn attempt(
        &self,
        id: TaskId,
        task: &Task,
        version: Option<OperationId>,
        cancel: &Cancel,
    ) -> Result<(Reply, bool), Cause> {
        let around = |text: String| Cause::Environment(text.into());
        let Clients { roster, unit, states, reply_out } = &self.clients;
        let state = version.map(|version| states.get(id.rank, version)).transpose();
        let state = state.map_err(|error| around(format!("state lost: {error}")))?;
        let (client, here) = (roster.name(id.rank), Here { shared: self, task: id });
        let mut ctx = Context::new(&client, task, 0, 1, cancel, &here, state);
        let mut executor = unit.create();
        let call = || executor.setup(&mut ctx).and_then(|()| executor.execute(task, &mut ctx));
        let mut reply = catch_unwind(AssertUnwindSafe(call))
            .map_err(|panic| Cause::Panic(panic_text(&*panic).into()))?
            .map_err(|error| Cause::Error(error.to_string().into()))?;
        let (point, asked) = (Point::ReplyOut, Some(&task.input.tensors));
        let passage = Passage { point, client: Some(&client), task: asked };
        reply.output = filter::pass(reply_out, reply.output, passage)
            .map_err(|error| Cause::Refused(error.to_string().into()))?;
        let Some(state) = ctx.into_state() else { return Ok((reply, false)) };
        let put = states.put(id.rank, id.operation, state);
        put.map(|()| (reply, true)).map_err(|error| around(error.to_string()))
    }
}

struct Here<'a> {
    shared: &'a Shared,
    task: TaskId,
}

impl Surroundings for Here<'_> {
    fn data(&self, name: &str) -> Result<DataSource, Error> {
        Err(format!("there is no data set {name} here").into())
    }

    fn progress(&self, done: f32) {
        let event = Event::Progress(self.task, done);
        self.shared.tell(&locked(&self.shared.tasks), self.task.operation, event);
    }
}

#[async_trait::async_trait]
impl Transport for OneThread {
    fn present(&self) -> Vec<Rank> {
        self.shared.clients.roster.ranks().collect()
    }

    fn dispatch(&self, task: &Arc<Task>, to: &[Assignment]) {
        let mut tasks = locked(&self.shared.tasks);
        for assignment in to {
            let id = TaskId { operation: task.operation, stop: task.stop, rank: assignment.rank };
            let attempt = match tasks.phases.get(&id) {
                Some((_, Phase::Waiting(_))) => continue,
                Some((_, Phase::Held(announcement, _, asked)))
                    if *asked == (task.hash, assignment.state) =>
                {
                    let event = Event::Announced(id, announcement.clone());
                    self.shared.tell(&tasks, id.operation, event);
                    continue;
                }
                Some((attempt, _)) => attempt + 1,
                None => 1,
            };
            let cancel = Cancel::default();
            tasks.phases.insert(id, (attempt, Phase::Waiting(cancel.clone())));
            let order = (Arc::clone(task), *assignment, attempt, cancel);
            locked(&self.work).send(order).unwrap_or(());
        }
    }

    fn cancel(&self, operation: OperationId, ranks: &[Rank]) {
        for (id, (_, phase)) in &locked(&self.shared.tasks).phases {
            if let (true, Phase::Waiting(cancel)) = (id.operation == operation, phase)
                && ranks.contains(&id.rank)
            {
                cancel.set();
            }
        }
    }

    async fn fetch(&self, task: TaskId, range: Range<u64>) -> Result<Bytes, FetchError> {
        let tasks = locked(&self.shared.tasks);
        let Some((_, Phase::Held(_, bytes, _))) = tasks.phases.get(&task) else {
            return Err(FetchError::Lost);
        };
        let size = bytes.len() as u64;
        if range.start > range.end || range.end > size {
            return Err(FetchError::Range { range, size });
        }
        Ok(bytes.slice(range.start as usize..range.end as usize))
    }

    fn let_go(&self, task: TaskId) {
        if let Some((_, phase @ Phase::Held(..))) = locked(&self.shared.tasks).phases.get_mut(&task)
        {
            *phase = Phase::Over;
        }
    }

    fn settle(&self, operation: OperationId) -> Result<(), journal::Error> {
        self.shared.clients.states.settle(operation)
    }

    fn release(&self, operation: OperationId, counted: &[Rank]) {
        let mut tasks = locked(&self.shared.tasks);
        tasks.released.insert(operation);
        tasks.phases.retain(|id, (_, phase)| {
            if let (true, Phase::Waiting(cancel)) = (id.operation == operation, phase) {
                cancel.set();
            }
            id.operation != operation
        });
        let released = self.shared.clients.states.release(operation, counted);
        released.expect("a state that cannot be removed is not worth a run");
    }

    fn events(&self) -> BoxStream<'static, Vec<Event>> {
        let events = locked(&self.events).take();
        events.map_or_else(|| futures::stream::empty().boxed(), StreamExt::boxed)
    }
}
