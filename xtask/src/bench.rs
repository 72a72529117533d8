//! `cargo xtask bench`: the benchmark program and the program that it runs, built in release.

use std::path::Path;

use anyhow::{Result, bail};

use crate::call::Call;
use crate::python;

/// Runs `flare-bench` with the given arguments.
///
/// # Errors
/// Where the package does not exist, does not build or ends badly.
pub(crate) fn run(root: &Path, args: &[String]) -> Result<()> {
    if !root.join("crates/bench").exists() {
        bail!("there is no crates/bench to run");
    }
    let python = python::ready(root)?;
    Call::cargo(root, "build --release --quiet -p flare-cli -p flare-bench").run()?;
    Call::cargo(root, "run --release --quiet -p flare-bench --")
        .args(args.iter().cloned())
        .env("FLARE_TEST_PYTHON", python)
        .run()
}
