//! A folder to run the program in, and what it said, as one value to compare.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A job of three rounds that takes no time: two clients reply what is set here.
pub(crate) const FIXED: &str = r#"
name = "fixed"
seed = 7
[clients]
count = 2
[controller]
kind = "fedavg"
rounds = 3
[learner]
kind = "fixed"
offset = 0.5
examples = 4
[[learner.metrics]]
name = "accuracy"
values = [0.5, 0.625, 0.75]
[[learner.metrics]]
name = "loss"
values = [2.0, 1.5, 1.25]
direction = "lower_is_better"
[[model.tensors]]
name = "weights"
shape = [2, 3]
"#;

/// The same job with another learner of the study kind, which replies so where it replies at all.
pub(crate) fn with_learner(fields: &str) -> String {
    let fields = format!("{fields}\n[learner.reply]");
    FIXED
        .replace("kind = \"fixed\"", &fields)
        .replace("[[learner.metrics]]", "[[learner.reply.metrics]]")
}

/// A folder of its own, which goes when the test ends.
pub(crate) struct Place {
    folder: TempDir,
}

/// What a process said, and how it ended.
#[must_use]
pub(crate) struct Ended {
    /// The exit code; None where a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    folder: PathBuf,
}

impl Place {
    /// An empty folder.
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// A folder with a job in `job.toml`.
    pub(crate) fn with_job(text: &str) -> Self {
        let place = Self::new();
        place.write("job.toml", text);
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// The text of a file, or no text where there is none.
    pub(crate) fn read_if_there(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// The program with these arguments, in this folder, with nothing of the caller's terminal.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flare"));
        self.prepare(command.args(args));
        command
    }

    /// A shell script in which `$FLARE` is the program.
    pub(crate) fn shell(&self, script: &str) -> Command {
        let mut command = Command::new("sh");
        self.prepare(command.args(["-c", script]).env("FLARE", env!("CARGO_BIN_EXE_flare")));
        command
    }

    /// No test has a folder for what is the user's own: nothing is written there.
    fn prepare(&self, command: &mut Command) {
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        for name in ["HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"]
        {
            command.env(name, "/nonexistent");
        }
        for name in ["NO_COLOR", "TERM", "COLUMNS", "RUST_LOG"] {
            command.env_remove(name);
        }
    }

    /// Runs the program to its end.
    pub(crate) fn flare(&self, args: &[&str]) -> Ended {
        self.ended(self.command(args).output().unwrap())
    }

    /// What a process came to.
    pub(crate) fn ended(&self, output: Output) -> Ended {
        Ended {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
            folder: self.folder.path().to_owned(),
        }
    }

    /// All files below, by their paths within this folder, sorted.
    pub(crate) fn files(&self) -> Vec<String> {
        let mut files = Vec::new();
        collect(self.folder.path(), &mut files);
        let prefix = self.folder.path();
        let name = |file: &PathBuf| file.strip_prefix(prefix).unwrap().display().to_string();
        let mut files: Vec<String> = files.iter().map(name).collect();
        files.sort();
        files
    }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else {
            files.push(path);
        }
    }
}

impl Ended {
    /// The same, which must have ended well.
    pub(crate) fn well(self) -> Self {
        assert_eq!(self.code, Some(0), "{self}");
        self
    }

    /// The value of the closing table's row.
    pub(crate) fn figure(&self, what: &str) -> String {
        let row = self.stdout.lines().find_map(|line| line.strip_prefix(what));
        row.unwrap_or_else(|| panic!("no {what:?} in {self}")).trim().to_owned()
    }

    /// The lines of standard output as JSON.
    pub(crate) fn json(&self) -> Vec<serde_json::Value> {
        let parse = |line: &str| {
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
        };
        self.stdout.lines().map(parse).collect()
    }

    /// The last line of standard output.
    pub(crate) fn summary(&self) -> serde_json::Value {
        self.json().pop().unwrap_or_else(|| panic!("no line in {self}"))
    }
}

impl fmt::Display for Ended {
    /// Both outputs with their ends and the exit code; what differs from run to run is replaced.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let folder = self.folder.to_string_lossy();
        let out = normal(&self.stdout.replace(&*folder, "$PLACE"));
        let err = normal(&self.stderr.replace(&*folder, "$PLACE"));
        write!(f, "{out}[EOF]\n--- stderr\n{err}[EOF]\n--- ")?;
        match self.code {
            Some(code) => writeln!(f, "exit {code}"),
            None => writeln!(f, "ended by a signal"),
        }
    }
}

/// The text with times, sizes of memory, hashes and lines of source replaced by what they are.
pub(crate) fn normal(text: &str) -> String {
    text.split_inclusive('\n').map(normal_line).collect()
}

fn normal_line(line: &str) -> String {
    let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
    for at in 0..words.len() {
        let word = words[at].trim_end();
        let number = !word.is_empty() && word.chars().all(|c| c.is_ascii_digit() || c == '.');
        let unit = words.get(at + 1).map(|unit| unit.trim_end().to_owned());
        let hash = word.len() == 64 && word.chars().all(|c| c.is_ascii_hexdigit());
        let source = word.rsplit_once(".rs:").filter(|(_, line)| line.parse::<u32>().is_ok());
        match unit.as_deref() {
            _ if source.is_some() => {
                let (file, line) = source.unwrap();
                words[at] =
                    words[at].replace(&format!("{file}.rs:{line}"), &format!("{file}.rs:LINE"));
            }
            _ if hash => words[at] = words[at].replace(word, "HASH"),
            Some(unit @ ("µs" | "ms" | "s")) if number => {
                words[at] = "TIME".into();
                words[at + 1] = words[at + 1].replace(unit, "UNIT");
            }
            Some(unit @ ("kB" | "MB" | "GB")) if number => {
                words[at] = "SIZE".into();
                words[at + 1] = words[at + 1].replace(unit, "UNIT");
            }
            _ => {}
        }
    }
    words.join(" ")
}

#[test]
fn what_differs_from_run_to_run_is_replaced() {
    let hash = "0123456789abcdef".repeat(4);
    let text = format!("time  1.21 s\nmodel hash  {hash}\n3 of 3 clients, 12 ms\nround 2/3\n");
    let expected = "time  TIME UNIT\nmodel hash  HASH\n3 of 3 clients, TIME UNIT\nround 2/3\n";
    assert_eq!(normal(&text), expected);
}
