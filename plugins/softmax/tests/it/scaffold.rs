//! Control variates on the wire and in the client's state.

use flare_core::shareable::Shareable;
use flare_core::tensor::{TensorData, Tensors};
use flare_plugin_softmax::Config;

use crate::client::{Client, START, model, parts, start, task};

/// The server's control variate.
const SERVER: ([f32; 6], [f32; 3]) = ([0.5, 0.0, -0.25, 0.125, 0.0, 1.0], [0.0, 0.25, -0.5]);
/// The client's.
const OWN: ([f32; 6], [f32; 3]) = ([0.25, -0.5, 0.0, 0.0, 0.125, 0.5], [0.5, 0.0, 0.25]);

fn input(server: ([f32; 6], [f32; 3])) -> Tensors {
    let floats = |elements: &'static [f32]| elements;
    let (weights, bias) = (server.0.as_slice(), server.1.as_slice());
    Tensors::from_slices([
        ("weights", [2, 3].as_slice(), TensorData::from(floats(&START.0))),
        ("bias", [3].as_slice(), TensorData::from(floats(&START.1))),
        ("control/weights", [2, 3].as_slice(), TensorData::from(weights)),
        ("control/bias", [3].as_slice(), TensorData::from(bias)),
    ])
    .unwrap()
}

fn config(batch: usize) -> Config {
    let batch_size = std::num::NonZeroUsize::new(batch).unwrap();
    Config { learning_rate: 0.5, batch_size, ..Config::default() }
}

fn control(tensors: &Tensors) -> Vec<f32> {
    let [weights, bias] = ["control/weights", "control/bias"];
    [tensors.slice::<f32>(weights).unwrap(), tensors.slice(bias).unwrap()].concat()
}

fn all(tensors: &Tensors) -> Vec<f32> {
    let (weights, bias) = parts(tensors);
    [weights, bias].concat()
}

fn flat(parts: ([f32; 6], [f32; 3])) -> Vec<f32> {
    [parts.0.as_slice(), &parts.1].concat()
}

#[track_caller]
fn close(got: &[f32], expected: impl Iterator<Item = f32>) {
    let expected: Vec<f32> = expected.collect();
    assert_eq!(got.len(), expected.len());
    for (got, expected) in got.iter().zip(&expected) {
        assert!((got - expected).abs() < 1e-6, "{got} for {expected}");
    }
}

#[test]
fn a_step_goes_along_the_corrected_gradient() {
    let client = Client::new(None);
    let plain = client.train(&config(7), &task(start())).unwrap().tensors;
    let state = Some(model(&OWN.0, &OWN.1).encoded().clone());
    let (update, _) = client.train_with(&config(7), &task(input(SERVER)), state).unwrap();
    // One step: what the plain one did, less rate x (c - c_i).
    let correction = flat(SERVER).into_iter().zip(flat(OWN)).map(|(c, own)| 0.5 * (c - own));
    close(&all(&update.tensors), all(&plain).into_iter().zip(correction).map(|(y, d)| y - d));
}

#[test]
fn option_2_renews_the_variate_by_the_way_travelled() {
    let client = Client::new(None);
    let state = model(&OWN.0, &OWN.1);
    let kept = Some(state.encoded().clone());
    // Batches of 2 of 7 rows: 4 steps.
    let (update, left) = client.train_with(&config(2), &task(input(SERVER)), kept).unwrap();
    let way =
        all(&start()).into_iter().zip(all(&update.tensors)).map(|(x, y)| (x - y) / (4.0 * 0.5));
    let difference = way.zip(flat(SERVER)).map(|(way, c)| way - c);
    close(&control(&update.tensors), difference);
    let left = Tensors::decode(left.unwrap()).unwrap();
    let renewed = flat(OWN).into_iter().zip(control(&update.tensors)).map(|(own, d)| own + d);
    close(&all(&left), renewed);
}

#[test]
fn option_1_renews_the_variate_by_the_gradient_at_the_start() {
    let client = Client::new(None);
    // One step over all rows without control shows the gradient at the start.
    let moved = client.train(&config(7), &task(start())).unwrap().tensors;
    let gradient: Vec<f32> =
        all(&start()).into_iter().zip(all(&moved)).map(|(x, y)| (x - y) / 0.5).collect();
    let first = task(Shareable::from(input(SERVER)).with("scaffold_option", 1));
    let (update, left) = client.train_with(&config(2), &first, None).unwrap();
    close(&all(&Tensors::decode(left.unwrap()).unwrap()), gradient.iter().copied());
    close(&control(&update.tensors), gradient.into_iter());
}

#[test]
fn a_client_without_rows_keeps_its_variate() {
    for option in [1, 2] {
        let task = task(Shareable::from(input(SERVER)).with("scaffold_option", option));
        let state = model(&OWN.0, &OWN.1).encoded().clone();
        let client = Client::new(Some(&[]));
        let (update, left) = client.train_with(&config(2), &task, Some(state.clone())).unwrap();
        assert_eq!(left, Some(state));
        assert_eq!(control(&update.tensors), vec![0.0; 9]);
        assert_eq!(all(&update.tensors), all(&start()));
    }
}

#[test]
fn a_state_of_another_model_is_refused() {
    let other = [0.0f32];
    let other = Tensors::from_slices([("w", [1].as_slice(), TensorData::from(other.as_slice()))]);
    let state = Some(other.unwrap().encoded().clone());
    let fault = Client::new(None).train_with(&config(2), &task(input(SERVER)), state).unwrap_err();
    assert!(fault.to_string().contains("does not fit"), "{fault}");
}
