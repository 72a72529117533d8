//! Runs of jobs with filters: each of the four points, what a filter stops, and the filters that Flare brings.

use flare::component::{Component, Registry};
use flare::executor;
use flare::filter::{Filter, Passage, Point};
use flare::job::{self, Loaded, Overrides};
use flare::names::Name;
use flare::run::{self, Options, Summary};
use flare::shareable::Shareable;
use flare::tensor::Tensors;
use serde::Deserialize;

use crate::runs::{FIXED, out, rows, run};

/// Multiplies the elements of `x`, then adds to them; fails at another point than it is made for, and for the
/// clients that it is to stop.
#[derive(Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Affine {
    only: Point,
    #[serde(default = "one")]
    times: f32,
    #[serde(default)]
    plus: f32,
    #[serde(default)]
    stops: Vec<Name>,
    /// Whether it stops what is for all.
    #[serde(default)]
    stops_all: bool,
    #[serde(default)]
    panics: bool,
}

fn one() -> f32 {
    1.0
}

impl Filter for Affine {
    fn apply(
        &self,
        shareable: Shareable,
        passage: Passage<'_>,
    ) -> Result<Shareable, executor::Error> {
        assert_eq!(passage.point, self.only);
        let for_all = matches!(passage.point, Point::TaskOut);
        assert_eq!(passage.client.is_none(), for_all);
        let stops = passage.client.map_or(self.stops_all, |client| self.stops.contains(client));
        match (stops, self.panics) {
            (true, true) => panic!("not this one"),
            (true, false) => Err("not this one".into()),
            (false, _) => {
                let mut tensors = shareable.tensors.to_mut();
                for x in tensors.slice_mut::<f32>("x")? {
                    *x = self.times * *x + self.plus;
                }
                Ok(Shareable { tensors: tensors.finish(), headers: shareable.headers })
            }
        }
    }
}

fn registry() -> Registry {
    let mut registry = flare::registry();
    registry.add(Component::filter("affine", "0", |affine: Affine| Ok(affine)));
    registry
}

/// The job of clients that add 1, 4 and 1, for so many rounds, with these filters.
fn filtered(rounds: u32, filters: &[&str]) -> Loaded {
    let filters: Vec<String> =
        filters.iter().map(|filter| format!("[[filters]]\n{filter}\n")).collect();
    let text = FIXED.replace("rounds = 4", &format!("rounds = {rounds}"));
    loaded(&format!("{text}{}", filters.concat()))
}

fn loaded(text: &str) -> Loaded {
    let job = job::parse(text, "job.toml", &Overrides::default(), &registry()).unwrap();
    Loaded { job, folder: "".into(), origin: "job.toml".into() }
}

fn affine(at: &str, rest: &str) -> String {
    format!("kind = \"affine\"\nat = \"{at}\"\nonly = \"{at}\"\n{rest}")
}

fn done(loaded: Loaded) -> Result<Summary, run::Error> {
    run(loaded, Options { registry: registry(), ..Options::default() })
}

fn x(tensors: &Tensors) -> Vec<f32> {
    tensors.slice::<f32>("x").unwrap().to_vec()
}

#[test]
fn a_job_filters_at_all_four_points_in_its_order() {
    let filters = [
        affine("reply_in", "plus = -5.0"),
        affine("task_out", "plus = 10.0"),
        affine("reply_out", "times = 3.0"),
        affine("task_out", "times = 2.0"),
        affine("task_in", "plus = 1.0"),
    ];
    let filters = filters.each_ref().map(String::as_str);
    // 0 leaves as 20 and is 21 inside; 22, 25 and 22 leave as 66, 75 and 66, and are 61, 70 and 61 here.
    assert_eq!(x(&done(filtered(1, &filters)).unwrap().model), [64.0; 2]);
    // 64: 148, 149; 150, 153, 150; 450, 459, 450; 445, 454, 445.
    assert_eq!(x(&done(filtered(2, &filters)).unwrap().model), [448.0; 2]);
}

