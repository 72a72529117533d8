//! Blobs as files, named by their hash.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use flare_core::Hash;
use flare_core::journal::{BlobStore, Error};

use crate::disk::{self, Doing, damaged};
use crate::file::{Durability, Points, Replace, remove_unfinished};
use crate::lock::RunLock;
use crate::point::{Steps, WritePoint};

/// From this size on a file is mapped, not read: a model of gigabytes costs memory for what is looked at.
const MAPPED_FROM: u64 = 64 * 1024;

const POINTS: Points = Points {
    half: WritePoint::BlobHalf,
    written: WritePoint::BlobWritten,
    synced: WritePoint::BlobSynced,
    renamed: WritePoint::BlobRenamed,
    name_synced: WritePoint::BlobNameSynced,
};

/// The blobs in a run's folder.
pub(crate) struct FolderBlobs {
    folder: PathBuf,
    durability: Durability,
    steps: Steps,
    known: Mutex<BTreeMap<Hash, Since>>,
    _lock: Arc<RunLock>,
}

/// Who wrote a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Since {
    /// This process.
    Now,
    /// One before it; a power cut may have torn it.
    Before,
}

impl FolderBlobs {
    /// Opens the blobs of `folder`: what a killed process left half written is removed.
    pub(crate) fn open(
        folder: &Path,
        durability: Durability,
        steps: Steps,
        lock: Arc<RunLock>,
    ) -> Result<Self, Error> {
        let folder = folder.join("blobs");
        remove_unfinished(&folder, &steps)?;
        let names = disk::names_in(&folder)?;
        let hashes = names.iter().filter_map(|name| name.parse().ok());
        let known = Mutex::new(hashes.map(|hash| (hash, Since::Before)).collect());
        Ok(Self { folder, durability, steps, known, _lock: lock })
    }

    fn path(&self, hash: Hash) -> PathBuf {
        self.folder.join(hash.to_string())
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<Hash, Since>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BlobStore for FolderBlobs {
    fn put(&self, hash: Hash, bytes: &Bytes) -> Result<(), Error> {
        let path = self.path(hash);
        // One from before is written anew rather than trusted.
        if self.known().get(&hash) == Some(&Since::Now) && path.is_file() {
            return Ok(());
        }
        let (durability, steps) = (self.durability, &self.steps);
        Replace { durability, steps, points: &POINTS }.write(&path, &[bytes])?;
        self.known().insert(hash, Since::Now);
        Ok(())
    }

    fn get(&self, hash: Hash) -> Result<Bytes, Error> {
        let path = self.path(hash);
        let missing = || Error::Missing { what: format!("blob {hash}") };
        if !self.known().contains_key(&hash) {
            return Err(missing());
        }
        let file = match File::open(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(missing()),
            other => other.doing("opening", &path)?,
        };
        let bytes = contents(&file).doing("reading", &path)?;
        match Hash::of(&bytes) == hash {
            true => Ok(bytes),
            false => Err(damaged(&path, "its bytes have another hash than its name says")),
        }
    }

    fn retain(&self, keep: &BTreeSet<Hash>) -> Result<(), Error> {
        let mut known = self.known();
        let gone: Vec<Hash> = known.keys().filter(|hash| !keep.contains(hash)).copied().collect();
        for hash in gone {
            self.steps.reach(WritePoint::BlobDropped);
            disk::remove(&self.path(hash))?;
            known.remove(&hash);
        }
        Ok(())
    }
}

/// The bytes of a whole file.
fn contents(mut file: &File) -> std::io::Result<Bytes> {
    let length = file.metadata()?.len();
    if length >= MAPPED_FROM {
        return map(file, 0, length);
    }
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
    file.read_to_end(&mut bytes)?;
    Ok(bytes.into())
}

/// Maps a part of a file that is never written again.
pub(crate) fn map(file: &File, offset: u64, length: u64) -> std::io::Result<Bytes> {
    let length = usize::try_from(length).map_err(std::io::Error::other)?;
    let mut options = memmap2::MmapOptions::new();
    // SAFETY: the bytes of a mapping must not change while it lives. This program writes each file of blobs
    // and states at a place once, before it hands that place out, and then at most unlinks the file, which
    // leaves mappings as they are; other processes of it are kept out by the run's lock. (A person who
    // writes into such a file or cuts it while a run uses it can break that; so can they with any program
    // that is mapped while it runs.)
    let map = unsafe { options.offset(offset).len(length).map(file)? };
    Ok(Bytes::from_owner(map))
}
