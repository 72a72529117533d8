//! What the learners reply with.

use std::collections::BTreeMap;

use flare_core::metric::Direction;
use flare_core::outcome::Weight;
use flare_core::tensor::{DType, Layout, Tensors};
use flare_plugin_study::{Answer, Echo, Measure, Override, Study};

use crate::work::{evaluate, name, task, tensors, train};

#[test]
fn echo_replies_with_what_it_got() {
    let input = task(3, tensors([1.5, f32::NAN], 7));
    let update = train(Study::echo(&Echo::default()), "a", &input).unwrap();
    assert_eq!((update.tensors, update.weight), (tensors([1.5, f32::NAN], 7), Weight::Count(1)));
    assert!(update.metrics.is_empty());
}

#[test]
fn fixed_replies_as_its_settings_say_and_as_each_client_is_told() {
    let elements = |w: &[f64], n: f64| {
        BTreeMap::from([("w".to_owned(), w.to_vec()), ("n".to_owned(), vec![n])])
    };
    let own =
        Override { tensors: elements(&[3.0, 4.0], 9.0), examples: Some(0), ..Default::default() };
    let answer = Answer {
        tensors: elements(&[2.0], -5.0),
        examples: 5,
        clients: [(name("b"), own)].into(),
        ..Answer::default()
    };
    let input = task(1, tensors([0.0, 0.0], 0));
    let of = |client: &str| {
        let update = train(Study::fixed(&answer), client, &input).unwrap();
        (update.tensors, update.weight)
    };
    assert_eq!(of("a"), (tensors([2.0, 2.0], -5), Weight::Count(5)));
    assert_eq!(of("b"), (tensors([3.0, 4.0], 9), Weight::Count(0)));
}

#[test]
fn scale_and_offset_move_floats_only() {
    let answer = Answer { scale: 2.0, offset: 1.0, ..Answer::default() };
    let update = train(Study::fixed(&answer), "a", &task(1, tensors([1.0, -3.0], 7))).unwrap();
    assert_eq!(update.tensors, tensors([3.0, -5.0], 7));
}

#[test]
fn every_dtype_can_be_fixed() {
    for dtype in DType::ALL {
        let layout = Layout::new([("x", dtype, vec![3])]).unwrap();
        let answer =
            Answer { tensors: [("x".to_owned(), vec![1.0, 0.0, 1.0])].into(), ..Answer::default() };
        let update = train(Study::fixed(&answer), "a", &task(1, Tensors::zeros(&layout))).unwrap();
        let bytes = update.tensors.get("x").unwrap().bytes;
        let size = dtype.size();
        let one: &[u8] = match dtype {
            DType::F16 => &[0x00, 0x3C],
            DType::Bf16 => &[0x80, 0x3F],
            DType::F32 => &[0, 0, 0x80, 0x3F],
            DType::F64 => &[0, 0, 0, 0, 0, 0, 0xF0, 0x3F],
            _ => &[1, 0, 0, 0, 0, 0, 0, 0][..size],
        };
        assert_eq!(bytes, [one, &vec![0; size], one].concat(), "{dtype}");
    }
}

#[test]
fn elements_of_a_tensor_that_is_not_there_or_of_another_length_are_refused() {
    let fault = |tensor: &str, elements: &[f64]| {
        let answer = Answer {
            tensors: [(tensor.to_owned(), elements.to_vec())].into(),
            ..Answer::default()
        };
        train(Study::fixed(&answer), "a", &task(1, tensors([0.0; 2], 0))).unwrap_err().to_string()
    };
    assert!(fault("v", &[1.0]).contains("no tensor \"v\""));
    assert!(fault("w", &[1.0, 2.0, 3.0]).contains("\"w\" has 2 elements, the settings 3"));
}

#[test]
fn a_metric_goes_through_its_values_by_round() {
    let measure = Measure {
        name: "accuracy".into(),
        values: vec![0.5, f64::NAN, 0.75],
        examples: None,
        direction: Direction::HigherIsBetter,
    };
    let answer = Answer { metrics: vec![measure], examples: 4, ..Answer::default() };
    let value = |round| {
        let metrics = evaluate(Study::fixed(&answer), "a", &task(round, tensors([0.0; 2], 0)));
        let metrics = metrics.unwrap();
        assert_eq!((metrics.len(), &*metrics[0].name, metrics[0].weight), (1, "accuracy", 4.0));
        metrics[0].value
    };
    assert_eq!((value(0), value(1), value(3), value(9)), (0.5, 0.5, 0.75, 0.75));
    assert!(value(2).is_nan());
}

#[test]
fn the_input_is_told_apart_by_its_metric() {
    let echo = Echo { report_input: true, ..Echo::default() };
    let of = |w: [f32; 2]| {
        let update = train(Study::echo(&echo), "a", &task(1, tensors(w, 0))).unwrap();
        update.metrics[0].value
    };
    assert_eq!(of([1.0, 2.0]), of([1.0, 2.0]));
    assert_ne!(of([1.0, 2.0]), of([2.0, 1.0]));
}
