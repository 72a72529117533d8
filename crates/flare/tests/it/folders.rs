//! The folder of a run: what it holds, when it may be begun in, and when gone on with.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use flare::event::{Event, What};
use flare::run::{self, Error, Interrupt, Observer, Options, Run, SoFar, Summary};
use serde_json::Value as Json;

use crate::runs::{FIXED, digits, interrupted, loaded, out, resume, rows, run, values};

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
    let holds =
        "on every CPU, at any number of workers, for learners that compute as the standard ones do";
    assert_eq!((&receipt["job"], &receipt["holds"]), (&"digits".into(), &holds.into()));
    check_units(&receipt);
    assert_eq!(receipt["roster"]["count"], 10);
    assert!(receipt["files"]["data"].is_string());
    let text = receipt.to_string();
    assert!(!text.contains(folder.path().to_str().unwrap()), "{text}");
}

/// All components are linked into the program at hand, so each has its hash.
fn check_units(receipt: &Json) {
    let program = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    let program = flare::Hash::of(&program).to_string();
    let units = receipt["units"].as_object().unwrap();
    let version = env!("CARGO_PKG_VERSION");
    let names = ["controller fedavg", "learner softmax-regression"];
    let names = names.map(|name| format!("{name} {version}"));
    assert_eq!(units.keys().collect::<Vec<_>>(), names.iter().collect::<Vec<_>>(), "{receipt}");
    assert!(units.values().all(|hash| *hash == program), "{receipt}");
    assert_eq!(receipt["unit_changes"], serde_json::json!([]));
}

/// Of what decides about the result, and of nothing else.
#[test]
fn the_hash_of_the_job_in_the_receipt_is_of_what_decides() {
    let of = |set: &[&str]| {
        let folder = tempfile::tempdir().unwrap();
        let set = [&["controller.rounds=1"], set].concat();
        run(digits(&set), out(folder.path())).unwrap().receipt.job_hash
    };
    let plain = of(&[]);
    assert_eq!(plain.len(), 64);
    assert_eq!(of(&["report.alone=false"]), plain);
    for other in ["learner.epochs=2", "controller.evaluate.every=0", "data.scale=4.0"] {
        assert_ne!(of(&[other]), plain, "{other}");
    }
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

/// Two rounds, each of which adds 2, and a process that ended between the second's checkpoint and its files.
#[test]
fn a_run_that_goes_on_leaves_the_last_finished_rounds_model_before_anything_else() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join(run::MODEL_FILE);
    let left = || flare::tensor::Tensors::decode(std::fs::read(&model).unwrap()).unwrap();
    interrupted(loaded(FIXED), out(folder.path()), 3);
    assert_eq!(left().slice::<f32>("x").unwrap(), [4.0, 4.0]);
    std::fs::remove_file(&model).unwrap();
    interrupted(loaded(FIXED), resume(folder.path()), 3);
    assert_eq!(left().slice::<f32>("x").unwrap(), [4.0, 4.0]);
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
fn data_may_move_between_the_parts_of_a_run_and_other_data_are_refused() {
    let place = tempfile::tempdir().unwrap();
    let (folder, moved) = (place.path().join("out"), place.path().join("moved.csv.gz"));
    let job = |path: &Path| {
        digits(&[
            "controller.rounds=2",
            "report.alone=false",
            &format!("data.path={}", path.display()),
        ])
    };
    let mut here = digits(&["controller.rounds=2", "report.alone=false"]);
    let data = here.folder.join("digits.csv.gz");
    here.job.report.central = false;
    let first = run(here, out(&folder)).unwrap();
    std::fs::copy(&data, &moved).unwrap();
    let again = run(job(&moved), resume(&folder)).unwrap();
    assert_eq!((again.model_hash, again.trained), (first.model_hash, 0));
    // The same rows, packed by nobody: other bytes are other data.
    let mut bytes = std::fs::read(&data).unwrap();
    // A gzip header names the system that packed; it decides about nothing.
    bytes[9] ^= 1;
    std::fs::write(&moved, bytes).unwrap();
    let error = run(job(&moved), resume(&folder)).unwrap_err().to_string();
    assert!(error.contains("whose job differs"), "{error}");
}

/// Interrupts the run as soon as an operation has started.
struct StopAtStart(&'static str, Interrupt);

impl Observer for StopAtStart {
    fn event(&self, event: &Event, _: &SoFar) {
        if let What::OperationStarted { key, .. } = &event.what
            && key.to_string() == self.0
        {
            self.1.set();
        }
    }
}

#[test]
fn a_deadline_that_started_anew_is_told_in_the_cohort_record() {
    let text = FIXED
        .replace(
            "kind = \"fixed\"\nscale = 1.0\noffset = 1.0\n",
            "kind = \"sleepy\"\njitter = 0.5\n",
        )
        .replace("[learner.clients.client-1]\noffset = 4.0\n", "")
        .replace("rounds = 4", "rounds = 2\nreplies.deadline = 3600");
    let folder = tempfile::tempdir().unwrap();
    let interrupt = Interrupt::new();
    let observer = Arc::new(StopAtStart("train-2", interrupt.clone()));
    let begun = Run::prepare(loaded(&text), out(folder.path())).unwrap();
    assert!(matches!(begun.execute(observer, &interrupt), Err(Error::Interrupted { .. })));
    run(loaded(&text), resume(folder.path())).unwrap();
    let rows = rows(folder.path(), run::COHORT_FILE);
    let said: Vec<_> = rows.iter().map(|row| (&row["operation"], &row["deadline_anew"])).collect();
    let expected = [(Json::from("train-1"), Json::from(false)), ("train-2".into(), true.into())];
    assert_eq!(said, expected.iter().map(|(key, anew)| (key, anew)).collect::<Vec<_>>());
}

/// Asks the run to stop in round 2, and reads its page while the run still waits for this answer.
struct Reading(PathBuf, Interrupt, Mutex<Vec<Option<String>>>);

impl Observer for Reading {
    fn event(&self, event: &Event, _: &SoFar) {
        if let What::OperationEnded { record } = &event.what
            && record.round == Some(2)
        {
            let read = || std::fs::read_to_string(self.0.join(run::REPORT_FILE)).ok();
            let before = read();
            self.1.set();
            *self.2.lock().unwrap() = vec![before, read()];
        }
    }
}

#[test]
fn when_a_run_is_told_to_stop_its_page_is_left_whatever_it_still_waits_for() {
    let folder = tempfile::tempdir().unwrap();
    let run = Run::prepare(loaded(FIXED), out(folder.path())).unwrap();
    let interrupt = Interrupt::new();
    let reading = Arc::new(Reading(folder.path().into(), interrupt.clone(), Mutex::default()));
    let error = run.execute(Arc::clone(&reading) as _, &interrupt).unwrap_err();
    assert!(matches!(error, Error::Interrupted { .. }), "{error}");
    let read = std::mem::take(&mut *reading.2.lock().unwrap());
    let [None, Some(page)] = &read[..] else { panic!("{read:?}") };
    assert!(page.contains("not finished") && page.contains("<title>round 2"), "{page}");
}
