//! The runtime over the simplest transport there can be: it answers inside `dispatch`.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use flare_core::clock::{Clock, Spawn, Timestamp};
use flare_core::event::Kind;
use flare_core::executor::Task;
use flare_core::federation::Federation;
use flare_core::journal::{self, Entry, Journal, Run, RunId};
use flare_core::memory::{MemoryBlobs, MemoryJournal};
use flare_core::names::{Name, Rank, Roster};
use flare_core::operation::{
    OperationId, OperationSpec, RelayFailure, StateAccess, Targets, TaskSpec,
};
use flare_core::operations;
use flare_core::outcome::{Cause, Weight};
use flare_core::pool::Serial;
use flare_core::runtime::{Home, Options, Runtime, Seams};
use flare_core::tensor::{DType, Layout, Tensors};
use flare_core::transport::{Announcement, Assignment, Event, FetchError, TaskId, Transport};
use flare_core::{Hash, Shareable};
use futures::channel::mpsc;
use futures::executor::block_on;
use futures::future::BoxFuture;
use futures::stream::{BoxStream, StreamExt};

type Answer = dyn Fn(&Task, Rank) -> Result<f32, Cause> + Send + Sync;

/// Answers each task with one number, in the order of its ranks turned round.
pub(crate) struct Direct {
    answer: Box<Answer>,
    weigh: Box<dyn Fn(Rank) -> Weight + Send + Sync>,
    /// What a client sends instead of a file of tensors.
    forged: BTreeMap<Rank, Bytes>,
    is_silent: bool,
    /// So many fetches find nothing.
    losses: Mutex<u32>,
    /// Replies ride in their announcements: they are checked one by one, in the order in which they come.
    is_inline: bool,
    sender: mpsc::UnboundedSender<Vec<Event>>,
    receiver: Mutex<Option<mpsc::UnboundedReceiver<Vec<Event>>>>,
    held: Mutex<BTreeMap<TaskId, Bytes>>,
    dispatched: Mutex<Vec<(String, Rank)>>,
    pub(crate) released: Mutex<Vec<(OperationId, Vec<Rank>)>>,
    started_from: Mutex<Vec<Option<OperationId>>>,
}

impl Direct {
    pub(crate) fn new(
        answer: impl Fn(&Task, Rank) -> Result<f32, Cause> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self::made(answer))
    }

    fn made(answer: impl Fn(&Task, Rank) -> Result<f32, Cause> + Send + Sync + 'static) -> Self {
        let (sender, receiver) = mpsc::unbounded();
        Self {
            answer: Box::new(answer),
            weigh: Box::new(|_| Weight::Count(1)),
            forged: BTreeMap::new(),
            is_silent: false,
            losses: Mutex::default(),
            is_inline: false,
            sender,
            receiver: Mutex::new(Some(receiver)),
            held: Mutex::default(),
            dispatched: Mutex::default(),
            released: Mutex::default(),
            started_from: Mutex::default(),
        }
    }

    /// Everybody answers with 1, but the first reply that is fetched is lost.
    pub(crate) fn losing_one() -> Arc<Self> {
        let direct = Self::made(|_, _| Ok(1.0));
        *direct.losses.lock().unwrap() = 1;
        Arc::new(direct)
    }

    /// Nobody ever answers.
    pub(crate) fn silent() -> Arc<Self> {
        let mut direct = Self::made(|_, _| Ok(0.0));
        direct.is_silent = true;
        Arc::new(direct)
    }

    /// One client sends these bytes as its tensors, and everybody else answers with 1; the last client
    /// first.
    pub(crate) fn forging_in_order(rank: Rank, bytes: Bytes) -> Arc<Self> {
        let mut direct = Self::made(|_, _| Ok(1.0));
        direct.forged.insert(rank, bytes);
        direct.is_inline = true;
        Arc::new(direct)
    }

    /// Client 1 sends these bytes as its tensors; everybody else answers with 1.
    pub(crate) fn forging(bytes: Bytes) -> Arc<Self> {
        let mut direct = Self::made(|_, _| Ok(1.0));
        direct.forged.insert(Rank(1), bytes);
        Arc::new(direct)
    }

    /// Everybody answers with 1, weighed so; the last client first.
    pub(crate) fn weighing(weigh: impl Fn(Rank) -> Weight + Send + Sync + 'static) -> Arc<Self> {
        let mut direct = Self::made(|_, _| Ok(1.0));
        direct.weigh = Box::new(weigh);
        direct.is_inline = true;
        Arc::new(direct)
    }

    /// Operation and client of each task, in the order in which they were asked.
    pub(crate) fn dispatched(&self) -> Vec<(String, Rank)> {
        self.dispatched.lock().unwrap().clone()
    }

    fn event(&self, task: &Task, rank: Rank) -> Event {
        let id = TaskId { operation: task.operation, stop: task.stop, rank };
        let value = match (self.answer)(task, rank) {
            Ok(value) => value,
            Err(cause) => return Event::Failed { task: id, attempt: 1, cause },
        };
        let honest = || scalar(value).encoded().clone();
        let encoded = self.forged.get(&rank).cloned().unwrap_or_else(honest);
        self.held.lock().unwrap().insert(id, encoded.clone());
        let announcement = Announcement {
            attempt: 1,
            weight: (self.weigh)(rank),
            metrics: Box::default(),
            headers: Box::default(),
            tensors: Hash::of(&encoded),
            bytes: encoded.len() as u64,
            inline: self.is_inline.then_some(encoded),
            wrote_state: task.state == StateAccess::Write,
        };
        Event::Announced(id, announcement)
    }
}

