//! A federation in the test's own process: runtime, local transport, and memory that outlives them.
#![allow(dead_code, reason = "shared by the tests of all plugins, none of which needs all of it")]

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use flare_core::Hash;
use flare_core::component::{ComponentSpec, ExecutorFactory, Registry};
use flare_core::controller::{Controller, Error, Finished};
use flare_core::executor::{Executor, Learner, LearnerExecutor};
use flare_core::federation::Federation;
use flare_core::journal::{self, Entry, Epochs, Journal, Run, RunId};
use flare_core::memory::{MemoryBlobs, MemoryStates};
use flare_core::names::{Name, Roster};
use flare_core::outcome::Record;
use flare_core::runtime::{Home, Options, Runtime};
use flare_core::tensor::{TensorData, Tensors};
use flare_core::value::Value;
use flare_executor::{ClientData, PoolOptions};
use flare_testkit::conformance::threads::seams;
use flare_transport_local::LocalTransport;
use futures::executor::block_on;

/// A run, and all that is kept of it when its process ends.
pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) workers: usize,
    pub(crate) roster: Roster,
    pub(crate) unit: Arc<dyn ExecutorFactory>,
    pub(crate) data: Option<Arc<dyn ClientData>>,
    pub(crate) model: Tensors,
    pub(crate) journal: Arc<Cut>,
    pub(crate) blobs: Arc<MemoryBlobs>,
    pub(crate) states: Arc<MemoryStates>,
}

/// A journal that keeps everything, as one on disk does, and fails after so many writes, as if the process had
/// been killed there.
#[derive(Default)]
pub(crate) struct Cut {
    kept: Mutex<Vec<Entry>>,
    records: Mutex<Vec<Arc<Record>>>,
    left: AtomicUsize,
    cuts: bool,
}

impl World {
    /// Clients `client-0` …, each with an executor that `unit` makes.
    pub(crate) fn new(clients: u32, model: Tensors, unit: Arc<dyn ExecutorFactory>) -> Self {
        Self {
            seed: 0,
            workers: 2,
            roster: Roster::counted(clients).unwrap(),
            unit,
            data: None,
            model,
            journal: Arc::default(),
            blobs: Arc::default(),
            states: Arc::default(),
        }
    }

    /// Opens the run in a new process.
    pub(crate) fn open(&self) -> Federation {
        let run = Run {
            id: RunId(7),
            job: Name::new("test").unwrap(),
            job_hash: Hash::of([]),
            seed: self.seed,
            roster: self.roster.clone(),
            units: Vec::new(),
        };
        let mut options = PoolOptions::new(self.roster.clone(), self.seed, Arc::clone(&self.unit));
        options.workers = NonZeroUsize::new(self.workers).unwrap();
        options.states = self.states.clone();
        options.data = self.data.clone().unwrap_or(options.data);
        let transport = Arc::new(LocalTransport::new(options).unwrap());
        let home =
            Home { journal: self.journal.clone(), blobs: self.blobs.clone(), keep_checkpoints: 2 };
        let runtime = Runtime::open(run, transport, home, seams(), Options::default()).unwrap();
        Federation::new(runtime).with_model(self.model.clone())
    }

    /// Runs a controller in a new process, from the beginning or the last checkpoint.
    pub(crate) fn run(&self, mut controller: impl Controller) -> Result<Finished, Error> {
        let federation = self.open();
        block_on(controller.run(&federation))
    }

    /// Runs a controller by pieces, each of which is killed at its `steps`th write to the journal; gives the
    /// number of pieces.
    pub(crate) fn run_in_pieces<C: Controller>(
        &mut self,
        steps: usize,
        controller: impl Fn() -> C,
    ) -> (Finished, usize) {
        for piece in 1..300 {
            let kept = Cut { kept: self.journal.copied(), cuts: true, ..Cut::default() };
            kept.left.store(steps, Ordering::SeqCst);
            self.journal = Arc::new(kept);
            match self.run(controller()) {
                Ok(finished) => return (finished, piece),
                Err(error) => assert!(error.to_string().contains("killed"), "{error}"),
            }
        }
        panic!("no end after 300 pieces of {steps} writes");
    }

    /// The records of operations that ended, in order.
    pub(crate) fn records(&self) -> Vec<Arc<Record>> {
        self.journal.records.lock().unwrap().clone()
    }

    /// The model of the last checkpoint.
    pub(crate) fn kept_model(&self) -> Tensors {
        self.pinned(0)
    }

    /// One of the tensors that the last checkpoint pins: the model, then the method's own.
    pub(crate) fn pinned(&self, at: usize) -> Tensors {
        let entries = self.journal.entries().unwrap();
        let pins = entries.iter().rev().find_map(|entry| match entry {
            Entry::Checkpoint { pins, .. } => Some(pins.clone()),
            _ => None,
        });
        let bytes = journal::BlobStore::get(&*self.blobs, pins.unwrap()[at]).unwrap();
        Tensors::decode(bytes).unwrap()
    }
}

impl Cut {
    /// The same entries, as another process finds them.
    fn copied(&self) -> Mutex<Vec<Entry>> {
        Mutex::new(self.kept.lock().unwrap().clone())
    }
}

impl Journal for Cut {
    fn append(&self, epoch: u64, entries: &[Entry], _: bool) -> Result<(), journal::Error> {
        Epochs::of(&*self.kept.lock().unwrap()).admit(epoch, entries)?;
        let one_less = |left: usize| left.checked_sub(1);
        let write = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less);
        if self.cuts && write.is_err() {
            return Err(journal::Error::Missing { what: "a process that was killed".into() });
        }
        self.kept.lock().unwrap().extend_from_slice(entries);
        let ended = entries.iter().filter_map(|entry| match entry {
            Entry::Ended(record) => Some(Arc::clone(record)),
            _ => None,
        });
        self.records.lock().unwrap().extend(ended);
        Ok(())
    }

    fn entries(&self) -> Result<Vec<Entry>, journal::Error> {
        Ok(self.kept.lock().unwrap().clone())
    }
}

/// Makes executors of a learner.
pub(crate) fn unit<L: Learner + 'static>(
    make: impl Fn() -> L + Send + Sync + 'static,
) -> Arc<dyn ExecutorFactory> {
    let create = move || -> Box<dyn Executor> { Box::new(LearnerExecutor(make())) };
    Arc::new(create)
}

/// A learner by name and settings, as a job asks for it.
pub(crate) fn learner(kind: &str, settings: &str) -> Arc<dyn ExecutorFactory> {
    let mut registry = Registry::new();
    registry.add_all(flare_plugin_study::components());
    let config: Value = toml::from_str(settings).unwrap();
    let spec = ComponentSpec { config, ..ComponentSpec::plain(kind) };
    registry.executor(&spec).unwrap()
}

/// A model of one tensor of f64.
pub(crate) fn vector(name: &str, elements: &[f64]) -> Tensors {
    Tensors::from_slices([(name, [elements.len()].as_slice(), TensorData::from(elements))]).unwrap()
}
