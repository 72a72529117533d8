//! The run's lock: one writer at a time, named by its process.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use flare_core::journal::Error;
use rustix::fs::FlockOperation;

use crate::disk::{Doing, shown};

/// Held as long as anything of the run's folder is; the system gives it back when the process ends,
/// however it ends.
#[derive(Debug)]
pub(crate) struct RunLock {
    file: File,
}

impl RunLock {
    /// Takes the lock of `folder`, and leaves this process's number in it.
    pub(crate) fn take(folder: &Path) -> Result<Self, Error> {
        let path = folder.join("lock");
        let options =
            File::options().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = options.doing("opening", &path)?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                return Err(Error::InUse { place: shown(folder), by: holder(&mut file) });
            }
            Err(error) => return Err(error.into()).doing("locking", &path),
        }
        let number = std::process::id();
        let noted = file.set_len(0).and_then(|()| writeln!(file, "{number}"));
        noted.doing("writing", &path)?;
        Ok(Self { file })
    }
}

impl Drop for RunLock {
    /// Unlocks by word, too: a child process that another thread is just starting has this file as well
    /// until it becomes another program, and would hold the lock for as long.
    fn drop(&mut self) {
        let unlocked = rustix::fs::flock(&self.file, FlockOperation::Unlock);
        drop(unlocked.map_err(std::io::Error::from));
    }
}

/// Who holds the lock, as the error says it. Nothing, if the holder has not noted it yet.
fn holder(file: &mut File) -> String {
    let mut text = String::new();
    let number = match file.read_to_string(&mut text) {
        Ok(_) => text.trim().parse::<u32>().ok(),
        Err(_) => None,
    };
    number.map_or_else(String::new, |number| format!(" (process {number})"))
}
