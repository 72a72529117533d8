//! Filters: a chain of them, and the two at the controller's side of an operation.

use std::sync::{Arc, Mutex};

use flare_core::Shareable;
use flare_core::executor::Error;
use flare_core::federation;
use flare_core::filter::{self, Chain, Filter, Passage, Point};
use flare_core::names::{Name, Rank};
use flare_core::operation::{OperationSpec, RelayFailure, Targets};
use flare_core::outcome::{Cause, Failure, Outcome};
use flare_core::runtime::Options;
use futures::executor::block_on;

use crate::direct::Direct;
use crate::world::{World, scalar, train, value};

/// Writes its number behind those of the filters before it; 13 panics, 0 stops.
struct Mark(i64);

impl Filter for Mark {
    fn apply(&self, shareable: Shareable, _: Passage<'_>) -> Result<Shareable, Error> {
        match self.0 {
            0 => Err("stopped".into()),
            13 => panic!("thirteen"),
            number => {
                let before = shareable.headers.get("marks").and_then(flare_core::Value::as_i64);
                Ok(shareable.with("marks", before.unwrap_or(0) * 10 + number))
            }
        }
    }
}

fn pass(marks: &[i64]) -> Result<Option<i64>, String> {
    let chain: Vec<Arc<dyn Filter>> =
        marks.iter().map(|mark| Arc::new(Mark(*mark)) as Arc<dyn Filter>).collect();
    let passage = Passage { point: Point::ReplyIn, client: None, task: None };
    let passed = filter::pass(&chain, Shareable::default(), passage);
    let passed = passed.map_err(|error| error.to_string())?;
    Ok(passed.headers.get("marks").and_then(flare_core::Value::as_i64))
}

#[test]
fn f1_an_error_or_a_panic_lets_nothing_through() {
    assert_eq!(pass(&[1, 2, 3]), Ok(Some(123)));
    assert_eq!(pass(&[]), Ok(None));
    assert_eq!(pass(&[1, 0, 3]), Err("stopped".into()));
    assert_eq!(pass(&[1, 13, 3]), Err("a filter panicked: thirteen".into()));
}

/// Where a number passed, for whom, what the task's was, and what it was itself.
type Seen = Arc<Mutex<Vec<(Point, Option<String>, Option<f32>, f32)>>>;

/// Appends a digit to the number `x`, and stops numbers of 1,000 and more: by an error, or a panic.
struct Digit {
    digit: f32,
    panics: bool,
    seen: Seen,
}

impl Filter for Digit {
    fn apply(&self, shareable: Shareable, passage: Passage<'_>) -> Result<Shareable, Error> {
        let x = value(&shareable.tensors);
        let client = passage.client.map(Name::to_string);
        self.seen.lock().unwrap().push((passage.point, client, passage.task.map(value), x));
        match x >= 1000.0 {
            true if self.panics => panic!("{x} is too large"),
            true => Err(format!("{x} is too large").into()),
            false => {
                Ok(Shareable { tensors: scalar(10.0 * x + self.digit), headers: shareable.headers })
            }
        }
    }
}

/// Digits are appended on the way out and on the way back; clients give back what they get, client 1 `more`.
struct Bench {
    transport: Arc<Direct>,
    seen: Seen,
    federation: federation::Federation,
}

impl Bench {
    fn new(panics: bool, more: f32, out: &[f32], back: &[f32]) -> Self {
        let transport = Direct::new(move |task, rank| {
            let x = value(&task.input.tensors);
            Ok(if rank == Rank(1) { x + more } else { x })
        });
        let seen = Seen::default();
        let chain = |digits: &[f32]| -> Chain {
            let filter = |digit: &f32| {
                let seen = Arc::clone(&seen);
                Arc::new(Digit { digit: *digit, panics, seen }) as Arc<dyn Filter>
            };
            digits.iter().map(filter).collect()
        };
        let (task_out, reply_in) = (chain(out), chain(back));
        let options = Options { task_out, reply_in, ..Options::default() };
        let federation = World::new(3).open_with(&transport, options).unwrap();
        Self { transport, seen, federation }
    }

    fn replies(&self, outcome: &Outcome) -> Vec<(u32, f32)> {
        let replies = block_on(self.federation.replies(outcome)).unwrap();
        replies.iter().map(|reply| (reply.rank.0, value(&reply.tensors))).collect()
    }

    fn relay(&self, x: f32, on_failure: RelayFailure) -> Result<Outcome, federation::Error> {
        let names = (0..3).map(|rank| self.federation.roster().name(Rank(rank))).collect();
        let spec = OperationSpec { targets: Targets::Listed(names), ..train(x) };
        block_on(self.federation.relay_and_wait(spec, on_failure))
    }
}

