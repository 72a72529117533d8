//! The journal of a run as a file that only grows.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use flare_core::journal::{Entry, Epochs, Error, Journal};

use crate::disk::{self, Doing, damaged, sync_folder};
use crate::frame::{self, FORMAT};
use crate::header;
use crate::lock::RunLock;
use crate::point::{Steps, WritePoint};

/// The journal in a run's folder. It drops nothing (J5).
pub(crate) struct FolderJournal {
    path: PathBuf,
    file: File,
    steps: Steps,
    growth: Mutex<Growth>,
    _lock: Arc<RunLock>,
}

/// How far it has come.
struct Growth {
    /// Where the last commit ends.
    end: u64,
    /// Up to where it is synced.
    synced: u64,
    epochs: Epochs,
    /// The first error, after which nothing is written.
    broken: Option<Error>,
}

impl FolderJournal {
    /// Opens the journal of `folder`, new or old: a commit that was cut short is cut off, and what is there
    /// is synced.
    pub(crate) fn open(folder: &Path, steps: Steps, lock: Arc<RunLock>) -> Result<Self, Error> {
        let path = path(folder);
        let options =
            File::options().read(true).write(true).create(true).truncate(false).open(&path);
        let file = options.doing("opening", &path)?;
        let bytes = fs::read(&path).doing("reading", &path)?;
        let end = match FORMAT.is_unfinished(&bytes) {
            true => begin(&file, &path, &steps)?,
            false => mend(&file, &path, &bytes, &steps)?,
        };
        file.sync_all().doing("syncing", &path)?;
        sync_folder(folder)?;
        steps.reach(WritePoint::JournalOpened);
        let epochs = epochs(&bytes);
        let growth = Mutex::new(Growth { end, synced: end, epochs, broken: None });
        Ok(Self { path, file, steps, growth, _lock: lock })
    }

    fn commit(&self, growth: &mut Growth, entries: &[Entry], sync: bool) -> Result<(), Error> {
        let mut end = growth.end;
        if !entries.is_empty() {
            let frame = frame::encode(entries, end, growth.synced)
                .map_err(|error| std::io::Error::other(error.to_string()))
                .doing("encoding entries for", &self.path)?;
            disk::write_at(&self.file, &frame, end, &self.steps, WritePoint::CommitHalf)
                .doing("writing", &self.path)?;
            end += frame.len() as u64;
            self.steps.reach(WritePoint::CommitWritten);
        }
        if sync {
            self.file.sync_data().doing("syncing", &self.path)?;
            growth.synced = end;
            self.steps.reach(WritePoint::CommitSynced);
        }
        growth.end = end;
        Ok(())
    }
}

impl Journal for FolderJournal {
    fn append(&self, epoch: u64, entries: &[Entry], sync: bool) -> Result<(), Error> {
        let mut growth = self.growth.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = &growth.broken {
            return Err(error.clone());
        }
        growth.epochs.admit(epoch, entries)?;
        let done = self.commit(&mut growth, entries, sync);
        if let Err(error) = &done {
            growth.broken = Some(error.clone());
            // The first error is the one to tell. If the cut fails as well, half a commit stays, which
            // the next opening cuts off.
            drop(self.file.set_len(growth.end).and_then(|()| self.file.sync_data()));
        }
        done.map(|()| growth.epochs.note(entries))
    }

    fn entries(&self) -> Result<Vec<Entry>, Error> {
        let end = self.growth.lock().unwrap_or_else(PoisonError::into_inner).end;
        let mut bytes = fs::read(&self.path).doing("reading", &self.path)?;
        bytes.truncate(usize::try_from(end).unwrap_or(usize::MAX));
        let commits = commits(&bytes, &self.path)?;
        if commits.end != end {
            return Err(at(&self.path, commits.end));
        }
        let mut entries = Vec::new();
        for payload in commits.payloads {
            let decoded = frame::decode(payload);
            let fault =
                |error| damaged(&self.path, format!("a commit in it cannot be read: {error}"));
            entries.extend(decoded.map_err(fault)?);
        }
        Ok(entries)
    }
}

/// Where the journal of a folder is.
pub(crate) fn path(folder: &Path) -> PathBuf {
    folder.join("journal")
}

/// Writes the header of a new journal; a part of it may be there.
fn begin(file: &File, path: &Path, steps: &Steps) -> Result<u64, Error> {
    let header = FORMAT.header();
    disk::write_at(file, &header, 0, steps, WritePoint::JournalHeaderHalf)
        .doing("writing", path)?;
    steps.reach(WritePoint::JournalHeaderWritten);
    Ok(header::BYTES as u64)
}

/// Cuts off a commit that was cut short.
fn mend(file: &File, path: &Path, bytes: &[u8], steps: &Steps) -> Result<u64, Error> {
    FORMAT.check(bytes, path)?;
    let end = commits(bytes, path)?.end;
    if end < bytes.len() as u64 {
        steps.reach(WritePoint::JournalTornFound);
        file.set_len(end).doing("cutting off a torn commit of", path)?;
        steps.reach(WritePoint::JournalCut);
    }
    Ok(end)
}

fn commits<'a>(bytes: &'a [u8], path: &Path) -> Result<frame::Commits<'a>, Error> {
    frame::read(bytes).map_err(|damage| at(path, damage.offset))
}

/// Who opened the run; what cannot be read is told by who reads all entries.
fn epochs(bytes: &[u8]) -> Epochs {
    let payloads = frame::read(bytes).map(|commits| commits.payloads).unwrap_or_default();
    let mut epochs = Epochs::default();
    payloads.into_iter().filter_map(|it| frame::decode(it).ok()).for_each(|it| epochs.note(&it));
    epochs
}

fn at(path: &Path, offset: u64) -> Error {
    let fault = format!("the commit at byte {offset} is not as it was written, and later ones are");
    damaged(path, fault)
}
