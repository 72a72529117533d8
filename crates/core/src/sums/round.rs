//! The exact quotient of two numbers, rounded once to any type.

use half::{bf16, f16};

use super::number::{Number, bit_length, shift_left, trim};

/// A positive quotient: `digits · 2^exponent`, and a bit more if it is inexact (less than one unit
/// of the last digit). `digits` has 63 or 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Quotient {
    pub(super) digits: u64,
    pub(super) exponent: i32,
    pub(super) inexact: bool,
}

/// Divides numbers by one positive number.
#[derive(Debug, Clone)]
pub(super) struct Divider {
    limbs: Vec<u64>,
    exponent: i32,
    numerator: Vec<u64>,
    divisor: Vec<u64>,
    aligned: Vec<u64>,
}

impl Divider {
    /// Division by the magnitude of `divisor`; `None` if it is zero.
    pub(super) fn new(divisor: &Number) -> Option<Self> {
        (!divisor.is_zero()).then(|| Self::of(divisor.limbs.clone(), divisor.exponent))
    }

    /// Division by 1.
    pub(super) fn one() -> Self {
        Self::of(vec![1], 0)
    }

    fn of(limbs: Vec<u64>, exponent: i32) -> Self {
        let [numerator, divisor, aligned] = [Vec::new(), Vec::new(), Vec::new()];
        Self { limbs, exponent, numerator, divisor, aligned }
    }

    /// The magnitude of `number`, which is not zero, divided.
    pub(super) fn quotient(&mut self, number: &Number) -> Quotient {
        let bits = bit_length(&number.limbs);
        let own = bit_length(&self.limbs);
        // The divisor fills `size` limbs to the top bit, the numerator has 63 bits more: so the
        // quotient is one digit of 63 or 64 bits.
        let size = own.div_ceil(64).max(bits.saturating_sub(63).div_ceil(64));
        let up = 64 * size + 63 - bits;
        let own_up = 64 * size - own;
        shift_left(&number.limbs, up, &mut self.numerator);
        shift_left(&self.limbs, own_up, &mut self.divisor);
        let digits = divide_digit(&mut self.numerator, &self.divisor);
        let exponent = number.exponent - self.exponent + own_up as i32 - up as i32;
        Quotient { digits, exponent, inexact: !self.numerator.is_empty() }
    }

    /// The magnitude of `number` divided and rounded to a whole number, to nearest even; `None` if
    /// that is 2^64 or more.
    pub(super) fn whole(&mut self, number: &Number) -> Option<u64> {
        let shift = number.exponent - self.exponent;
        let own = bit_length(&self.limbs) + (-shift).max(0) as usize;
        let up = own.next_multiple_of(64) - own;
        shift_left(&number.limbs, up + shift.max(0) as usize, &mut self.numerator);
        shift_left(&self.limbs, up + (-shift).max(0) as usize, &mut self.divisor);
        let size = self.divisor.len();
        let above = self.numerator.get(size..).unwrap_or_default();
        if above.len() > 1 || less_or_equal(&self.divisor, self.numerator.get(1..).unwrap_or(&[])) {
            return None;
        }
        let whole = divide_digit(&mut self.numerator, &self.divisor);
        shift_left(&self.numerator, 1, &mut self.aligned);
        let twice = &self.aligned;
        let up = if less_or_equal(&self.divisor, twice) {
            whole & 1 == 1 || !less_or_equal(twice, &self.divisor)
        } else {
            false
        };
        whole.checked_add(u64::from(up))
    }
}

/// `numerator / divisor`, which is below 2^64; the numerator becomes the remainder. The divisor's
/// top bit is set. (Knuth, The Art of Computer Programming 2, 4.3.1, algorithm D, one step.)
fn divide_digit(numerator: &mut Vec<u64>, divisor: &[u64]) -> u64 {
    let size = divisor.len();
    numerator.resize(size + 1, 0);
    let top = divisor[size - 1];
    let leading = u128::from(numerator[size]) << 64 | u128::from(numerator[size - 1]);
    // Never too small, and at most 2 too large.
    let mut digit = u64::try_from(leading / u128::from(top)).unwrap_or(u64::MAX);
    let mut borrow = subtract_multiple(numerator, divisor, digit);
    while borrow {
        digit -= 1;
        borrow = !add(numerator, divisor);
    }
    trim(numerator);
    digit
}

