//! When events are told, by the simulated clock.

use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flare_core::Hash;
use flare_core::clock::Timestamp;
use flare_core::event::{Event, Kind, What};
use flare_core::federation::Federation;
use flare_core::journal::{Run, RunId};
use flare_core::names::{Name, Roster};
use flare_core::operation::{OperationSpec, ReplyPolicy, TaskSpec};
use flare_core::outcome::{End, Outcome};
use flare_core::runtime::{Options, Runtime};
use flare_testkit::sim::faults::{Fault, Op};
use flare_testkit::sim::{Setup, Sim};

use super::unit::{floats, unit};

/// What handlers heard.
type Heard = Arc<Mutex<Vec<Event>>>;

/// Opens the run of two clients, and hears all events of some kinds.
fn open(sim: &Sim, kinds: &[Kind]) -> (Federation, Heard) {
    let run = Run {
        id: RunId(1),
        job: Name::new("job").unwrap(),
        job_hash: Hash::of([]),
        seed: 0,
        roster: Roster::counted(2).unwrap(),
        units: Vec::new(),
    };
    let options = Options::default();
    let opened = Runtime::open(run, sim.transport(), sim.home(), sim.seams(), options);
    let federation = Federation::new(opened.unwrap());
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
