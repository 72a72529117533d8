//! Exact weighted means of single numbers: metrics.

use super::error::Error;
use super::fixed::Fixed;
use super::round::Rounded;
use super::weight::{Total, Weight};

/// `Σ w_i x_i` and `Σ w_i` of `f64` values, both exact: a metric over clients (rule 26).
///
/// ```
/// use flare_core::sums::{ScalarSum, Weight};
/// let mut loss = ScalarSum::new();
/// loss.add(Weight::Count(1), 0.5)?;
/// loss.add(Weight::Count(3), 0.1)?;
/// assert_eq!(loss.mean(), Some(0.2));
/// # Ok::<(), flare_core::sums::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct ScalarSum {
    total: Total,
    sum: Fixed,
}

impl Default for ScalarSum {
    fn default() -> Self {
        Self::new()
    }
}

impl ScalarSum {
    /// The empty sum.
    pub fn new() -> Self {
        Self { total: Total::None, sum: Fixed::new(1) }
    }

    /// Adds a value; of weight 0 it contributes nothing, whatever it is.
    ///
    /// # Errors
    /// [`Error::MixedWeights`] if earlier weights were of the other kind.
    pub fn add(&mut self, weight: Weight, value: f64) -> Result<(), Error> {
        self.total.add(weight)?;
        if !weight.is_zero() {
            self.sum.add_float(0, weight.factor(), value);
        }
        Ok(())
    }

    /// Adds what was summed elsewhere.
    ///
    /// # Errors
    /// [`Error::MixedWeights`] if its weights are of the other kind.
    pub fn merge(&mut self, other: &Self) -> Result<(), Error> {
        self.total.merge(&other.total)?;
        self.sum.merge(&other.sum);
        Ok(())
    }

    /// `Σ w_i`, rounded once.
    pub fn total(&self) -> f64 {
        self.total.rounded()
    }

    /// The weighted mean, rounded once; `None` if the total weight is 0.
    pub fn mean(&self) -> Option<f64> {
        let mut divider = self.total.divider().ok()?;
        let number = self.sum.number(0);
        Some(match self.sum.special(0, &number) {
            Some(special) => special.value(),
            None => f64::rounded(number.negative, divider.quotient(&number)),
        })
    }
}
