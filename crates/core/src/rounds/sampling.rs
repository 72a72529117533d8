//! Whom a round asks.

use serde::{Deserialize, Serialize};

use crate::operation::{Sample, Targets};
use crate::random::Fraction;

/// Whom a round asks: everybody, a share of the roster, or so many of it. Drawn anew for each operation,
/// from the roster and by the operation's own stream.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Sampling {
    /// A share of the roster, above 0 and at most 1, rounded down.
    pub fraction: Option<Fraction>,
    /// The least number that `fraction` may come to. Default: 1.
    pub minimum: Option<u32>,
    /// Exactly so many, instead of `fraction`.
    pub size: Option<u32>,
}

impl Sampling {
    /// The targets of an operation.
    ///
    /// # Errors
    /// When the fields contradict each other, or nobody would be asked.
    pub fn targets(&self) -> Result<Targets, String> {
        match (self.fraction, self.size) {
            (Some(_), Some(_)) => {
                Err("`fraction` and `size` are both given: write one of them".into())
            }
            (None, _) if self.minimum.is_some() => Err(
                "`minimum` is given without `fraction`: it is the least that a fraction comes to"
                    .into(),
            ),
            (None, Some(0)) => Err("`size` is 0: ask at least one client".into()),
            (None, Some(size)) => Ok(Targets::Sampled(Sample::Size(size))),
            (None, None) => Ok(Targets::All),
            (Some(fraction), None) => self.share(fraction),
        }
    }

    fn share(&self, fraction: Fraction) -> Result<Targets, String> {
        let (fraction, minimum) = (fraction.value(), self.minimum.unwrap_or(1));
        if fraction == 0.0 || minimum == 0 {
            return Err("`fraction` and `minimum` must be above 0: ask at least one client".into());
        }
        Ok(Targets::Sampled(Sample::Fraction { fraction, minimum }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampling(fraction: Option<f64>, minimum: Option<u32>, size: Option<u32>) -> Sampling {
        let fraction = fraction.map(|fraction| Fraction::new(fraction).unwrap());
        Sampling { fraction, minimum, size }
    }

    #[test]
    fn each_way_of_asking_has_its_targets() {
        let targets = |fraction, minimum, size| sampling(fraction, minimum, size).targets();
        let share =
            |fraction, minimum| Ok(Targets::Sampled(Sample::Fraction { fraction, minimum }));
        assert_eq!(targets(None, None, None), Ok(Targets::All));
        assert_eq!(targets(None, None, Some(4)), Ok(Targets::Sampled(Sample::Size(4))));
        assert_eq!(targets(Some(0.05), Some(2), None), share(0.05, 2));
        assert_eq!(targets(Some(0.5), None, None), share(0.5, 1));
    }

    #[test]
    fn contradictions_and_nobody_are_refused() {
        let fault = |fraction, minimum, size| sampling(fraction, minimum, size).targets().is_err();
        assert!(fault(Some(0.5), None, Some(4)) && fault(None, Some(2), None));
        assert!(fault(None, Some(2), Some(3)));
        assert!(fault(None, None, Some(0)) && fault(Some(0.0), None, None));
        assert!(fault(Some(0.5), Some(0), None));
    }
}
