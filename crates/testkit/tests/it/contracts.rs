//! Contracts whose implementations are many and small: each obligation shown on those that are built in,
//! by functions that anyone's implementation can be given to.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use flare_core::aggregator::{Aggregator, Contribution};
use flare_core::clock::{Clock, Timestamp};
use flare_core::component::{ComponentSpec, ExecutorFactory, Registry};
use flare_core::controller::{self, Controller, Finished};
use flare_core::executor::{
    Cancel, Context, Error, Executor, Learner, LearnerExecutor, Reply, Task, Update,
};
use flare_core::federation::Federation;
use flare_core::filter::{self, Filter, Passage, Point};
use flare_core::metric::Metric;
use flare_core::names::Name;
use flare_core::operation::{Key, OperationId, StateAccess};
use flare_core::outcome::Weight;
use flare_core::pool::Serial;
use flare_core::random::StreamId;
use flare_core::shareable::Shareable;
use flare_core::tensor::Tensors;
use flare_testkit::conformance::learner::{Nowhere, Subject};
use flare_testkit::sim::{ManualClock, Setup, Sim};

use crate::runtime::unit::{floats, unit, values};

const AGGREGATORS: [&str; 3] = ["weighted-mean", "sum", "mean-of-differences"];

fn aggregator(kind: &str) -> Box<dyn Aggregator> {
    let mut made = Registry::new().aggregator(&ComponentSpec::plain(kind)).unwrap();
    made.begin(&floats(&[0.5, 0.5])).unwrap();
    made
}

/// Replies whose float sum depends on the order.
fn replies() -> Vec<Contribution> {
    let of = |values: &[f32], weight| Contribution {
        weight: Weight::Count(weight),
        tensors: floats(values),
    };
    vec![of(&[1e30, 3.0], 1), of(&[1.0, 1e-30], 7), of(&[-1e30, 5.0], 1), of(&[0.1, -3.0], 2)]
}

fn finished(aggregator: Box<dyn Aggregator>) -> Bytes {
    aggregator.finish(&[], &Serial).unwrap().encoded().clone()
}

#[test]
fn a1_neither_order_nor_grouping_changes_a_bit() {
    for kind in AGGREGATORS {
        let mut all = aggregator(kind);
        all.fold(&replies(), &Serial).unwrap();
        let expected = finished(all);
        for seed in 0..50 {
            let mut stream = StreamId::new(seed, "orders").stream();
            let mut shuffled = replies();
            stream.shuffle(&mut shuffled);
            let (first, rest) = shuffled.split_at(stream.below(5) as usize);
            let (mut one, mut other) = (aggregator(kind), aggregator(kind));
            rest.iter().for_each(|reply| one.fold(std::slice::from_ref(reply), &Serial).unwrap());
            other.fold(first, &Serial).unwrap();
            one.merge(&other.partial(), &Serial).unwrap();
            assert_eq!(finished(one), expected, "{kind}, seed {seed}");
        }
    }
}

#[test]
fn a2_no_reply_is_kept() {
    struct Counted(Bytes, Arc<AtomicU32>);
    impl AsRef<[u8]> for Counted {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }
    impl Drop for Counted {
        fn drop(&mut self) {
            self.1.fetch_add(1, Ordering::SeqCst);
        }
    }
    for kind in AGGREGATORS {
        let freed = Arc::new(AtomicU32::new(0));
        let mut made = aggregator(kind);
        for reply in replies() {
            let bytes = Counted(reply.tensors.encoded().clone(), Arc::clone(&freed));
            let tensors = Tensors::decode(Bytes::from_owner(bytes)).unwrap();
            made.fold(&[Contribution { tensors, ..reply }], &Serial).unwrap();
        }
        assert_eq!(freed.load(Ordering::SeqCst), 4, "{kind}");
    }
}

#[test]
fn a3_a_partial_result_depends_on_what_was_folded_only() {
    for kind in AGGREGATORS {
        let (mut one, mut other) = (aggregator(kind), aggregator(kind));
        one.fold(&replies(), &Serial).unwrap();
        replies()
            .iter()
            .rev()
            .for_each(|reply| other.fold(std::slice::from_ref(reply), &Serial).unwrap());
        assert_eq!(one.partial(), other.partial(), "{kind}");
        let mut merged = aggregator(kind);
        merged.merge(&one.partial(), &Serial).unwrap();
        assert_eq!(merged.partial(), other.partial(), "{kind}");
    }
}

#[test]
fn a4_replies_that_do_not_agree_are_an_error_that_names_them() {
    for kind in AGGREGATORS {
        let mut made = aggregator(kind);
        made.fold(&replies(), &Serial).unwrap();
        let odd = Contribution { weight: Weight::Count(1), tensors: floats(&[1.0, 2.0, 3.0]) };
        let error = made.fold(&[odd], &Serial).unwrap_err().to_string();
        assert!(
            error.contains("\"w\"") && error.contains("[2]") && error.contains("[3]"),
            "{error}"
        );
    }
}

