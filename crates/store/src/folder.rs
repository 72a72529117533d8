//! The folder of a run.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use flare_core::journal::{BlobStore, Error, Journal, StateStore};

use crate::blobs::FolderBlobs;
use crate::disk;
use crate::file::{Durability, EXPORT, Replace, remove_unfinished};
use crate::journal::{self, FolderJournal};
use crate::lock::RunLock;
use crate::point::{Steps, Watch, WritePoint};
use crate::states::FolderStates;

/// A run's folder, open for its one writer.
///
/// | in it | what |
/// |---|---|
/// | `lock` | the lock, and the number of the process that has it |
/// | `journal` | the run's entries |
/// | `blobs/HASH` | a blob |
/// | `states/op-N` | the versions of clients' states that operation N left |
///
/// The lock is held until this and everything that was handed out are dropped.
pub struct Folder {
    path: PathBuf,
    durability: Durability,
    steps: Steps,
    journal: Arc<FolderJournal>,
    blobs: Arc<FolderBlobs>,
    states: Arc<FolderStates>,
}

impl Folder {
    /// Opens the folder at `path`, new or old, and takes the run's lock. What a process that was killed
    /// left half written is removed. From then on [`survive_file_size_limit`](crate::survive_file_size_limit)
    /// holds.
    ///
    /// # Errors
    /// [`Error::InUse`] while another process has it; [`Error::Damaged`] when what it holds is not what was
    /// written; [`Error::Io`] when it cannot be read or written, or is of another version of the format.
    pub fn open(path: impl AsRef<Path>, durability: Durability) -> Result<Self, Error> {
        Self::with(path.as_ref(), durability, Steps::default())
    }

    /// Opens the folder at `path` if a run was begun there.
    ///
    /// # Errors
    /// [`Error::Missing`] when there is no journal; else as [`open`](Self::open).
    pub fn reopen(path: impl AsRef<Path>, durability: Durability) -> Result<Self, Error> {
        let journal = journal::path(path.as_ref());
        if !journal.is_file() {
            let what = format!("journal of a run ({})", disk::shown(&journal));
            return Err(Error::Missing { what });
        }
        Self::open(path, durability)
    }

    /// Opens the folder at `path`, and tells `watch` of every step of every write.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_watched(
        path: impl AsRef<Path>,
        durability: Durability,
        watch: Watch,
    ) -> Result<Self, Error> {
        Self::with(path.as_ref(), durability, Steps::watched(watch))
    }

    fn with(path: &Path, durability: Durability, steps: Steps) -> Result<Self, Error> {
        disk::survive_file_size_limit();
        for folder in [path, &path.join("blobs"), &path.join("states")] {
            disk::make_folder(folder)?;
        }
        steps.reach(WritePoint::FoldersMade);
        let lock = Arc::new(RunLock::take(path)?);
        steps.reach(WritePoint::LockTaken);
        remove_unfinished(path, &steps)?;
        let journal = FolderJournal::open(path, steps.clone(), Arc::clone(&lock))?;
        let blobs = FolderBlobs::open(path, durability, steps.clone(), Arc::clone(&lock))?;
        let states = FolderStates::open(path, steps.clone(), lock)?;
        Ok(Self {
            path: path.into(),
            durability,
            steps,
            journal: Arc::new(journal),
            blobs: Arc::new(blobs),
            states: Arc::new(states),
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What large files survive.
    pub fn durability(&self) -> Durability {
        self.durability
    }

    /// The run's entries.
    pub fn journal(&self) -> Arc<dyn Journal> {
        Arc::clone(&self.journal) as _
    }

    /// The run's blobs.
    pub fn blobs(&self) -> Arc<dyn BlobStore> {
        Arc::clone(&self.blobs) as _
    }

    /// The clients' states.
    pub fn states(&self) -> Arc<dyn StateStore> {
        Arc::clone(&self.states) as _
    }

    /// Replaces the file `name` in the folder, as [`write_atomically`](crate::write_atomically) does.
    ///
    /// # Errors
    /// When it cannot be written; the old file is untouched then.
    pub fn export(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let (durability, steps) = (self.durability, &self.steps);
        Replace { durability, steps, points: &EXPORT }.write(&self.path.join(name), &[bytes])
    }
}
