//! Handlers of events (contract 22), and the calls that are refused by name.

use std::sync::{Arc, Mutex};

use flare_core::component::ComponentSpec;
use flare_core::event::{Event, Interest, Kind, What};
use flare_core::federation::{Error, Federation};
use flare_core::names::{Name, Rank};
use flare_core::operation::{Gather, OperationSpec, StateAccess};
use flare_core::outcome::{Cause, Weight};
use flare_core::tensor::{TensorData, Tensors};
use futures::executor::block_on;
use futures::stream::BoxStream;
use futures::{FutureExt, TryStreamExt};

use crate::direct::Direct;
use crate::world::{World, train};

fn labelled(label: &str) -> OperationSpec {
    OperationSpec { label: Some(Name::new(label).unwrap()), ..train(0.0) }
}

fn answering() -> Arc<Direct> {
    Direct::new(|_, rank| match rank.0 {
        1 => Err(Cause::Error("down".into())),
        rank => Ok(rank as f32),
    })
}

type Heard = Arc<Mutex<Vec<String>>>;

fn hear(federation: &Federation, kind: Kind, heard: &Heard) {
    let heard = Arc::clone(heard);
    federation.on(kind, move |event: &Event| {
        let again = if event.replayed { " again" } else { "" };
        let what = match &event.what {
            What::Reply { client, .. } => format!("reply {client}"),
            What::Failure { client, cause, .. } => format!("failure {client}: {cause}"),
            What::OperationStarted { key, .. } => format!("started {key}"),
            What::OperationEnded { record } => format!("ended {}", record.key),
            other => format!("{other:?}"),
        };
        heard.lock().unwrap().push(format!("{what}{again}"));
        Ok(())
    });
}

#[test]
fn events_come_in_order_and_again_in_the_journaled_order_when_a_run_goes_on() {
    let world = World::new(3);
    let told = || {
        let failing = |rank: Rank| if rank == Rank(1) { Err("down") } else { Ok(1.0) };
        let federation = world.open(&Direct::in_order(failing));
        let heard = Heard::default();
        for kind in [Kind::OperationEnded, Kind::Reply, Kind::Failure, Kind::OperationStarted] {
            hear(&federation, kind, &heard);
        }
        let outcome = block_on(federation.broadcast_and_wait(labelled("train-1"))).unwrap();
        let ends: Vec<u32> = outcome.record.ends.iter().map(|end| end.rank.0).collect();
        // The failure needs no check; of the others the last was the first to answer.
        assert_eq!(ends, [1, 2, 0]);
        std::mem::take(&mut *heard.lock().unwrap())
    };
    let first = told();
    assert_eq!(first.first().map(String::as_str), Some("started train-1"));
    assert_eq!(first.last().map(String::as_str), Some("ended train-1"));
    assert_eq!(first.len(), 5, "{first:?}");
    let again = [
        "started train-1 again",
        "failure client-1: the learner failed: down again",
        "reply client-2 again",
        "reply client-0 again",
        "ended train-1 again",
    ];
    assert_eq!(told(), again);
    assert_eq!(told(), again);
    assert!(again.iter().all(|event| first.contains(&event.replace(" again", ""))), "{first:?}");
}

#[test]
fn a_handle_that_is_dropped_cancels_nothing() {
    let world = World::remembering(2);
    let transport = Direct::waiting();
    let federation = world.open(&transport);
    drop(block_on(federation.broadcast(labelled("dropped"))).unwrap());
    let waited = block_on(federation.broadcast(labelled("waited"))).unwrap();
    transport.answer();
    assert!(block_on(waited.wait()).is_ok());
    // What was never waited for ended as well, and by replies.
    let again = world.open(&Direct::silent());
    let outcome = block_on(again.broadcast_and_wait(labelled("dropped"))).unwrap();
    assert_eq!((outcome.replayed, outcome.record.counted().len()), (true, 2));
}

#[test]
fn events_are_a_stream_too_of_what_is_watched() {
    let world = World::new(3);
    for again in [false, true] {
        let federation = world.open(&answering());
        let unwatched = block_on(federation.broadcast(labelled("before"))).unwrap();
        federation.watch(Interest::default().with(Kind::Reply).with(Kind::Failure));
        let handle = block_on(federation.broadcast(labelled("watched"))).unwrap();
        let (early, before) = (handle.events(), unwatched.events());
        let kinds = |events: BoxStream<'static, Result<Event, _>>| {
            let events = block_on(events.try_collect::<Vec<Event>>()).unwrap();
            assert!(events.iter().all(|event| event.replayed == again));
            let mut kinds: Vec<Kind> = events.iter().map(Event::kind).collect();
            assert_eq!(kinds.pop(), Some(Kind::OperationEnded));
            kinds.sort_unstable_by_key(|kind| format!("{kind:?}"));
            kinds
        };
        let heard = kinds(early);
        assert_eq!(heard, [Kind::Failure, Kind::Reply, Kind::Reply]);
        // However late it is asked for, and whoever else listened.
        assert_eq!(kinds(handle.events()), heard);
        assert_eq!(kinds(before), []);
        block_on(unwatched.wait()).unwrap();
        let counted = block_on(handle.wait()).unwrap().record.counted().len();
        assert_eq!(counted, 2);
    }
}

