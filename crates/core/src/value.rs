//! Values of configurations and headers: plain data, with one canonical encoding.
//!
//! A component's configuration reaches it as a [`Value`]; [`Value::parse`] turns that into the
//! component's own type, with errors that name the path. Text formats (TOML, JSON) live at the edges,
//! which read into a value and write from it by serde.
//!
//! ```
//! use flare_core::Value;
//! use std::collections::BTreeMap;
//!
//! let config: Value = [("rounds", "ten")].into_iter().collect();
//! let error = config.parse_at::<BTreeMap<String, u32>>("controller").unwrap_err();
//! assert_eq!(error.to_string(), r#"controller.rounds: expected u32, got the text "ten""#);
//! ```
//!
//! *Invariant*: two values are equal if and only if their encodings are, so a hash of the encoding
//! names the value. Hence floats are compared by their bits.

mod de;
mod encoding;
mod error;
mod ser;

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::de::DeserializeOwned;

pub(crate) use encoding::encode_map;
pub use encoding::{MAX_ENCODED, MAX_VALUES};
pub use error::Error;
pub use ser::to_value;

/// How many lists and maps may lie in each other.
pub const MAX_DEPTH: usize = 64;

/// A value of a configuration or a header.
#[derive(Debug, Clone, Default)]
pub enum Value {
    /// Nothing.
    #[default]
    Null,
    /// Yes or no.
    Bool(bool),
    /// A whole number that fits an `i64`.
    Int(i64),
    /// A whole number above all of those.
    UInt(Above),
    /// A floating-point number.
    Float(f64),
    /// Text.
    Text(String),
    /// Values in an order.
    List(Vec<Value>),
    /// Values by key.
    Map(BTreeMap<String, Value>),
}

/// A whole number from 2^63 to 2^64 - 1; smaller ones are a [`Value::Int`], so that no number has two
/// forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Above(u64);

impl Above {
    /// The number, if it is so large.
    pub fn new(number: u64) -> Option<Self> {
        i64::try_from(number).is_err().then_some(Self(number))
    }

    /// The number.
    pub fn get(self) -> u64 {
        self.0
    }
}

impl Value {
    /// This value as a `T`.
    ///
    /// # Errors
    /// [`Error::Parse`], which names the path within this value, what was expected and what is there.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, Error> {
        self.parse_at("")
    }

    /// This value as a `T`; errors name paths that begin with `at`, which is where this value stands
    /// in the whole (`controller` makes it `controller.rounds`).
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn parse_at<T: DeserializeOwned>(&self, at: &str) -> Result<T, Error> {
        serde_path_to_error::deserialize(self).map_err(|error| {
            let path = error.path().to_string();
            Error::parse(at, &path, error.into_inner())
        })
    }

    /// Takes an entry out of a map; says whether there was one.
    pub fn remove(&mut self, name: &str) -> bool {
        let Self::Map(entries) = self else { return false };
        entries.remove(name).is_some()
    }

    /// What kind of value this is, for a message.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Bool(_) => "a bool",
            Value::Int(_) | Value::UInt(_) => "a whole number",
            Value::Float(_) => "a floating-point number",
            Value::Text(_) => "a text",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }

    /// The bool, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        if let Value::Bool(value) = self { Some(*value) } else { None }
    }

    /// The whole number, if it is one and fits.
    pub fn as_i64(&self) -> Option<i64> {
        if let Value::Int(value) = self { Some(*value) } else { None }
    }

    /// The whole number, if it is one and not negative.
    pub fn as_u64(&self) -> Option<u64> {
        match self {
            Value::Int(value) => u64::try_from(*value).ok(),
            Value::UInt(value) => Some(value.get()),
            _ => None,
        }
    }

    /// The floating-point number, if it is one; whole numbers are not turned into one.
    pub fn as_f64(&self) -> Option<f64> {
        if let Value::Float(value) = self { Some(*value) } else { None }
    }

    /// The text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        if let Value::Text(value) = self { Some(value) } else { None }
    }

    /// The list, if it is one.
    pub fn as_list(&self) -> Option<&[Value]> {
        if let Value::List(values) = self { Some(values) } else { None }
    }

    /// The map, if it is one.
    pub fn as_map(&self) -> Option<&BTreeMap<String, Value>> {
        if let Value::Map(values) = self { Some(values) } else { None }
    }

    /// The value of that key, if this is a map that has it.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.as_map()?.get(key)
    }
}

impl PartialEq for Value {
    /// Same kind, same bits.
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Value::Null, Value::Null) => true,
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::Int(a), Value::Int(b)) => a == b,
            (Value::UInt(a), Value::UInt(b)) => a == b,
            (Value::Float(a), Value::Float(b)) => a.to_bits() == b.to_bits(),
            (Value::Text(a), Value::Text(b)) => a == b,
            (Value::List(a), Value::List(b)) => a == b,
            (Value::Map(a), Value::Map(b)) => a == b,
            _ => false,
        }
    }
}

impl Eq for Value {}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        match i64::try_from(number) {
            Ok(number) => Value::Int(number),
            Err(_) => Value::UInt(Above(number)),
        }
    }
}

impl From<usize> for Value {
    fn from(number: usize) -> Self {
        Value::from(number as u64)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::Text(text.to_owned())
    }
}

impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(values: Vec<T>) -> Self {
        Value::List(values.into_iter().map(Into::into).collect())
    }
}

impl<K: Into<String>, V: Into<Value>> FromIterator<(K, V)> for Value {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(values: I) -> Self {
        Value::Map(values.into_iter().map(|(key, value)| (key.into(), value.into())).collect())
    }
}

macro_rules! from {
    ($($type:ty => $kind:ident),* $(,)?) => {$(
        impl From<$type> for Value {
            fn from(value: $type) -> Self {
                Value::$kind(value.into())
            }
        }
    )*};
}

from! {
    bool => Bool, i64 => Int, i32 => Int, u32 => Int, f64 => Float, f32 => Float, String => Text,
    BTreeMap<String, Value> => Map,
}

impl schemars::JsonSchema for Value {
    fn schema_name() -> Cow<'static, str> {
        "Value".into()
    }

    /// Any value: what a component takes is said by the component's own schema.
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        true.into()
    }
}
