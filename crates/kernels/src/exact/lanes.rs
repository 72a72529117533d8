//! What the loops over columns share: how many advance together, how a product is added, and how much a sum
//! of products can be.

use super::Term;

/// Columns that advance together, their sums held in registers while all terms pass by.
pub(super) const LANES: usize = 16;

/// So many tiles ahead each input is asked for. More than these few lines an input, and those of ten inputs
/// crowd each other out: 16 tiles ahead are slower than none.
const AHEAD: usize = 4;

/// Asks for the line [`AHEAD`] of values, which may lie beyond their slice.
#[inline(always)]
pub(super) fn ask_ahead<T>(values: &[T]) {
    let at = values.as_ptr().wrapping_add(AHEAD * LANES);
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: a prefetch reads nothing and faults nowhere, whatever the address.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(at.cast());
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = at;
}

/// `a * b + c` where the product is exact, so that both ways round alike.
#[inline(always)]
#[allow(clippy::disallowed_methods)] // contract 31 allows it in the exact sums
pub(super) fn product_and<const FUSED: bool>(a: f64, b: f64, c: f64) -> f64 {
    if FUSED { a.mul_add(b, c) } else { a * b + c }
}

/// What the sum of the terms of a column comes to at most, for a mass of 1: the largest factor, and what the
/// roundings of so many additions in `f32` may have taken from the mass. `None` if these are too many.
pub(super) fn most_of_mass<E>(terms: &[Term<'_, E>]) -> Option<f64> {
    const MOST: usize = 1 << 22;
    let largest = terms.iter().fold(0.0, |largest: f64, term| largest.max(term.factor.abs()));
    let slack = 1.0 + terms.len() as f64 * f64::from(f32::EPSILON);
    (terms.len() <= MOST).then_some(largest * slack)
}
