//! Durations in configuration are seconds, with fractions.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

fn from_seconds<E: serde::de::Error>(seconds: f64) -> Result<Duration, E> {
    Duration::try_from_secs_f64(seconds)
        .map_err(|_| E::custom(format!("expected seconds of at least 0, got {seconds}")))
}

/// `Option<Duration>` as seconds; for `#[serde(with = ..)]`.
pub(crate) mod option {
    use super::*;

    /// Writes seconds.
    ///
    /// # Errors
    /// Those of the serializer.
    pub(crate) fn serialize<S: Serializer>(
        value: &Option<Duration>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        value.map(|duration| duration.as_secs_f64()).serialize(to)
    }

    /// Reads seconds.
    ///
    /// # Errors
    /// When they are negative, not finite or out of range.
    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Duration>, D::Error> {
        Option::<f64>::deserialize(from)?.map(from_seconds).transpose()
    }
}
