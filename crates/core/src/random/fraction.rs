//! A fraction of a number of clients or rows, taken as the decimal as it is written.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

/// A share from 0 to 1, taken as the decimal as it is written (contract 29).
///
/// As a binary float .29 is a little less than .29, and .29 x 100 comes out below 29. So what counts is
/// the shortest decimal that reads back as the same `f64`: with up to 17 significant digits that is
/// what stands in the job.
///
/// ```
/// use flare_core::random::Fraction;
///
/// let fraction = Fraction::new(0.29)?;
/// assert_eq!((0.29_f64 * 100.0).floor(), 28.0);
/// assert_eq!(fraction.of(100, 0), 29);
/// assert_eq!(fraction.of(5, 2), 2);
/// # Ok::<(), flare_core::random::FractionError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Fraction {
    value: f64,
    /// The decimal: `digits` / 10^`places`.
    digits: u64,
    places: u32,
}

/// Why a number is no [`Fraction`].
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{value} is no fraction of a whole: write a number from 0 to 1")]
pub struct FractionError {
    /// The number.
    pub value: f64,
}

impl Fraction {
    /// All of them.
    pub const ONE: Self = Self { value: 1.0, digits: 1, places: 0 };

    /// The decimal that is written for `value`.
    ///
    /// # Errors
    /// When it is not from 0 to 1.
    pub fn new(value: f64) -> Result<Self, FractionError> {
        if !(0.0..=1.0).contains(&value) {
            return Err(FractionError { value });
        }
        // `{:e}` writes the shortest decimal that reads back as the same f64: 2.9e-1.
        let text = format!("{:e}", value.abs());
        let (mantissa, exponent) = text.split_once('e').ok_or(FractionError { value })?;
        let after_point = mantissa.split_once('.').map_or(0, |(_, digits)| digits.len() as i64);
        let digits = mantissa.replace('.', "").parse().map_err(|_| FractionError { value })?;
        let exponent: i64 = exponent.parse().map_err(|_| FractionError { value })?;
        let places = u32::try_from(after_point - exponent).map_err(|_| FractionError { value })?;
        Ok(Self { value, digits, places })
    }

    /// The fraction as a float.
    pub fn value(self) -> f64 {
        self.value
    }

    /// How many of `n` that is: the larger of `minimum` and the whole part of the product. Where the
    /// minimum is more than `n`, so is the result, and the caller must refuse it.
    pub fn of(self, n: u64, minimum: u64) -> u64 {
        // digits < 10^17, so the product is below 10^37 and a divisor beyond leaves nothing.
        let product = u128::from(self.digits) * u128::from(n);
        let whole = 10_u128.checked_pow(self.places).map_or(0, |divisor| product / divisor);
        // The fraction is at most 1, so `whole` is at most `n`.
        minimum.max(whole as u64)
    }
}

impl TryFrom<f64> for Fraction {
    type Error = FractionError;
    fn try_from(value: f64) -> Result<Self, FractionError> {
        Self::new(value)
    }
}

impl From<Fraction> for f64 {
    fn from(fraction: Fraction) -> Self {
        fraction.value
    }
}

impl fmt::Display for Fraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

impl schemars::JsonSchema for Fraction {
    fn schema_name() -> Cow<'static, str> {
        "Fraction".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A share from 0 to 1, taken as the decimal as it is written.",
            "type": "number",
            "minimum": 0,
            "maximum": 1,
        })
    }
}
