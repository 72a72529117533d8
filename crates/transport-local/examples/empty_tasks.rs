//! What an empty task costs: through the bare transport, and with the whole runtime around it.
//!
//! `cargo run --release -p flare-transport-local --example empty_tasks [CLIENTS] [WORKERS] [ROUNDS]`
#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
#![allow(clippy::print_stdout, reason = "it prints what it measured")]
#![allow(clippy::unwrap_used, reason = "a benchmark that fails may do so loudly")]

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use flare_core::clock::{Clock, Timestamp};
use flare_core::component::ComponentSpec;
use flare_core::event::Kind;
use flare_core::executor::{Context, Error, Executor, Reply, Task};
use flare_core::federation::Federation;
use flare_core::hash::Hash;
use flare_core::journal::{Run, RunId};
use flare_core::memory::{MemoryBlobs, MemoryJournal};
use flare_core::names::{Name, Rank, Roster};
use flare_core::operation::{Gather, Key, OperationId, OperationSpec, StateAccess, TaskSpec};
use flare_core::outcome::Weight;
use flare_core::pool::Serial;
use flare_core::runtime::{Home, Options, Runtime, Seams};
use flare_core::shareable::Shareable;
use flare_core::transport::{Assignment, Event, Transport};
use flare_executor::PoolOptions;
use flare_testkit::conformance::threads::Threads;
use flare_transport_local::LocalTransport;
use futures::StreamExt;
use futures::executor::block_on;
use futures::future::BoxFuture;

struct Empty;

impl Executor for Empty {
    fn setup(&mut self, _: &mut Context<'_>) -> Result<(), Error> {
        Ok(())
    }

    fn execute(&mut self, _: &Task, _: &mut Context<'_>) -> Result<Reply, Error> {
        let output = Shareable::default();
        Ok(Reply { output, weight: Weight::Count(1), metrics: Vec::new() })
    }
}

fn transport(clients: u32, workers: usize) -> LocalTransport {
    let unit = || -> Box<dyn Executor> { Box::new(Empty) };
    let mut options = PoolOptions::new(Roster::counted(clients).unwrap(), 0, Arc::new(unit));
    options.workers = NonZeroUsize::new(workers).unwrap();
    LocalTransport::new(options).unwrap()
}

fn bare(clients: u32, workers: usize, rounds: u64) -> Vec<Duration> {
    let transport = transport(clients, workers);
    let mut events = transport.events();
    let to: Vec<Assignment> =
        (0..clients).map(|rank| Assignment { rank: Rank(rank), state: None }).collect();
    let counted: Vec<Rank> = (0..clients).map(Rank).collect();
    let mut round = |operation: u64| {
        let started = Instant::now();
        let task = Arc::new(Task {
            operation: OperationId(operation),
            key: Key::Ordinal(operation),
            stop: 0,
            name: "nothing".into(),
            round: None,
            input: Shareable::default(),
            state: StateAccess::None,
            hash: Hash::of([]),
        });
        transport.dispatch(&task, &to);
        let mut left = clients;
        while left > 0 {
            for event in block_on(events.next()).unwrap() {
                if let Event::Announced(task, _) = event {
                    transport.let_go(task);
                    left -= 1;
                }
            }
        }
        transport.release(OperationId(operation), &counted);
        started.elapsed()
    };
    (0..rounds).map(&mut round).collect()
}

fn whole(clients: u32, workers: usize, rounds: u64) -> Vec<Duration> {
    let roster = Roster::counted(clients).unwrap();
    let run = Run {
        id: RunId(1),
        job: Name::new("empty").unwrap(),
        job_hash: Hash::of([]),
        seed: 0,
        roster,
        units: Vec::new(),
    };
    let home = Home {
        journal: Arc::new(MemoryJournal::default()),
        blobs: Arc::new(MemoryBlobs::default()),
        keep_checkpoints: 1,
    };
    let seams = Seams {
        clock: Arc::new(SinceStart(Instant::now())),
        spawn: Arc::new(Threads),
        pool: Arc::new(Serial),
    };
    let transport = Arc::new(transport(clients, workers));
    let runtime = Runtime::open(run, transport, home, seams, Options::default()).unwrap();
    let federation = Federation::new(runtime);
    federation.on(Kind::OperationEnded, |_| Ok(()));
    let round = |_| {
        let started = Instant::now();
        let task = TaskSpec { name: "nothing".into(), ..TaskSpec::default() };
        let mut spec = OperationSpec::broadcast(task);
        spec.gather = Gather::Aggregate(ComponentSpec::plain("weighted-mean"));
        let outcome = block_on(federation.aggregate(spec)).unwrap();
        assert_eq!(outcome.record.counted().len(), clients as usize);
        block_on(federation.save(&0_u64, &[])).unwrap();
        started.elapsed()
    };
    (0..rounds).map(round).collect()
}

struct SinceStart(Instant);

impl Clock for SinceStart {
    fn now(&self) -> Timestamp {
        Timestamp::default().after(self.0.elapsed())
    }

    fn sleep_until(&self, _: Timestamp) -> BoxFuture<'static, ()> {
        Box::pin(futures::future::pending())
    }
}

fn show(what: &str, clients: u32, mut times: Vec<Duration>) {
    times.sort_unstable();
    let per_client = |time: Duration| time.as_secs_f64() * 1e9 / f64::from(clients);
    let (least, median) = (per_client(times[0]), per_client(times[times.len() / 2]));
    println!(
        "{what:<10} {clients:>8} clients: least {least:>6.0} ns, median {median:>6.0} ns each"
    );
}

fn main() {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse().unwrap());
    let clients: u64 = arguments.next().unwrap_or(10_000);
    let workers = arguments.next().unwrap_or(1) as usize;
    let rounds = arguments.next().unwrap_or(21);
    let clients = u32::try_from(clients).unwrap();
    show("transport", clients, bare(clients, workers, rounds));
    show("runtime", clients, whole(clients, workers, rounds));
}
