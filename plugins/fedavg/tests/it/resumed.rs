//! C053: a run that is killed, at whatever write, and goes on.

use flare_core::controller::Finished;

use crate::fedavg;
use crate::world::{World, learner, vector};

/// The model moves by another step in each round; accuracy rises until round 4.
fn world() -> World {
    let learner = learner(
        "fixed",
        "scale = 0.5\noffset = 1.0\n[clients.client-3]\noffset = -2.0\nexamples = 7\n\
         [clients.client-5]\nscale = 3.0\nexamples = 2\n\
         [[metrics]]\nname = \"accuracy\"\nvalues = [0.1, 0.3, 0.2, 0.5, 0.4, 0.4, 0.4, 0.9]\n",
    );
    let mut world = World::new(10, vector("x", &[0.25, -1.0]), learner);
    world.seed = 7;
    world
}

const SETTINGS: &str = "rounds = 8\nsample.size = 4\noptimizer = { kind = \"fedadam\" }\n\
                        best.metric = \"accuracy\"\n\
                        early_stopping = { metric = \"accuracy\", patience = 3 }";

fn told(finished: &Finished) -> impl PartialEq + std::fmt::Debug + use<> {
    (finished.model.hash(), finished.round, finished.metrics.clone(), finished.notes.clone())
}

#[test]
fn w1_c053_optimizer_best_model_and_patience_go_on_as_if_nothing_had_been() {
    let undisturbed = world().run(fedavg(SETTINGS)).unwrap();
    assert_eq!(undisturbed.round, 4);
    assert!(undisturbed.notes["stopped"].contains("after round 7"), "{:?}", undisturbed.notes);
    for steps in 5..24 {
        let mut world = world();
        let (finished, pieces) = world.run_in_pieces(steps, || fedavg(SETTINGS));
        assert!(pieces > 1, "{steps} writes a piece were enough");
        assert_eq!(told(&finished), told(&undisturbed), "{steps} writes a piece");
    }
}

#[test]
fn w2_a_run_that_is_over_is_over_when_it_is_opened_again() {
    let world = world();
    let first = world.run(fedavg(SETTINGS)).unwrap();
    let operations = world.records().len();
    let second = world.run(fedavg(SETTINGS)).unwrap();
    assert_eq!(told(&first), told(&second));
    assert_eq!(world.records().len(), operations);
}
