//! Training and evaluation against plain loops, finite differences and words.

use std::num::{NonZeroU32, NonZeroUsize};

use flare_core::outcome::Weight;
use flare_core::random::{OperationKey, StreamId};
use flare_core::shareable::Shareable;
use flare_core::tensor::{TensorData, Tensors};
use flare_plugin_softmax::Config;

use crate::client::{Client, ROWS, SEED, START, model, parts, start, task};

fn config(batch: usize, epochs: u32) -> Config {
    Config {
        learning_rate: 0.5,
        batch_size: NonZeroUsize::new(batch).unwrap(),
        epochs: NonZeroU32::new(epochs).unwrap(),
        ..Config::default()
    }
}

/// The mean cross-entropy over rows, in f64.
fn loss(weights: &[f64], bias: &[f64], rows: &[usize]) -> f64 {
    let of_row = |row: &usize| {
        let (features, class) = ROWS[*row];
        let logit = |c: usize| {
            bias[c] + f64::from(features[0]) * weights[c] + f64::from(features[1]) * weights[3 + c]
        };
        let sum: f64 = (0..3).map(|c| libm::exp(logit(c))).sum();
        libm::log(sum) - logit(class)
    };
    rows.iter().map(of_row).sum::<f64>() / rows.len() as f64
}

#[test]
fn one_step_goes_down_the_slope_of_the_mean_loss() {
    let rows: Vec<usize> = (0..7).collect();
    let update = Client::new(None).train(&config(7, 1), &task(start())).unwrap();
    let (weights, bias) = parts(&update.tensors);
    let (w, b) = (START.0.map(f64::from), START.1.map(f64::from));
    let h = 1e-5;
    for at in 0..9 {
        let moved = |by: f64| {
            let (mut w, mut b) = (w, b);
            if at < 6 {
                w[at] += by
            } else {
                b[at - 6] += by
            }
            loss(&w, &b, &rows)
        };
        let slope = (moved(h) - moved(-h)) / (2.0 * h);
        let (before, after) = if at < 6 { (w[at], weights[at]) } else { (b[at - 6], bias[at - 6]) };
        let step = (before - f64::from(after)) / 0.5;
        assert!((step - slope).abs() < 1e-6, "element {at}: {step} for {slope}");
    }
    assert_eq!(update.weight, Weight::Count(7));
}

/// The same arithmetic in plain loops, each number in the order that the learner documents.
fn plainly(rows: &[usize], batch: usize, epochs: usize) -> ([f32; 6], [f32; 3]) {
    let (mut weights, mut bias) = START;
    let id = StreamId::new(SEED, "shuffle").operation(OperationKey::Label("train-1"));
    let mut shuffle = id.client("client-0").stream();
    for _ in 0..epochs {
        for chosen in shuffle.permutation(rows.len()).chunks(batch) {
            let (mut of_weights, mut of_bias) = ([0.0f32; 6], [0.0f32; 3]);
            for row in chosen {
                let (features, class) = ROWS[rows[*row]];
                let mut out = bias;
                for (c, out) in out.iter_mut().enumerate() {
                    *out += features[0] * weights[c];
                    *out += features[1] * weights[3 + c];
                }
                let top = out.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let powers = out.map(|logit| libm::expf(logit - top));
                let sum = powers[0] + powers[1] + powers[2];
                for c in 0..3 {
                    let target = if c == class { 1.0 } else { 0.0 };
                    let error = (powers[c] / sum - target) / chosen.len() as f32;
                    of_bias[c] += error;
                    of_weights[c] += features[0] * error;
                    of_weights[3 + c] += features[1] * error;
                }
            }
            weights.iter_mut().zip(of_weights).for_each(|(w, g)| *w -= 0.5 * g);
            bias.iter_mut().zip(of_bias).for_each(|(b, g)| *b -= 0.5 * g);
        }
    }
    (weights, bias)
}

#[test]
fn training_gives_the_bits_of_plain_loops() {
    for (rows, batch, epochs) in [(vec![0, 1, 2, 3, 4, 5, 6], 2, 3), (vec![6, 1, 3], 2, 5)] {
        let numbers: Vec<u32> = rows.iter().map(|row| *row as u32).collect();
        let client = Client::new(Some(&numbers));
        let update = client.train(&config(batch, epochs), &task(start())).unwrap();
        let (weights, bias) = plainly(&rows, batch, epochs as usize);
        assert_eq!(update.tensors, model(&weights, &bias), "{rows:?}");
        assert_eq!(update.weight, Weight::Count(rows.len() as u64));
    }
}

