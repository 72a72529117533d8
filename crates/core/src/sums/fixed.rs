//! Sums in fixed point, as wide as the numbers in them ask for: slow, and without any limit of range.

use super::number::{Factor, Number, decompose};
use super::round::{Divider, Rounded};

/// What a column took besides finite numbers.
pub(super) mod mark {
    /// `+∞`.
    pub(in super::super) const INFINITY: u8 = 1;
    /// `-∞`.
    pub(in super::super) const MINUS_INFINITY: u8 = 2;
    /// NaN.
    pub(in super::super) const NAN: u8 = 4;
    /// Anything but `-0`, so that a zero sum is `+0`.
    pub(in super::super) const NOT_MINUS_ZERO: u8 = 8;
}

/// The sums of a number of columns.
///
/// A column is a whole number in two's complement over `width` limbs, counted in units of
/// `2^(64 · low)`. The top limb only takes carries: 2^60 additions cannot overflow it, and a column
/// that comes near gets another limb.
#[derive(Debug, Clone)]
pub(super) struct Fixed {
    low: i32,
    width: usize,
    limbs: Vec<u64>,
    marks: Vec<u8>,
}

impl Fixed {
    pub(super) fn new(columns: usize) -> Self {
        Self { low: 0, width: 0, limbs: Vec::new(), marks: vec![0; columns] }
    }

    pub(super) fn columns(&self) -> usize {
        self.marks.len()
    }

    /// Adds `a · b` to a column.
    pub(super) fn add_product(&mut self, column: usize, a: Factor, b: Factor) {
        let mantissa = u128::from(a.mantissa) * u128::from(b.mantissa);
        if mantissa == 0 {
            return;
        }
        let exponent = a.exponent + b.exponent;
        self.cover(exponent, exponent + 128 - mantissa.leading_zeros() as i32);
        let at = (exponent - 64 * self.low) as usize;
        let words = place(mantissa, at % 64);
        self.accumulate(column, at / 64, &words, a.negative != b.negative);
    }

    /// Adds `value` to a column.
    pub(super) fn add(&mut self, column: usize, value: Factor) {
        self.add_product(column, value, Factor::ONE);
    }

    /// Adds `weight · value` to a column by the rules for special values. The weight is not zero.
    pub(super) fn add_float(&mut self, column: usize, weight: Factor, value: f64) {
        self.mark(column, marks_of(value, weight.negative));
        if value.is_finite() {
            self.add_product(column, weight, decompose(value));
        }
    }

    pub(super) fn mark(&mut self, column: usize, marks: u8) {
        self.marks[column] |= marks;
    }

