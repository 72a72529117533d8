//! The whole runtime over the simulated transport: faults, restarts of either side, and one result.

mod by_hand;
mod check;
mod kept;
mod program;
mod told;
pub(crate) mod unit;

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use flare_core::clock::Timestamp;
use flare_core::federation::{self, Federation};
use flare_core::journal::{Run, RunId};
use flare_core::names::{Name, Roster};
use flare_core::operations::Error;
use flare_core::random::{Stream, StreamId};
use flare_core::runtime::{Cohort, Limits, Options, Runtime};
use flare_testkit::sim::faults::{self, Fault, Op};
use flare_testkit::sim::log::Seen;
use flare_testkit::sim::{Holder, Setup, Sim, SimStates};

use program::Program;

const SCHEDULES: u64 = 300;

/// What surrounds a program.
#[derive(Debug, Clone)]
struct Scene {
    program: Program,
    schedule: u64,
    holder: Holder,
    inline: bool,
    limits: Limits,
    lease: Duration,
    /// Whether a restart of the runtime is a power cut.
    power: bool,
    faults: Vec<Op>,
}

impl Scene {
    fn draw(program: Program, schedule: u64, stream: &mut Stream, most: u64) -> Self {
        let holder = [Holder::WithRuntime, Holder::Apart][stream.below(2) as usize];
        Self {
            schedule,
            holder,
            inline: stream.below(3) == 0,
            limits: Limits {
                reply_window: 1 + stream.below(3) as u32,
                window_bytes: [0, 1000][stream.below(2) as usize],
                max_attempts: 1000,
                ..Limits::default()
            },
            lease: Duration::from_secs(1000),
            power: stream.below(3) == 0,
            faults: faults::draw(stream, program.clients, 200, most),
            program,
        }
    }
}

/// How a run ended.
struct Played {
    model: Vec<u32>,
    log: Vec<Seen>,
}

/// A simulation of a scene, and the states that its clients keep.
fn stage(scene: &Scene) -> (Sim, Arc<SimStates>) {
    let states = Arc::new(SimStates::default());
    let mut setup = Setup::new(Roster::counted(scene.program.clients).unwrap(), unit::unit());
    setup.states = Arc::<SimStates>::clone(&states);
    setup.schedule = scene.schedule;
    setup.holder = scene.holder;
    setup.inline = scene.inline;
    setup.lease = scene.lease;
    setup.faults.clone_from(&scene.faults);
    setup.window = Some((scene.limits.reply_window as usize, scene.limits.window_bytes));
    (Sim::new(setup), states)
}

/// Opens the run, for the first time or again.
fn open(sim: &Sim, scene: &Scene, cohort: Option<&Cohort>) -> Result<Federation, Error> {
    let run = Run {
        id: RunId(1),
        job: Name::new("job").unwrap(),
        job_hash: flare_core::Hash::of([]),
        seed: 0,
        roster: Roster::counted(scene.program.clients).unwrap(),
        units: Vec::new(),
    };
    let (limits, cohort) = (scene.limits, cohort.cloned());
    let options = Options { limits, cohort, idle: scene.lease, ..Options::default() };
    Ok(Federation::new(Runtime::open(run, sim.transport(), sim.home(), sim.seams(), options)?))
}

fn play(scene: &Scene, cohort: Option<&Cohort>) -> Played {
    let (sim, states) = stage(scene);
    let restarts = scene.faults.iter().filter(|op| op.fault == Fault::RestartRuntime);
    let at = |op: &Op| Timestamp::default().after(Duration::from_millis(op.at));
    let mut restarts: Vec<Timestamp> = restarts.map(at).collect();
    restarts.sort_unstable();
    restarts.push(Timestamp(u64::MAX));
    for end in restarts {
        let federation = open(&sim, scene, cohort).unwrap();
        let model = sim.run_until(scene.program.run(&federation, &sim), end);
        if let Some(model) = model {
            drop(federation);
            sim.drain();
            return Played { model: model.unwrap(), log: sim.log().all() };
        }
        sim.kill_runtime();
        drop(federation);
        if scene.holder == Holder::WithRuntime {
            states.crash().unwrap();
        }
        if scene.power {
            sim.journal().cut_power();
        }
    }
    unreachable!("the last part of a run has no end")
}

