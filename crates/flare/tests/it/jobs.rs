//! Job files: what is valid, how it is read, and the exact words for what cannot be.

use expect_test::{Expect, expect};
use flare::job::{self, Overrides};

use crate::toy::registry;

pub(crate) const GOOD: &str = r#"
name = "good"
[clients]
count = 5
[controller]
kind = "toy-rounds"
rounds = 3
[learner]
kind = "toy"
[[model.tensors]]
name = "w"
shape = [2, 3]
"#;

pub(crate) fn parse(text: &str) -> Result<job::Job, job::Error> {
    job::parse(text, "job.toml", &Overrides::default(), &registry())
}

pub(crate) fn refused(text: &str, expected: Expect) {
    expected.assert_eq(&parse(text).unwrap_err().to_string());
}

#[test]
fn the_smallest_job_is_read_with_its_defaults() {
    let job = parse(GOOD).unwrap();
    assert_eq!((job.name.as_str(), job.seed, job.clients.roster().unwrap().len()), ("good", 0, 5));
    assert_eq!(job.controller.kind.as_str(), "toy-rounds");
    assert_eq!(job.controller.config.get("rounds").and_then(|rounds| rounds.as_u64()), Some(3));
    assert!(job.report.central && job.report.alone && job.data.is_none());
    assert_eq!(job.model.initial(0).unwrap().slice::<f32>("w").unwrap(), [0.0; 6]);
}

#[test]
fn a_text_that_is_no_toml_is_refused_with_its_place() {
    refused("name = 'a'\nseed = [1, 2", expect!["job.toml:2:13: unclosed array, expected `]`"]);
    refused("name = 'a'\nname = 'b'", expect!["job.toml:2:1: duplicate key"]);
    refused(
        "name = 'é' seed",
        expect!["job.toml:1:12: unexpected key or value, expected newline, `#`"],
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("job.toml");
    std::fs::write(&path, b"name = 'a'\n# \xff").unwrap();
    let error = job::load(&path, &Overrides::default(), &registry()).unwrap_err().to_string();
    assert!(error.ends_with("job.toml:2:3: the text is not UTF-8 from here on"), "{error}");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let path = std::path::Path::new("no/such\u{1b}.toml");
    let error = job::load(path, &Overrides::default(), &registry()).unwrap_err().to_string();
    expect![[r#"reading job no/such\u{1b}.toml: No such file or directory (os error 2)"#]]
        .assert_eq(&error);
}

/// C071: names from strangers are refused by the one rule, and shown escaped.
#[test]
fn c071_names_that_are_none_are_refused_and_shown_escaped() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|end| end == "toml")).collect();
    assert_eq!(files.len(), 6);
    for path in files {
        let error = job::load(&path, &Overrides::default(), &registry()).unwrap_err();
        let job::Error::Invalid { faults, .. } = &error else { panic!("{error}") };
        let name: Vec<_> = faults.iter().filter(|fault| fault.path == "name").collect();
        assert_eq!(name.len(), 1, "{error}");
        assert!(name[0].expected.starts_with("a name: 1 to 64 of a-z"), "{error}");
        let text = error.to_string();
        let raw = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!text.contains(raw), "{text:?}");
        // The list has one line for each fault, and no name adds one.
        assert_eq!(text.lines().count(), 1 + faults.len(), "{text}");
    }
}

/// C071, for the other names of a job: each is refused by its rule where it becomes a folder, a component or a key,
/// and shown escaped; what is free text is shown escaped, too.
#[test]
fn c071_the_other_names_of_a_job_are_refused_or_shown_escaped() {
    const NAMES: [&str; 7] = [
        "../../../tmp/escaped",
        "--help",
        "a\0b",
        "x\n{\"level\":1}\u{1b}[2J",
        "safe\u{202e}lmot.boj",
        "%2e%2e%2fescaped",
        "",
    ];
    let long = "n".repeat(300);
    for name in NAMES.into_iter().chain([&*long]) {
        let text = toml::Value::from(name).to_string();
        let job = |from: &str, to: &str| {
            assert!(GOOD.contains(from), "{from}");
            GOOD.replacen(from, &to.replace("NAME", &text), 1)
        };
        for (path, job) in [
            ("clients.names[1]", job("count = 5", "names = ['a', NAME]")),
            ("controller.kind", job("\"toy-rounds\"", "NAME")),
            ("learner.kind", job("\"toy\"", "NAME")),
            (
                "filters[0].kind",
                job("[learner]", "[[filters]]\nkind = NAME\nat = 'task_in'\n[learner]"),
            ),
        ] {
            let error = parse(&job).unwrap_err();
            let job::Error::Invalid { faults, .. } = &error else { panic!("{error}") };
            assert_eq!(faults.len(), 1, "{path}: {error}");
            assert_eq!(faults[0].path, path, "{error}");
            let rule = faults[0].expected.starts_with("a name: 1 to 64 of a-z");
            let known = faults[0].expected.contains("that is known: ");
            assert!(rule || known, "{error}");
            check_shown(&error.to_string(), faults.len());
        }
        // A tensor or a metric may have any name that is text: it is no path and no option.
        let metric =
            "[learner]\nkind = 'fixed'\n[[learner.metrics]]\nname = NAME\nvalues = []\n[[model";
        let drawn = "name = NAME\nshape = [2, 3]\ninit = { normal = -1.0 }";
        let is_text = (1..=255).contains(&name.len()) && !name.contains(char::is_control);
        for (path, fault, job) in [
            (
                "learner.metrics[0].name",
                "values",
                job("[learner]\nkind = \"toy\"\n[[model", metric),
            ),
            ("model.tensors[0].name", "init.normal", job("name = \"w\"\nshape = [2, 3]", drawn)),
        ] {
            let error = parse(&job).unwrap_err();
            let job::Error::Invalid { faults, .. } = &error else { panic!("{error}") };
            let refused = faults.iter().any(|fault| fault.path == path);
            assert_eq!((refused, faults.len()), (!is_text, 2 - usize::from(is_text)), "{error}");
            assert!(faults.iter().any(|one| one.path.ends_with(fault)), "{error}");
            check_shown(&error.to_string(), faults.len());
        }
    }
}

