//! The command line, as data.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// What the help says of exit codes; the same table stands in `docs/cli.md`.
const EXIT_CODES: &str = "\
Exit codes:
    0  done
    1  the run failed: the error says in which round, at which client, and why
    2  the command line, or a job, data or model file, is not as it should be
    3  the folder is in use, or holds another run than this one
    4  the system refused to read or write: disk full, no permission
  130  interrupted by Ctrl-C or a request to end; a second one ends it at once
  141  nobody reads standard output any more";

/// Federated learning: data stays at its sites, code and models travel.
#[derive(Debug, Parser)]
#[command(name = "flare", version, after_help = EXIT_CODES, disable_help_subcommand = true)]
pub(crate) struct Cli {
    /// Say more on standard error: -v what happens, -vv also details.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a job in this process: train a model over a simulated federation.
    #[command(after_help = EXIT_CODES)]
    Run(RunArgs),
    /// Start, check and describe job files.
    #[command(subcommand)]
    Job(JobCommand),
    /// Look at models.
    #[command(subcommand)]
    Model(ModelCommand),
    /// Prepare data.
    #[command(subcommand)]
    Data(DataCommand),
}

/// A run.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The job file.
    pub(crate) job: PathBuf,
    #[command(flatten)]
    pub(crate) changes: Changes,
    /// Keep the run in this folder: model, metrics, report, and what a killed run goes on from.
    #[arg(long, value_name = "DIR", conflicts_with = "resume")]
    pub(crate) out: Option<PathBuf>,
    /// Go on with the run in this folder from where it stopped.
    #[arg(long, value_name = "DIR")]
    pub(crate) resume: Option<PathBuf>,
    /// Train at so many clients at a time [default: one for each core]. The result is the same.
    #[arg(long, value_name = "N")]
    pub(crate) workers: Option<NonZeroUsize>,
    /// Let the clients count that counted in an earlier run: its `cohort.jsonl`.
    #[arg(long, value_name = "FILE")]
    pub(crate) cohort: Option<PathBuf>,
    /// Go on although the program, or a component, is another build than the one that began the run.
    #[arg(long, requires = "resume")]
    pub(crate) accept_unit: bool,
    /// What large files in the folder survive: the end of any process, or a power cut.
    #[arg(long, value_enum, value_name = "WHAT", default_value_t)]
    pub(crate) durability: Durability,
    /// Add a byte to this file as each train call begins: counts those of killed processes, too.
    #[arg(long, value_name = "FILE")]
    pub(crate) count_calls: Option<PathBuf>,
    /// Write events to standard output, one JSON object a line; the last one is the summary.
    #[arg(long)]
    pub(crate) json: bool,
    /// Show no progress.
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

/// What large files survive. Journal and client states survive both.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Durability {
    /// The end of any process; what a power cut tears is told by its hash.
    #[default]
    Process,
    /// A power cut: each is synced, which costs time.
    Power,
}

impl RunArgs {
    /// The run's folder.
    pub(crate) fn folder(&self) -> Option<&PathBuf> {
        self.resume.as_ref().or(self.out.as_ref())
    }
}

/// Changes to a job file, made before it is checked.
#[derive(Debug, Args)]
pub(crate) struct Changes {
    /// Another seed than the job's.
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Another value for one field, such as `--set controller.rounds=5`; may come more than once.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
}

/// `flare job`.
#[derive(Debug, Subcommand)]
pub(crate) enum JobCommand {
    /// Write a commented job file to start from.
    New {
        /// Where to write it; it must not be there yet [default: standard output].
        file: Option<PathBuf>,
    },
    /// Check a job, and say in words what it will do.
    Check {
        /// The job file.
        file: PathBuf,
        #[command(flatten)]
        changes: Changes,
    },
    /// Write the JSON schema of job files, for editors.
    Schema,
}

/// `flare model`.
#[derive(Debug, Subcommand)]
pub(crate) enum ModelCommand {
    /// List the tensors of a safetensors file, and its hash.
    Show {
        /// The file.
        file: PathBuf,
    },
}

/// `flare data`.
#[derive(Debug, Subcommand)]
pub(crate) enum DataCommand {
    /// Deal a job's data out into one folder for each client.
    Split {
        /// The job file.
        job: PathBuf,
        #[command(flatten)]
        changes: Changes,
        /// The folder in which each client gets one.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
