//! A panic of a learner is its failure, with message and place, and nobody else's.

use std::fmt;
use std::panic::panic_any;
use std::sync::Arc;

use flare_core::executor::{Context, Error, Executor, Reply, Task};
use flare_core::outcome::Cause;
use flare_core::tensor::Tensors;

use crate::bench::{Bench, PANICKED, doing, made_by, reply};

/// Panics where its task, or its client's number, says.
struct Misbehaving {
    client: String,
}

impl Executor for Misbehaving {
    fn setup(&mut self, ctx: &mut Context<'_>) -> Result<(), Error> {
        self.client = ctx.client().to_string();
        match &*self.client {
            "client-1" => panic!("in setup"),
            "client-2" => Err("no data here".into()),
            _ => Ok(()),
        }
    }

    fn execute(&mut self, task: &Task, _: &mut Context<'_>) -> Result<Reply, Error> {
        match &*task.name {
            "str" => panic!("in execute"),
            "formatted" => panic!("in {}", "execute"),
            "number" => panic_any(7),
            "payload" => panic_any(Bomb),
            "error" => Err(Box::new(Bomb)),
            _ => Ok(reply(Tensors::empty())),
        }
    }

    fn teardown(&mut self) {
        assert_ne!(self.client, "client-3", "in teardown");
    }
}

impl Drop for Misbehaving {
    fn drop(&mut self) {
        assert!(self.client != "client-4" || std::thread::panicking(), "in drop");
    }
}

/// Panics when it is dropped as a payload, and when it is shown as an error.
#[derive(Debug)]
struct Bomb;

impl fmt::Display for Bomb {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("in display")
    }
}

impl std::error::Error for Bomb {}

impl Drop for Bomb {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("in the payload's drop")
        }
    }
}

fn misbehaving() -> Bench {
    let make = || -> Box<dyn Executor> { Box::new(Misbehaving { client: String::new() }) };
    let mut options = made_by(6, 1, make);
    options.residents = std::num::NonZeroUsize::MIN;
    Bench::new(options)
}

fn panic_of(bench: &Bench, name: &str, rank: u32) -> String {
    match bench.run(1, name, rank) {
        Err(Cause::Panic(text)) => text.to_string(),
        other => panic!("{name} at {rank}: {other:?}"),
    }
}

#[test]
fn a_panic_is_a_cause_with_message_and_place() {
    let bench = misbehaving();
    for (name, rank, message) in [
        ("str", 0, "in execute, at "),
        ("formatted", 0, "in execute, at "),
        ("number", 0, "a panic without a message, at "),
        ("payload", 0, "a panic without a message, at "),
        ("error", 0, "in display, at "),
        ("fine", 1, "in setup, at "),
    ] {
        let text = panic_of(&bench, name, rank);
        assert!(text.starts_with(message), "{text}");
        let (_, line) = text.split_once(&format!("at {}:", file!())).expect("the place");
        assert!(line.parse::<u32>().is_ok_and(|line| (1..100).contains(&line)), "{text}");
    }
    assert_eq!(bench.run(1, "fine", 2).unwrap_err(), Cause::Error("no data here".into()));
    // And the worker goes on.
    assert!(bench.run(2, "fine", 0).is_ok());
    assert!(bench.rest().is_empty());
}

#[test]
fn a_panic_in_teardown_or_drop_fails_nobody_else() {
    let bench = misbehaving();
    // Room for one executor: each evicts the one before.
    for rank in [3, 4, 0, 4, 3] {
        assert!(bench.run(1, "fine", rank).is_ok(), "{rank}");
    }
    assert!(bench.rest().is_empty());
}

#[test]
fn a_panic_when_it_is_made_is_caught_too() {
    let bench = Bench::new(made_by(1, 1, || panic!("in create")));
    assert!(panic_of(&bench, "fine", 0).starts_with("in create, at "));
    assert!(panic_of(&bench, "fine", 0).starts_with("in create, at "));
}

#[test]
fn other_threads_panics_are_left_to_the_hook_that_was_there() {
    let bench = misbehaving();
    panic_of(&bench, "str", 0);
    let named = std::thread::Builder::new().name("a-stranger".into());
    assert!(named.spawn(|| panic!("for the hook")).unwrap().join().is_err());
    let panicked = PANICKED.lock().unwrap().clone();
    assert!(panicked.iter().any(|name| name == "a-stranger"), "{panicked:?}");
    assert!(!panicked.iter().any(|name| name.starts_with("flare-worker")), "{panicked:?}");
}

#[test]
fn an_error_is_told_with_its_sources_and_not_at_any_length() {
    #[derive(Debug)]
    struct Outer(std::io::Error);
    impl fmt::Display for Outer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("reading its data")
        }
    }
    impl std::error::Error for Outer {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&self.0)
        }
    }
    let work = |task: &Task, _: &mut Context<'_>| -> Result<Reply, Error> {
        match &*task.name {
            "long" => Err("é".repeat(100_000).into()),
            _ => Err(Box::new(Outer(std::io::Error::other("a bad disk")))),
        }
    };
    let bench = Bench::new(doing(1, 1, work));
    let told = bench.run(1, "short", 0).unwrap_err();
    assert_eq!(told, Cause::Error(Arc::from("reading its data: a bad disk")));
    let Err(Cause::Error(text)) = bench.run(2, "long", 0) else { panic!("it fails") };
    assert!(text.len() < 20_000 && text.ends_with("é…"), "{}", text.len());
}
