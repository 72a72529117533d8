//! The quotient of an exact sum and an exact total weight, rounded once.

use half::{bf16, f16};

use crate::variant::{Kernel, Variant};

/// A total weight, as the leading part and the rest: `high` is the weight rounded to `f64`.
///
/// If the rest is no `f64` either, `low` is rounded: such a weight is never a zero rest, so the
/// functions here then leave what hangs on its last bits to the caller.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Divisor {
    high: f64,
    low: f64,
    /// 1 / `high`, rounded.
    inverse: f64,
    high_upper: f64,
    high_lower: f64,
}

/// Outside of 2^-300 to 2^300 a weight is left to other means.
const LARGEST: f64 = f64::from_bits((1023 + 300) << 52);
const SMALLEST: f64 = f64::from_bits((1023 - 300) << 52);

/// Below this a remainder might not be representable.
const LEAST_SAFE: f64 = f64::from_bits((1023 - 900) << 52);

const TWO_POW_MINUS_40: f64 = f64::from_bits((1023 - 40) << 52);
const TWO_POW_MINUS_90: f64 = f64::from_bits((1023 - 90) << 52);
const TWO_POW_MINUS_100: f64 = f64::from_bits((1023 - 100) << 52);

impl Divisor {
    /// The divisor `high + low`; `None` if `high` is outside of 2^-300 to 2^300.
    pub fn new(high: f64, low: f64) -> Option<Self> {
        if !(SMALLEST..=LARGEST).contains(&high) {
            return None;
        }
        let high_upper = f64::from_bits(high.to_bits() & !0x7FF_FFFF);
        let inverse = 1.0 / high;
        Some(Self { high, low, inverse, high_upper, high_lower: high - high_upper })
    }

    /// 1 / the weight rounded to `f64`, rounded again: off by less than 3 units in the 53rd bit.
    pub(super) fn inverse(&self) -> f64 {
        self.inverse
    }

    /// `(sum + rest) / divisor` as a stand-in that rounds to any [`Narrow`] type as the real
    /// quotient does; `None` if that hangs on bits of the divisor that are not at hand. `sum` must
    /// be the exact sum rounded to nearest.
    pub fn stand_in(&self, sum: f64, rest: f64) -> Option<f64> {
        let (quotient, certain) = self.stand_in_lane::<false>(sum, rest);
        certain.then_some(quotient)
    }

    /// The quotient rounded to 26 bits, `short`, lies on every boundary at which a narrow type's
    /// rounding changes, or strictly on the same side of it as the real quotient: so it does, too, if it
    /// is rounded from a product with the inverse, which may be off by a few units in the 53rd bit.
    /// Whether the real quotient is above or below `short` is the sign of an exact remainder; it becomes
    /// the stand-in's last bit.
    #[inline(always)]
    #[allow(clippy::disallowed_methods)] // contract 31 allows mul_add in the exact sums
    fn stand_in_lane<const FUSED: bool>(&self, sum: f64, rest: f64) -> (f64, bool) {
        let quotient = sum * self.inverse;
        let short = f64::from_bits((quotient.to_bits().wrapping_add(1 << 26)) & !0x7FF_FFFF);
        // The remainder has at most 53 bits. In two steps, both products and both differences are
        // exact: 26 bits times 26 and 27, neighbours.
        let remainder = if FUSED {
            (-short).mul_add(self.high, sum)
        } else {
            (sum - short * self.high_upper) - short * self.high_lower
        };
        let mut remainder = remainder + rest;
        let mut certain = true;
        if self.low != 0.0 {
            remainder -= short * self.low;
            certain = remainder.abs() > sum.abs() * TWO_POW_MINUS_90 || sum == 0.0;
        }
        let away = (remainder.to_bits() ^ short.to_bits()) >> 63 == 0;
        let step = if away { 1 } else { u64::MAX };
        let step = if remainder == 0.0 { 0 } else { step };
        (f64::from_bits(short.to_bits().wrapping_add(step)), certain)
    }

    /// `(sum + rest) / divisor` rounded to `f64`; `None` if it is too near a midpoint, or too small
    /// or large, to be seen in `f64` arithmetic. `sum` must be the exact sum rounded to nearest.
    pub fn nearest(&self, sum: f64, rest: f64) -> Option<f64> {
        let (quotient, certain) = self.nearest_lane(sum, rest);
        certain.then_some(quotient)
    }

    #[inline(always)]
    #[allow(clippy::disallowed_methods)] // contract 31 allows mul_add in the exact sums
    fn nearest_lane(&self, sum: f64, rest: f64) -> (f64, bool) {
        let quotient = sum / self.high;
        // The remainder of a rounded quotient is representable, so this is exact.
        let remainder = (-quotient).mul_add(self.high, sum);
        let correction = (remainder + (rest - quotient * self.low)) / self.high;
        let doubt = correction.abs() * TWO_POW_MINUS_40 + quotient.abs() * TWO_POW_MINUS_100;
        let least = quotient + (correction - doubt);
        let most = quotient + (correction + doubt);
        let safe = quotient.abs() >= LEAST_SAFE
            && sum.abs() >= LEAST_SAFE
            && quotient.abs() <= 1.0 / LEAST_SAFE;
        // A zero quotient keeps its sign, which the corrections would lose.
        if sum == 0.0 { (quotient, rest == 0.0) } else { (least, safe && least == most) }
    }
}

