//! Ctrl-C: a run stops at once, keeps what is finished, and goes on from there.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::place::{Ended, Place, with_learner};

/// So many rounds that no test waits for the last one.
fn slow(place: &Place) {
    let job = with_learner("kind = \"sleepy\"\ndelay = 0.05");
    place.write("job.toml", job.replace("rounds = 3", "rounds = 10000"));
}

/// A run that has finished so many rounds.
fn running(place: &Place, args: &[&str], rounds: usize) -> Child {
    let mut command = place.command(args);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
    let ended = |line: &String| line.contains("\"round-ended\"");
    let seen = lines.by_ref().map(Result::unwrap).filter(ended).take(rounds).count();
    assert_eq!(seen, rounds, "the run ended early");
    child
}

fn signal(child: &Child, signal: Signal) {
    let pid = Pid::from_raw(child.id().try_into().unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

/// How it ended, and how long that took.
fn ended(place: &Place, child: Child, since: Instant) -> (Ended, Duration) {
    let ended = place.ended(child.wait_with_output().unwrap());
    (ended, since.elapsed())
}

#[test]
fn ctrl_c_stops_within_a_second_and_says_how_to_go_on() {
    for stop in [Signal::INT, Signal::TERM] {
        let place = Place::new();
        slow(&place);
        let args = ["run", "job.toml", "--json", "--quiet", "--out", "my out"];
        let child = running(&place, &args, 2);
        let since = now();
        signal(&child, stop);
        let (ended, time) = ended(&place, child, since);
        assert_eq!(ended.code, Some(130), "{ended}");
        assert!(time < Duration::from_secs(1), "{time:?}");
        let hint = "go on with `flare run job.toml --resume 'my out'`";
        assert!(ended.stderr.contains("interrupted") && ended.stderr.contains(hint), "{ended}");

        let args = ["run", "job.toml", "--set=controller.rounds=3", "--json", "--resume", "my out"];
        let other = place.flare(&args);
        assert_eq!(other.code, Some(3), "another number of rounds is another run: {other}");
    }
}

/// A program that waited for its tasks would take half a minute.
#[test]
fn ctrl_c_stops_training_that_would_take_half_a_minute_within_a_second() {
    let place = Place::new();
    place.write("job.toml", with_learner("kind = \"sleepy\"\ndelay = 30"));
    let args = ["run", "job.toml", "--json", "--quiet", "--workers=2", "--count-calls=calls"];
    let mut command = place.command(&args);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("operation-started")));
    let deadline = now() + Duration::from_secs(60);
    while place.read_if_there("calls") != ".." {
        assert!(now() < deadline, "nothing trains");
        std::thread::yield_now();
    }
    let since = now();
    signal(&child, Signal::INT);
    let (ended, time) = ended(&place, child, since);
    assert_eq!(ended.code, Some(130), "{ended}");
    assert!(time < Duration::from_secs(1), "{time:?}");
    assert!(!ended.stderr.contains(CANNOT), "it looks: {ended}");
}

#[test]
fn an_interrupted_run_goes_on_and_ends_with_the_same_model() {
    let place = Place::new();
    slow(&place);
    let rounds = "--set=controller.rounds=6";
    let args = ["run", "job.toml", rounds, "--json", "--quiet"];
    let whole = place.flare(&args).well().summary();
    let child = running(&place, &[&args[..], &["--out=out"]].concat(), 2);
    signal(&child, Signal::INT);
    let (first, _) = ended(&place, child, now());
    assert_eq!(first.code, Some(130), "{first}");
    let page = place.read("out/report.html");
    assert!(page.contains("not finished") && page.contains("<title>round 2"), "{page}");
    let rest = place.flare(&[&args[..], &["--resume=out"]].concat()).well().summary();
    assert_eq!(rest["model_hash"], whole["model_hash"]);
    let page = place.read("out/report.html");
    assert!(!page.contains("not finished") && page.contains("<title>round 6"), "{page}");
    let trained = rest["trained"].as_u64().unwrap();
    assert!((2..=8).contains(&trained), "what was finished is not trained again: {trained}");
}

#[test]
fn without_a_folder_it_says_that_nothing_was_kept() {
    let place = Place::new();
    slow(&place);
    let child = running(&place, &["run", "job.toml", "--json", "--quiet"], 1);
    signal(&child, Signal::INT);
    let (ended, _) = ended(&place, child, now());
    assert_eq!(ended.code, Some(130), "{ended}");
    assert!(ended.stderr.contains("hint: nothing was kept"), "{ended}");
    assert_eq!(place.files(), ["job.toml"]);
}

