//! What a round makes of its replies.

use flare_core::tensor::{TensorData, Tensors};

use crate::fedavg;
use crate::told::told;
use crate::world::{World, learner, vector};

/// The models of two clients in two rounds; the weights are 5 and 15.
const ROUNDS: [[[f64; 3]; 2]; 2] =
    [[[0.2, 0.1, 0.3], [1.0, -0.4, 0.0]], [[0.5, 0.0, -0.1], [0.3, 0.2, 0.6]]];

fn golden(settings: &str) -> Vec<f64> {
    let unit =
        told(|task, rank| (ROUNDS[task.round.unwrap() as usize - 1][rank].to_vec(), [5, 15][rank]));
    let world = World::new(2, vector("x", &[0.1, -0.2, 0.3]), unit);
    let finished = world.run(fedavg(&format!("rounds = 2\n{settings}"))).unwrap();
    assert_eq!(finished.round, 2);
    finished.model.slice::<f64>("x").unwrap().to_vec()
}

#[track_caller]
fn close(got: &[f64], expected: &[f64]) {
    assert_eq!(got.len(), expected.len());
    for (got, expected) in got.iter().zip(expected) {
        assert!((got - expected).abs() <= 6e-11, "{got} for {expected}");
    }
}

#[test]
fn the_golden_rounds_hold_through_the_whole_runtime() {
    close(&golden(""), &[0.35, 0.15, 0.425]);
    close(&golden("optimizer.kind = \"fedavgm\""), &[0.98, 0.0825, 0.2225]);
    close(
        &golden("[optimizer]\nkind = \"fedadagrad\"\nvariant = \"flower\""),
        &[0.2208000534, -0.2002689869, 0.2708619997],
    );
    close(&golden("[optimizer]\nkind = \"fedadam\""), &[0.3066872482, -0.2060453304, 0.2099397712]);
    close(
        &golden("[optimizer]\nkind = \"fedyogi\"\neta = 0.1"),
        &[0.3061765731, -0.2060506423, 0.2099265275],
    );
}

/// One round from a model of zeros over two clients, who come to 1 and 2 examples.
fn one_round(settings: &str, tell: fn(usize) -> Vec<f64>) -> Vec<f64> {
    let unit = told(move |_, rank| (tell(rank), 1 + rank as u64));
    let zeros = vector("x", &vec![0.0; tell(0).len()]);
    let model =
        World::new(2, zeros, unit).run(fedavg(&format!("rounds = 1\n{settings}"))).unwrap().model;
    model.slice::<f64>("x").unwrap().to_vec()
}