#[async_trait]
impl Transport for Direct {
    fn present(&self) -> Vec<Rank> {
        Vec::new()
    }

    fn dispatch(&self, task: &Arc<Task>, to: &[Assignment]) {
        if self.is_silent {
            return;
        }
        let events = to.iter().rev().map(|to| self.event(task, to.rank)).collect();
        self.started_from.lock().unwrap().extend(to.iter().map(|to| to.state));
        let mut dispatched = self.dispatched.lock().unwrap();
        dispatched.extend(to.iter().map(|to| (task.key.to_string(), to.rank)));
        self.sender.unbounded_send(events).unwrap();
    }

    fn cancel(&self, _: OperationId, _: &[Rank]) {}

    async fn fetch(&self, task: TaskId, range: Range<u64>) -> Result<Bytes, FetchError> {
        {
            let mut losses = self.losses.lock().unwrap();
            if *losses > 0 {
                *losses -= 1;
                return Err(FetchError::Lost);
            }
        }
        let held = self.held.lock().unwrap().get(&task).cloned().ok_or(FetchError::Lost)?;
        Ok(held.slice(range.start as usize..range.end as usize))
    }

    fn let_go(&self, task: TaskId) {
        self.held.lock().unwrap().remove(&task);
    }

    fn settle(&self, _: OperationId) -> Result<(), journal::Error> {
        Ok(())
    }

    fn release(&self, operation: OperationId, counted: &[Rank]) {
        self.released.lock().unwrap().push((operation, counted.to_vec()));
    }

    fn events(&self) -> BoxStream<'static, Vec<Event>> {
        self.receiver.lock().unwrap().take().unwrap().boxed()
    }
}

struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp(0)
    }

    fn sleep_until(&self, _: Timestamp) -> BoxFuture<'static, ()> {
        Box::pin(futures::future::pending())
    }
}

struct Threads;

impl Spawn for Threads {
    fn spawn(&self, _: &'static str, work: BoxFuture<'static, ()>) {
        std::thread::spawn(move || block_on(work));
    }

    fn blocking(&self, _: &'static str, work: Box<dyn FnOnce() + Send>) {
        std::thread::spawn(work);
    }
}

pub(crate) fn scalar(value: f32) -> Tensors {
    let layout = Layout::new([("x", DType::F32, Vec::new())]).unwrap();
    let mut tensors = Tensors::builder(&layout);
    tensors.slice_mut::<f32>("x").unwrap()[0] = value;
    tensors.finish()
}

pub(crate) fn value(tensors: &Tensors) -> f32 {
    tensors.slice::<f32>("x").unwrap()[0]
}

