//! `cargo xtask test`: every check in order, each with its time; the first that fails ends it.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::call::{Call, Tally};
use crate::{e2e, python, tidy};

/// Runs all steps. The last line printed is `N passed, 0 failed` over all test harnesses and rows.
///
/// # Errors
/// The first step that fails, with the command to run by hand.
pub(crate) fn run(root: &Path) -> Result<()> {
    let cargo = |line: &str| Call::cargo(root, line);
    let started = Instant::now();

    call("format", &cargo("fmt --all --check"))?;
    step("tidy", "cargo xtask tidy", || tidy::run(root))?;
    let python = step("python", "python3 -m venv target/python", || python::ready(root))?;
    call("clippy", &cargo("clippy --workspace --all-targets --quiet -- -D warnings"))?;
    let mut tally = tests(
        &cargo("test --workspace --no-fail-fast")
            .env("FLARE_TEST_PYTHON", python)
            .env("FLARE_TEST_REQUIRE_PYTHON", "1"),
    )?;
    call("docs", &docs(root))?;
    if root.join("crates/cli").exists() {
        call("docs of the program", &program_docs(root))?;
    }
    for feature in tidy::facade_features(root)? {
        let line = format!("check --quiet -p flare --no-default-features --features {feature}");
        call(&format!("feature {feature} alone"), &cargo(&line))?;
    }
    tally += step("e2e", "cargo xtask e2e", || e2e::run(root, ""))?;

    println!("== all steps took {:.0} s", started.elapsed().as_secs_f64());
    println!("{tally}");
    Ok(())
}

/// The program and the facade are both named `flare`, so that their pages would overwrite each
/// other: those of the program go elsewhere.
fn docs(root: &Path) -> Call {
    let call = Call::cargo(root, "doc --workspace --no-deps --quiet");
    let call =
        if root.join("crates/cli").exists() { call.args(["--exclude", "flare-cli"]) } else { call };
    call.env("RUSTDOCFLAGS", "-D warnings")
}

/// What is built on the way is that of the other steps; only the pages have a folder of their own.
fn program_docs(root: &Path) -> Call {
    let target = root.join("target");
    Call::cargo(root, "doc -p flare-cli --bin flare --no-deps --quiet")
        .env("CARGO_BUILD_BUILD_DIR", &target)
        .env("CARGO_TARGET_DIR", target.join("program-docs"))
        .env("RUSTDOCFLAGS", "-D warnings")
}

/// All tests, doc tests with them, in one command, so that the workspace is built once.
fn tests(call: &Call) -> Result<Tally> {
    step("tests and doc tests", &call.to_string(), || {
        let (tally, ended_well) = call.run_counting()?;
        if !ended_well || tally.failed > 0 || tally.passed == 0 {
            bail!("{tally}");
        }
        Ok(tally)
    })
}

fn call(name: &str, call: &Call) -> Result<()> {
    step(name, &call.to_string(), || call.run())
}

fn step<T>(name: &str, by_hand: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    println!("== {name}");
    let started = Instant::now();
    let result = work()
        .with_context(|| format!("the step `{name}` failed; to run it by hand: {by_hand}\n"))?;
    println!("== {name}: {:.1} s", started.elapsed().as_secs_f64());
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_fails_names_the_command_to_run_by_hand() {
        let call = super::Call::new(Path::new("."), "false");
        let error = format!("{:#}", super::call("docs", &call).unwrap_err());
        assert!(error.contains("`docs` failed; to run it by hand: false"), "{error}");
    }

    #[test]
    fn no_tests_at_all_is_a_failure() {
        let nothing = Call::new(Path::new("."), "true");
        assert!(super::tests(&nothing).is_err());
    }
}
