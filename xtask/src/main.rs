//! The workspace's own commands: `cargo xtask test` is what must pass before anything is merged.
//!
//! Start reading at `test.rs` (the steps in order) and `tidy.rs` (the rules of the house).
//!
//! *Invariant*: this program depends on no crate of the workspace; it starts the others.
#![forbid(unsafe_code)]
// This program is a front door: it prints, and it measures how long its steps took.
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::disallowed_methods)]

mod bench;
mod call;
mod chance;
mod e2e;
mod mutants;
mod python;
mod test;
mod tidy;
mod tree;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

const HELP: &str = "\
cargo xtask COMMAND

  test             everything that must pass, in order; sets up by itself what it needs
  tidy             the rules of the house: edges between crates, files, manifests, pages
  e2e [NAME]       real processes: every row of the table, or those whose name contains NAME
  mutants [NAME]   every planted fault of tests/mutants must be found by its test
  bench [ARGS]     the benchmark program, in release
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(args: &[String]) -> Result<()> {
    let root = root()?;
    match args.split_first().map(|(name, rest)| (name.as_str(), rest)) {
        Some(("test", [])) => test::run(&root),
        Some(("tidy", [])) => tidy::run(&root),
        Some(("e2e", [])) => e2e::run(&root, "").map(drop),
        Some(("e2e", [name])) => e2e::run(&root, name).map(drop),
        Some(("mutants", [])) => mutants::run(&root, ""),
        Some(("mutants", [name])) => mutants::run(&root, name),
        Some(("bench", rest)) => bench::run(&root, rest),
        Some(("help" | "--help" | "-h", _)) | None => {
            print!("{HELP}");
            Ok(())
        }
        Some((name, _)) => bail!("no such command or arguments: {name}\n\n{HELP}"),
    }
}

/// The workspace's root: the folder above this package's, as cargo says at run time (a checkout
/// may have been moved since this program was built).
fn root() -> Result<PathBuf> {
    let package =
        std::env::var("CARGO_MANIFEST_DIR").unwrap_or_else(|_| env!("CARGO_MANIFEST_DIR").into());
    let root = Path::new(&package).parent().context("xtask has no parent folder")?;
    Ok(root.to_path_buf())
}
