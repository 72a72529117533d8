//! Replays of runs whose controller went on after operations that failed.

use std::path::Path;

use flare::Hash;
use flare::component::{Component, ComponentSpec, Registry};
use flare::controller::{Controller, Error, Finished};
use flare::federation::{self, Federation};
use flare::job::{self, Loaded, Overrides};
use flare::names::Name;
use flare::operation::{Gather, OperationSpec, RelayFailure, ReplyPolicy, TaskSpec};
use flare::outcome::{End, Outcome};
use flare::run::{self, Options, Summary};
use flare::tensor::Tensors;
use serde::Deserialize;
use serde_json::Value as Json;

use crate::runs::{out, resume, rows, run};

/// A controller that goes on whatever fails, and whose model shows what it was told of it.
#[derive(Deserialize, schemars::JsonSchema)]
struct Stubborn {
    steps: Vec<Step>,
}

#[derive(Deserialize, schemars::JsonSchema)]
struct Step {
    ask: Ask,
    #[serde(default)]
    replies: ReplyPolicy,
}

#[derive(Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Ask {
    Mean,
    Relay,
    /// A mean that is cancelled at once.
    Cancel,
}

#[async_trait::async_trait]
impl Controller for Stubborn {
    async fn run(&mut self, federation: &Federation) -> Result<Finished, Error> {
        let mut model = federation.model().clone();
        for (round, step) in (1..).zip(&self.steps) {
            model = match step.ask(federation, round, &model).await {
                Ok(outcome) => match outcome.aggregate.clone() {
                    Some(mean) => mean,
                    None => federation.tensors(last(&outcome)).await?,
                },
                Err(federation::Error::Failed { failure, .. }) => {
                    let [a, b, ..] = *Hash::of(format!("{failure:?}")).as_bytes();
                    let mut marked = model.to_mut();
                    marked.slice_mut::<f32>("x")?[0] += f32::from(u16::from_le_bytes([a, b]));
                    marked.finish()
                }
                Err(error) => return Err(error.into()),
            };
        }
        Ok(Finished { model, ..Finished::default() })
    }
}

impl Step {
    async fn ask(
        &self,
        federation: &Federation,
        round: u64,
        model: &Tensors,
    ) -> Result<Outcome, federation::Error> {
        let input = model.clone().into();
        let task =
            TaskSpec { name: "train".into(), input, round: Some(round), ..TaskSpec::default() };
        let label = Name::new(&format!("step-{round}")).ok();
        let policy = self.replies.clone();
        let spec = OperationSpec { label, policy, ..OperationSpec::broadcast(task) };
        let gather = Gather::Aggregate(ComponentSpec::plain("weighted-mean"));
        match self.ask {
            Ask::Relay => federation.relay_and_wait(spec, RelayFailure::End).await,
            Ask::Mean => federation.aggregate(OperationSpec { gather, ..spec }).await,
            Ask::Cancel => {
                let handle = federation.broadcast(spec).await?;
                handle.cancel().await?;
                handle.wait().await
            }
        }
    }
}

fn last(outcome: &Outcome) -> Hash {
    let counted = outcome.record.ends.iter().rev().find_map(|end| match &end.end {
        End::Counted(reply) => Some(reply.tensors),
        End::Failed(_) => None,
    });
    counted.unwrap()
}

fn registry() -> Registry {
    let mut registry = flare::registry();
    registry.add(Component::controller("stubborn", "0", |stubborn: Stubborn| Ok(stubborn)));
    registry
}

/// A job of these steps and this learner, in tables of TOML.
fn job(steps: &[&str], learner: &str) -> Loaded {
    let steps = steps.join(", ");
    let text = format!(
        "name = \"stubborn\"\nclients.count = 3\n[controller]\nkind = \"stubborn\"\n\
         steps = [{steps}]\n[learner]\n{learner}\n[[model.tensors]]\nname = \"x\"\nshape = [2]"
    );
    let job = job::parse(&text, "job.toml", &Overrides::default(), &registry()).unwrap();
    Loaded { job, folder: std::path::PathBuf::new(), origin: "job.toml".into() }
}

fn with_registry(options: Options) -> Options {
    Options { registry: registry(), workers: std::num::NonZeroUsize::new(3), ..options }
}

fn replay(loaded: Loaded, cohort: &Path, options: Options) -> Result<Summary, run::Error> {
    run(loaded, with_registry(Options { cohort: Some(cohort.into()), ..options }))
}

/// A first run in a folder, its rows, and how many replies counted in operations that succeeded.
fn first(loaded: Loaded, folder: &Path) -> (Summary, Vec<Json>, u64) {
    let summary = run(loaded, with_registry(out(folder))).unwrap();
    let rows = rows(folder, run::COHORT_FILE);
    let counted = |row: &Json| row["counted"].as_array().unwrap().len() as u64;
    let counted = rows.iter().filter(|row| row["failure"].is_null()).map(counted).sum();
    (summary, rows, counted)
}

fn kinds(rows: &[Json]) -> Vec<&str> {
    rows.iter().map(|row| row["failure"]["kind"].as_str().unwrap_or("none")).collect()
}

const TWO_SLEEP: &str = "kind = \"sleepy\"\nclients = { client-1 = 600, client-2 = 600 }";
const ALL_ANSWER: &str = "kind = \"sleepy\"\nclients = { client-0 = 0 }";
const TELLS: &str = "reply = { offset = 1.0, clients = { client-2 = { offset = 5.0 } } }";

