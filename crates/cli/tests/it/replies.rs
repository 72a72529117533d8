//! Replies that fail or are refused: who is left out, why a run ends, and what is kept.

use expect_test::{Expect, expect};

use crate::place::{Ended, FIXED, Place, with_learner};

/// Runs the job in its folder with `--out out`.
fn run(place: &Place) -> Ended {
    place.flare(&["run", "job.toml", "--quiet", "--out", "out"])
}

/// A job begins, and fails so.
fn failed(job: &str, said: Expect) {
    let ended = run(&Place::with_job(job));
    assert_eq!(ended.code, Some(1), "{ended}");
    said.assert_eq(&ended.to_string());
}

/// The deadline of ten minutes is not waited for: two more replies cannot come.
#[test]
fn c013_too_few_that_can_still_reply_end_the_run_and_the_last_round_is_kept() {
    let job = with_learner("kind = \"failing\"\nrounds = [2]")
        .replace("count = 2", "count = 3")
        .replace("rounds = 3", "rounds = 3\nreplies = { min_replies = 2, deadline = 600 }");
    assert!(job.contains("min_replies"), "{job}");
    let place = Place::with_job(&job);
    let ended = run(&place);
    assert_eq!(ended.code, Some(1), "{ended}");
    let text = ended.to_string();
    assert!(text.matches("the learner failed: fails in round 2").count() >= 2, "{text}");
    assert!((0..3).all(|rank| text.contains(&format!("client-{rank}: "))), "{text}");
    let rows = place.read("out/metrics.jsonl");
    assert!(rows.contains("train-1") && place.files().contains(&"out/model.safetensors".into()));
}

