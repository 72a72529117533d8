//! Data, models and replies that are refused: before anything is written, or by the client's name.

use expect_test::{Expect, expect};
use flare::component::Component;
use flare::executor::{self, Context, Learner, LearnerExecutor, Task, Update};
use flare::job::{self, Loaded, Overrides};
use flare::metric::Metric;
use flare::outcome::Weight;
use flare::run::{self, Error, Options};

use crate::runs::{FIXED, digits, loaded, out, rows, run, values};

fn fails(text: &str, expected: Expect) {
    let error = run(loaded(text), Options::default()).unwrap_err();
    assert!(matches!(error, Error::Failed { .. }), "{error:?}");
    expected.assert_eq(&error.to_string());
}

/// The line on which the study learners' source has this text.
fn line_of(text: &str) -> usize {
    let source = include_str!("../../../../plugins/study/src/learners.rs");
    let mut lines = source.lines().zip(1..).filter(|(line, _)| line.contains(text));
    let (_, line) = lines.next().unwrap();
    assert!(lines.next().is_none(), "{text} stands on several lines");
    line
}

#[test]
fn data_that_cannot_be_used_are_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |set: &[&str]| {
        let error = run(digits(set), out(&folder.path().join("out"))).unwrap_err();
        assert!(matches!(error, Error::Input { .. }), "{error:?}");
        assert!(!folder.path().join("out").exists());
        error.to_string()
    };
    let missing = refused(&["data.path=nowhere.csv"]);
    assert!(missing.starts_with("data: ") && missing.contains("nowhere.csv"), "{missing}");
    expect!["data: partition: held_out = 1797 cannot be: of 1797 rows at least one must be left for training"].assert_eq(&refused(&["data.held_out=1797"]));
    let label = refused(&["data.label=digit"]);
    assert!(label.contains("digit"), "{label}");
    // C026: a partition that cannot be reached, and one that is improbable.
    let partition = |alpha: &str, least: &str| {
        let (alpha, least) =
            (format!("data.partition.alpha={alpha}"), format!("data.partition.min_size={least}"));
        refused(&["clients.count=100", "data.held_out=0", &alpha, &least])
    };
    expect!["data: partition: 100 clients with at least 30 each take 3000, but there are only 1797 rows: ask for fewer clients, or for less than 30 (min_size)"].assert_eq(&partition("0.01", "30"));
    expect!["data: partition: none of 1000 Dirichlet draws with alpha = 0.001 gave each of 100 clients min_size = 17 of 1797 rows (the best gave 0): raise alpha, lower min_size, or ask for fewer clients"].assert_eq(&partition("0.001", "17"));
}

#[test]
fn c029_every_bad_tensor_file_is_refused_as_an_initial_model() {
    let cases = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/tests/cases");
    let out = tempfile::tempdir().unwrap();
    let mut tried = 0;
    for file in std::fs::read_dir(&cases).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        if !name.starts_with("c029-") {
            continue;
        }
        let text = FIXED.replace("[[model.tensors]]\nname = \"x\"\nshape = [2]", "");
        let mut job = loaded(&format!("{text}[model]\nfile = \"{name}\""));
        job.folder.clone_from(&cases);
        let folder = out.path().join(&name);
        let options = Options { out: Some(folder.clone()), ..Options::default() };
        let error = run(job, options).unwrap_err();
        assert!(matches!(error, Error::Input { .. }), "{name}: {error:?}");
        assert!(error.to_string().contains(&name), "{error}");
        assert!(!folder.exists(), "{name} left a folder behind");
        tried += 1;
    }
    assert_eq!(tried, 27);
}

#[test]
fn a_model_file_that_cannot_be_used_is_refused_and_one_that_can_is_where_training_starts() {
    let folder = tempfile::tempdir().unwrap();
    let with = |name: &str| {
        let text = FIXED.replace("[[model.tensors]]\nname = \"x\"\nshape = [2]", "");
        let mut job = loaded(&format!("{text}[model]\nfile = \"{name}\""));
        job.folder = folder.path().into();
        job
    };
    let refused = |name: &str| {
        let error = run(with(name), Options::default()).unwrap_err();
        assert!(matches!(error, Error::Input { .. }), "{error:?}");
        error.to_string()
    };
    let missing = refused("none.safetensors");
    assert!(missing.contains("none.safetensors: No such file"), "{missing}");
    std::fs::write(folder.path().join("bad.safetensors"), [9; 7]).unwrap();
    let bad = refused("bad.safetensors");
    assert!(bad.contains("bad.safetensors: "), "{bad}");
    let first = run(loaded(FIXED), Options::default()).unwrap();
    std::fs::write(folder.path().join("m.safetensors"), first.model.encoded()).unwrap();
    assert_eq!(values(&run(with("m.safetensors"), Options::default()).unwrap()), [16.0, 16.0]);
}

fn failing(how: &str, more: &str) -> String {
    let learner =
        format!("kind = \"failing\"\nhow = \"{how}\"\n{more}\n[learner.reply]\noffset = 2.0\n");
    let text = FIXED.replace("kind = \"fixed\"\nscale = 1.0\noffset = 1.0\n", &learner);
    text.replace("[learner.clients.client-1]\noffset = 4.0\n", "")
}

