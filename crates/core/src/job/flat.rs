//! Components as a job writes them: `kind` and the component's own fields in one table.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::component::ComponentSpec;
use crate::filter::Point;
use crate::names::Name;
use crate::value::Value;

/// A component: `kind` names it, all other fields are its own.
#[derive(Debug, Clone, PartialEq)]
pub struct Flat(pub ComponentSpec);

/// A filter and the point at which it works: `kind`, `at`, and the filter's own fields beside them.
#[derive(Debug, Clone, PartialEq)]
pub struct FilterAt {
    /// Where it works.
    pub at: Point,
    /// The filter.
    pub filter: ComponentSpec,
}

/// Writes a component; for `#[serde(with = ..)]`.
///
/// # Errors
/// Those of the serializer.
pub(super) fn serialize<S: Serializer>(spec: &ComponentSpec, to: S) -> Result<S::Ok, S::Error> {
    table(spec, &[]).serialize(to)
}

/// Reads a component; for `#[serde(with = ..)]`.
///
/// # Errors
/// When it is no table, or its kind is missing or no name.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<ComponentSpec, D::Error> {
    split(BTreeMap::deserialize(from)?)
}

fn table(spec: &ComponentSpec, more: &[(&str, Value)]) -> Value {
    let mut fields = spec.config.as_map().cloned().unwrap_or_default();
    fields.insert("kind".into(), spec.kind.as_str().into());
    fields.extend(more.iter().map(|(key, value)| ((*key).to_owned(), value.clone())));
    Value::Map(fields)
}

fn split<E: serde::de::Error>(mut fields: BTreeMap<String, Value>) -> Result<ComponentSpec, E> {
    let kind = fields.remove("kind").ok_or_else(|| E::missing_field("kind"))?;
    let kind: Name = kind.parse_at("kind").map_err(E::custom)?;
    Ok(ComponentSpec { kind, config: Value::Map(fields) })
}

impl Serialize for Flat {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        serialize(&self.0, to)
    }
}

impl<'de> Deserialize<'de> for Flat {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        deserialize(from).map(Self)
    }
}

impl Serialize for FilterAt {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let at = crate::value::to_value(&self.at).map_err(serde::ser::Error::custom)?;
        table(&self.filter, &[("at", at)]).serialize(to)
    }
}

impl<'de> Deserialize<'de> for FilterAt {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let mut fields = BTreeMap::<String, Value>::deserialize(from)?;
        let at = fields.remove("at").ok_or_else(|| D::Error::missing_field("at"))?;
        let at = at.parse_at("at").map_err(D::Error::custom)?;
        Ok(Self { at, filter: split(fields)? })
    }
}

impl JsonSchema for Flat {
    fn schema_name() -> Cow<'static, str> {
        "Component".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "description": "A component: `kind` names it, all other fields are its own.",
            "properties": { "kind": generator.subschema_for::<Name>() },
            "required": ["kind"],
        })
    }
}

impl JsonSchema for FilterAt {
    fn schema_name() -> Cow<'static, str> {
        "Filter".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "description": "A filter: `kind` names it, `at` says where it works, all other fields are its own.",
            "properties": {
                "kind": generator.subschema_for::<Name>(),
                "at": generator.subschema_for::<Point>(),
            },
            "required": ["kind", "at"],
        })
    }
}
