//! Runs that go on with other components than they began with (contract 8).

use std::path::Path;
use std::sync::Arc;

use flare::component::{Component, ComponentSpec, Registry};
use flare::executor::{Context, Executor, Reply, Task};
use flare::job::{Loaded, Overrides, parse};
use flare::local;
use flare::operation::{OperationSpec, TaskSpec};
use flare::run::{self, Error, Interrupt, NoObserver, Options, Run, Summary};
use flare::tensor::Tensors;
use serde_json::Value as Json;

use crate::runs::{StopAfter, out, values};

const JOB: &str = r#"
name = "adds"
[clients]
count = 3
[controller]
kind = "fedavg"
rounds = 4
evaluate.every = 0
[learner]
kind = "adds"
[[model.tensors]]
name = "x"
shape = [2]
"#;

/// Adds its version to each number.
struct Adds(f32);

impl Executor for Adds {
    fn setup(&mut self, _: &mut Context<'_>) -> Result<(), flare::executor::Error> {
        Ok(())
    }

    fn execute(
        &mut self,
        task: &Task,
        _: &mut Context<'_>,
    ) -> Result<Reply, flare::executor::Error> {
        let mut sum = Tensors::builder(task.input.tensors.layout());
        if let Ok(x) = task.input.tensors.slice::<f32>("x") {
            let into = sum.slice_mut::<f32>("x")?;
            into.iter_mut().zip(x).for_each(|(into, x)| *into = x + self.0);
        }
        let weight = flare::outcome::Weight::Count(1);
        Ok(Reply { output: sum.finish().into(), weight, metrics: Vec::new() })
    }
}

#[derive(Clone, Copy, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Nothing {}

fn registry(version: &'static str) -> Registry {
    let mut registry = flare::registry();
    let adds = move |_: &Nothing| Adds(version.parse().unwrap_or(0.0));
    registry.add(Component::executor("adds", version, adds, |_| Ok(())));
    registry
}

fn job() -> Loaded {
    let job = parse(JOB, "job.toml", &Overrides::default(), &registry("1")).unwrap();
    Loaded { job, folder: ".".into(), origin: "job.toml".into() }
}

fn options(folder: &Path, version: &'static str, accept_units: bool) -> Options {
    Options { resume: true, accept_units, registry: registry(version), ..out(folder) }
}

fn run(options: Options) -> Result<Summary, Error> {
    Run::prepare(job(), options)?.execute(Arc::new(NoObserver), &Interrupt::new())
}

fn stopped(options: Options, round: u64) {
    let interrupt = Interrupt::new();
    let run = Run::prepare(job(), options).unwrap();
    let error = run.execute(Arc::new(StopAfter(round, interrupt.clone())), &interrupt).unwrap_err();
    assert!(matches!(error, Error::Interrupted { .. }), "{error}");
}

fn receipt(folder: &Path) -> Json {
    serde_json::from_slice(&std::fs::read(folder.join(run::RECEIPT_FILE)).unwrap()).unwrap()
}

#[test]
fn other_components_are_refused_by_name_or_accepted_from_the_next_operation_on() {
    let folder = tempfile::tempdir().unwrap();
    stopped(options(folder.path(), "1", false), 2);
    let error = run(options(folder.path(), "2", false)).unwrap_err();
    assert!(matches!(error, Error::Folder { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("learner adds 1 (build "), "{text}");
    assert!(text.contains("this is learner adds 2 (build "), "{text}");
    // Rounds 1 and 2 added 1, rounds 3 and 4 add 2: nothing that was answered is run again.
    let summary = run(options(folder.path(), "2", true)).unwrap();
    assert_eq!((values(&summary), summary.trained), (vec![6.0, 6.0], 6));
    let receipt = receipt(folder.path());
    let changes = receipt["unit_changes"].as_array().unwrap();
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0]["operation"], "train-3");
    let build = &receipt["units"]["learner adds 2"];
    assert!(build.is_string());
    assert_eq!(changes[0]["new"], receipt["units"]);
    assert_eq!(&changes[0]["old"]["learner adds 1"], build, "one program stands for both");
    assert!(changes[0]["old"]["learner adds 2"].is_null());
    // It stays said when the run is gone on with once more.
    run(options(folder.path(), "2", false)).unwrap();
    assert_eq!(self::receipt(folder.path())["unit_changes"], receipt["unit_changes"]);
}

#[test]
fn a_run_that_changed_twice_says_so_and_one_that_did_not_says_nothing() {
    let folder = tempfile::tempdir().unwrap();
    stopped(options(folder.path(), "1", false), 1);
    stopped(options(folder.path(), "2", true), 3);
    run(options(folder.path(), "3", true)).unwrap();
    // Nothing is left to run: the change concerns the controller only.
    run(options(folder.path(), "4", true)).unwrap();
    let changes = receipt(folder.path());
    let from = |at: usize| changes["unit_changes"][at]["operation"].clone();
    assert_eq!([from(0), from(1), from(2)], [Json::from("train-2"), "train-4".into(), Json::Null]);
    assert!(changes["unit_changes"][2]["new"]["learner adds 4"].is_string());
    let plain = tempfile::tempdir().unwrap();
    run(options(plain.path(), "1", false)).unwrap();
    assert_eq!(receipt(plain.path())["unit_changes"], Json::Array(Vec::new()));
}

#[test]
fn a_program_whose_component_changed_goes_on_only_if_that_is_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let options = |version: &'static str| {
        let adds = ComponentSpec::plain("adds");
        local::Options::new("adds").component(adds).registry(registry(version)).out(folder.path())
    };
    let ask = |options: local::Options, label: &str| {
        let federation = flare::local(options).unwrap();
        let task = TaskSpec { name: "train".into(), ..TaskSpec::default() };
        let label = Some(flare::names::Name::new(label).unwrap());
        let spec = OperationSpec { label, ..OperationSpec::broadcast(task) };
        let outcome = flare::block_on(federation.broadcast_and_wait(spec)).unwrap();
        (outcome.replayed, outcome.record.unit)
    };
    let (_, old) = ask(options("1"), "first");
    let refused = flare::local(options("2")).err().unwrap().to_string();
    assert!(
        refused.contains("learner adds 1 (build ") && refused.contains("learner adds 2 (build ")
    );
    assert_eq!(ask(options("2").accept_units(), "first"), (true, old));
    let (replayed, new) = ask(options("2"), "second");
    assert!(!replayed && new != old);
}
