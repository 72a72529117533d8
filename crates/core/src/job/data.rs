//! A job's data: where they lie, how they are read, and how they are dealt out.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Flat;
use crate::component::ComponentSpec;
use crate::random::Fraction;
use crate::value::Value;

/// Data of a job: a path, what is held out, a partition, and how the files are read.
#[derive(Debug, Clone, PartialEq)]
pub struct Data {
    /// A file or a folder, relative to the job file.
    pub path: String,
    /// The rows that no client gets; the model is tested on them.
    pub held_out: HeldOut,
    /// How the other rows are dealt out to the clients; evenly and by chance if absent.
    pub partition: ComponentSpec,
    /// How the files are read: `format`, and the format's own fields beside it.
    pub options: Value,
}

/// How many rows are held out: a whole number of them, or a share of all.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum HeldOut {
    /// So many rows.
    Rows(u32),
    /// A share of the rows, rounded down.
    Share(Fraction),
}

impl Default for HeldOut {
    fn default() -> Self {
        Self::Rows(0)
    }
}

impl HeldOut {
    /// Whether nothing is held out.
    pub fn is_none(self) -> bool {
        match self {
            Self::Rows(rows) => rows == 0,
            Self::Share(share) => share.value() == 0.0,
        }
    }
}

/// The partition of data for which the job names none.
pub(super) fn evenly() -> ComponentSpec {
    ComponentSpec::plain("iid")
}

impl Data {
    /// The same with an empty path: what of it decides about the result, besides the content.
    pub(super) fn without_path(&self) -> Self {
        Self { path: String::new(), ..self.clone() }
    }
}

impl Serialize for Data {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut fields = self.options.as_map().cloned().unwrap_or_default();
        let value = |value: Result<Value, _>| value.map_err(serde::ser::Error::custom);
        fields.insert("path".into(), self.path.as_str().into());
        fields.insert("held_out".into(), value(crate::value::to_value(&self.held_out))?);
        let partition = Flat(self.partition.clone());
        fields.insert("partition".into(), value(crate::value::to_value(&partition))?);
        Value::Map(fields).serialize(to)
    }
}

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let mut fields = BTreeMap::<String, Value>::deserialize(from)?;
        let mut taken = |name| fields.remove(name);
        let path = taken("path").ok_or_else(|| D::Error::missing_field("path"))?;
        let path = path.parse_at("path").map_err(D::Error::custom)?;
        let held_out = taken("held_out").map(|value| value.parse_at("held_out"));
        let held_out = held_out.transpose().map_err(D::Error::custom)?.unwrap_or_default();
        let partition = taken("partition").map(|value| value.parse_at::<Flat>("partition"));
        let partition = partition.transpose().map_err(D::Error::custom)?;
        let partition = partition.map_or_else(evenly, |flat| flat.0);
        Ok(Self { path, held_out, partition, options: Value::Map(fields) })
    }
}

impl JsonSchema for Data {
    fn schema_name() -> Cow<'static, str> {
        "Data".into()
    }

    /// Without the fields of formats and partitions, which core does not know.
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "description": "The data: where they lie, how they are read, how they are dealt out.",
            "properties": {
                "path": {
                    "type": "string",
                    "description": "A file or a folder, relative to the job file.",
                    "minLength": 1,
                },
                "held_out": generator.subschema_for::<HeldOut>(),
                "partition": generator.subschema_for::<Flat>(),
            },
            "required": ["path"],
        })
    }
}