#[test]
fn f1_what_a_filter_stops_at_a_client_or_on_its_way_back_leaves_that_client_out_by_name() {
    // A client whose task is stopped never trains.
    for (at, trained) in [("task_in", 2), ("reply_out", 3), ("reply_in", 3)] {
        for (panics, why) in [(false, "not this one"), (true, "a filter panicked: not this one")] {
            let filter = affine(at, &format!("stops = [\"client-1\"]\npanics = {panics}"));
            let folder = tempfile::tempdir().unwrap();
            let options = Options { registry: registry(), ..out(folder.path()) };
            let summary = run(filtered(1, &[&filter]), options).unwrap();
            assert_eq!(x(&summary.model), [1.0; 2], "{at}");
            assert_eq!((summary.trained, summary.exact), (trained, true), "{at}");
            let cohort = rows(folder.path(), run::COHORT_FILE);
            assert_eq!(cohort[0]["counted"], serde_json::json!(["client-0", "client-2"]));
            let outcome = cohort[0]["outcomes"]["client-1"].as_str().unwrap();
            assert!(outcome.starts_with(&format!("its reply was refused: {why}")), "{outcome}");
        }
    }
}

#[test]
fn f1_a_task_that_a_filter_stops_is_given_to_nobody_and_ends_the_run() {
    for (panics, why) in [(false, "not this one"), (true, "a filter panicked: not this one")] {
        let filter = affine("task_out", &format!("stops_all = true\npanics = {panics}"));
        let folder = tempfile::tempdir().unwrap();
        let options = Options { registry: registry(), ..out(folder.path()) };
        let error = run(filtered(1, &[&filter]), options).unwrap_err().to_string();
        let expected = format!("operation train-1: a filter stopped its task: {why}");
        assert!(error.contains(&expected), "{error}");
        assert_eq!(rows(folder.path(), run::COHORT_FILE), [] as [serde_json::Value; 0]);
    }
}

#[test]
fn norm_clip_bounds_what_one_client_does_to_the_model() {
    let text = FIXED
        .replace("shape = [2]", "shape = [1]")
        .replace("offset = 4.0", "offset = 8.0\n[learner.clients.client-2]\noffset = 2.0");
    let model = |filter: &str| x(&done(loaded(&format!("{text}{filter}"))).unwrap().model);
    // Each round adds the mean of 1, 8 and 2; or of 1, 3 and 2.
    assert_eq!(model(""), [44.0 / 3.0]);
    for at in ["reply_out", "reply_in"] {
        let clip = format!("[[filters]]\nkind = \"norm-clip\"\nat = \"{at}\"\nmax_norm = 3.0");
        assert_eq!(model(&clip), [8.0], "{at}");
    }
}

/// With a second tensor that is not 0 from the beginning.
const TWO: &str = "[[model.tensors]]\nname = \"own\"\nshape = [3]\ninit = { normal = 0.5 }\n";

#[test]
fn a_tensor_that_no_reply_has_stays_as_it_was_and_the_others_move_as_ever() {
    for optimizer in ["none", "fedavgm", "fedadagrad", "fedadam", "fedyogi"] {
        let settings = format!("evaluate.every = 0\noptimizer.kind = \"{optimizer}\"");
        let text = FIXED.replace("evaluate.every = 0", &settings) + TWO;
        let model = |filter: &str| done(loaded(&format!("{text}{filter}"))).unwrap().model;
        let initial = loaded(&text).job.model.initial(0).unwrap();
        let (all, left) = (
            model(""),
            model("[[filters]]\nkind = \"exclude\"\nat = \"reply_out\"\ntensors = [\"own\"]"),
        );
        let own = |tensors: &Tensors| tensors.require("own").unwrap().bytes.to_vec();
        assert_eq!(own(&left), own(&initial), "{optimizer}");
        assert_ne!(own(&all), own(&initial), "{optimizer}");
        assert_eq!(x(&left), x(&all), "{optimizer}");
        assert!(x(&left)[0] != 0.0, "{optimizer}");
    }
}
