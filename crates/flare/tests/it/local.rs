//! Pattern one from a program: a federation in this process, and the example that is killed.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use flare::component::ComponentSpec;
use flare::data::{CsvOptions, HeldOut, Partition, Source};
use flare::executor::{self, Context, Learner, Task, Update};
use flare::local::{Error, Options};
use flare::metric::Metric;
use flare::operation::{OperationSpec, Targets, TaskSpec};
use flare::outcome::Weight;
use flare::tensor::Tensors;

fn echo(name: &str) -> Options {
    Options::new(name).component(ComponentSpec::plain("echo"))
}

fn train(label: Option<&str>) -> OperationSpec {
    let task = TaskSpec { name: "train".into(), ..TaskSpec::default() };
    let label = label.map(|label| flare::names::Name::new(label).unwrap());
    OperationSpec { label, ..OperationSpec::broadcast(task) }
}

#[test]
fn replies_come_by_rank_whatever_the_order_of_the_names() {
    let federation = flare::local(echo("names").names(["c", "a", "b"])).unwrap();
    let outcome = flare::block_on(federation.broadcast_and_wait(train(None))).unwrap();
    let replies = flare::block_on(federation.replies(&outcome)).unwrap();
    let names: Vec<_> = replies.iter().map(|reply| federation.roster().name(reply.rank)).collect();
    assert_eq!(names.iter().map(|name| name.as_str()).collect::<Vec<_>>(), ["a", "b", "c"]);
}

#[test]
fn options_that_cannot_be_are_refused_in_words() {
    let error = |options: Options| flare::local(options).err().unwrap().to_string();
    assert!(error(echo("Not A Name")).starts_with("\"Not A Name\" is no name: "));
    assert_eq!(
        error(echo("a").clients(0)),
        "the roster is empty: list at least one client, or give a count of at least 1"
    );
    assert_eq!(error(echo("a").names(["x", "x"])), "client x is listed twice in the roster");
    assert!(error(Options::new("a")).starts_with("the clients have no learner"));
    let unknown = Options::new("a").component(ComponentSpec::plain("ekko"));
    assert!(error(unknown).starts_with("there is no learner named \"ekko\"; known are: echo, "));
}

#[test]
fn a_program_that_comes_again_is_answered_and_another_one_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let options = || echo("again").clients(3).out(folder.path());
    let replayed = |options: Options, label: &str| {
        let federation = flare::local(options).unwrap();
        flare::block_on(federation.broadcast_and_wait(train(Some(label))))
            .map(|outcome| outcome.replayed)
    };
    assert!(!replayed(options(), "first").unwrap());
    assert!(replayed(options(), "first").unwrap());
    assert!(!replayed(options(), "second").unwrap());
    let federation = flare::local(options()).unwrap();
    let other = OperationSpec {
        targets: Targets::Listed(vec![federation.roster().name(flare::names::Rank(0))]),
        ..train(Some("first"))
    };
    let error = flare::block_on(federation.broadcast_and_wait(other)).unwrap_err().to_string();
    assert!(error.starts_with("operation first differs: kind or targets"), "{error}");
    drop(federation);
    let error = flare::local(options().seed(9)).err().unwrap();
    assert!(
        matches!(error, Error::Operations(_)) && error.to_string().contains("whose seed differs")
    );
}

#[test]
fn a_program_that_comes_again_is_given_the_time_that_it_was_given_first() {
    let folder = tempfile::tempdir().unwrap();
    let options = || echo("times").clients(1).out(folder.path());
    let times = |names: &[&str]| -> Vec<flare::clock::Timestamp> {
        let federation = flare::local(options()).unwrap();
        names.iter().map(|name| flare::block_on(federation.now(name)).unwrap()).collect()
    };
    let first = times(&["begin", "then", "begin"]);
    assert_eq!(first[0], first[2]);
    assert_ne!(first[0], first[1]);
    assert_eq!(times(&["then", "begin", "then"]), [first[1], first[0], first[1]]);
    let federation = flare::local(options()).unwrap();
    let other = flare::block_on(federation.value("now/then", || vec![true])).unwrap_err();
    assert!(other.to_string().starts_with("value \"now/then\": "), "{other}");
}

