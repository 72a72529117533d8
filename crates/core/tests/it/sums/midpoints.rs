//! Numbers a hair above, below and exactly at the midpoints of a type, where random data never fall.

use flare_core::pool::Serial;
use flare_core::sums::{ExactSum, Weight};
use half::{bf16, f16};

use super::floats::check;
use super::oracle::Float;
use super::{Random, means};

#[test]
fn f32_midpoints() {
    neighbours::<f32>();
    built::<f32>(&[-10, -30, -60, -149]);
    at_the_limit::<f32>();
}

#[test]
fn f16_midpoints() {
    neighbours::<f16>();
    built::<f16>(&[-12, -24]);
    at_the_limit::<f16>();
}

#[test]
fn bf16_midpoints() {
    neighbours::<bf16>();
    built::<bf16>(&[-10, -30, -60, -133]);
    at_the_limit::<bf16>();
}

#[test]
fn f64_midpoints() {
    neighbours::<f64>();
    built::<f64>(&[-60, -110, -200, -1074]);
    at_the_limit::<f64>();
}

/// The means of two neighbours whose weights are equal or differ by little: a tie, or next to it.
fn neighbours<T: Float>() {
    for seed in 0..12 {
        let mut random = Random(seed);
        let half = 1u64 << random.below(62);
        let half = if seed % 2 == 0 { half } else { half | random.below(half) };
        for index in 0..8 {
            // Each by itself, or far-apart exponents would send all to fixed point.
            let low = low::<T>(index, &mut random);
            let columns = [vec![low], vec![T::from_raw(low.raw() + 1)]];
            for (a, b) in [(half, half), (half + 1, half), (half, half + 1)] {
                check(seed, &[Weight::Count(a), Weight::Count(b)], &columns);
                if half < 1 << 52 {
                    let real = |weight: u64| Weight::real(weight as f64 * 0.125).unwrap();
                    check(seed, &[real(a), real(b)], &columns);
                }
            }
        }
    }
}

/// A finite value of either sign, often subnormal or at the end of a binade, below the greatest.
fn low<T: Float>(index: usize, random: &mut Random) -> T {
    let width = T::FORMAT.digits - 1;
    let greatest = (2 * T::FORMAT.greatest as u64 + 1) << width;
    let sign_at = width + 64 - (2 * T::FORMAT.greatest as u64 + 1).leading_zeros() as i32;
    let magnitude = match index % 4 {
        0 => random.below(1 << width),
        1 => ((1 + random.below(2 * T::FORMAT.greatest as u64 - 1)) << width) - 1,
        2 => greatest - 2 - random.below(3),
        _ => random.below(greatest - 1),
    };
    T::from_raw(magnitude | (random.next() & 1) << sign_at)
}

/// `(W - 2) q + x + tiny = W (q + half a unit) + tiny` with weights W - 2, 1, 1.
fn built<T: Float>(tinies: &[i32]) {
    let digits = T::FORMAT.digits;
    let unit = 2f64.powi(1 - digits);
    for bits in 2..=digits - 2 {
        let total = 1u64 << bits;
        let weights = [total - 2, 1, 1].map(Weight::Count);
        // Each size of tiny numbers by itself, or the smallest would send all to fixed point.
        for tiny in tinies.iter().map(|exponent| 2f64.powi(*exponent)) {
            let mut columns = [Vec::new(), Vec::new(), Vec::new()];
            for (step, tiny) in [(0, tiny), (0, -tiny), (0, 0.0), (1, tiny), (1, -tiny), (1, 0.0)] {
                let q = 1.0 + f64::from(step) * unit;
                let x = 2.0 * q + total as f64 * unit / 2.0;
                for sign in [1.0, -1.0] {
                    for (column, value) in columns.iter_mut().zip([q, x, tiny]) {
                        column.push(T::of(sign * value));
                    }
                }
            }
            check(bits as u64, &weights, &columns);
        }
    }
}

/// Sums at the greatest value and half a unit above it, and overflow that cancels.
fn at_the_limit<T: Float>() {
    let width = T::FORMAT.digits - 1;
    let greatest = T::from_raw(((2 * T::FORMAT.greatest as u64 + 1) << width) - 1);
    let half = T::of(2f64.powi(T::FORMAT.greatest - T::FORMAT.digits));
    let below = T::from_raw(half.raw() - 1);
    let least = T::from_raw(1);
    let one = [Weight::Count(1); 3];
    let zero = T::of(0.0);
    let minus = T::of(-greatest.wide());
    let rows = [
        [greatest, half, zero],
        [greatest, below, zero],
        [greatest, half, least],
        [greatest, greatest, minus],
        [greatest, minus, least],
        [greatest, greatest, greatest],
    ];
    let inputs: Vec<Vec<T>> = (0..3).map(|k| rows.iter().map(|row| row[k]).collect()).collect();
    check(0, &one, &inputs);
    let found = means(&one, &inputs);
    assert_eq!(found[5].raw(), greatest.raw(), "three times the greatest value have it as mean");
}

/// Differences from a base lie at midpoints of `f64`, too.
#[test]
fn differences_at_midpoints_of_f64() {
    let half = 2f32.powi(-53);
    let bases =
        [-half, -half * (1.0 + f32::EPSILON), -half * (1.0 - f32::EPSILON), 1.0, 1.0 - half];
    let ones = [1.0f32; 5];
    let mut sum = ExactSum::new(flare_core::tensor::DType::F32, 5);
    sum.fold(&[(Weight::Count(3), ones.as_slice().into())], &Serial).unwrap();
    let mut out = [0.0; 5];
    sum.mean_minus_into_f64(bases.as_slice().into(), &mut out, &Serial).unwrap();
    assert_eq!(out, [1.0, 1.0 + f64::EPSILON, 1.0, 0.0, 0.0]);
}
