//! `cargo xtask mutants`: planted faults, each of which the test that it names must find.
//!
//! A file `tests/mutants/NAME.patch` starts with a line `# test: COMMAND`, may say more in words, and ends with a
//! patch as `git diff` writes it. The command must pass without the patch and fail with it.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::call::Call;
use crate::tree;

const FOLDER: &str = "tests/mutants";
const HEADER: &str = "# test: ";
/// A test that a fault keeps from ending has found it.
const LIMIT: Duration = Duration::from_secs(300);

/// A planted fault.
#[derive(Debug)]
struct Mutant {
    name: String,
    patch: PathBuf,
    test: String,
}

/// How a command ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Passed,
    /// With the names of the tests that failed.
    Failed(Vec<String>),
    Hung,
}

/// A copy of the checkout to plant faults in.
struct Garden {
    root: PathBuf,
    copy: PathBuf,
}

/// Plants every fault whose name contains `filter`, one at a time, and shows what found it.
///
/// # Errors
/// Where a fault is not found, cannot be planted, does not build, or its test fails without it.
pub(crate) fn run(root: &Path, filter: &str) -> Result<()> {
    let mutants: Vec<Mutant> =
        read(root)?.into_iter().filter(|mutant| mutant.name.contains(filter)).collect();
    if mutants.is_empty() {
        bail!("no patch in {FOLDER} has a name that contains {filter:?}");
    }
    let garden = Garden::new(root);
    garden.tests_pass(&mutants)?;
    let mut survivors = 0;
    for mutant in &mutants {
        let started = Instant::now();
        let found = garden.try_one(mutant);
        let seconds = started.elapsed().as_secs_f64();
        let text = match &found {
            Ok(by) => format!("found by {by}"),
            Err(error) => format!("NOT FOUND: {error:#}"),
        };
        println!("{:<44} {seconds:>6.1} s  {text}", mutant.name);
        survivors += usize::from(found.is_err());
    }
    match survivors {
        0 => Ok(()),
        _ => bail!("{survivors} of {} planted faults were not found", mutants.len()),
    }
}

fn read(root: &Path) -> Result<Vec<Mutant>> {
    let folder = root.join(FOLDER);
    let entries = fs::read_dir(&folder).with_context(|| format!("listing {}", folder.display()))?;
    let mut mutants = Vec::new();
    for entry in entries {
        let patch = entry?.path();
        if patch.extension().is_none_or(|extension| extension != "patch") {
            continue;
        }
        let name = patch.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let text = fs::read_to_string(&patch).with_context(|| format!("reading {name}.patch"))?;
        let test = text.lines().next().and_then(|line| line.strip_prefix(HEADER));
        let test = test.with_context(|| format!("{name}.patch does not start with `{HEADER}`"))?;
        mutants.push(Mutant { name, patch, test: test.trim().to_owned() });
    }
    mutants.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(mutants)
}

impl Garden {
    /// The copy keeps its own target folder, so that only what a fault touches is built again.
    fn new(root: &Path) -> Self {
        Self { root: root.to_path_buf(), copy: root.join("target/mutants/copy") }
    }

    /// Without a fault every test passes: else its failure would prove nothing.
    fn tests_pass(&self, mutants: &[Mutant]) -> Result<()> {
        tree::copy(&self.root, &self.copy)?;
        for test in mutants.iter().map(|mutant| &mutant.test).collect::<BTreeSet<_>>() {
            let end = self.end_of(test)?;
            if end != End::Passed {
                bail!("without any fault `{test}` does not pass: {end:?}");
            }
        }
        Ok(())
    }

