//! E1 to E3: executors are set up, kept, evicted and torn down; what they computed does not show it.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use flare_core::executor::{Context, Error, Executor, Reply, Task};
use flare_core::filter::{Filter, Passage};
use flare_core::hash::Hash;
use flare_core::outcome::Cause;
use flare_core::shareable::Shareable;
use flare_executor::{PoolOptions, Work};

use crate::bench::{Bench, assigned, doubles, made_by, reply, task, with_tensors};

type Log = Arc<Mutex<Vec<String>>>;

/// Notes what happens to it, and panics if two threads are in it at once.
struct Noted {
    log: Log,
    client: String,
    busy: AtomicBool,
}

impl Noted {
    fn note(&self, what: &str) {
        self.log.lock().unwrap().push(format!("{what} {}", self.client));
    }
}

impl Executor for Noted {
    fn setup(&mut self, ctx: &mut Context<'_>) -> Result<(), Error> {
        assert!(self.client.is_empty(), "it is set up twice");
        self.client = ctx.client().to_string();
        self.note("setup");
        Ok(())
    }

    fn execute(&mut self, task: &Task, ctx: &mut Context<'_>) -> Result<Reply, Error> {
        assert_eq!(self.client, ctx.client().as_str());
        assert!(!self.busy.swap(true, Ordering::Relaxed));
        self.note("execute");
        self.busy.store(false, Ordering::Relaxed);
        match &*task.name {
            "panic" => panic!("as it was told"),
            _ => Ok(reply(doubles(&[1.0]))),
        }
    }

    fn teardown(&mut self) {
        self.note("teardown");
    }
}

fn noted(residents: usize, workers: usize) -> (Bench, Log) {
    let log = Log::default();
    let mut options = noted_options(Arc::clone(&log), workers);
    options.residents = NonZeroUsize::new(residents).unwrap();
    (Bench::new(options), log)
}

fn noted_options(log: Log, workers: usize) -> PoolOptions {
    made_by(10, workers, move || {
        let (log, client, busy) = (Arc::clone(&log), String::new(), AtomicBool::new(false));
        Box::new(Noted { log, client, busy })
    })
}

#[test]
fn e1_setup_comes_once_before_and_teardown_once_after() {
    let (bench, log) = noted(2, 1);
    for rank in [0, 1, 0, 2, 0, 1] {
        bench.run(1, "fine", rank).unwrap();
    }
    assert!(bench.run(1, "panic", 1).is_err());
    bench.run(1, "fine", 1).unwrap();
    drop(bench);
    // Client 1 is used longest ago when 2 comes, then 2 when 1 comes back. What panicked is not used,
    // nor torn down, again.
    let expected = [
        "setup client-0",
        "execute client-0",
        "setup client-1",
        "execute client-1",
        "execute client-0",
        "teardown client-1",
        "setup client-2",
        "execute client-2",
        "execute client-0",
        "teardown client-2",
        "setup client-1",
        "execute client-1",
        "execute client-1",
        "setup client-1",
        "execute client-1",
        "teardown client-0",
        "teardown client-1",
    ];
    assert_eq!(*log.lock().unwrap(), expected);
}

/// Lets no task in that has tensors.
struct Closed;

impl Filter for Closed {
    fn apply(&self, shareable: Shareable, _: Passage<'_>) -> Result<Shareable, Error> {
        if shareable.tensors.is_empty() { Ok(shareable) } else { Err("closed".into()) }
    }
}

#[test]
fn a_task_that_is_not_let_in_leaves_the_executor_where_it_is() {
    let log = Log::default();
    let mut options = noted_options(Arc::clone(&log), 1);
    options.task_in = Arc::new([Arc::new(Closed) as Arc<dyn Filter>]);
    let bench = Bench::new(options);
    let refused = || {
        bench.submit(&with_tensors(2, "fine", doubles(&[1.0])), [0]);
        assert_eq!(bench.end().unwrap_err(), Cause::Refused("closed".into()));
    };
    refused();
    bench.run(1, "fine", 0).unwrap();
    refused();
    bench.run(3, "fine", 0).unwrap();
    drop(bench);
    let expected = ["setup client-0", "execute client-0", "execute client-0", "teardown client-0"];
    assert_eq!(*log.lock().unwrap(), expected);
}

#[test]
fn what_was_used_longest_ago_makes_room() {
    let (bench, log) = noted(3, 1);
    for rank in [0, 1, 2, 0, 3, 2, 0] {
        bench.run(1, "fine", rank).unwrap();
    }
    let log = log.lock().unwrap();
    let torn: Vec<&String> = log.iter().filter(|it| it.starts_with("teardown")).collect();
    assert_eq!(torn, ["teardown client-1"]);
}

#[test]
fn e3_one_thread_at_a_time_is_in_an_executor_and_no_worker_keeps_too_many() {
    let (bench, log) = noted(3, 2);
    for operation in 0..20 {
        bench.submit(&task(operation, "fine"), 0..10);
        bench.ends(10);
        let count = |what| log.lock().unwrap().iter().filter(|it| it.starts_with(what)).count();
        let kept = count("setup") - count("teardown");
        assert!(kept <= 2 * 3, "{kept}");
    }
    drop(bench);
    let count = |what| log.lock().unwrap().iter().filter(|it| it.starts_with(what)).count();
    assert_eq!(count("setup"), count("teardown"));
    assert_eq!(count("execute"), 200);
}

/// Adds what it drew in this task, and in its setup, to what its state has.
#[derive(Default)]
struct Drawing {
    drawn: f64,
}

impl Executor for Drawing {
    fn setup(&mut self, ctx: &mut Context<'_>) -> Result<(), Error> {
        self.drawn = ctx.random("setup").f64();
        Ok(())
    }

    fn execute(&mut self, _: &Task, ctx: &mut Context<'_>) -> Result<Reply, Error> {
        let before = ctx.state().map(|state| f64::from_le_bytes((&**state).try_into().unwrap()));
        let sum = before.unwrap_or(0.0) + ctx.random("draw").f64() + self.drawn;
        ctx.set_state(sum.to_le_bytes().to_vec())?;
        Ok(reply(doubles(&[sum])))
    }
}

#[test]
fn x1_the_same_bits_at_any_number_of_workers_and_residents() {
    let run = |workers, residents| {
        let mut options = made_by(30, workers, || Box::new(Drawing::default()));
        options.residents = NonZeroUsize::new(residents).unwrap();
        let bench = Bench::new(options);
        let rounds = (1..=5_u64).map(|operation| {
            let from = (operation > 1).then(|| operation - 1);
            let to = (0..30).map(|rank| assigned(rank, from)).collect();
            bench.pool.handle().submit(Work::new(task(operation, "draw"), to));
            let ends = bench.ends(30);
            ends.into_values().map(|end| end.unwrap().tensors).collect::<Vec<Hash>>()
        });
        rounds.collect::<Vec<_>>()
    };
    let alone = run(1, 1);
    let distinct: std::collections::BTreeSet<&Hash> = alone.iter().flatten().collect();
    assert_eq!(distinct.len(), 150, "each client draws its own in each round");
    for (workers, residents) in [(1, 16), (2, 1), (7, 16), (7, 2)] {
        assert_eq!(run(workers, residents), alone, "{workers} workers, {residents} residents");
    }
}
