//! Runs of jobs: results, kills and resumes, and the exact words when something is in the way.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flare::event::{Event, Kind, What};
use flare::job::{self, Loaded, Overrides};
use flare::run::{
    self, Error, Interrupt, NoObserver, Observer, Options, Phase, Run, SoFar, Summary,
};
use serde_json::Value as Json;

pub(crate) const FIXED: &str = r#"
name = "fixed"
[clients]
count = 3
[controller]
kind = "fedavg"
rounds = 4
evaluate.every = 0
[learner]
kind = "fixed"
scale = 1.0
offset = 1.0
[learner.clients.client-1]
offset = 4.0
[[model.tensors]]
name = "x"
shape = [2]
"#;

/// The job of a text, with paths relative to the digits.
pub(crate) fn loaded(text: &str) -> Loaded {
    let job = job::parse(text, "job.toml", &Overrides::default(), &flare::registry()).unwrap();
    Loaded { job, folder: examples().join("digits"), origin: "job.toml".into() }
}

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples")
}

/// The digits job with other fields set.
pub(crate) fn digits(set: &[&str]) -> Loaded {
    let set = set.iter().map(|text| text.parse().unwrap()).collect();
    let overrides = Overrides { set, seed: Some(1) };
    job::load(&examples().join("digits/job.toml"), &overrides, &flare::registry()).unwrap()
}

pub(crate) fn out(folder: &Path) -> Options {
    Options { out: Some(folder.into()), ..Options::default() }
}

pub(crate) fn resume(folder: &Path) -> Options {
    Options { resume: true, ..out(folder) }
}

pub(crate) fn run(loaded: Loaded, options: Options) -> Result<Summary, Error> {
    Run::prepare(loaded, options)?.execute(Arc::new(NoObserver), &Interrupt::new())
}

/// Sets the interrupt when the train operation of a round has ended.
pub(crate) struct StopAfter(pub(crate) u64, pub(crate) Interrupt);

impl Observer for StopAfter {
    fn event(&self, event: &Event, _: &SoFar) {
        if let What::OperationEnded { record } = &event.what
            && &*record.task == "train"
            && record.round == Some(self.0)
        {
            self.1.set();
        }
    }
}

pub(crate) fn interrupted(loaded: Loaded, options: Options, round: u64) -> Error {
    let interrupt = Interrupt::new();
    let run = Run::prepare(loaded, options).unwrap();
    run.execute(Arc::new(StopAfter(round, interrupt.clone())), &interrupt).unwrap_err()
}

