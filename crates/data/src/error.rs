//! Why a data set cannot be read.

use std::fmt;
use std::io;
use std::path::PathBuf;

use flare_core::fault::{Fault, Faults};

/// Why a data set cannot be read: what was being read, where the fault is, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system does not give the file.
    #[error("reading data {}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not what its first bytes, its length or its packing say.
    #[error("reading data {}: {fault}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        fault: String,
    },
    /// The header of a CSV file does not have the columns that the options name.
    #[error("reading data {}: line {line}, the header: {fault}", path.display())]
    Header {
        /// The file.
        path: PathBuf,
        /// The header's line, from 1.
        line: u64,
        /// What is wrong with it, and what to do.
        fault: String,
    },
    /// Rows of a CSV file are not what the header and the options say.
    #[error("reading data {}: {}", path.display(), listed(faults, *more))]
    Rows {
        /// The file.
        path: PathBuf,
        /// The first faults, one for a row; at least one, and [`MAX_FAULTS`] at most.
        faults: Vec<RowFault>,
        /// Whether reading ended there, so that there may be more.
        more: bool,
    },
    /// The options cannot hold for any file.
    #[error("the data options: {0}")]
    Options(Faults),
}

/// So many faults of rows are named before reading ends.
pub const MAX_FAULTS: usize = 10;

/// What is wrong with one row of a CSV file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowFault {
    /// The line on which the row begins, from 1.
    pub line: u64,
    /// The name, as it may be shown, of the column whose value is at fault; none where the row is.
    pub column: Option<String>,
    /// The value, what is wrong with it, and what to do.
    pub fault: String,
}

impl fmt::Display for RowFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, column, fault } = self;
        match column {
            Some(column) => write!(f, "line {line}, column '{column}': {fault}"),
            None => write!(f, "line {line}: {fault}"),
        }
    }
}

/// The faults as a message lists them: one alone in the same line, several below each other.
fn listed(faults: &[RowFault], more: bool) -> String {
    let lines: Vec<String> = faults.iter().map(RowFault::to_string).collect();
    match lines.as_slice() {
        [only] => only.clone(),
        lines if more => format!("the first {} faults\n  {}", lines.len(), lines.join("\n  ")),
        lines => format!("{} faults\n  {}", lines.len(), lines.join("\n  ")),
    }
}

impl Error {
    /// The options cannot hold: `value` stands at `field`, where something else was expected.
    pub(crate) fn options(field: &str, value: impl fmt::Display, expected: &str) -> Self {
        Self::Options(Fault::new(field, value, expected).into())
    }
}

/// At most this many characters of a stranger's text are shown in a message.
const SHOWN: usize = 60;

/// A stranger's text as it may stand in a message or a log: short, and without control characters.
pub(crate) fn shown(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let mut shown: String = text.chars().take(SHOWN).flat_map(char::escape_debug).collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}
