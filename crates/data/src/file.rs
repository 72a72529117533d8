//! Files as bytes: whole, bounded, unpacked by what they contain.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use flate2::read::MultiGzDecoder;

use crate::error::{Error, RowFault};

/// The longest data file that is read, in bytes after unpacking.
pub const MAX_FILE_BYTES: u64 = 16 << 30;

/// How a file that gzip packed begins.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// A file's content, unpacked.
pub(crate) struct Content {
    /// Where it lies, for messages.
    pub(crate) path: PathBuf,
    /// What is in it.
    pub(crate) bytes: Vec<u8>,
    packed: bool,
}

impl Content {
    /// A fault of the file as a whole.
    pub(crate) fn fault(&self, fault: impl Into<String>) -> Error {
        Error::File { path: self.path.clone(), fault: fault.into() }
    }

    /// Faults of its rows; `more` where there may be others.
    pub(crate) fn row_faults(&self, faults: Vec<RowFault>, more: bool) -> Error {
        Error::Rows { path: self.path.clone(), faults, more }
    }
}

/// All bytes of the file at `path`, unpacked if gzip packed them, whatever its name.
///
/// # Errors
/// When it cannot be read, is packed but broken, or is longer than [`MAX_FILE_BYTES`].
pub(crate) fn read(path: &Path) -> Result<Content, Error> {
    let mut input = Input::open(path)?;
    input.read_more(MAX_FILE_BYTES + 1)?;
    check_length(&input.content, MAX_FILE_BYTES)?;
    Ok(input.content)
}

/// A file that is read step by step, unpacked if gzip packed it.
pub(crate) struct Input {
    /// What was read so far.
    pub(crate) content: Content,
    rest: Box<dyn Read>,
}

impl Input {
    /// Opens the file at `path`; nothing is read yet.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let io_error = |source| Error::Io { path: path.to_owned(), source };
        let mut file = File::open(path).map_err(io_error)?;
        let mut start = Vec::new();
        (&mut file).take(GZIP.len() as u64).read_to_end(&mut start).map_err(io_error)?;
        let packed = start == GZIP;
        let whole = io::Cursor::new(start).chain(file);
        let rest: Box<dyn Read> =
            if packed { Box::new(MultiGzDecoder::new(whole)) } else { Box::new(whole) };
        let content = Content { path: path.to_owned(), bytes: Vec::new(), packed };
        Ok(Self { content, rest })
    }

    /// Reads `length` more bytes, or to the end of the file where there are fewer. Memory grows with
    /// what is there, not with `length`.
    ///
    /// # Errors
    /// When the file cannot be read, or is packed but broken.
    pub(crate) fn read_more(&mut self, length: u64) -> Result<(), Error> {
        let read = (&mut self.rest).take(length).read_to_end(&mut self.content.bytes);
        match read {
            Ok(_) => Ok(()),
            Err(source) if self.content.packed => Err(self.content.fault(gzip_fault(&source))),
            Err(source) => Err(Error::Io { path: self.content.path.clone(), source }),
        }
    }
}

/// Refuses a content of more than `limit` bytes.
fn check_length(content: &Content, limit: u64) -> Result<(), Error> {
    if content.bytes.len() as u64 <= limit {
        return Ok(());
    }
    Err(content.fault(format!("it has more than {limit} bytes, the most that is read: divide it")))
}

/// Whether `name` names a file or folder within another, and cannot lead elsewhere.
pub(crate) fn is_plain_name(name: &str) -> bool {
    let mut components = Path::new(name).components();
    let plain = matches!(components.next(), Some(Component::Normal(part)) if part == name);
    plain && components.next().is_none() && !name.contains(char::is_control)
}

/// What is wrong with a packed file.
fn gzip_fault(source: &io::Error) -> String {
    if source.kind() == io::ErrorKind::UnexpectedEof {
        return "the gzip stream ends early: the file is cut off, get it again".to_owned();
    }
    format!("the gzip stream is broken ({source}): get the file again")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_byte_past_the_limit_is_refused() {
        let content = Content { path: "x.csv".into(), bytes: vec![0; 9], packed: false };
        assert!(check_length(&content, 9).is_ok());
        let error = check_length(&content, 8).unwrap_err().to_string();
        assert_eq!(
            error,
            "reading data x.csv: it has more than 8 bytes, the most that is read: divide it"
        );
    }
}
