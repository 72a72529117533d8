//! Golden values: two rounds of every optimiser in every variant, computed in f64 by another program.

use super::*;

const START: [f64; 3] = [0.1, -0.2, 0.3];
/// The models of two clients in two rounds.
const ROUNDS: [[[f64; 3]; 2]; 2] =
    [[[0.2, 0.1, 0.3], [1.0, -0.4, 0.0]], [[0.5, 0.0, -0.1], [0.3, 0.2, 0.6]]];
const WEIGHTS: [f64; 2] = [5.0, 15.0];

fn adaptive(variant: Variant) -> Adaptive {
    Adaptive { eta: Some(0.1), variant, ..Adaptive::default() }
}

/// The weighted mean of the clients' differences from `model`.
fn difference(model: &[f64], clients: &[[f64; 3]; 2]) -> [f64; 3] {
    let total: f64 = WEIGHTS.iter().sum();
    [0, 1, 2].map(|at| {
        let weighted = clients.iter().zip(WEIGHTS).map(|(client, w)| w * (client[at] - model[at]));
        weighted.sum::<f64>() / total
    })
}

/// The models after both rounds, kept in between as `T`.
fn two_rounds<T: Float>(optimizer: &Optimizer) -> [[f64; 3]; 2] {
    let mut model = START.map(T::narrow);
    let memory = optimizer.memory().iter().flat_map(|kind| [optimizer.at_first(*kind); 3]);
    let mut memory: Vec<f64> = memory.collect();
    [1, 2].map(|round| {
        let difference = difference(&model.map(T::widen), &ROUNDS[round - 1]);
        optimizer.step(round as u64, &mut model, &difference, &mut memory);
        model.map(T::widen)
    })
}

#[track_caller]
fn check(optimizer: &Optimizer, expected: [[f64; 3]; 2]) {
    let compare = |got: [[f64; 3]; 2], tolerance: f64| {
        for (got, expected) in got.iter().flatten().zip(expected.iter().flatten()) {
            assert!((got - expected).abs() <= tolerance, "{optimizer:?}: {got} for {expected}");
        }
    };
    compare(two_rounds::<f64>(optimizer), 6e-11);
    compare(two_rounds::<f32>(optimizer), 1e-6);
}

#[test]
fn no_optimizer_gives_the_mean() {
    check(&Optimizer::None {}, [[0.8, -0.275, 0.075], [0.35, 0.15, 0.425]]);
}

#[test]
fn momentum() {
    let plain = Optimizer::FedAvgM(Momentum::default());
    check(&plain, [[0.8, -0.275, 0.075], [0.98, 0.0825, 0.2225]]);
    // Computed by another program; no published values.
    let nesterov = Momentum { nesterov: true, ..Momentum::default() };
    check(&Optimizer::FedAvgM(nesterov), [[1.43, -0.3425, -0.1275], [-0.055, 0.5325, 0.74]]);
}

#[test]
fn adagrad() {
    check(
        &Optimizer::FedAdagrad(adaptive(Variant::Paper)),
        [[0.1998572449, -0.2986755552, 0.2004434568], [0.2207999448, -0.2002606245, 0.2708624770]],
    );
    check(
        &Optimizer::FedAdagrad(adaptive(Variant::Flower)),
        [[0.1998573466, -0.2986842105, 0.2004424779], [0.2208000534, -0.2002689869, 0.2708619997]],
    );
}

#[test]
fn adam() {
    check(
        &Optimizer::FedAdam(adaptive(Variant::Paper)),
        [[0.1985817313, -0.2875583943, 0.2043448249], [0.3066872482, -0.2060453304, 0.2099397712]],
    );
    // These two are printed with eight digits.
    let flower = two_rounds::<f64>(&Optimizer::FedAdam(adaptive(Variant::Flower)));
    let expected = [[0.17320026, -0.26551116, 0.22891342], [0.24362161, -0.21429986, 0.22758752]];
    for (got, expected) in flower.iter().flatten().zip(expected.iter().flatten()) {
        assert!((got - expected).abs() <= 5e-9, "{got} for {expected}");
    }
}

#[test]
fn yogi() {
    check(
        &Optimizer::FedYogi(adaptive(Variant::Paper)),
        [[0.1985816321, -0.2875516397, 0.2043457277], [0.3061765731, -0.2060506423, 0.2099265275]],
    );
    check(
        &Optimizer::FedYogi(adaptive(Variant::Flower)),
        [[0.1985915493, -0.2882352941, 0.2042553191], [0.3061957786, -0.2066845287, 0.2098655551]],
    );
}

#[test]
fn adagrad_as_flower_tests_it() {
    let set = Adaptive { eta: Some(0.1), tau: 0.5, ..adaptive(Variant::Flower) };
    let (mut model, mut memory) = ([0.1], [0.0; 2]);
    Optimizer::FedAdagrad(set).step(1, &mut model, &[0.6 - 0.1], &mut memory);
    assert!((model[0] - 0.15f64).abs() < 1e-15, "{model:?}");
}

#[test]
fn the_mean_square_of_a_still_model_stays() {
    let (mut model, mut memory) = ([1.0f32], [0.0, 1e-6]);
    Optimizer::FedYogi(adaptive(Variant::Paper)).step(1, &mut model, &[0.0], &mut memory);
    assert_eq!((model, memory), ([1.0], [0.0, 1e-6]));
}

#[test]
fn numbers_out_of_range_are_named() {
    let fault = |optimizer: Optimizer| optimizer.check().unwrap_err().to_string();
    let momentum = |beta, eta| Optimizer::FedAvgM(Momentum { beta, eta, nesterov: false });
    assert!(fault(momentum(1.0, 1.0)).starts_with("beta = 1: "));
    assert!(fault(momentum(0.9, 0.0)).starts_with("eta = 0: "));
    let adam = |set: Adaptive| Optimizer::FedAdam(set);
    let base = Adaptive::default();
    assert!(fault(adam(Adaptive { tau: 0.0, ..base })).starts_with("tau = 0: "));
    assert!(fault(adam(Adaptive { beta2: f64::NAN, ..base })).starts_with("beta2 = NaN: "));
    assert!(fault(adam(Adaptive { beta1: Some(-0.5), ..base })).starts_with("beta1 = -0.5: "));
    assert_eq!(
        fault(adam(Adaptive { tau: -1.0, beta2: 2.0, ..base })),
        "tau = -1: expected a finite number above 0; beta2 = 2: expected at least 0 and below 1"
    );
    assert_eq!(adam(base).check(), Ok(()));
}

#[test]
fn defaults_are_those_of_the_table() {
    let set = Adaptive::default();
    let of = |optimizer: Optimizer| (optimizer.eta(&set), optimizer.beta1(&set));
    assert_eq!(of(Optimizer::FedAdam(set)), (0.1, 0.9));
    assert_eq!(of(Optimizer::FedAdagrad(set)), (0.1, 0.0));
    assert_eq!(of(Optimizer::FedYogi(set)), (0.01, 0.9));
    assert_eq!((set.beta2, set.tau), (0.99, 1e-3));
}
