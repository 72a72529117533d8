//! Exact sums of integer tensors: 128 bits for each element as long as they suffice, else fixed point.

use super::error::Error;
use super::fixed::{Fixed, mark};
use super::number::{Factor, Number};
use super::round::{Divider, Rounded};
use super::weight::{Total, Weight};
use crate::tensor::DType;

/// An integer type of tensors.
pub(super) trait Integer: Copy + Into<i128> + TryFrom<i128> + Send + Sync {
    const DTYPE: DType;
}

macro_rules! integer {
    ($($type:ty = $dtype:ident,)*) => {
        $(impl Integer for $type {
            const DTYPE: DType = DType::$dtype;
        })*
    };
}

integer! {
    i8 = I8, i16 = I16, i32 = I32, i64 = I64,
    u8 = U8, u16 = U16, u32 = U32, u64 = U64,
}

/// `Σ w_i x_i` for each element.
#[derive(Debug, Clone)]
pub(super) struct IntegerSum<I> {
    len: usize,
    sums: Sums,
    element: std::marker::PhantomData<I>,
}

#[derive(Debug, Clone)]
enum Sums {
    Nothing,
    /// No absolute value is above the bound.
    Small {
        sums: Vec<i128>,
        bound: f64,
    },
    Large(Fixed),
}

/// With a bound below this nothing overflows 128 bits.
const SMALL: f64 = (1u128 << 126) as f64;

/// More than any element's absolute value, and than the rounding of a sum of such bounds.
const LARGEST: f64 = (1u128 << 65) as f64;

