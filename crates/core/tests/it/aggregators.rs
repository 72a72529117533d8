//! The built-in aggregators: what they make of replies, whatever the order and the grouping.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use flare_core::Value;
use flare_core::aggregator::{Aggregator, Contribution};
use flare_core::component::{ComponentSpec, Registry};
use flare_core::pool::Serial;
use flare_core::sums::Weight;
use flare_core::tensor::{DType, Layout, TensorData, Tensors};
use flare_core::value::to_value;
use half::bf16;

fn made(kind: &str, config: Value, task: &Tensors) -> Box<dyn Aggregator> {
    let spec = ComponentSpec { config, ..ComponentSpec::plain(kind) };
    let mut aggregator = Registry::new().aggregator(&spec).unwrap();
    aggregator.begin(task).unwrap();
    aggregator
}

fn plain(kind: &str) -> Box<dyn Aggregator> {
    made(kind, ComponentSpec::plain(kind).config, &Tensors::empty())
}

fn one(data: TensorData<'_>, len: usize) -> Tensors {
    Tensors::from_slices([("x", &[len][..], data)]).unwrap()
}

fn reply(count: u64, tensors: Tensors) -> Contribution {
    Contribution { weight: Weight::Count(count), tensors }
}

fn f64s(values: &[f64]) -> Tensors {
    one(TensorData::F64(values), values.len())
}

fn mean(replies: &[Contribution]) -> Result<Tensors, String> {
    plain("weighted-mean").finish(replies, &Serial).map_err(|error| error.to_string())
}

#[test]
fn c001_a_reply_of_weight_0_contributes_nothing_and_nothing_is_an_error() {
    let none = [reply(0, f64s(&[1.0, 2.0])), reply(0, f64s(&[3.0, 4.0]))];
    assert!(mean(&none).unwrap_err().contains("weight"), "{:?}", mean(&none));
    let some = [reply(0, f64s(&[f64::NAN, 2.0])), reply(5, f64s(&[3.0, 4.0]))];
    assert_eq!(mean(&some).unwrap().slice::<f64>("x").unwrap(), [3.0, 4.0]);
    assert!(mean(&[]).is_err());
}

#[test]
fn c002_integers_keep_dtype_and_shape_and_round_ties_to_even() {
    let counter = |value| {
        reply(1, Tensors::from_slices([("n", &[][..], TensorData::I64(&[value]))]).unwrap())
    };
    let mean = mean(&[counter(100), counter(105)]).unwrap();
    assert_eq!(mean.slice::<i64>("n").unwrap(), [102]);
    assert!(mean.get("n").unwrap().shape.is_empty());
}

#[test]
fn c004_bf16_is_rounded_once_from_the_real_mean() {
    let reply = |count, bits| reply(count, one(TensorData::Bf16(&[bf16::from_bits(bits)]), 1));
    for (weights, wanted) in
        [((1, 1), 0x3f80), ((1, 2), 0x3f81), ((4_294_967_295, 4_294_967_297), 0x3f81)]
    {
        let mean = mean(&[reply(weights.0, 0x3f80), reply(weights.1, 0x3f81)]).unwrap();
        assert_eq!(mean.slice::<bf16>("x").unwrap()[0].to_bits(), wanted, "{weights:?}");
    }
}

#[test]
fn a1_no_order_and_no_grouping_changes_a_bit_c011() {
    let replies: Vec<_> =
        [1e16, 1.0, -1e16, 3e-300].map(|value| reply(1, f64s(&[value, -value]))).into();
    let wanted = mean(&replies).unwrap();
    let mut orders = vec![vec![]];
    for at in 0..replies.len() {
        orders = orders
            .iter()
            .flat_map(|order: &Vec<usize>| {
                (0..=order.len()).map(move |place| {
                    let mut order = order.clone();
                    order.insert(place, at);
                    order
                })
            })
            .collect();
    }
    assert_eq!(orders.len(), 24);
    for order in orders {
        for cut in 0..order.len() {
            let (left, right) = order.split_at(cut);
            let of =
                |part: &[usize]| part.iter().map(|at| replies[*at].clone()).collect::<Vec<_>>();
            let (mut whole, mut half) = (plain("weighted-mean"), plain("weighted-mean"));
            whole.fold(&of(left), &Serial).unwrap();
            half.fold(&of(right), &Serial).unwrap();
            whole.merge(&half.partial(), &Serial).unwrap();
            assert_eq!(whole.finish(&[], &Serial).unwrap(), wanted, "{order:?} cut at {cut}");
            let mut folded = plain("weighted-mean");
            folded.fold(&of(left), &Serial).unwrap();
            assert_eq!(folded.finish(&of(right), &Serial).unwrap(), wanted, "{order:?} at {cut}");
        }
    }
}

#[test]
fn a2_when_a_fold_returns_the_reply_is_the_callers_again() {
    struct Owner(Vec<u64>, Arc<AtomicBool>);
    impl AsRef<[u8]> for Owner {
        fn as_ref(&self) -> &[u8] {
            bytemuck::cast_slice(&self.0)
        }
    }
    impl Drop for Owner {
        fn drop(&mut self) {
            self.1.store(true, Ordering::SeqCst);
        }
    }
    let encoded = f64s(&[1.0; 64]).encoded().clone();
    let gone = Arc::new(AtomicBool::new(false));
    let words = encoded.chunks_exact(8).map(|word| u64::from_ne_bytes(word.try_into().unwrap()));
    let owner = Owner(words.collect(), Arc::clone(&gone));
    let tensors = Tensors::decode(Bytes::from_owner(owner)).unwrap();
    let mut mean = plain("weighted-mean");
    mean.fold(&[reply(1, tensors)], &Serial).unwrap();
    assert!(gone.load(Ordering::SeqCst), "the aggregator keeps the reply's memory");
    assert_eq!(mean.finish(&[], &Serial).unwrap(), f64s(&[1.0; 64]));
}

