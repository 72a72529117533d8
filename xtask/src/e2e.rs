//! `cargo xtask e2e`: real processes, every row of a table, one model hash for each job.
//!
//! The rows are data in `rows.rs`; `run.rs` carries one out, `kill.rs` those that are killed.

mod accuracy;
mod expected;
mod kill;
mod program;
mod readme;
mod rows;
mod run;
mod summary;

use std::path::Path;
use std::time::Instant;

use anyhow::{Result, bail};

use crate::call::Tally;
use crate::chance::Chance;
use expected::Expected;
use program::{Checkout, Programs};
use rows::Row;

/// What a row gives when it passes.
enum Passed {
    /// What to show in the last column.
    With(String),
    /// The row cannot be run on this machine, for this reason. It counts as nothing.
    Skipped(String),
}

/// Runs every row whose name contains `filter`. There is nothing to run before there is a program.
///
/// # Errors
/// Where a build or any row fails; all rows are run and shown first.
pub(crate) fn run(root: &Path, filter: &str) -> Result<Tally> {
    if !root.join("crates/cli").exists() {
        println!("no program yet");
        return Ok(Tally::default());
    }
    let expected = Expected::load(root)?;
    let blocks = readme::blocks(root)?;
    let checkout = Checkout::fresh(root)?;
    let v3 = rows::ROWS.iter().any(|row| row.is(filter) && row.v3());
    let programs = Programs::build(&checkout, v3)?;
    let seed = Chance::seed()?;
    println!("moments of kills: XTASK_SEED={seed}");
    println!("{}", Row::header());

    let mut tally = Tally::default();
    for row in rows::ROWS.iter().filter(|row| row.is(filter)) {
        tally += shown(&row.columns(), || run::row(root, &programs, &expected, row, seed));
    }
    for seed in accuracy::SEEDS {
        let name = accuracy::name(seed);
        if name.contains(filter) {
            tally += shown(&name, || accuracy::row(root, &programs, &expected, seed));
        }
    }
    for block in &blocks {
        let name = block.name();
        if name.contains(filter) {
            tally += shown(&name, || readme::run(&checkout, &expected, block));
        }
    }
    match tally {
        Tally { passed: 0, failed: 0 } => bail!("no row's name contains {filter:?}"),
        Tally { failed: 0, .. } => Ok(tally),
        Tally { failed, .. } => bail!("{failed} rows failed"),
    }
}

/// Runs one row and prints it with its time and result.
fn shown(columns: &str, row: impl FnOnce() -> Result<Passed>) -> Tally {
    let started = Instant::now();
    let result = row();
    let seconds = started.elapsed().as_secs_f64();
    match result {
        Ok(Passed::With(text)) => {
            println!("{columns} {seconds:>7.1}  {text}");
            Tally { passed: 1, failed: 0 }
        }
        Ok(Passed::Skipped(reason)) => {
            println!("{columns} {:>7}  skipped: {reason}", "-");
            Tally::default()
        }
        Err(error) => {
            println!("{columns} {seconds:>7.1}  FAILED: {error:#}");
            Tally { passed: 0, failed: 1 }
        }
    }
}
