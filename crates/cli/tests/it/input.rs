//! Bad input: each an exact error, with its exit code, before anything is trained or written.

use expect_test::{Expect, expect};

use crate::place::{Ended, FIXED, Place};

/// Runs the job in its folder with `--out out`.
fn run(place: &Place) -> Ended {
    place.flare(&["run", "job.toml", "--quiet", "--out", "out"])
}

/// A job with one thing changed gives this; nothing is left behind.
fn refused(what: &str, with: &str, said: Expect) {
    assert!(FIXED.contains(what), "{what}");
    let place = Place::with_job(&FIXED.replacen(what, with, 1));
    let ended = run(&place);
    assert_eq!(ended.code, Some(2), "{ended}");
    assert_eq!(place.files(), ["job.toml"], "something was left behind");
    said.assert_eq(&ended.to_string());
}

#[test]
fn no_such_job() {
    expect![[r#"
        [EOF]
        --- stderr
        error: reading job nowhere.toml: No such file or directory (os error 2)
        hint: `flare job new FILE` writes a job to start from
        [EOF]
        --- exit 2
    "#]]
    .assert_eq(&Place::new().flare(&["run", "nowhere.toml"]).to_string());
}

#[test]
fn no_toml() {
    refused(
        "count = 2",
        "count = ",
        expect![[r#"
        [EOF]
        --- stderr
        error: job.toml:5:9: string values must be quoted, expected literal string
        [EOF]
        --- exit 2
    "#]],
    );
}

#[test]
fn an_unknown_component() {
    refused(
        "\"fedavg\"",
        "\"fedavgg\"",
        expect![[r#"
            [EOF]
            --- stderr
            error: job.toml: 1 fault
              controller.kind = "fedavgg": expected a controller that is known: fedavg, relay, scaffold
            hint: `flare job schema` says what each field takes, `flare job new` shows a job
            [EOF]
            --- exit 2
        "#]],
    );
}

#[test]
fn no_clients() {
    refused(
        "count = 2",
        "count = 0",
        expect![[r#"
        [EOF]
        --- stderr
        error: job.toml: 1 fault
          clients.count = 0: expected at least 1
        hint: `flare job schema` says what each field takes, `flare job new` shows a job
        [EOF]
        --- exit 2
    "#]],
    );
}

#[test]
fn more_sampled_than_there_are() {
    refused(
        "rounds = 3",
        "rounds = 3\nsample = { size = 3 }",
        expect![[r#"
        [EOF]
        --- stderr
        error: job.toml: 1 fault
          controller.sample.size = 3: expected at most the 2 clients that there are
        hint: `flare job schema` says what each field takes, `flare job new` shows a job
        [EOF]
        --- exit 2
    "#]],
    );
}

#[test]
fn more_awaited_than_there_are() {
    refused(
        "rounds = 3",
        "rounds = 3\nreplies = { min_replies = 3 }",
        expect![[r#"
        [EOF]
        --- stderr
        error: job.toml: 1 fault
          controller.replies.min_replies = 3: expected at most the 2 that are asked
        hint: `flare job schema` says what each field takes, `flare job new` shows a job
        [EOF]
        --- exit 2
    "#]],
    );
}

#[test]
fn out_of_range_and_misspelt_and_missing_all_at_once() {
    let place = Place::with_job(
        "name = \"UPPER\"\nsead = 1\n[clients]\ncount = 2\n[controller]\nkind = \"fedavg\"\nrounds = -1\n\
         proximal_mu = \"much\"\n",
    );
    let ended = run(&place);
    assert_eq!(ended.code, Some(2), "{ended}");
    expect![[r#"
        [EOF]
        --- stderr
        error: job.toml: 5 faults
          name = "UPPER": expected a name: 1 to 64 of a-z, 0-9, '.', '_', '-', the first a letter or digit
          controller.proximal_mu = "much": expected a number
          controller.rounds = -1: expected at least 0
          learner: missing, expected a table
          sead = 1: expected one of the fields clients, controller, data, faults, filters, learner, model, name, report, seed
        hint: `flare job schema` says what each field takes, `flare job new` shows a job
        [EOF]
        --- exit 2
    "#]].assert_eq(&ended.to_string());
}

#[test]
fn a_model_file_that_is_not_there() {
    refused(
        "[[model.tensors]]\nname = \"weights\"\nshape = [2, 3]",
        "[model]\nfile = \"none.safetensors\"",
        expect![[r#"
            [EOF]
            --- stderr
            error: model none.safetensors: No such file or directory (os error 2)
            [EOF]
            --- exit 2
        "#]],
    );
}

#[test]
fn a_data_file_that_is_not_there() {
    let data = "shape = [2, 3]\n[data]\npath = \"none.csv\"\nformat = \"csv\"\nlabel = \"y\"";
    refused(
        "shape = [2, 3]",
        data,
        expect![[r#"
        [EOF]
        --- stderr
        error: data: reading data none.csv: No such file or directory (os error 2)
        [EOF]
        --- exit 2
    "#]],
    );
}

#[test]
fn a_partition_that_cannot_be_reached() {
    let data = "[data]\npath = \"rows.csv\"\nformat = \"csv\"\nlabel = \"y\"\nclasses = 2\n\
                [data.partition]\nkind = \"dirichlet\"\nalpha = 0.01\nmin_size = 30\n";
    let place = Place::with_job(&format!("{FIXED}{data}"));
    let rows: String = (0..40).map(|row| format!("{row},{}\n", row % 2)).collect();
    place.write("rows.csv", format!("x,y\n{rows}"));
    let ended = run(&place);
    assert_eq!(ended.code, Some(2), "{ended}");
    expect![[r#"
        [EOF]
        --- stderr
        error: data: partition: 2 clients with at least 30 each take 60, but there are only 40 rows: ask for fewer clients, or for less than 30 (min_size)
        [EOF]
        --- exit 2
    "#]].assert_eq(&ended.to_string());
}

#[test]
fn no_key_and_value_to_set() {
    let place = Place::with_job(FIXED);
    expect![[r#"
        [EOF]
        --- stderr
        error: --set rounds: expected KEY=VALUE, such as controller.rounds=5
        [EOF]
        --- exit 2
    "#]]
    .assert_eq(&place.flare(&["run", "job.toml", "--set", "rounds"]).to_string());
}

#[test]
fn a_mistake_on_the_command_line() {
    expect![[r#"
        [EOF]
        --- stderr
        error: unexpected argument '--wrokers' found

          tip: a similar argument exists: '--workers'

        Usage: flare run --workers <N> <JOB>

        For more information, try '--help'.
        [EOF]
        --- exit 2
    "#]]
    .assert_eq(&Place::new().flare(&["run", "a.toml", "--wrokers=2"]).to_string());
    let both = Place::new().flare(&["run", "a.toml", "--out=a", "--resume=b"]);
    assert_eq!(both.code, Some(2), "{both}");
}

/// None of them gets as far as a learner: a job has finite numbers only.
#[test]
fn a_weight_that_is_no_number() {
    for (weight, shown) in [("nan", "NaN"), ("inf", "inf"), ("-inf", "-inf")] {
        let place = Place::with_job(&FIXED.replace("examples = 4", &format!("weight = {weight}")));
        let ended = run(&place);
        let said = format!(
            "error: job.toml: 1 fault\n  learner.weight = {shown}: expected a finite number\n"
        );
        assert!(ended.stderr.starts_with(&said), "{weight}: {ended}");
        assert_eq!((ended.code, place.files()), (Some(2), vec!["job.toml".to_owned()]), "{ended}");
    }
    refused(
        "examples = 4",
        "weight = 1e999",
        expect![[r#"
            [EOF]
            --- stderr
            error: job.toml:12:10: floating-point number overflowed
            [EOF]
            --- exit 2
        "#]],
    );
}

/// The rule that refuses a job's name stands in the error, and the name is harmless there.
#[test]
fn names_that_could_be_paths_options_or_lines_of_a_log() {
    let long = "n".repeat(300);
    let names = ["../../../tmp/escaped", "--help", "a\\u0000b", "x\\n{\\\"level\\\":1}\\u001b[2J"];
    for name in names.into_iter().chain(["safe\\u202Elmot.boj", &long]) {
        let place = Place::with_job(&FIXED.replacen("\"fixed\"", &format!("\"{name}\""), 1));
        let ended = run(&place);
        assert_eq!(ended.code, Some(2), "{name}: {ended}");
        assert!(ended.stderr.contains("name") && ended.stderr.contains("64"), "{ended}");
        let harmless = |c: char| c == '\n' || !c.is_control() && c != '\u{202e}';
        assert!(ended.stderr.chars().all(harmless), "{ended}");
        assert!(ended.stderr.lines().all(|line| line.len() < 450), "{ended}");
        assert_eq!(place.files(), ["job.toml"], "{name}");
    }
}

/// The other names, for which there is no rule: of a data set, of the metric that decides, of a tensor. They are shown
/// escaped wherever they come up, and none becomes a path.
#[test]
fn c071_names_without_a_rule_are_shown_escaped_and_become_no_path() {
    let softmax = "kind = \"softmax-regression\"\ndata = NAME\n[[model";
    let csv = "[data]\npath = \"data.csv\"\nformat = \"csv\"\nlabel = \"y\"\n";
    let (head, tensor) = FIXED.split_once("kind = \"fixed\"").unwrap();
    let tensor = tensor.split_once("[[model").unwrap().1;
    let jobs = [
        format!("{head}{softmax}{tensor}{csv}"),
        FIXED.replace("rounds = 3", "rounds = 3\nbest.metric = NAME"),
        FIXED.replace("name = \"accuracy\"", "name = NAME"),
        FIXED.replace("name = \"weights\"", "name = NAME"),
    ];
    let names = ["../../../tmp/escaped", "--help", "a\\u0000b", "x\\n{\\\"level\\\":1}\\u001b[2J"];
    for name in names.into_iter().chain(["safe\\u202Elmot.boj", "<script>alert(1)</script>"]) {
        for job in &jobs {
            let place = Place::with_job(&job.replace("NAME", &format!("\"{name}\"")));
            place.write("data.csv", "x,y\n1,0\n2,1\n3,0\n4,1\n");
            let said = [run(&place), place.flare(&["model", "show", "out/model.safetensors"])];
            for ended in said {
                assert!(matches!(ended.code, Some(0..=2)), "{name}: {ended}");
                let harmless = |c: char| c == '\n' || !c.is_control() && c != '\u{202e}';
                assert!(ended.stderr.chars().all(harmless), "{name}: {ended}");
                assert!(ended.stdout.chars().all(harmless), "{name}: {ended}");
            }
            let within = |file: &String| {
                file.starts_with("out/") || file.contains("job.toml") || file == "data.csv"
            };
            assert!(place.files().iter().all(within), "{name}: {:?}", place.files());
            assert!(
                !place.files().iter().any(|file| file.contains("escaped")),
                "{:?}",
                place.files()
            );
            assert!(!place.read_if_there("out/report.html").contains("<script>"), "{name}");
            let rows = place.read_if_there("out/metrics.jsonl");
            let is_json = |row: &str| serde_json::from_str::<serde_json::Value>(row).is_ok();
            assert!(rows.lines().all(is_json), "{name}: {rows}");
        }
    }
}

#[test]
fn a_file_name_with_escapes_is_shown_harmlessly() {
    let ended = Place::new().flare(&["run", "a\u{1b}[2J\nb.toml"]);
    assert_eq!(ended.code, Some(2), "{ended}");
    assert!(ended.stderr.contains(r"a\u{1b}[2J\u{a}b.toml"), "{ended}");
}
