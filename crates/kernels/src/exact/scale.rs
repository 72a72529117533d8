//! The levels of an exact sum: powers of two from which the partial sums start.

/// What is known of a sum: the absolute values of what is added come to `bound` at most, and all are
/// multiples of `2^unit`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Span {
    /// What the absolute values come to at most.
    pub bound: f64,
    /// The exponent of a power of two of which all are multiples.
    pub unit: i32,
}

impl Span {
    /// The sum of nothing.
    pub const NOTHING: Self = Self { bound: 0.0, unit: i32::MAX };

    /// What is known of the sum of both. Rounding up keeps the bound a bound.
    #[inline(always)]
    pub fn join(self, other: Self) -> Self {
        let bound = (self.bound + other.bound) * (1.0 + 2.0 * f64::EPSILON);
        Self { bound, unit: self.unit.min(other.unit) }
    }
}

/// Where the levels of a block start: `σ_1 > σ_2 > …`, powers of two, and zero for the last level.
///
/// A sum of a level starts from its `σ` instead of zero and stays within `σ/2 ..= 3σ/2`. It is
/// then never smaller than what is added to it, so three operations give the rounded sum and its
/// exact error: `t = s + p`, `b = s - t`, `r = p + b`. The error goes to the next level; at the last
/// one plain additions are exact, if what was seen stays within its bound.
pub(crate) struct Scale<const LEVELS: usize> {
    pub(crate) starts: [f64; LEVELS],
}

/// Sums above this are left to other means.
const LARGEST: f64 = f64::from_bits((1023 + 1000) << 52);

/// With a start of 2^-1021 a level takes every multiple of the least `f64`.
const SMALLEST: f64 = f64::from_bits((1023 - 1021) << 52);

impl<const LEVELS: usize> Scale<LEVELS> {
    /// The scale for a sum of so many additions of which `span` is known; `None` if there are too few
    /// levels for it, or its bound is no number or beyond 2^1000.
    pub(crate) fn new(span: Span, additions: usize) -> Option<Self> {
        let mut bound = span.bound;
        if bound.is_nan() || bound > LARGEST {
            return None;
        }
        let mut starts = [0.0; LEVELS];
        for start in &mut starts[..LEVELS - 1] {
            *start = (2.0 * power_at_least(bound)).max(SMALLEST);
            // A rounding at this level leaves an error of at most start * 2^-53.
            bound = *start * (additions as f64 + 1.0) * (f64::EPSILON / 2.0);
        }
        (span.unit >= unit_of(bound)).then_some(Self { starts })
    }
}

/// The least `u` for which a last level up to `bound` is exact if every value that is added is a
/// multiple of `2^u`: what comes to that level is then a multiple of it too, and has at most 53 bits.
fn unit_of(bound: f64) -> i32 {
    let power = power_at_least(bound).to_bits() >> 52;
    (power as i32 - 1023 - 53).max(-1074)
}

/// The least power of two that is not below `value` (0 for 0 and subnormals).
fn power_at_least(value: f64) -> f64 {
    let floor = f64::from_bits(value.to_bits() & 0x7FF0_0000_0000_0000);
    if floor == value { floor } else { 2.0 * floor.max(f64::MIN_POSITIVE) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds<const LEVELS: usize>(bound: f64, unit: i32, additions: usize) -> bool {
        Scale::<LEVELS>::new(Span { bound, unit }, additions).is_some()
    }

    #[test]
    fn scales_know_their_limits() {
        assert!(!holds::<2>(f64::NAN, 0, 1));
        assert!(!holds::<2>(f64::INFINITY, 0, 1));
        assert!(holds::<2>(2f64.powi(1000), 1000, 1));
        assert!(!holds::<2>(2f64.powi(1000).next_up(), 1000, 1));
        // One level holds 53 bits.
        assert!(holds::<1>(1.0, -53, 1) && !holds::<1>(1.0, -54, 1));
        assert!(holds::<1>(1.0f64.next_up(), -52, 1) && !holds::<1>(1.0f64.next_up(), -53, 1));
        assert!(holds::<3>(0.0, -1074, 1));
        // Each further level adds 53 bits, less one for its start and those for counting.
        let unit = -53 - 53 + 1 + 3;
        assert!(holds::<2>(1.0, unit, 7) && !holds::<2>(1.0, unit - 1, 7));
    }
}