pub(crate) fn rows(folder: &Path, file: &str) -> Vec<Json> {
    let text = std::fs::read_to_string(folder.join(file)).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

pub(crate) fn values(summary: &Summary) -> Vec<f32> {
    summary.model.slice::<f32>("x").unwrap().to_vec()
}

#[test]
fn a_run_gives_the_mean_of_what_the_clients_reply() {
    let summary = run(loaded(FIXED), Options::default()).unwrap();
    // Each round adds the mean of 1, 4 and 1, which is 2.
    assert_eq!(values(&summary), [8.0, 8.0]);
    assert_eq!((summary.rounds, summary.round, summary.trained), (4, 4, 12));
    assert!(summary.exact && summary.cancelled.is_empty());
    assert_eq!(summary.model_hash, summary.model.hash());
    assert!(summary.peak_rss_bytes > 1 << 20);
    assert_eq!(summary.history.rounds.len(), 4);
    assert!(summary.history.rounds.iter().all(|round| (round.asked, round.counted) == (3, 3)));
    let json = serde_json::to_value(&summary).unwrap();
    for field in ["accuracy", "central_accuracy", "clients_alone_accuracy"] {
        assert!(json[field].is_null(), "{field}");
    }
    assert_eq!(json["model_hash"], summary.model_hash.to_string());
    assert_eq!((json["rounds"].as_u64(), json["exact"].as_bool()), (Some(4), Some(true)));
}

#[test]
fn the_trivial_job_gives_back_the_model_that_it_was_given() {
    let path = examples().join("trivial/job.toml");
    let job = job::load(&path, &Overrides::default(), &flare::registry()).unwrap();
    let summary = run(job, Options::default()).unwrap();
    assert_eq!(values(&summary), [0.0; 10]);
    assert_eq!((summary.rounds, summary.trained), (5, 10));
}

#[test]
fn digits_are_the_same_at_any_number_of_workers_and_the_comparisons_are_made() {
    let of = |workers: usize, report: &[&str]| {
        let set: Vec<&str> = ["controller.rounds=5"].iter().chain(report).copied().collect();
        let workers = NonZeroUsize::new(workers);
        run(digits(&set), Options { workers, ..Options::default() }).unwrap()
    };
    let one = of(1, &[]);
    let seven = of(7, &["report.alone=false"]);
    assert_eq!(one.model_hash, seven.model_hash);
    assert_eq!(one.trained, 50);
    let (central, alone) = (one.central_accuracy.unwrap(), one.clients_alone_accuracy.unwrap());
    assert!(central > 0.8 && alone < central && one.accuracy.unwrap() > alone, "{one:?}");
    assert_eq!(seven.central_accuracy, Some(central));
    assert_eq!(seven.clients_alone_accuracy, None);
    assert_eq!(one.accuracy, one.metrics.get("accuracy").copied());
}

#[test]
fn a_timed_run_is_replayed_from_its_record_to_the_same_bits() {
    let text = FIXED
        .replace(
            "kind = \"fixed\"\nscale = 1.0\noffset = 1.0\n",
            "kind = \"sleepy\"\njitter = 0.02\n[learner.reply]\noffset = 1.0\n",
        )
        .replace("[learner.clients.client-1]", "[learner.reply.clients.client-1]")
        .replace(
            "evaluate.every = 0",
            "evaluate.every = 0\nreplies.min_replies = 1\nreplies.wait_after_min = 0",
        );
    let folder = tempfile::tempdir().unwrap();
    let workers = NonZeroUsize::new(3);
    let first = run(loaded(&text), Options { workers, ..out(folder.path()) }).unwrap();
    assert!(!first.exact);
    let cohort = Some(folder.path().join(run::COHORT_FILE));
    let replayed = run(loaded(&text), Options { cohort, ..Options::default() }).unwrap();
    assert_eq!(replayed.model_hash, first.model_hash);
    let counted: usize = first.history.rounds.iter().map(|round| round.counted).sum();
    assert_eq!(replayed.trained, counted as u64);
    let broken = folder.path().join("broken.jsonl");
    std::fs::write(&broken, "{\"operation\":\"train-1\",\"counted\":[\"client-9\"]}\n").unwrap();
    let options = Options { cohort: Some(broken), ..Options::default() };
    let error = run(loaded(&text), options).unwrap_err().to_string();
    assert!(
        error.ends_with("broken.jsonl: line 1: client \"client-9\" is not on this job's roster")
    );
}

#[test]
fn a_run_is_exact_only_if_no_round_of_any_of_its_parts_was_timed() {
    let relay = |on_failure: &str| {
        let controller = format!("kind = \"relay\"\non_failure = \"{on_failure}\"\nrounds = 4");
        FIXED.replace("kind = \"fedavg\"\nrounds = 4", &controller)
    };
    let minimum =
        FIXED.replace("evaluate.every = 0", "evaluate.every = 0\nreplies.min_replies = 3");
    // Here nobody fails and nobody is late: whether the clock may decide is what counts.
    for (text, exact) in [(relay("end"), true), (relay("skip"), false), (minimum, false)] {
        let folder = tempfile::tempdir().unwrap();
        interrupted(loaded(&text), out(folder.path()), 2);
        let parts = [resume(folder.path()), resume(folder.path())];
        for (part, options) in parts.into_iter().enumerate() {
            let summary = run(loaded(&text), options).unwrap();
            assert_eq!((summary.exact, summary.trained == 0), (exact, part == 1), "{text}");
            let json = serde_json::to_value(&summary).unwrap();
            let receipt = std::fs::read(folder.path().join(run::RECEIPT_FILE)).unwrap();
            let receipt: Json = serde_json::from_slice(&receipt).unwrap();
            assert_eq!((&json["exact"], &receipt["exact"]), (&exact.into(), &exact.into()));
            let cohort = rows(folder.path(), run::COHORT_FILE);
            assert_eq!(cohort.len(), 4);
            assert!(cohort.iter().all(|row| row["timed"] == !exact), "{text}");
        }
    }
}

#[test]
fn injected_faults_come_from_the_seed() {
    let text = format!("{FIXED}\n[faults]\nfail = {{ share = 0.4 }}");
    let of = |workers: usize| {
        let workers = NonZeroUsize::new(workers);
        run(loaded(&text), Options { workers, ..Options::default() }).unwrap()
    };
    let (one, three) = (of(1), of(3));
    assert_eq!(one.model_hash, three.model_hash);
    let counted: BTreeSet<usize> = one.history.rounds.iter().map(|round| round.counted).collect();
    assert!(counted.iter().any(|counted| *counted < 3), "{counted:?}");
}

/// Notes what it hears.
#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl Observer for Notes {
    fn opened(&self, roster: &flare::names::Roster, resumed: bool) {
        self.0.lock().unwrap().push(format!("opened {} {resumed}", roster.len()));
    }

    fn event(&self, event: &Event, so_far: &SoFar) {
        if event.kind() == Kind::RoundEnded || event.kind() == Kind::RoundStarted {
            let (kind, trained) = (event.kind(), so_far.trained);
            self.0.lock().unwrap().push(format!("{kind:?} {trained}"));
        }
    }

    fn phase(&self, phase: Phase, _: &SoFar) {
        self.0.lock().unwrap().push(format!("{phase:?}"));
    }
}

#[test]
fn an_observer_hears_rounds_and_phases_in_order() {
    let notes = Arc::new(Notes::default());
    let loaded = loaded(&FIXED.replace("rounds = 4", "rounds = 2"));
    let run = Run::prepare(loaded, Options::default()).unwrap();
    run.execute(Arc::clone(&notes) as _, &Interrupt::new()).unwrap();
    let notes = notes.0.lock().unwrap();
    assert_eq!(
        *notes,
        [
            "opened 3 false",
            "Federation",
            "RoundStarted 0",
            "RoundEnded 3",
            "RoundStarted 3",
            "RoundEnded 6",
            "Writing"
        ]
    );
}

