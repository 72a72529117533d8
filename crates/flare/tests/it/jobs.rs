//! Job files: what is valid, and the exact words for what is not.

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

fn refused(text: &str, expected: Expect) {
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
fn every_fault_is_listed_at_once_in_the_order_of_the_file() {
    let text = r#"
        name = "Bad Name"
        seed = -1
        extra = true
        [clients]
        count = 0
        [controller]
        kind = "toy-rounds"
        round = 3
        momentum = "much"
        [controller.replies]
        min_replies = "two"
        on_failure = "shrug"
        [learner]
        kind = "tooy"
        [model]
        file = "m.safetensors"
        [[model.tensors]]
        name = "w"
        shape = [-2]
        dtype = "f31"
        [[model.tensors]]
        name = "v"
        shape = [2]
        init = { normal = inf }
        [[filters]]
        kind = "toy-clip"
        at = "somewhere"
        norm = 1.0
        [[filters]]
        at = "task_in"
    "#;
    refused(
        text,
        expect![[r#"
            job.toml: 15 faults
              name = "Bad Name": expected a name: 1 to 64 of a-z, 0-9, '.', '_', '-', the first a letter or digit
              seed = -1: expected at least 0
              clients.count = 0: expected at least 1
              controller.rounds: missing, expected a whole number
              controller.momentum = "much": expected a number
              controller.replies.min_replies = "two": expected a whole number
              controller.replies.on_failure = "shrug": expected "exclude" or "fail"
              controller.round = 3: expected one of the fields kind, momentum, replies, rounds, sample
              learner.kind = "tooy": expected a learner that is known: echo, failing, fixed, sleepy, softmax-regression, toy
              model.tensors[1].init.normal = inf: expected a finite number
              model.tensors[0].dtype = "f31": expected one of "f16", "bf16", "f32", "f64", "i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64", "bool"
              model.tensors[0].shape[0] = -2: expected at least 0
              filters[0].at = "somewhere": expected "task_out" or "task_in" or "reply_out" or "reply_in"
              filters[1].kind: missing, expected a text
              extra = true: expected one of the fields clients, controller, data, faults, filters, learner, model, name, report, seed"#]],
    );
}

#[test]
fn numbers_that_do_not_go_together_are_found() {
    let more = |text: &str| GOOD.replace("[learner]", &format!("{text}\n[learner]"));
    refused(
        &more("[controller.sample]\nsize = 6"),
        expect![[r#"
        job.toml: 1 fault
          controller.sample.size = 6: expected at most the 5 clients that there are"#]],
    );
    let two_of_five = "[controller.sample]\nsize = 2\n[controller.replies]\n";
    refused(
        &more(&format!("{two_of_five}min_replies = 3\nover_select = 4")),
        expect![[r#"
            job.toml: 2 faults
              controller.replies.min_replies = 3: expected at most the 2 that are asked
              controller.replies.over_select = 4: expected at most 3, since 2 of 5 are asked"#]],
    );
    refused(
        &more("[controller.replies]\nmin_replies = 0\nwait_after_min = -1"),
        expect![[r#"
        job.toml: 1 fault
          controller.replies.wait_after_min = -1: expected seconds of at least 0"#]],
    );
    refused(
        &more("[controller.replies]\nwait_after_min = 1"),
        expect![[r#"
        job.toml: 1 fault
          controller.replies.wait_after_min = 1: expected `min_replies` beside it"#]],
    );
    refused(
        &more("[controller.replies]\nover_select = 1"),
        expect![[r#"
            job.toml: 1 fault
              controller.replies.over_select = 1: expected at most 0, since 5 of 5 are asked"#]],
    );
    refused(
        &more("momentum = 1.0"),
        expect![[r#"
        job.toml: 1 fault
          controller.momentum = 1: expected less than 1"#]],
    );
    refused(
        &GOOD.replace("count = 5", "names = ['a', 'b', 'a', 'held-out']"),
        expect![[r#"
        job.toml: 2 faults
          clients.names[2] = "a": expected each name once
          clients.names[3] = "held-out": expected another name: this one stands for the held-out rows"#]],
    );
    refused(
        &GOOD.replace("count = 5", ""),
        expect![[r#"
        job.toml: 1 fault
          clients.count: missing, expected a number of clients, or `names`"#]],
    );
    refused(
        &GOOD.replace("[2, 3]", "[4611686018427387904, 4]"),
        expect![[r#"
        job.toml: 1 fault
          model.tensors[0].shape = [4611686018427387904, 4]: expected tensor "w": shape [4611686018427387904, 4] of F32 has more bytes than can be addressed"#]],
    );
    refused(
        &GOOD.replace("[2, 3]", "[1099511627776]"),
        expect![[r#"
        job.toml: 1 fault
          model = 4398046511232 bytes: expected at most 68719476736 bytes"#]],
    );
}

#[test]
fn what_is_missing_is_named() {
    refused(
        "",
        expect![[r#"
        job.toml: 4 faults
          name: missing, expected a text
          clients: missing, expected a table
          controller: missing, expected a table
          learner: missing, expected a table"#]],
    );
    refused(
        "name = 'a'\n[controller]\nrounds = 1",
        expect![[r#"
        job.toml: 3 faults
          clients: missing, expected a table
          controller.kind: missing, expected a text
          learner: missing, expected a table"#]],
    );
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

#[test]
fn data_are_checked_by_their_format() {
    let data = |text: &str| format!("{GOOD}\n[data]\n{text}");
    let csv = |text: &str| data(&format!("path = 'a.csv'\nformat = 'csv'\nlabel = 'y'\n{text}"));
    refused(
        &data("path = 'a.csv'"),
        expect![[r#"
        job.toml: 1 fault
          data.format: missing, expected one of csv, idx"#]],
    );
    refused(
        &data("path = 'a.csv'\nformat = 'parquet'"),
        expect![[r#"
        job.toml: 1 fault
          data.format = "parquet": expected one of csv, idx"#]],
    );
    refused(
        &data("path = 'a.csv'\nformat = 'csv'\nlabels = 'y'\nheld_out = -1"),
        expect![[r#"
        job.toml: 3 faults
          data.held_out = -1: expected at least 0
          data.label: missing, expected a text
          data.labels = "y": expected one of the fields classes, delimiter, exclude, features, format, held_out, label, partition, path, scale"#]],
    );
    refused(
        &csv("held_out = 1.5"),
        expect![[r#"
        job.toml: 1 fault
          data.held_out = 1.5: expected at most 1"#]],
    );
    refused(
        &csv("scale = 0.0\nclasses = 0"),
        expect![[r#"
            job.toml: 1 fault
              data.classes: 0 classes: there must be at least 1"#]],
    );
    refused(
        &csv("[data.partition]\nkind = 'dirichlet'"),
        expect![[r#"
        job.toml: 1 fault
          data.partition.alpha: missing, expected a number"#]],
    );
    refused(
        &csv("[data.partition]\nkind = 'dirichlet'\nalpha = 0"),
        expect![[r#"
            job.toml: 1 fault
              data.partition.alpha = 0.0: expected a number from 1e-300 to 1e12"#]],
    );
    refused(
        &csv("[data.partition]\nkind = 'fair'"),
        expect![[r#"
            job.toml: 1 fault
              data.partition.kind = "fair": expected "iid" or "dirichlet" or "shards" or "column""#]],
    );
    refused(
        &csv("scale = 0.0"),
        expect![[r#"
        job.toml: 1 fault
          data.scale: features cannot be divided by 0e0: use a finite number other than 0"#]],
    );
    parse(&csv("held_out = 0.2")).unwrap();
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
