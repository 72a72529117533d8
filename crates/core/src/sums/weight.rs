//! Weights, and their exact total.

use flare_kernels::exact::Divisor;
use serde::{Deserialize, Serialize};

use super::error::Error;
use super::fixed::Fixed;
use super::number::{Factor, decompose};
use super::round::Divider;

/// How much an input counts: a number of examples, or a real number.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Weight {
    /// A whole weight.
    Count(u64),
    /// A real weight.
    Real(Real),
}

/// A finite number of at least 0.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Real(f64);

impl Weight {
    /// A real weight.
    ///
    /// # Errors
    /// [`Error::BadWeight`] if `value` is negative, infinite or NaN.
    pub fn real(value: f64) -> Result<Self, Error> {
        Real::new(value).map(Self::Real)
    }

    /// Whether an input of this weight contributes nothing.
    pub fn is_zero(self) -> bool {
        matches!(self, Self::Count(0)) || self == Self::Real(Real(0.0))
    }

    pub(super) fn factor(self) -> Factor {
        match self {
            Self::Count(count) => Factor { negative: false, mantissa: count, exponent: 0 },
            Self::Real(Real(value)) => decompose(value),
        }
    }
}

impl TryFrom<f64> for Real {
    type Error = Error;
    fn try_from(value: f64) -> Result<Self, Error> {
        Self::new(value)
    }
}

impl From<Real> for f64 {
    fn from(weight: Real) -> Self {
        weight.0
    }
}

impl Real {
    /// Checks `value`; -0 becomes 0.
    ///
    /// # Errors
    /// [`Error::BadWeight`] if it is negative, infinite or NaN.
    pub fn new(value: f64) -> Result<Self, Error> {
        if value.is_finite() && value >= 0.0 {
            Ok(Self(value.abs()))
        } else {
            Err(Error::BadWeight { value })
        }
    }

    /// The number.
    pub fn get(self) -> f64 {
        self.0
    }
}

/// The exact sum of weights of one kind.
#[derive(Debug, Clone, Default)]
pub(super) enum Total {
    /// No weight yet, so no kind.
    #[default]
    None,
    Count(u128),
    Real(Fixed),
}

/// Counts stay below this, far above 2^64 weights of 2^56.
const MAX_COUNT: u128 = 1 << 120;

impl Total {
    pub(super) fn add(&mut self, weight: Weight) -> Result<(), Error> {
        match (&mut *self, weight) {
            (Self::None, Weight::Count(count)) => *self = Self::Count(count.into()),
            (Self::None, Weight::Real(_)) => {
                *self = Self::Real(Fixed::new(1));
                return self.add(weight);
            }
            (Self::Count(total), Weight::Count(count)) => *total = sum(*total, count.into())?,
            (Self::Real(total), Weight::Real(_)) => total.add(0, weight.factor()),
            _ => return Err(Error::MixedWeights),
        }
        Ok(())
    }

    pub(super) fn merge(&mut self, other: &Self) -> Result<(), Error> {
        match (&mut *self, other) {
            (_, Self::None) => {}
            (Self::None, _) => *self = other.clone(),
            (Self::Count(total), Self::Count(more)) => *total = sum(*total, *more)?,
            (Self::Real(total), Self::Real(more)) => total.merge(more),
            _ => return Err(Error::MixedWeights),
        }
        Ok(())
    }

    pub(super) fn count(count: u128) -> Option<Self> {
        (count <= MAX_COUNT).then_some(Self::Count(count))
    }

    pub(super) fn is_zero(&self) -> bool {
        match self {
            Self::None => true,
            Self::Count(total) => *total == 0,
            Self::Real(total) => total.number(0).is_zero(),
        }
    }

    /// The divisor of the fast loops; `None` if the total is 0, tiny or huge.
    pub(super) fn divisor(&self) -> Option<Divisor> {
        let mut rest = self.fixed();
        let high = rest.take_rounded(0);
        Divisor::new(high, rest.take_rounded(0))
    }

    /// The divisor of the exact division.
    ///
    /// # Errors
    /// [`Error::NoWeight`] if the total is 0.
    pub(super) fn divider(&self) -> Result<Divider, Error> {
        Divider::new(&self.fixed().number(0)).ok_or(Error::NoWeight)
    }

    /// The total as factors that add up to it, negated.
    pub(super) fn negated_factors(&self) -> Vec<Factor> {
        let mut factors = Vec::new();
        let mut rest = self.fixed();
        while !rest.number(0).is_zero() {
            let part = rest.take_rounded(0);
            if !part.is_finite() || part == 0.0 {
                // Out of f64's range: the limbs themselves.
                factors.extend(rest.number(0).factors());
                break;
            }
            factors.push(decompose(part));
        }
        for factor in &mut factors {
            factor.negative = !factor.negative;
        }
        factors
    }

    /// The total, rounded once.
    pub(super) fn rounded(&self) -> f64 {
        self.fixed().take_rounded(0)
    }

    fn fixed(&self) -> Fixed {
        match self {
            Self::None => Fixed::new(1),
            Self::Real(total) => total.clone(),
            Self::Count(total) => {
                let mut fixed = Fixed::new(1);
                for (half, exponent) in [(*total as u64, 0), ((*total >> 64) as u64, 64)] {
                    fixed.add(0, Factor { negative: false, mantissa: half, exponent });
                }
                fixed
            }
        }
    }
}

fn sum(a: u128, b: u128) -> Result<u128, Error> {
    a.checked_add(b).filter(|sum| *sum <= MAX_COUNT).ok_or(Error::WeightTooLarge)
}
