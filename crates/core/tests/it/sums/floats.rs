//! Means, sums and differences of floats of every kind.

use flare_core::pool::Serial;
use flare_core::sums::{ExactSum, Weight};
use half::{bf16, f16};

use super::oracle::{self, Float, bits_of};
use super::{Random, column, means};

#[test]
fn f32_means() {
    all_kinds::<f32>();
}

#[test]
fn f16_means() {
    all_kinds::<f16>();
}

#[test]
fn bf16_means() {
    all_kinds::<bf16>();
}

#[test]
fn f64_means() {
    all_kinds::<f64>();
}

fn all_kinds<T: Float>() {
    for seed in 0..24 {
        let mut random = Random(seed);
        let inputs = 1 + random.below(9) as usize;
        // Whole blocks, a bit more than one, and a handful of columns.
        let len = [5, 40, 530][seed as usize % 3];
        let weights = weights(seed % 6, inputs, &mut random);
        let spread = [4, 30, 2100][(seed / 6) as usize % 3];
        let values: Vec<Vec<T>> = (0..inputs)
            .map(|_| (0..len).map(|_| any(spread, seed >= 18, &mut random)).collect())
            .collect();
        check(seed, &weights, &values);
    }
}

/// Weights of one kind: small, large and huge counts, plain, tiny and huge reals.
fn weights(kind: u64, inputs: usize, random: &mut Random) -> Vec<Weight> {
    (0..inputs)
        .map(|index| match kind {
            0 => Weight::Count(1 + random.below(1000)),
            1 => Weight::Count(random.below(3) << random.below(62) | u64::from(index == 0)),
            2 => Weight::Count(u64::MAX - random.below(1 << 40)),
            3 => Weight::real(1e-3 * (1.0 + random.below(3000) as f64)).unwrap(),
            4 => Weight::real(f64::from_bits(random.next() >> 2)).unwrap(),
            _ => {
                Weight::real(f64::from_bits(0x7FE0_0000_0000_0000 - random.below(1 << 40))).unwrap()
            }
        })
        .collect()
}

/// A value whose exponent is one of `spread` around 1, or a special one.
fn any<T: Float>(spread: i32, special: bool, random: &mut Random) -> T {
    let width = T::FORMAT.digits - 1;
    let bias = T::FORMAT.greatest;
    let sign = random.next() & 1;
    let spread = spread.min(2 * bias + 1);
    let field = (bias - spread / 2 + random.below(spread as u64) as i32).clamp(0, 2 * bias) as u64;
    let fraction = match random.below(4) {
        0 => 0,
        1 => (1 << width) - 1,
        _ => random.next() & ((1 << width) - 1),
    };
    let specials = [0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN];
    let sign_at = width + 64 - (2 * bias as u64 + 1).leading_zeros() as i32;
    match random.below(20) {
        0 if special => T::of(specials[random.below(5) as usize]),
        1 | 2 => T::from_raw(sign << sign_at),
        _ => T::from_raw(sign << sign_at | field << width | fraction),
    }
}

/// Means, sums and differences from the last input, column by column.
pub(crate) fn check<T: Float>(seed: u64, weights: &[Weight], values: &[Vec<T>]) {
    let found = means(weights, values);
    let len = found.len();
    let mut folded = ExactSum::new(T::DTYPE, len);
    let pairs: Vec<_> = weights.iter().zip(values).map(|(w, x)| (*w, T::values(x))).collect();
    folded.fold(&pairs, &Serial).unwrap();
    let mut sums = vec![T::of(0.0); len];
    folded.sum_into(T::values_mut(&mut sums), &Serial).unwrap();
    let mut wide = vec![0.0; len];
    folded.mean_into_f64(&mut wide, &Serial).unwrap();
    let mut differences = vec![0.0; len];
    let base = &values[values.len() - 1];
    folded.mean_minus_into_f64(T::values(base), &mut differences, &Serial).unwrap();
    for at in (0..len).step_by(1 + len / 60) {
        let inputs = column(weights, values, at);
        let mean = oracle::mean(&inputs, T::FORMAT);
        assert_eq!(found[at].raw(), bits_of(mean, T::FORMAT), "mean, seed {seed}: {inputs:?}");
        let sum = oracle::sum(&inputs, T::FORMAT);
        assert_eq!(sums[at].raw(), bits_of(sum, T::FORMAT), "sum, seed {seed}: {inputs:?}");
        let exact = oracle::mean(&inputs, f64::FORMAT);
        assert_eq!(wide[at].to_bits(), exact.to_bits(), "f64 mean, seed {seed}: {inputs:?}");
        let base = base[at].wide();
        let exact = oracle::mean_minus(&inputs, base);
        let bits = (differences[at].to_bits(), exact.to_bits());
        assert_eq!(bits.0, bits.1, "difference from {base:e}, seed {seed}: {inputs:?}");
    }
}