/// Where the operations that failed would now succeed, and would wait ten minutes if they waited at all.
#[test]
fn what_failed_fails_again_and_nobody_is_asked_for_it() {
    let steps = |deadline: &str| {
        let fails =
            format!("{{ ask = \"mean\", replies = {{ min_replies = 2, deadline = {deadline} }} }}");
        let one = "{ ask = \"mean\", replies = { min_replies = 1, wait_after_min = 0 } }";
        let relay = format!("{{ ask = \"relay\", replies = {{ deadline = {deadline} }} }}");
        [one, &fails, "{ ask = \"cancel\" }", one, &relay, one].map(str::to_owned)
    };
    let of = |deadline: &str, learner: &str| {
        let steps = steps(deadline);
        job(&steps.each_ref().map(String::as_str), &format!("{learner}\n{TELLS}"))
    };
    let folder = tempfile::tempdir().unwrap();
    let (original, rows, counted) = first(of("0.05", TWO_SLEEP), &folder.path().join("a"));
    assert_eq!(kinds(&rows), ["none", "too_few", "cancelled", "none", "too_few", "none"]);
    let cohort = folder.path().join("a").join(run::COHORT_FILE);
    let again = replay(of("600", ALL_ANSWER), &cohort, out(&folder.path().join("b"))).unwrap();
    assert_eq!((again.model_hash, again.trained), (original.model_hash, counted));
    // A replay is replayed, and gone on with, like any other run.
    let second = folder.path().join("b").join(run::COHORT_FILE);
    assert_eq!(kinds(&self::rows(&folder.path().join("b"), run::COHORT_FILE)), kinds(&rows));
    let third = replay(of("600", ALL_ANSWER), &second, Options::default()).unwrap();
    assert_eq!((third.model_hash, third.trained), (original.model_hash, counted));
    let options = resume(&folder.path().join("b"));
    let resumed = replay(of("600", ALL_ANSWER), &cohort, options).unwrap();
    assert_eq!((resumed.model_hash, resumed.trained), (original.model_hash, 0));
}

#[test]
fn the_failure_comes_from_the_record_with_all_that_it_says() {
    let strict = "{ ask = \"mean\", replies = { on_failure = \"fail\" } }";
    let steps = ["{ ask = \"mean\" }", strict, "{ ask = \"relay\" }", strict];
    let of = |rounds: &str| {
        let learner = format!("kind = \"failing\"\nclients = [\"client-1\"]\nrounds = {rounds}");
        job(&steps, &format!("{learner}\n{TELLS}"))
    };
    let folder = tempfile::tempdir().unwrap();
    let (original, rows, counted) = first(of("[2, 3]"), folder.path());
    assert_eq!(kinds(&rows), ["none", "client", "stop", "none"]);
    let cohort = folder.path().join(run::COHORT_FILE);
    let again = replay(of("[99]"), &cohort, Options::default()).unwrap();
    assert_eq!((again.model_hash, again.trained), (original.model_hash, counted));
    let text = std::fs::read_to_string(&cohort).unwrap();
    for (was, is) in
        [("\"text\":\"fails in round 3", "\"text\":\"fails in 3"), ("\"stop\":1", "\"stop\":2")]
    {
        assert_eq!(text.matches(was).count(), 1, "{text}");
        let other = folder.path().join("other.jsonl");
        std::fs::write(&other, text.replace(was, is)).unwrap();
        let other = replay(of("[99]"), &other, Options::default()).unwrap();
        assert_ne!(other.model_hash, original.model_hash, "{is}");
    }
}

#[test]
fn a_record_from_which_a_failure_cannot_be_repeated_is_refused_before_anything_runs() {
    let folder = tempfile::tempdir().unwrap();
    let cohort = folder.path().join("cohort.jsonl");
    let refused = |failure: &str, selected: &str| {
        let row = format!(
            "{{\"operation\":\"step-1\",\"failure\":{failure},\"selected\":{selected},\"counted\":[]}}\n"
        );
        std::fs::write(&cohort, row).unwrap();
        let job = job(&["{ ask = \"mean\" }"], "kind = \"echo\"");
        let text = replay(job, &cohort, Options::default()).unwrap_err().to_string();
        text.rsplit_once("cohort.jsonl: ").map_or(text.clone(), |(_, fault)| fault.to_owned())
    };
    assert_eq!(
        refused("\"it was cancelled\"", "[\"client-0\"]"),
        "line 1: operation step-1 failed, and the record says why in words only, as earlier versions wrote \
         it: such a run cannot be replayed"
    );
    assert_eq!(
        refused("{\"kind\":\"bored\"}", "[\"client-0\"]"),
        "line 1: operation step-1 failed, and `failure` does not say why: unknown variant `bored`, expected \
         one of `too_few`, `client`, `stop`, `aggregate`, `cancelled`, `limit`"
    );
    let cancelled = "{\"kind\":\"cancelled\"}";
    assert_eq!(
        refused(cancelled, "[\"client-9\"]"),
        "line 1: client \"client-9\" is not on this job's roster"
    );
    assert_eq!(refused(cancelled, "null"), "line 1: `selected` is no list");
    assert_eq!(
        refused(cancelled, "[\"held-out\"]"),
        "the run failed: operation step-1: the cohort record that is replayed has clients that it does not ask"
    );
}
