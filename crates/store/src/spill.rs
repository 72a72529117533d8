//! Blobs in memory up to a limit, and beyond it in a file without a name, for runs that keep nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use flare_core::Hash;
use flare_core::journal::{BlobStore, Error};
use rustix::fs::FallocateFlags;

use crate::blobs;
use crate::disk::{Doing, damaged};

/// Blobs begin at multiples of this, as mappings and holes must.
const PAGE: u64 = 4096;
/// What `statfs` calls a file system in memory: tmpfs and ramfs.
const IN_MEMORY: [u64; 2] = [0x0102_1994, 0x8584_58f6];

/// Whether to spill into a folder whose files are in memory themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnTmpfs {
    /// The first spill is an error: it would not free any memory.
    Refuse,
    /// Spill nonetheless.
    Force,
}

/// Blobs of which at most so many bytes are in memory; the others are in one file without a name, which
/// is gone when the process is, however it ends. A run that fits makes no file.
pub struct Spill {
    limit: u64,
    folder: PathBuf,
    on_tmpfs: OnTmpfs,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    blobs: BTreeMap<Hash, Blob>,
    in_memory: u64,
    file: Option<Arc<File>>,
    /// Where the next spilled blob goes.
    end: u64,
}

enum Blob {
    InMemory(Bytes),
    Spilled(Arc<Slot>),
}

/// A blob's place in the file; the last to drop it gives the disk space back.
struct Slot {
    file: Arc<File>,
    offset: u64,
    length: u64,
}

/// A mapped blob. The mapping ends before its place is given back: fields are dropped in order.
struct Mapped {
    bytes: Bytes,
    _slot: Arc<Slot>,
}

impl Spill {
    /// Keeps up to `limit` bytes in memory and the rest in `folder`, which must exist when it is needed.
    pub fn new(limit: u64, folder: impl Into<PathBuf>, on_tmpfs: OnTmpfs) -> Self {
        Self { limit, folder: folder.into(), on_tmpfs, kept: Mutex::default() }
    }

    /// Bytes of blobs that are in the file.
    pub fn spilled(&self) -> u64 {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let length = |blob: &Blob| if let Blob::Spilled(slot) = blob { slot.length } else { 0 };
        kept.blobs.values().map(length).sum()
    }

    /// The file, made at the first spill.
    fn file(&self, kept: &mut Kept) -> Result<Arc<File>, Error> {
        if let Some(file) = &kept.file {
            return Ok(Arc::clone(file));
        }
        refuse_memory(&self.folder, self.on_tmpfs)?;
        let file = tempfile::tempfile_in(&self.folder);
        let file = Arc::new(file.doing("making a file to spill blobs into", &self.folder)?);
        kept.file = Some(Arc::clone(&file));
        Ok(file)
    }
}

impl BlobStore for Spill {
    fn put(&self, hash: Hash, bytes: &Bytes) -> Result<(), Error> {
        let length = bytes.len() as u64;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.blobs.contains_key(&hash) {
            return Ok(());
        }
        if kept.in_memory + length <= self.limit {
            kept.in_memory += length;
            kept.blobs.insert(hash, Blob::InMemory(bytes.clone()));
            return Ok(());
        }
        let file = self.file(&mut kept)?;
        let offset = kept.end;
        file.write_all_at(bytes, offset).doing("spilling a blob into a file in", &self.folder)?;
        kept.end = (offset + length).next_multiple_of(PAGE);
        kept.blobs.insert(hash, Blob::Spilled(Arc::new(Slot { file, offset, length })));
        Ok(())
    }

    fn get(&self, hash: Hash) -> Result<Bytes, Error> {
        let slot = match self.kept.lock().unwrap_or_else(PoisonError::into_inner).blobs.get(&hash) {
            None => return Err(Error::Missing { what: format!("blob {hash}") }),
            Some(Blob::InMemory(bytes)) => return Ok(bytes.clone()),
            Some(Blob::Spilled(slot)) => Arc::clone(slot),
        };
        let bytes = slot.bytes().doing("reading a spilled blob from a file in", &self.folder)?;
        match Hash::of(&bytes) == hash {
            true => Ok(bytes),
            false => Err(damaged(&self.folder, format!("spilled blob {hash} has another hash"))),
        }
    }

    fn retain(&self, keep: &BTreeSet<Hash>) -> Result<(), Error> {
        let kept = &mut *self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let in_memory = &mut kept.in_memory;
        kept.blobs.retain(|hash, blob| {
            let stays = keep.contains(hash);
            if let (false, Blob::InMemory(bytes)) = (stays, blob) {
                *in_memory -= bytes.len() as u64;
            }
            stays
        });
        Ok(())
    }
}

impl Slot {
    fn bytes(self: Arc<Self>) -> io::Result<Bytes> {
        if self.length == 0 {
            return Ok(Bytes::new());
        }
        let bytes = blobs::map(&self.file, self.offset, self.length)?;
        Ok(Bytes::from_owner(Mapped { bytes, _slot: self }))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let length = self.length.next_multiple_of(PAGE);
        let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        // Where a file system has no holes, the space comes back with the end of the process.
        let punched = rustix::fs::fallocate(&*self.file, hole, self.offset, length);
        drop(punched.map_err(io::Error::from));
    }
}

impl AsRef<[u8]> for Mapped {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

fn refuse_memory(folder: &Path, on_tmpfs: OnTmpfs) -> Result<(), Error> {
    let kind = rustix::fs::statfs(folder).map_err(io::Error::from);
    let kind = u64::try_from(kind.doing("looking at the file system of", folder)?.f_type);
    if on_tmpfs == OnTmpfs::Refuse && kind.is_ok_and(|kind| IN_MEMORY.contains(&kind)) {
        let text = "its files are in memory, so that spilling blobs into it frees none: name a folder on a disk \
                    (TMPDIR), or force it";
        let refusal = io::Error::new(io::ErrorKind::Unsupported, text);
        return Err(refusal).doing("spilling into", folder);
    }
    Ok(())
}
