//! Rounds that fail: what is said, and what stays.

use crate::fedavg;
use crate::world::{World, learner, vector};

fn x0() -> flare_core::tensor::Tensors {
    vector("x", &[9.0, 9.0])
}

fn fixed(examples: [u64; 2]) -> World {
    let settings = format!(
        "[clients.client-0]\ntensors.x = [1.0, 2.0]\nexamples = {}\n\
         [clients.client-1]\ntensors.x = [3.0, 4.0]\nexamples = {}\n",
        examples[0], examples[1]
    );
    World::new(2, x0(), learner("fixed", &settings))
}

#[test]
fn c001_a_total_weight_of_0_names_round_and_clients_and_keeps_the_model() {
    let world = fixed([0, 0]);
    let fault = world.run(fedavg("rounds = 3")).unwrap_err().to_string();
    for part in ["total weight 0", "round 1", "client-0", "client-1"] {
        assert!(fault.contains(part), "{part}: {fault}");
    }
    assert_eq!(world.kept_model(), x0());
    let finished = fixed([0, 5]).run(fedavg("rounds = 3")).unwrap();
    assert_eq!(finished.model, vector("x", &[3.0, 4.0]));
}

#[test]
fn c001_a_metric_of_total_weight_0_is_absent_and_no_error() {
    let settings = |examples: u64| {
        format!(
            "examples = {examples}\n\
             [[metrics]]\nname = \"loss\"\nvalues = [2.0]\ndirection = \"lower_is_better\"\n"
        )
    };
    let evaluated = |examples| {
        let world = World::new(2, x0(), learner("fixed", &settings(examples)));
        let finished = world.run(fedavg("rounds = 0")).unwrap();
        assert_eq!((finished.round, finished.model), (0, x0()));
        assert_eq!(world.records().len(), 1);
        finished.metrics.get("loss").map(|metric| (metric.value, metric.weight))
    };
    assert_eq!((evaluated(0), evaluated(3)), (None, Some((2.0, 6.0))));
}

#[test]
fn c013_too_few_that_can_still_reply_end_the_run_at_once() {
    let settings = "rounds = [2]\n[reply]\noffset = 1.0\n";
    for deadline in ["", "deadline = 600.0\n"] {
        // The clock of this world stands still: waiting for the deadline would never end.
        let world = World::new(3, x0(), learner("failing", settings));
        let run = fedavg(&format!("rounds = 3\n[replies]\nmin_replies = 2\n{deadline}"));
        let fault = world.run(run).unwrap_err().to_string();
        assert!(fault.contains("round 2"), "{fault}");
        assert!((0..2).all(|rank| fault.contains(&format!("client-{rank}"))), "{fault}");
        assert_eq!(world.kept_model(), vector("x", &[10.0, 10.0]));
    }
}

#[test]
fn each_way_of_failing_leaves_the_client_out_by_name_or_fails_as_the_job_says() {
    for how in ["error", "panic", "nan", "wrong_shape", "wrong_dtype"] {
        let settings = format!(
            "how = \"{how}\"\nclients = [\"client-1\"]\n[reply]\noffset = 1.0\n\
             clients = {{ client-2 = {{ offset = 4.0 }} }}\n"
        );
        let world = || World::new(3, x0(), learner("failing", &settings));
        let left_out = world();
        let finished = left_out.run(fedavg("rounds = 1\nevaluate.every = 0")).unwrap();
        // The mean of 9 + 1 and 9 + 4.
        assert_eq!(finished.model, vector("x", &[11.5, 11.5]), "{how}");
        assert_eq!(left_out.records()[0].counted().len(), 2);
        let strict = world();
        let run = fedavg("rounds = 1\nreplies.on_failure = \"fail\"");
        let fault = strict.run(run).unwrap_err().to_string();
        assert!(fault.contains("client-1") && fault.contains("round 1"), "{how}: {fault}");
        assert_eq!(strict.kept_model(), x0());
    }
}

#[test]
fn a_nan_is_let_through_where_the_job_says_so() {
    let settings = "how = \"nan\"\nclients = [\"client-1\"]\n";
    let world = World::new(2, x0(), learner("failing", settings));
    let run = fedavg("rounds = 1\nreplies.accept_non_finite = true");
    let model = world.run(run).unwrap().model;
    let [first, second] = model.slice::<f64>("x").unwrap() else { panic!() };
    assert!(first.is_nan() && *second == 9.0, "{first} {second}");
}

#[test]
fn a_run_without_a_model_and_a_sample_beyond_the_roster_are_refused_in_words() {
    let empty = World::new(2, flare_core::tensor::Tensors::empty(), learner("echo", ""));
    let fault = empty.run(fedavg("")).unwrap_err().to_string();
    assert!(fault.contains("[model]"), "{fault}");
    let world = World::new(2, x0(), learner("echo", ""));
    let fault = world.run(fedavg("sample.size = 3")).unwrap_err().to_string();
    assert!(fault.contains('3') && fault.contains('2'), "{fault}");
}
