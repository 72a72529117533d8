//! What those who carry out operations owe: O1 to O10, but O4 and O6, which look at the client side.

use std::collections::BTreeSet;
use std::sync::Arc;

use flare_core::event::{Event, Interest, What};
use flare_core::journal::{Entry, Journal};
use flare_core::memory::MemoryBlobs;
use flare_core::names::{Name, Rank};
use flare_core::operation::{OperationId, OperationSpec, StateAccess, TaskSpec};
use flare_core::operations::{Error, Operations};
use flare_core::outcome::{Failure, Record};
use flare_core::runtime::Home;
use flare_core::value::Value;
use futures::StreamExt;
use futures::future::LocalBoxFuture;

use super::stage::{Stage, floats};
use crate::sim::SimJournal;
use crate::sim::log::Log;

/// How what is under test is made: for [`CLIENTS`] clients that play on `stage`.
pub struct Rig<'a> {
    /// Opens the run whose memory this is, as a new process does.
    pub open: &'a dyn Fn(Home) -> Result<Arc<dyn Operations>, Error>,
    /// Runs a future to its end.
    pub run: &'a dyn Fn(LocalBoxFuture<'_, ()>),
    /// What the clients do.
    pub stage: Arc<Stage>,
}

/// How many clients take part.
pub const CLIENTS: u32 = 3;

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
        state: if task == "append" { StateAccess::Write } else { StateAccess::None },
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
        (self.open)(home.clone()).unwrap()
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
