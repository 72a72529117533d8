//! Why a run ended without a result: one variant for each reaction.

use std::path::PathBuf;

use flare_core::journal;

use crate::job;

/// Why a run ended without a result.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The job is no valid one: change it.
    #[error(transparent)]
    Job(#[from] job::Error),
    /// Something that the job names cannot be used: the data, the model, the record.
    #[error("{what}: {fault}")]
    Input {
        /// What it is, such as `data` or `model "m.safetensors"`.
        what: String,
        /// What is wrong with it, and what to do.
        fault: String,
    },
    /// The run failed: too few replies, a client that failed, a controller that gave up.
    #[error("the run failed: {fault}{}", kept(.out))]
    Failed {
        /// Why.
        fault: String,
        /// Where the model of the last finished round is.
        out: Option<PathBuf>,
    },
    /// The folder is in use, holds another run, or a run without `resume`: name another one.
    #[error("{fault}")]
    Folder {
        /// What is the matter, and what to do.
        fault: String,
    },
    /// A file cannot be written or read: a full disk. The last good model stays.
    #[error("{source}{}", resumable(.out))]
    Disk {
        /// What was being done, where, and the system's word.
        source: journal::Error,
        /// The run's folder.
        out: Option<PathBuf>,
    },
    /// The program was asked to stop.
    #[error("interrupted; {}", go_on(.out))]
    Interrupted {
        /// Where the run is kept.
        out: Option<PathBuf>,
    },
}

fn shown(out: &std::path::Path) -> String {
    flare_core::shown(&out.to_string_lossy()).to_string()
}

fn kept(out: &Option<PathBuf>) -> String {
    let Some(out) = out else { return String::new() };
    format!("\nwhat is finished is kept: go on with --resume {}", shown(out))
}

fn resumable(out: &Option<PathBuf>) -> String {
    let Some(out) = out else { return String::new() };
    let out = shown(out);
    format!(
        "\nthe last finished round is kept in {out}: free some space and go on with --resume {out}"
    )
}

fn go_on(out: &Option<PathBuf>) -> String {
    match out {
        Some(out) => format!("what is finished is kept: go on with --resume {}", shown(out)),
        None => "nothing was kept, since there is no --out folder".into(),
    }
}