    /// Plants the fault; gives the names of the tests that found it.
    fn try_one(&self, mutant: &Mutant) -> Result<String> {
        tree::copy(&self.root, &self.copy)?;
        Call::new(&self.copy, "git")
            .args(["apply".into(), mutant.patch.to_string_lossy().into_owned()])
            // The copy lies within a repository, which is none of its business.
            .env("GIT_CEILING_DIRECTORIES", self.root.join("target/mutants"))
            .output()
            .context("the patch does not apply")?;
        if let Some(build) = build_only(&mutant.test)
            && self.end_of(&build)? != End::Passed
        {
            bail!("with the fault `{build}` fails: a fault must build");
        }
        match self.end_of(&mutant.test)? {
            End::Passed => bail!("`{}` passes", mutant.test),
            End::Hung => Ok(format!("a test that did not end in {} s", LIMIT.as_secs())),
            End::Failed(tests) if tests.is_empty() => Ok(format!("`{}`", mutant.test)),
            End::Failed(tests) => Ok(tests.join(", ")),
        }
    }

    fn end_of(&self, command: &str) -> Result<End> {
        let log = self.root.join("target/mutants/log.txt");
        let file = File::create(&log).with_context(|| format!("making {}", log.display()))?;
        let mut child = Command::new("sh")
            .args(["-euc", command])
            .current_dir(&self.copy)
            .env("CARGO_TARGET_DIR", self.copy.join("target"))
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .process_group(0)
            .spawn()
            .with_context(|| format!("could not start `{command}`"))?;
        let started = Instant::now();
        loop {
            if let Some(status) = child.try_wait()? {
                let failed = || failed_tests(&fs::read_to_string(&log).unwrap_or_default());
                return Ok(if status.success() { End::Passed } else { End::Failed(failed()) });
            }
            if started.elapsed() > LIMIT {
                let group = format!("-{}", child.id());
                Call::new(&self.root, "kill").args(["-9".into(), "--".into(), group]).run()?;
                child.wait()?;
                return Ok(End::Hung);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// `cargo test …` without running anything; None for another command.
fn build_only(test: &str) -> Option<String> {
    let rest = test.strip_prefix("cargo test")?;
    Some(match rest.split_once(" -- ") {
        Some((options, _)) => format!("cargo test{options} --no-run"),
        None => format!("cargo test{rest} --no-run"),
    })
}

/// By the heads under which the harness shows what a failed test wrote; quiet or not.
fn failed_tests(log: &str) -> Vec<String> {
    let name = |line: &str| {
        let name = line.strip_prefix("---- ")?.strip_suffix(" stdout ----")?;
        Some(name.to_owned())
    };
    log.lines().filter_map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATCH: &str = "--- a/answer.txt\n+++ b/answer.txt\n@@ -1 +1 @@\n-good\n+bad\n";

    fn outcome(test: &str, patch: &str) -> Result<()> {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("answer.txt"), "good\n").unwrap();
        fs::create_dir_all(root.path().join(FOLDER)).unwrap();
        let text = format!("{HEADER}{test}\nWhat it is.\n\n{patch}");
        fs::write(root.path().join(FOLDER).join("fault.patch"), text).unwrap();
        run(root.path(), "")
    }

    #[test]
    fn a_fault_is_found_by_a_test_that_sees_it_and_not_by_one_that_does_not() {
        outcome("grep -q good answer.txt", PATCH).unwrap();
        assert!(outcome("test -f answer.txt", PATCH).is_err());
    }

    #[test]
    fn a_test_that_fails_without_the_fault_and_a_patch_that_does_not_apply_are_errors() {
        let error = outcome("grep -q bad answer.txt", PATCH).unwrap_err().to_string();
        assert!(error.contains("without any fault"), "{error}");
        assert!(outcome("grep -q good answer.txt", &PATCH.replace("-good", "-fine")).is_err());
    }

    #[test]
    fn the_command_that_only_builds_leaves_out_the_harness_options() {
        assert_eq!(
            build_only("cargo test -p a --test it -- t1_ x").unwrap(),
            "cargo test -p a --test it --no-run"
        );
        assert_eq!(build_only("cargo test -p a").unwrap(), "cargo test -p a --no-run");
        assert_eq!(build_only("sh check.sh"), None);
    }

    #[test]
    fn the_names_of_failed_tests_are_read() {
        let log =
            "test a::b ... ok\nfailures:\n\n---- a::c stdout ----\nwhy\n\nfailures:\n    a::c\n";
        assert_eq!(failed_tests(log), ["a::c"]);
    }
}
