//! One copy in memory of each data set, however many clients of a process read it.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::dataset::Dataset;
use crate::error::Error;
use crate::source::{self, Options};

/// The place of one data set: dead when nobody holds it any longer.
type Slot = Arc<Mutex<Weak<Dataset>>>;

/// What makes two data sets the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    /// BLAKE3 of each file's bytes.
    hashes: Vec<[u8; 32]>,
    options: String,
}

/// What a file looks like from outside: while this is the same, its content is taken for the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Stamp {
    path: PathBuf,
    device: u64,
    inode: u64,
    length: u64,
    /// Seconds and nanoseconds of the last change of the content, and of the last change of anything.
    times: [i64; 4],
}

/// The files as they were seen, and the options with which they were read.
type Seen = (Vec<Stamp>, String);

static SLOTS: Mutex<BTreeMap<Key, Slot>> = Mutex::new(BTreeMap::new());
static SEEN: Mutex<BTreeMap<Seen, Weak<Dataset>>> = Mutex::new(BTreeMap::new());

/// The data set at `path`, read with `options`: one in a process for the same content and options, by
/// whatever path, as long as somebody holds it. When the last holder drops it, its memory is free.
///
/// The content is known by its hash. A file is hashed again when its size, inode or times differ from
/// when it was hashed last; so only a change of the same length within one tick of the file system's
/// clock, in place, goes unseen.
///
/// # Errors
/// When it cannot be read.
pub fn load_cached(path: &Path, options: &Options) -> Result<Arc<Dataset>, Error> {
    let files = source::files(path, options);
    let stamps = files.iter().map(|path| Stamp::of(path)).collect::<Result<Vec<_>, _>>()?;
    let seen = (stamps, format!("{options:?}"));
    if let Some(dataset) = lock(&SEEN).get(&seen).and_then(Weak::upgrade) {
        return Ok(dataset);
    }
    let key = Key { hashes: hashes(&files)?, options: seen.1.clone() };
    let dataset = load(path, options, &files, key)?;
    let mut all = lock(&SEEN);
    all.retain(|_, dataset| dataset.strong_count() > 0);
    all.insert(seen, Arc::downgrade(&dataset));
    Ok(dataset)
}

/// The data set with this key: the one that is there, or read from its files.
fn load(
    path: &Path,
    options: &Options,
    files: &[PathBuf],
    key: Key,
) -> Result<Arc<Dataset>, Error> {
    let slot = slot(key.clone());
    // Held while the files are read: who asks for the same meanwhile waits, and reads nothing.
    let mut place = lock(&slot);
    if let Some(dataset) = place.upgrade() {
        return Ok(dataset);
    }
    let dataset = Arc::new(source::read(path, options)?);
    if hashes(files)? != key.hashes {
        return Err(Error::File {
            path: path.to_owned(),
            fault: "it was changed while it was read: read it again".to_owned(),
        });
    }
    *place = Arc::downgrade(&dataset);
    Ok(dataset)
}

impl Stamp {
    /// What the file at `path` looks like now.
    fn of(path: &Path) -> Result<Self, Error> {
        let metadata = std::fs::metadata(path);
        let metadata = metadata.map_err(|source| Error::Io { path: path.to_owned(), source })?;
        Ok(Self {
            path: path.to_owned(),
            device: metadata.dev(),
            inode: metadata.ino(),
            length: metadata.len(),
            times: [
                metadata.mtime(),
                metadata.mtime_nsec(),
                metadata.ctime(),
                metadata.ctime_nsec(),
            ],
        })
    }
}

/// The slot for `key`; slots that died meanwhile go.
fn slot(key: Key) -> Slot {
    let mut slots = lock(&SLOTS);
    slots.retain(|known, slot| {
        *known == key || Arc::strong_count(slot) > 1 || lock(slot).strong_count() > 0
    });
    slots.entry(key).or_default().clone()
}

/// The hash of each file's bytes as they lie on disk.
pub(crate) fn hashes(files: &[PathBuf]) -> Result<Vec<[u8; 32]>, Error> {
    let hash = |path: &PathBuf| {
        let io_error = |source| Error::Io { path: path.clone(), source };
        let mut hasher = blake3::Hasher::new();
        let mut file = std::fs::File::open(path).map_err(io_error)?;
        hasher.update_reader(&mut file).map_err(io_error)?;
        Ok(*hasher.finalize().as_bytes())
    };
    files.iter().map(hash).collect()
}

/// Locks, also after a panic elsewhere: what is behind these locks is valid at any time.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
