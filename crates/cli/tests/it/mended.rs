//! A run that failed through no fault of its own goes on once the cause is mended (contract 5).

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value as Json;

use crate::place::Place;

/// A run whose clients keep states, of so many rounds that it is surely stopped before the last.
const JOB: &str = r#"
name = "states"
[clients]
count = 2
[controller]
kind = "scaffold"
rounds = 60
evaluate.every = 0
[learner]
kind = "softmax-regression"
learning_rate = 0.1
[data]
path = "data.csv"
format = "csv"
label = "y"
[[model.tensors]]
name = "weights"
shape = [1, 2]
[[model.tensors]]
name = "bias"
shape = [2]
"#;

/// Whether it was stopped in time.
fn stop_after_a_round(place: &Place, args: &[&str]) -> bool {
    let mut child = place.command(args).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.contains("\"round-ended\"")));
    kill_process(Pid::from_raw(child.id().try_into().unwrap()).unwrap(), Signal::INT).unwrap();
    lines.for_each(drop);
    child.wait().unwrap().code() == Some(130)
}

#[test]
fn a_run_that_failed_goes_on_by_resume_to_the_same_model_when_the_cause_is_mended() {
    let place = Place::with_job(JOB);
    place.write("data.csv", "x,y\n1,0\n2,1\n3,0\n4,1\n5,0\n6,1\n");
    let run = |more: &str| place.flare(&["run", "job.toml", "--json", "--quiet", more]);
    let undisturbed = run("--out=whole").well().summary();
    // A machine that is busy elsewhere may see the last round before the signal: then it is tried once more.
    let stopped = (0..5).any(|_| {
        drop(fs::remove_dir_all(place.path("out")));
        stop_after_a_round(&place, &["run", "job.toml", "--json", "--quiet", "--out=out"])
    });
    assert!(stopped, "no run was stopped before its last round");

    // What the clients keep is gone for a while, as if it lay on a disk that is not there.
    let (states, aside) = (place.path("out/states"), place.path("aside"));
    fs::rename(&states, &aside).unwrap();
    fs::create_dir(&states).unwrap();
    for _ in 0..2 {
        let failed = run("--resume=out");
        assert_eq!(failed.code, Some(1), "{failed}");
        assert!(failed.stderr.contains("state lost"), "{failed}");
        assert!(failed.stderr.contains("--resume out"), "{failed}");
    }
    fs::remove_dir_all(&states).unwrap();
    fs::rename(&aside, &states).unwrap();

    let mended = run("--resume=out").well().summary();
    assert_eq!(mended["model_hash"], undisturbed["model_hash"]);
    assert!(mended["trained"].as_u64() < undisturbed["trained"].as_u64(), "{mended}");
    // What failed and was mended leaves no row, neither now nor when the files are written anew.
    let keys = |folder: &str, file: &str| -> Vec<(Json, Json)> {
        let text = place.read(&format!("{folder}/{file}"));
        let rows = text.lines().map(|line| serde_json::from_str::<Json>(line).unwrap());
        rows.map(|row| (row["operation"].clone(), row["failure"].clone())).collect()
    };
    let again = run("--resume=out").well().summary();
    assert_eq!((&again["model_hash"], &again["trained"]), (&mended["model_hash"], &0.into()));
    for file in ["metrics.jsonl", "cohort.jsonl"] {
        assert_eq!(keys("out", file), keys("whole", file), "{file}");
    }
}