impl<I: Integer> IntegerSum<I> {
    pub(super) fn new(len: usize) -> Self {
        Self { len, sums: Sums::Nothing, element: std::marker::PhantomData }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Adds a tensor of the right length; the weight is not zero.
    pub(super) fn add(&mut self, weight: Weight, values: &[I]) {
        if let Weight::Count(count) = weight {
            self.prepare(count as f64 * LARGEST);
        } else {
            self.enlarge();
        }
        match (&mut self.sums, weight) {
            (Sums::Small { sums, .. }, Weight::Count(count)) => {
                for (sum, value) in sums.iter_mut().zip(values) {
                    *sum += i128::from(count) * (*value).into();
                }
            }
            (Sums::Large(fixed), _) => {
                for (column, value) in values.iter().enumerate() {
                    add_whole(fixed, column, weight.factor(), (*value).into());
                }
            }
            _ => {}
        }
    }

    /// Adds another sum of as many elements.
    pub(super) fn merge(&mut self, other: &Self) {
        match &other.sums {
            Sums::Nothing => {}
            Sums::Small { sums: more, bound } => {
                self.prepare(*bound);
                match &mut self.sums {
                    Sums::Small { sums, .. } => {
                        for (sum, more) in sums.iter_mut().zip(more) {
                            *sum += more;
                        }
                    }
                    _ => self.merge_large(&large(more)),
                }
            }
            Sums::Large(more) => {
                self.enlarge();
                self.merge_large(more);
            }
        }
    }

    /// The sum of an element.
    pub(super) fn number(&self, index: usize) -> Number {
        match &self.sums {
            Sums::Nothing => Number::default(),
            Sums::Small { sums, .. } => number_of(sums[index]),
            Sums::Large(fixed) => fixed.number(index),
        }
    }

    /// The sums divided by `total`, rounded to nearest, ties to even.
    pub(super) fn mean(&self, total: &Total, out: &mut [I]) -> Result<(), Error> {
        self.whole(total.divider()?, out)
    }

    /// The sums themselves; with real weights rounded to nearest, ties to even.
    pub(super) fn sum(&self, out: &mut [I]) -> Result<(), Error> {
        self.whole(Divider::one(), out)
    }

    /// The sums divided by `total`, rounded once to `f64`.
    pub(super) fn mean_f64(&self, total: &Total, out: &mut [f64]) -> Result<(), Error> {
        let mut divider = total.divider()?;
        for (index, out) in out.iter_mut().enumerate() {
            *out = quotient(&mut divider, &self.number(index));
        }
        Ok(())
    }

    /// The sums divided by `total`, less `base`, rounded once to `f64`.
    pub(super) fn mean_minus(
        &self,
        total: &Total,
        base: &[I],
        out: &mut [f64],
    ) -> Result<(), Error> {
        let mut divider = total.divider()?;
        let factors = total.negated_factors();
        for (index, (base, out)) in base.iter().zip(out).enumerate() {
            let mut difference = Fixed::new(1);
            for part in self.number(index).factors() {
                difference.add(0, part);
            }
            for factor in &factors {
                add_whole(&mut difference, 0, *factor, (*base).into());
            }
            *out = quotient(&mut divider, &difference.number(0));
        }
        Ok(())
    }

    /// Takes sums over, in 128 bits if they are whole and fit.
    pub(super) fn set(&mut self, fixed: Fixed) {
        let small: Option<Vec<i128>> =
            (0..self.len).map(|index| small_of(&fixed.number(index))).collect();
        self.sums = match small {
            Some(sums) => {
                let bound =
                    sums.iter().fold(0.0f64, |bound, sum| bound.max(sum.unsigned_abs() as f64));
                Sums::Small { sums, bound: bound * 2.0 }
            }
            None => Sums::Large(fixed),
        };
    }

    fn whole(&self, mut divider: Divider, out: &mut [I]) -> Result<(), Error> {
        for (index, out) in out.iter_mut().enumerate() {
            let number = self.number(index);
            let whole = divider.whole(&number).map(i128::from);
            let signed = whole.map(|whole| if number.negative { -whole } else { whole });
            *out = signed
                .and_then(|value| I::try_from(value).ok())
                .ok_or(Error::SumTooLarge { index, dtype: I::DTYPE })?;
        }
        Ok(())
    }

    /// Makes room for terms of at most `bound`.
    fn prepare(&mut self, bound: f64) {
        match &mut self.sums {
            Sums::Nothing if bound < SMALL => {
                self.sums = Sums::Small { sums: vec![0; self.len], bound };
            }
            Sums::Small { bound: old, .. } if *old + bound < SMALL => *old += bound,
            _ => self.enlarge(),
        }
    }

    fn enlarge(&mut self) {
        match &self.sums {
            Sums::Nothing => self.sums = Sums::Large(Fixed::new(self.len)),
            Sums::Small { sums, .. } => self.sums = Sums::Large(large(sums)),
            Sums::Large(_) => {}
        }
    }

    fn merge_large(&mut self, more: &Fixed) {
        if let Sums::Large(fixed) = &mut self.sums {
            fixed.merge(more);
        }
    }
}

fn large(sums: &[i128]) -> Fixed {
    let mut fixed = Fixed::new(sums.len());
    for (column, sum) in sums.iter().enumerate() {
        add_whole(&mut fixed, column, Factor::ONE, *sum);
    }
    fixed
}

fn add_whole(fixed: &mut Fixed, column: usize, factor: Factor, value: i128) {
    // Zeros of integers have no sign.
    fixed.mark(column, mark::NOT_MINUS_ZERO);
    for part in Factor::whole(value) {
        fixed.add_product(column, factor, part);
    }
}

fn number_of(value: i128) -> Number {
    let magnitude = value.unsigned_abs();
    let limbs = vec![magnitude as u64, (magnitude >> 64) as u64];
    let mut number = Number { negative: value < 0, limbs, exponent: 0 };
    number.trim();
    number
}

/// The value of a whole number below 2^126.
fn small_of(number: &Number) -> Option<i128> {
    let mut value = 0i128;
    for factor in number.factors().filter(|factor| factor.mantissa != 0) {
        let (mantissa, exponent) = (i128::from(factor.mantissa), factor.exponent);
        let bits = exponent + 64 - factor.mantissa.leading_zeros() as i32;
        if bits > 126 || exponent < 0 && factor.mantissa.trailing_zeros() < exponent.unsigned_abs()
        {
            return None;
        }
        value += if exponent < 0 { mantissa >> -exponent } else { mantissa << exponent };
    }
    Some(if number.negative { -value } else { value })
}

fn quotient(divider: &mut Divider, number: &Number) -> f64 {
    if number.is_zero() {
        return 0.0;
    }
    f64::rounded(number.negative, divider.quotient(number))
}
