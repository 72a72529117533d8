//! The head of each file of ours: what it is, and in which version of its format.

use std::path::Path;

use flare_core::journal::Error;

use crate::disk::damaged;

/// Bytes of a header.
pub(crate) const BYTES: usize = 16;

/// A kind of file, and the version of it that this program writes and reads.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Format {
    pub(crate) magic: [u8; 12],
    pub(crate) version: u32,
    pub(crate) what: &'static str,
}

impl Format {
    pub(crate) fn header(&self) -> [u8; BYTES] {
        let mut header = [0; BYTES];
        header[..12].copy_from_slice(&self.magic);
        header[12..].copy_from_slice(&self.version.to_le_bytes());
        header
    }

    /// Whether a file is no longer than a part of the header, and that part is right: all that a process
    /// left which was killed while it made the file.
    pub(crate) fn is_unfinished(&self, file: &[u8]) -> bool {
        file.len() < BYTES && self.header().starts_with(file)
    }

    /// Whether a file begins with this format's name, in whatever version.
    pub(crate) fn is_begun_by(&self, file: &[u8]) -> bool {
        file.len() >= BYTES && file.starts_with(&self.magic)
    }

    /// Refuses a file of another kind, and one of another version by name: it may mean something else.
    pub(crate) fn check(&self, file: &[u8], path: &Path) -> Result<(), Error> {
        let Some((magic, version)) = file.first_chunk::<BYTES>().map(|head| head.split_at(12))
        else {
            return Err(damaged(path, format!("it is too short for {}", self.what)));
        };
        if magic != self.magic {
            return Err(damaged(path, format!("it does not begin as {} does", self.what)));
        }
        let version = version.try_into().map_or(0, u32::from_le_bytes);
        match version == self.version {
            true => Ok(()),
            false => Err(self.other_version(version, path)),
        }
    }

    fn other_version(&self, found: u32, path: &Path) -> Error {
        let known = self.version;
        let advice = if found > known { "a later" } else { "an earlier" };
        let text = format!(
            "{} of format version {found}, and this program reads version {known}: go on with \
             {advice} version of the program",
            self.what
        );
        let source = std::io::Error::new(std::io::ErrorKind::Unsupported, text);
        Error::io("opening", crate::disk::shown(path), source)
    }
}
