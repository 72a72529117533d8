//! A file of lines that grows while a run goes on, and is cut back when the run is resumed.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use flare_core::journal::Error;

use crate::disk::{self, Doing};
use crate::point::{Steps, WritePoint};

/// A file of lines, such as `metrics.jsonl`.
#[derive(Debug)]
pub struct Lines {
    path: PathBuf,
    file: File,
    end: u64,
}

impl Lines {
    /// Opens the file at `path`, new or old, and cuts it before the first line that `keep` refuses: what a
    /// journal does not confirm goes. A last line without its end goes in any case.
    ///
    /// # Errors
    /// When the file cannot be read, or cut.
    pub fn open(path: &Path, mut keep: impl FnMut(&[u8]) -> bool) -> Result<Self, Error> {
        let options =
            File::options().read(true).write(true).create(true).truncate(false).open(path);
        let file = options.doing("opening", path)?;
        let bytes = fs::read(path).doing("reading", path)?;
        let lines = bytes.split_inclusive(|byte| *byte == b'\n');
        let kept = lines.take_while(|line| line.strip_suffix(b"\n").is_some_and(&mut keep));
        let end = kept.map(|line| line.len() as u64).sum();
        file.set_len(end).doing("cutting", path)?;
        Ok(Self { path: path.into(), file, end })
    }

    /// Adds a line, which must not hold a line's end itself. On an error nothing of it stays.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn append(&mut self, line: &str) -> Result<(), Error> {
        let line = format!("{line}\n");
        let steps = &Steps::default();
        let written =
            disk::write_at(&self.file, line.as_bytes(), self.end, steps, WritePoint::ExportHalf);
        if written.is_err() {
            // The first error is the one to tell; half a line is cut off at the next opening.
            drop(self.file.set_len(self.end));
        }
        written.doing("writing", &self.path)?;
        self.end += line.len() as u64;
        Ok(())
    }

    /// Makes all lines survive a power cut.
    ///
    /// # Errors
    /// When the system cannot.
    pub fn sync(&self) -> Result<(), Error> {
        self.file.sync_all().doing("syncing", &self.path)
    }
}
