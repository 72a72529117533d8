//! JSON schemas: of jobs for editors, and of each part for checking.

use flare_core::component::{Component, Registry, Role};
use flare_core::filter::Point;
use flare_core::job::{HeldOut, Job};
use flare_data::{CsvOptions, IdxOptions, Partition};
use schemars::JsonSchema;
use serde_json::{Map, Value as Json, json};

/// The JSON schema of job files, with the components of `registry`, for editors.
pub fn schema(registry: &Registry) -> Json {
    let mut root = job();
    let mut defs = Map::new();
    for (field, role) in [("controller", Role::Controller), ("learner", Role::Executor)] {
        root["properties"][field] = one_of(registry, role, &mut defs);
    }
    root["properties"]["filters"]["items"] = one_of(registry, Role::Filter, &mut defs);
    let formats = formats()
        .into_iter()
        .map(|(name, schema)| hoist(&format!("data.{name}"), schema, &mut defs));
    root["properties"]["data"] = json!({ "oneOf": formats.collect::<Vec<_>>() });
    #[cfg(feature = "local")]
    {
        root["properties"]["faults"] = hoist("faults", injected(), &mut defs);
    }
    if let Some(all) = root["$defs"].as_object_mut() {
        all.extend(defs);
    }
    root
}

/// The schema of a job whose components, data and injected faults may be any table.
pub(super) fn job() -> Json {
    let mut schema = plain::<Job>();
    if let Some(fields) = schema.as_object_mut() {
        fields.insert("title".into(), "A Flare job".into());
    }
    schema
}

/// The schema of a component as a job writes it.
pub(super) fn component(component: &Component) -> Json {
    let mut schema = without_null((component.schema)().to_value());
    tag(&mut schema, "kind", component.kind.as_str());
    if component.role == Role::Filter {
        field(&mut schema, "at", plain::<Point>(), true);
    }
    schema
}

/// The schemas of a job's data, by the format that it names.
pub(super) fn formats() -> Vec<(&'static str, Json)> {
    [("csv", plain::<CsvOptions>()), ("idx", plain::<IdxOptions>())]
        .map(|(name, mut schema)| {
            tag(&mut schema, "format", name);
            let path = json!({
                "type": "string",
                "minLength": 1,
                "description": "A file or a folder, relative to the job file.",
            });
            field(&mut schema, "path", path, true);
            field(&mut schema, "held_out", plain::<HeldOut>(), false);
            field(&mut schema, "partition", plain::<Partition>(), false);
            (name, schema)
        })
        .into()
}

/// The schema of injected faults.
#[cfg(feature = "local")]
pub(super) fn injected() -> Json {
    plain::<flare_transport_local::Faults>()
}

/// A type's schema with its definitions, without null: TOML has none.
fn plain<T: JsonSchema>() -> Json {
    let schema = schemars::SchemaGenerator::default().into_root_schema_for::<T>();
    without_null(schema.to_value())
}

/// A field whose one value names which schema of several this is.
fn tag(schema: &mut Json, name: &str, value: &str) {
    field(schema, name, json!({ "const": value }), true);
}

/// Adds a field; what it defines is moved to the root.
fn field(schema: &mut Json, name: &str, mut of: Json, required: bool) {
    let defs = of.as_object_mut().and_then(|of| of.remove("$defs"));
    let Some(root) = schema.as_object_mut() else { return };
    let below = |root: &mut Map<String, Json>, key: &str, empty: Json| {
        root.entry(key).or_insert(empty);
    };
    below(root, "$defs", json!({}));
    below(root, "properties", json!({}));
    below(root, "required", json!([]));
    if let (Some(all), Some(Json::Object(defs))) = (root["$defs"].as_object_mut(), defs) {
        all.extend(defs);
    }
    root["properties"][name] = of;
    if let Some(names) = root["required"].as_array_mut().filter(|_| required) {
        names.push(name.into());
    }
}

/// One schema for each component of a role.
fn one_of(registry: &Registry, role: Role, defs: &mut Map<String, Json>) -> Json {
    let components = registry.iter().filter(|component| component.role == role);
    let schemas =
        components.map(|known| hoist(&format!("{role}.{}", known.kind), component(known), defs));
    json!({ "oneOf": schemas.collect::<Vec<_>>() })
}

/// Moves a schema into `defs`, its own definitions beside it under its name, and refers to it.
fn hoist(name: &str, mut schema: Json, defs: &mut Map<String, Json>) -> Json {
    let own = schema.as_object_mut().and_then(|schema| {
        schema.remove("$schema");
        schema.remove("$defs")
    });
    if let Some(Json::Object(own)) = own {
        for (key, mut value) in own {
            rename(&mut value, name);
            defs.insert(format!("{name}.{key}"), value);
        }
    }
    rename(&mut schema, name);
    defs.insert(name.into(), schema);
    json!({ "$ref": format!("#/$defs/{name}") })
}

fn rename(schema: &mut Json, name: &str) {
    match schema {
        Json::Object(fields) => {
            for (key, value) in fields {
                match value {
                    Json::String(text) if key == "$ref" => {
                        if let Some(rest) = text.strip_prefix("#/$defs/") {
                            *text = format!("#/$defs/{name}.{rest}");
                        }
                    }
                    value => rename(value, name),
                }
            }
        }
        Json::Array(values) => values.iter_mut().for_each(|value| rename(value, name)),
        _ => {}
    }
}

/// Takes null out of what a schema allows.
fn without_null(schema: Json) -> Json {
    match schema {
        Json::Object(fields) => {
            let fields: Map<String, Json> =
                fields.into_iter().map(|(key, value)| (key, without_null(value))).collect();
            simplified(fields)
        }
        Json::Array(values) => values.into_iter().map(without_null).collect(),
        other => other,
    }
}

fn simplified(mut fields: Map<String, Json>) -> Json {
    if let Some(Json::Array(types)) = fields.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            fields.insert("type".into(), only);
        }
    }
    if fields.get("default") == Some(&Json::Null) {
        fields.remove("default");
    }
    let Some(Json::Array(branches)) = fields.get_mut("anyOf") else { return Json::Object(fields) };
    branches.retain(|branch| branch["type"] != "null");
    if let [Json::Object(only)] = branches.as_slice() {
        let mut only = only.clone();
        fields.remove("anyOf");
        only.extend(fields);
        return Json::Object(only);
    }
    Json::Object(fields)
}
