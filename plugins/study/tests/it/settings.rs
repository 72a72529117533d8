//! Settings as a job gives them.

use flare_core::component::{Component, ComponentSpec, Registry, Role};
use flare_core::names::Name;
use flare_core::value::Value;

fn spec(kind: &str, fields: &[(&str, Value)]) -> ComponentSpec {
    let fields = fields.iter().map(|(field, value)| ((*field).to_owned(), value.clone()));
    ComponentSpec { kind: Name::new(kind).unwrap(), config: Value::Map(fields.collect()) }
}

fn registry() -> Registry {
    let mut registry = Registry::new();
    registry.add_all(flare_plugin_study::components());
    registry
}

/// Whether the settings are accepted, or what is said against them.
fn accepted(kind: &str, fields: &[(&str, Value)]) -> Result<(), String> {
    let (registry, spec) = (registry(), spec(kind, fields));
    match kind {
        "relay" => registry.controller(&spec).map(drop),
        _ => registry.executor(&spec).map(drop),
    }
    .map_err(|fault| fault.to_string())
}

#[test]
fn all_have_defaults_and_refuse_fields_that_they_do_not_know() {
    for kind in ["echo", "fixed", "sleepy", "failing", "relay"] {
        assert_eq!(accepted(kind, &[]), Ok(()), "{kind}");
        let fault = accepted(kind, &[("dealy", Value::Float(1.0))]).unwrap_err();
        assert!(fault.contains("dealy") && fault.contains(kind), "{fault}");
    }
}

#[test]
fn values_out_of_range_are_named() {
    let fault = |kind, field, value| accepted(kind, &[(field, value)]).unwrap_err();
    assert!(fault("sleepy", "delay", Value::Float(-1.0)).contains("-1"));
    assert!(fault("sleepy", "jitter", Value::Float(f64::NAN)).contains("NaN"));
    assert!(fault("failing", "how", Value::from("quietly")).contains("quietly"));
    assert!(fault("relay", "order", Value::List(Vec::new())).contains("order"));
    let nameless = [("name", Value::from("")), ("values", Value::List(vec![Value::Float(1.0)]))];
    let nameless = Value::List(vec![nameless.into_iter().collect()]);
    let fault = fault("fixed", "metrics", nameless);
    assert!(fault.contains("metrics[0].name = \"\": expected 1 to 255 bytes"), "{fault}");
}

#[test]
fn every_component_has_a_schema_that_describes_its_fields() {
    let described = |component: &Component| {
        let schema = (component.schema)();
        let properties = schema.as_value()["properties"].as_object().unwrap().clone();
        properties.values().all(|field| field.get("description").is_some())
    };
    for component in flare_plugin_study::components() {
        assert!(described(&component), "{}", component.kind);
        assert!(matches!(component.role, Role::Executor | Role::Controller));
    }
}
