//! Partial sums: any order, any grouping and any journey as bytes give the same bits and bytes.

use flare_core::pool::Serial;
use flare_core::sums::{Error, ExactSum, Fault, Values, Weight};
use flare_core::tensor::DType;
use half::{bf16, f16};

use super::oracle::Float;
use super::{Random, means};

const SETS: [[f64; 5]; 10] = [
    // The third plane decides how the first is rounded.
    [1e16, 1.0, 3e-300, 0.0, 0.0],
    [1e16, 1.0, -1e16, 3e-300, -1.0],
    [1e16, 1.0, -1e16, 3.0, -7.0],
    [1e38, 1e-38, -1e38, 1.5, 1e-45],
    [1e308, 5e-324, -1e308, 1e-308, 1.0],
    [1.7e308, 1.7e308, -1.7e308, 0.0, -1.7e308],
    [0.1, 0.2, 0.3, -0.6, 5e-324],
    [-0.0, -0.0, -0.0, -0.0, -0.0],
    [-0.0, 0.0, -0.0, -0.0, -0.0],
    [f64::INFINITY, 1.0, -1e300, f64::INFINITY, 2.0],
];

#[test]
fn every_order_and_grouping_gives_the_same_bits() {
    let counts = [1, 2, 3, 1 << 40, u64::MAX].map(Weight::Count);
    let reals = [0.3, 1e-300, 5e-324, 1e300, 2.0].map(|w| Weight::real(w).unwrap());
    for weights in [counts, reals] {
        all_groupings::<f64>(&weights);
        all_groupings::<f32>(&weights);
        all_groupings::<f16>(&weights);
        all_groupings::<bf16>(&weights);
    }
}

/// The sets as columns, rounded to the type.
fn all_groupings<T: Float>(weights: &[Weight; 5]) {
    let narrow = |value: f64| T::of(super::oracle::nearest(value, T::FORMAT));
    let inputs: Vec<Vec<T>> =
        (0..5).map(|k| SETS.iter().map(|set| narrow(set[k])).collect()).collect();
    let expected = means(weights, &inputs);
    let mut bytes = None;
    for order in permutations(5) {
        // Each of the four gaps in the order either parts two groups or does not.
        for cuts in 0..16 {
            let sum = fold_groups(&order, cuts, weights, &inputs);
            let encoded = sum.encode();
            let mut found = vec![T::of(0.0); SETS.len()];
            sum.mean_into(T::values_mut(&mut found), &Serial).unwrap();
            for (set, (found, expected)) in found.iter().zip(&expected).enumerate() {
                assert_eq!(found.raw(), expected.raw(), "set {set}, {order:?}, cuts {cuts:b}");
            }
            let first = bytes.get_or_insert_with(|| encoded.clone());
            assert_eq!(*first, encoded, "{order:?}, cuts {cuts:b}");
        }
    }
}

/// Folds each group by itself, sends every other one as bytes, and merges them.
fn fold_groups<T: Float>(
    order: &[usize],
    cuts: u32,
    weights: &[Weight],
    inputs: &[Vec<T>],
) -> ExactSum {
    let len = inputs[0].len();
    let empty = || ExactSum::new(T::DTYPE, len);
    let mut whole = empty();
    let mut group = empty();
    for (position, index) in order.iter().enumerate() {
        let pair = (weights[*index], T::values(&inputs[*index]));
        group.fold(&[pair], &Serial).unwrap();
        if cuts >> position & 1 == 1 || position + 1 == order.len() {
            let sent = ExactSum::decode(&group.encode(), T::DTYPE, len).unwrap();
            let part = if position % 2 == 0 { &group } else { &sent };
            whole.merge(part, &Serial).unwrap();
            group = empty();
        }
    }
    whole
}

