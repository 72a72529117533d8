//! From which version of its client's state a task starts (contract 21), over a transport whose client side
//! does what the test says, when it says so.

use std::ops::Range;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use flare_core::event::Kind;
use flare_core::executor::{Reply, Task};
use flare_core::federation::Federation;
use flare_core::journal::{self, Entry};
use flare_core::names::{Name, Rank};
use flare_core::operation::{Key, OperationId, OperationSpec, StateAccess};
use flare_core::outcome::{Cause, Failure, Weight};
use flare_core::runtime::{Ending, Options};
use flare_core::transport::{Announcement, Assignment, Event, FetchError, TaskId, Transport};
use futures::channel::mpsc as channel;
use futures::executor::block_on;
use futures::stream::{BoxStream, StreamExt};

use crate::world::{World, scalar, train};

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// A client side that waits to be told.
struct Told {
    sender: channel::UnboundedSender<Vec<Event>>,
    receiver: Mutex<Option<channel::UnboundedReceiver<Vec<Event>>>>,
    sent: mpsc::Sender<Sent>,
    asked: Mutex<mpsc::Receiver<Sent>>,
    settles: mpsc::Sender<OperationId>,
    settled: Mutex<mpsc::Receiver<OperationId>>,
    released: Mutex<Vec<(OperationId, Vec<Rank>)>>,
}

/// One task as it arrived.
#[derive(Debug, Clone)]
struct Sent {
    id: TaskId,
    state: Option<OperationId>,
    writes: bool,
}

impl Told {
    fn new() -> Arc<Self> {
        let (sender, receiver) = channel::unbounded();
        let (sent, asked) = mpsc::channel();
        let (settles, settled) = mpsc::channel();
        Arc::new(Self {
            sender,
            receiver: Mutex::new(Some(receiver)),
            sent,
            asked: Mutex::new(asked),
            settles,
            settled: Mutex::new(settled),
            released: Mutex::default(),
        })
    }

    /// The next task that arrives.
    fn next(&self) -> Sent {
        let next = self.asked.lock().unwrap().recv_timeout(PATIENCE);
        next.expect("a task was awaited, and none came")
    }

    /// Waits until an operation that has written states commits; whoever calls the runtime then finds it ended.
    fn committing(&self) -> OperationId {
        let next = self.settled.lock().unwrap().recv_timeout(PATIENCE);
        next.expect("an end was awaited, and none came")
    }

    fn answer(&self, sent: &Sent) {
        let output = scalar(1.0).into();
        let reply = Reply { output, weight: Weight::Count(1), metrics: Vec::new() };
        self.say(Event::Announced(sent.id, Announcement::of(&reply, 1, sent.writes)));
    }

    /// An attempt fails at its client, as it does when its process is killed.
    fn kill(&self, sent: &Sent) {
        let cause = Cause::Environment("it was killed".into());
        self.say(Event::Failed { task: sent.id, attempt: 1, cause });
    }

    fn say(&self, event: Event) {
        self.sender.unbounded_send(vec![event]).unwrap();
    }

    fn released(&self) -> Vec<OperationId> {
        self.released.lock().unwrap().iter().map(|(operation, _)| *operation).collect()
    }
}

#[async_trait]
impl Transport for Told {
    fn present(&self) -> Vec<Rank> {
        Vec::new()
    }

    fn dispatch(&self, task: &Arc<Task>, to: &[Assignment]) {
        for to in to {
            let id = TaskId { operation: task.operation, stop: task.stop, rank: to.rank };
            let writes = task.state == StateAccess::Write;
            self.sent.send(Sent { id, state: to.state, writes }).unwrap();
        }
    }

    fn cancel(&self, _: OperationId, _: &[Rank]) {}

    async fn fetch(&self, _: TaskId, _: Range<u64>) -> Result<Bytes, FetchError> {
        Err(FetchError::Lost)
    }

    fn let_go(&self, _: TaskId) {}

    fn settle(&self, operation: OperationId) -> Result<(), journal::Error> {
        self.settles.send(operation).unwrap();
        Ok(())
    }

    fn release(&self, operation: OperationId, counted: &[Rank]) {
        self.released.lock().unwrap().push((operation, counted.to_vec()));
    }

    fn events(&self) -> BoxStream<'static, Vec<Event>> {
        self.receiver.lock().unwrap().take().unwrap().boxed()
    }
}