/// A line for the file, one for each fault, and nothing that steers a terminal.
fn check_shown(text: &str, faults: usize) {
    let raw = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
    assert!(!text.contains(raw), "{text:?}");
    assert_eq!(text.lines().count(), 1 + faults, "{text}");
}

#[test]
fn overrides_change_the_job_before_it_is_checked() {
    let set = ["controller.rounds=7", "name=other", "controller.sample.size=2"];
    let set = set.map(|text| text.parse().unwrap()).into();
    let overrides = Overrides { set, seed: Some(u64::MAX) };
    let job = job::parse(GOOD, "job.toml", &overrides, &registry()).unwrap();
    assert_eq!((job.name.as_str(), job.seed), ("other", u64::MAX));
    assert_eq!(job.controller.config.get("rounds").and_then(|rounds| rounds.as_u64()), Some(7));
    assert_eq!(job.asked().of(5), 2);
    let set = vec!["controller.rounds=0".parse().unwrap()];
    let error = job::parse(GOOD, "job.toml", &Overrides { set, seed: None }, &registry());
    expect![[r#"
        job.toml: 1 fault
          controller.rounds = 0: expected at least 1"#]]
    .assert_eq(&error.unwrap_err().to_string());
}

#[test]
fn the_schema_for_editors_accepts_what_is_valid_and_refuses_what_is_not() {
    let schema = job::schema(&registry());
    let validator = jsonschema::validator_for(&schema).unwrap();
    let json = |text: &str| serde_json::to_value(text.parse::<toml::Table>().unwrap()).unwrap();
    let data = "[data]\npath = 'a'\nformat = 'csv'\nlabel = 'y'\n[data.partition]\nkind = 'iid'\n";
    let filter = "[[filters]]\nkind = 'toy-clip'\nat = 'reply_out'\nnorm = 1.0\n";
    assert!(validator.is_valid(&json(&format!("{GOOD}{data}{filter}"))));
    for (from, to) in [
        ("rounds = 3", "rounds = 0"),
        ("rounds = 3", "rounds = 3\nlr = 1"),
        ("\"toy\"", "\"toy-rounds\""),
        ("'y'", "3"),
        ("'iid'", "'fair'"),
        ("at = 'reply_out'", ""),
        ("count = 5", "count = 0"),
    ] {
        let text = format!("{GOOD}{data}{filter}");
        assert!(text.contains(from));
        assert!(!validator.is_valid(&json(&text.replace(from, to))), "{to}");
    }
}

#[test]
fn the_job_that_is_begun_with_is_valid_and_so_are_the_examples() {
    let name = flare::names::Name::new("first-steps").unwrap();
    let text = job::template(&name);
    let parsed = job::parse(&text, "job.toml", &Overrides::default(), &flare::registry());
    assert_eq!(parsed.unwrap().name, name);
    // What its comments offer is valid, too.
    let offered = |line: &&str| {
        let rest = line.strip_prefix("# ").unwrap_or_default();
        rest.starts_with('[') || rest.split(' ').nth(1) == Some("=")
    };
    assert_eq!(text.lines().filter(offered).count(), 9);
    let all: Vec<&str> =
        text.lines().map(|line| if offered(&line) { &line[2..] } else { line }).collect();
    job::parse(&all.join("\n"), "job.toml", &Overrides::default(), &flare::registry()).unwrap();
    let examples = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let load = |job: &str| {
        job::load(&examples.join(job), &Overrides::default(), &flare::registry()).unwrap().job
    };
    let digits = load("digits/job.toml");
    let field = |spec: &flare::component::ComponentSpec, name: &str| {
        let value = spec.config.get(name).unwrap();
        value.as_f64().or(value.as_i64().map(|number| number as f64)).unwrap()
    };
    assert_eq!(digits.clients.roster().unwrap().len(), 10);
    assert_eq!(field(&digits.controller, "rounds"), 100.0);
    assert_eq!(field(&digits.learner, "learning_rate"), 0.5);
    assert_eq!(
        (field(&digits.learner, "batch_size"), field(&digits.learner, "epochs")),
        (32.0, 1.0)
    );
    let partition = &digits.data.as_ref().unwrap().partition;
    assert_eq!((partition.kind.as_str(), field(partition, "alpha")), ("dirichlet", 0.5));
    // The other digits job differs in its controller only.
    let scaffold = load("digits/scaffold.toml");
    assert_eq!(scaffold.controller.kind.as_str(), "scaffold");
    assert_eq!(scaffold.learner, digits.learner);
    assert_eq!((&scaffold.data, &scaffold.model), (&digits.data, &digits.model));
    let trivial = load("trivial/job.toml");
    assert_eq!(trivial.clients.roster().unwrap().len(), 2);
    assert_eq!(field(&trivial.controller, "rounds"), 5.0);
    assert_eq!(trivial.learner.kind.as_str(), "echo");
    assert_eq!(trivial.model.initial(0).unwrap().slice::<f32>("x").unwrap().len(), 10);
}
