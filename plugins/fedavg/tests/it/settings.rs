//! Settings as a job gives them.

use flare_core::component::{ComponentSpec, Registry};
use flare_core::value::Value;

/// What is said against the settings.
fn fault(settings: &str) -> String {
    let mut registry = Registry::new();
    registry.add_all(flare_plugin_fedavg::components());
    let config: Value = toml::from_str(settings).unwrap();
    let spec = ComponentSpec { config, ..ComponentSpec::plain("fedavg") };
    registry.controller(&spec).map(drop).err().map(|fault| fault.to_string()).unwrap_or_default()
}

#[test]
fn everything_has_a_default() {
    for settings in [
        "",
        "rounds = 0",
        "optimizer.kind = \"none\"",
        "optimizer.kind = \"fedyogi\"",
        "[optimizer]\nkind = \"fedavgm\"\nbeta = 0.5\nnesterov = true",
        "optimizer = { kind = \"fedadam\", variant = \"flower\" }\nkeep_out = [\"bn.*\", \"?\"]",
        "sample = { fraction = 0.5, minimum = 2 }",
        "[replies]\nmin_replies = 2\nwait_after_min = 1.5\nover_select = 1",
    ] {
        assert_eq!(fault(settings), "", "{settings}");
    }
}

#[test]
fn what_is_unknown_out_of_range_or_contradictory_is_named() {
    for (settings, parts) in [
        ("round = 3", ["fedavg", "round"]),
        ("rounds = -1", ["rounds", "-1"]),
        ("proximal_mu = -0.5", ["proximal_mu", "-0.5"]),
        ("proximal_mu = nan", ["proximal_mu", "NaN"]),
        ("weighting = \"loud\"", ["weighting", "loud"]),
        ("optimizer = { kind = \"adam\" }", ["optimizer", "adam"]),
        ("optimizer = { kind = \"fedadam\", beta = 0.5 }", ["optimizer", "beta"]),
        ("optimizer = { kind = \"none\", eta = 0.5 }", ["optimizer", "eta"]),
        ("optimizer = { kind = \"fedadam\", tau = 0.0 }", ["optimizer", "tau"]),
        ("keep_out = [\"bn.*\"]", ["keep_out", "optimizer"]),
        ("keep_out = [\"\"]", ["keep_out", "empty"]),
        ("sample = { fraction = 0.5, size = 2 }", ["sample", "size"]),
        ("sample.fraction = 1.5", ["sample", "1.5"]),
        ("best.metric = \"accuracy\"\nevaluate.every = 0", ["best", "evaluate.every"]),
        ("early_stopping = { metric = \"a\", patience = 0 }", ["early_stopping", "patience"]),
        (
            "early_stopping = { metric = \"a\", patience = 1, min_delta = -1.0 }",
            ["min_delta", "-1"],
        ),
    ] {
        let fault = fault(settings);
        assert!(parts.iter().all(|part| fault.contains(part)), "{settings}: {fault}");
    }
}

#[test]
fn the_schema_describes_every_field() {
    let component = &flare_plugin_fedavg::components()[0];
    let schema = (component.schema)();
    let fields = schema.as_value()["properties"].as_object().unwrap();
    assert_eq!(fields.len(), 10);
    assert!(fields.values().all(|field| field.get("description").is_some()));
}
