//! What is decided by metrics: when to evaluate, which model is best, when to stop.

use flare_core::controller::Finished;

use crate::fedavg;
use crate::world::{World, learner, vector};

/// Runs rounds in which the model's one element counts them, with this accuracy after each.
fn run(accuracy: &str, settings: &str) -> (Finished, World) {
    let learner = learner(
        "fixed",
        &format!("offset = 1.0\n[[metrics]]\nname = \"accuracy\"\nvalues = {accuracy}\n"),
    );
    let world = World::new(3, vector("x", &[0.0]), learner);
    let finished = world.run(fedavg(settings)).unwrap();
    (finished, world)
}

fn labels(world: &World) -> Vec<String> {
    world.records().iter().map(|record| record.key.to_string()).collect()
}

#[test]
fn evaluation_comes_every_so_many_rounds_and_at_the_end() {
    let labels = |settings| labels(&run("[0.5]", settings).1);
    assert_eq!(
        labels("rounds = 5\nevaluate.every = 2"),
        [
            "train-1",
            "train-2",
            "evaluate-2",
            "train-3",
            "train-4",
            "evaluate-4",
            "train-5",
            "evaluate-5"
        ]
    );
    assert_eq!(labels("rounds = 2\nevaluate.every = 0"), ["train-1", "train-2"]);
    assert_eq!(
        labels("rounds = 1\nevaluate.on = \"both\""),
        ["train-1", "evaluate-1", "held-out-1"]
    );
    assert_eq!(labels("rounds = 0\nevaluate.on = \"held_out\""), ["held-out-0"]);
}

#[test]
fn the_best_model_is_the_earliest_of_the_best_and_never_that_of_a_nan() {
    let best = |accuracy: &str| {
        let (finished, _) = run(accuracy, "rounds = 5\nbest.metric = \"accuracy\"");
        (finished.round, finished.model.slice::<f64>("x").unwrap()[0])
    };
    assert_eq!(best("[0.1, 0.5, 0.3, 0.5, 0.2]"), (2, 2.0));
    assert_eq!(best("[nan, 0.1, nan, 0.2, nan]"), (4, 4.0));
    assert_eq!(best("[nan]"), (5, 5.0));
    let last = run("[0.5, 0.1]", "rounds = 3").0;
    assert_eq!((last.round, last.metrics["accuracy"].value), (3, 0.1));
}

#[test]
fn a_metric_that_is_better_when_lower_is_taken_as_such() {
    let learner = learner(
        "fixed",
        "offset = 1.0\n[[metrics]]\nname = \"loss\"\nvalues = [0.3, 0.1, 0.2]\n\
         direction = \"lower_is_better\"\n",
    );
    let world = World::new(1, vector("x", &[0.0]), learner);
    let finished = world.run(fedavg("rounds = 3\nbest.metric = \"loss\"")).unwrap();
    assert_eq!((finished.round, finished.metrics["loss"].value), (2, 0.1));
}

#[test]
fn training_stops_when_patience_is_over() {
    let rounds = |accuracy: &str, more: &str| {
        let settings =
            format!("rounds = 9\nearly_stopping = {{ metric = \"accuracy\", patience = 2{more} }}");
        run(accuracy, &settings).0.round
    };
    assert_eq!(rounds("[0.1, 0.2, 0.2, 0.2, 0.3]", ""), 4);
    assert_eq!(rounds("[0.1, 0.2, 0.2, 0.3, 0.3, 0.3]", ""), 6);
    assert_eq!(rounds("[0.1, 0.2, 0.3, 0.4]", ""), 6);
    // Better by no more than min_delta is no improvement; small steps add up.
    assert_eq!(rounds("[0.5, 0.625, 0.75, 0.875, 1.0]", ", min_delta = 0.125"), 7);
    assert_eq!(rounds("[nan]", ""), 2);
}

#[test]
fn a_metric_that_nobody_reports_is_named_at_the_first_evaluation() {
    let world = World::new(2, vector("x", &[0.0]), learner("echo", ""));
    let fault = world.run(fedavg("best.metric = \"accuracy\"")).unwrap_err().to_string();
    assert!(fault.contains("\"accuracy\"") && fault.contains("none"), "{fault}");
    assert_eq!(labels(&world), ["train-1", "evaluate-1"]);
}

#[test]
fn a_sample_is_drawn_anew_for_each_round_and_an_evaluation_shifts_no_other() {
    let sampled = |settings: &str| {
        let world = World::new(20, vector("x", &[0.0]), learner("echo", ""));
        world.run(fedavg(settings)).unwrap();
        let records = world.records();
        let trained = records.iter().filter(|record| record.key.to_string().starts_with("train"));
        let ranks = |record: &&std::sync::Arc<flare_core::outcome::Record>| {
            record.counted().iter().map(|(rank, _)| rank.0).collect::<Vec<_>>()
        };
        trained.map(|record| ranks(&record)).collect::<Vec<_>>()
    };
    let plain = sampled("rounds = 4\nsample.size = 5\nevaluate.every = 0");
    assert!(plain.iter().all(|ranks| ranks.len() == 5) && plain[0] != plain[1], "{plain:?}");
    let evaluated = "rounds = 4\nsample.size = 5\n\
                     [evaluate.sample]\nfraction = 0.05\nminimum = 2";
    assert_eq!(sampled(evaluated), plain);
    assert!(sampled("rounds = 2\nsample.fraction = 0.3").iter().all(|ranks| ranks.len() == 6));
}
