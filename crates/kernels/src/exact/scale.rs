//! The levels of an exact sum: powers of two from which the partial sums start.

/// Where the levels of a block start: `σ_1 > σ_2 > …`, powers of two, and zero for the last level.
///
/// A sum of a level starts from its `σ` instead of zero and stays within `σ/2 ..= 3σ/2`. It is
/// then never smaller than what is added to it, so three operations give the rounded sum and its
/// exact error: `t = s + p`, `b = s - t`, `r = p + b`. The error goes to the next level; at the last
/// one plain additions are exact, if what was seen stays within its bound.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale<const LEVELS: usize> {
    pub(crate) starts: [f64; LEVELS],
    last: f64,
}

/// Sums above this are left to other means.
const LARGEST: f64 = f64::from_bits((1023 + 1000) << 52);

/// With a start of 2^-1021 a level takes every multiple of the least `f64`.
const SMALLEST: f64 = f64::from_bits((1023 - 1021) << 52);

impl<const LEVELS: usize> Default for Scale<LEVELS> {
    /// A scale that holds nothing but zeros.
    fn default() -> Self {
        Self { starts: [0.0; LEVELS], last: 0.0 }
    }
}

impl<const LEVELS: usize> Scale<LEVELS> {
    /// The scale for `additions` additions whose absolute values come to `bound` at most; `None` if
    /// that is no number or beyond 2^1000.
    pub fn new(bound: f64, additions: usize) -> Option<Self> {
        if bound.is_nan() || bound > LARGEST {
            return None;
        }
        let mut starts = [0.0; LEVELS];
        let mut bound = bound;
        for start in &mut starts[..LEVELS - 1] {
            *start = (2.0 * power_at_least(bound)).max(SMALLEST);
            // A rounding at this level leaves an error of at most start * 2^-53.
            bound = *start * (additions as f64 + 1.0) * (f64::EPSILON / 2.0);
        }
        Some(Self { starts, last: bound })
    }

    /// The least `u` for which the last level is exact if every value that is added is a multiple of
    /// `2^u`: what comes to that level is then a multiple of it too, and has at most 53 bits.
    pub fn unit(&self) -> i32 {
        let power = power_at_least(self.last).to_bits() >> 52;
        (power as i32 - 1023 - 53).max(-1074)
    }
}

/// The least power of two that is not below `value` (0 for 0 and subnormals).
fn power_at_least(value: f64) -> f64 {
    let floor = f64::from_bits(value.to_bits() & 0x7FF0_0000_0000_0000);
    if floor == value { floor } else { 2.0 * floor.max(f64::MIN_POSITIVE) }
}
