//! How the program ends: few exit codes, and errors that say what, where, and what to do.

use std::fmt;

use flare::shown::escaped;

/// The exit codes. They are a promise: `docs/cli.md` lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// The run failed.
    Failed = 1,
    /// The command line, or a file that was given, is not as it should be.
    Input = 2,
    /// The folder is in use, or holds another run.
    Folder = 3,
    /// The system refused to read or write.
    System = 4,
    /// Interrupted, by a person or another program.
    Interrupted = 130,
    /// Nobody reads standard output any more. A shell gives the same number for a program that the
    /// system ends at such a write.
    Closed = 141,
}

impl Exit {
    /// Its number.
    pub(crate) fn code(self) -> u8 {
        self as u8
    }

    /// Its name in JSON.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Input => "input",
            Self::Folder => "folder",
            Self::System => "system",
            Self::Interrupted => "interrupted",
            Self::Closed => "closed",
        }
    }
}

/// Why a command gave no result.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) error: anyhow::Error,
    /// What to do about it, as far as somebody knows.
    pub(crate) hints: Vec<String>,
}

/// What commands return.
pub(crate) type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    /// An error that ends with this code.
    pub(crate) fn new(exit: Exit, error: impl Into<anyhow::Error>) -> Self {
        Self { exit, error: error.into(), hints: Vec::new() }
    }

    /// With something to do about it.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// The error and what lies behind it; what an outer error has quoted already is not said again.
    pub(crate) fn messages(&self) -> Vec<String> {
        let mut messages: Vec<String> = Vec::new();
        for cause in self.error.chain() {
            let text = lines(&cause.to_string());
            if !messages.iter().any(|message| message.contains(&text)) {
                messages.push(text);
            }
        }
        messages
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, message) in self.messages().iter().enumerate() {
            match at {
                0 => writeln!(f, "error: {message}")?,
                _ => writeln!(f, "  {}", message.replace('\n', "\n  "))?,
            }
        }
        for hint in &self.hints {
            writeln!(f, "hint: {}", lines(hint))?;
        }
        Ok(())
    }
}

/// The text with its line breaks, and nothing else that could steer a terminal.
fn lines(text: &str) -> String {
    text.lines().map(escaped).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::anyhow;

    #[test]
    fn an_error_says_what_where_and_what_to_do() {
        let error = anyhow!("no space left").context("writing a/b.tmp").context("round 3 failed");
        let failure = Failure::new(Exit::System, error).hint("free some space");
        let expected =
            "error: round 3 failed\n  writing a/b.tmp\n  no space left\nhint: free some space\n";
        assert_eq!(failure.to_string(), expected);
    }

    #[test]
    fn a_cause_that_was_quoted_is_not_said_again() {
        let error = anyhow!("no such file").context("reading job a.toml: no such file");
        let failure = Failure::new(Exit::Input, error);
        assert_eq!(failure.to_string(), "error: reading job a.toml: no such file\n");
    }

    #[test]
    fn nothing_in_an_error_steers_a_terminal() {
        let failure = Failure::new(Exit::Failed, anyhow!("a\u{1b}[2J\rb\n  c")).hint("d\u{202e}");
        let expected = "error: a\\u{1b}[2J\\u{d}b\n  c\nhint: d\\u{202e}\n";
        assert_eq!(failure.to_string(), expected);
    }
}
