//! Exact sums against rational arithmetic.

mod floats;
mod integers;
mod midpoints;
mod oracle;
mod partial;
mod rules;

use flare_core::pool::Serial;
use flare_core::sums::{ExactSum, Weight, mean_of};

use oracle::Float;

/// A generator, so that a failure is repeated from the seed that it prints (SplitMix64).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// The means of columns by all ways that lead to them, which must agree to the bit.
pub(crate) fn means<T: Float>(weights: &[Weight], inputs: &[Vec<T>]) -> Vec<T> {
    let len = inputs[0].len();
    let pairs: Vec<_> = weights.iter().zip(inputs).map(|(w, x)| (*w, T::values(x))).collect();
    let zero = T::of(0.0);
    let mut at_once = vec![zero; len];
    mean_of(&pairs, T::values_mut(&mut at_once), &Serial).unwrap();

    let mut one_by_one = ExactSum::new(T::DTYPE, len);
    for pair in &pairs {
        one_by_one.fold(std::slice::from_ref(pair), &Serial).unwrap();
    }
    let mut folded = vec![zero; len];
    one_by_one.mean_into(T::values_mut(&mut folded), &Serial).unwrap();
    let mut together = ExactSum::new(T::DTYPE, len);
    together.fold(&pairs, &Serial).unwrap();
    let mut kept = vec![zero; len];
    together.mean_into(T::values_mut(&mut kept), &Serial).unwrap();
    for column in 0..len {
        let bits = [at_once[column].raw(), folded[column].raw(), kept[column].raw()];
        assert!(bits[0] == bits[1] && bits[1] == bits[2], "column {column}: {bits:x?}");
    }
    at_once
}

/// One column of the inputs, with weights.
pub(crate) fn column<T: Float>(
    weights: &[Weight],
    inputs: &[Vec<T>],
    column: usize,
) -> Vec<(Weight, f64)> {
    weights.iter().zip(inputs).map(|(w, x)| (*w, x[column].wide())).collect()
}
