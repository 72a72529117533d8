//! The filters as a job asks for them.
#![allow(clippy::unwrap_used)]

use flare_core::component::{ComponentSpec, Registry};
use flare_core::filter::{Passage, Point};
use flare_core::shareable::Shareable;
use flare_core::tensor::{TensorData, Tensors};
use flare_core::value::Value;

/// What a filter makes of tensors at a point, for a task with others.
fn apply(
    (kind, settings): (&str, &str),
    point: Point,
    task: Option<&Tensors>,
    tensors: &Tensors,
) -> Result<Tensors, String> {
    let mut registry = Registry::new();
    registry.add_all(flare_plugin_filters::components());
    let config: Value = toml::from_str(settings).unwrap();
    let spec = ComponentSpec { config, ..ComponentSpec::plain(kind) };
    let filter = registry.filter(&spec).map_err(|fault| fault.to_string())?;
    let shareable = Shareable::from(tensors.clone()).with("kept", true);
    let passage = Passage { point, client: None, task };
    let passed = filter.apply(shareable, passage).map_err(|fault| fault.to_string())?;
    assert_eq!(passed.headers.get("kept"), Some(&Value::Bool(true)));
    Ok(passed.tensors)
}

/// `a` and `b` of f64 together with an integer `n`.
fn model(a: &[f64], b: &[f64], n: i64) -> Tensors {
    let n = [n];
    Tensors::from_slices([
        ("layer.a", [a.len()].as_slice(), TensorData::from(a)),
        ("b", [b.len()].as_slice(), TensorData::from(b)),
        ("n", [1].as_slice(), TensorData::from(n.as_slice())),
    ])
    .unwrap()
}

const CLIP: (&str, &str) = ("norm-clip", "max_norm = 5.0");

#[test]
fn an_update_is_clipped_as_a_whole_and_a_short_one_is_the_same_buffer() {
    let task = model(&[1.0, 1.0], &[2.0], 3);
    // The update (6, 0, 8) has norm 10: half of it stays.
    let reply = model(&[7.0, 1.0], &[10.0], 1_000_000);
    for point in [Point::ReplyOut, Point::ReplyIn] {
        let clipped = apply(CLIP, point, Some(&task), &reply).unwrap();
        assert_eq!(clipped, model(&[4.0, 1.0], &[6.0], 1_000_000));
    }
    // Exactly the largest norm, and zero, are let through as they are, without a copy.
    for reply in [model(&[4.0, 1.0], &[6.0], 0), task.clone(), model(&[1.0, 1.0], &[2.0], -1)] {
        let passed = apply(CLIP, Point::ReplyOut, Some(&task), &reply).unwrap();
        assert_eq!(passed.encoded().as_ptr(), reply.encoded().as_ptr());
    }
    // A task is measured itself.
    let clipped = apply(CLIP, Point::TaskOut, Some(&task), &model(&[6.0, 0.0], &[8.0], 3)).unwrap();
    assert_eq!(clipped, model(&[3.0, 0.0], &[4.0], 3));
}

#[test]
fn the_norm_neither_overflows_nor_underflows() {
    let with = |max_norm: &str, a: &[f64], task: &[f64]| {
        let settings = format!("max_norm = {max_norm}");
        let (reply, task) = (model(a, &[], 0), model(task, &[], 0));
        let clipped =
            apply(("norm-clip", &settings), Point::ReplyOut, Some(&task), &reply).unwrap();
        clipped.slice::<f64>("layer.a").unwrap().to_vec()
    };
    let close = |got: &[f64], expected: &[f64]| {
        for (got, expected) in got.iter().zip(expected) {
            assert!((got / expected - 1.0).abs() < 1e-14, "{got:e} for {expected:e}");
        }
    };
    close(&with("5.0", &[3e200, 4e200], &[0.0; 2]), &[3.0, 4.0]);
    close(&with("5e-250", &[3e-200, 4e-200], &[0.0; 2]), &[3e-250, 4e-250]);
    // The difference itself is beyond the range.
    close(&with("1e308", &[1.5e308, 1.0], &[-1.5e308, 1.0]), &[-0.5e308, 1.0]);
    // Subnormal: below any square's reach, and still measured.
    assert_eq!(with("1.0", &[3e-320, 4e-320], &[0.0; 2]), [3e-320, 4e-320]);
    close(&with("1e-300", &[3e-290, 4e-320], &[0.0; 2])[..1], &[1e-300]);
}

