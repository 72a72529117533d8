//! The digits job, whole: softmax regression over ten clients.

use crate::digits_world::{alone, central, world};
use crate::fedavg;
use crate::world::World;

const HELD_OUT: &str = "[evaluate]\nevery = 100\non = \"held_out\"\n";

fn accuracy(world: &World, rounds: u32) -> f64 {
    let run = fedavg(&format!("rounds = {rounds}\n{HELD_OUT}"));
    world.run(run).unwrap().metrics["accuracy"].value
}

#[test]
fn a_hundred_rounds_reach_94_percent_for_each_of_five_seeds() {
    let reached: Vec<f64> = (1..=5).map(|seed| accuracy(&world(seed), 100)).collect();
    assert!(reached.iter().all(|accuracy| *accuracy >= 0.94), "{reached:?}");
    // The same learner on all the data is a little better, each client alone much worse.
    let together = accuracy(&central(1, 100), 1);
    assert!(together >= 0.96 && together - reached[0] < 0.04, "{together} {reached:?}");
    let by_itself = |rank| accuracy(&alone(1, rank, 100), 1);
    let mean = (0..10).map(by_itself).sum::<f64>() / 10.0;
    assert!(mean < 0.75, "{mean}");
    println!("federation {reached:?}, central {together}, alone {mean}");
}

#[test]
fn the_number_of_workers_and_a_mu_of_0_change_no_bit() {
    let hash = |workers: usize, settings: &str| {
        let mut world = world(3);
        world.workers = workers;
        let run = fedavg(&format!("rounds = 5\nevaluate.every = 0\n{settings}"));
        world.run(run).unwrap().model.hash()
    };
    let one = hash(1, "");
    assert_eq!((hash(2, ""), hash(7, ""), hash(2, "proximal_mu = 0.0")), (one, one, one));
    assert_ne!(hash(2, "proximal_mu = 0.1"), one);
}
