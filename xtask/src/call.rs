//! A command line as a value: it is run, and it can be shown as what a person would type.

use std::ffi::OsStr;
use std::fmt;
use std::io::{BufRead, BufReader};
use std::ops::AddAssign;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// A program with its arguments, variables and folder.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    program: String,
    args: Vec<String>,
    env: Vec<(String, String)>,
    folder: PathBuf,
}

/// How many tests passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl Call {
    pub(crate) fn new(folder: &Path, program: impl Into<String>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
            folder: folder.to_path_buf(),
        }
    }

    /// `cargo` with the arguments of `line`, which are divided at spaces.
    pub(crate) fn cargo(folder: &Path, line: &str) -> Self {
        Self::new(folder, "cargo").args(line.split_whitespace())
    }

    pub(crate) fn args<S: Into<String>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    pub(crate) fn env(mut self, key: &str, value: impl AsRef<OsStr>) -> Self {
        self.env.push((key.to_owned(), value.as_ref().to_string_lossy().into_owned()));
        self
    }

    /// Runs with this process's own output; anything but success is an error that shows the command.
    pub(crate) fn run(&self) -> Result<()> {
        let status =
            self.command().status().with_context(|| format!("could not start `{self}`"))?;
        if !status.success() {
            bail!("`{self}` failed ({status})");
        }
        Ok(())
    }

    /// Runs and gives what was written to standard output; standard error is in the error message.
    pub(crate) fn output(&self) -> Result<String> {
        let output = self
            .command()
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("could not start `{self}`"))?;
        if !output.status.success() {
            let stderr = String::from_utf8_lossy(&output.stderr);
            bail!("`{self}` failed ({}): {}", output.status, stderr.trim());
        }
        String::from_utf8(output.stdout).with_context(|| format!("the output of `{self}`"))
    }

    /// Runs a test harness, shows what is not routine, and counts by its `test result:` lines.
    /// The flag says whether the process ended well.
    pub(crate) fn run_counting(&self) -> Result<(Tally, bool)> {
        let mut child = self
            .command()
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("could not start `{self}`"))?;
        let stdout = child.stdout.take().context("a child without standard output")?;
        let mut tally = Tally::default();
        for line in BufReader::new(stdout).lines() {
            let line = line.with_context(|| format!("reading the output of `{self}`"))?;
            if let Some(counted) = Tally::of_line(&line) {
                tally += counted;
            } else if !is_routine(&line) {
                println!("{line}");
            }
        }
        let status = child.wait().with_context(|| format!("waiting for `{self}`"))?;
        Ok((tally, status.success()))
    }

    fn command(&self) -> Command {
        // Within `cargo xtask` the cargo that runs us is the one to use.
        let program = match self.program.as_str() {
            "cargo" => std::env::var("CARGO").unwrap_or_else(|_| "cargo".into()),
            other => other.into(),
        };
        let mut command = Command::new(program);
        command.args(&self.args).current_dir(&self.folder);
        command.envs(self.env.iter().map(|(key, value)| (key, value)));
        command
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (key, value) in &self.env {
            write!(f, "{key}={} ", quoted(value))?;
        }
        f.write_str(&self.program)?;
        for arg in &self.args {
            write!(f, " {}", quoted(arg))?;
        }
        Ok(())
    }
}

impl Tally {
    /// Reads `test result: ok. 12 passed; 0 failed; 0 ignored; …`. An ignored test counts as
    /// failed: a test that does not run proves nothing (mark an example that is no code as `text`).
    fn of_line(line: &str) -> Option<Self> {
        let counts = line.strip_prefix("test result: ")?.split_once(". ")?.1;
        let number = |what: &str| -> u64 {
            let part = counts.split("; ").find_map(|part| part.strip_suffix(what));
            part.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
        };
        Some(Self { passed: number("passed"), failed: number("failed") + number("ignored") })
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

fn is_routine(line: &str) -> bool {
    line.is_empty()
        || (line.starts_with("test ") && line.ends_with(" ok"))
        || (line.starts_with("running ") && line.ends_with(['s', 't']))
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,+@".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_shown_as_a_person_would_type_it() {
        let call = Call::cargo(Path::new("."), "doc --no-deps").env("RUSTDOCFLAGS", "-D warnings");
        assert_eq!(call.to_string(), "RUSTDOCFLAGS='-D warnings' cargo doc --no-deps");
    }

    #[test]
    fn result_lines_are_counted_and_ignored_tests_are_failures() {
        let line =
            "test result: FAILED. 12 passed; 3 failed; 2 ignored; 0 measured; 0 filtered out";
        assert_eq!(Tally::of_line(line), Some(Tally { passed: 12, failed: 5 }));
        assert_eq!(Tally::of_line("test result_of_something ... ok"), None);
        assert_eq!(Tally { passed: 7, failed: 0 }.to_string(), "7 passed, 0 failed");
    }

    #[test]
    fn a_harness_is_counted_over_its_binaries_and_its_failure_is_seen() {
        let script = "echo 'test result: ok. 2 passed; 0 failed; 0 ignored'; \
                      echo 'test result: FAILED. 1 passed; 1 failed; 0 ignored'; exit 101";
        let (tally, well) =
            Call::new(Path::new("."), "sh").args(["-c", script]).run_counting().unwrap();
        assert_eq!((tally, well), (Tally { passed: 3, failed: 1 }, false));
    }

    #[test]
    fn a_failed_call_names_its_command_and_what_it_said() {
        let call = Call::new(Path::new("."), "sh").args(["-c", "echo broken >&2; exit 3"]);
        let error = call.output().unwrap_err().to_string();
        assert!(error.contains("sh -c") && error.contains("broken"), "{error}");
        assert!(Call::new(Path::new("."), "false").run().is_err());
    }
}
