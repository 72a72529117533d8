//! `flare run`: what it writes where, and what changes the result.

use expect_test::expect;
use serde_json::Value;

use crate::place::{FIXED, Place, with_learner};

#[test]
fn the_closing_table_is_on_standard_output_alone_and_progress_on_standard_error() {
    let ended = Place::with_job(FIXED).flare(&["run", "job.toml"]);
    expect![[r#"
        accuracy of the federation                75.00 %
        accuracy with all data in one place       -
        mean accuracy of the clients' own models  -
        rounds                                    3
        model hash                                HASH
        time                                      TIME UNIT
        peak memory                               SIZE UNIT
        [EOF]
        --- stderr
        fixed: 2 clients, 3 rounds, seed 7
        round 1/3: accuracy 50.00 %, loss 2.0000, 2 of 2 clients, TIME UNIT
        round 2/3: accuracy 62.50 %, loss 1.5000, 2 of 2 clients, TIME UNIT
        round 3/3: accuracy 75.00 %, loss 1.2500, 2 of 2 clients, TIME UNIT
        [EOF]
        --- exit 0
    "#]]
    .assert_eq(&ended.to_string());
}

#[test]
fn quiet_says_nothing_but_the_table() {
    let ended = Place::with_job(FIXED).flare(&["run", "job.toml", "--quiet"]).well();
    assert_eq!(ended.stderr, "");
    assert!(ended.stdout.starts_with("accuracy of the federation"), "{ended}");
}

#[test]
fn the_folder_holds_the_model_whose_hash_the_table_shows() {
    let place = Place::with_job(FIXED);
    let ended = place.flare(&["run", "job.toml", "--quiet", "--out", "out"]).well();
    let model = std::fs::read(place.path("out/model.safetensors")).unwrap();
    assert_eq!(ended.figure("model hash"), flare::Hash::of(&model).to_string());
    for file in ["cohort.jsonl", "metrics.jsonl", "receipt.json", "report.html"] {
        assert!(place.path("out").join(file).is_file(), "{file}: {:?}", place.files());
    }
    assert!(!place.files().iter().any(|file| file.ends_with(".tmp")), "{:?}", place.files());
}

#[test]
fn workers_change_nothing_and_a_field_does() {
    let place = Place::with_job(FIXED);
    let hash = |args: &[&str]| {
        let args = [&["run", "job.toml", "--quiet"], args].concat();
        place.flare(&args).well().figure("model hash")
    };
    let plain = hash(&[]);
    assert_eq!(hash(&["--workers", "1"]), plain);
    assert_eq!(hash(&["--workers=7"]), plain);
    assert_ne!(hash(&["--set", "learner.offset=0.25"]), plain);
    assert_ne!(hash(&["--set", "controller.rounds=2"]), plain);
}

#[test]
fn the_seed_of_the_command_line_takes_the_place_of_the_jobs() {
    let drawn = FIXED.replace("shape = [2, 3]", "shape = [2, 3]\ninit = { normal = 1.0 }");
    let place = Place::with_job(&drawn);
    let hash = |args: &[&str]| {
        let args = [&["run", "job.toml", "--quiet"], args].concat();
        place.flare(&args).well().figure("model hash")
    };
    assert_eq!(hash(&[]), hash(&["--seed", "7"]));
    assert_ne!(hash(&[]), hash(&["--seed", "8"]));
}

#[test]
fn a_finished_run_is_resumed_without_training_anything() {
    let place = Place::with_job(FIXED);
    let args = ["run", "job.toml", "--json", "--quiet", "--out", "out"];
    let first = place.flare(&args).well().summary();
    let args = ["run", "job.toml", "--json", "--quiet", "--resume", "out"];
    let second = place.flare(&args).well().summary();
    assert_eq!(first["trained"], 6);
    assert_eq!(second["trained"], 0);
    assert_eq!(first["model_hash"], second["model_hash"]);
    assert_eq!(first["accuracy"], second["accuracy"]);
}

#[test]
fn resuming_a_folder_in_which_nothing_was_begun_begins_there() {
    let place = Place::with_job(FIXED);
    std::fs::create_dir(place.path("half")).unwrap();
    let ended = place.flare(&["run", "job.toml", "--quiet", "--resume", "half"]).well();
    assert_eq!(ended.figure("rounds"), "3");
    assert!(place.path("half/model.safetensors").is_file());
}

#[test]
fn the_working_directory_does_not_matter() {
    let place = Place::with_job(FIXED);
    std::fs::create_dir(place.path("elsewhere")).unwrap();
    let job = place.path("job.toml");
    let mut command = place.command(&["run", job.to_str().unwrap(), "--quiet", "--out=out"]);
    let ended = place.ended(command.current_dir(place.path("elsewhere")).output().unwrap());
    assert_eq!(ended.well().figure("rounds"), "3");
    assert!(place.path("elsewhere/out/model.safetensors").is_file());
}

#[test]
fn a_cohort_record_replays_a_run() {
    let place = Place::with_job(FIXED);
    let first = place.flare(&["run", "job.toml", "--quiet", "--out", "out"]).well();
    let args = ["run", "job.toml", "--quiet", "--cohort", "out/cohort.jsonl"];
    let second = place.flare(&args).well();
    assert_eq!(first.figure("model hash"), second.figure("model hash"));
}

/// Where it would not fail: nobody is asked in the round that did.
#[test]
fn a_cohort_record_replays_a_failure() {
    let place = Place::with_job(&with_learner("kind = \"failing\"\nrounds = [2]"));
    let run = |args: &[&str]| {
        let ended = place.flare(&[&["run", "job.toml", "--quiet", "--json"], args].concat());
        assert_eq!(ended.code, Some(1), "{ended}");
        let lines = ended.json();
        let operation = lines[lines.len() - 2].clone();
        (operation, ended.summary()["messages"].clone())
    };
    let (failed, said) = run(&["--out", "out"]);
    let again = ["--cohort", "out/cohort.jsonl", "--set", "learner.rounds=[9]"];
    let (again, said_again) = run(&again);
    assert_eq!(said_again, said);
    let of = |line: &Value| (line["operation"].clone(), line["error"].clone());
    assert_eq!(of(&again), of(&failed));
    assert_eq!((&failed["trained"], &again["trained"]), (&4.into(), &2.into()));
}

#[test]
fn help_and_version_are_data() {
    let place = Place::new();
    let version = place.flare(&["--version"]).well();
    assert_eq!(version.stdout, format!("flare {}\n", env!("CARGO_PKG_VERSION")));
    let help = place.flare(&["--help"]).well();
    assert!(help.stdout.contains("Exit codes:") && help.stderr.is_empty(), "{help}");
}