fn causes(outcome: &Outcome) -> Vec<(u32, u32, Cause)> {
    let ends = outcome.record.ends.iter().filter_map(|end| match &end.end {
        flare_core::outcome::End::Failed(cause) => Some((end.rank.0, end.attempts, cause.clone())),
        flare_core::outcome::End::Counted(_) => None,
    });
    ends.collect()
}

#[test]
fn filters_pass_in_order_what_goes_out_and_what_comes_back() {
    let bench = Bench::new(false, 20.0, &[1.0, 2.0], &[3.0, 4.0]);
    let outcome = block_on(bench.federation.broadcast_and_wait(train(0.0))).unwrap();
    // 12 goes out; client 1 sends 32 back.
    assert_eq!(bench.replies(&outcome), [(0, 1234.0), (1, 3234.0), (2, 1234.0)]);
    let seen = bench.seen.lock().unwrap();
    // The task is filtered once for all, and every reply by itself, beside what the controller asked.
    let out = [(Point::TaskOut, None, None, 0.0), (Point::TaskOut, None, None, 1.0)];
    assert_eq!(seen[..2], out);
    let mut back: Vec<_> = seen[2..].to_vec();
    back.sort_by_key(|(_, client, ..)| client.clone());
    let of = |client: u32, x| (Point::ReplyIn, Some(format!("client-{client}")), Some(0.0), x);
    let expected =
        [of(0, 12.0), of(0, 123.0), of(1, 32.0), of(1, 323.0), of(2, 12.0), of(2, 123.0)];
    assert_eq!(back, expected);
}

#[test]
fn f1_a_task_that_a_filter_stops_is_given_to_nobody() {
    for panics in [false, true] {
        let bench = Bench::new(panics, 100.0, &[1.0, 2.0], &[]);
        let refused = block_on(bench.federation.broadcast_and_wait(train(100.0))).unwrap_err();
        let why = if panics { "a filter panicked: 1001" } else { "1001" };
        let text = format!("operation 0: a filter stopped its task: {why} is too large");
        assert_eq!(refused.to_string(), text);
        assert_eq!(bench.transport.dispatched(), []);
        // The next one is none of its business.
        assert!(block_on(bench.federation.broadcast_and_wait(train(0.0))).is_ok());
        assert_eq!(bench.transport.dispatched().len(), 3);
    }
}

#[test]
fn f1_a_client_whose_reply_a_filter_stops_is_left_out_by_name() {
    for panics in [false, true] {
        let bench = Bench::new(panics, 100.0, &[], &[3.0, 4.0]);
        let outcome = block_on(bench.federation.broadcast_and_wait(train(0.0))).unwrap();
        assert_eq!(bench.replies(&outcome), [(0, 34.0), (2, 34.0)]);
        let why = if panics { "a filter panicked: 1003" } else { "1003" };
        let refused = Cause::Refused(format!("{why} is too large").into());
        assert_eq!(causes(&outcome), [(1, 1, refused)]);
    }
}

#[test]
fn a_relay_filters_what_each_stop_is_given_and_what_it_gives() {
    let bench = Bench::new(false, 100.0, &[1.0], &[2.0]);
    // 0 -> 01 -> 12, 12 -> 121 -> client 1 makes 221 -> 2212: too large to go out.
    let outcome = bench.relay(0.0, RelayFailure::Skip).unwrap();
    assert_eq!(bench.replies(&outcome), [(0, 12.0), (1, 2212.0)]);
    let stopped = Cause::Refused("a filter stopped its task: 2212 is too large".into());
    assert_eq!(causes(&outcome), [(2, 0, stopped.clone())]);
    let keys: Vec<u32> = bench.transport.dispatched().iter().map(|(_, rank)| rank.0).collect();
    assert_eq!(keys, [0, 1]);
    // A reply is seen beside what its own stop was given by the one before.
    let seen: Vec<_> = bench.seen.lock().unwrap().iter().map(|seen| (seen.0, seen.2)).collect();
    let (out, back) = (Point::TaskOut, Point::ReplyIn);
    let expected = [(out, None), (back, Some(0.0)), (out, None), (back, Some(12.0)), (out, None)];
    assert_eq!(seen, expected);

    let bench = Bench::new(true, 100.0, &[1.0], &[2.0]);
    let Err(federation::Error::Failed { failure, .. }) = bench.relay(0.0, RelayFailure::End) else {
        panic!("its last stop was given something")
    };
    let cause =
        Cause::Refused("a filter stopped its task: a filter panicked: 2212 is too large".into());
    let client = "client-2".into();
    assert_eq!(failure, Failure::Stop { stop: 2, client, cause });
}
