//! The runtime over the simplest transport: outcomes, relays, and runs that are opened again.

use std::sync::{Arc, Mutex};

use flare_core::event::Kind;
use flare_core::executor::Task;
use flare_core::names::{Name, Rank};
use flare_core::operation::{OperationId, OperationSpec, RelayFailure, StateAccess, Targets};
use flare_core::outcome::Cause;
use futures::executor::block_on;

use crate::direct::Direct;
use crate::world::{World, train, value};

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
