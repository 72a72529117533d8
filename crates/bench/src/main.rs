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

use anyhow::{Result, bail, ensure};
use flare_executor::Threads;

use measure::Row;

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
    if let Some(other) = wanted.iter().find(|part| !all.contains(part)) {
        bail!("no part is named {other:?}: there are mean, runtime and jobs");
    }
    each(wanted, rows, |text| print!("{text}"))
}

fn rows(part: &str) -> Result<Vec<Row>> {
    match part {
        "mean" => mean::rows(&Threads::new(NonZeroUsize::MIN), &Threads::available()),
        "runtime" => runtime::rows(),
        _ => jobs::rows(),
    }
}

/// Shows the rows of each part as soon as it has been measured. A part that fails takes nothing from the others: its error
/// is a row, and the end is bad.
fn each(
    parts: &[String],
    rows: impl Fn(&str) -> Result<Vec<Row>>,
    mut show: impl FnMut(&str),
) -> Result<()> {
    show(measure::HEAD);
    let mut failed = Vec::new();
    for part in parts {
        match rows(part) {
            Ok(rows) => show(&measure::lines(&rows)),
            Err(error) => {
                show(&format!("| {part} | failed: {error:#} | - | no |\n"));
                failed.push(part.as_str());
            }
        }
    }
    ensure!(failed.is_empty(), "these parts failed: {}", failed.join(", "));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_as_they_are_measured_and_a_part_that_fails_takes_none_away() {
        let row = || Row { name: "x", measured: "1 s".into(), asked: "2 s", met: true };
        let parts = ["a", "broken", "c"].map(String::from);
        let mut shown = Vec::new();
        let end = each(
            &parts,
            |part| if part == "broken" { bail!("no disk") } else { Ok(vec![row()]) },
            |text| shown.push(text.to_owned()),
        );
        let error = end.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains("broken"), "{error}");
        let line = "| x | 1 s | 2 s | yes |\n";
        assert_eq!(
            shown[1..],
            [line, "| broken | failed: no disk | - | no |\n", line].map(String::from)
        );
    }
}
