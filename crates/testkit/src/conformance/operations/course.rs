//! How an operation goes, and what it starts from: O2, O5, O7 and O12.

use std::collections::BTreeSet;

use flare_core::event::{Event, Interest, What};
use flare_core::names::Rank;
use flare_core::operations::Error;
use flare_core::outcome::Failure;
use futures::StreamExt;

use super::{CLIENTS, Rig, carry_out, heard, home, record, spec, start};

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

/// O7: a cancelled operation ends as cancelled, unless it was decided before; and once, for later processes, too.
pub fn o7_cancel_ends_an_operation_or_comes_too_late(rig: &Rig<'_>) {
    let (home, _) = home();
    (rig.run)(Box::pin(async move {
        let mut cancelled = 0;
        for number in 0..20 {
            let operations = rig.open(&home);
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
            drop(operations);
            let operations = rig.open(&home);
            let again = start(&*operations, spec(&format!("a-{number}"), "echo")).await;
            let events = heard(&*operations, again).await;
            assert!(events.iter().all(|event| event.replayed), "it is run again: {events:?}");
            assert_eq!(self::record(&events), record);
            operations.release(operation).await.unwrap();
            assert!(operations.cancel(operation).await.is_err(), "it was released");
        }
        assert!(cancelled > 0, "not one of 20 was cancelled");
    }));
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
