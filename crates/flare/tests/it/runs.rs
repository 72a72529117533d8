//! Runs of jobs: results, kills and resumes, and the exact words when something is in the way.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use expect_test::{Expect, expect};
use flare::event::{Event, Kind, What};
use flare::job::{self, Loaded, Overrides};
use flare::run::{
    self, Error, Interrupt, NoObserver, Observer, Options, Phase, Run, SoFar, Summary,
};
use serde_json::Value as Json;

const FIXED: &str = r#"
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

fn resume(folder: &Path) -> Options {
    Options { resume: true, ..out(folder) }
}

pub(crate) fn run(loaded: Loaded, options: Options) -> Result<Summary, Error> {
    Run::prepare(loaded, options)?.execute(Arc::new(NoObserver), &Interrupt::new())
}

fn fails(text: &str, expected: Expect) {
    let error = run(loaded(text), Options::default()).unwrap_err();
    assert!(matches!(error, Error::Failed { .. }), "{error:?}");
    expected.assert_eq(&error.to_string());
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

fn interrupted(loaded: Loaded, options: Options, round: u64) -> Error {
    let interrupt = Interrupt::new();
    let run = Run::prepare(loaded, options).unwrap();
    run.execute(Arc::new(StopAfter(round, interrupt.clone())), &interrupt).unwrap_err()
}

fn rows(folder: &Path, file: &str) -> Vec<Json> {
    let text = std::fs::read_to_string(folder.join(file)).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn values(summary: &Summary) -> Vec<f32> {
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
fn a_folder_holds_all_of_a_run_and_the_model_is_the_one_of_the_summary() {
    let folder = tempfile::tempdir().unwrap();
    let summary = run(digits(&["controller.rounds=3"]), out(folder.path())).unwrap();
    let model = std::fs::read(folder.path().join(run::MODEL_FILE)).unwrap();
    assert_eq!(flare::Hash::of(&model), summary.model_hash);
    let metrics = rows(folder.path(), run::METRICS_FILE);
    let keys: Vec<_> = metrics.iter().map(|row| row["operation"].as_str().unwrap()).collect();
    let expected = ["train-1", "evaluate-1", "held-out-1", "train-2", "evaluate-2", "held-out-2"];
    assert_eq!(keys[..6], expected);
    let last = metrics.last().unwrap();
    assert_eq!(last["metrics"]["accuracy"].as_f64(), summary.accuracy);
    assert_eq!(metrics[0]["clients"].as_object().unwrap().len(), 10);
    let cohort = rows(folder.path(), run::COHORT_FILE);
    assert_eq!(cohort.len(), metrics.len());
    assert_eq!(cohort[0]["selected"].as_array().unwrap().len(), 10);
    assert_eq!(cohort[0]["outcomes"]["client-3"], "counted");
    assert_eq!(cohort[2]["counted"], serde_json::json!(["held-out"]));
    let receipt: Json =
        serde_json::from_slice(&std::fs::read(folder.path().join(run::RECEIPT_FILE)).unwrap())
            .unwrap();
    assert_eq!(receipt["model_hash"], summary.model_hash.to_string());
    assert_eq!((&receipt["seed"], &receipt["exact"]), (&1.into(), &true.into()));
    assert_eq!(receipt["roster"]["count"], 10);
    assert!(receipt["files"]["data"].is_string());
    let text = receipt.to_string();
    assert!(!text.contains(folder.path().to_str().unwrap()), "{text}");
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
fn an_interrupted_run_goes_on_to_the_same_bits_and_trains_nothing_twice() {
    let whole = tempfile::tempdir().unwrap();
    let undisturbed = run(digits(&["controller.rounds=6"]), out(whole.path())).unwrap();
    let parts = tempfile::tempdir().unwrap();
    let error = interrupted(digits(&["controller.rounds=6"]), out(parts.path()), 2);
    let text = error.to_string();
    assert!(matches!(error, Error::Interrupted { out: Some(_) }), "{text}");
    let place = parts.path().display();
    assert_eq!(text, format!("interrupted; what is finished is kept: go on with --resume {place}"));
    // The last finished round's model is there, whole.
    let model = std::fs::read(parts.path().join(run::MODEL_FILE)).unwrap();
    flare::tensor::Tensors::decode(model).unwrap();
    interrupted(digits(&["controller.rounds=6"]), resume(parts.path()), 4);
    let last = run(digits(&["controller.rounds=6"]), resume(parts.path())).unwrap();
    assert_eq!(last.model_hash, undisturbed.model_hash);
    assert_eq!(last.rounds, 6);
    assert!(last.trained <= 20, "{}", last.trained);
    assert_eq!(last.accuracy, undisturbed.accuracy);
    let keys = |folder: &Path| {
        let rows = rows(folder, run::METRICS_FILE);
        rows.iter()
            .map(|row| (row["operation"].clone(), row["metrics"].clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(keys(parts.path()), keys(whole.path()));
    let points = |summary: &Summary| {
        let rounds = summary.history.rounds.iter();
        rounds.map(|round| (round.round, round.accuracy, round.bytes)).collect::<Vec<_>>()
    };
    assert_eq!(points(&last), points(&undisturbed));
}

#[test]
fn an_interrupted_run_without_a_folder_says_that_nothing_was_kept() {
    let error = interrupted(loaded(FIXED), Options::default(), 1);
    assert_eq!(error.to_string(), "interrupted; nothing was kept, since there is no --out folder");
}

#[test]
fn a_folder_that_holds_a_run_is_not_begun_in_again() {
    let folder = tempfile::tempdir().unwrap();
    run(loaded(FIXED), out(folder.path())).unwrap();
    let error = run(loaded(FIXED), out(folder.path())).unwrap_err();
    let place = folder.path().display();
    assert!(matches!(error, Error::Folder { .. }));
    assert_eq!(
        error.to_string(),
        format!(
            "{place} holds a run already: go on with it by --resume {place}, or name another folder"
        )
    );
    // Going on with a finished run trains nothing and gives the same.
    let again = run(loaded(FIXED), resume(folder.path())).unwrap();
    assert_eq!((again.trained, values(&again)), (0, vec![8.0, 8.0]));
    assert_eq!(again.rounds, 4);
}

#[test]
fn a_run_goes_on_only_with_the_job_that_began_it() {
    let folder = tempfile::tempdir().unwrap();
    run(loaded(FIXED), out(folder.path())).unwrap();
    let refused = |text: &str| {
        let error = run(loaded(text), resume(folder.path())).unwrap_err();
        assert!(matches!(error, Error::Folder { .. }), "{error:?}");
        error.to_string()
    };
    let part = |text: &str| {
        let error = refused(text);
        let (_, rest) = error.split_once("whose ").unwrap();
        rest.split_once(" differs").unwrap().0.to_owned()
    };
    assert_eq!(part(&FIXED.replace("name = \"fixed\"", "name = \"other\"")), "name");
    assert_eq!(part(&FIXED.replace("[clients]", "seed = 1\n[clients]")), "seed");
    assert_eq!(part(&FIXED.replace("count = 3", "count = 4")), "roster");
    assert_eq!(part(&FIXED.replace("offset = 4.0", "offset = 5.0")), "job");
    // What does not decide about the result may change.
    run(loaded(&format!("{FIXED}\n[report]\nalone = false")), resume(folder.path())).unwrap();
}

#[test]
fn a_folder_without_a_run_is_not_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let error = run(loaded(FIXED), resume(&folder.path().join("none"))).unwrap_err();
    assert!(error.to_string().contains("holds no run to go on with (No such file"), "{error}");
    std::fs::write(folder.path().join("thesis.txt"), "mine").unwrap();
    let error = run(loaded(FIXED), resume(folder.path())).unwrap_err();
    let place = folder.path().display();
    assert_eq!(
        error.to_string(),
        format!("{place} holds no run to go on with: begin one by --out")
    );
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    // A run that was killed before its first write left a folder with nothing in it.
    let empty = tempfile::tempdir().unwrap();
    assert_eq!(values(&run(loaded(FIXED), resume(empty.path())).unwrap()), [8.0, 8.0]);
}

#[test]
fn a_folder_in_use_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let held = Run::prepare(loaded(FIXED), out(folder.path())).unwrap();
    let error = run(loaded(FIXED), out(folder.path())).unwrap_err();
    assert!(matches!(error, Error::Folder { .. }));
    let (place, process) = (folder.path().display(), std::process::id());
    assert_eq!(
        error.to_string(),
        format!(
            "{place} is in use by another run (process {process}): wait for it, or name another folder"
        )
    );
    drop(held);
    run(loaded(FIXED), out(folder.path())).unwrap();
}

#[test]
fn data_that_cannot_be_used_are_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |set: &[&str]| {
        let error = run(digits(set), out(&folder.path().join("out"))).unwrap_err();
        assert!(matches!(error, Error::Input { .. }), "{error:?}");
        assert!(!folder.path().join("out").exists());
        error.to_string()
    };
    let missing = refused(&["data.path=nowhere.csv"]);
    assert!(missing.starts_with("data: ") && missing.contains("nowhere.csv"), "{missing}");
    expect!["data: partition: held_out = 1797 cannot be: of 1797 rows at least one must be left for training"].assert_eq(&refused(&["data.held_out=1797"]));
    let label = refused(&["data.label=digit"]);
    assert!(label.contains("digit"), "{label}");
    // C026: a partition that cannot be reached, and one that is improbable.
    let partition = |alpha: &str, least: &str| {
        let (alpha, least) =
            (format!("data.partition.alpha={alpha}"), format!("data.partition.min_size={least}"));
        refused(&["clients.count=100", "data.held_out=0", &alpha, &least])
    };
    expect!["data: partition: 100 clients with at least 30 each take 3000, but there are only 1797 rows: ask for fewer clients, or for less than 30 (min_size)"].assert_eq(&partition("0.01", "30"));
    expect!["data: partition: none of 1000 Dirichlet draws with alpha = 0.001 gave each of 100 clients min_size = 17 of 1797 rows (the best gave 0): raise alpha, lower min_size, or ask for fewer clients"].assert_eq(&partition("0.001", "17"));
}

#[test]
fn a_model_file_that_cannot_be_used_is_refused_and_one_that_can_is_where_training_starts() {
    let folder = tempfile::tempdir().unwrap();
    let with = |name: &str| {
        let text = FIXED.replace("[[model.tensors]]\nname = \"x\"\nshape = [2]", "");
        let mut job = loaded(&format!("{text}[model]\nfile = \"{name}\""));
        job.folder = folder.path().into();
        job
    };
    let refused = |name: &str| {
        let error = run(with(name), Options::default()).unwrap_err();
        assert!(matches!(error, Error::Input { .. }), "{error:?}");
        error.to_string()
    };
    let missing = refused("none.safetensors");
    assert!(missing.contains("none.safetensors: No such file"), "{missing}");
    std::fs::write(folder.path().join("bad.safetensors"), [9; 7]).unwrap();
    let bad = refused("bad.safetensors");
    assert!(bad.contains("bad.safetensors: "), "{bad}");
    let first = run(loaded(FIXED), Options::default()).unwrap();
    std::fs::write(folder.path().join("m.safetensors"), first.model.encoded()).unwrap();
    assert_eq!(values(&run(with("m.safetensors"), Options::default()).unwrap()), [16.0, 16.0]);
}

fn failing(how: &str, more: &str) -> String {
    let learner =
        format!("kind = \"failing\"\nhow = \"{how}\"\n{more}\n[learner.reply]\noffset = 2.0\n");
    let text = FIXED.replace("kind = \"fixed\"\nscale = 1.0\noffset = 1.0\n", &learner);
    text.replace("[learner.clients.client-1]\noffset = 4.0\n", "")
}

#[test]
fn a_learner_that_fails_is_left_out_by_name() {
    let folder = tempfile::tempdir().unwrap();
    for (how, cause) in [
        ("error", "the learner failed: "),
        ("panic", "the learner panicked: "),
        ("nan", "its reply was refused: tensor \"x\" holds a NaN"),
        ("wrong_shape", "its reply was refused: tensor \"x\" is F32 of shape"),
        ("wrong_dtype", "its reply was refused: tensor \"x\" is U8 of shape"),
    ] {
        let text = failing(how, "clients = [\"client-1\"]\nrounds = [2]");
        let folder = folder.path().join(how);
        let summary = run(loaded(&text), out(&folder)).unwrap();
        assert_eq!(values(&summary), [8.0, 8.0], "{how}");
        assert!(summary.exact, "{how}");
        let counted: Vec<usize> =
            summary.history.rounds.iter().map(|round| round.counted).collect();
        assert_eq!(counted, [3, 2, 3, 3], "{how}");
        let cohort = rows(&folder, run::COHORT_FILE);
        let outcome = cohort[1]["outcomes"]["client-1"].as_str().unwrap();
        assert!(outcome.starts_with(cause), "{how}: {outcome}");
        assert_eq!(cohort[1]["counted"], serde_json::json!(["client-0", "client-2"]));
    }
}

#[test]
fn runs_that_cannot_go_on_fail_with_their_cause() {
    fails(
        &failing("error", ""),
        expect![[r#"
        the run failed: round 1: operation train-1: 0 of the 1 replies that it needs came
          client-0: the learner failed: fails in round 1, as its settings say
          client-1: the learner failed: fails in round 1, as its settings say
          client-2: the learner failed: fails in round 1, as its settings say"#]],
    );
    let strict = failing("panic", "clients = [\"client-1\"]\nrounds = [3]")
        .replace("evaluate.every = 0", "evaluate.every = 0\nreplies.on_failure = \"fail\"");
    fails(
        &strict,
        expect![
            "the run failed: round 3: operation train-3: client client-1 failed, and this operation needs its reply: the learner panicked: panics in round 3, as its settings say, at plugins/study/src/learners.rs:177"
        ],
    );
    fails(
        &FIXED.replace("scale = 1.0", "examples = 0"),
        expect![
            "the run failed: round 1: total weight 0: client-0, client-1, client-2 replied with no examples, so there is no mean; the model stays as it was"
        ],
    );
    fails(
        &FIXED.replace("scale = 1.0", "weight = -1.0"),
        expect![[r#"
        the run failed: round 1: operation train-1: 0 of the 1 replies that it needs came
          client-0: the learner failed: weight -1 is no weight: it must be a finite number of at least 0
          client-1: the learner failed: weight -1 is no weight: it must be a finite number of at least 0
          client-2: the learner failed: weight -1 is no weight: it must be a finite number of at least 0"#]],
    );
}

#[test]
fn what_is_not_finite_is_let_through_if_the_job_says_so() {
    let text = failing("nan", "clients = [\"client-1\"]\nrounds = [2]")
        .replace("evaluate.every = 0", "evaluate.every = 0\nreplies.accept_non_finite = true");
    let summary = run(loaded(&text), Options::default()).unwrap();
    assert!(summary.model.slice::<f32>("x").unwrap()[0].is_nan());
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
    let summary = run(loaded, Options { registry, ..Options::default() }).unwrap();
    assert_eq!(summary.cancelled, ["forgotten"]);
}