fn task(name: &str, state: StateAccess) -> Task {
    Task {
        operation: OperationId(0),
        key: Key::Label(Name::new("a").unwrap()),
        stop: 0,
        name: name.into(),
        round: None,
        input: floats(&[1.0, 2.0]).into(),
        state,
        hash: flare_core::Hash::of(b"a"),
    }
}

fn attempt(
    executor: &mut dyn Executor,
    task: &Task,
    state: Option<Bytes>,
    cancel: &Cancel,
) -> (Result<Reply, Error>, Option<Bytes>) {
    let client = Name::new("client-1").unwrap();
    let mut ctx = Context::new(&client, task, 7, 1, cancel, &Nowhere, state);
    executor.setup(&mut ctx).unwrap();
    let reply = executor.execute(task, &mut ctx);
    executor.teardown();
    (reply, ctx.into_state())
}

/// A learner that adds a draw to each number.
#[derive(Default)]
struct Adding {
    calls: u32,
}

impl Learner for Adding {
    fn setup(&mut self, _: &mut Context<'_>) -> Result<(), Error> {
        self.calls = 0;
        Ok(())
    }

    fn train(&mut self, task: &Task, ctx: &mut Context<'_>) -> Result<Update, Error> {
        self.calls += 1;
        if ctx.cancelled() {
            return Err("cancelled".into());
        }
        let mut stream = ctx.random("add");
        let added: Vec<f32> =
            values(&task.input.tensors).iter().map(|value| value + stream.f32()).collect();
        Ok(Update { tensors: floats(&added), weight: Weight::Count(1), metrics: Vec::new() })
    }

    fn evaluate(&mut self, _: &Task, _: &mut Context<'_>) -> Result<Vec<Metric>, Error> {
        Ok(Vec::new())
    }
}

fn learner() -> Arc<dyn ExecutorFactory> {
    Arc::new(|| -> Box<dyn Executor> { Box::new(LearnerExecutor(Adding::default())) })
}

#[test]
fn x1_an_attempt_with_a_state_is_a_function_of_it() {
    let (task, none) = (task("train", StateAccess::Write), Cancel::default());
    for unit in [unit(), learner()] {
        for state in [None, Some(Bytes::from_static(&[1, 2]))] {
            let once = attempt(&mut *unit.create(), &task, state.clone(), &none);
            let again = attempt(&mut *unit.create(), &task, state, &none);
            assert_eq!(once.0.unwrap().output, again.0.unwrap().output);
            assert_eq!(once.1, again.1);
        }
    }
}

#[test]
fn x2_a_task_that_nobody_waits_for_ends_with_an_error() {
    let cancel = Cancel::default();
    cancel.set();
    let ended = attempt(&mut *learner().create(), &task("train", StateAccess::None), None, &cancel);
    assert_eq!(ended.0.unwrap_err().to_string(), "cancelled");
}

flare_testkit::learner_conforms! { |test: fn(&Subject<'_>)| {
    let models = [floats(&[1.0, 2.0]), floats(&[-5.0, 9.0])];
    test(&Subject { unit: learner(), models, around: &Nowhere, long: &["train"] });
} }

#[test]
fn e3_an_executor_may_block() {
    struct Blocking(std::sync::mpsc::Receiver<()>);
    impl Executor for Blocking {
        fn setup(&mut self, _: &mut Context<'_>) -> Result<(), Error> {
            Ok(())
        }

        fn execute(&mut self, _: &Task, _: &mut Context<'_>) -> Result<Reply, Error> {
            self.0.recv()?;
            let output = floats(&[1.0]).into();
            Ok(Reply { output, weight: Weight::Count(1), metrics: Vec::new() })
        }
    }
    let (sender, receiver) = std::sync::mpsc::channel();
    let waiting = std::thread::spawn(move || {
        let task = task("any", StateAccess::None);
        attempt(&mut Blocking(receiver), &task, None, &Cancel::default()).0.unwrap().output
    });
    sender.send(()).unwrap();
    assert_eq!(waiting.join().unwrap(), floats(&[1.0]).into());
}

/// Doubles, fails or panics, as its first number says.
struct Moody;

impl Filter for Moody {
    fn apply(&self, shareable: Shareable, _: Passage<'_>) -> Result<Shareable, Error> {
        match values(&shareable.tensors)[0] {
            0.0 => Err("not this".into()),
            1.0 => panic!("nor this"),
            value => Ok(floats(&[2.0 * value]).into()),
        }
    }
}

fn filtered(value: f32) -> Result<Shareable, String> {
    let passage = Passage { point: Point::TaskOut, client: None, task: None };
    let filters: [Arc<dyn Filter>; 2] = [Arc::new(Moody), Arc::new(Moody)];
    let passed = filter::pass(&filters, floats(&[value]).into(), passage);
    passed.map_err(|error| error.to_string())
}

