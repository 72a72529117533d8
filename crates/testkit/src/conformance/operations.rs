//! What those who carry out operations owe: O1 to O10, O12 and O13.

use std::collections::BTreeSet;
use std::sync::Arc;

use flare_core::event::{Event, Interest, What};
use flare_core::journal::{Entry, Journal, Run, RunId};
use flare_core::memory::MemoryBlobs;
use flare_core::names::{Name, Rank, Roster};
use flare_core::operation::{OperationId, OperationSpec, StateAccess, TaskSpec};
use flare_core::operations::{Error, Operations};
use flare_core::outcome::{Cause, Failure, Record};
use flare_core::runtime::machine::Counters;
use flare_core::runtime::{Home, Limits, Options, Runtime, Seams};
use flare_core::transport::{INLINE_LIMIT, Transport};
use flare_core::value::Value;
use futures::StreamExt;
use futures::future::LocalBoxFuture;

use super::post::{Post, Posted};
use super::stage::{Stage, floats};
use crate::sim::SimJournal;
use crate::sim::log::Log;

/// How what is under test is made: for [`CLIENTS`] clients that play on `stage`.
pub struct Rig<'a> {
    /// Opens the run whose memory this is, as a new process does. What its clients tell goes by way of
    /// the post.
    pub open: &'a dyn Fn(Home, Arc<Post>) -> Result<Subject, Error>,
    /// Runs a future to its end.
    pub run: &'a dyn Fn(LocalBoxFuture<'_, ()>),
    /// What the clients do.
    pub stage: Arc<Stage>,
}

/// What is tested, seen from all sides.
pub struct Subject {
    /// What a controller sees of it.
    pub operations: Arc<dyn Operations>,
    /// How many replies its clients hold.
    pub held: Box<dyn Fn() -> usize>,
    /// What it counted of replies that change nothing.
    pub counters: Box<dyn Fn() -> Counters>,
}

impl Subject {
    /// A runtime over a transport, of whose replies `held` knows how many there are.
    ///
    /// # Errors
    /// As [`Runtime::open`].
    pub fn over<T: Transport>(
        transport: Arc<T>,
        (home, post): (Home, Arc<Post>),
        seams: Seams,
        held: impl Fn(&T) -> usize + 'static,
    ) -> Result<Self, Error> {
        let run = Run {
            id: RunId(1),
            job: Name::new("job").unwrap(),
            job_hash: flare_core::Hash::of([]),
            seed: 0,
            roster: roster(),
            units: Vec::new(),
        };
        let posted = Arc::new(Posted::new(Arc::clone(&transport), post));
        let runtime = Runtime::open(run, posted, home, seams, Options::default())?;
        Ok(Self {
            operations: Arc::<Runtime<Posted<T>>>::clone(&runtime),
            held: Box::new(move || held(&transport)),
            counters: Box::new(move || runtime.counters()),
        })
    }
}

/// How many clients take part.
pub const CLIENTS: u32 = 3;

/// Their names.
pub fn roster() -> Roster {
    Roster::counted(CLIENTS).unwrap()
}

/// A run's memory, and the journal in it, which can be made to fail.
fn home() -> (Home, Arc<SimJournal>) {
    let journal = Arc::new(SimJournal::new(Log::default()));
    let blobs = Arc::new(MemoryBlobs::default());
    (Home { journal: Arc::<SimJournal>::clone(&journal), blobs, keep_checkpoints: 2 }, journal)
}

fn spec(label: &str, task: &str) -> OperationSpec {
    let task = TaskSpec {
        name: task.into(),
        input: floats(3).into(),
        state: match task {
            "append" => StateAccess::Write,
            "look" => StateAccess::Read,
            _ => StateAccess::None,
        },
        round: None,
    };
    let label = Some(Name::new(label).unwrap());
    OperationSpec { label, ..OperationSpec::broadcast(task) }
}

/// The events of an operation, to their end.
async fn heard(operations: &dyn Operations, operation: OperationId) -> Vec<Event> {
    operations.events(operation).map(|event| event.unwrap()).collect().await
}

fn record(events: &[Event]) -> Arc<Record> {
    match events.last().map(|event| &event.what) {
        Some(What::OperationEnded { record }) => Arc::clone(record),
        other => panic!("the last event is {other:?}"),
    }
}

async fn start(operations: &dyn Operations, spec: OperationSpec) -> OperationId {
    operations.start(spec, Interest::ALL).await.unwrap().0
}

/// Starts an operation, hears it to its end, and releases it.
async fn carry_out(operations: &dyn Operations, spec: OperationSpec) -> Arc<Record> {
    let operation = start(operations, spec).await;
    let record = record(&heard(operations, operation).await);
    operations.release(operation).await.unwrap();
    record
}