/// Divides sums into narrow values and returns whether all are certain; the ones that are not, by
/// [`Divisor::stand_in`], are void.
///
/// # Panics
/// If the lengths differ.
pub fn divide_narrow<T: Narrow>(
    variant: Variant,
    divisor: &Divisor,
    sums: &[f64],
    rests: &[f64],
    out: &mut [T],
) -> bool {
    assert!(sums.len() == out.len() && rests.len() == out.len(), "one sum and rest an output");
    variant.run(DivideNarrow { divisor, sums, rests, out })
}

/// Divides sums into `f64` and returns whether all are certain; the ones that are not, by
/// [`Divisor::nearest`], are void.
///
/// # Panics
/// If the lengths differ.
pub fn divide_wide(
    variant: Variant,
    divisor: &Divisor,
    sums: &[f64],
    rests: &[f64],
    out: &mut [f64],
) -> bool {
    assert!(sums.len() == out.len() && rests.len() == out.len(), "one sum and rest an output");
    variant.run(DivideWide { divisor, sums, rests, out })
}

/// A float type of at most 24 bits' precision.
pub trait Narrow: Copy + Send + 'static {
    /// The stand-in of [`Divisor::stand_in`], rounded to nearest even.
    fn from_stand_in(value: f64) -> Self;

    /// The bits.
    fn raw(self) -> u32;
}

impl Narrow for f32 {
    #[inline(always)]
    fn from_stand_in(value: f64) -> Self {
        value as Self
    }

    #[inline(always)]
    fn raw(self) -> u32 {
        self.to_bits()
    }
}

impl Narrow for f16 {
    #[inline(always)]
    fn from_stand_in(value: f64) -> Self {
        Self::from_bits(round_bits::<10, 5>(value))
    }

    #[inline(always)]
    fn raw(self) -> u32 {
        self.to_bits().into()
    }
}

impl Narrow for bf16 {
    #[inline(always)]
    fn from_stand_in(value: f64) -> Self {
        Self::from_bits(round_bits::<7, 8>(value))
    }

    #[inline(always)]
    fn raw(self) -> u32 {
        self.to_bits().into()
    }
}

/// The bits of a finite `value` rounded to a format of 16 bits, to nearest even.
#[inline(always)]
fn round_bits<const FRACTION: u32, const EXPONENT: u32>(value: f64) -> u16 {
    let bias = (1i64 << (EXPONENT - 1)) - 1;
    let infinity = ((1u64 << EXPONENT) - 1) << FRACTION;
    let sign = (value.to_bits() >> 48) & 0x8000;
    let magnitude = value.abs();
    // Normal numbers: round the fraction in place, a carry moves the exponent as it should.
    let bits = magnitude.to_bits();
    let cut = 52 - FRACTION;
    let even = (bits >> cut) & 1;
    let rounded = (bits + ((1 << (cut - 1)) - 1) + even) >> cut;
    let normal = rounded.wrapping_sub(((1023 - bias) as u64) << FRACTION).min(infinity);
    // Subnormal ones: adding this power of two leaves their last place as the sum's last place.
    let shifter = f64::from_bits(((1023 + 52 + 1 - bias - i64::from(FRACTION)) as u64) << 52);
    let subnormal = (magnitude + shifter).to_bits() - shifter.to_bits();
    let least_normal = f64::from_bits(((1023 + 1 - bias) as u64) << 52);
    (sign | if magnitude < least_normal { subnormal } else { normal }) as u16
}

struct DivideNarrow<'a, T> {
    divisor: &'a Divisor,
    sums: &'a [f64],
    rests: &'a [f64],
    out: &'a mut [T],
}

impl<T: Narrow> Kernel for DivideNarrow<'_, T> {
    type Output = bool;

    #[inline(always)]
    fn run<const FUSED: bool>(self) -> bool {
        let Self { divisor, sums, rests, out } = self;
        let divisor = *divisor;
        let mut doubts = 0u64;
        for ((sum, rest), out) in sums.iter().zip(rests).zip(out) {
            let (value, certain) = divisor.stand_in_lane::<FUSED>(*sum, *rest);
            doubts |= u64::from(!certain);
            *out = T::from_stand_in(value);
        }
        doubts == 0
    }
}

struct DivideWide<'a> {
    divisor: &'a Divisor,
    sums: &'a [f64],
    rests: &'a [f64],
    out: &'a mut [f64],
}

impl Kernel for DivideWide<'_> {
    type Output = bool;

    #[inline(always)]
    fn run<const FUSED: bool>(self) -> bool {
        let Self { divisor, sums, rests, out } = self;
        let divisor = *divisor;
        let mut doubts = 0u64;
        for ((sum, rest), out) in sums.iter().zip(rests).zip(out) {
            let (value, certain) = divisor.nearest_lane(*sum, *rest);
            doubts |= u64::from(!certain);
            *out = value;
        }
        doubts == 0
    }
}
