//! Whole jobs, as a user runs them: processes of the program `flare`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::measure::{Row, timed};

/// The program beside this one.
fn program() -> Result<PathBuf> {
    let bench = std::env::current_exe()?;
    let beside = bench.parent().context("a program lies in a folder")?.join("flare");
    ensure!(beside.exists(), "{} is not built", beside.display());
    Ok(beside)
}

/// Seconds of the whole process: the best of several, each with its output checked.
fn job(path: &str, runs: usize) -> Result<f64> {
    let job = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    let mut best = f64::INFINITY;
    for _ in 0..runs {
        let mut command = Command::new(program()?);
        command.arg("run").arg(&job).arg("--json").stdin(Stdio::null());
        let (seconds, output) = timed(|| command.output());
        let output = output?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout)?;
        let last = text.lines().last().context("a summary is printed")?;
        let summary: serde_json::Value = serde_json::from_str(last)?;
        ensure!(summary["model_hash"].is_string(), "the summary has no model hash: {last}");
        best = best.min(seconds);
    }
    Ok(best)
}

/// All rows about whole jobs.
pub(crate) fn rows() -> Result<Vec<Row>> {
    let digits = job("examples/digits/job.toml", 3)?;
    let trivial = job("examples/trivial/job.toml", 20)?;
    Ok(vec![
        Row {
            name: "the digits job, whole process",
            measured: format!("{digits:.2} s"),
            asked: "under 2 s",
            met: digits < 2.0,
        },
        Row {
            name: "the trivial job, whole process",
            measured: format!("{:.1} ms", trivial * 1e3),
            asked: "under 30 ms",
            met: trivial < 0.03,
        },
    ])
}
