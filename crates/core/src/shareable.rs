//! Shareables: what travels with a task and comes back with a reply.

use std::collections::BTreeMap;

use crate::hash::Hash;
use crate::tensor::Tensors;
use crate::value::{self, Value};

/// Tensors, and headers that say what they are. Cheap to clone where the headers are few.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shareable {
    /// Small values by name.
    pub headers: BTreeMap<String, Value>,
    /// The tensors, in one buffer.
    pub tensors: Tensors,
}

impl Shareable {
    /// Tensors without headers.
    pub fn new(tensors: Tensors) -> Self {
        Self { headers: BTreeMap::new(), tensors }
    }

    /// The same with one header more, or with another value for it.
    #[must_use]
    pub fn with(mut self, header: impl Into<String>, value: impl Into<Value>) -> Self {
        self.headers.insert(header.into(), value.into());
        self
    }

    /// The headers in the canonical encoding: that of [`Value::Map`], or nothing where there are none.
    pub fn encode_headers(&self) -> Vec<u8> {
        if self.headers.is_empty() {
            return Vec::new();
        }
        value::encode_map(&self.headers)
    }

    /// One hash over headers and tensors.
    pub fn digest(&self) -> Hash {
        let mut bytes = Vec::from(self.tensors.hash().as_bytes());
        bytes.extend(self.encode_headers());
        Hash::derive("flare shareable v1", bytes)
    }

    /// Puts together what was encoded apart.
    ///
    /// # Errors
    /// As [`Value::decode`]; [`value::Error::Parse`] if the headers are no map.
    pub fn decode(headers: &[u8], tensors: Tensors) -> Result<Self, value::Error> {
        if headers.is_empty() {
            return Ok(Self::new(tensors));
        }
        match Value::decode(headers)? {
            Value::Map(headers) => Ok(Self { headers, tensors }),
            other => Err(value::Error::Parse {
                path: "headers".to_owned(),
                message: format!("expected a map, got {}", other.kind()),
            }),
        }
    }
}

impl From<Tensors> for Shareable {
    fn from(tensors: Tensors) -> Self {
        Self::new(tensors)
    }
}
