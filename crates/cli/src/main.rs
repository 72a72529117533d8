//! The program `flare`: parses the command line, calls the facade, shows what comes, exits.
//!
//! - `args` is the command line as data; `exit` the exit codes and how errors are shown.
//! - `run` is `flare run`: progress, events as JSON, closing table, Ctrl-C.
//! - `job`, `model` and `data` are the other commands.
//!
//! *Invariant*: standard output is data, standard error the rest. What is decided or computed is
//! decided and computed in the facade; text that came from strangers is escaped before it is shown.
#![forbid(unsafe_code)]

mod args;
mod data;
mod exit;
mod job;
mod model;
mod out;
mod run;
mod table;

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;
use flare::shown::escaped;
use tracing_subscriber::filter::LevelFilter;

use args::{Cli, Command, DataCommand, JobCommand, ModelCommand};
use exit::{Exit, Failure, Result};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return parsed_nothing(&error),
    };
    log(cli.verbose);
    match command(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => ended(&failure),
    }
}

fn command(command: Command) -> Result<()> {
    match command {
        Command::Run(args) => run::run(&args),
        Command::Job(JobCommand::New { file }) => job::new(file.as_deref()),
        Command::Job(JobCommand::Check { file, changes }) => job::check(&file, &changes),
        Command::Job(JobCommand::Schema) => job::schema_text(),
        Command::Model(ModelCommand::Show { file }) => model::show(&file),
        Command::Data(DataCommand::Split { job, changes, out }) => {
            data::split(&job, &changes, &out)
        }
    }
}

/// Help and version are what was asked for; anything else is a mistake in the command line.
fn parsed_nothing(error: &clap::Error) -> ExitCode {
    let text = error.render().to_string();
    let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    if asked {
        return match out::write(&text) {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => ended(&failure),
        };
    }
    let text: String = text.lines().map(|line| escaped(line) + "\n").collect();
    out::note(&text);
    ExitCode::from(Exit::Input.code())
}

fn ended(failure: &Failure) -> ExitCode {
    if failure.exit != Exit::Closed {
        out::note(&failure.to_string());
    }
    ExitCode::from(failure.exit.code())
}

/// What the library has to say, for people, on standard error: unasked only what they should know.
fn log(verbose: u8) {
    let to_people =
        tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(run::is_rich());
    match verbose {
        0 => {
            let warnings = to_people.with_max_level(LevelFilter::WARN);
            warnings.without_time().with_target(false).init();
        }
        1 => to_people.with_max_level(LevelFilter::INFO).init(),
        _ => to_people.with_max_level(LevelFilter::DEBUG).init(),
    }
}
