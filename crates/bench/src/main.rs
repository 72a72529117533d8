//! What Flare takes: ratios measured within one run, with their results checked.
//!
//! `cargo xtask bench [mean | runtime | jobs]…` builds in release and prints a table in Markdown; the method
//! is in `docs/benchmarks.md`.
//!
//! *Invariant*: every row checks what it measures: a wrong result is an error, not a fast row.
#![forbid(unsafe_code)]
#![allow(clippy::disallowed_methods, clippy::print_stdout)] // Measuring reads the clock and prints.

mod jobs;
mod mean;
mod measure;
mod runtime;
mod world;

use std::num::NonZeroUsize;

use anyhow::{Result, bail};
use flare_executor::Threads;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, name] = &arguments[..]
        && flag == "--child"
    {
        println!("{}", runtime::child(name)?);
        return Ok(());
    }
    let all = ["mean", "runtime", "jobs"].map(String::from);
    let wanted = if arguments.is_empty() { &all[..] } else { &arguments[..] };
    let mut rows = Vec::new();
    for part in wanted {
        rows.extend(match part.as_str() {
            "mean" => mean::rows(&Threads::new(NonZeroUsize::MIN), &Threads::available())?,
            "runtime" => runtime::rows()?,
            "jobs" => jobs::rows()?,
            other => bail!("no part is named {other:?}: there are mean, runtime and jobs"),
        });
    }
    print!("{}", measure::table(&rows));
    Ok(())
}
