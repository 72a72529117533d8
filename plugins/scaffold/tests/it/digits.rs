//! C053: SCAFFOLD on digits, killed and resumed.

use crate::digits_world::world;
use crate::scaffold;

const SETTINGS: &str = "rounds = 6\nsample.size = 4\n[evaluate]\nevery = 3\non = \"held_out\"\n";

#[test]
fn c053_control_variates_and_sampling_go_on_as_if_nothing_had_been() {
    let undisturbed = world(7).run(scaffold(SETTINGS)).unwrap();
    for workers in [1, 7] {
        let mut world = world(7);
        world.workers = workers;
        assert_eq!(world.run(scaffold(SETTINGS)).unwrap().model, undisturbed.model);
    }
    for steps in [5, 6, 7, 11] {
        let (finished, pieces) = world(7).run_in_pieces(steps, || scaffold(SETTINGS));
        assert!(pieces > 1);
        assert_eq!(finished.model, undisturbed.model, "{steps} writes a piece");
        assert_eq!(finished.metrics, undisturbed.metrics);
    }
}

#[test]
fn thirty_rounds_learn() {
    let run = scaffold("rounds = 30\n[evaluate]\nevery = 30\non = \"held_out\"\n");
    let accuracy = world(1).run(run).unwrap().metrics["accuracy"].value;
    assert!(accuracy > 0.9, "{accuracy}");
}