impl Rig<'_> {
    fn open(&self, home: &Home) -> Arc<dyn Operations> {
        self.by_post(home, &Arc::default()).operations
    }

    fn by_post(&self, home: &Home, post: &Arc<Post>) -> Subject {
        (self.open)(home.clone(), Arc::clone(post)).unwrap()
    }
}

/// O1: an operation that the journal knows is answered from it; another under its key is refused.
pub fn o1_a_known_operation_is_answered_from_the_journal(rig: &Rig<'_>) {
    let (home, _) = home();
    let operations = rig.open(&home);
    (rig.run)(Box::pin(async move {
        let first = carry_out(&*operations, spec("a", "echo")).await;
        let executed = rig.stage.started(first.operation.0).len();
        drop(operations);
        let operations = rig.open(&home);
        let operation = start(&*operations, spec("a", "echo")).await;
        let events = heard(&*operations, operation).await;
        assert!(events.iter().all(|event| event.replayed), "{events:?}");
        assert_eq!(record(&events), first);
        assert_eq!(rig.stage.started(first.operation.0).len(), executed, "it was executed again");
        drop(operations);
        let operations = rig.open(&home);
        let mut other = spec("a", "echo");
        other.task.input = floats(4).into();
        match operations.start(other, Interest::ALL).await {
            Err(Error::Differs { part, .. }) => assert_eq!(part, "task payload"),
            other => panic!("{other:?}"),
        }
    }));
}

/// O2: one end for the operation, and one for each client, whatever became of it.
pub fn o2_an_operation_and_each_client_end_once(rig: &Rig<'_>) {
    let operations = rig.open(&home().0);
    (rig.run)(Box::pin(async move {
        for task in ["echo", "fail", "append"] {
            let operation = start(&*operations, spec(task, task)).await;
            let events = heard(&*operations, operation).await;
            let ends =
                events.iter().filter(|event| matches!(event.what, What::OperationEnded { .. }));
            assert_eq!(ends.count(), 1);
            let record = record(&events);
            let ranks: Vec<Rank> = record.ends.iter().map(|end| end.rank).collect();
            assert_eq!(ranks.len(), CLIENTS as usize, "{task}");
            assert_eq!(ranks.iter().collect::<BTreeSet<_>>().len(), ranks.len());
            assert_eq!(record.result.is_ok(), task != "fail", "{task}");
            operations.release(operation).await.unwrap();
        }
    }));
}

/// O3: when the end is told, its record and the blobs that it names are kept.
pub fn o3_what_is_told_is_durable(rig: &Rig<'_>) {
    let (home, journal) = home();
    let operations = rig.open(&home);
    (rig.run)(Box::pin(async move {
        let operation = start(&*operations, spec("a", "echo")).await;
        let mut events = operations.events(operation);
        while let Some(event) = events.next().await {
            let What::OperationEnded { record } = event.unwrap().what else { continue };
            let entries = journal.entries().unwrap();
            assert!(entries.contains(&Entry::Ended(Arc::clone(&record))), "{entries:?}");
            for (_, reply) in record.counted() {
                home.blobs.get(reply.tensors).unwrap();
            }
        }
    }));
}

/// An operation that is decided while one client's reply, of so many floats, waits at that client.
fn decided_without_one(label: &str, count: usize) -> OperationSpec {
    let mut spec = spec(label, "echo");
    spec.task.input = floats(count).into();
    spec.policy.over_select = 1;
    spec
}

/// O4: replies after the decision are late, second announcements are duplicates, and neither is seen.
/// Of two that are told twice, the first is a duplicate; the second is late if the operation is decided
/// before it is told again, as it is where replies ride along, and else another duplicate.
pub fn o4_late_replies_and_duplicates_are_counted_and_change_nothing(rig: &Rig<'_>) {
    let ((home, journal), post) = (home(), Arc::default());
    let subject = rig.by_post(&home, &post);
    (rig.run)(Box::pin(async move {
        let operations = &*subject.operations;
        post.says_twice(true);
        post.holds_back(Rank(CLIENTS - 1));
        let operation = start(operations, decided_without_one("a", 3)).await;
        let events = heard(operations, operation).await;
        let replies = events.iter().filter(|event| matches!(event.what, What::Reply { .. }));
        assert_eq!(replies.count(), 2, "a second announcement is no second event: {events:?}");
        let ended = record(&events);
        let counted: Vec<u32> = ended.counted().iter().map(|(rank, _)| rank.0).collect();
        assert_eq!((counted, ended.total_weight), (vec![0, 1], 2.0), "{ended:?}");

        let kept = journal.entries().unwrap();
        post.says_twice(false);
        post.lets_out();
        // What was let out comes before what these clients say.
        let next = carry_out(operations, spec("b", "echo")).await;
        assert_eq!(next.counted().len(), CLIENTS as usize);
        let Counters { late, duplicates } = (subject.counters)();
        let counted = (late >= 1, duplicates >= 1, late + duplicates);
        assert_eq!(counted, (true, true, 3), "{late} late, {duplicates} duplicates");
        assert_eq!(record(&heard(operations, operation).await), ended);
        let entries = journal.entries().unwrap();
        let (before, after) = entries.split_at(kept.len());
        assert_eq!(before, kept);
        let is_of_the_first =
            |entry: &Entry| format!("{entry:?}").contains(&format!("{operation:?}"));
        assert!(!after.iter().any(is_of_the_first), "{after:?}");
    }));
}

