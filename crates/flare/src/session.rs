//! An open run in this process: the runtime over the local transport, with what both stand on.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flare_core::component::{ComponentSpec, Registry, Role};
use flare_core::hash::Hash;
use flare_core::journal::{self, Entry, Run, RunId, StateStore};
use flare_core::memory::{MemoryJournal, MemoryStates};
use flare_core::operations;
use flare_core::runtime::{self, Home, Runtime, Seams};
use flare_executor::{PoolOptions, Threads};
use flare_store::{Durability, Folder, OnTmpfs, Spill};
use flare_transport_local::{Faults, LocalTransport};

use crate::background::Background;

/// How much is kept of what clients reply, and where it is when the run has no folder (contract 17).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// So many bytes of replies the operations in flight may keep that have no aggregator; 32 GiB. One whose
    /// replies will not fit, each taken as large as its task, is refused at its start.
    pub bytes: u64,
    /// So many bytes of replies and models a run without a folder keeps in memory; 1 GiB.
    pub memory: u64,
    /// Where a run without a folder puts the rest: into a file without a name, which is gone when the process
    /// is. By default what `TMPDIR` says, or `/var/tmp`.
    pub spill: PathBuf,
    /// Whether that folder may be one whose files are in memory themselves; by default it may not.
    pub on_tmpfs: OnTmpfs,
}

impl Default for Hold {
    fn default() -> Self {
        let named = std::env::var_os("TMPDIR").filter(|folder| !folder.is_empty());
        let spill = named.map_or_else(|| PathBuf::from("/var/tmp"), PathBuf::from);
        Self { bytes: runtime::HOLD_BYTES, memory: 1 << 30, spill, on_tmpfs: OnTmpfs::Refuse }
    }
}

/// Where a run is remembered: in memory, or in a folder that this process has the lock of.
pub(crate) struct Place {
    /// Journal and blobs.
    pub(crate) home: Home,
    /// The clients' states.
    pub(crate) states: Arc<dyn StateStore>,
    /// The folder, if there is one.
    pub(crate) folder: Option<Arc<Folder>>,
    /// What the journal knows of the run's past.
    pub(crate) past: Vec<Entry>,
}

/// An open run. Dropping it stops what runs; the run itself can be gone on with.
pub(crate) struct Session {
    /// Carries out operations.
    pub(crate) runtime: Arc<Runtime<LocalTransport>>,
    background: Background,
}

/// Why a run does not open.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The system gives no threads.
    #[error("starting threads: {0}")]
    Threads(#[from] std::io::Error),
    /// The runtime refuses the run, or its memory cannot be read.
    #[error(transparent)]
    Operations(#[from] operations::Error),
}

impl Place {
    /// One that ends with the process: in memory, and what does not fit there in a file without a name.
    pub(crate) fn unnamed(hold: &Hold) -> Self {
        let journal = Arc::new(MemoryJournal::default());
        let blobs = Arc::new(Spill::new(hold.memory, &hold.spill, hold.on_tmpfs));
        Self {
            home: Home { journal, blobs, keep_checkpoints: 1 },
            states: Arc::new(MemoryStates::default()),
            folder: None,
            past: Vec::new(),
        }
    }

    /// A folder, made if it is not there.
    pub(crate) fn folder(path: &Path, durability: Durability) -> Result<Self, journal::Error> {
        let folder = Folder::open(path, durability)?;
        let journal = folder.journal();
        let past = journal.entries()?;
        Ok(Self {
            home: Home { journal, blobs: folder.blobs(), keep_checkpoints: 2 },
            states: folder.states(),
            folder: Some(Arc::new(folder)),
            past,
        })
    }

    /// Whether a run was begun here.
    pub(crate) fn holds_run(&self) -> bool {
        self.past.iter().any(|entry| matches!(entry, Entry::Run(_)))
    }
}

impl Session {
    /// Opens `run` over a pool.
    pub(crate) fn open(
        run: Run,
        pool: PoolOptions,
        faults: Option<Faults>,
        home: Home,
        options: runtime::Options,
    ) -> Result<Self, Error> {
        let background = Background::start()?;
        let seam = background.seam();
        let threads = Threads::new(pool.workers);
        let transport = match faults {
            Some(faults) => LocalTransport::with_faults(pool, faults, Arc::clone(seam) as _)?,
            None => LocalTransport::new(pool)?,
        };
        let seams = Seams {
            clock: Arc::clone(seam) as _,
            spawn: Arc::clone(seam) as _,
            pool: Arc::new(threads),
        };
        let runtime = Runtime::open(run, Arc::new(transport), home, seams, options)?;
        let weak = Arc::downgrade(&runtime);
        seam.on_failure(move || {
            if let Some(runtime) = weak.upgrade() {
                runtime.interrupt();
            }
        });
        Ok(Self { runtime, background })
    }

    /// The first panic of background work, if there was one.
    pub(crate) fn failure(&self) -> Option<String> {
        self.background.seam().failure()
    }
}

/// As many workers as asked for, or as there are cores.
pub(crate) fn workers(asked: Option<NonZeroUsize>) -> NonZeroUsize {
    asked.or_else(|| std::thread::available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN)
}

/// A new run's identity: 128 bits of the system's randomness.
///
/// # Errors
/// When the system gives none.
pub(crate) fn new_id() -> std::io::Result<RunId> {
    let mut bytes = [0; 16];
    std::io::Read::read_exact(&mut std::fs::File::open("/dev/urandom")?, &mut bytes)?;
    Ok(RunId(u128::from_le_bytes(bytes)))
}

/// A component as a unit of a run: what it is, its version, and the hash of the build that it is linked into.
pub(crate) fn unit(
    registry: &Registry,
    role: Role,
    spec: &ComponentSpec,
    build: Hash,
) -> (String, Hash) {
    let version = registry.get(role, spec.kind.as_str()).map_or("", |known| known.version);
    (format!("{role} {} {version}", spec.kind), build)
}

/// Hash of the program that runs: what is linked in is what it was built from.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn build_hash() -> std::io::Result<Hash> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(std::fs::File::open("/proc/self/exe")?)?;
    Ok(hasher.finalize().into())
}