/// A journal that forgets nothing, as one on disk.
#[derive(Default)]
struct Everything(Mutex<Vec<Entry>>);

impl Journal for Everything {
    fn append(&self, entries: &[Entry], _: bool) -> Result<(), journal::Error> {
        self.0.lock().unwrap().extend_from_slice(entries);
        Ok(())
    }

    fn entries(&self) -> Result<Vec<Entry>, journal::Error> {
        Ok(self.0.lock().unwrap().clone())
    }
}

/// A run of `clients` clients whose journal and blobs outlive its runtime.
pub(crate) struct World {
    pub(crate) run: Run,
    pub(crate) journal: Arc<dyn Journal>,
    blobs: Arc<MemoryBlobs>,
}

impl World {
    pub(crate) fn new(clients: u32) -> Self {
        let run = Run {
            id: RunId(7),
            job: Name::new("test").unwrap(),
            job_hash: Hash::of([]),
            seed: 0,
            roster: Roster::counted(clients).unwrap(),
            units: Vec::new(),
        };
        Self { run, journal: Arc::new(MemoryJournal::default()), blobs: Arc::default() }
    }

    /// The same, but its journal forgets nothing.
    pub(crate) fn remembering(clients: u32) -> Self {
        Self { journal: Arc::new(Everything::default()), ..Self::new(clients) }
    }

    pub(crate) fn open<T: Transport>(&self, transport: &Arc<T>) -> Federation {
        self.open_with(transport, Options::default()).unwrap()
    }

    pub(crate) fn open_with<T: Transport>(
        &self,
        transport: &Arc<T>,
        options: Options,
    ) -> Result<Federation, operations::Error> {
        let home =
            Home { journal: self.journal.clone(), blobs: self.blobs.clone(), keep_checkpoints: 2 };
        let seams =
            Seams { clock: Arc::new(Still), spawn: Arc::new(Threads), pool: Arc::new(Serial) };
        let transport = Arc::clone(transport);
        let runtime = Runtime::open(self.run.clone(), transport, home, seams, options)?;
        Ok(Federation::new(runtime))
    }
}

pub(crate) fn train(value: f32) -> OperationSpec {
    let input = Shareable::from(scalar(value));
    OperationSpec::broadcast(TaskSpec { name: "train".into(), input, ..TaskSpec::default() })
}

fn input(task: &Task) -> f32 {
    value(&task.input.tensors)
}

#[test]
fn replies_come_by_rank_whoever_answers_first() {
    let transport = Direct::new(|_, rank| Ok(rank.0 as f32));
    let federation = World::new(3).open(&transport);
    let outcome = block_on(federation.broadcast_and_wait(train(0.0))).unwrap();
    let replies = block_on(federation.replies(&outcome)).unwrap();
    let replies: Vec<_> =
        replies.iter().map(|reply| (reply.rank.0, value(&reply.tensors))).collect();
    assert_eq!(replies, [(0, 0.0), (1, 1.0), (2, 2.0)]);
    let order: Vec<u32> = outcome.record.ends.iter().map(|end| end.rank.0).collect();
    assert_eq!(order.len(), 3);
    assert!(transport.held.lock().unwrap().is_empty());
    let all = [Rank(0), Rank(1), Rank(2)].to_vec();
    assert_eq!(*transport.released.lock().unwrap(), [(OperationId(0), all)]);
}

#[test]
fn a_learner_that_fails_is_left_out_by_name() {
    let transport = Direct::new(|_, rank| match rank.0 {
        1 => Err(Cause::Error("no such column".into())),
        rank => Ok(rank as f32),
    });
    let federation = World::new(3).open(&transport);
    let failures = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&failures);
    federation.on(Kind::Failure, move |event| {
        heard.lock().unwrap().push(format!("{:?}", event.what));
        Ok(())
    });
    let outcome = block_on(federation.broadcast_and_wait(train(0.0))).unwrap();
    assert_eq!(outcome.record.counted().len(), 2);
    let failures = failures.lock().unwrap();
    assert!(failures.len() == 1 && failures[0].contains("client-1"), "{failures:?}");
    assert!(failures[0].contains("no such column"), "{failures:?}");
}

