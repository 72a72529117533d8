//! What a pool is made from: how much may run at once, and what surrounds a client's executor.

use std::num::NonZeroUsize;
use std::sync::Arc;

use flare_core::component::ExecutorFactory;
use flare_core::executor::{DataSource, Error};
use flare_core::filter::Chain;
use flare_core::journal::StateStore;
use flare_core::memory::MemoryStates;
use flare_core::names::{Name, Rank, Roster};
use flare_core::runtime::Limits;

/// How many clients' executors a worker keeps between tasks; the one that was used longest ago makes
/// room. Few, since each may hold buffers as large as its model.
pub const RESIDENTS: NonZeroUsize = NonZeroUsize::new(16).expect("16 is not 0");

/// The data sets of the clients of one roster.
pub trait ClientData: Send + Sync {
    /// Data set `set` of a client.
    ///
    /// # Errors
    /// When the client has none of that name.
    fn data(&self, rank: Rank, client: &Name, set: &str) -> Result<DataSource, Error>;
}

/// Clients without data.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoData;

impl ClientData for NoData {
    fn data(&self, _: Rank, client: &Name, set: &str) -> Result<DataSource, Error> {
        Err(format!("client {client} has no data set {set:?}: this run was given no data").into())
    }
}

/// What a [`Pool`](crate::Pool) is made from.
#[derive(Clone)]
pub struct PoolOptions {
    /// The number of threads, hence of tasks that run at once.
    pub workers: NonZeroUsize,
    /// How many threads a task may use of its own.
    pub cores_per_task: NonZeroUsize,
    /// How many clients' executors a worker keeps between tasks.
    pub residents: NonZeroUsize,
    /// So many whole replies may be in the making, held or fetched at once, however large.
    pub reply_window: u32,
    /// So many bytes of replies may be, however many they are.
    pub window_bytes: u64,
    /// The seed of the run.
    pub seed: u64,
    /// The clients.
    pub roster: Roster,
    /// Makes the executor of a client.
    pub unit: Arc<dyn ExecutorFactory>,
    /// The clients' states.
    pub states: Arc<dyn StateStore>,
    /// The clients' data.
    pub data: Arc<dyn ClientData>,
    /// Filters on tasks as they arrive at a client.
    pub task_in: Chain,
    /// Filters on replies as they leave it.
    pub reply_out: Chain,
}

impl PoolOptions {
    /// A worker for each core, states in memory, no data, no filters, and the runtime's own limits.
    pub fn new(roster: Roster, seed: u64, unit: Arc<dyn ExecutorFactory>) -> Self {
        let Limits { reply_window, window_bytes, .. } = Limits::default();
        Self {
            workers: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            cores_per_task: NonZeroUsize::MIN,
            residents: RESIDENTS,
            reply_window,
            window_bytes,
            seed,
            roster,
            unit,
            states: Arc::new(MemoryStates::default()),
            data: Arc::new(NoData),
            task_in: Arc::new([]),
            reply_out: Arc::new([]),
        }
    }
}
