//! `flare run`: a job in this process, shown while it runs.

mod display;
mod events;
mod failure;
mod observer;
mod plain;
mod rich;
mod round;
mod signals;
mod words;

pub(crate) use display::is_rich;

use std::sync::Arc;

use flare::job::{Loaded, Overrides, load};
use flare::report::figures;
use flare::run::{self, Interrupt, Options, Run, Summary};

use crate::args::{Changes, Durability, RunArgs};
use crate::exit::Result;
use crate::out;
use crate::table::{Side, lines};

use display::Display;
use observer::Watcher;

/// Runs a job and shows it: progress on standard error; on standard output the closing table, or with
/// `--json` events, the last of them the summary.
pub(crate) fn run(args: &RunArgs) -> Result<()> {
    let result = carried_out(args);
    if let (true, Err(failure)) = (args.json, &result) {
        // Whoever reads the lines need not read standard error as well. A closed pipe takes no more.
        drop(out::line(&events::error(failure).to_string()));
    }
    result
}

/// The job of a file, with changes.
pub(crate) fn loaded(file: &std::path::Path, changes: &Changes) -> Result<Loaded> {
    let set = changes.set.iter().map(|set| set.parse()).collect::<std::result::Result<_, _>>();
    let overrides = Overrides { set: set.map_err(failure::job)?, seed: changes.seed };
    load(file, &overrides, &flare::registry()).map_err(failure::job)
}

fn carried_out(args: &RunArgs) -> Result<()> {
    let job = loaded(&args.job, &args.changes)?;
    let interrupt = Interrupt::new();
    let display = Display::choose(args.quiet, args.json);
    let watcher = Arc::new(Watcher::new(&job, args, display, interrupt.clone()));
    let listening = signals::listen(interrupt.clone(), Arc::clone(&watcher), args)?;
    let prepared = Run::prepare(job, options(args));
    let result = prepared.and_then(|run| run.execute(Arc::clone(&watcher) as _, &interrupt));
    listening.done();
    watcher.clear();
    if let Some(failure) = watcher.broken() {
        return Err(failure);
    }
    show(args, &result.map_err(|error| failure::run(error, args, watcher.round()))?)
}

fn show(args: &RunArgs, summary: &Summary) -> Result<()> {
    if args.json {
        return out::line(&events::summary(summary).to_string());
    }
    let rows: Vec<[String; 2]> =
        figures(summary).into_iter().map(|(what, value)| [what, value]).collect();
    out::write(&lines([Side::Left, Side::Left], &rows))
}

fn options(args: &RunArgs) -> Options {
    Options {
        out: args.folder().cloned(),
        resume: args.resume.is_some(),
        workers: args.workers,
        cohort: args.cohort.clone(),
        accept_units: args.accept_unit,
        count_calls: args.count_calls.clone(),
        durability: match args.durability {
            Durability::Process => run::Durability::Process,
            Durability::Power => run::Durability::Power,
        },
        ..Options::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Cli, Command};
    use clap::Parser;

    #[test]
    fn the_durability_that_is_asked_for_is_an_option_of_the_run() {
        let of = |args: &[&str]| {
            let all = ["flare", "run", "job.toml"].iter().chain(args);
            let Command::Run(args) = Cli::try_parse_from(all).unwrap().command else { panic!() };
            options(&args).durability
        };
        assert_eq!(of(&[]), run::Durability::Process);
        assert_eq!(of(&["--durability", "process"]), run::Durability::Process);
        assert_eq!(of(&["--durability", "power"]), run::Durability::Power);
        assert!(Cli::try_parse_from(["flare", "run", "job.toml", "--durability", "x"]).is_err());
    }
}
