//! A federation of many clients in this process, whose learner gives back what it gets.

use std::num::NonZeroUsize;
use std::sync::Arc;

use anyhow::Result;
use flare_core::clock::{Clock, Spawn, Timestamp};
use flare_core::component::ComponentSpec;
use flare_core::executor::{Context, Error, Executor, Reply, Task};
use flare_core::federation::Federation;
use flare_core::journal::{Run, RunId};
use flare_core::memory::{MemoryBlobs, MemoryJournal};
use flare_core::names::{Name, Roster};
use flare_core::operation::{Gather, OperationSpec, TaskSpec};
use flare_core::runtime::{Home, Limits, Options, Runtime, Seams};
use flare_core::sums::Weight;
use flare_core::tensor::{DType, Layout, Tensors};
use flare_core::{Hash, Shareable};
use flare_executor::{PoolOptions, Threads};
use flare_transport_local::LocalTransport;
use futures::future::BoxFuture;

/// What the clients answer.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Answer {
    /// What they got, shared.
    Same,
    /// As many fresh numbers as they got.
    Fresh,
}

struct Echo(Answer);

impl Executor for Echo {
    fn setup(&mut self, _: &mut Context<'_>) -> Result<(), Error> {
        Ok(())
    }

    fn execute(&mut self, task: &Task, ctx: &mut Context<'_>) -> Result<Reply, Error> {
        let mut output = task.input.clone();
        if self.0 == Answer::Fresh {
            let mut fresh = Tensors::builder(output.tensors.layout());
            let mut stream = ctx.random("payload");
            let pattern: Vec<f32> = (0..1024).map(|_| stream.f32()).collect();
            let values = fresh.slice_mut::<f32>("w")?;
            values.chunks_mut(1024).for_each(|part| part.copy_from_slice(&pattern[..part.len()]));
            output = Shareable::from(fresh.finish());
        }
        Ok(Reply { output, weight: Weight::Count(1), metrics: Vec::new() })
    }
}

/// The system's clock and plain threads.
struct System(std::time::Instant);

impl Clock for System {
    fn now(&self) -> Timestamp {
        Timestamp(u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    fn sleep_until(&self, _: Timestamp) -> BoxFuture<'static, ()> {
        Box::pin(futures::future::pending())
    }
}

struct Background;

impl Spawn for Background {
    fn spawn(&self, _: &'static str, work: BoxFuture<'static, ()>) {
        std::thread::spawn(move || futures::executor::block_on(work));
    }

    fn blocking(&self, _: &'static str, work: Box<dyn FnOnce() + Send>) {
        std::thread::spawn(work);
    }
}

/// A federation of `clients` clients, carried out by `workers` threads.
pub(crate) fn federation(clients: u32, workers: usize, answer: Answer) -> Result<Federation> {
    let roster = Roster::counted(clients)?;
    let unit = move || -> Box<dyn Executor> { Box::new(Echo(answer)) };
    let mut pool = PoolOptions::new(roster.clone(), 0, Arc::new(unit));
    pool.workers = NonZeroUsize::new(workers).unwrap_or(NonZeroUsize::MIN);
    let transport = Arc::new(LocalTransport::new(pool)?);
    let run = Run {
        id: RunId(0),
        job: Name::new("bench")?,
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
        clock: Arc::new(System(std::time::Instant::now())),
        spawn: Arc::new(Background),
        pool: Arc::new(Threads::available()),
    };
    let options = Options { limits: Limits::default(), ..Options::default() };
    Ok(Federation::new(Runtime::open(run, transport, home, seams, options)?))
}

/// A model of so many f32 in one tensor; no tensor at all for 0.
pub(crate) fn model(elements: usize) -> Result<Tensors> {
    let tensor = (elements > 0).then(|| ("w", DType::F32, vec![elements]));
    Ok(Tensors::zeros(&Layout::new(tensor)?))
}

/// An operation that asks for the mean of what everybody makes of `model`.
pub(crate) fn mean_of(model: &Tensors) -> OperationSpec {
    let input = Shareable::from(model.clone());
    let task = TaskSpec { name: "train".into(), input, ..TaskSpec::default() };
    let gather = Gather::Aggregate(ComponentSpec::plain("weighted-mean"));
    OperationSpec { gather, ..OperationSpec::broadcast(task) }
}
