//! The rules about weights and special values, cases from bug reports, and the frozen encoding.

use std::sync::atomic::{AtomicUsize, Ordering};

use flare_core::pool::{Pool, Serial};
use flare_core::sums::{Error, ExactSum, ScalarSum, Values, ValuesMut, Weight, mean_of};
use flare_core::tensor::DType;
use half::{bf16, f16};

use super::Random;

fn count(count: u64) -> Weight {
    Weight::Count(count)
}

#[test]
fn c001_total_weight_zero_is_an_error() {
    let (a, b): (&[f32], &[f32]) = (&[1.0, 2.0], &[3.0, 4.0]);
    let mut out = [9.0f32; 2];
    let none = [(count(0), a.into()), (count(0), b.into())];
    let error = mean_of(&none, out.as_mut_slice().into(), &Serial).unwrap_err();
    assert_eq!(error, Error::NoWeight);
    assert!(error.to_string().starts_with("total weight 0"), "{error}");
    let mut sum = ExactSum::new(DType::F32, 2);
    assert_eq!(sum.mean_into(out.as_mut_slice().into(), &Serial), Err(Error::NoWeight));
    sum.fold(&none, &Serial).unwrap();
    assert_eq!(sum.mean_into(out.as_mut_slice().into(), &Serial), Err(Error::NoWeight));
    assert_eq!(sum.sum_into(out.as_mut_slice().into(), &Serial), Err(Error::NoWeight));
    let mut wide = [9.0; 2];
    assert_eq!(sum.mean_into_f64(&mut wide, &Serial), Err(Error::NoWeight));
    assert_eq!(sum.mean_minus_into_f64(a.into(), &mut wide, &Serial), Err(Error::NoWeight));
    assert_eq!((out, wide), ([9.0; 2], [9.0; 2]), "an error writes nothing");
}

#[test]
fn c001b_a_reply_of_weight_zero_contributes_nothing() {
    let (a, b): (&[f32], &[f32]) = (&[f32::NAN, f32::INFINITY], &[3.0, -0.0]);
    for zero in [count(0), Weight::real(-0.0).unwrap()] {
        let five = if zero == count(0) { count(5) } else { Weight::real(5.0).unwrap() };
        let mut out = [9.0f32; 2];
        mean_of(&[(zero, a.into()), (five, b.into())], out.as_mut_slice().into(), &Serial).unwrap();
        assert_eq!(out.map(f32::to_bits), [3.0f32, -0.0].map(f32::to_bits));
    }
}

