//! Standard output: data and nothing else, and an end without noise when nobody reads it.

use std::io::{self, Write};

use crate::exit::{Exit, Failure, Result};

/// Writes text to standard output and flushes it.
pub(crate) fn write(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(failure)
}

/// A line, and its end.
pub(crate) fn line(text: &str) -> Result<()> {
    write(&format!("{text}\n"))
}

/// What it means that standard output takes no more.
fn failure(error: io::Error) -> Failure {
    let closed = error.kind() == io::ErrorKind::BrokenPipe;
    let exit = if closed { Exit::Closed } else { Exit::System };
    let error = anyhow::Error::new(error).context("writing to standard output");
    Failure::new(exit, error)
}

/// Writes text to standard error in one piece. There is nobody to tell when that fails.
pub(crate) fn note(text: &str) {
    drop(io::stderr().write_all(text.as_bytes()));
}