    /// Adds the columns of `other`, of which there are as many.
    pub(super) fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.marks.iter_mut().zip(&other.marks) {
            *mine |= theirs;
        }
        if other.width == 0 {
            return;
        }
        self.cover(64 * other.low, 64 * (other.low + other.width as i32));
        let at = (other.low - self.low) as usize;
        for (column, words) in other.limbs.chunks_exact(other.width).enumerate() {
            let mut number = Number::default();
            read(words, &mut number);
            self.accumulate(column, at, &number.limbs, number.negative);
        }
    }

    /// The finite part of a column's sum.
    pub(super) fn number(&self, column: usize) -> Number {
        let mut number = Number::default();
        self.read(column, &mut number);
        number
    }

    /// As [`number`](Self::number), into memory that is at hand.
    pub(super) fn read(&self, column: usize, number: &mut Number) {
        number.exponent = 64 * self.low;
        read(&self.limbs[column * self.width..(column + 1) * self.width], number);
    }

    /// What a column's sum is if it is no finite number other than zero.
    pub(super) fn special(&self, column: usize, number: &Number) -> Option<Special> {
        special(self.marks[column], number.is_zero())
    }

    /// Takes the sum rounded to `f64` out of a column and returns it, unless it overflows or
    /// underflows: then it is returned and stays.
    pub(super) fn take_rounded(&mut self, column: usize) -> f64 {
        let number = self.number(column);
        if number.is_zero() {
            return 0.0;
        }
        let rounded = f64::rounded(number.negative, Divider::one().quotient(&number));
        if rounded.is_finite() && rounded != 0.0 {
            self.add(column, decompose(-rounded));
        }
        rounded
    }

    /// Makes room for bits from `low` up to below `high`, and a limb for carries above.
    fn cover(&mut self, low: i32, high: i32) {
        let low = low.div_euclid(64);
        let top = (high + 63).div_euclid(64) + 1;
        if self.width == 0 {
            self.low = low;
            self.width = (top - low) as usize;
            self.limbs = vec![0; self.width * self.columns()];
        } else if low < self.low || top > self.low + self.width as i32 {
            let below = (self.low - low).max(0) as usize;
            let above = (top - self.low - self.width as i32).max(0) as usize;
            self.widen(below, above);
        }
    }

    fn widen(&mut self, below: usize, above: usize) {
        let width = below + self.width + above;
        let mut limbs = vec![0; width * self.columns()];
        for (old, new) in self.limbs.chunks_exact(self.width).zip(limbs.chunks_exact_mut(width)) {
            new[below..below + self.width].copy_from_slice(old);
            let sign = if old[self.width - 1] >> 63 == 1 { u64::MAX } else { 0 };
            new[below + self.width..].fill(sign);
        }
        self.low -= below as i32;
        self.width = width;
        self.limbs = limbs;
    }

    /// Adds or subtracts a magnitude whose lowest limb belongs at limb `at` of the column.
    fn accumulate(&mut self, column: usize, at: usize, words: &[u64], negative: bool) {
        let limbs = &mut self.limbs[column * self.width..(column + 1) * self.width];
        let mut carry = false;
        for (index, limb) in limbs[at..].iter_mut().enumerate() {
            let word = words.get(index).copied();
            if word.is_none() && !carry {
                break;
            }
            let step = if negative { u64::overflowing_sub } else { u64::overflowing_add };
            let (once, first) = step(*limb, word.unwrap_or(0));
            let (twice, second) = step(once, u64::from(carry));
            *limb = twice;
            carry = first || second;
        }
        let top = limbs[self.width - 1] as i64;
        if !(-(1 << 61)..1 << 61).contains(&top) {
            self.widen(0, 1);
        }
    }
}

/// A sum that is not a finite number other than zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Special {
    Nan,
    Infinity { negative: bool },
    Zero { negative: bool },
}

impl Special {
    pub(super) fn value(self) -> f64 {
        match self {
            Self::Nan => f64::from_bits(0x7FF8 << 48),
            Self::Infinity { negative: false } => f64::INFINITY,
            Self::Infinity { negative: true } => f64::NEG_INFINITY,
            Self::Zero { negative: false } => 0.0,
            Self::Zero { negative: true } => -0.0,
        }
    }
}

/// What the marks say about a sum whose finite part is zero or not.
fn special(marks: u8, zero: bool) -> Option<Special> {
    let infinities = marks & (mark::INFINITY | mark::MINUS_INFINITY);
    if marks & mark::NAN != 0 || infinities == mark::INFINITY | mark::MINUS_INFINITY {
        return Some(Special::Nan);
    }
    if infinities != 0 {
        return Some(Special::Infinity { negative: infinities == mark::MINUS_INFINITY });
    }
    zero.then_some(Special::Zero { negative: marks & mark::NOT_MINUS_ZERO == 0 })
}

/// The marks that a term leaves, if it is multiplied by a number of that sign.
fn marks_of(value: f64, negated: bool) -> u8 {
    let negative = value.is_sign_negative() != negated;
    if value.is_nan() {
        mark::NAN
    } else if value.is_infinite() {
        if negative { mark::MINUS_INFINITY } else { mark::INFINITY }
    } else if value == 0.0 && negative {
        0
    } else {
        mark::NOT_MINUS_ZERO
    }
}

/// `mantissa · 2^shift` for a shift below 64, in limbs.
fn place(mantissa: u128, shift: usize) -> [u64; 3] {
    let low = mantissa << shift;
    let high = if shift == 0 { 0 } else { mantissa >> (128 - shift) };
    [low as u64, (low >> 64) as u64, high as u64]
}

/// Sign and magnitude of a number in two's complement.
fn read(words: &[u64], number: &mut Number) {
    number.negative = words.last().is_some_and(|top| top >> 63 == 1);
    number.limbs.clear();
    number.limbs.extend_from_slice(words);
    if number.negative {
        let mut carry = true;
        for limb in &mut number.limbs {
            (*limb, carry) = (!*limb).overflowing_add(u64::from(carry));
        }
    }
    number.trim();
}
