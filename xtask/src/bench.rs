//! `cargo xtask bench`: the benchmark program, built in release.

use std::path::Path;

use anyhow::{Result, bail};

use crate::call::Call;

/// Runs `flare-bench` with the given arguments.
///
/// # Errors
/// Where the package does not exist, does not build or ends badly.
pub(crate) fn run(root: &Path, args: &[String]) -> Result<()> {
    if !root.join("crates/bench").exists() {
        bail!("there is no crates/bench to run");
    }
    Call::cargo(root, "run --release --quiet -p flare-bench --").args(args.iter().cloned()).run()
}