#[test]
fn an_interrupt_stops_learners_that_sleep_at_once() {
    let text = FIXED
        .replace(
            "kind = \"fixed\"\nscale = 1.0\noffset = 1.0\n",
            "kind = \"sleepy\"\ndelay = 600\n",
        )
        .replace("[learner.clients.client-1]\noffset = 4.0\n", "");
    struct AtStart(Interrupt);
    impl Observer for AtStart {
        fn event(&self, event: &Event, _: &SoFar) {
            if event.kind() == Kind::OperationStarted {
                self.0.set();
            }
        }
    }
    let interrupt = Interrupt::new();
    let run = Run::prepare(loaded(&text), Options::default()).unwrap();
    // The learners would sleep for ten minutes; this test's own patience is far less.
    let error = run.execute(Arc::new(AtStart(interrupt.clone())), &interrupt).unwrap_err();
    assert!(matches!(error, Error::Interrupted { .. }), "{error}");
}

/// Notes which clients are told as stalled, and interrupts the run.
struct UntilStalled(Interrupt, Mutex<Vec<String>>);

impl Observer for UntilStalled {
    fn event(&self, event: &Event, _: &SoFar) {
        if let What::Stalled { client, .. } = &event.what {
            self.1.lock().unwrap().push(client.to_string());
            self.0.set();
        }
    }
}

#[test]
fn a_learner_that_hangs_is_told_as_stalled_and_who_waits_for_a_worker_is_not() {
    let text = FIXED
        .replace(
            "kind = \"fixed\"\nscale = 1.0\noffset = 1.0\n",
            "kind = \"sleepy\"\ndelay = 600\n",
        )
        .replace("[learner.clients.client-1]\noffset = 4.0\n", "");
    let idle = Duration::from_millis(20);
    let workers = NonZeroUsize::new(2);
    let run = Run::prepare(loaded(&text), Options { idle, workers, ..Options::default() }).unwrap();
    let interrupt = Interrupt::new();
    let watch = Arc::new(UntilStalled(interrupt.clone(), Mutex::default()));
    let error = run.execute(Arc::clone(&watch) as _, &interrupt).unwrap_err();
    assert!(matches!(error, Error::Interrupted { .. }), "{error}");
    let stalled = watch.1.lock().unwrap().clone();
    assert!(!stalled.is_empty() && stalled.iter().all(|name| name != "client-2"), "{stalled:?}");
}

/// A controller that returns while an operation is in flight.
struct Leaves;

#[async_trait::async_trait]
impl flare::controller::Controller for Leaves {
    async fn run(
        &mut self,
        federation: &flare::federation::Federation,
    ) -> Result<flare::controller::Finished, flare::controller::Error> {
        let task = flare::operation::TaskSpec { name: "train".into(), ..Default::default() };
        let spec = flare::operation::OperationSpec::broadcast(task);
        let label = flare::names::Name::new("forgotten").ok();
        drop(federation.broadcast(flare::operation::OperationSpec { label, ..spec }).await?);
        Ok(flare::controller::Finished::default())
    }
}

#[test]
fn what_a_controller_leaves_open_is_cancelled_by_name() {
    let text = "name = \"leaves\"\n[clients]\ncount = 2\n[controller]\nkind = \"leaves\"\n\
                [learner]\nkind = \"sleepy\"\ndelay = 600";
    let mut registry = flare::registry();
    #[derive(serde::Deserialize, schemars::JsonSchema)]
    struct Nothing {}
    let leaves = flare::component::Component::controller("leaves", "0", |_: Nothing| Ok(Leaves));
    registry.add(leaves);
    let job = job::parse(text, "job.toml", &Overrides::default(), &registry).unwrap();
    let loaded = Loaded { job, folder: PathBuf::new(), origin: "job.toml".into() };
    let folder = tempfile::tempdir().unwrap();
    let row = |run: &str| -> Json {
        let file = folder.path().join(run).join(run::COHORT_FILE);
        serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
    };
    let out = Some(folder.path().join("a"));
    let options = Options { registry, out, ..Options::default() };
    let summary = self::run(loaded.clone(), options.clone()).unwrap();
    assert_eq!(summary.cancelled, ["forgotten"]);
    let first = row("a");
    assert_eq!(first["operation"], "forgotten");
    assert_eq!(first["failure"]["kind"], "cancelled", "{first}");
    assert_eq!(first["selected"], serde_json::json!(["client-0", "client-1"]));
    // The record of that run is one to play it from.
    let cohort = Some(folder.path().join("a").join(run::COHORT_FILE));
    let again = Options { cohort, out: Some(folder.path().join("b")), ..options };
    let again = self::run(loaded, again).unwrap();
    assert_eq!(again.cancelled, ["forgotten"]);
    assert_eq!(row("b")["failure"], first["failure"]);
}
