//! Whom a round asks.

use serde::{Deserialize, Serialize};

use crate::fault::Faults;
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
    /// Whether the fields go together and somebody is asked.
    ///
    /// # Errors
    /// When the fields contradict each other, or nobody would be asked.
    pub fn check(&self) -> Result<(), Faults> {
        let mut faults = Faults::default();
        if let Some(fraction) = self.fraction.map(Fraction::value) {
            faults.expect(fraction > 0.0, "fraction", fraction, "more than 0");
        }
        if let Some(minimum) = self.minimum {
            let expected = "`fraction` beside it, which comes to this at least";
            faults.expect(self.fraction.is_some(), "minimum", minimum, expected);
            faults.expect(minimum > 0, "minimum", minimum, "at least 1");
        }
        if let Some(size) = self.size {
            let expected = "either `fraction` or `size`, not both";
            faults.expect(self.fraction.is_none(), "size", size, expected);
            faults.expect(size > 0, "size", size, "at least 1");
        }
        faults.result()
    }

    /// The targets of an operation.
    ///
    /// # Errors
    /// As for [`check`](Self::check).
    pub fn targets(&self) -> Result<Targets, Faults> {
        self.check()?;
        Ok(match (self.fraction, self.size) {
            (Some(fraction), _) => Targets::Sampled(Sample::Fraction {
                fraction: fraction.value(),
                minimum: self.minimum.unwrap_or(1),
            }),
            (None, Some(size)) => Targets::Sampled(Sample::Size(size)),
            (None, None) => Targets::All,
        })
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
    fn all_that_is_wrong_is_said_at_once() {
        let faults = |fraction, minimum, size| {
            sampling(fraction, minimum, size).check().unwrap_err().to_string()
        };
        assert_eq!(
            faults(None, Some(0), Some(0)),
            "minimum = 0: expected `fraction` beside it, which comes to this at least; \
             minimum = 0: expected at least 1; size = 0: expected at least 1"
        );
        assert_eq!(
            faults(Some(0.0), None, Some(4)),
            "fraction = 0: expected more than 0; size = 4: expected either `fraction` or `size`, not both"
        );
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
