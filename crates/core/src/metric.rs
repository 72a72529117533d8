//! Metrics: what a client measured, and how it is combined.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::names::MAX_TEXT_NAME_BYTES;

/// Most metrics in one reply.
pub const MAX_METRICS: usize = 10_000;

/// Whether a larger or a smaller value of a metric is better. Where clients whose replies count do not agree on
/// it for metrics of one name, the operation fails and names both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Accuracy, AUC and the like.
    HigherIsBetter,
    /// Loss, error and the like.
    LowerIsBetter,
}

impl Direction {
    /// Whether `new` beats `old` by more than `min_delta`. NaN never does, and a tie does not: the
    /// earliest round keeps its place (contract 26).
    pub fn improves(self, new: f64, old: f64, min_delta: f64) -> bool {
        match self {
            Self::HigherIsBetter => new > old + min_delta,
            Self::LowerIsBetter => new < old - min_delta,
        }
    }
}

/// One measured value of one client.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// Any text without control characters, at most [`MAX_TEXT_NAME_BYTES`] bytes.
    pub name: Arc<str>,
    /// The value; may be NaN, which is never best.
    pub value: f64,
    /// How many examples stand behind it; the weight of its mean over clients.
    pub weight: f64,
    /// Which way is better.
    pub direction: Direction,
}

/// Why a metric is refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum MetricError {
    /// Its name is empty, too long or holds control characters.
    #[error(
        "metric name {name:?} is empty, over {MAX_TEXT_NAME_BYTES} bytes, or holds control characters"
    )]
    Name {
        /// The start of the name.
        name: String,
    },
    /// There are more than [`MAX_METRICS`] in one reply.
    #[error(
        "{count} metrics in one reply, {MAX_METRICS} are the limit: report fewer, such as means"
    )]
    Many {
        /// How many there are.
        count: usize,
    },
    /// Its weight is negative, infinite or NaN.
    #[error("metric {name:?} has weight {weight}: a weight is finite and at least 0")]
    Weight {
        /// The metric.
        name: Arc<str>,
        /// The refused weight.
        weight: f64,
    },
}

impl Metric {
    /// A metric, checked.
    ///
    /// # Errors
    /// When the name or the weight is refused.
    pub fn new(
        name: &str,
        value: f64,
        weight: f64,
        direction: Direction,
    ) -> Result<Self, MetricError> {
        let metric = Self { name: name.into(), value, weight, direction };
        metric.check()?;
        Ok(metric)
    }

    /// Checks name and weight, for metrics that came from elsewhere.
    ///
    /// # Errors
    /// When the name or the weight is refused.
    pub fn check(&self) -> Result<(), MetricError> {
        let fits = (1..=MAX_TEXT_NAME_BYTES).contains(&self.name.len());
        if !fits || self.name.chars().any(char::is_control) {
            return Err(MetricError::Name { name: self.name.chars().take(64).collect() });
        }
        if !self.weight.is_finite() || self.weight < 0.0 {
            return Err(MetricError::Weight { name: self.name.clone(), weight: self.weight });
        }
        Ok(())
    }
}

/// Checks all metrics of one reply, and how many they are.
///
/// # Errors
/// For the first that is refused, or their number.
pub fn check(metrics: &[Metric]) -> Result<(), MetricError> {
    match metrics.len() {
        ..=MAX_METRICS => metrics.iter().try_for_each(Metric::check),
        count => Err(MetricError::Many { count }),
    }
}

/// A metric over all clients that counted and reported it: the exact weighted mean, rounded once.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MeanMetric {
    /// The mean.
    pub value: f64,
    /// The total weight.
    pub weight: f64,
    /// Which way is better.
    pub direction: Direction,
}

/// Metrics of an operation by name; a metric of total weight 0 is absent.
pub type Metrics = BTreeMap<Arc<str>, MeanMetric>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tie_and_nan_never_improve() {
        let higher = Direction::HigherIsBetter;
        assert!(higher.improves(0.6, 0.5, 0.0) && !higher.improves(0.5, 0.5, 0.0));
        assert!(!higher.improves(f64::NAN, 0.5, 0.0) && !higher.improves(0.55, 0.5, 0.1));
        assert!(Direction::LowerIsBetter.improves(0.4, 0.5, 0.0));
    }

    #[test]
    fn names_and_weights_are_checked() {
        let metric = |name: &str, weight| Metric::new(name, 1.0, weight, Direction::HigherIsBetter);
        assert!(metric("accuracy (top 5)", 0.0).is_ok());
        assert!(metric("a\u{1b}[2J", 1.0).is_err() && metric("", 1.0).is_err());
        let some = |count| vec![metric("a", 1.0).unwrap(); count];
        assert_eq!(check(&some(MAX_METRICS)), Ok(()));
        assert_eq!(
            check(&some(MAX_METRICS + 1)),
            Err(MetricError::Many { count: MAX_METRICS + 1 })
        );
        let unchecked = Metric { weight: -1.0, ..metric("b", 1.0).unwrap() };
        assert!(check(&[metric("a", 1.0).unwrap(), unchecked]).is_err());
        assert!(metric("a", -1.0).is_err() && metric("a", f64::NAN).is_err());
    }
}