fn spec(label: &str, state: StateAccess) -> OperationSpec {
    let mut spec = OperationSpec { label: Some(Name::new(label).unwrap()), ..train(0.0) };
    spec.task.state = state;
    spec
}

fn write(label: &str) -> OperationSpec {
    spec(label, StateAccess::Write)
}

fn read(label: &str) -> OperationSpec {
    spec(label, StateAccess::Read)
}

/// Starts an operation of one client, has it answered, and waits for it: its number, and where it started from.
fn through(
    federation: &Federation,
    told: &Told,
    spec: OperationSpec,
) -> (OperationId, Option<OperationId>) {
    let handle = block_on(federation.broadcast(spec)).unwrap();
    let sent = told.next();
    told.answer(&sent);
    block_on(handle.wait()).unwrap();
    (sent.id.operation, sent.state)
}

#[test]
fn an_attempt_starts_where_the_first_one_did_though_another_operation_has_written_since() {
    for world in [World::new(1), World::remembering(1)] {
        let told = Told::new();
        let federation = world.open(&told);
        let (first, _) = through(&federation, &told, write("first"));
        let reader = block_on(federation.broadcast(read("reader"))).unwrap();
        let sent = told.next();
        assert_eq!(sent.state, Some(first));
        let (second, _) = through(&federation, &told, write("second"));
        let (third, from) = through(&federation, &told, write("third"));
        assert_eq!(from, Some(second));
        // With the release of the second, the client would drop what the reader reads.
        assert_eq!(told.released(), [first]);
        told.kill(&sent);
        let again = told.next();
        assert_eq!((again.id, again.state), (sent.id, Some(first)));
        told.answer(&again);
        block_on(reader.wait()).unwrap();
        let mut released = told.released();
        released.sort();
        assert_eq!(released, [first, sent.id.operation, second, third]);
        assert_eq!(through(&federation, &told, read("later")).1, Some(third));
    }
}

#[test]
fn an_attempt_in_another_process_starts_where_the_first_one_did() {
    // A journal in memory forgets at a checkpoint what was released, so that nobody is told of it again.
    let remembering = (World::remembering(1), true, true);
    for (world, saves, tells) in
        [remembering, (World::new(1), false, true), (World::new(1), true, false)]
    {
        let told = Told::new();
        let federation = world.open(&told);
        let (first, _) = through(&federation, &told, write("first"));
        if saves {
            block_on(federation.save(&1_u64, &[])).unwrap();
        }
        let reader = block_on(federation.broadcast(read("reader"))).unwrap();
        let sent = told.next();
        let (second, _) = through(&federation, &told, write("second"));
        if saves {
            block_on(federation.save(&2_u64, &[])).unwrap();
        }
        drop(reader);
        drop(federation);

        let told = Told::new();
        let federation = world.open(&told);
        let reader = block_on(federation.broadcast(read("reader"))).unwrap();
        let again = told.next();
        assert_eq!((again.id, again.state), (sent.id, Some(first)), "saves: {saves}");
        let (third, from) = through(&federation, &told, write("third"));
        assert_eq!(from, Some(second));
        assert_eq!(told.released(), [], "the reader is not over");
        told.answer(&again);
        block_on(reader.wait()).unwrap();
        let mut released = told.released();
        released.sort();
        let expected = [Some(sent.id.operation), Some(second).filter(|_| tells), Some(third)];
        assert_eq!(released, expected.into_iter().flatten().collect::<Vec<_>>());
    }
}

/// The journal does not say that an operation needs no states, so that it may hold releases back until it is
/// asked for again.
#[test]
fn what_waits_for_an_operation_of_an_earlier_process_is_told_when_that_turns_out_to_need_no_states()
{
    let world = World::remembering(1);
    let plain = || spec("plain", StateAccess::None);
    let told = Told::new();
    let federation = world.open(&told);
    through(&federation, &told, write("first"));
    drop(block_on(federation.broadcast(plain())).unwrap());
    told.next();
    let (second, _) = through(&federation, &told, write("second"));
    drop(federation);

    let told = Told::new();
    let federation = world.open(&told);
    let (third, _) = through(&federation, &told, write("third"));
    assert_eq!(told.released(), []);
    let plain = block_on(federation.broadcast(plain())).unwrap();
    assert_eq!(told.released(), [second, third]);
    told.answer(&told.next());
    block_on(plain.wait()).unwrap();
}

