//! `cargo xtask e2e`: real processes, every row of a table, one model hash for each job.

use std::path::Path;

use anyhow::Result;

use crate::call::Tally;

/// Runs every row whose name contains `filter`. There is nothing to run before there is a program.
///
/// # Errors
/// Where a row fails.
pub(crate) fn run(root: &Path, _filter: &str) -> Result<Tally> {
    if !root.join("crates/cli").exists() {
        println!("no program yet");
        return Ok(Tally::default());
    }
    anyhow::bail!("the rows are still to be written")
}
