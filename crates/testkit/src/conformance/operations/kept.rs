//! What is kept, and what follows from it: O1, O3, O8, O9, O10 and O14.

use std::sync::Arc;

use flare_core::event::{Interest, What};
use flare_core::journal::{self, Entry, Journal};
use flare_core::operations::{Error, Operations};
use flare_core::value::Value;
use futures::StreamExt;

use super::super::stage::floats;
use super::{Rig, carry_out, heard, home, record, spec, start};

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
        let mut operations = rig.open(&home);
        assert_eq!(operations.opened().checkpoint, None);
        let pin = operations.put(vec![7; 100].into()).await.unwrap();
        for number in [1, 2] {
            operations.checkpoint(Value::Int(number), vec![pin]).await.unwrap();
            journal.cut_power();
            operations = rig.open(&home);
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

/// O14: once another process has opened the run, the earlier one stops at the first thing that it would write.
pub fn o14_who_was_taken_over_stops_and_writes_nothing(rig: &Rig<'_>) {
    (rig.run)(Box::pin(async move {
        for writes in ["start", "checkpoint", "value", "release"] {
            let (home, journal) = home();
            let first = rig.open(&home);
            let open = start(&*first, spec("a", "echo")).await;
            heard(&*first, open).await;
            let second = rig.open(&home);
            let kept = journal.entries().unwrap();
            let refused = match writes {
                "start" => first.start(spec("b", "echo"), Interest::ALL).await.map(drop),
                "checkpoint" => first.checkpoint(Value::Int(1), vec![]).await,
                "value" => first.value("x", Value::Int(1)).await.map(drop),
                _ => first.release(open).await,
            };
            let taken_over = |result: Result<(), Error>| match result {
                Err(Error::Journal(error @ journal::Error::TakenOver { epoch: 2 })) => {
                    assert!(error.to_string().contains("taken over by epoch 2"), "{error}");
                }
                other => panic!("{writes}: {other:?}"),
            };
            taken_over(refused);
            taken_over(first.start(spec("c", "echo"), Interest::ALL).await.map(drop));
            assert_eq!(journal.entries().unwrap(), kept, "{writes}");
            // Whoever took it over does not notice.
            carry_out(&*second, spec("b", "echo")).await;
        }
    }));
}
