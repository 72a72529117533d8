//! This test program once more, as a process that may be killed.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command, Stdio};

use crate::{full, places, story};

const ROLE: &str = "FLARE_STORE_TEST_ROLE";
const FOLDER: &str = "FLARE_STORE_TEST_FOLDER";

/// A running process in a role.
pub(crate) struct Child {
    process: std::process::Child,
    output: std::io::Lines<BufReader<ChildStdout>>,
}

/// What a process left when it ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Whether it ended well.
    pub is_well: bool,
    /// What it said.
    pub lines: Vec<String>,
}

impl Child {
    /// Starts a process that works on `folder`.
    pub(crate) fn start(role: &str, folder: &Path, settings: &[(&str, String)]) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["child::entry", "--exact", "--nocapture", "--test-threads=1"]);
        command.env(ROLE, role).env(FOLDER, folder);
        command.envs(settings.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, output }
    }

    /// Its number.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// The next line that it says for us, without the mark.
    pub(crate) fn line(&mut self) -> String {
        let lines = self.output.by_ref().map(|line| line.unwrap());
        lines.filter_map(said).next().expect("it ended without a word")
    }

    /// Kills it, and waits until it is gone.
    pub(crate) fn kill(self) {
        drop(self);
    }

    /// Waits for its end.
    pub(crate) fn ended(mut self) -> Ended {
        let lines = self.output.by_ref().filter_map(|line| said(line.unwrap())).collect();
        let status = self.process.wait().unwrap();
        Ended { signal: status.signal(), is_well: status.success(), lines }
    }
}

/// A test that fails leaves no process behind.
impl Drop for Child {
    fn drop(&mut self) {
        self.process.kill().and_then(|()| self.process.wait()).unwrap();
    }
}

/// Lines for the parent have a mark: the test harness prints as well, and a line of its own may be begun.
fn said(line: String) -> Option<String> {
    line.split_once("@@ ").map(|(_, text)| text.to_owned())
}

/// Says something to the parent at once.
pub(crate) fn say(text: &str) {
    let mut output = std::io::stdout().lock();
    writeln!(output, "@@ {text}").and_then(|()| output.flush()).unwrap();
}

/// A setting that the parent gave.
pub(crate) fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// What the child does. In a usual run of the tests it has no role, and does nothing.
#[test]
fn entry() {
    let Some(role) = setting(ROLE) else { return };
    let folder = PathBuf::from(setting(FOLDER).unwrap());
    match role.as_str() {
        "hold" => {
            let _open = places::open(&folder);
            say("held");
            loop {
                std::thread::park();
            }
        }
        "story" => story::tell(&folder),
        "full" => full::fill(&folder),
        other => panic!("no role {other}"),
    }
}