#[test]
fn a_proximal_term_of_0_changes_no_bit_and_a_large_one_holds_the_model() {
    let train =
        |input: Shareable| Client::new(None).train(&config(2, 4), &task(input)).unwrap().tensors;
    let plain = train(start().into());
    assert_eq!(train(Shareable::from(start()).with("proximal_mu", 0.0)), plain);
    let held = train(Shareable::from(start()).with("proximal_mu", 1.0));
    let away = |tensors: &Tensors| {
        let (weights, _) = parts(tensors);
        weights.iter().zip(START.0).map(|(w, s)| (w - s) * (w - s)).sum::<f32>()
    };
    assert!(away(&held) < 0.5 * away(&plain), "{} {}", away(&held), away(&plain));
}

#[test]
fn the_header_for_equal_weights_is_heeded() {
    let weight = |rows: Option<&[u32]>, weighting: &str| {
        let input = Shareable::from(start()).with("weighting", weighting);
        Client::new(rows).train(&config(2, 1), &task(input)).map(|update| update.weight)
    };
    assert_eq!(weight(None, "uniform").unwrap(), Weight::Count(1));
    assert_eq!(weight(Some(&[]), "uniform").unwrap(), Weight::Count(0));
    assert_eq!(weight(None, "examples").unwrap(), Weight::Count(7));
    assert!(weight(None, "loud").unwrap_err().to_string().contains("weighting"));
}

#[test]
fn a_client_without_rows_gives_back_what_it_got() {
    let client = Client::new(Some(&[]));
    let update = client.train(&config(2, 2), &task(start())).unwrap();
    assert_eq!((update.tensors, update.weight), (start(), Weight::Count(0)));
    assert!(update.metrics.is_empty());
    assert!(client.evaluate(&task(start())).unwrap().is_empty());
}

#[test]
fn evaluation_counts_what_is_right_and_means_the_loss() {
    let metrics = Client::new(Some(&[0, 1, 2, 5])).evaluate(&task(start())).unwrap();
    // The logits of rows 0, 1, 2 and 5, by hand, are largest for classes 0, 2, 1 and 2.
    let [accuracy, measured] = &metrics[..] else { panic!("{metrics:?}") };
    assert_eq!((&*accuracy.name, accuracy.value, accuracy.weight), ("accuracy", 0.5, 4.0));
    let expected = loss(&START.0.map(f64::from), &START.1.map(f64::from), &[0, 1, 2, 5]);
    assert!((measured.value - expected).abs() < 1e-6, "{measured:?} for {expected}");
    assert_eq!((&*measured.name, measured.weight), ("loss", 4.0));
}

/// What training measures is the same, too.
#[test]
fn the_same_instance_trains_and_measures_the_same_again() {
    let [first, again] = Client::new(None).train_evaluate_train(&config(2, 3), &task(start()));
    assert_ne!(first.tensors, start());
    assert_eq!((first.tensors, first.metrics), (again.tensors, again.metrics));
}

#[test]
fn a_cancelled_task_ends_with_an_error() {
    let client = Client::new(None);
    client.cancel.set();
    assert_eq!(client.train(&config(2, 1), &task(start())).unwrap_err().to_string(), "cancelled");
    assert_eq!(client.evaluate(&task(start())).unwrap_err().to_string(), "cancelled");
}

#[test]
fn a_model_that_does_not_fit_the_data_is_refused_in_words() {
    let fault = |tensors: Tensors| {
        Client::new(None).train(&config(2, 1), &task(tensors)).unwrap_err().to_string()
    };
    let with = |name: &str, shape: &[usize], elements: TensorData<'_>| {
        let bias = [0.0f32; 3];
        Tensors::from_slices([
            (name, shape, elements),
            ("bias", [3].as_slice(), TensorData::from(bias.as_slice())),
        ])
        .unwrap()
    };
    let turned = fault(with("weights", &[3, 2], TensorData::from([0.0f32; 6].as_slice())));
    assert!(turned.contains("2 features and 3 classes") && turned.contains("[3, 2]"), "{turned}");
    let double = fault(with("weights", &[2, 3], TensorData::from([0.0f64; 6].as_slice())));
    assert!(double.contains("weights") && double.contains("F64"), "{double}");
    let other = fault(with("kernel", &[2, 3], TensorData::from([0.0f32; 6].as_slice())));
    assert!(other.contains("\"kernel\""), "{other}");
}
