//! What can be wrong with a value.

use std::fmt::Display;

use serde::de::{Expected, Unexpected};

use super::{MAX_DEPTH, MAX_ENCODED, MAX_VALUES};
use crate::shown::{escaped, shown};

/// Why a value could not be read, made or taken for another type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The value is not what the type asks for.
    #[error("{}{}{message}", path, if path.is_empty() { "" } else { ": " })]
    Parse {
        /// Where, as `controller.rounds` or `sites[3].name`; empty for the value as a whole.
        path: String,
        /// What was expected, and what is there.
        message: String,
    },
    /// What serde, or a type's own code under it, has to say.
    #[error("{0}")]
    Message(String),
    /// Lists and maps lie too deep in each other.
    #[error("lists and maps are nested more than {MAX_DEPTH} deep")]
    Depth,
    /// The encoding is too long.
    #[error("reading a value: {bytes} bytes, {MAX_ENCODED} are the limit")]
    Size {
        /// Its bytes.
        bytes: usize,
    },
    /// The encoding contains too many values.
    #[error("reading a value: it contains more than {MAX_VALUES} values")]
    Count,
    /// The bytes are no canonical encoding.
    #[error("reading a value: byte {at}: expected {expected}")]
    Encoding {
        /// The offset.
        at: usize,
        /// What should be there.
        expected: &'static str,
    },
}

impl Error {
    /// Puts the path that serde noted behind the place at which the value stands.
    pub(super) fn parse(at: &str, path: &str, source: Error) -> Self {
        let below = if path == "." { "" } else { path };
        let dot =
            if at.is_empty() || below.is_empty() || below.starts_with('[') { "" } else { "." };
        Error::Parse { path: escaped(&format!("{at}{dot}{below}")), message: source.to_string() }
    }
}

impl serde::de::Error for Error {
    fn custom<T: Display>(message: T) -> Self {
        Error::Message(escaped(&message.to_string()))
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        match found {
            Unexpected::Unit => Self::custom(format_args!("expected {expected}, got null")),
            Unexpected::Str(text) => {
                Self::custom(format_args!("expected {expected}, got the text \"{}\"", shown(text)))
            }
            found => Self::custom(format_args!("expected {expected}, got {found}")),
        }
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        Self::custom(format_args!("expected {expected}, got {length} elements"))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        let (field, known) = (shown(field), expected.join(", "));
        Self::custom(format_args!("the field \"{field}\" is unknown; known are: {known}"))
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        let (variant, known) = (shown(variant), expected.join(", "));
        Self::custom(format_args!("expected one of {known}, got \"{variant}\""))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::custom(format_args!("the field \"{field}\" is missing"))
    }
}

impl serde::ser::Error for Error {
    fn custom<T: Display>(message: T) -> Self {
        <Self as serde::de::Error>::custom(message)
    }
}
