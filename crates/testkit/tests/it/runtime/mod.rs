//! The whole runtime over the simulated transport: faults, restarts of either side, and one result.

mod check;
mod program;
mod unit;

use std::sync::Arc;
use std::time::Duration;

use flare_core::clock::Timestamp;
use flare_core::federation::Federation;
use flare_core::journal::{Run, RunId};
use flare_core::names::{Name, Roster};
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

fn play(scene: &Scene, cohort: Option<&Cohort>) -> Played {
    let roster = Roster::counted(scene.program.clients).unwrap();
    let states = Arc::new(SimStates::default());
    let mut setup = Setup::new(roster.clone(), unit::unit());
    setup.states = Arc::<SimStates>::clone(&states);
    setup.schedule = scene.schedule;
    setup.holder = scene.holder;
    setup.inline = scene.inline;
    setup.lease = scene.lease;
    setup.faults.clone_from(&scene.faults);
    // A relay hands on what it holds without a permit.
    let relays = scene.program.steps.iter().any(|step| matches!(step, program::Step::Relay { .. }));
    setup.window =
        (!relays).then_some((scene.limits.reply_window as usize, scene.limits.window_bytes));
    let sim = Sim::new(setup);
    let run = Run {
        id: RunId(1),
        job: Name::new("job").unwrap(),
        job_hash: flare_core::Hash::of([]),
        seed: 0,
        roster,
        units: Vec::new(),
    };
    let mut restarts: Vec<Timestamp> = scene
        .faults
        .iter()
        .filter(|op| op.fault == Fault::RestartRuntime)
        .map(|op| Timestamp::default().after(Duration::from_millis(op.at)))
        .collect();
    restarts.sort_unstable();
    restarts.push(Timestamp(u64::MAX));
    for end in restarts {
        let options =
            Options { limits: scene.limits, cohort: cohort.cloned(), ..Options::default() };
        let runtime = Runtime::open(run.clone(), sim.transport(), sim.home(), sim.seams(), options);
        let federation = Federation::new(runtime.unwrap());
        let model = sim.run_until(scene.program.run(&federation, sim.log()), end);
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
        let wild = Scene::draw(program, seed + 1, &mut stream, 12);
        check(seed, wild, |wild| {
            let (calm, wild) = (play(&calm, None), play(wild, None));
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
    for seed in 0..crate::schedules(SCHEDULES) {
        let mut stream = StreamId::new(seed, "timed").stream();
        let program = Program::timed(&mut stream);
        let mut wild = Scene::draw(program, seed, &mut stream, 12);
        wild.limits.max_attempts = 1 + stream.below(3) as u32;
        wild.lease = Duration::from_millis(10 + stream.below(100));
        check(seed, wild, |wild| {
            let played = play(wild, None);
            check::log(&played.log);
            let Some(cohorts) = check::cohorts(&played.log) else { return };
            let again = Scene { faults: Vec::new(), schedule: seed + 1000, ..wild.clone() };
            let again = play(&again, Some(&cohorts));
            assert_eq!(again.model, played.model, "the model of the replay");
        });
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
