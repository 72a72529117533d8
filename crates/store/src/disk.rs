//! Plain steps on files and folders, with errors that name the path and what was being done.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Once;

use flare_core::journal::Error;

use crate::point::{Steps, WritePoint};

/// Gives an error of the system what was being done, and where.
pub(crate) trait Doing<T> {
    fn doing(self, doing: &'static str, path: &Path) -> Result<T, Error>;
}

impl<T> Doing<T> for io::Result<T> {
    fn doing(self, doing: &'static str, path: &Path) -> Result<T, Error> {
        self.map_err(|source| Error::io(doing, shown(path), source))
    }
}

/// A path for an error.
pub(crate) fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// A file that is not what was written.
pub(crate) fn damaged(path: &Path, fault: impl Into<String>) -> Error {
    Error::Damaged { place: shown(path), fault: fault.into() }
}

/// Makes a write beyond the process's limit of file sizes (`ulimit -f`) an error of that write; without
/// this the system ends the process there, before anything can be said or put right.
pub fn survive_file_size_limit() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: ignoring a signal installs no handler, so no code of ours runs in a signal's context;
        // the number is valid, and the call touches no memory of ours.
        unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
    });
}

/// Writes all of `bytes` at `offset`. When somebody watches, in two halves, with a step between.
pub(crate) fn write_at(
    file: &File,
    bytes: &[u8],
    offset: u64,
    steps: &Steps,
    half: WritePoint,
) -> io::Result<()> {
    let middle = if steps.are_watched() { bytes.len() / 2 } else { 0 };
    let (first, second) = bytes.split_at(middle);
    file.write_all_at(first, offset)?;
    steps.reach(half);
    file.write_all_at(second, offset + middle as u64)
}

/// Makes the names in a folder survive a power cut.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), Error> {
    File::open(folder).and_then(|file| file.sync_all()).doing("syncing the folder", folder)
}

/// Makes a folder and those above it, and syncs the names of those that are new.
pub(crate) fn make_folder(folder: &Path) -> Result<(), Error> {
    if folder.is_dir() {
        return Ok(());
    }
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.map_or(Ok(()), make_folder)?;
    match fs::create_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => {}
        other => other.doing("making the folder", folder)?,
    }
    sync_folder(parent.unwrap_or(Path::new(".")))
}

/// Removes a file that may be gone already.
pub(crate) fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.doing("removing", path),
    }
}

/// The names of the files in a folder, sorted; names that are no text are none of ours.
pub(crate) fn names_in(folder: &Path) -> Result<Vec<String>, Error> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).doing("listing", folder)? {
        let entry = entry.doing("listing", folder)?;
        let is_file = entry.file_type().doing("listing", folder)?.is_file();
        names.extend(entry.file_name().into_string().ok().filter(|_| is_file));
    }
    names.sort();
    Ok(names)
}
