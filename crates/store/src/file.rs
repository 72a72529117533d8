//! Files that are replaced whole: after a crash there is the old one or the new one.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use flare_core::journal::Error;

use crate::disk::{self, Doing, sync_folder};
use crate::point::{Steps, WritePoint};

/// The end of the name of a file that is being written.
const UNFINISHED: &str = ".flare.tmp";

/// What large files survive. Journal and client states are synced always (contract 13).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Durability {
    /// They are written to the system: they survive the end of any process. A power cut may tear
    /// them, which their hash tells.
    #[default]
    Process,
    /// They are synced: they survive a power cut.
    Power,
}

/// Replaces the file at `path` by `bytes`: written beside it, synced if `durability` says so, renamed, and
/// the folder synced. On an error the old file is untouched, and nothing is left beside it.
///
/// # Errors
/// When the folder cannot be written, or the disk is full.
pub fn write_atomically(path: &Path, bytes: &[u8], durability: Durability) -> Result<(), Error> {
    let steps = &Steps::default();
    Replace { durability, steps, points: &EXPORT }.write(path, &[bytes])
}

/// The steps of one kind of replacement.
#[derive(Debug)]
pub(crate) struct Points {
    pub(crate) half: WritePoint,
    pub(crate) written: WritePoint,
    pub(crate) synced: WritePoint,
    pub(crate) renamed: WritePoint,
    pub(crate) name_synced: WritePoint,
}

/// The steps of an exported file.
pub(crate) const EXPORT: Points = Points {
    half: WritePoint::ExportHalf,
    written: WritePoint::ExportWritten,
    synced: WritePoint::ExportSynced,
    renamed: WritePoint::ExportRenamed,
    name_synced: WritePoint::ExportNameSynced,
};

/// How a file is replaced.
pub(crate) struct Replace<'a> {
    pub(crate) durability: Durability,
    pub(crate) steps: &'a Steps,
    pub(crate) points: &'a Points,
}

impl Replace<'_> {
    /// Replaces the file at `path` by `parts`, one after the other.
    pub(crate) fn write(&self, path: &Path, parts: &[&[u8]]) -> Result<(), Error> {
        let beside = unfinished(path);
        let done = self.write_beside(&beside, parts).and_then(|()| {
            fs::rename(&beside, path).doing("renaming to its name", path)?;
            self.steps.reach(self.points.renamed);
            self.sync_name(path)
        });
        if done.is_err() {
            // The first error is the one to tell; what stays here is removed at the next opening.
            drop(fs::remove_file(&beside));
        }
        done
    }

    fn write_beside(&self, beside: &Path, parts: &[&[u8]]) -> Result<(), Error> {
        let file = File::create(beside).doing("making", beside)?;
        let mut offset = 0;
        for part in parts {
            let half = self.points.half;
            disk::write_at(&file, part, offset, self.steps, half).doing("writing", beside)?;
            offset += part.len() as u64;
        }
        self.steps.reach(self.points.written);
        if self.durability == Durability::Power {
            file.sync_all().doing("syncing", beside)?;
            self.steps.reach(self.points.synced);
        }
        Ok(())
    }

    fn sync_name(&self, path: &Path) -> Result<(), Error> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        if self.durability == Durability::Power {
            sync_folder(folder.unwrap_or(Path::new(".")))?;
            self.steps.reach(self.points.name_synced);
        }
        Ok(())
    }
}

/// A name beside `path` that no other writer of this process has; another process is kept out by the lock.
fn unfinished(path: &Path) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let process = std::process::id();
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{process}-{number}{UNFINISHED}"));
    name.into()
}

/// Removes what killed processes left half written in `folder`.
pub(crate) fn remove_unfinished(folder: &Path, steps: &Steps) -> Result<(), Error> {
    for name in disk::names_in(folder)?.iter().filter(|name| name.ends_with(UNFINISHED)) {
        steps.reach(WritePoint::LeftoverFound);
        disk::remove(&folder.join(name))?;
    }
    Ok(())
}