#[test]
fn a_learner_that_fails_everywhere() {
    failed(
        &with_learner("kind = \"failing\"\nrounds = [2]"),
        expect![[r#"
        [EOF]
        --- stderr
        error: the run failed: round 2: operation train-2: 0 of the 1 replies that it needs came
          client-0: the learner failed: fails in round 2, as its settings say
          client-1: the learner failed: fails in round 2, as its settings say
        hint: what is finished is kept; go on with `flare run job.toml --resume out`
        [EOF]
        --- exit 1
    "#]],
    );
}

#[test]
fn a_learner_that_panics() {
    failed(
        &with_learner("kind = \"failing\"\nhow = \"panic\""),
        expect![[r#"
        [EOF]
        --- stderr
        error: the run failed: round 1: operation train-1: 0 of the 1 replies that it needs came
          client-0: the learner panicked: panics in round 1, as its settings say, at plugins/study/src/learners.rs:LINE
          client-1: the learner panicked: panics in round 1, as its settings say, at plugins/study/src/learners.rs:LINE
        hint: what is finished is kept; go on with `flare run job.toml --resume out`
        [EOF]
        --- exit 1
    "#]],
    );
}

#[test]
fn no_number_in_every_update() {
    failed(
        &with_learner("kind = \"failing\"\nhow = \"nan\""),
        expect![[r#"
        [EOF]
        --- stderr
        error: the run failed: round 1: operation train-1: 0 of the 1 replies that it needs came
          client-0: its reply was refused: tensor "weights" holds a NaN or an infinity at element 0; accept_non_finite = true would let it through
          client-1: its reply was refused: tensor "weights" holds a NaN or an infinity at element 0; accept_non_finite = true would let it through
        hint: what is finished is kept; go on with `flare run job.toml --resume out`
        [EOF]
        --- exit 1
    "#]],
    );
}

#[test]
fn another_shape_than_the_models() {
    failed(
        &with_learner("kind = \"failing\"\nhow = \"wrong_shape\""),
        expect![[r#"
        [EOF]
        --- stderr
        error: the run failed: round 1: operation train-1: 0 of the 1 replies that it needs came
          client-0: its reply was refused: tensor "weights" is F32 of shape [2, 3, 1], where the task has F32 of shape [2, 3]
          client-1: its reply was refused: tensor "weights" is F32 of shape [2, 3, 1], where the task has F32 of shape [2, 3]
        hint: what is finished is kept; go on with `flare run job.toml --resume out`
        [EOF]
        --- exit 1
    "#]],
    );
}

#[test]
fn one_client_that_fails_is_left_out_by_name_and_the_run_goes_on() {
    let failing = "kind = \"failing\"\nclients = [\"client-1\"]";
    let place = Place::with_job(&with_learner(failing));
    let ended = place.flare(&["run", "job.toml", "--out", "out"]).well();
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
        fixed: 2 clients, 3 rounds, seed 7, kept in out
        train-1: client-1: the learner failed: fails in round 1, as its settings say
        round 1/3: accuracy 50.00 %, loss 2.0000, 1 of 2 clients, TIME UNIT
        train-2: client-1: the learner failed: fails in round 2, as its settings say
        round 2/3: accuracy 62.50 %, loss 1.5000, 1 of 2 clients, TIME UNIT
        train-3: client-1: the learner failed: fails in round 3, as its settings say
        round 3/3: accuracy 75.00 %, loss 1.2500, 1 of 2 clients, TIME UNIT
        [EOF]
        --- exit 0
    "#]]
    .assert_eq(&ended.to_string());
}

#[test]
fn a_total_weight_of_nothing() {
    failed(
        &FIXED.replace("examples = 4", "examples = 0"),
        expect![[r#"
        [EOF]
        --- stderr
        error: the run failed: round 1: total weight 0: client-0, client-1 replied with no examples, so there is no mean; the model stays as it was
        hint: what is finished is kept; go on with `flare run job.toml --resume out`
        [EOF]
        --- exit 1
    "#]],
    );
}

/// The bytes of a model of one tensor `x` of f32 in the folder's file: 8 bytes for the header's length, the header,
/// the numbers.
fn kept(place: &Place) -> Vec<f32> {
    let bytes = std::fs::read(place.path("out/model.safetensors")).unwrap();
    let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let numbers = bytes[8 + header..].chunks_exact(4);
    numbers.map(|number| f32::from_le_bytes(number.try_into().unwrap())).collect()
}

/// A job that starts from `x`, as a file has it.
fn starting_from(x: &[f32], text: &str) -> Place {
    let place =
        Place::with_job(&format!("name = \"case\"\n{text}[model]\nfile = \"x0.safetensors\"\n"));
    let end = 4 * x.len();
    let header = format!(
        "{{\"x\":{{\"dtype\":\"F32\",\"shape\":[{}],\"data_offsets\":[0,{end}]}}}}",
        x.len()
    );
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.into_bytes());
    bytes.extend(x.iter().flat_map(|number| number.to_le_bytes()));
    place.write("x0.safetensors", bytes);
    place
}

#[test]
fn c001_a_total_weight_of_0_leaves_the_model_on_disk_and_5_examples_decide() {
    for (examples, left) in [(0, [9.0, 9.0]), (5, [3.0, 4.0])] {
        let place = starting_from(
            &[9.0, 9.0],
            &format!(
                "[clients]\ncount = 2\n[controller]\nkind = \"fedavg\"\nrounds = 3\n\
                 [learner]\nkind = \"fixed\"\n\
                 [learner.clients.client-0]\ntensors.x = [1.0, 2.0]\nexamples = 0\n\
                 [learner.clients.client-1]\ntensors.x = [3.0, 4.0]\nexamples = {examples}\n"
            ),
        );
        let ended = run(&place);
        assert_eq!(ended.code, Some(if examples == 0 { 1 } else { 0 }), "{ended}");
        assert_eq!(kept(&place), left);
    }
}

/// x -> 2 x + rank from 1, over three clients of which some fail.
#[test]
fn c017_a_relay_that_fails_leaves_the_model_on_disk() {
    for (failing, on_failure, left) in [
        ("[\"client-1\"]", "end", 1.0),
        ("[\"client-1\"]", "skip", 6.0),
        ("[\"client-0\", \"client-1\", \"client-2\"]", "skip", 1.0),
    ] {
        let place = starting_from(
            &[1.0],
            &format!(
                "[clients]\ncount = 3\n[controller]\nkind = \"relay\"\non_failure = \"{on_failure}\"\n\
                 [learner]\nkind = \"failing\"\nclients = {failing}\n\
                 [learner.reply]\nscale = 2.0\n\
                 [learner.reply.clients.client-1]\nscale = 2.0\noffset = 1.0\n\
                 [learner.reply.clients.client-2]\nscale = 2.0\noffset = 2.0\n"
            ),
        );
        let ended = run(&place);
        assert_eq!(ended.code, Some(if left == 1.0 { 1 } else { 0 }), "{ended}");
        assert_eq!(kept(&place), [left], "{failing} {on_failure}: {ended}");
    }
}

#[test]
fn a_weight_below_nothing() {
    failed(
        &FIXED.replace("examples = 4", "weight = -1.0"),
        expect![[r#"
        [EOF]
        --- stderr
        error: the run failed: round 1: operation train-1: 0 of the 1 replies that it needs came
          client-0: the learner failed: weight -1 is no weight: it must be a finite number of at least 0
          client-1: the learner failed: weight -1 is no weight: it must be a finite number of at least 0
        hint: what is finished is kept; go on with `flare run job.toml --resume out`
        [EOF]
        --- exit 1
    "#]],
    );
}