fn permutations(len: usize) -> Vec<Vec<usize>> {
    if len == 0 {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for shorter in permutations(len - 1) {
        for at in 0..len {
            let mut longer = shorter.clone();
            longer.insert(at, len - 1);
            all.push(longer);
        }
    }
    all
}

#[test]
fn damaged_bytes_are_refused() {
    for (name, sum) in samples() {
        let (bytes, dtype, len) = (sum.encode(), sum.dtype(), sum.len());
        let again = ExactSum::decode(&bytes, dtype, len).unwrap();
        assert_eq!(again.encode(), bytes, "{name}");
        for end in 0..bytes.len() {
            assert!(ExactSum::decode(&bytes[..end], dtype, len).is_err(), "{name} cut at {end}");
        }
        let longer = [&bytes[..], &[0]].concat();
        let trailing = ExactSum::decode(&longer, dtype, len).unwrap_err();
        let expected = Error::Malformed { at: bytes.len(), fault: Fault::Trailing };
        assert_eq!(trailing, expected, "{name}");
        flip_bits(name, &bytes, dtype, len);
    }
}

/// A flipped bit is refused, or is another sum, whose bytes are these.
fn flip_bits(name: &str, bytes: &[u8], dtype: DType, len: usize) {
    for bit in 0..8 * bytes.len() {
        let mut damaged = bytes.to_vec();
        damaged[bit / 8] ^= 1 << (bit % 8);
        if let Ok(other) = ExactSum::decode(&damaged, dtype, len) {
            assert_eq!(other.encode(), damaged, "{name}, bit {bit}");
        }
    }
}

#[test]
fn noise_is_refused_without_a_panic() {
    for seed in 0..300 {
        let mut random = Random(seed);
        let (_, sum) = samples().swap_remove(random.below(6) as usize);
        let mut bytes = sum.encode();
        let from = random.below(bytes.len() as u64) as usize;
        for byte in &mut bytes[from..] {
            *byte = random.next() as u8;
        }
        match ExactSum::decode(&bytes, sum.dtype(), sum.len()) {
            Ok(other) => assert_eq!(other.encode(), bytes, "seed {seed}"),
            Err(error) => assert!(matches!(error, Error::Malformed { .. }), "seed {seed}: {error}"),
        }
    }
}

#[test]
fn another_type_or_length_is_refused() {
    let (_, sum) = samples().swap_remove(0);
    let bytes = sum.encode();
    let fault = |dtype, len| match ExactSum::decode(&bytes, dtype, len).unwrap_err() {
        Error::Malformed { fault, .. } => fault,
        other => panic!("{other}"),
    };
    assert_eq!(fault(DType::F64, sum.len()), Fault::DType);
    assert_eq!(fault(DType::F32, usize::MAX), Fault::Length);
}

/// A length that the caller believes in, but the bytes cannot hold, takes no memory.
#[test]
fn a_short_message_of_a_huge_tensor_is_refused() {
    let len = 1usize << 40;
    let mut bytes = ExactSum::new(DType::F32, len).encode();
    bytes[6] = 1;
    bytes.extend(1u128.to_le_bytes());
    bytes.extend([0; 3]);
    let error = ExactSum::decode(&bytes, DType::F32, len).unwrap_err();
    assert!(matches!(error, Error::Malformed { fault: Fault::Truncated, .. }), "{error}");
}

fn samples() -> Vec<(&'static str, ExactSum)> {
    let one = Weight::Count(1);
    let real = Weight::real(0.3).unwrap();
    let sum = |pairs: &[(Weight, Values<'_>)]| {
        let mut sum = ExactSum::new(pairs[0].1.dtype(), pairs[0].1.len());
        sum.fold(pairs, &Serial).unwrap();
        sum
    };
    let f32s: &[f32] = &[1.5, -0.0, 1e38];
    let tiny: &[f32] = &[1e-38, -0.0, 3.0];
    let f64s: &[f64] = &[5e-324, f64::NAN, f64::INFINITY];
    let f64_max: &[f64] = &[f64::MAX; 3];
    let i64s: &[i64] = &[i64::MIN, 5, i64::MAX];
    let bools: &[bool] = &[true, false, true];
    vec![
        ("f32", sum(&[(one, f32s.into()), (Weight::Count(u64::MAX), tiny.into())])),
        ("f64 real", sum(&[(real, f64s.into())])),
        ("f64 beyond", sum(&[(one, f64_max.into()), (one, f64_max.into())])),
        ("i64", sum(&[(Weight::Count(u64::MAX), i64s.into())])),
        ("i64 real", sum(&[(real, i64s.into())])),
        ("bool", sum(&[(one, bools.into())])),
        ("empty", ExactSum::new(DType::U8, 3)),
    ]
}
