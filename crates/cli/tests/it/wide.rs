//! Case C038: what is wide rather than large. It works like any other, or a limit that has a name refuses it.

use std::fmt::Write;

use flare::tensor::{DType, Layout, Tensors};

use crate::place::{FIXED, Place, with_learner};

/// A model of so many tensors, whose names are nearly as long as names may be.
fn wide(tensors: usize) -> Layout {
    let name = |at: usize| format!("block.{}.{at:05}", "x".repeat(240));
    Layout::new((0..tensors).map(|at| (name(at), DType::F32, [at % 3]))).unwrap()
}

#[test]
fn c038_a_model_of_20_000_tensors_is_trained_like_any_other() {
    let layout = wide(20_000);
    assert!(layout.prefix().len() > 6_000_000);
    let tensors = FIXED.find("[[model.tensors]]").unwrap();
    let place =
        Place::with_job(&format!("{}[model]\nfile = \"wide.safetensors\"\n", &FIXED[..tensors]));
    place.write("wide.safetensors", Tensors::zeros(&layout).encoded());
    let ended = place.flare(&["run", "job.toml", "--json", "--quiet", "--out", "out"]).well();
    // Three rounds, in each of which every element gains a half.
    let model = std::fs::read(place.path("out/model.safetensors")).unwrap();
    let model = Tensors::decode(model).unwrap();
    assert_eq!(model.layout(), &layout);
    let is_right = |tensor: &str| model.slice::<f32>(tensor).unwrap().iter().all(|x| *x == 1.5);
    assert!(layout.iter().all(|info| is_right(&info.name)));
    assert_eq!(ended.summary()["rounds"], 3);
    let shown = place.flare(&["model", "show", "out/model.safetensors"]).well();
    assert!(shown.stdout.lines().count() > 20_000);
}

#[test]
fn c038_a_job_file_of_5_mb_works() {
    let elements = 800_000;
    let mut job = FIXED.replace("offset = 0.5", "").replace("[2, 3]", &format!("[{elements}]"));
    job.push_str("[learner.tensors]\nweights = [");
    (0..elements).for_each(|at| write!(job, "{}.25, ", at % 1000).unwrap());
    job.push_str("]\n");
    assert!(job.len() > 5_000_000, "{}", job.len());
    let place = Place::with_job(&job);
    place.flare(&["run", "job.toml", "--quiet", "--out", "out"]).well().figure("rounds");
    let model = std::fs::read(place.path("out/model.safetensors")).unwrap();
    let model = Tensors::decode(model).unwrap();
    let weights = model.slice::<f32>("weights").unwrap();
    assert_eq!(weights.len(), elements);
    assert!(weights.iter().enumerate().all(|(at, x)| *x == (at % 1000) as f32 + 0.25));
}

#[test]
fn c038_a_job_file_is_refused_by_its_size() {
    let place = Place::new();
    let limit = flare::job::MAX_JOB_BYTES as usize;
    let padded = |bytes: usize| format!("{FIXED}#{}", "x".repeat(bytes - FIXED.len() - 1));
    place.write("job.toml", padded(limit));
    let checked = place.flare(&["job", "check", "job.toml"]).well();
    assert!(checked.stdout.starts_with("fixed: fedavg"), "{checked}");
    place.write("job.toml", padded(limit + 1));
    let refused = place.flare(&["job", "check", "job.toml"]);
    assert_eq!(refused.code, Some(2), "{refused}");
    let said = "error: reading job job.toml: 16777217 bytes, 16777216 are the limit\n";
    assert!(refused.stderr.starts_with(said), "{refused}");
}

/// The job whose second client measures so many things.
fn measuring(metrics: usize) -> String {
    let mut job = format!("{FIXED}[learner.clients.client-1]\nmetrics = [\n");
    for at in 0..metrics {
        writeln!(job, "{{ name = \"metric-{at}\", values = [{at}.0] }},").unwrap();
    }
    job + "]\n"
}

#[test]
fn c038_metrics_in_a_reply_have_a_limit_and_no_other_client_is_lost() {
    let limit = flare::metric::MAX_METRICS;
    for (metrics, refused) in [(limit, false), (100_000, true)] {
        let place = Place::with_job(&measuring(metrics));
        let ended = place.flare(&["run", "job.toml", "--json", "--quiet"]).well();
        let lines = ended.json();
        let evaluations: Vec<_> = lines
            .iter()
            .filter(|l| l["event"] == "operation-ended" && l["task"] == "evaluate")
            .collect();
        assert_eq!(evaluations.len(), 3);
        for line in evaluations {
            let failed = line["failed"].as_array().unwrap();
            assert_eq!(line["counted"], if refused { 1 } else { 2 });
            assert_eq!(failed.is_empty(), !refused);
            assert!(line["metrics"]["accuracy"].is_number());
            assert_eq!(
                line["metrics"].as_object().unwrap().len(),
                if refused { 2 } else { limit + 2 }
            );
            if refused {
                assert_eq!(failed[0]["client"], "client-1");
                let cause = "its reply was refused: 100000 metrics in one reply, 10000 are the limit: \
                             report fewer, such as means";
                assert_eq!(failed[0]["cause"], cause);
            }
        }
    }
}

#[test]
fn a_run_in_which_fewer_clients_train_at_once_than_there_are_workers_says_so() {
    let said = |floats: usize| {
        let job = with_learner("kind = \"sleepy\"\ndelay = 0.2")
            .replace("count = 2", "count = 3")
            .replace("rounds = 3", "rounds = 1")
            .replace("shape = [2, 3]", &format!("shape = [{floats}]"));
        let place = Place::with_job(&job);
        place.flare(&["run", "job.toml", "--quiet", "--workers", "3"]).well().stderr
    };
    // Three replies of 40 MB are more than two, and than 64 MB.
    let warned = said(10_000_000);
    assert_eq!(warned.matches("fewer clients train at once").count(), 1, "{warned}");
    assert!(warned.contains("WARN") && warned.contains("at_once=2"), "{warned}");
    assert_eq!(said(6), "");
}
