//! When events are told, by the simulated clock.

use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flare_core::Hash;
use flare_core::clock::Timestamp;
use flare_core::event::{Event, Kind, What};
use flare_core::executor::{self, Context, Executor, Reply, Task};
use flare_core::federation::Federation;
use flare_core::journal::{Run, RunId};
use flare_core::names::{Name, Roster};
use flare_core::operation::{OperationSpec, ReplyPolicy, TaskSpec};
use flare_core::operations::Error;
use flare_core::outcome::{End, Outcome, Weight};
use flare_core::runtime::{Options, Runtime};
use flare_testkit::sim::faults::{Fault, Op};
use flare_testkit::sim::{Setup, Sim, SimTransport};

use super::unit::{floats, unit};

/// What handlers heard.
type Heard = Arc<Mutex<Vec<Event>>>;

/// After how many milliseconds a silence is told, unless a test says otherwise.
const IDLE: u64 = 40;

fn runtime(sim: &Sim, idle: u64) -> Result<Arc<Runtime<SimTransport>>, Error> {
    let run = Run {
        id: RunId(1),
        job: Name::new("job").unwrap(),
        job_hash: Hash::of([]),
        seed: 0,
        roster: sim.roster().clone(),
        units: Vec::new(),
    };
    let idle = Duration::from_millis(idle);
    let options = Options { idle, ..Options::default() };
    Runtime::open(run, sim.transport(), sim.home(), sim.seams(), options)
}

/// Opens the run of two clients, and hears all events of some kinds.
fn open(sim: &Sim, kinds: &[Kind]) -> (Federation, Heard) {
    let federation = Federation::new(runtime(sim, IDLE).unwrap());
    let heard = Heard::default();
    for kind in kinds {
        let heard = Arc::clone(&heard);
        federation.on(*kind, move |event| {
            heard.lock().unwrap().push(event.clone());
            Ok(())
        });
    }
    (federation, heard)
}

/// A simulation in which client 1 is heard of after a second.
fn slow(faults: &[Fault]) -> Sim {
    let mut setup = Setup::new(Roster::counted(2).unwrap(), unit());
    let of = |client, fault| Op { at: 0, client, fault };
    setup.faults = faults.iter().map(|fault| of(0, *fault)).collect();
    setup.faults.push(of(1, Fault::Delay(1000)));
    setup.lease = Duration::from_millis(50);
    Sim::new(setup)
}

fn ask(task: &str, deadline: u64) -> OperationSpec {
    let input = floats(&[1.0]).into();
    let task = TaskSpec { name: task.into(), input, ..TaskSpec::default() };
    let deadline = Some(Duration::from_millis(deadline));
    let policy = ReplyPolicy { deadline, ..ReplyPolicy::default() };
    OperationSpec { policy, ..OperationSpec::broadcast(task) }
}

fn at(millis: u64) -> Timestamp {
    Timestamp::default().after(Duration::from_millis(millis))
}

#[test]
fn a_failure_is_told_when_it_happens_and_once() {
    let rows: [(&str, &[Fault]); 4] = [
        ("double!0", &[]),
        ("double~0", &[]),
        ("double", &[Fault::FailAttempt; 3]),
        ("double", &[Fault::Leave(60_000)]),
    ];
    for (task, faults) in rows {
        let sim = slow(faults);
        let (federation, heard) = open(&sim, &[Kind::Failure]);
        let mut asked = pin!(federation.broadcast_and_wait(ask(task, 5_000)));
        assert!(sim.run_until(asked.as_mut(), at(500)).is_none(), "client 1 is slow");
        let early = heard.lock().unwrap().len();
        assert_eq!(early, 1, "{task} {faults:?}: told by then");
        let outcome: Outcome = sim.run(asked).unwrap();
        let End::Failed(cause) = &outcome.record.ends[0].end else { panic!("client 0 fails") };
        let told = |heard: &Heard, replayed: bool| {
            let heard = heard.lock().unwrap();
            let [event] = &heard[..] else { panic!("{task}: {heard:?}") };
            let What::Failure { client, cause: told, .. } = &event.what else {
                panic!("{event:?}")
            };
            assert_eq!((client.as_str(), told, event.replayed), ("client-0", cause, replayed));
        };
        told(&heard, false);
        sim.kill_runtime();

        let (again, heard) = open(&sim, &[Kind::Failure]);
        sim.run(again.broadcast_and_wait(ask(task, 5_000))).unwrap();
        told(&heard, true);
    }
}