#[test]
fn a_learner_that_fails_is_left_out_by_name() {
    let folder = tempfile::tempdir().unwrap();
    for (how, cause) in [
        ("error", "the learner failed: "),
        ("panic", "the learner panicked: "),
        ("nan", "its reply was refused: tensor \"x\" holds a NaN"),
        ("wrong_shape", "its reply was refused: tensor \"x\" is F32 of shape"),
        ("wrong_dtype", "its reply was refused: tensor \"x\" is U8 of shape"),
    ] {
        let text = failing(how, "clients = [\"client-1\"]\nrounds = [2]");
        let folder = folder.path().join(how);
        let summary = run(loaded(&text), out(&folder)).unwrap();
        assert_eq!(values(&summary), [8.0, 8.0], "{how}");
        assert!(summary.exact, "{how}");
        let counted: Vec<usize> =
            summary.history.rounds.iter().map(|round| round.counted).collect();
        assert_eq!(counted, [3, 2, 3, 3], "{how}");
        let cohort = rows(&folder, run::COHORT_FILE);
        let outcome = cohort[1]["outcomes"]["client-1"].as_str().unwrap();
        assert!(outcome.starts_with(cause), "{how}: {outcome}");
        assert_eq!(cohort[1]["counted"], serde_json::json!(["client-0", "client-2"]));
    }
}

#[test]
fn runs_that_cannot_go_on_fail_with_their_cause() {
    fails(
        &failing("error", ""),
        expect![[r#"
        the run failed: round 1: operation train-1: 0 of the 1 replies that it needs came
          client-0: the learner failed: fails in round 1, as its settings say
          client-1: the learner failed: fails in round 1, as its settings say
          client-2: the learner failed: fails in round 1, as its settings say"#]],
    );
    let line = line_of("panic!(\"panics in round");
    let strict = failing("panic", "clients = [\"client-1\"]\nrounds = [3]")
        .replace("evaluate.every = 0", "evaluate.every = 0\nreplies.on_failure = \"fail\"");
    let error = run(loaded(&strict), Options::default()).unwrap_err().to_string();
    let expected = "the run failed: round 3: operation train-3: client client-1 failed, and this operation \
                    needs its reply: the learner panicked: panics in round 3, as its settings say, at \
                    plugins/study/src/learners.rs:";
    assert_eq!(error, format!("{expected}{line}"));
    fails(
        &FIXED.replace("scale = 1.0", "examples = 0"),
        expect![
            "the run failed: round 1: total weight 0: client-0, client-1, client-2 replied with no examples, so there is no mean; the model stays as it was"
        ],
    );
    fails(
        &FIXED.replace("scale = 1.0", "weight = -1.0"),
        expect![[r#"
        the run failed: round 1: operation train-1: 0 of the 1 replies that it needs came
          client-0: the learner failed: weight -1 is no weight: it must be a finite number of at least 0
          client-1: the learner failed: weight -1 is no weight: it must be a finite number of at least 0
          client-2: the learner failed: weight -1 is no weight: it must be a finite number of at least 0"#]],
    );
}

/// A learner that computes its weight, and divides by nothing on the way.
struct Divides(f64);

impl Learner for Divides {
    fn setup(&mut self, _: &mut Context<'_>) -> Result<(), executor::Error> {
        Ok(())
    }

    fn train(&mut self, task: &Task, _: &mut Context<'_>) -> Result<Update, executor::Error> {
        let (tensors, weight) = (task.input.tensors.clone(), Weight::real(self.0 / 0.0)?);
        Ok(Update { tensors, weight, metrics: Vec::new() })
    }

    fn evaluate(&mut self, _: &Task, _: &mut Context<'_>) -> Result<Vec<Metric>, executor::Error> {
        Ok(Vec::new())
    }
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Share {
    dividend: f64,
}

#[test]
fn a_weight_that_is_no_number_is_the_learners_failure() {
    for (dividend, shown) in [("0.0", "NaN"), ("1.0", "inf"), ("-1.0", "-inf")] {
        let mut registry = flare::registry();
        let made = |share: &Share| LearnerExecutor(Divides(share.dividend));
        registry.add(Component::executor("divides", "0", made, |_| Ok(())));
        let text = format!(
            "name = \"divides\"\n[clients]\ncount = 1\n[controller]\nkind = \"fedavg\"\nrounds = 1\n\
             [learner]\nkind = \"divides\"\ndividend = {dividend}\n\
             [[model.tensors]]\nname = \"x\"\nshape = [2]"
        );
        let job = job::parse(&text, "job.toml", &Overrides::default(), &registry).unwrap();
        let loaded = Loaded { job, folder: Default::default(), origin: "job.toml".into() };
        let error = run(loaded, Options { registry, ..Options::default() }).unwrap_err();
        let expected = format!(
            "the run failed: round 1: operation train-1: 0 of the 1 replies that it needs came\n  \
             client-0: the learner failed: weight {shown} is no weight: it must be a finite number of at \
             least 0"
        );
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn what_is_not_finite_is_let_through_if_the_job_says_so() {
    let text = failing("nan", "clients = [\"client-1\"]\nrounds = [2]")
        .replace("evaluate.every = 0", "evaluate.every = 0\nreplies.accept_non_finite = true");
    let summary = run(loaded(&text), Options::default()).unwrap();
    assert!(summary.model.slice::<f32>("x").unwrap()[0].is_nan());
}
