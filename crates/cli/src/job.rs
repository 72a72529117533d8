//! `flare job`: a job to start from, what is wrong with one, and what it will do.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;

use flare::job::{describe, schema, template};
use flare::names::Name;
use flare::shown;

use crate::args::Changes;
use crate::exit::{Exit, Failure, Result};
use crate::out;
use crate::run::loaded;

/// Writes a commented job to start from, named after the file if its name can be a job's.
pub(crate) fn new(file: Option<&Path>) -> Result<()> {
    let stem = file.and_then(Path::file_stem).map(|stem| stem.to_string_lossy().into_owned());
    let named = stem.and_then(|stem| Name::new(&stem).ok());
    let text = template(&named.unwrap_or_else(|| Name::new("my-job").expect("a name")));
    let Some(file) = file else { return out::write(&text) };
    let opened = OpenOptions::new().write(true).create_new(true).open(file);
    let written = opened.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| not_written(file, error))
}

fn not_written(file: &Path, error: io::Error) -> Failure {
    let there = error.kind() == io::ErrorKind::AlreadyExists;
    let what = format!("writing {}", shown(&file.to_string_lossy()));
    let error = anyhow::Error::new(error).context(what);
    if there {
        return Failure::new(Exit::Input, error).hint("name a file that is not there yet");
    }
    Failure::new(Exit::System, error)
}

/// Checks a job, and says what it will do.
pub(crate) fn check(file: &Path, changes: &Changes) -> Result<()> {
    let job = loaded(file, changes)?;
    out::line(&describe(&job.job))
}

/// Writes the JSON schema of job files.
pub(crate) fn schema_text() -> Result<()> {
    let schema = schema(&flare::registry());
    out::line(&format!("{schema:#}"))
}
