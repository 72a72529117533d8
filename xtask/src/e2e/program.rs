//! The program under test: its builds, and one process of it from start to end or kill.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::call::Call;
use crate::tree;

/// A process that has not ended after this long hangs.
const LIMIT: Duration = Duration::from_secs(120);
/// How much of standard error an error message shows.
const SHOWN: usize = 2_000;

/// A copy of the checkout's files that all builds are made from and the README's commands run in: what is shown
/// is shown of what a clone would hold.
#[derive(Debug)]
pub(super) struct Checkout {
    pub(super) copy: PathBuf,
    /// The checkout's own target folder, so that the dependencies need not be built again.
    pub(super) target: PathBuf,
}

/// The builds of the program.
#[derive(Debug)]
pub(super) struct Programs {
    pub(super) plain: Program,
    /// None where this machine cannot run it, or no row asks for it.
    pub(super) v3: Option<Program>,
}

/// How to start the program.
#[derive(Clone, Debug)]
pub(super) struct Program {
    path: PathBuf,
    /// Arguments that come before all others.
    first: Vec<String>,
}

/// A process that ended.
#[derive(Debug)]
pub(super) struct Ended {
    /// The lines of its standard output.
    pub(super) lines: Vec<String>,
    pub(super) end: End,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Well,
    Killed,
}

/// The moment of a kill: so long after so many lines of output have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) lines: usize,
    pub(super) then: Duration,
}

impl Checkout {
    /// Copies anew. The place is always the same: cargo knows a crate by its path, and would
    /// build it again elsewhere.
    pub(super) fn fresh(root: &Path) -> Result<Self> {
        let target = root.join("target");
        let copy = target.join("e2e/checkout");
        tree::fresh(root, &copy)?;
        Ok(Self { copy, target })
    }

    /// `cargo build …` of the program in the copy, chosen as the README does: another choice of packages may
    /// be one of other features, too.
    fn build(&self, profile: &str) -> Call {
        Call::cargo(&self.copy, &format!("build --quiet --bin flare --profile {profile}"))
    }
}

impl Programs {
    /// Builds the program, and where `v3` asks for it and the machine can run it, a second time
    /// for x86-64-v3 in a target folder of its own.
    pub(super) fn build(checkout: &Checkout, v3: bool) -> Result<Self> {
        let target = &checkout.target;
        build(&checkout.build("release").env("CARGO_TARGET_DIR", target))?;
        let v3 = if v3 && runs_v3() {
            let target = target.join("v3");
            build(
                &checkout
                    .build("other-cpu")
                    .env("RUSTFLAGS", "-C target-cpu=x86-64-v3")
                    .env("CARGO_TARGET_DIR", &target),
            )?;
            Some(Program::new(target.join("other-cpu/flare")))
        } else {
            None
        };
        Ok(Self { plain: Program::new(target.join("release/flare")), v3 })
    }
}

impl Program {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, first: Vec::new() }
    }

    /// A shell script in place of the program.
    #[cfg(test)]
    pub(super) fn script(path: &Path) -> Self {
        Self { path: "sh".into(), first: vec![path.to_string_lossy().into_owned()] }
    }

    /// Runs one process in `folder` until it ends or until the moment of its kill. One that
    /// ends before that moment ended well.
    ///
    /// # Errors
    /// Where it cannot be started, ends badly by itself, or hangs.
    pub(super) fn run(
        &self,
        folder: &Path,
        args: &[String],
        kill: Option<Moment>,
    ) -> Result<Ended> {
        let shown = format!("flare {}", args.join(" "));
        let log = folder.join("stderr.txt");
        let mut child = Command::new(&self.path)
            .args(&self.first)
            .args(args)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(&log).context("making a file for standard error")?)
            .spawn()
            .with_context(|| format!("could not start {}", self.path.display()))?;
        let stdout = child.stdout.take().context("a child without standard output")?;
        let watched = watch(&mut child, &read_lines(stdout), kill);
        if watched.is_err() {
            end(&mut child)?;
        }
        let (lines, killed) = watched.with_context(|| format!("`{shown}`"))?;
        let status = child.wait().context("waiting for the program")?;
        match (status.success(), killed) {
            (true, _) => Ok(Ended { lines, end: End::Well }),
            (false, true) => Ok(Ended { lines, end: End::Killed }),
            (false, false) => bail!("`{shown}` ended with {status}: {}", tail(&log)),
        }
    }
}