#[test]
fn who_is_left_out_by_the_decision_is_told_once_too() {
    let sim = slow(&[]);
    let (federation, heard) = open(&sim, &[Kind::Failure, Kind::OperationEnded]);
    sim.run(federation.broadcast_and_wait(ask("double", 300))).unwrap();
    let heard: Vec<Kind> = heard.lock().unwrap().iter().map(Event::kind).collect();
    assert_eq!(heard, [Kind::Failure, Kind::OperationEnded]);
}

/// Who was told as stalled by then.
fn stalled(heard: &Heard) -> Vec<String> {
    let told = |event: &Event| match &event.what {
        What::Stalled { client, idle, .. } => {
            assert_eq!((*idle, event.replayed), (Duration::from_millis(IDLE), false));
            client.to_string()
        }
        other => panic!("{other:?}"),
    };
    heard.lock().unwrap().iter().map(told).collect()
}

#[test]
fn a_silence_is_told_when_it_is_idle_and_once_and_ended_by_the_deadline_only() {
    let mut setup = Setup::new(Roster::counted(2).unwrap(), unit());
    setup.faults = vec![Op { at: 0, client: 1, fault: Fault::Delay(60_000) }];
    let sim = Sim::new(setup);
    let (federation, heard) = open(&sim, &[Kind::Stalled]);
    let mut asked = pin!(federation.broadcast_and_wait(ask("double", 10_000)));
    for (millis, told) in [(IDLE - 1, 0), (IDLE, 1), (9_999, 1)] {
        assert!(sim.run_until(asked.as_mut(), at(millis)).is_none(), "only the deadline ends it");
        assert_eq!(stalled(&heard), ["client-1"; 1][..told], "after {millis} ms");
    }
    let outcome: Outcome = sim.run(asked).unwrap();
    assert_eq!(outcome.record.duration, Duration::from_secs(10));
    assert_eq!(outcome.record.counted().len(), 1);
    sim.kill_runtime();

    // It is nothing that a run is a function of: nobody hears of it again.
    let (again, heard) = open(&sim, &[Kind::Stalled]);
    assert!(sim.run(again.broadcast_and_wait(ask("double", 10_000))).unwrap().replayed);
    assert_eq!(stalled(&heard), [""; 0]);
}

#[test]
fn who_makes_progress_is_silent_from_then_on() {
    let moving = || -> Box<dyn Executor> { Box::new(Moving) };
    let mut setup = Setup::new(Roster::counted(1).unwrap(), Arc::new(moving));
    setup.faults = vec![Op { at: 0, client: 0, fault: Fault::Delay(60_000) }];
    setup.work = Duration::from_millis(38);
    let sim = Sim::new(setup);
    let (federation, heard) = open(&sim, &[Kind::Stalled, Kind::Progress]);
    let mut asked = pin!(federation.broadcast_and_wait(ask("move", 10_000)));
    let mut heard_of = None;
    for millis in 1..200 {
        assert!(sim.run_until(asked.as_mut(), at(millis)).is_none());
        let kinds: Vec<Kind> = heard.lock().unwrap().iter().map(Event::kind).collect();
        match (&kinds[..], heard_of) {
            ([], None) => {}
            ([Kind::Progress], heard) => heard_of = heard.or(Some(millis)),
            ([Kind::Progress, Kind::Stalled], Some(heard)) => {
                assert_eq!(millis, heard + IDLE, "told once, {IDLE} ms after its progress");
                assert!(heard > 1, "it made progress after it was asked");
                return;
            }
            other => panic!("{other:?} after {millis} ms"),
        }
    }
    panic!("it was not told");
}

/// Says that it makes progress, and answers what it was asked.
struct Moving;

impl Executor for Moving {
    fn setup(&mut self, _: &mut Context<'_>) -> Result<(), executor::Error> {
        Ok(())
    }

    fn execute(&mut self, task: &Task, ctx: &mut Context<'_>) -> Result<Reply, executor::Error> {
        ctx.progress(0.5);
        let output = task.input.clone();
        Ok(Reply { output, weight: Weight::Count(1), metrics: Vec::new() })
    }
}

#[test]
fn a_client_is_not_given_up_before_its_silence_is_told() {
    let sim = slow(&[]);
    assert!(runtime(&sim, 50).is_ok());
    match runtime(&sim, 51).map(drop) {
        Err(Error::Idle { idle, lease }) => {
            assert_eq!((idle, lease).0.as_millis(), 51, "{lease:?}")
        }
        other => panic!("{other:?}"),
    }
}