#[test]
fn a3_a_partial_sum_has_one_encoding_however_it_came_about() {
    let replies: Vec<_> =
        [1e16, 1.0, -1e16, 3e-300, 1.0].map(|value| reply(1, f64s(&[value, -value]))).into();
    let mut encodings = std::collections::BTreeSet::new();
    for turn in 0..replies.len() {
        for cut in 0..=replies.len() {
            let mut order = replies.clone();
            order.rotate_left(turn);
            let (left, right) = order.split_at(cut);
            let (mut whole, mut half) = (plain("weighted-mean"), plain("weighted-mean"));
            whole.fold(left, &Serial).unwrap();
            right.iter().for_each(|one| half.fold(std::slice::from_ref(one), &Serial).unwrap());
            whole.merge(&half.partial(), &Serial).unwrap();
            encodings.insert(whole.partial());
        }
    }
    assert_eq!(encodings.len(), 1);
}

#[test]
fn a4_replies_that_do_not_agree_name_the_tensor_and_both_sides() {
    let replies = [reply(1, f64s(&[1.0])), reply(1, one(TensorData::F32(&[1.0]), 1))];
    let fault = mean(&replies).unwrap_err();
    assert!(fault.contains("\"x\": F64 of shape [1] against F32 of shape [1]"), "{fault}");
}

#[test]
fn a_mean_of_differences_is_rounded_once_from_the_real_difference() {
    // The mean of 2^24 and 2^24 + 1 is no f32, and neither is its difference from 0.1.
    let base = one(TensorData::F32(&[0.1]), 1);
    let replies =
        [16_777_216.0, 16_777_218.0].map(|value| reply(1, one(TensorData::F32(&[value]), 1)));
    let config = ComponentSpec::plain("mean-of-differences").config;
    let step = made("mean-of-differences", config, &base).finish(&replies, &Serial).unwrap();
    assert_eq!(step.get("x").unwrap().dtype, DType::F64);
    assert_eq!(step.slice::<f64>("x").unwrap(), [16_777_217.0 - f64::from(0.1_f32)]);
}

#[test]
fn tensors_named_plain_and_integers_give_their_plain_mean() {
    let tensors = |running: f32, count: i64, w: f32| {
        Tensors::from_slices([
            ("bn.running_var", &[1][..], TensorData::F32(&[running])),
            ("bn.tracked", &[][..], TensorData::I64(&[count])),
            ("w", &[1][..], TensorData::F32(&[w])),
        ])
        .unwrap()
    };
    let config = to_value(&serde_json::json!({ "plain": ["bn.*"] })).unwrap();
    let aggregator = made("mean-of-differences", config, &tensors(0.05, 90, 1.0));
    let replies = [reply(1, tensors(0.01, 100, 2.0)), reply(1, tensors(0.02, 105, 4.0))];
    let step = aggregator.finish(&replies, &Serial).unwrap();
    assert_eq!(step.slice::<f32>("bn.running_var").unwrap(), [0.015]);
    assert_eq!(step.slice::<i64>("bn.tracked").unwrap(), [102]);
    assert_eq!(step.slice::<f64>("w").unwrap(), [2.0]);
}

#[test]
fn a_partial_sum_that_is_none_is_refused() {
    let mut whole = plain("sum");
    whole.fold(&[reply(2, f64s(&[1.0, 2.0]))], &Serial).unwrap();
    let partial = whole.partial();
    for cut in 1..partial.len() {
        assert!(plain("sum").merge(&partial[..cut], &Serial).is_err(), "cut at {cut}");
    }
    let longer = [&partial[..], &[0]].concat();
    assert!(plain("sum").merge(&longer, &Serial).is_err());
    assert_eq!(whole.finish(&[], &Serial).unwrap().slice::<f64>("x").unwrap(), [2.0, 4.0]);
}

/// What a large result is written over may be a former user's memory: floats, integers and bools, and
/// what is made zero, must be as if it were new.
#[test]
fn nothing_is_left_of_what_lay_in_large_memory_before() {
    let len = 500_001;
    let floats: Vec<f32> = (0..len).map(|at| at as f32).collect();
    let (wholes, bools) = (vec![5_i64; len], vec![true; len]);
    let shape = [len];
    let data: [(_, &[usize], _); 3] = [
        ("bools", &shape, TensorData::Bool(&bools)),
        ("floats", &shape, TensorData::F32(&floats)),
        ("wholes", &shape, TensorData::I64(&wholes)),
    ];
    let task = Tensors::from_slices(data).unwrap();
    let dirty = dirt(task.encoded().len());
    for kind in ["weighted-mean", "sum"] {
        drop(dirty.to_mut());
        let made = plain(kind).finish(&[reply(1, task.clone())], &Serial).unwrap();
        assert_eq!(made.encoded(), task.encoded(), "{kind}");
    }
    drop(dirty.to_mut());
    let zeros = Tensors::zeros(task.layout());
    assert!(zeros.encoded()[task.layout().prefix().len()..].iter().all(|byte| *byte == 0));
}

/// Tensors of that many bytes, header included, that are no bools.
fn dirt(total: usize) -> Tensors {
    let of = |len: usize| Layout::new([("x", DType::U8, vec![len])]).unwrap();
    let mut tensors = Tensors::builder(&of(total - of(total).prefix().len()));
    tensors.slice_mut::<u8>("x").unwrap().fill(0xA5);
    let tensors = tensors.finish();
    assert_eq!(tensors.encoded().len(), total);
    tensors
}
