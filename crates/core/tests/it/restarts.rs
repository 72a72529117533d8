//! What a restart does to operations that were in flight, and to those that had failed (contract 5).

use std::sync::{Arc, Mutex};
use std::time::Duration;

use flare_core::event::{Kind, What};
use flare_core::executor::Task;
use flare_core::journal::answered;
use flare_core::names::{Name, Rank};
use flare_core::operation::{OnFailure, OperationSpec, ReplyPolicy};
use flare_core::outcome::{Cause, Outcome};
use futures::executor::block_on;

use crate::direct::Direct;
use crate::world::{World, train};

fn labelled(label: &str, deadline: Option<Duration>) -> OperationSpec {
    let policy = ReplyPolicy { deadline, ..ReplyPolicy::default() };
    OperationSpec { label: Some(Name::new(label).unwrap()), policy, ..train(0.0) }
}

#[test]
fn a_deadline_that_started_anew_is_told_in_the_outcome() {
    let world = World::remembering(2);
    let hour = Some(Duration::from_secs(3600));
    let in_flight = [("timed", hour), ("exact", None)];
    let first = world.open(&Direct::silent());
    for (label, deadline) in in_flight {
        drop(block_on(first.broadcast(labelled(label, deadline))).unwrap());
    }
    drop(first);
    let answering = || Direct::new(|_, _| Ok(1.0));
    let ask = |transport: &Arc<Direct>| {
        let federation = world.open(transport);
        ["timed", "exact", "fresh"].map(|label| -> Outcome {
            let deadline = if label == "exact" { None } else { hour };
            block_on(federation.broadcast_and_wait(labelled(label, deadline))).unwrap()
        })
    };
    let said = |outcomes: &[Outcome]| -> Vec<(bool, bool)> {
        outcomes.iter().map(|outcome| (outcome.replayed, outcome.record.deadline_anew)).collect()
    };
    assert_eq!(said(&ask(&answering())), [(false, true), (false, false), (false, false)]);
    // It stays said when it is answered from the journal.
    assert_eq!(said(&ask(&answering())), [(true, true), (true, false), (true, false)]);
}

/// Asks for operations by label, each whatever became of the one before; whether each was answered from the
/// journal, or how it failed.
fn asked(
    world: &World,
    transport: &Arc<Direct>,
    labels: &[&str],
) -> (Vec<Result<bool, String>>, Vec<String>) {
    let federation = world.open(transport);
    let replayed = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&replayed);
    federation.on(Kind::OperationEnded, move |event| {
        if let (What::OperationEnded { record }, true) = (&event.what, event.replayed) {
            heard.lock().unwrap().push(record.key.to_string());
        }
        Ok(())
    });
    let mut ends = Vec::new();
    for label in labels {
        if *label == "save" {
            block_on(federation.save(&true, &[])).unwrap();
            continue;
        }
        let end = block_on(federation.broadcast_and_wait(strict(label)));
        ends.push(end.map(|outcome| outcome.replayed).map_err(|error| error.to_string()));
    }
    (ends, std::mem::take(&mut *replayed.lock().unwrap()))
}

/// An operation that fails if a client does.
fn strict(label: &str) -> OperationSpec {
    let policy = ReplyPolicy { on_failure: OnFailure::Fail, ..ReplyPolicy::default() };
    OperationSpec { policy, ..labelled(label, None) }
}

/// Everybody answers, but client 1 fails in these operations.
fn failing_in(labels: &'static [&'static str]) -> Arc<Direct> {
    Direct::new(move |task, rank| answer(labels, task, rank))
}

fn answer(labels: &[&str], task: &Task, rank: Rank) -> Result<f32, Cause> {
    match labels.contains(&&*task.key.to_string()) {
        true if rank == Rank(1) => Err(Cause::Error("no disk".into())),
        _ => Ok(1.0),
    }
}

#[test]
fn a_failure_that_the_controller_went_on_after_is_answered_from_the_journal() {
    // It went on by another operation, or by a checkpoint.
    for labels in [&["a", "b"][..], &["a", "save"]] {
        let world = World::remembering(2);
        let (first, replayed) = asked(&world, &failing_in(&["a"]), labels);
        let why = "operation a: client client-1 failed, and this operation needs its reply: \
                   the learner failed: no disk";
        assert_eq!((&first[0], replayed.len()), (&Err(why.into()), 0));
        let mended = failing_in(&[]);
        let (again, replayed) = asked(&world, &mended, labels);
        assert_eq!(again[0], Err(why.into()));
        assert!(again[1..].iter().all(|end| *end == Ok(true)), "{again:?}");
        assert_eq!(replayed, labels.iter().copied().filter(|it| *it != "save").collect::<Vec<_>>());
        assert_eq!(mended.dispatched(), []);
    }
}

#[test]
fn a_failure_that_was_the_last_is_run_again_and_then_stays_as_it_ended() {
    let world = World::remembering(2);
    let (first, _) = asked(&world, &failing_in(&["b"]), &["a", "b"]);
    assert!(first[0] == Ok(false) && first[1].is_err(), "{first:?}");
    let (again, _) = asked(&world, &failing_in(&["b"]), &["a", "b"]);
    assert!(again[0] == Ok(true) && again[1].is_err(), "{again:?}");
    let mended = failing_in(&[]);
    let (again, replayed) = asked(&world, &mended, &["a", "b"]);
    assert_eq!((again, replayed), (vec![Ok(true), Ok(false)], vec!["a".to_owned()]));
    assert_eq!(mended.dispatched(), [0, 1].map(|rank| ("b".to_owned(), Rank(rank))));
    let later = failing_in(&["a", "b", "c"]);
    let (again, _) = asked(&world, &later, &["a", "b"]);
    assert_eq!((again, later.dispatched().len()), (vec![Ok(true), Ok(true)], 0));
    // What a reader of the journal takes for answered is just that.
    let entries = world.journal.entries().unwrap();
    let answered = answered(&entries);
    let seen = answered.iter().map(|record| (record.key.to_string(), record.result.is_ok()));
    assert_eq!(seen.collect::<Vec<_>>(), [("a".to_owned(), true), ("b".to_owned(), true)]);
}

#[test]
fn of_two_that_failed_at_once_each_is_run_again() {
    let world = World::remembering(2);
    // Nobody answers before both were started.
    let failing_in = |labels: &'static [&'static str]| {
        Direct::holding_back(move |task, rank| answer(labels, task, rank))
    };
    let both = |transport: &Arc<Direct>, order: [&str; 2]| {
        let federation = world.open(transport);
        let started = order.map(|label| block_on(federation.broadcast(strict(label))).unwrap());
        transport.answer();
        started.map(|handle| block_on(handle.wait()).map(|outcome| outcome.replayed).ok())
    };
    assert_eq!(both(&failing_in(&["a", "b"]), ["a", "b"]), [None, None]);
    let half = failing_in(&["b"]);
    assert_eq!(both(&half, ["a", "b"]), [Some(false), None]);
    assert_eq!(half.dispatched().len(), 4);
    let mended = failing_in(&[]);
    assert_eq!(both(&mended, ["b", "a"]), [Some(false), Some(true)]);
    assert_eq!(mended.dispatched().len(), 2);
}
