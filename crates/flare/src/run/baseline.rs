//! What the federation's model is compared with: the same learner on all data, and each client alone.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flare_core::component::ExecutorFactory;
use flare_core::executor::{
    Cancel, Context, DataSource, EVALUATE, Error, Reply, Surroundings, TRAIN, Task,
};
use flare_core::filter::panic_text;
use flare_core::hash::Hash;
use flare_core::names::Name;
use flare_core::operation::{Key, OperationId, StateAccess};
use flare_core::pool::Pool;
use flare_core::shareable::Shareable;
use flare_core::tensor::Tensors;
use flare_executor::Threads;

use crate::dealt::Dealt;

/// Trains and evaluates outside of the federation, with the job's learner, data and seed.
pub(super) struct Bench<'a> {
    pub(super) unit: &'a dyn ExecutorFactory,
    pub(super) dealt: &'a Dealt,
    pub(super) seed: u64,
    pub(super) model: &'a Tensors,
    /// Train calls of each model.
    pub(super) rounds: u64,
    pub(super) threads: Threads,
    pub(super) cancel: &'a Cancel,
}

impl Bench<'_> {
    /// Accuracy of a model trained on the union of all clients' data in roster order; `tick` hears how many
    /// train calls are done.
    ///
    /// # Errors
    /// What the learner said.
    pub(super) fn central(&self, tick: &(dyn Fn(u64) + Sync)) -> Result<Option<f64>, String> {
        let who = Name::new("central").map_err(|error| error.to_string())?;
        let model = self.train(&who, "central", &self.dealt.union(), tick)?;
        self.accuracy(&model)
    }

    /// Mean over clients of the accuracy of the model that each trains alone; `tick` hears how many are
    /// done.
    ///
    /// # Errors
    /// What a learner said, the first by rank.
    pub(super) fn alone(
        &self,
        names: &(dyn Fn(usize) -> Name + Sync),
        tick: &(dyn Fn(u64) + Sync),
    ) -> Result<Option<f64>, String> {
        let parts = self.dealt.parts();
        let done = AtomicU64::new(0);
        let results: Vec<std::sync::OnceLock<Result<Option<f64>, String>>> =
            parts.iter().map(|_| std::sync::OnceLock::new()).collect();
        self.threads.for_each(parts.len(), &|index| {
            let result = self
                .train(&names(index), "alone", &parts[index], &|_| ())
                .and_then(|model| self.accuracy(&model));
            results[index].get_or_init(|| result);
            tick(done.fetch_add(1, Ordering::Relaxed) + 1);
        });
        let mut total = 0.0;
        for result in results {
            match result.into_inner().unwrap_or(Ok(None))? {
                Some(accuracy) => total += accuracy,
                None => return Ok(None),
            }
        }
        Ok(Some(total / parts.len() as f64))
    }

    /// Accuracy of a model on the rows that no client has; where none are held out, on all.
    ///
    /// # Errors
    /// What the learner said.
    pub(super) fn accuracy(&self, model: &Tensors) -> Result<Option<f64>, String> {
        let held_out = self.dealt.held_out();
        let rows = if held_out.is_empty() { self.dealt.union() } else { Arc::clone(held_out) };
        let who = Name::new(flare_core::names::HELD_OUT).map_err(|error| error.to_string())?;
        let mut seat = Seat::new(self, &who, &rows)?;
        let reply = seat.execute(task(EVALUATE, "evaluate", 0, model))?;
        let found = reply.metrics.iter().find(|metric| &*metric.name == "accuracy");
        Ok(found.map(|metric| metric.value))
    }

    fn train(
        &self,
        who: &Name,
        label: &str,
        rows: &Arc<[u32]>,
        tick: &dyn Fn(u64),
    ) -> Result<Tensors, String> {
        let mut seat = Seat::new(self, who, rows)?;
        let mut model = self.model.clone();
        for round in 1..=self.rounds {
            if self.cancel.is_set() {
                return Err("interrupted".into());
            }
            model = seat.execute(task(TRAIN, label, round, &model))?.output.tensors;
            tick(round);
        }
        Ok(model)
    }
}

/// One executor and its rows.
struct Seat<'a> {
    executor: Box<dyn flare_core::executor::Executor>,
    who: &'a Name,
    seed: u64,
    cancel: &'a Cancel,
    rows: Rows,
}

struct Rows(DataSource);

impl Surroundings for Rows {
    fn data(&self, _: &str) -> Result<DataSource, Error> {
        Ok(self.0.clone())
    }

    fn progress(&self, _: f32) {}
}

impl<'a> Seat<'a> {
    fn new(bench: &Bench<'a>, who: &'a Name, rows: &Arc<[u32]>) -> Result<Self, String> {
        let rows = Rows(bench.dealt.source(rows));
        let (executor, seed, cancel) = (bench.unit.create(), bench.seed, bench.cancel);
        let mut seat = Self { executor, who, seed, cancel, rows };
        let task = task("setup", "setup", 0, &Tensors::empty());
        seat.guarded(&task, |executor, ctx| executor.setup(ctx))?;
        Ok(seat)
    }

    fn execute(&mut self, task: Task) -> Result<Reply, String> {
        self.guarded(&task, |executor, ctx| executor.execute(&task, ctx))
    }

    fn guarded<T>(
        &mut self,
        task: &Task,
        work: impl FnOnce(&mut dyn flare_core::executor::Executor, &mut Context<'_>) -> Result<T, Error>,
    ) -> Result<T, String> {
        let mut ctx = Context::new(self.who, task, self.seed, 1, self.cancel, &self.rows, None);
        let executor = &mut *self.executor;
        match catch_unwind(AssertUnwindSafe(|| work(executor, &mut ctx))) {
            Ok(result) => result.map_err(|error| error.to_string()),
            Err(panic) => Err(format!("the learner panicked: {}", panic_text(&*panic))),
        }
    }
}

/// A task outside of the federation: its label names its random streams.
fn task(name: &str, label: &str, round: u64, model: &Tensors) -> Task {
    let label =
        Name::new(&format!("{label}-{round}")).expect("a short word and a number are a name");
    Task {
        operation: OperationId(round),
        key: Key::Label(label),
        stop: 0,
        name: name.into(),
        round: Some(round),
        input: Shareable::from(model.clone()),
        state: StateAccess::None,
        hash: Hash::of([]),
    }
}
