//! Cases that others learnt the hard way, each named by its number.

use std::sync::Arc;
use std::time::Duration;

use flare_core::clock::Timestamp;
use flare_core::component::{ComponentSpec, ExecutorFactory};
use flare_core::event::Interest;
use flare_core::executor::{Context, Error, Executor, Reply, Task};
use flare_core::federation::{self, Federation};
use flare_core::journal::{Entry, Run, RunId};
use flare_core::names::{Name, Roster};
use flare_core::operation::{Gather, OperationSpec, RelayFailure, ReplyPolicy, Targets, TaskSpec};
use flare_core::operations::Operations;
use flare_core::outcome::{Cause, End, Failure, Outcome, Weight};
use flare_core::runtime::{Options, Runtime};
use flare_core::tensor::{TensorData, Tensors};
use flare_testkit::sim::faults::{Fault, Op};
use flare_testkit::sim::log::Seen;
use flare_testkit::sim::{Holder, Setup, Sim, SimTransport};
use futures::StreamExt;

use crate::runtime::unit::{floats, number, unit, values};

pub(crate) fn simulation(clients: u32, unit: Arc<dyn ExecutorFactory>, faults: Vec<Op>) -> Sim {
    let mut setup = Setup::new(Roster::counted(clients).unwrap(), unit);
    setup.faults = faults;
    Sim::new(setup)
}

pub(crate) fn open(sim: &Sim, clients: u32) -> Arc<Runtime<SimTransport>> {
    let run = Run {
        id: RunId(1),
        job: Name::new("job").unwrap(),
        job_hash: flare_core::Hash::of([]),
        seed: 0,
        roster: Roster::counted(clients).unwrap(),
        units: Vec::new(),
    };
    let options = Options::default();
    Runtime::open(run, sim.transport(), sim.home(), sim.seams(), options).unwrap()
}

pub(crate) fn spec(task: &str, input: Tensors) -> OperationSpec {
    let task = TaskSpec { name: task.into(), input: input.into(), ..TaskSpec::default() };
    OperationSpec::broadcast(task)
}

fn failure(outcome: Result<Outcome, federation::Error>) -> Failure {
    match outcome {
        Err(federation::Error::Failed { failure, .. }) => failure,
        other => panic!("{other:?}"),
    }
}

#[test]
fn c013_a_round_that_cannot_be_won_ends_at_once() {
    for deadline in [None, Some(Duration::from_secs(600))] {
        let sim = simulation(3, unit(), Vec::new());
        let federation = Federation::new(open(&sim, 3));
        let policy = ReplyPolicy { min_replies: Some(2), deadline, ..ReplyPolicy::default() };
        let round =
            |task: &str| OperationSpec { policy: policy.clone(), ..spec(task, floats(&[1.0])) };
        sim.run(federation.broadcast_and_wait(round("double"))).unwrap();
        let failed = failure(sim.run(federation.broadcast_and_wait(round("double!0,2"))));
        let Failure::TooFew { needed: 2, causes, .. } = failed else { panic!("{failed}") };
        let told = Cause::Error("as it was told".into());
        assert!(causes.contains(&("client-0".into(), told.clone())), "{causes:?}");
        assert!(causes.contains(&("client-2".into(), told)), "{causes:?}");
        // Two rounds of attempts of 20 ms, and ways of 5 ms: the deadline would be another thing.
        assert!(sim.now() < Timestamp::default().after(Duration::from_secs(1)), "{:?}", sim.now());
    }
}

/// A relay over ranks 0, 1, 2 with x -> 2x + rank from x = 1.
fn relay(clients: u32, task: &str, on_failure: RelayFailure) -> Result<Vec<f32>, Failure> {
    let sim = simulation(clients, unit(), Vec::new());
    let federation = Federation::new(open(&sim, clients));
    let names = (0..clients).map(|rank| Name::new(&format!("client-{rank}")).unwrap());
    let spec =
        OperationSpec { targets: Targets::Listed(names.collect()), ..spec(task, floats(&[1.0])) };
    match sim.run(federation.relay_and_wait(spec, on_failure)) {
        Err(error) => Err(failure(Err(error))),
        Ok(outcome) => {
            let last = outcome.record.ends.iter().rev().find_map(|end| match &end.end {
                End::Counted(reply) => Some(reply.tensors),
                End::Failed(_) => None,
            });
            Ok(values(&sim.run(federation.tensors(last.unwrap())).unwrap()))
        }
    }
}

#[test]
fn c017_a_relay_never_goes_on_with_what_a_failed_stop_gave() {
    for on_failure in [RelayFailure::End, RelayFailure::Skip] {
        assert_eq!(relay(3, "double", on_failure), Ok(vec![12.0]));
        assert_eq!(relay(1, "double", on_failure), Ok(vec![2.0]));
    }
    assert_eq!(relay(3, "double!1", RelayFailure::Skip), Ok(vec![6.0]));
    let failed = relay(3, "double!1", RelayFailure::End).unwrap_err();
    assert!(
        matches!(&failed, Failure::Stop { stop: 1, client, .. } if client == "client-1"),
        "{failed}"
    );
    let failed = relay(3, "double!0,1,2", RelayFailure::Skip).unwrap_err();
    let Failure::TooFew { causes, .. } = &failed else { panic!("{failed}") };
    assert_eq!(causes.len(), 3, "{failed}");
}