#[test]
fn half_precision_is_clipped_in_double_and_rounded_once() {
    let elements = [3.0f32, 4.0].map(half::f16::from_f32_const);
    let of = |elements: &[half::f16]| {
        Tensors::from_slices([("h", [2].as_slice(), TensorData::from(elements))]).unwrap()
    };
    let clipped = apply(("norm-clip", "max_norm = 1.0"), Point::TaskIn, None, &of(&elements));
    let expected = [0.6f32, 0.8].map(half::f16::from_f32_const);
    assert_eq!(clipped.unwrap(), of(&expected));
}

#[test]
fn what_has_no_norm_is_not_let_through_and_is_named() {
    let task = model(&[1.0, 1.0], &[2.0], 3);
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let reply = model(&[1.0, bad], &[2.0], 3);
        let fault = apply(CLIP, Point::ReplyOut, Some(&task), &reply).unwrap_err();
        assert!(fault.contains("\"layer.a\"") && fault.contains("element 1"), "{fault}");
    }
    let other = model(&[1.0], &[2.0], 3);
    let fault = apply(CLIP, Point::ReplyIn, Some(&task), &other).unwrap_err();
    assert!(fault.contains("layer.a"), "{fault}");
}

#[test]
fn kept_out_tensors_are_neither_measured_nor_changed() {
    let settings = ("norm-clip", "max_norm = 5.0\nkeep_out = [\"layer.*\"]");
    let reply = model(&[1e9, f64::NAN], &[3.0], 3);
    let passed = apply(settings, Point::ReplyOut, None, &reply).unwrap();
    assert_eq!(passed, reply);
    let clipped = apply(settings, Point::ReplyOut, None, &model(&[1e9], &[-10.0], 3)).unwrap();
    assert_eq!(clipped, model(&[1e9], &[-5.0], 3));
}

#[test]
fn excluded_tensors_are_gone_and_the_others_keep_their_bits() {
    let all = model(&[f64::NAN, -0.0], &[1.0], 7);
    let exclude = |patterns: &str| {
        let settings = format!("tensors = {patterns}");
        let left = apply(("exclude", &settings), Point::ReplyOut, None, &all).unwrap();
        let names: Vec<String> = left.iter().map(|tensor| tensor.name.to_owned()).collect();
        for tensor in left.iter() {
            assert_eq!(tensor.bytes, all.get(tensor.name).unwrap().bytes);
        }
        names
    };
    assert_eq!(exclude("[\"layer.*\"]"), ["b", "n"]);
    assert_eq!(exclude("[\"?\"]"), ["layer.a"]);
    assert_eq!(exclude("[\"n\", \"b*\"]"), ["layer.a"]);
    assert_eq!(exclude("[\"*\"]"), [""; 0]);
    assert_eq!(exclude("[\"layer\"]"), ["b", "layer.a", "n"]);
}

#[test]
fn settings_out_of_range_are_named() {
    let fault = |kind, settings| {
        apply((kind, settings), Point::TaskIn, None, &Tensors::empty()).unwrap_err()
    };
    assert!(fault("norm-clip", "max_norm = 0.0").contains("max_norm = 0: "));
    assert!(fault("norm-clip", "max_norm = inf").contains("max_norm = inf: "));
    assert!(fault("norm-clip", "").contains("max_norm"));
    assert!(fault("norm-clip", "max_norm = 1.0\nper_layer = true").contains("per_layer"));
    assert!(fault("exclude", "tensors = []").contains("tensors"));
    assert!(fault("exclude", "tensors = [\"\"]").contains("tensors"));
}

#[test]
fn f2_the_same_input_gives_the_same_output_whatever_came_between() {
    let (long, short) = (model(&[30.0, 1.0], &[40.0], 7), model(&[1.0], &[2.0], 7));
    for (kind, settings) in [CLIP, ("exclude", "tensors = [\"layer.*\"]")] {
        let mut registry = Registry::new();
        registry.add_all(flare_plugin_filters::components());
        let config: Value = toml::from_str(settings).unwrap();
        let spec = ComponentSpec { config, ..ComponentSpec::plain(kind) };
        let filter = registry.filter(&spec).unwrap();
        let passage = Passage { point: Point::TaskOut, client: None, task: None };
        let apply = |tensors: &Tensors| filter.apply(tensors.clone().into(), passage).unwrap();
        let first = apply(&long);
        assert_ne!(first.tensors, long, "{kind} changes nothing here");
        apply(&short);
        assert_eq!(apply(&long), first, "{kind}");
    }
}