/// O5: whoever asks for the events gets them from the beginning, until the release.
pub fn o5_events_come_from_the_beginning_however_late(rig: &Rig<'_>) {
    let operations = rig.open(&home().0);
    (rig.run)(Box::pin(async move {
        let operation = start(&*operations, spec("a", "echo")).await;
        let shown = |events: &[Event]| events.iter().map(|event| format!("{event:?}")).collect();
        let first: Vec<String> = shown(&heard(&*operations, operation).await);
        let second: Vec<String> = shown(&heard(&*operations, operation).await);
        assert_eq!(first, second);
        assert!(first[0].contains("OperationStarted"), "{first:?}");
        assert_eq!(
            first.iter().filter(|event| event.contains("what: Reply {")).count(),
            CLIENTS as usize
        );
        operations.release(operation).await.unwrap();
        let after: Vec<_> = operations.events(operation).collect().await;
        assert!(matches!(after[..], [Err(Error::Unknown { .. })]), "{after:?}");
    }));
}

/// O6: a reply of which the runtime never heard is gone from its client as well.
pub fn o6_after_release_the_client_side_is_free(rig: &Rig<'_>) {
    let (home, post) = (home().0, Arc::default());
    let subject = rig.by_post(&home, &post);
    (rig.run)(Box::pin(async move {
        post.holds_back(Rank(CLIENTS - 1));
        let operation = start(&*subject.operations, decided_without_one("a", INLINE_LIMIT)).await;
        heard(&*subject.operations, operation).await;
        assert!((subject.held)() > 0, "the reply that was kept back is nowhere");
        subject.operations.release(operation).await.unwrap();
        assert_eq!((subject.held)(), 0);
    }));
}

/// O7: a cancelled operation ends as cancelled, unless it was decided before; and once.
pub fn o7_cancel_ends_an_operation_or_comes_too_late(rig: &Rig<'_>) {
    let operations = rig.open(&home().0);
    (rig.run)(Box::pin(async move {
        let mut cancelled = 0;
        for number in 0..20 {
            let operation = start(&*operations, spec(&format!("a-{number}"), "echo")).await;
            operations.cancel(operation).await.unwrap();
            operations.cancel(operation).await.unwrap();
            let record = record(&heard(&*operations, operation).await);
            match &record.result {
                Err(Failure::Cancelled) => cancelled += 1,
                Ok(_) => assert_eq!(record.counted().len(), CLIENTS as usize),
                other => panic!("{other:?}"),
            }
            operations.cancel(operation).await.unwrap();
            operations.release(operation).await.unwrap();
            assert!(operations.cancel(operation).await.is_err(), "it was released");
        }
        assert!(cancelled > 0, "not one of 20 was cancelled");
    }));
}

/// O8: a name has one value, in this process and the next.
pub fn o8_a_value_is_made_once(rig: &Rig<'_>) {
    let (home, _) = home();
    (rig.run)(Box::pin(async move {
        for number in [1, 2, 3] {
            let operations = rig.open(&home);
            let kept = operations.value("x", Value::Int(number)).await.unwrap();
            assert_eq!(kept, Value::Int(1));
            let other = operations.value(&format!("y-{number}"), Value::Int(number)).await.unwrap();
            assert_eq!(other, Value::Int(number));
        }
    }));
}