/// Whether this machine runs programs for x86-64-v3.
#[cfg(target_arch = "x86_64")]
fn runs_v3() -> bool {
    is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("fma")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("f16c")
        && is_x86_feature_detected!("lzcnt")
        && is_x86_feature_detected!("movbe")
}

/// Whether this machine runs programs for x86-64-v3.
#[cfg(not(target_arch = "x86_64"))]
fn runs_v3() -> bool {
    false
}

fn build(call: &Call) -> Result<()> {
    let started = Instant::now();
    println!("{call}");
    call.run()?;
    println!("built in {:.1} s", started.elapsed().as_secs_f64());
    Ok(())
}

/// Lines as they come, read by a thread that ends with the pipe.
fn read_lines(stdout: ChildStdout) -> Receiver<std::io::Result<String>> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines() {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Collects lines until the pipe closes; kills the child at the moment. Says whether it did.
fn watch(
    child: &mut Child,
    pipe: &Receiver<std::io::Result<String>>,
    kill: Option<Moment>,
) -> Result<(Vec<String>, bool)> {
    let started = Instant::now();
    let mut lines = Vec::new();
    let mut due = kill.filter(|moment| moment.lines == 0).map(|moment| started + moment.then);
    let mut killed = false;
    loop {
        let now = Instant::now();
        if due.is_some_and(|due| due <= now) {
            end(child)?;
            (due, killed) = (None, true);
        }
        let until = due.unwrap_or(started + LIMIT);
        match pipe.recv_timeout(until.saturating_duration_since(now)) {
            Ok(line) => lines.push(line.context("standard output is no text")?),
            Err(RecvTimeoutError::Disconnected) => return Ok((lines, killed)),
            Err(RecvTimeoutError::Timeout) if due.is_some() => continue,
            Err(RecvTimeoutError::Timeout) => bail!("still running after {} s", LIMIT.as_secs()),
        }
        if let Some(moment) = kill.filter(|moment| !killed && moment.lines == lines.len()) {
            due = Some(Instant::now() + moment.then);
        }
    }
}

fn end(child: &mut Child) -> Result<()> {
    child.kill().context("killing the program")
}

fn tail(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let text = text.trim();
    let from = text.char_indices().rev().nth(SHOWN).map_or(0, |(at, _)| at);
    text[from..].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(script: &str, kill: Option<Moment>) -> Result<Ended> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("program.sh");
        fs::write(&path, script).unwrap();
        Program::script(&path).run(folder.path(), &["run".into()], kill)
    }

    #[test]
    fn lines_are_read_to_the_end() {
        let ended = run("echo $1; echo b", None).unwrap();
        assert_eq!((ended.lines, ended.end), (vec!["run".into(), "b".into()], End::Well));
    }

    #[test]
    fn a_bad_end_shows_standard_error() {
        let error = run("echo 'no such job' >&2; exit 2", None).unwrap_err().to_string();
        assert!(error.contains("flare run") && error.contains("no such job"), "{error}");
    }

    #[test]
    fn a_kill_comes_after_its_line_and_not_before() {
        let kill = Moment { lines: 2, then: Duration::ZERO };
        let ended = run("echo a; echo b; exec sleep 100", Some(kill)).unwrap();
        assert_eq!((ended.lines.len(), ended.end), (2, End::Killed));
        let kill = Moment { lines: 0, then: Duration::from_millis(1) };
        let ended = run("exec sleep 100", Some(kill)).unwrap();
        assert_eq!((ended.lines.len(), ended.end), (0, End::Killed));
    }

    #[test]
    fn a_process_that_ends_before_its_moment_ended_well_or_badly_by_itself() {
        let kill = Some(Moment { lines: 5, then: Duration::ZERO });
        assert_eq!(run("echo a", kill).unwrap().end, End::Well);
        assert!(run("echo a; exit 1", kill).is_err());
    }
}