#[test]
fn a_handler_hears_once_in_a_run_who_joined_it() {
    let folder = tempfile::tempdir().unwrap();
    let joined = |labels: &[&str]| {
        let federation = flare::local(echo("joined").names(["b", "a"]).out(folder.path())).unwrap();
        let heard = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let inner = std::sync::Arc::clone(&heard);
        federation.on(flare::event::Kind::Joined, move |event| {
            if let flare::event::What::Presence { client, .. } = &event.what {
                inner.lock().unwrap().push((client.to_string(), event.replayed));
            }
            Ok(())
        });
        for label in labels {
            flare::block_on(federation.broadcast_and_wait(train(Some(label)))).unwrap();
        }
        std::mem::take(&mut *heard.lock().unwrap())
    };
    let all = [("a".to_owned(), false), ("b".to_owned(), false)];
    assert_eq!(joined(&["first", "second"]), all);
    assert_eq!(joined(&["first", "second", "third"]), []);
}

fn example() -> Command {
    let test = std::env::current_exe().unwrap();
    let target: PathBuf = test.ancestors().nth(2).unwrap().into();
    Command::new(target.join("examples/local"))
}

fn lines(command: &mut Command) -> Vec<String> {
    let output = command.stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "{:?}", output.status);
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn the_example_that_is_killed_goes_on_from_its_journal_to_the_same_model() {
    let source = std::fs::read_to_string(
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/local.rs"),
    );
    assert!(source.unwrap().lines().count() < 60);
    let undisturbed = lines(&mut example());
    assert_eq!(undisturbed.len(), 21);
    for round in [1, 7, 19] {
        let folder = tempfile::tempdir().unwrap();
        let mut child = example().arg(folder.path()).stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
        let mark = format!("round {round}");
        assert!(output.any(|line| line.unwrap() == mark), "{mark}");
        // SIGKILL, wherever it is now.
        child.kill().unwrap();
        child.wait().unwrap();
        let again = lines(example().arg(folder.path()));
        assert_eq!(again.last(), undisturbed.last());
        let replayed = again.iter().filter(|line| line.ends_with("from the journal")).count();
        assert!(replayed >= round, "{replayed} of {round} rounds were answered");
        assert!(again[0].ends_with("from the journal"));
    }
}

/// Replies with no tensors, weighed by the number of rows that the client has.
struct Rows;

impl Learner for Rows {
    fn setup(&mut self, _: &mut Context<'_>) -> Result<(), executor::Error> {
        Ok(())
    }

    fn train(&mut self, _: &Task, ctx: &mut Context<'_>) -> Result<Update, executor::Error> {
        let rows = ctx.data("train")?.rows.map_or(0, |rows| rows.len());
        let weight = Weight::Count(rows as u64);
        Ok(Update { tensors: Tensors::empty(), weight, metrics: Vec::new() })
    }

    fn evaluate(&mut self, _: &Task, _: &mut Context<'_>) -> Result<Vec<Metric>, executor::Error> {
        Err("there is nothing to measure".into())
    }
}

#[test]
fn data_are_dealt_out_to_the_clients_and_the_held_out_rows_to_none() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/digits/digits.csv.gz");
    let source = Source::new(path, flare::data::Options::Csv(CsvOptions::new("label")));
    let options = Options::new("rows").clients(4).learner(|| Rows);
    let federation =
        flare::local(options.data(source, Partition::Iid {}, HeldOut::Count(397))).unwrap();
    let outcome = flare::block_on(federation.broadcast_and_wait(train(None))).unwrap();
    let weights: Vec<_> = outcome.record.counted().iter().map(|(_, reply)| reply.weight).collect();
    assert_eq!(weights, [350; 4].map(Weight::Count));
}