/// O9: a checkpoint is kept when it returns, and is what the next process finds.
pub fn o9_a_checkpoint_is_found_by_the_next_process(rig: &Rig<'_>) {
    let (home, journal) = home();
    (rig.run)(Box::pin(async move {
        let operations = rig.open(&home);
        assert_eq!(operations.opened().checkpoint, None);
        let pin = operations.put(vec![7; 100].into()).await.unwrap();
        for number in [1, 2] {
            operations.checkpoint(Value::Int(number), vec![pin]).await.unwrap();
            journal.cut_power();
            let operations = rig.open(&home);
            assert_eq!(operations.opened().checkpoint, Some(Value::Int(number)));
            assert_eq!(operations.fetch(pin).await.unwrap(), vec![7; 100]);
        }
        let operations = rig.open(&home);
        journal.fail_after(0);
        operations.checkpoint(Value::Int(3), vec![]).await.unwrap_err();
        journal.repair();
        assert_eq!(rig.open(&home).opened().checkpoint, Some(Value::Int(2)));
    }));
}

/// O10: whichever write fails, the run ends with that error, and nothing is released.
pub fn o10_a_journal_that_fails_ends_the_run(rig: &Rig<'_>) {
    (rig.run)(Box::pin(async move {
        for appends in 1.. {
            let (home, journal) = home();
            let operations = rig.open(&home);
            journal.fail_after(appends - 1);
            let Err(error) = two(&*operations).await else {
                assert!(appends > 6, "{appends} appends are too few for two operations");
                break;
            };
            assert!(matches!(error, Error::Journal(_)), "{error}");
            let kept = journal.entries().unwrap();
            journal.repair();
            assert!(operations.start(spec("c", "echo"), Interest::ALL).await.is_err());
            assert_eq!(journal.entries().unwrap(), kept, "it wrote on after an error");
        }
    }));
}

/// O13: damage on the way is repaired, and is no learner's fault.
pub fn o13_only_bytes_that_were_announced_count(rig: &Rig<'_>) {
    let (home, post) = (home().0, Arc::default());
    let subject = rig.by_post(&home, &post);
    let Limits { max_fetches, max_attempts, .. } = Limits::default();
    (rig.run)(Box::pin(async move {
        for (size, times) in
            [3, INLINE_LIMIT].into_iter().flat_map(|size| [(size, 1), (size, 2), (size, 3)])
        {
            post.damages(Rank(1), times);
            let mut spec = spec(&format!("a-{size}-{times}"), "echo");
            spec.task.input = floats(size).into();
            let ended = carry_out(&*subject.operations, spec).await;
            let counted = ended.counted();
            assert_eq!(counted.len(), CLIENTS as usize, "{times} of {size}: {ended:?}");
            assert!(counted.iter().all(|(_, reply)| reply.tensors == floats(size).hash()));
            let executed = rig.stage.started(ended.operation.0).len();
            // Three are one loss; a client side that outlives it may serve again what it kept.
            assert!(times == max_fetches || executed == CLIENTS as usize, "{executed} executions");
            assert!(size == 3 || post.fetched() == times + 1, "{} fetches", post.fetched());
        }
        post.damages(Rank(1), u32::MAX);
        let mut spec = spec("b", "echo");
        spec.task.input = floats(INLINE_LIMIT).into();
        let ended = carry_out(&*subject.operations, spec).await;
        match &ended.result {
            Err(Failure::Client { client, cause: Cause::Environment(why) }) => {
                assert!(client == "client-1" && why.contains("lost"), "{client}: {why}");
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(post.fetched(), max_fetches * max_attempts);
        post.damages(Rank(1), 0);
    }));
}

async fn two(operations: &dyn Operations) -> Result<(), Error> {
    for label in ["a", "b"] {
        let (operation, _) = operations.start(spec(label, "append"), Interest::ALL).await?;
        let mut events = operations.events(operation);
        while let Some(event) = events.next().await {
            event?;
        }
        operations.release(operation).await?;
    }
    Ok(())
}

/// O12: what an operation wrote is what those find that start after its release, and nobody before.
pub fn o12_a_task_starts_from_the_heads_at_the_start_of_its_operation(rig: &Rig<'_>) {
    let operations = rig.open(&home().0);
    (rig.run)(Box::pin(async move {
        for label in ["a", "b"] {
            carry_out(&*operations, spec(label, "append")).await;
        }
        let written = start(&*operations, spec("c", "append")).await;
        heard(&*operations, written).await;
        let early = carry_out(&*operations, spec("early", "look")).await;
        let also = operations.start(spec("d", "append"), Interest::ALL).await;
        assert!(matches!(also, Err(Error::StateConflict { .. })), "c was not released: {also:?}");
        operations.release(written).await.unwrap();
        let late = carry_out(&*operations, spec("late", "look")).await;
        // Each operation appends its number.
        let found = [early, late].map(|record| record.metrics["state"].value);
        assert_eq!(found, [1.0, 12.0]);
    }));
}