#[test]
fn exact_rounds_give_one_result_whatever_happens_on_the_way() {
    for seed in 0..crate::schedules(SCHEDULES) {
        let mut stream = StreamId::new(seed, "exact").stream();
        let program = Program::exact(&mut stream);
        let mut calm = Scene::draw(program.clone(), 0, &mut stream, 0);
        calm.faults.clear();
        let expected = by_hand::expected(&program);
        let wild = Scene::draw(program, seed + 1, &mut stream, 12);
        check(seed, wild, |wild| {
            let (calm, wild) = (play(&calm, None), play(wild, None));
            assert_eq!(calm.model, expected.model, "the model, computed by hand");
            assert_eq!(check::metrics(&calm.log), expected.metrics, "metrics, computed by hand");
            check::log(&calm.log);
            check::log(&wild.log);
            assert_eq!(wild.model, calm.model, "the model");
            let (wild, calm) = (check::essence(&wild.log), check::essence(&calm.log));
            assert_eq!(wild, calm, "the records");
        });
    }
}

#[test]
fn a_timed_run_keeps_its_word_and_is_replayed_from_its_cohorts() {
    let (failed, cancelled) = (Cell::new(0), Cell::new(0));
    for seed in 0..crate::schedules(SCHEDULES) {
        let mut stream = StreamId::new(seed, "timed").stream();
        let program = Program::timed(&mut stream);
        let mut wild = Scene::draw(program, seed, &mut stream, 12);
        wild.limits.max_attempts = 1 + stream.below(3) as u32;
        wild.lease = Duration::from_millis(10 + stream.below(100));
        check(seed, wild, |wild| {
            let played = play(wild, None);
            check::log(&played.log);
            check::deadlines(&played.log, |key| wild.program.deadline(key));
            let cohorts = check::cohorts(&played.log);
            cancelled.set(cancelled.get() + check::answered_cancellations(&played.log));
            let mut again = Scene { faults: Vec::new(), schedule: seed + 1000, ..wild.clone() };
            again.program.cancels = false;
            let again = play(&again, Some(&cohorts));
            assert_eq!(again.model, played.model, "the model of the replay");
            failed.set(failed.get() + check::repeated_failures(&again.log, &cohorts));
        });
    }
    assert!(failed.get() > 0, "no operation failed in any of these runs");
    assert!(cancelled.get() > 0, "no cancellation was asked for again after a restart");
}

#[test]
fn a_journal_that_fails_ends_the_run_and_nothing_is_released() {
    for seed in 0..30 {
        let mut stream = StreamId::new(seed, "journal").stream();
        let program = Program::exact(&mut stream);
        let mut scene = Scene::draw(program, seed, &mut stream, 0);
        scene.faults.clear();
        let calm = play(&scene, None);
        for appends in 0.. {
            let (sim, states) = stage(&scene);
            sim.journal().fail_after(appends);
            let opened = open(&sim, &scene, None);
            let ended = opened
                .map_err(Into::into)
                .and_then(|federation| sim.run(scene.program.run(&federation, &sim)));
            sim.drain();
            check::log(&sim.log().all());
            match ended {
                Ok(model) => {
                    assert_eq!(model, calm.model);
                    break;
                }
                Err(federation::Error::Operations(Error::Journal(_))) => {}
                Err(error) => panic!("seed {seed}, append {appends}: {error}"),
            }
            sim.kill_runtime();
            if scene.holder == Holder::WithRuntime {
                states.crash().unwrap();
            }
            sim.journal().repair();
            let federation = open(&sim, &scene, None).unwrap();
            let model = sim.run(scene.program.run(&federation, &sim)).unwrap();
            assert_eq!(model, calm.model, "seed {seed}, append {appends}");
            check::log(&sim.log().all());
        }
    }
}

/// Runs a scene; if it fails, with as few of its faults as still make it fail.
fn check(seed: u64, scene: Scene, test: impl Fn(&Scene)) {
    let fault = |scene: &Scene| {
        let run = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| test(scene)));
        run.err().map(|panic| flare_core::filter::panic_text(&*panic))
    };
    let (mut scene, Some(mut text)) = (scene.clone(), fault(&scene)) else { return };
    for index in (0..scene.faults.len()).rev() {
        let mut fewer = scene.clone();
        fewer.faults.remove(index);
        if let Some(found) = fault(&fewer) {
            (scene, text) = (fewer, found);
        }
    }
    panic!("seed {seed}: {scene:?}\n{text}");
}
