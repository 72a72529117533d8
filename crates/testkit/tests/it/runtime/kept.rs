//! What client sides kept past the runtime's process answers the same task of the next one, and no other.

use std::time::Duration;

use flare_core::Hash;
use flare_core::clock::Timestamp;
use flare_core::federation::Federation;
use flare_core::journal::{Run, RunId};
use flare_core::names::{Name, Roster};
use flare_core::operation::{OperationSpec, TaskSpec};
use flare_core::runtime::{Options, Runtime};
use flare_testkit::sim::faults::{Fault, Op};
use flare_testkit::sim::log::Seen;
use flare_testkit::sim::{Holder, Setup, Sim};

use super::unit::{floats, unit};

/// Opens the run with code that was built so.
fn open(sim: &Sim, build: &str) -> Federation {
    let run = Run {
        id: RunId(1),
        job: Name::new("job").unwrap(),
        job_hash: Hash::of([]),
        seed: 0,
        roster: Roster::counted(2).unwrap(),
        units: vec![("doubling 1".into(), Hash::of(build))],
    };
    let options = Options { accept_units: true, ..Options::default() };
    let opened = Runtime::open(run, sim.transport(), sim.home(), sim.seams(), options);
    Federation::new(opened.unwrap())
}

#[test]
fn a_reply_of_other_code_is_kept_for_nothing() {
    for (build, executions) in [("old", 2), ("new", 4)] {
        let mut setup = Setup::new(Roster::counted(2).unwrap(), unit());
        setup.holder = Holder::Apart;
        // The operation is open for a second, with both replies at their clients.
        setup.faults = vec![Op { at: 0, client: 1, fault: Fault::Delay(1000) }];
        let sim = Sim::new(setup);
        let input = floats(&[1.0]).into();
        let task = TaskSpec { name: "double".into(), input, ..TaskSpec::default() };
        let spec = OperationSpec::broadcast(task);
        let executed = || {
            let is_execution = |seen: &&Seen| matches!(seen, Seen::Executed(..));
            sim.log().all().iter().filter(is_execution).count()
        };
        let first = open(&sim, "old");
        let half = Timestamp::default().after(Duration::from_millis(500));
        assert!(sim.run_until(first.broadcast_and_wait(spec.clone()), half).is_none());
        assert_eq!((executed(), sim.held()), (2, 2));
        sim.kill_runtime();
        drop(first);

        let outcome = sim.run(open(&sim, build).broadcast_and_wait(spec)).unwrap();
        assert_eq!((executed(), outcome.record.counted().len()), (executions, 2), "{build}");
    }
}