#[test]
fn f1_a_filter_that_fails_or_panics_lets_nothing_through() {
    assert_eq!(filtered(0.0), Err("not this".into()));
    assert!(filtered(1.0).unwrap_err().contains("nor this"));
    // The first doubles it into what stops at the second.
    assert!(filtered(0.5).unwrap_err().contains("nor this"));
}

#[test]
fn f2_the_same_input_gives_the_same_output() {
    assert_eq!(filtered(3.0), filtered(3.0));
    assert_eq!(filtered(3.0), Ok(floats(&[12.0]).into()));
}

#[test]
fn k1_time_never_goes_back() {
    let clock = ManualClock::default();
    clock.advance_to(Timestamp(5));
    clock.advance_to(Timestamp(3));
    assert_eq!(clock.now(), Timestamp(5));
}

#[test]
fn k2_a_sleeper_wakes_at_its_time_and_not_before() {
    let clock = ManualClock::default();
    let mut sleeper = clock.sleep_until(Timestamp(10));
    let mut polled = |clock: &ManualClock, to| {
        clock.advance_to(Timestamp(to));
        let waker = std::task::Waker::noop();
        sleeper.as_mut().poll(&mut std::task::Context::from_waker(waker)).is_ready()
    };
    assert!(!polled(&clock, 0) && !polled(&clock, 9));
    assert!(polled(&clock, 10));
}

fn idle() -> Sim {
    Sim::new(Setup::new(flare_core::names::Roster::counted(1).unwrap(), unit()))
}

#[test]
fn s1_spawned_work_runs_to_its_end_or_is_dropped() {
    for kills in [false, true] {
        let sim = idle();
        let (clock, spawn) = (sim.seams().clock, sim.seams().spawn);
        let held = Arc::new(());
        let inside = Arc::clone(&held);
        let sleep = clock.sleep_until(Timestamp::default().after(Duration::from_secs(1)));
        spawn.spawn(
            "sleeper",
            Box::pin(async move {
                sleep.await;
                drop(inside);
            }),
        );
        match kills {
            true => sim.kill_runtime(),
            false => sim.drain(),
        }
        assert_eq!(Arc::strong_count(&held), 1, "kills: {kills}");
    }
}

#[test]
fn s2_blocking_work_does_not_hold_up_futures() {
    let sim = idle();
    let done = Arc::new(AtomicU32::new(0));
    for _ in 0..3 {
        let (first, second) = (Arc::clone(&done), Arc::clone(&done));
        let count = |done: Arc<AtomicU32>| {
            move || {
                done.fetch_add(1, Ordering::SeqCst);
            }
        };
        sim.seams().spawn.blocking("work", Box::new(count(first)));
        let work = count(second);
        sim.seams().spawn.spawn("future", Box::pin(async move { work() }));
    }
    sim.drain();
    assert_eq!(done.load(Ordering::SeqCst), 6);
}

/// Doubles at one client in each of three rounds, and saves after each.
struct Doubling;

#[async_trait::async_trait]
impl Controller for Doubling {
    async fn run(&mut self, federation: &Federation) -> Result<Finished, controller::Error> {
        let first = federation.checkpoint::<(u64, flare_core::Hash)>()?;
        let (mut round, mut model) = (0, floats(&[1.0]));
        if let Some((done, hash)) = first {
            (round, model) = (done, federation.tensors(hash).await?);
        }
        while round < 3 {
            round += 1;
            let outcome =
                federation.broadcast_and_wait(crate::cases::spec("double", model)).await?;
            model = federation.replies(&outcome).await?[0].tensors.clone();
            federation.save(&(round, model.hash()), &[&model]).await?;
        }
        Ok(Finished { model, round, ..Finished::default() })
    }
}

#[test]
fn w1_a_controller_that_is_run_again_asks_for_the_same() {
    let sim = crate::cases::simulation(2, unit(), Vec::new());
    for _ in 0..2 {
        let federation = Federation::new(crate::cases::open(&sim, 2));
        let finished = sim.run(Doubling.run(&federation)).unwrap();
        assert_eq!((values(&finished.model), finished.round), (vec![8.0], 3));
        sim.kill_runtime();
    }
}

#[test]
fn w2_a_controller_begins_at_its_checkpoint() {
    for millis in (0..150).step_by(7) {
        let sim = crate::cases::simulation(2, unit(), Vec::new());
        let federation = Federation::new(crate::cases::open(&sim, 2));
        let end = Timestamp::default().after(Duration::from_millis(millis));
        let early = sim.run_until(Doubling.run(&federation), end);
        sim.kill_runtime();
        drop((early, federation));
        let federation = Federation::new(crate::cases::open(&sim, 2));
        let finished = sim.run(Doubling.run(&federation)).unwrap();
        assert_eq!((values(&finished.model), finished.round), (vec![8.0], 3), "{millis} ms");
    }
}