#[test]
fn a_handler_hears_only_of_operations_that_start_after_it_was_registered() {
    let federation = World::new(1).open(&Direct::new(|_, _| Ok(1.0)));
    let heard = Heard::default();
    let handle = block_on(federation.broadcast(labelled("early"))).unwrap();
    hear(&federation, Kind::OperationEnded, &heard);
    block_on(handle.wait()).unwrap();
    block_on(federation.broadcast_and_wait(labelled("late"))).unwrap();
    assert_eq!(*heard.lock().unwrap(), ["ended late"]);
}

#[test]
fn a_reply_that_was_lost_and_comes_again_is_told_once() {
    let world = World::new(3);
    let transport = Direct::losing_one();
    let federation = world.open(&transport);
    let heard = Heard::default();
    hear(&federation, Kind::Reply, &heard);
    let outcome = block_on(federation.broadcast_and_wait(labelled("train-1"))).unwrap();
    assert_eq!(outcome.record.counted().len(), 3);
    assert_eq!(transport.dispatched().len(), 4, "one task was executed again");
    assert_eq!(heard.lock().unwrap().len(), 3);
}

#[test]
fn a_handler_that_fails_or_panics_fails_the_call_and_leaves_the_outcome() {
    for panics in [false, true] {
        let world = World::new(1);
        let transport = Direct::new(|_, _| Ok(1.0));
        let federation = world.open(&transport);
        federation.on(Kind::Reply, move |_| match panics {
            true => panic!("no room"),
            false => Err("no room".into()),
        });
        let error = block_on(federation.broadcast_and_wait(labelled("train-1"))).unwrap_err();
        assert!(matches!(error, Error::Handler { kind: Kind::Reply, .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains("train-1") && text.contains("no room"), "{text}");
        // It is released, and the next call on this thread is no call from inside a handler.
        assert_eq!(transport.released.lock().unwrap().len(), 1);
        let next = block_on(federation.broadcast_and_wait(labelled("train-2"))).unwrap_err();
        assert!(matches!(next, Error::Handler { .. }), "{next}");
        // The outcome stands: a run that goes on is answered.
        let again = world.open(&Direct::new(|_, _| Ok(9.0)));
        let outcome = block_on(again.broadcast_and_wait(labelled("train-1"))).unwrap();
        assert!(outcome.replayed);
    }
}

#[test]
fn the_release_waits_until_the_handlers_are_done() {
    let transport = Direct::new(|_, _| Ok(1.0));
    let federation = World::new(1).open(&transport);
    let seen = Arc::new(Mutex::new(None));
    let (inner, side) = (Arc::clone(&seen), Arc::clone(&transport));
    federation.on(Kind::OperationEnded, move |_| {
        *inner.lock().unwrap() = Some(side.released.lock().unwrap().len());
        Ok(())
    });
    block_on(federation.broadcast_and_wait(train(0.0))).unwrap();
    assert_eq!(*seen.lock().unwrap(), Some(0));
    assert_eq!(transport.released.lock().unwrap().len(), 1);
}

#[test]
fn an_operation_that_starts_inside_a_handler_is_refused_at_once() {
    let world = World::new(1);
    let federation = Arc::new(world.open(&Direct::new(|_, _| Ok(1.0))));
    let refused = Arc::new(Mutex::new(String::new()));
    let (inner, text) = (Arc::downgrade(&federation), Arc::clone(&refused));
    federation.on(Kind::Reply, move |_| {
        let federation = inner.upgrade().unwrap();
        let inner = federation.broadcast_and_wait(labelled("inner")).now_or_never();
        let error = inner.expect("it is refused at once").unwrap_err();
        *text.lock().unwrap() = error.to_string();
        Ok(())
    });
    block_on(federation.broadcast_and_wait(labelled("outer"))).unwrap();
    let refused = refused.lock().unwrap();
    assert!(refused.contains("operation inner was started inside an event handler"), "{refused}");
}

#[test]
fn calls_that_make_no_sense_are_refused_by_name() {
    let world = World::new(2);
    let federation = world.open(&Direct::new(|_, _| Ok(1.0)));
    let refused = |spec| block_on(federation.broadcast(spec)).err().unwrap().to_string();

    block_on(federation.broadcast_and_wait(labelled("once"))).unwrap();
    assert!(refused(labelled("once")).contains("operation once was started already"));

    let mut writes = labelled("writes");
    writes.task.state = StateAccess::Write;
    // Held in flight: nobody takes its events in.
    let held = World::new(2);
    let silent = held.open(&Direct::silent());
    let refused = |spec| block_on(silent.broadcast(spec)).err().unwrap().to_string();
    let in_flight = block_on(silent.broadcast(writes.clone())).unwrap();
    assert!(refused(train(0.0)).contains("give both a label"));
    let conflict = refused(OperationSpec { label: Some(Name::new("too").unwrap()), ..writes });
    assert!(conflict.contains("writes the state of client client-0, as writes"), "{conflict}");
    drop(in_flight);
}

#[test]
fn a_result_that_is_no_longer_kept_is_named() {
    let world = World::remembering(1);
    let federation = world.open(&Direct::new(|task, _| Ok(task.round.unwrap_or(0) as f32)));
    for round in 1..=4_u64 {
        let mut spec = labelled(&format!("train-{round}"));
        spec.task.round = Some(round);
        block_on(federation.broadcast_and_wait(spec)).unwrap();
        block_on(federation.save(&round, &[])).unwrap();
    }
    let mut first = labelled("train-1");
    first.task.round = Some(1);
    let again = world.open(&Direct::new(|_, _| Ok(1.0)));
    let error = block_on(again.broadcast_and_wait(first)).unwrap_err().to_string();
    assert!(error.contains("operation train-1 ended before the last checkpoint"), "{error}");
}

fn averaged() -> OperationSpec {
    OperationSpec { gather: Gather::Aggregate(ComponentSpec::plain("weighted-mean")), ..train(0.0) }
}

/// Whichever of three clients is the odd one: the first to answer, the second, or the last, whose reply
/// decides the operation at the same time.
fn odd_ones() -> impl Iterator<Item = Rank> {
    (0..3).map(Rank)
}

#[test]
fn kinds_of_weight_that_differ_fail_the_operation_and_name_both_sides() {
    let real = Weight::real(1.0).unwrap();
    for odd in odd_ones() {
        for spec in [train(0.0), averaged()] {
            let weigh = move |rank| if rank == odd { real } else { Weight::Count(1) };
            let federation = World::new(3).open(&Direct::weighing(weigh));
            let outcome = block_on(federation.broadcast_and_wait(spec));
            let error = outcome.expect_err(&format!("client {odd} is odd")).to_string();
            assert!(error.contains(&format!("client-{odd}")), "{error}");
            assert!(
                error.contains("a count of examples, the other by a real number")
                    || error.contains("a real number, the other by a count of examples"),
                "{error}"
            );
        }
    }
}

#[test]
fn tensors_that_the_task_lacks_must_agree_among_the_replies() {
    let more = |values: &[f64]| {
        Tensors::from_slices([
            ("x", &[][..], TensorData::F32(&[1.0])),
            ("more", &[values.len()][..], TensorData::F64(values)),
        ])
    };
    for odd in odd_ones() {
        let forged = more(&[1.0]).unwrap().encoded().clone();
        let federation = World::new(3).open(&Direct::forging_in_order(odd, forged));
        let outcome = block_on(federation.broadcast_and_wait(averaged()));
        let error = outcome.expect_err(&format!("client {odd} is odd")).to_string();
        assert!(error.contains(&format!("client-{odd}")), "{error}");
        assert!(error.contains("\"more\"") && error.contains("F64 of shape [1]"), "{error}");
    }
}

#[test]
fn c029_a_reply_that_is_no_tensor_file_leaves_its_client_out_by_name() {
    let cases = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut tried = 0;
    for file in std::fs::read_dir(cases).unwrap() {
        let file = file.unwrap();
        if !file.file_name().to_string_lossy().starts_with("c029-") {
            continue;
        }
        let bytes = std::fs::read(file.path()).unwrap();
        let federation = World::new(3).open(&Direct::forging(bytes.into()));
        let heard = Heard::default();
        hear(&federation, Kind::Failure, &heard);
        let outcome = block_on(federation.broadcast_and_wait(train(0.0))).unwrap();
        assert_eq!(outcome.record.counted().len(), 2, "{file:?}");
        let heard = heard.lock().unwrap();
        let refused = "failure client-1: its reply was refused: ";
        assert!(heard.len() == 1 && heard[0].starts_with(refused), "{file:?}: {heard:?}");
        tried += 1;
    }
    assert_eq!(tried, 27);
}
