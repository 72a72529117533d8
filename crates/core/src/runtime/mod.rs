//! The runtime: carries out a controller's operations over any transport.
//!
//! [`machine`] decides, as a pure function of what happens; `engine` carries its effects out, under one
//! lock and without waiting; whatever takes long (fetching, checking, folding) runs outside of it and
//! reports back. `ledger` is what the journal knows of the run's past.

mod active;
mod check;
mod cohort;
mod engine;
mod gathering;
mod heads;
mod ledger;
pub mod machine;
mod metrics;
mod presence;
mod replies;
mod silence;
mod targets;
mod told;
mod used;
mod verdict;
mod window;
mod words;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;

use crate::clock::{Clock, Spawn, Timestamp};
use crate::component::Registry;
use crate::event::{Event, Interest};
use crate::filter::Chain;
use crate::hash::Hash;
use crate::journal::{BlobStore, Journal, Run};
use crate::operation::{Key, OperationId, OperationSpec};
use crate::operations::{Error, Opened, Operations};
use crate::pool::Pool;
use crate::transport::{FetchError, Transport};
use crate::value::Value;

pub use cohort::{Cohort, Ending};
use engine::Engine;
pub use words::{Counters, Limits, MAX_FETCHES};

/// Where a run is remembered.
#[derive(Clone)]
pub struct Home {
    /// Its journal.
    pub journal: Arc<dyn Journal>,
    /// Its blobs.
    pub blobs: Arc<dyn BlobStore>,
    /// Outcomes before so many checkpoints are dropped: 2 on disk, 1 in memory (contract 6).
    pub keep_checkpoints: usize,
}

/// What a runtime needs of its surroundings.
#[derive(Clone)]
pub struct Seams {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Background work.
    pub spawn: Arc<dyn Spawn>,
    /// Threads for folds.
    pub pool: Arc<dyn Pool>,
}

/// What [`Options::hold_bytes`] is by default: 32 GiB.
pub const HOLD_BYTES: u64 = 32 << 30;

/// What [`Options::idle`] is by default: 30 s.
pub const IDLE: Duration = Duration::from_secs(30);

/// How a runtime behaves.
#[derive(Clone)]
pub struct Options {
    /// Window and attempts.
    pub limits: Limits,
    /// How many bytes of replies the operations in flight may keep that have no aggregator (contract 17). One
    /// whose replies will not fit, each taken as large as its task, is refused at its start.
    pub hold_bytes: u64,
    /// After how long a silence of a client that carries out a task is told as stalled, within a fifteenth of it
    /// (contract 36). Where clients have a lease ([`Transport::lease`]), it is no longer than that; in one process
    /// they have none, since a client is gone with the process only.
    pub idle: Duration,
    /// The aggregators that operations may name.
    pub registry: Registry,
    /// Filters on tasks as they leave.
    pub task_out: Chain,
    /// Filters on replies as they arrive.
    pub reply_in: Chain,
    /// Hash of what the job says of all filters, the clients' too: part of every specification.
    pub filters: Hash,
    /// The record of an earlier run, whose cohorts are to be used again, and whose failures are to fail again.
    pub cohort: Option<Cohort>,
    /// Whether a run may go on with other units than it began with (contract 8).
    pub accept_units: bool,
}

impl Default for Options {
    fn default() -> Self {
        let (task_out, reply_in): (Chain, Chain) = (Arc::new([]), Arc::new([]));
        Self {
            limits: Limits::default(),
            hold_bytes: HOLD_BYTES,
            idle: IDLE,
            registry: Registry::new(),
            task_out,
            reply_in,
            filters: Hash::of([]),
            cohort: None,
            accept_units: false,
        }
    }
}

/// Carries out operations over a transport `T`; the one implementation of the task semantics.
pub struct Runtime<T: Transport> {
    shared: Arc<Shared<T>>,
    opened: Opened,
}

/// What the runtime's own tasks share with it.
pub(crate) struct Shared<T: Transport> {
    engine: Mutex<Engine>,
    transport: Arc<T>,
    seams: Seams,
    /// Rings when the time of the next tick may have changed.
    bell: tokio::sync::Notify,
}

impl<T: Transport> Runtime<T> {
    /// Opens a run: begins it, or goes on with what the journal knows of it.
    ///
    /// # Errors
    /// When the journal cannot be read or written, or belongs to another run; when `idle` is longer than the lease
    /// of the transport's clients.
    pub fn open(
        run: Run,
        transport: Arc<T>,
        home: Home,
        seams: Seams,
        options: Options,
    ) -> Result<Arc<Self>, Error> {
        let idle = options.idle;
        if let Some(lease) = transport.lease().filter(|lease| *lease < idle) {
            return Err(Error::Idle { idle, lease });
        }
        let (engine, opened, unreleased) = Engine::open(run, home, options, transport.present())?;
        unreleased.tell(&*transport);
        let bell = tokio::sync::Notify::new();
        let shared = Arc::new(Shared { engine: Mutex::new(engine), transport, seams, bell });
        let listener = Box::pin(listen(Arc::clone(&shared)));
        shared.seams.spawn.spawn("runtime", listener);
        Ok(Arc::new(Self { shared, opened }))
    }

    /// Interrupts the executors and ends every wait: the program stops, the run does not. Its open
    /// operations stay open, and are run again when the run is resumed (contract 9).
    pub fn interrupt(&self) {
        self.shared.act(Engine::interrupt);
    }

