//! `flare job`: new, check, schema.

use expect_test::expect;

use crate::place::{FIXED, Place};

#[test]
fn a_new_job_is_valid_and_named_after_its_file() {
    let place = Place::new();
    let new = place.flare(&["job", "new", "heart.toml"]).well();
    assert_eq!((new.stdout.as_str(), new.stderr.as_str()), ("", ""));
    assert!(place.read("heart.toml").contains("name = \"heart\""));
    let check = place.flare(&["job", "check", "heart.toml"]).well();
    assert!(check.stdout.contains("heart"), "{check}");
}

#[test]
fn a_new_job_overwrites_nothing() {
    let place = Place::with_job(FIXED);
    let new = place.flare(&["job", "new", "job.toml"]);
    expect![[r#"
        [EOF]
        --- stderr
        error: writing job.toml
          File exists (os error 17)
        hint: name a file that is not there yet
        [EOF]
        --- exit 2
    "#]]
    .assert_eq(&new.to_string());
    assert_eq!(place.read("job.toml"), FIXED);
}

#[test]
fn without_a_file_a_new_job_is_data() {
    let place = Place::new();
    let new = place.flare(&["job", "new"]).well();
    place.write("job.toml", &new.stdout);
    place.flare(&["job", "check", "job.toml"]).well().to_string();
    assert!(new.stderr.is_empty());
}

#[test]
fn a_check_says_what_happens_when_a_client_is_slow() {
    let place = Place::with_job(FIXED);
    expect![[r#"
        fixed: fedavg with fixed over 2 clients
        Each round asks all 2 clients.
        If one of five clients is slow: each round waits for it, however long it takes, and takes as long as its slowest client. All 2 replies are needed; min_replies or a deadline in [controller.replies] would change that.
        A client whose learner fails is left out of that round, by name.
        All rounds are exact: the model is the same at any number of workers, and after any kill and resume.
        [EOF]
        --- stderr
        [EOF]
        --- exit 0
    "#]].assert_eq(&place.flare(&["job", "check", "job.toml"]).to_string());
    let set = "--set=controller.replies={ min_replies = 1, wait_after_min = 2.5 }";
    expect![[r#"
        fixed: fedavg with fixed over 2 clients
        Each round asks all 2 clients.
        If one of five clients is slow: 1 of 2 replies are enough; the others are awaited TIME UNIT more, then left out. So up to 1 of them may be slow in a round.
        A client whose learner fails is left out of that round, by name.
        Such rounds are timed: the clock decides whose replies count. A run is the same again only when it is replayed from its record (cohort.jsonl).
        [EOF]
        --- stderr
        [EOF]
        --- exit 0
    "#]].assert_eq(&place.flare(&["job", "check", "job.toml", set]).to_string());
}

#[test]
fn the_schema_is_json_and_names_components() {
    let schema = Place::new().flare(&["job", "schema"]).well();
    let value: serde_json::Value = serde_json::from_str(&schema.stdout).unwrap();
    assert!(value["properties"]["clients"].is_object());
    for name in
        ["fedavg", "scaffold", "relay", "softmax-regression", "echo", "norm-clip", "dirichlet"]
    {
        assert!(schema.stdout.contains(name), "{name}");
    }
}
