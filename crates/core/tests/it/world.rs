//! A run whose journal and blobs outlive its runtime, and operations of one number.

use std::sync::{Arc, Mutex};

use flare_core::clock::{Clock, Spawn, Timestamp};
use flare_core::federation::Federation;
use flare_core::journal::{self, Entry, Epochs, Journal, Run, RunId};
use flare_core::memory::{MemoryBlobs, MemoryJournal};
use flare_core::names::{Name, Roster};
use flare_core::operation::{OperationSpec, TaskSpec};
use flare_core::operations;
use flare_core::pool::Serial;
use flare_core::runtime::{Home, Options, Runtime, Seams};
use flare_core::tensor::{DType, Layout, Tensors};
use flare_core::transport::Transport;
use flare_core::{Hash, Shareable};
use futures::executor::block_on;
use futures::future::BoxFuture;

/// A run of `clients` clients whose journal and blobs outlive its runtime.
pub(crate) struct World {
    pub(crate) run: Run,
    pub(crate) journal: Arc<dyn Journal>,
    blobs: Arc<MemoryBlobs>,
}

impl World {
    pub(crate) fn new(clients: u32) -> Self {
        let run = Run {
            id: RunId(7),
            job: Name::new("test").unwrap(),
            job_hash: Hash::of([]),
            seed: 0,
            roster: Roster::counted(clients).unwrap(),
            units: Vec::new(),
        };
        Self { run, journal: Arc::new(MemoryJournal::default()), blobs: Arc::default() }
    }

    /// The same, but its journal forgets nothing.
    pub(crate) fn remembering(clients: u32) -> Self {
        Self { journal: Arc::new(Everything::default()), ..Self::new(clients) }
    }

    pub(crate) fn open<T: Transport>(&self, transport: &Arc<T>) -> Federation {
        self.open_with(transport, Options::default()).unwrap()
    }

    pub(crate) fn open_with<T: Transport>(
        &self,
        transport: &Arc<T>,
        options: Options,
    ) -> Result<Federation, operations::Error> {
        let home =
            Home { journal: self.journal.clone(), blobs: self.blobs.clone(), keep_checkpoints: 2 };
        let seams =
            Seams { clock: Arc::new(Still), spawn: Arc::new(Threads), pool: Arc::new(Serial) };
        let transport = Arc::clone(transport);
        let runtime = Runtime::open(self.run.clone(), transport, home, seams, options)?;
        Ok(Federation::new(runtime))
    }
}

pub(crate) fn train(value: f32) -> OperationSpec {
    let input = Shareable::from(scalar(value));
    OperationSpec::broadcast(TaskSpec { name: "train".into(), input, ..TaskSpec::default() })
}

pub(crate) fn scalar(value: f32) -> Tensors {
    let layout = Layout::new([("x", DType::F32, Vec::new())]).unwrap();
    let mut tensors = Tensors::builder(&layout);
    tensors.slice_mut::<f32>("x").unwrap()[0] = value;
    tensors.finish()
}

pub(crate) fn value(tensors: &Tensors) -> f32 {
    tensors.slice::<f32>("x").unwrap()[0]
}

/// A journal that forgets nothing, as one on disk.
#[derive(Default)]
struct Everything(Mutex<(Vec<Entry>, Epochs)>);

impl Journal for Everything {
    fn append(&self, epoch: u64, entries: &[Entry], _: bool) -> Result<(), journal::Error> {
        let (kept, epochs) = &mut *self.0.lock().unwrap();
        epochs.admit(epoch, entries)?;
        epochs.note(entries);
        kept.extend_from_slice(entries);
        Ok(())
    }

    fn entries(&self) -> Result<Vec<Entry>, journal::Error> {
        Ok(self.0.lock().unwrap().0.clone())
    }
}

struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp(0)
    }

    fn sleep_until(&self, _: Timestamp) -> BoxFuture<'static, ()> {
        Box::pin(futures::future::pending())
    }
}

struct Threads;

impl Spawn for Threads {
    fn spawn(&self, _: &'static str, work: BoxFuture<'static, ()>) {
        std::thread::spawn(move || block_on(work));
    }

    fn blocking(&self, _: &'static str, work: Box<dyn FnOnce() + Send>) {
        std::thread::spawn(work);
    }
}