/// Training code that nobody can stop, and that takes longer than a test does. Tasks are under way.
fn deaf(place: &Place) -> Child {
    place.write("job.toml", with_learner("kind = \"sleepy\"\ndelay = 60\ndeaf = true"));
    let args = ["run", "job.toml", "--json", "--workers=2", "--out=out"];
    let mut command = place.command(&args);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("operation-started")));
    child
}

const CANNOT: &str = "interrupted, in the middle of training code that cannot be stopped";

/// A worker that had not begun is stopped in order: then it is tried once more.
#[test]
fn training_code_that_never_looks_is_not_waited_for() {
    let tried = || {
        let place = Place::new();
        let child = deaf(&place);
        let since = now();
        signal(&child, Signal::INT);
        let (ended, time) = ended(&place, child, since);
        assert_eq!(ended.code, Some(130), "{ended}");
        assert!(time < Duration::from_secs(20), "it was waited for: {time:?}");
        let cannot = ended.stderr.contains(CANNOT);
        assert!(!cannot || time >= Duration::from_millis(900), "{time:?} are no grace");
        assert!(ended.stderr.contains("--resume out"), "{ended}");
        let page = place.read("out/report.html");
        assert!(page.contains("not finished") && page.contains("No round was finished"), "{page}");
        cannot
    };
    assert!((0..5).any(|_| tried()), "it never said that the code cannot be stopped");
}

/// Hears the program say that it stops; what else it says.
fn stopping(child: &mut Child) -> impl Iterator<Item = String> + use<> {
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(said.any(|line| line.contains("once more ends it at once")));
    said
}

/// Three rounds that take no time, and after them training on all data, which nobody can stop.
fn deaf_when_alone(place: &Place) -> Child {
    let learner = "kind = \"sleepy\"\ndeaf = true\nclients = { central = 60.0 }";
    let data = "[data]\npath = \"data.csv\"\nformat = \"csv\"\nlabel = \"y\"\n";
    place.write("data.csv", "x,y\n1,0\n2,1\n3,0\n4,1\n");
    place.write("job.toml", format!("{}{data}", with_learner(learner)));
    let mut command = place.command(&["run", "job.toml", "--json", "--out=out"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("\"central\"")));
    child
}

/// When it says that it stops, the page is there: whatever the code does, nothing is left to be written.
#[test]
fn the_page_is_there_before_code_that_cannot_be_stopped_is_given_up() {
    let place = Place::new();
    let mut child = deaf_when_alone(&place);
    assert!(!place.path("out/report.html").exists());
    signal(&child, Signal::INT);
    drop(stopping(&mut child));
    child.kill().unwrap();
    child.wait().unwrap();
    let page = place.read("out/report.html");
    assert!(page.contains("not finished") && page.contains("<title>round 3"), "{page}");
}

/// Training that had not begun is stopped in order: then it is tried once more.
#[test]
fn a_run_that_is_given_up_in_its_comparisons_leaves_its_page() {
    let tried = || {
        let place = Place::new();
        let child = deaf_when_alone(&place);
        let since = now();
        signal(&child, Signal::INT);
        let (ended, time) = ended(&place, child, since);
        assert_eq!(ended.code, Some(130), "{ended}");
        assert!(time < Duration::from_secs(20), "it was waited for: {time:?}");
        let page = place.read("out/report.html");
        assert!(page.contains("not finished") && page.contains("<title>round 3"), "{page}");
        ended.stderr.contains(CANNOT)
    };
    assert!((0..5).any(|_| tried()), "it never said that the code cannot be stopped");
}

#[test]
fn a_second_ctrl_c_ends_the_program_at_once() {
    let place = Place::new();
    let mut child = deaf(&place);
    signal(&child, Signal::INT);
    let said = stopping(&mut child);
    signal(&child, Signal::INT);
    let rest: Vec<String> = said.collect();
    let (ended, _) = ended(&place, child, now());
    assert_eq!(ended.code, Some(130), "{ended}");
    assert!(!rest.iter().any(|line| line.contains(CANNOT)), "it used up its grace: {rest:?}");
}

#[expect(clippy::disallowed_methods, reason = "a test measures how long people wait")]
fn now() -> Instant {
    Instant::now()
}