/// Each client replies its own double.
struct Fixed;

impl Executor for Fixed {
    fn setup(&mut self, _: &mut Context<'_>) -> Result<(), Error> {
        Ok(())
    }

    fn execute(&mut self, _: &Task, ctx: &mut Context<'_>) -> Result<Reply, Error> {
        let value = [1e16, 1.0, -1e16][number(ctx.client().as_str()) as usize];
        Ok(Reply { output: doubles(value).into(), weight: Weight::Count(1), metrics: Vec::new() })
    }
}

fn doubles(value: f64) -> Tensors {
    Tensors::from_slices([("w", [1].as_slice(), TensorData::F64(&[value]))]).unwrap()
}

#[test]
fn c011_six_orders_of_arrival_give_one_bit_pattern() {
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    for order in orders {
        let delay = |(place, client): (usize, &u32)| {
            let fault = Fault::Delay(100 * place as u16);
            Op { at: 0, client: *client, fault }
        };
        let delays = order.iter().enumerate().map(delay).collect();
        let unit: Arc<dyn ExecutorFactory> = Arc::new(|| -> Box<dyn Executor> { Box::new(Fixed) });
        let sim = simulation(3, unit, delays);
        let federation = Federation::new(open(&sim, 3));
        for (aggregator, expected) in [("weighted-mean", 1.0 / 3.0), ("sum", 1.0_f64)] {
            let gather = Gather::Aggregate(ComponentSpec::plain(aggregator));
            let spec = OperationSpec { gather, ..spec("fixed", doubles(0.0)) };
            let outcome = sim.run(federation.aggregate(spec)).unwrap();
            if aggregator == "weighted-mean" {
                let ends: Vec<u32> = outcome.record.ends.iter().map(|end| end.rank.0).collect();
                assert_eq!(ends, order, "the order of arrival");
            }
            let tensors = outcome.aggregate.unwrap();
            let value = tensors.slice::<f64>("w").unwrap()[0];
            assert_eq!(value.to_bits(), expected.to_bits(), "{aggregator} in the order {order:?}");
        }
    }
}

/// Contract 5: held replies first. One that is announced before the controller has asked for its operation
/// again is not let go of.
#[test]
fn a_reply_that_comes_before_its_operation_is_asked_for_again_stays_held() {
    let mut setup = Setup::new(Roster::counted(3).unwrap(), unit());
    setup.holder = Holder::Apart;
    let sim = Sim::new(setup);
    let start = |operations: Arc<dyn Operations>| async move {
        let spec = spec("double", floats(&[1.0]));
        let (operation, _) = operations.start(spec, Interest::ALL).await.unwrap();
        operations.events(operation).collect::<Vec<_>>().await
    };
    let soon = Timestamp::default().after(Duration::from_millis(6));
    let first = open(&sim, 3);
    let operations: Arc<dyn Operations> = Arc::<Runtime<SimTransport>>::clone(&first);
    assert!(sim.run_until(start(operations), soon).is_none(), "it ended before the restart");
    sim.kill_runtime();
    drop(first);
    let operations = open(&sim, 3);
    sim.drain();
    let let_go = sim.log().position(|seen| matches!(seen, Seen::LetGo(_)));
    assert_eq!((sim.held(), let_go), (3, None));
    sim.run(start(operations));
    let all = sim.log().all();
    let executed = all.iter().filter(|seen| matches!(seen, Seen::Executed(..)));
    assert_eq!(executed.count(), 3, "what was held is not done again");
}

/// Contract 7: a time that a controller has asked for is journaled, and what a program that has changed asks for
/// under its name is an error that says which.
#[test]
fn a_time_that_was_asked_for_is_the_same_ever_after() {
    let sim = simulation(1, unit(), Vec::new());
    let later = |millis| {
        let wait = sim.seams().clock.sleep_until(sim.now().after(Duration::from_millis(millis)));
        sim.run(wait);
    };
    later(7);
    let federation = Federation::new(open(&sim, 1));
    let begun = sim.run(federation.now("begin")).unwrap();
    assert_eq!(begun, sim.now());
    later(5);
    let between = sim.run(federation.now("between")).unwrap();
    assert_eq!(between, begun.after(Duration::from_millis(5)));
    let written = sim.home().journal.entries().unwrap();
    let is_time =
        |entry: &&Entry| matches!(entry, Entry::Value { name, .. } if name == "now/begin");
    assert_eq!(written.iter().filter(is_time).count(), 1);

    for _ in 0..2 {
        later(11);
        assert_eq!(sim.run(federation.now("begin")).unwrap(), begun, "in the same process");
        sim.journal().cut_power();
        sim.kill_runtime();
        let federation = Federation::new(open(&sim, 1));
        let again = ["between", "begin"].map(|name| sim.run(federation.now(name)).unwrap());
        assert_eq!(again, [between, begun], "in another process");
        let other = sim.run(federation.value("now/begin", || "a text".to_owned())).unwrap_err();
        assert!(other.to_string().starts_with("value \"now/begin\": "), "{other}");
        // Another name is another time.
        let name = format!("at {:?}", sim.now());
        assert_eq!(sim.run(federation.now(&name)).unwrap(), sim.now());
    }
    assert_eq!(sim.home().journal.entries().unwrap().iter().filter(is_time).count(), 1);
}