    /// Replies that changed nothing, so far.
    pub fn counters(&self) -> Counters {
        self.shared.lock().counters()
    }

    /// A view of the counted and failed clients of the operations in flight, for progress displays.
    pub fn in_flight(&self) -> Vec<(Key, usize, usize)> {
        self.shared.lock().in_flight()
    }
}

impl<T: Transport> Drop for Runtime<T> {
    fn drop(&mut self) {
        self.shared.act(Engine::stop);
        self.shared.bell.notify_one();
    }
}

/// Hears the transport and the clock until the runtime is dropped.
async fn listen<T: Transport>(shared: Arc<Shared<T>>) {
    let mut events = shared.transport.events();
    loop {
        let next = shared.lock().next_tick();
        let sleep = match next {
            Some(at) => shared.seams.clock.sleep_until(at),
            None => Box::pin(futures::future::pending()),
        };
        let bell = std::pin::pin!(shared.bell.notified());
        let quiet = futures::future::select(sleep, bell);
        match futures::future::select(events.next(), quiet).await {
            futures::future::Either::Left((Some(batch), _)) => {
                shared.act(|engine| engine.heard(batch));
            }
            futures::future::Either::Left((None, _)) => return,
            futures::future::Either::Right(_) => {}
        }
        if shared.lock().is_stopped() {
            return;
        }
        shared.act(Engine::tick);
    }
}

impl<T: Transport> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, Engine> {
        self.engine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Timestamp {
        self.seams.clock.now()
    }

    /// Does something to the engine, carries out what follows, and starts the work that takes long.
    pub(crate) fn act<R>(self: &Arc<Self>, work: impl FnOnce(&mut Engine) -> R) -> R {
        let now = self.now();
        let (result, jobs, releases, woken, tick_moved) = {
            let mut engine = self.lock();
            engine.set_now(now);
            let before = engine.next_tick();
            let result = work(&mut engine);
            engine.carry_out(&*self.transport, &*self.seams.pool);
            let tick_moved = engine.next_tick() != before;
            (result, engine.take_jobs(), engine.take_releases(), engine.publish(), tick_moved)
        };
        if tick_moved {
            self.bell.notify_one();
        }
        releases.tell(&*self.transport);
        woken.into_iter().for_each(Waker::wake);
        for job in jobs {
            self.run_job(job);
        }
        result
    }

    fn run_job(self: &Arc<Self>, job: engine::Job) {
        let shared = Arc::clone(self);
        match job {
            engine::Job::Fetch(fetch) => {
                let work = async move {
                    let whole = 0..fetch.announcement.bytes;
                    // The operation may have ended, and been released, before this came to its turn.
                    let wanted = shared.lock().wants(fetch.task);
                    let bytes = match wanted {
                        true => shared.transport.fetch(fetch.task, whole).await,
                        false => Err(FetchError::Lost),
                    };
                    let inner = Arc::clone(&shared);
                    let check = move || {
                        let checked = fetch.check(bytes);
                        inner.act(|engine| engine.checked(checked));
                    };
                    shared.seams.spawn.blocking("check", Box::new(check));
                };
                self.seams.spawn.spawn("fetch", Box::pin(work));
            }
            engine::Job::Fold(mut fold) => {
                let work = move || {
                    fold.run(&*shared.seams.pool);
                    shared.act(|engine| engine.folded(fold));
                };
                self.seams.spawn.blocking("fold", Box::new(work));
            }
        }
    }
}

#[async_trait]
impl<T: Transport> Operations for Runtime<T> {
    fn opened(&self) -> &Opened {
        &self.opened
    }

    fn now(&self) -> Timestamp {
        self.shared.now()
    }

    async fn start(
        &self,
        spec: OperationSpec,
        interest: Interest,
    ) -> Result<(OperationId, Key), Error> {
        self.shared.act(|engine| engine.start(spec, interest))
    }

    fn events(&self, operation: OperationId) -> BoxStream<'static, Result<Event, Error>> {
        self.shared.lock().subscribe(operation)
    }

    async fn fetch(&self, blob: Hash) -> Result<Bytes, Error> {
        Ok(self.shared.lock().blobs().get(blob)?)
    }

    async fn put(&self, bytes: Bytes) -> Result<Hash, Error> {
        self.shared.act(|engine| engine.put(&bytes))
    }

    async fn conclude(&self, operation: OperationId, value: Bytes) -> Result<(), Error> {
        self.shared.act(|engine| engine.conclude(operation, &value))
    }

    async fn concluded(&self, operation: OperationId) -> Result<Option<Bytes>, Error> {
        self.shared.lock().concluded(operation)
    }

    async fn checkpoint(&self, state: Value, pins: Vec<Hash>) -> Result<(), Error> {
        self.shared.act(|engine| engine.checkpoint(&state, pins))
    }

    async fn value(&self, name: &str, fresh: Value) -> Result<Value, Error> {
        self.shared.act(|engine| engine.value(name, fresh))
    }

    async fn cancel(&self, operation: OperationId) -> Result<(), Error> {
        self.shared.act(|engine| engine.cancel(operation))
    }

    async fn release(&self, operation: OperationId) -> Result<(), Error> {
        self.shared.act(|engine| engine.release(operation))
    }
}
