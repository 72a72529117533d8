//! Job files: TOML text in, a typed [`Job`] out, or every fault at once.
//!
//! [`load`] reads a file; [`parse`] a text. Faults are collected in three steps: the text against the JSON
//! schema of jobs and of each component that it names; the typed job against itself; and components
//! against their own rules. Each fault tells where, what is there, and what was expected.

mod describe;
mod overrides;
mod schema;
mod template;
mod text;
mod validate;

use std::path::{Path, PathBuf};

use flare_core::component::Registry;
use flare_core::{shown, value};

pub use describe::describe;
pub use flare_core::job::{
    Asked, Clients, Data, ElementType, Fault, FilterAt, Flat, HeldOut, Init, Job, Model, Report,
    TensorSpec,
};
pub use overrides::{Overrides, Set};
pub use schema::schema;
pub use template::template;

/// The largest job file that is read, in bytes.
pub const MAX_JOB_BYTES: u64 = 16 << 20;

/// A job, and where it comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The job.
    pub job: Job,
    /// The folder to which the job's paths are relative.
    pub folder: PathBuf,
    /// Where it comes from, for messages: a path, escaped.
    pub origin: String,
}

/// Why there is no job.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("reading job {origin}: {source}")]
    Read {
        /// The file.
        origin: String,
        /// The system's word.
        source: std::io::Error,
    },
    /// The file is larger than [`MAX_JOB_BYTES`].
    #[error("reading job {origin}: {bytes} bytes, {MAX_JOB_BYTES} are the limit")]
    Size {
        /// The file.
        origin: String,
        /// Its size.
        bytes: u64,
    },
    /// The text is no TOML.
    #[error("{origin}:{line}:{column}: {message}")]
    Syntax {
        /// The file.
        origin: String,
        /// The line, from 1.
        line: usize,
        /// The column in characters, from 1.
        column: usize,
        /// What is wrong.
        message: String,
    },
    /// An override cannot be applied.
    #[error("--set {set}: {fault}")]
    Override {
        /// As it was given.
        set: String,
        /// What is wrong.
        fault: String,
    },
    /// The job is not a valid one.
    #[error("{origin}: {} {}{}", .faults.len(), if .faults.len() == 1 { "fault" } else { "faults" }, list(faults))]
    Invalid {
        /// The file.
        origin: String,
        /// All that is wrong.
        faults: Vec<Fault>,
    },
}

fn list(faults: &[Fault]) -> String {
    faults.iter().map(|fault| format!("\n  {fault}")).collect()
}

/// Reads and checks a job file.
///
/// # Errors
/// When it cannot be read, is no TOML, or has faults: all of them.
pub fn load(path: &Path, overrides: &Overrides, registry: &Registry) -> Result<Loaded, Error> {
    let origin = shown(&path.to_string_lossy()).to_string();
    let text = read(path, &origin)?;
    let job = parse(&text, &origin, overrides, registry)?;
    let folder = path.parent().map(Path::to_owned).unwrap_or_default();
    Ok(Loaded { job, folder, origin })
}

/// Checks the text of a job; `origin` says in messages where it comes from.
///
/// # Errors
/// When it is no TOML, or has faults: all of them.
pub fn parse(
    text: &str,
    origin: &str,
    overrides: &Overrides,
    registry: &Registry,
) -> Result<Job, Error> {
    let mut table = text::table(text, origin)?;
    overrides.apply(&mut table)?;
    let invalid = |faults| Error::Invalid { origin: origin.into(), faults };
    let (mut value, faults) = text::json(table);
    overrides.apply_seed(&mut value);
    validate::job(&value, faults, registry).map_err(invalid)
}

/// How a job's data are read.
///
/// # Errors
/// When the format is unknown or its fields are not what it takes.
pub fn data_options(data: &Data) -> Result<flare_data::Options, value::Error> {
    data.options.parse_at("data")
}

/// How a job's data are dealt out.
///
/// # Errors
/// When the kind is unknown or its fields are not what it takes.
pub fn partition(data: &Data) -> Result<flare_data::Partition, value::Error> {
    value::to_value(&Flat(data.partition.clone()))?.parse_at("data.partition")
}

fn read(path: &Path, origin: &str) -> Result<String, Error> {
    let fault = |source| Error::Read { origin: origin.into(), source };
    let bytes = std::fs::metadata(path).map_err(fault)?.len();
    if bytes > MAX_JOB_BYTES {
        return Err(Error::Size { origin: origin.into(), bytes });
    }
    let bytes = std::fs::read(path).map_err(fault)?;
    String::from_utf8(bytes).map_err(|error| text::not_utf8(error.as_bytes(), origin))
}
