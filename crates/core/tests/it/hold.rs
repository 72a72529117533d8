//! The hold (contract 17): what an operation without aggregator may keep, on both sides of its limit.

use bytes::Bytes;
use flare_core::component::ComponentSpec;
use flare_core::federation::{Error, Federation};
use flare_core::names::{Name, Rank};
use flare_core::operation::{Course, Gather, OperationSpec, RelayFailure, Targets};
use flare_core::operations;
use flare_core::outcome::Failure;
use flare_core::runtime::Options;
use flare_core::tensor::{DType, Layout, Tensors};
use futures::executor::block_on;

use crate::direct::Direct;
use crate::world::{World, scalar, train};

fn bytes() -> u64 {
    scalar(0.0).encoded().len() as u64
}

fn open(transport: &std::sync::Arc<Direct>, hold_bytes: u64) -> Federation {
    let options = Options { hold_bytes, ..Options::default() };
    World::new(3).open_with(transport, options).unwrap()
}

/// What is said of an operation whose replies would not fit.
fn refusal(result: Result<(), Error>) -> Option<(u64, u64, u64, u64, String)> {
    match result {
        Ok(()) => None,
        Err(Error::Operations(error)) => match &error {
            operations::Error::Hold { replies, bytes, in_use, limit, .. } => {
                Some((*replies, *bytes, *in_use, *limit, error.to_string()))
            }
            _ => panic!("{error}"),
        },
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn o11_replies_that_would_not_fit_are_refused_at_the_start_by_name_and_with_the_numbers() {
    let ask = |hold: u64, course: Course| {
        let transport = Direct::new(|_, _| Ok(1.0));
        let federation = open(&transport, hold);
        let names = (0..3).map(|rank| federation.roster().name(Rank(rank))).collect();
        let spec = OperationSpec { targets: Targets::Listed(names), ..train(0.0) };
        let asked = match course {
            Course::Broadcast => block_on(federation.broadcast_and_wait(spec)),
            Course::Send => block_on(federation.send_and_wait(spec)),
            Course::Relay { on_failure } => block_on(federation.relay_and_wait(spec, on_failure)),
        };
        let refused = refusal(asked.map(drop));
        assert_eq!(refused.is_some(), transport.dispatched().is_empty(), "asked, or refused");
        refused
    };
    let relay = Course::Relay { on_failure: RelayFailure::End };
    for (course, replies) in [(Course::Broadcast, 3), (Course::Send, 1), (relay, 3)] {
        let all = replies * bytes();
        assert_eq!(ask(all, course), None);
        let (found, each, in_use, limit, text) = ask(all - 1, course).unwrap();
        assert_eq!((found, each, in_use, limit), (replies, bytes(), 0, all - 1));
        let numbers =
            format!("{replies} replies of about {} bytes each, {all} in all, and", bytes());
        assert!(text.starts_with(&format!("operation 0 would keep {numbers}")), "{text}");
        assert!(text.contains(&format!("takes {} bytes: name an aggregator", all - 1)), "{text}");
    }
}

#[test]
fn what_is_folded_takes_nothing_of_the_hold() {
    let transport = Direct::new(|_, _| Ok(1.0));
    let federation = open(&transport, 0);
    let gather = Gather::Aggregate(ComponentSpec::plain("sum"));
    block_on(federation.aggregate(OperationSpec { gather, ..train(0.0) })).unwrap();
}

#[test]
fn operations_in_flight_share_the_hold_and_those_that_ended_are_out_of_it() {
    let transport = Direct::silent();
    let federation = open(&transport, 5 * bytes());
    let start = |label: &str| {
        let label = Some(Name::new(label).unwrap());
        block_on(federation.broadcast(OperationSpec { label, ..train(0.0) }))
    };
    let first = start("first").unwrap();
    let (_, _, in_use, _, text) = refusal(start("second").map(drop)).unwrap();
    assert_eq!(in_use, 3 * bytes());
    assert!(text.contains(&format!("bytes, {in_use} of them in use: ")), "{text}");
    block_on(first.cancel()).unwrap();
    let third = start("third").unwrap();
    block_on(third.cancel()).unwrap();
}

/// Tensors that are larger than the task's: a client may add some.
fn large() -> Bytes {
    let layout = Layout::new([("x", DType::F32, vec![]), ("y", DType::F32, vec![1000])]);
    Tensors::zeros(&layout.unwrap()).encoded().clone()
}

#[test]
fn replies_larger_than_their_task_fail_the_operation_when_they_overfill_the_hold() {
    let large = large();
    let all = large.len() as u64 + 2 * bytes();
    for (hold, fits) in [(all, true), (all - 1, false)] {
        // Client 1 is neither the first nor the last whose reply is kept.
        let federation = open(&Direct::forging(large.clone()), hold);
        let ended = block_on(federation.broadcast_and_wait(train(0.0)));
        match ended {
            Ok(outcome) => assert!(fits && outcome.record.counted().len() == 3),
            Err(Error::Failed { failure: Failure::Limit(text), key }) => {
                assert!(!fits && key.to_string() == "0");
                assert!(text.contains(&format!("overfill the hold, which takes {hold}")), "{text}");
            }
            Err(error) => panic!("{error}"),
        }
    }
}

/// The run goes on: only the relay ends, and nothing is asked of its home that is not there.
#[test]
fn a_stop_of_a_relay_that_overfills_the_hold_fails_the_relay_and_not_the_run() {
    let federation = open(&Direct::forging(large()), 3 * bytes());
    let ended = block_on(federation.relay_and_wait(train(0.0), RelayFailure::End));
    let limit = matches!(&ended, Err(Error::Failed { failure: Failure::Limit(_), .. }));
    assert!(limit, "{:?}", ended.err());
    let targets = Targets::Listed(vec![federation.roster().name(Rank(0))]);
    block_on(federation.broadcast_and_wait(OperationSpec { targets, ..train(0.0) })).unwrap();
}