#[test]
fn what_both_clients_have_is_their_mean_and_momentum_begins_with_the_mean() {
    let same = |_| vec![0.1, -0.3, 1e-300, 7.0];
    assert_eq!(one_round("", same), same(0));
    let replies = |rank: usize| {
        let replies = [[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [29.0, 23.0, 19.0, 17.0, 13.0, 11.0]];
        replies[rank].to_vec()
    };
    let thirds = [59.0, 48.0, 41.0, 38.0, 31.0, 28.0].map(|sum| sum / 3.0);
    assert_eq!(one_round("", replies), thirds);
    close(&one_round("optimizer.kind = \"fedavgm\"", replies), &thirds);
}

#[test]
fn equal_weights_are_asked_for_and_a_learner_that_does_not_heed_is_named() {
    let run = |heeds: bool| {
        let unit = told(move |task, rank| {
            let asked = task.input.headers.get("weighting").and_then(|value| value.as_text());
            assert_eq!(asked, Some("uniform"));
            (vec![rank as f64], if heeds { 1 } else { 1 + rank as u64 })
        });
        let world = World::new(2, vector("x", &[9.0]), unit);
        world.run(fedavg("rounds = 1\nweighting = \"uniform\"")).map(|finished| finished.model)
    };
    assert_eq!(run(true).unwrap(), vector("x", &[0.5]));
    let fault = run(false).unwrap_err().to_string();
    assert!(fault.contains("client-1") && fault.contains("weighting"), "{fault}");
}

/// The term itself is the learner's: softmax regression's is shown with it.
#[test]
fn c008_mu_is_told_and_mu_0_is_not() {
    let told_mu = |mu: &str| {
        let unit = told(|task, _| {
            let mu = task.input.headers.get("proximal_mu");
            (vec![mu.map_or(-1.0, |mu| mu.as_f64().unwrap())], 1)
        });
        let world = World::new(1, vector("x", &[0.0]), unit);
        world.run(fedavg(&format!("rounds = 1\n{mu}"))).unwrap().model
    };
    assert_eq!(told_mu("proximal_mu = 1.0"), vector("x", &[1.0]));
    assert_eq!(told_mu("proximal_mu = 0.0"), vector("x", &[-1.0]));
    assert_eq!(told_mu(""), vector("x", &[-1.0]));
}

fn normalised(w: f32, variance: f32, batches: i64) -> Tensors {
    let (w, variance, batches) = ([w], [variance], [batches]);
    Tensors::from_slices([
        ("w", [1].as_slice(), TensorData::from(w.as_slice())),
        ("bn.running_var", [1].as_slice(), TensorData::from(variance.as_slice())),
        ("bn.num_batches_tracked", [].as_slice(), TensorData::from(batches.as_slice())),
    ])
    .unwrap()
}

#[test]
fn c002_named_tensors_and_integers_stay_out_of_the_optimizer() {
    let settings = "[clients.client-0.tensors]\n\"bn.running_var\" = [0.01]\n\
                    \"bn.num_batches_tracked\" = [100]\nw = [0.01]\n\
                    [clients.client-1.tensors]\n\"bn.running_var\" = [0.02]\n\
                    \"bn.num_batches_tracked\" = [105]\nw = [0.02]\n";
    let world = World::new(2, normalised(0.05, 0.05, 90), learner("fixed", settings));
    let run = fedavg("rounds = 1\nkeep_out = [\"bn.*\"]\noptimizer = { kind = \"fedadam\" }");
    let model = world.run(run).unwrap().model;
    // The same numbers, in and out of the optimiser.
    let [w] = model.slice::<f32>("w").unwrap() else { panic!() };
    assert!((w - -0.025_452_482).abs() < 1e-8, "{w}");
    assert_eq!(model, normalised(*w, 0.015, 102));
}

#[test]
fn c011_the_mean_does_not_depend_on_who_comes_first() {
    for workers in [1, 2, 7] {
        let unit = told(|_, rank| (vec![[1e16, 1.0, -1e16][rank]], 1));
        let mut world = World::new(3, vector("x", &[0.0]), unit);
        world.workers = workers;
        let model = world.run(fedavg("rounds = 1")).unwrap().model;
        assert_eq!(model, vector("x", &[1.0 / 3.0]), "{workers} workers");
    }
}

#[test]
fn c011b_a_tenth_of_many_clients_is_a_tenth() {
    let clients = 1_000_000;
    let model = |element: f32| {
        let element = [element];
        Tensors::from_slices([("x", [1].as_slice(), TensorData::from(element.as_slice()))]).unwrap()
    };
    let world = World::new(clients, model(0.0), learner("fixed", "[tensors]\nx = [0.1]"));
    let mean = world.run(fedavg("rounds = 1\nevaluate.every = 0")).unwrap().model;
    assert_eq!(mean, model(f32::from_bits(0x3DCC_CCCD)));
    let one_by_one = (0..clients).fold(0.0f32, |sum, _| sum + 0.1) / clients as f32;
    assert_ne!(mean, model(one_by_one), "so few show nothing");
}

#[test]
fn c015_all_clients_of_a_round_see_one_model_whole() {
    let tensors: Vec<String> = (0..39).map(|at| format!("layer{at}.weight")).collect();
    let elements = [1.0f32, 2.0, 3.0];
    let names = tensors.iter().map(String::as_str).chain(["running_mean"]);
    let model = |elements: &[f32; 3]| {
        let of = |name| (name, [3].as_slice(), TensorData::from(elements.as_slice()));
        Tensors::from_slices(names.clone().map(of)).unwrap()
    };
    let inputs = |unit: &str, settings: &str, workers: usize| {
        let mut world = World::new(10, model(&elements), learner(unit, settings));
        world.workers = workers;
        let model = world.run(fedavg("rounds = 100\nevaluate.every = 0")).unwrap().model;
        let records = world.records();
        let of_round = |at: usize| {
            let counted = records[at].counted();
            let values: Vec<u64> =
                counted.iter().map(|(_, r)| r.metrics[0].value.to_bits()).collect();
            assert_eq!(values.len(), 10);
            assert!(values.iter().all(|value| *value == values[0]), "round {at}: {values:?}");
            values[0]
        };
        ((0..100).map(of_round).collect::<Vec<_>>(), model)
    };
    // Each round halves the distance of every element from 1.
    let serial = inputs("fixed", "scale = 0.5\noffset = 0.5\nreport_input = true", 1);
    let sleepy = "jitter = 0.05\nclients = { client-3 = 0.0 }\n\
                  [reply]\nscale = 0.5\noffset = 0.5\nreport_input = true";
    let parallel = inputs("sleepy", sleepy, 10);
    assert_eq!(serial, parallel);
    let different: std::collections::BTreeSet<_> = serial.0.iter().collect();
    assert!(different.len() > 20, "{}", different.len());
}