#[test]
fn c004_half_precision_is_rounded_once() {
    let large = (4_294_967_295, 4_294_967_297);
    for ((n, m), expected) in [((1, 1), 0x3F80), ((1, 2), 0x3F81), (large, 0x3F81)] {
        let [a, b] = [0x3F80, 0x3F81].map(|bits| [bf16::from_bits(bits)]);
        let mut out = [bf16::ZERO];
        let inputs: [(Weight, Values<'_>); 2] =
            [(count(n), a.as_slice().into()), (count(m), b.as_slice().into())];
        mean_of(&inputs, out.as_mut_slice().into(), &Serial).unwrap();
        assert_eq!(out[0].to_bits(), expected, "bf16, n = {n}, {m}");
    }
    for ((n, m), expected) in [((1, 1), 0x3C00), (large, 0x3C01)] {
        let [a, b] = [0x3C00, 0x3C01].map(|bits| [f16::from_bits(bits)]);
        let mut out = [f16::ZERO];
        let inputs: [(Weight, Values<'_>); 2] =
            [(count(n), a.as_slice().into()), (count(m), b.as_slice().into())];
        mean_of(&inputs, out.as_mut_slice().into(), &Serial).unwrap();
        assert_eq!(out[0].to_bits(), expected, "f16, n = {n}, {m}");
    }
}

#[test]
fn c002_a_counter_is_rounded_to_even() {
    let (a, b): (&[i64], &[i64]) = (&[100], &[105]);
    let mut out = [0i64];
    let inputs = [(count(1), a.into()), (count(1), b.into())];
    mean_of(&inputs, out.as_mut_slice().into(), &Serial).unwrap();
    assert_eq!(out, [102]);
}

#[test]
fn c011b_a_million_tenths() {
    let tenth: &[f32] = &[0.1];
    let inputs = vec![(count(1), tenth.into()); 500];
    let mut sum = ExactSum::new(DType::F32, 1);
    for _ in 0..2000 {
        sum.fold(&inputs, &Serial).unwrap();
    }
    let mut out = [0.0f32];
    sum.mean_into(out.as_mut_slice().into(), &Serial).unwrap();
    assert_eq!(out[0].to_bits(), 0x3DCC_CCCD);
}

#[test]
fn c011_arrival_order_cannot_be_seen() {
    let values = [1e16, 1.0, -1e16];
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let mut sum = ExactSum::new(DType::F64, 1);
        for index in order {
            sum.fold(&[(count(1), values[index..=index].into())], &Serial).unwrap();
        }
        let mut out = [0.0];
        sum.mean_into(out.as_mut_slice().into(), &Serial).unwrap();
        assert_eq!(out[0], 1.0 / 3.0, "{order:?}");
        sum.sum_into(out.as_mut_slice().into(), &Serial).unwrap();
        assert_eq!(out[0], 1.0, "{order:?}");
    }
}

#[test]
fn nan_is_canonical() {
    let odd: &[f32] = &[f32::from_bits(0xFFA1_2345)];
    let mut out = [0.0f32];
    mean_of(&[(count(3), odd.into())], out.as_mut_slice().into(), &Serial).unwrap();
    assert_eq!(out[0].to_bits(), 0x7FC0_0000);
    let odd: &[bf16] = &[bf16::from_bits(0xFF81)];
    let mut out = [bf16::ZERO];
    mean_of(&[(count(3), odd.into())], out.as_mut_slice().into(), &Serial).unwrap();
    assert_eq!(out[0].to_bits(), 0x7FC0);
}

#[test]
fn bad_weights_and_mixed_kinds_are_refused() {
    for value in [-1.0, f64::NAN, f64::INFINITY, -5e-324] {
        assert!(Weight::real(value).is_err(), "{value}");
    }
    let message = "weight -1 is no weight: it must be a finite number of at least 0";
    assert_eq!(Weight::real(-1.0).unwrap_err().to_string(), message);
    let values: &[f32] = &[1.0];
    let (whole, real) = ((count(1), values.into()), (Weight::real(0.0).unwrap(), values.into()));
    let mut sum = ExactSum::new(DType::F32, 1);
    sum.fold(&[whole], &Serial).unwrap();
    let before = sum.encode();
    assert_eq!(sum.fold(&[whole, real], &Serial), Err(Error::MixedWeights));
    let mut other = ExactSum::new(DType::F32, 1);
    other.fold(&[real], &Serial).unwrap();
    assert_eq!(sum.merge(&other, &Serial), Err(Error::MixedWeights));
    assert_eq!(sum.encode(), before, "what was refused changed nothing");
}

#[test]
fn other_types_and_lengths_are_refused() {
    let (short, wide): (&[f32], &[f64]) = (&[1.0], &[1.0, 2.0]);
    let right: &[f32] = &[1.0, 2.0];
    let mut sum = ExactSum::new(DType::F32, 2);
    let before = sum.encode();
    let error = sum.fold(&[(count(1), right.into()), (count(0), short.into())], &Serial);
    assert_eq!(error, Err(Error::Length { input: 1, expected: 2, found: 1 }));
    let error = sum.fold(&[(count(1), wide.into())], &Serial);
    let expected = Error::DType { input: 0, expected: DType::F32, found: DType::F64 };
    assert_eq!(error, Err(expected.clone()));
    let other = ExactSum::new(DType::F64, 2);
    assert_eq!(sum.merge(&other, &Serial), Err(expected.clone()));
    assert_eq!(sum.encode(), before, "what was refused changed nothing");
    let mut out = [0.0; 2];
    assert_eq!(sum.mean_into(ValuesMut::from(out.as_mut_slice()), &Serial), Err(expected));
    let error = sum.mean_into_f64(&mut [0.0], &Serial);
    assert_eq!(error, Err(Error::Length { input: 0, expected: 2, found: 1 }));
}

#[test]
fn values_are_cast_from_bytes_or_refused() {
    let bytes = [0u8, 0, 0x80, 0x3F, 1];
    assert!(matches!(Values::cast(DType::Bool, &bytes[4..]), Some(Values::Bool([true]))));
    assert!(Values::cast(DType::Bool, &[2]).is_none());
    assert!(Values::cast(DType::F32, &bytes).is_none());
    assert_eq!(Values::cast(DType::U8, &bytes).map(|values| values.len()), Some(5));
}

#[test]
fn metrics_are_means_of_f64() {
    let mut metric = ScalarSum::new();
    assert_eq!(metric.mean(), None);
    metric.add(count(0), f64::NAN).unwrap();
    assert_eq!(metric.mean(), None);
    let mut part = ScalarSum::new();
    for (weight, value) in [(3, 1e300), (u64::MAX, 0.1), (3, -1e300)] {
        part.add(count(weight), value).unwrap();
    }
    metric.merge(&part).unwrap();
    // 0.1 * (2^64 - 1) / (2^64 + 5) lies 3.3e-19 of itself below 0.1, far within half a unit.
    assert_eq!(metric.mean(), Some(0.1));
    metric.add(count(1), f64::NEG_INFINITY).unwrap();
    assert_eq!(metric.mean(), Some(f64::NEG_INFINITY));
    metric.add(count(1), f64::INFINITY).unwrap();
    assert_eq!(metric.mean().map(f64::to_bits), Some(0x7FF8_0000_0000_0000));
    assert_eq!(metric.add(Weight::real(1.0).unwrap(), 1.0), Err(Error::MixedWeights));
    let mut losses = ScalarSum::new();
    for (examples, loss) in [(1, 2.0), (2, 1.0), (1, 2.0)] {
        losses.add(count(examples), loss).unwrap();
    }
    assert_eq!(losses.mean(), Some(1.5));
}

/// Threads that take the jobs from both ends, so that their order is not the columns'.
struct Threads(usize, AtomicUsize);

impl Pool for Threads {
    fn threads(&self) -> usize {
        self.0
    }

    fn for_each(&self, jobs: usize, job: &(dyn Fn(usize) + Sync)) {
        self.1.fetch_max(jobs, Ordering::Relaxed);
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..self.0 {
                scope.spawn(|| {
                    loop {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        if index >= jobs {
                            return;
                        }
                        job(if index.is_multiple_of(2) { index / 2 } else { jobs - 1 - index / 2 });
                    }
                });
            }
        });
    }
}

#[test]
fn threads_cannot_be_seen() {
    let len = 200_003;
    let mut random = Random(5);
    let mut value = |at: usize| {
        let wild = f32::from_bits(random.next() as u32);
        let tame = (random.next() >> 40) as f32 * 1e-7 - 0.8;
        if at / 512 % 50 == 3 && wild.is_finite() { wild } else { tame }
    };
    let inputs: Vec<Vec<f32>> = (0..3).map(|_| (0..len).map(&mut value).collect()).collect();
    let pairs: Vec<(Weight, Values<'_>)> =
        inputs.iter().zip(1..).map(|(x, w)| (count(w), x.as_slice().into())).collect();
    let all = |pool: &dyn Pool| {
        let mut sum = ExactSum::new(DType::F32, len);
        sum.fold(&pairs[..2], pool).unwrap();
        let mut part = ExactSum::new(DType::F32, len);
        part.fold(&pairs[2..], pool).unwrap();
        sum.merge(&part, pool).unwrap();
        let mut means = [vec![0.0f32; len], vec![0.0f32; len]];
        sum.mean_into(means[0].as_mut_slice().into(), pool).unwrap();
        mean_of(&pairs, means[1].as_mut_slice().into(), pool).unwrap();
        let mut differences = vec![0.0; len];
        sum.mean_minus_into_f64(pairs[0].1, &mut differences, pool).unwrap();
        let bits = |means: &Vec<f32>| means.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        let wide: Vec<u64> = differences.iter().map(|x| x.to_bits()).collect();
        (sum.encode(), bits(&means[0]), bits(&means[1]), wide)
    };
    let serial = all(&Serial);
    assert_eq!(serial.1, serial.2);
    for threads in [2, 7] {
        let pool = Threads(threads, AtomicUsize::new(0));
        assert!(all(&pool) == serial, "{threads} threads");
        assert!(pool.1.load(Ordering::Relaxed) >= threads, "the work was divided");
    }
}

#[test]
fn the_encoding_is_frozen() {
    let values: &[f32] = &[1.5, -0.0];
    let mut sum = ExactSum::new(DType::F32, 2);
    sum.fold(&[(count(2), values.into())], &Serial).unwrap();
    #[rustfmt::skip]
    let expected = [
        b'F', b'L', b'X', b'S', 1, 2, 1, // f32, whole weights
        2, 0, 0, 0, 0, 0, 0, 0, // elements
        2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // total weight
        1, 0, 0, // one plane, no exception
        0, 0, 0, 0, 0, 0, 0x08, 0x40, // 3.0
        0, 0, 0, 0, 0, 0, 0, 0x80, // -0.0
    ];
    assert_eq!(sum.encode(), expected);

    let values: &[f64] = &[5e-324, 1.0];
    let mut sum = ExactSum::new(DType::F64, 2);
    sum.fold(&[(Weight::real(0.5).unwrap(), values.into())], &Serial).unwrap();
    #[rustfmt::skip]
    let expected = [
        b'F', b'L', b'X', b'S', 1, 3, 2, // f64, real weights
        2, 0, 0, 0, 0, 0, 0, 0, // elements
        0, 0xFF, 0xFF, 0xFF, 0xFF, 1, 0, 1, // total weight: +1 * 2^-1
        1, 1, 0, // one plane, one exception
        0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0xE0, 0x3F, // 0.5
        0, 0, 0, 0xCD, 0xFB, 0xFF, 0xFF, 1, 0, 1, // column 0: +1 * 2^-1075
    ];
    assert_eq!(sum.encode(), expected);

    let mut sum = ExactSum::new(DType::F64, 1);
    for value in [1.0, 2f64.powi(-80)] {
        sum.fold(&[(count(1), [value].as_slice().into())], &Serial).unwrap();
    }
    let bytes = sum.encode();
    let planes = [[0, 0, 0, 0, 0, 0, 0xF0, 0x3F], [0, 0, 0, 0, 0, 0, 0xF0, 0x3A]].concat();
    assert_eq!(bytes[31..], [vec![2, 0, 0], planes].concat());

    let bools: &[bool] = &[true, false, false, true, false, false, false, false, true];
    let mut sum = ExactSum::new(DType::Bool, 9);
    sum.fold(&[(count(1), bools.into())], &Serial).unwrap();
    assert_eq!(sum.encode()[31..], [0b1001, 1]);
}