#[test]
fn c017_a_relay_passes_on_what_the_stop_before_replied() {
    let relay = |failing: &'static [u32], policy| {
        let transport = Direct::new(move |task, rank| match failing.contains(&rank.0) {
            true => Err(Cause::Error("down".into())),
            false => Ok(2.0 * input(task) + rank.0 as f32),
        });
        let federation = World::new(3).open(&transport);
        let targets = (0..3).map(|rank| federation.roster().name(Rank(rank))).collect();
        let spec = OperationSpec { targets: Targets::Listed(targets), ..train(1.0) };
        let outcome =
            block_on(federation.relay_and_wait(spec, policy)).map_err(|e| e.to_string())?;
        let replies = block_on(federation.replies(&outcome)).unwrap();
        Ok::<_, String>(value(&replies.last().unwrap().tensors))
    };
    assert_eq!(relay(&[], RelayFailure::End), Ok(12.0));
    assert_eq!(relay(&[1], RelayFailure::Skip), Ok(6.0));
    let ended = relay(&[1], RelayFailure::End).unwrap_err();
    assert!(ended.contains("client-1") && ended.contains("down"), "{ended}");
    assert!(relay(&[0, 1, 2], RelayFailure::Skip).is_err());
}

#[test]
fn a_run_that_is_opened_again_is_answered_from_its_journal() {
    let world = World::new(2);
    let rounds = |transport: &Arc<Direct>, rounds: u32| {
        let federation = world.open(transport);
        let mut last = 0.0;
        for _ in 0..rounds {
            let outcome = block_on(federation.broadcast_and_wait(train(last))).unwrap();
            let replies = block_on(federation.replies(&outcome)).unwrap();
            last = replies.iter().map(|reply| value(&reply.tensors)).sum();
        }
        last
    };
    let answer = |task: &Task, rank: Rank| Ok(input(task) + 1.0 + rank.0 as f32);
    let first = Direct::new(answer);
    let early = rounds(&first, 2);
    let second = Direct::new(answer);
    let all = rounds(&second, 3);
    assert!(all > early);
    // Only the third round is dispatched again.
    let keys: Vec<_> =
        second.dispatched.lock().unwrap().iter().map(|(key, _)| key.clone()).collect();
    assert_eq!(keys, ["2", "2"]);

    let third = Direct::new(answer);
    let federation = world.open(&third);
    let differs = block_on(federation.broadcast_and_wait(train(99.0))).unwrap_err().to_string();
    assert!(differs.contains("operation 0 differs: task payload"), "{differs}");
    assert!(world.journal.entries().unwrap().len() > 6);
}

#[test]
fn what_a_closure_made_is_kept_and_it_is_not_called_again() {
    let world = World::new(3);
    let largest = |calls: &Arc<Mutex<u32>>| {
        let transport = Direct::new(|_, rank| Ok(rank.0 as f32 * 2.0));
        let federation = world.open(&transport);
        let calls = Arc::clone(calls);
        let made = block_on(federation.broadcast_and_conclude(train(0.0), |replies| {
            *calls.lock().unwrap() += 1;
            assert!(replies.is_sorted_by_key(|reply| reply.rank));
            Ok(replies.iter().map(|reply| value(&reply.tensors)).fold(0.0, f32::max))
        }));
        made.unwrap()
    };
    let calls = Arc::default();
    assert_eq!((largest(&calls), largest(&calls)), (4.0, 4.0));
    assert_eq!(*calls.lock().unwrap(), 1);
}

#[test]
fn a_journal_that_forgets_still_knows_the_heads_of_states() {
    let world = World::new(2);
    for round in 0..4_u64 {
        let transport = Direct::new(|_, _| Ok(1.0));
        let federation = world.open(&transport);
        let mut spec = train(0.0);
        spec.label = Some(Name::new(&format!("train-{round}")).unwrap());
        spec.task.state = StateAccess::Write;
        block_on(federation.broadcast_and_wait(spec)).unwrap();
        block_on(federation.save(&round, &[])).unwrap();
        let before = transport.started_from.lock().unwrap().clone();
        assert_eq!(before.iter().flatten().count(), if round == 0 { 0 } else { 2 }, "{before:?}");
    }
}