/// Whom an operation asks cannot change, so that one that is to fail again (and asks nobody) never began with
/// somebody's state.
#[test]
fn a_replay_that_goes_on_with_another_record_is_refused_where_the_records_part() {
    let counted = || Ending::Counted(vec![Rank(0)]);
    let failed = || Ending::Failed { asked: vec![Rank(0)], failure: Failure::Cancelled };
    let world = World::remembering(1);
    let open = |told: &Arc<Told>, reader: Ending| {
        let key = |label: &str| Key::Label(Name::new(label).unwrap());
        let endings = [("first", counted()), ("reader", reader), ("second", counted())];
        let cohort = endings.map(|(label, ending)| (key(label), ending)).into_iter().collect();
        world.open_with(told, Options { cohort: Some(cohort), ..Options::default() }).unwrap()
    };
    let told = Told::new();
    let federation = open(&told, counted());
    let (first, _) = through(&federation, &told, write("first"));
    drop(block_on(federation.broadcast(read("reader"))).unwrap());
    told.next();
    let (second, _) = through(&federation, &told, write("second"));
    assert_eq!(told.released(), [first], "what the reader reads goes with the second");
    drop(federation);

    let told = Told::new();
    let federation = open(&told, failed());
    let refused = block_on(federation.broadcast(read("reader"))).err().unwrap().to_string();
    assert!(refused.contains("operation reader differs: selected clients"), "{refused}");
    drop(federation);

    let told = Told::new();
    let federation = open(&told, counted());
    let (reader, from) = through(&federation, &told, read("reader"));
    assert_eq!(from, Some(first));
    assert_eq!(told.released(), [second, reader]);
}

/// Else it would depend on who is faster: the reader's start, or the writer's end.
#[test]
fn what_an_operation_wrote_is_the_head_when_its_controller_has_waited_for_it() {
    let world = World::remembering(1);
    let told = Told::new();
    let federation = world.open(&told);
    // Answered, but not waited for.
    drop(block_on(federation.broadcast(write("writer"))).unwrap());
    told.answer(&told.next());
    let writer = told.committing();
    assert_eq!(through(&federation, &told, read("early")).1, None);
    let entries = world.journal.entries().unwrap();
    let ended = |entry: &Entry| matches!(entry, Entry::Ended(it) if it.operation == writer);
    let early =
        |entry: &Entry| matches!(entry, Entry::Started { key, .. } if key.to_string() == "early");
    assert!(entries.iter().position(ended).unwrap() < entries.iter().position(early).unwrap());
    let refused = block_on(federation.broadcast(write("other"))).err().unwrap().to_string();
    assert!(
        refused.contains("operation other writes the state of client client-0, as writer does")
    );
    drop(federation);

    // Another process finds the same, though the writer has ended before its first call.
    let told = Told::new();
    let federation = world.open(&told);
    assert_eq!(told.released(), [], "the early state may still be asked for");
    let handle = block_on(federation.broadcast(write("writer"))).unwrap();
    assert_eq!(through(&federation, &told, read("as-early")).1, None);
    block_on(handle.wait()).unwrap();
    assert_eq!(through(&federation, &told, read("later")).1, Some(writer));
}

#[test]
fn who_comes_for_the_first_time_has_joined_and_comes_back_from_then_on() {
    let world = World::new(2);
    let told = Told::new();
    let federation = world.open(&told);
    let heard: Arc<Mutex<Vec<String>>> = Arc::default();
    for kind in [Kind::Joined, Kind::Back] {
        let inner = Arc::clone(&heard);
        federation.on(kind, move |event| {
            inner.lock().unwrap().push(format!("{:?}", event.what));
            Ok(())
        });
    }
    let handle = block_on(federation.broadcast(read("first"))).unwrap();
    let tasks = [told.next(), told.next()];
    for rank in [1, 1, 0, 1] {
        told.say(Event::Back(Rank(rank)));
    }
    tasks.iter().for_each(|task| told.answer(task));
    block_on(handle.wait()).unwrap();
    let heard = heard.lock().unwrap();
    let kinds = ["Joined", "Back", "Joined", "Back"];
    let clients = ["client-1", "client-1", "client-0", "client-1"];
    assert_eq!(heard.len(), 4, "{heard:?}");
    for ((what, kind), client) in heard.iter().zip(kinds).zip(clients) {
        assert!(what.contains(kind) && what.contains(client), "{heard:?}");
    }
}
