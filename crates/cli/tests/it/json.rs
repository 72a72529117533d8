//! `--json`: the contract. A change here is a change of what programs rely on.

use expect_test::expect;
use serde_json::Value;

use crate::place::{FIXED, Place, with_learner};

/// The lines with what differs from run to run replaced.
fn contract(lines: Vec<Value>) -> String {
    let shown = lines.into_iter().map(|mut line| {
        for name in ["seconds", "peak_rss_bytes"] {
            if let Some(value) = line.get_mut(name) {
                assert!(value.as_f64().is_some_and(|value| value > 0.0), "{name}: {value}");
                *value = "NUMBER".into();
            }
        }
        if let Some(hash) = line.get_mut("model_hash") {
            assert_eq!(hash.as_str().map(str::len), Some(64), "{hash}");
            *hash = "HASH".into();
        }
        line.to_string() + "\n"
    });
    shown.collect()
}

#[test]
fn each_event_is_a_line_and_the_last_is_the_summary() {
    let place = Place::with_job(FIXED);
    let args = ["run", "job.toml", "--json", "--set", "controller.rounds=1"];
    expect![[r#"
        {"clients":2,"event":"began","format":1,"job":"fixed","out":null,"resumed":false,"rounds":1,"seed":7}
        {"event":"round-started","round":1}
        {"clients":2,"event":"operation-started","operation":"train-1","replayed":false}
        {"bytes":304,"counted":2,"error":null,"event":"operation-ended","failed":[],"metrics":{},"operation":"train-1","replayed":false,"round":1,"seconds":"NUMBER","task":"train","timed":false,"trained":2}
        {"clients":2,"event":"operation-started","operation":"evaluate-1","replayed":false}
        {"bytes":128,"counted":2,"error":null,"event":"operation-ended","failed":[],"metrics":{"accuracy":0.5,"loss":2.0},"operation":"evaluate-1","replayed":false,"round":1,"seconds":"NUMBER","task":"evaluate","timed":false,"trained":2}
        {"accuracy":0.5,"asked":2,"bytes":432,"counted":2,"event":"round-ended","loss":2.0,"round":1,"seconds":"NUMBER","trained":2}
        {"accuracy":0.5,"cancelled":[],"central_accuracy":null,"clients_alone_accuracy":null,"event":"summary","exact":true,"job":"fixed","metrics":{"accuracy":0.5,"loss":2.0},"model_hash":"HASH","notes":{"rounds":"1"},"peak_rss_bytes":"NUMBER","round":1,"rounds":1,"seconds":"NUMBER","trained":2}
    "#]].assert_eq(&contract(place.flare(&args).well().json()));
}

#[test]
fn a_failure_names_client_and_cause_and_the_last_line_is_the_error() {
    let failing = with_learner("kind = \"failing\"\nrounds = [2]");
    let ended = Place::with_job(&failing).flare(&["run", "job.toml", "--json", "--quiet"]);
    assert_eq!(ended.code, Some(1), "{ended}");
    let lines = ended.json();
    let tail = lines[lines.len() - 2..].to_vec();
    expect![[r#"
        {"bytes":0,"counted":0,"error":"0 of the 1 replies that it needs came\n  client-0: the learner failed: fails in round 2, as its settings say\n  client-1: the learner failed: fails in round 2, as its settings say","event":"operation-ended","failed":[{"cause":"the learner failed: fails in round 2, as its settings say","client":"client-0"},{"cause":"the learner failed: fails in round 2, as its settings say","client":"client-1"}],"metrics":{},"operation":"train-2","replayed":false,"round":2,"seconds":"NUMBER","task":"train","timed":false,"trained":4}
        {"code":1,"event":"error","hints":[],"kind":"failed","messages":["the run failed: round 2: operation train-2: 0 of the 1 replies that it needs came\n  client-0: the learner failed: fails in round 2, as its settings say\n  client-1: the learner failed: fails in round 2, as its settings say"]}
    "#]].assert_eq(&contract(tail));
}

/// The learner says of every model what it says of the federation's.
#[test]
fn models_to_compare_with_are_events_and_their_accuracies_are_in_the_summary() {
    let data = "[data]\npath = \"data.csv\"\nformat = \"csv\"\nlabel = \"y\"\nheld_out = 2\n";
    let place = Place::with_job(&format!("{FIXED}{data}"));
    place.write("data.csv", "x,y\n1,0\n2,1\n3,0\n4,1\n5,0\n6,1\n");
    let args = ["run", "job.toml", "--json", "--set=controller.rounds=1"];
    let lines = place.flare(&args).well().json();
    let tail = lines[lines.len() - 6..].to_vec();
    expect![[r#"
        {"clients":2,"event":"operation-started","operation":"evaluate-1","replayed":false}
        {"bytes":128,"counted":2,"error":null,"event":"operation-ended","failed":[],"metrics":{"accuracy":0.5,"loss":2.0},"operation":"evaluate-1","replayed":false,"round":1,"seconds":"NUMBER","task":"evaluate","timed":false,"trained":2}
        {"accuracy":0.5,"asked":2,"bytes":432,"counted":2,"event":"round-ended","loss":2.0,"round":1,"seconds":"NUMBER","trained":2}
        {"event":"comparing","with":"central"}
        {"event":"comparing","with":"alone"}
        {"accuracy":0.5,"cancelled":[],"central_accuracy":0.5,"clients_alone_accuracy":0.5,"event":"summary","exact":true,"job":"fixed","metrics":{"accuracy":0.5,"loss":2.0},"model_hash":"HASH","notes":{"rounds":"1"},"peak_rss_bytes":"NUMBER","round":1,"rounds":1,"seconds":"NUMBER","trained":2}
    "#]].assert_eq(&contract(tail));
}

#[test]
fn where_the_clock_may_decide_an_operation_is_timed_and_the_run_not_exact() {
    let timed = "replies = { min_replies = 2, deadline = 600.0 }\nevaluate.every = 0\nrounds = 1";
    let place = Place::with_job(&FIXED.replace("rounds = 3", timed));
    let lines = place.flare(&["run", "job.toml", "--json"]).well().json();
    expect![[r#"
        {"clients":2,"event":"operation-started","operation":"train-1","replayed":false}
        {"bytes":304,"counted":2,"error":null,"event":"operation-ended","failed":[],"metrics":{},"operation":"train-1","replayed":false,"round":1,"seconds":"NUMBER","task":"train","timed":true,"trained":2}
        {"accuracy":null,"asked":2,"bytes":304,"counted":2,"event":"round-ended","loss":null,"round":1,"seconds":"NUMBER","trained":2}
        {"accuracy":null,"cancelled":[],"central_accuracy":null,"clients_alone_accuracy":null,"event":"summary","exact":false,"job":"fixed","metrics":{},"model_hash":"HASH","notes":{"rounds":"1"},"peak_rss_bytes":"NUMBER","round":1,"rounds":1,"seconds":"NUMBER","trained":2}
    "#]].assert_eq(&contract(lines[2..].to_vec()));
}

/// The first process ends after its operations and before its round: nobody reports the metric that is asked for.
#[test]
fn a_run_that_goes_on_says_so_and_what_is_answered_from_the_journal() {
    let place = Place::with_job(&FIXED.replace("rounds = 3", "rounds = 1\nbest.metric = \"f1\""));
    let first = place.flare(&["run", "job.toml", "--json", "--quiet", "--out=out"]);
    assert_eq!(first.code, Some(1), "{first}");
    let again = place.flare(&["run", "job.toml", "--json", "--quiet", "--resume=out"]);
    assert_eq!(again.code, Some(1), "{again}");
    expect![[r#"
        {"clients":2,"event":"began","format":1,"job":"fixed","out":"out","resumed":true,"rounds":1,"seed":7}
        {"event":"round-started","round":1}
        {"clients":2,"event":"operation-started","operation":"train-1","replayed":true}
        {"bytes":304,"counted":2,"error":null,"event":"operation-ended","failed":[],"metrics":{},"operation":"train-1","replayed":true,"round":1,"seconds":"NUMBER","task":"train","timed":false,"trained":0}
        {"clients":2,"event":"operation-started","operation":"evaluate-1","replayed":true}
        {"bytes":128,"counted":2,"error":null,"event":"operation-ended","failed":[],"metrics":{"accuracy":0.5,"loss":2.0},"operation":"evaluate-1","replayed":true,"round":1,"seconds":"NUMBER","task":"evaluate","timed":false,"trained":0}
        {"code":1,"event":"error","hints":["what is finished is kept; go on with `flare run job.toml --resume out`"],"kind":"failed","messages":["the run failed: round 1: nobody reports the metric \"f1\", by which the best model is decided; reported are: accuracy, loss"]}
    "#]].assert_eq(&contract(again.json()));
}

#[test]
fn train_calls_so_far_are_told_with_each_round() {
    let ended = Place::with_job(FIXED).flare(&["run", "job.toml", "--json", "--quiet"]).well();
    let lines = ended.json();
    let rounds = lines.iter().filter(|line| line["event"] == "round-ended");
    let trained: Vec<_> = rounds.map(|line| line["trained"].as_u64().unwrap()).collect();
    assert_eq!(trained, [2, 4, 6]);
    assert!(lines.iter().all(|line| line["event"].is_string()), "{ended}");
}

#[test]
fn what_nobody_measured_is_null() {
    let nobody = FIXED.replace("[0.5, 0.625, 0.75]", "[0.5, 0.625, 0.75]\nexamples = 0");
    let args = ["run", "job.toml", "--json", "--quiet", "--out=out"];
    let place = Place::with_job(&nobody);
    let ended = place.flare(&args).well();
    assert!(ended.summary()["accuracy"].is_null(), "{ended}");
    let rounds = ended.json().into_iter().filter(|line| line["event"] == "round-ended");
    assert!(rounds.into_iter().all(|line| line["accuracy"].is_null() && line["loss"].is_f64()));
    for row in place.read("out/metrics.jsonl").lines() {
        assert!(serde_json::from_str::<Value>(row).is_ok(), "{row}");
    }
}