/// Subtracts `divisor · digit` and returns whether that went below zero.
fn subtract_multiple(numerator: &mut [u64], divisor: &[u64], digit: u64) -> bool {
    let mut carry = 0u64;
    let mut borrow = false;
    for (index, limb) in numerator.iter_mut().enumerate() {
        let product = u128::from(divisor.get(index).copied().unwrap_or(0)) * u128::from(digit)
            + u128::from(carry);
        carry = (product >> 64) as u64;
        let (once, first) = limb.overflowing_sub(product as u64);
        let (twice, second) = once.overflowing_sub(u64::from(borrow));
        *limb = twice;
        borrow = first || second;
    }
    borrow
}

/// Adds `divisor` and returns whether a carry left the top.
fn add(numerator: &mut [u64], divisor: &[u64]) -> bool {
    let mut carry = false;
    for (index, limb) in numerator.iter_mut().enumerate() {
        let (once, first) = limb.overflowing_add(divisor.get(index).copied().unwrap_or(0));
        let (twice, second) = once.overflowing_add(u64::from(carry));
        *limb = twice;
        carry = first || second;
    }
    carry
}

/// Compares numbers without leading zero limbs.
fn less_or_equal(a: &[u64], b: &[u64]) -> bool {
    a.len().cmp(&b.len()).then_with(|| a.iter().rev().cmp(b.iter().rev())).is_le()
}

/// A type to which a quotient can be rounded: to nearest, ties to even, overflow to infinity.
pub(super) trait Rounded: Copy + Send + Sync + 'static {
    fn rounded(negative: bool, quotient: Quotient) -> Self;

    /// A value that every float type has.
    fn special(value: f64) -> Self;
}

macro_rules! rounded {
    ($type:ty, $bits:ty, $fraction:literal, $exponent:literal) => {
        impl Rounded for $type {
            fn rounded(negative: bool, quotient: Quotient) -> Self {
                let magnitude = round_bits(quotient, $fraction, $exponent) as $bits;
                let sign = <$bits>::from(negative) << (<$bits>::BITS - 1);
                Self::from_bits(sign | magnitude)
            }

            fn special(value: f64) -> Self {
                let top = value.to_bits() >> 48;
                let sign = ((top >> 15) as $bits) << (<$bits>::BITS - 1);
                let infinity = ((1 << $exponent) - 1) << $fraction;
                let quiet: $bits = if value.is_nan() { 1 << ($fraction - 1) } else { 0 };
                Self::from_bits(sign | if value == 0.0 { 0 } else { infinity | quiet })
            }
        }
    };
}

rounded!(f64, u64, 52, 11);
rounded!(f32, u32, 23, 8);
rounded!(f16, u16, 10, 5);
rounded!(bf16, u16, 7, 8);

/// The bits of the rounded magnitude in a format of that many fraction and exponent bits.
fn round_bits(quotient: Quotient, fraction: i32, exponent: i32) -> u64 {
    let bias = (1 << (exponent - 1)) - 1;
    let leading = quotient.exponent + 63 - quotient.digits.leading_zeros() as i32;
    let least_place = 1 - bias - fraction;
    let place = (leading - fraction).max(least_place);
    let cut = (place - quotient.exponent).min(127);
    let digits = u128::from(quotient.digits);
    let mut kept = digits >> cut;
    let (rest, half) = (digits & ((1 << cut) - 1), 1 << (cut - 1));
    if rest > half || rest == half && (quotient.inexact || kept & 1 == 1) {
        kept += 1;
    }
    let infinity = ((1 << exponent) - 1) << fraction;
    let above_subnormal = (place - least_place).min(1 << exponent);
    // The leading bit adds one to the exponent field, as does a carry out of the fraction.
    (((above_subnormal as u64) << fraction) + kept as u64).min(infinity)
}
