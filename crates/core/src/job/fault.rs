//! What is wrong with a job: where, what is there, what was expected.

use std::fmt;

use crate::shown;

/// One thing that is wrong with a job.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// Where, as `controller.rounds` or `filters[1].at`.
    pub path: String,
    /// What is there; `None` where something is missing, or words say all.
    pub value: Option<String>,
    /// What was expected; without a value, in words, what is wrong.
    pub expected: String,
}

impl Fault {
    /// At `path` stands `value`, where something else was expected.
    pub fn new(
        path: impl Into<String>,
        value: impl fmt::Display,
        expected: impl Into<String>,
    ) -> Self {
        Self { path: path.into(), value: Some(value.to_string()), expected: expected.into() }
    }

    /// At `path` nothing stands, where something was expected.
    pub fn missing(path: impl Into<String>, expected: impl fmt::Display) -> Self {
        Self::words(path, format!("missing, expected {expected}"))
    }

    /// What is wrong at `path`, in words.
    pub fn words(path: impl Into<String>, words: impl Into<String>) -> Self {
        Self { path: path.into(), value: None, expected: words.into() }
    }

    /// What somebody says of the value at `at`: `field: expected this, got that`, or free words.
    pub fn said(at: &str, says: &str) -> Self {
        let (field, words) = match says.split_once(": ") {
            Some((field, words)) if is_field(field) => (field, words),
            _ => ("", says),
        };
        let dot =
            if at.is_empty() || field.is_empty() || field.starts_with('[') { "" } else { "." };
        let path = format!("{at}{dot}{field}");
        match words.strip_prefix("expected ").and_then(|words| words.rsplit_once(", got ")) {
            Some((expected, value)) => Self::new(path, value, expected),
            None => Self::words(path, words),
        }
    }

    /// Whether it concerns `path` or something within it.
    pub fn is_within(&self, path: &str) -> bool {
        let rest = self.path.strip_prefix(path);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    }
}

/// One line, with nothing in it that could steer a terminal.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, expected) = (shown(&self.path), shown(&self.expected));
        match &self.value {
            Some(value) => write!(f, "{path} = {}: expected {expected}", shown(value)),
            None => write!(f, "{path}: {expected}"),
        }
    }
}

fn is_field(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_-.[]".contains(c);
    !text.is_empty() && text.chars().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_one_harmless_line() {
        let fault = Fault::new("a.\u{1b}", "\"x\n\"", "a name");
        assert_eq!(fault.to_string(), r#"a.\u{1b} = "x\u{a}": expected a name"#);
        let fault = Fault::missing("learner", "a table");
        assert_eq!(fault.to_string(), "learner: missing, expected a table");
    }

    #[test]
    fn a_path_contains_what_is_below_it_and_not_what_begins_alike() {
        let fault = |path: &str| Fault::missing(path, "");
        assert!(fault("data").is_within("data") && fault("data.path").is_within("data"));
        assert!(fault("data[0]").is_within("data") && !fault("database").is_within("data"));
    }

    #[test]
    fn what_a_component_says_becomes_path_value_and_expectation() {
        let said = |text: &str| Fault::said("controller", text);
        assert_eq!(
            said("rounds: expected u64, got -1"),
            Fault::new("controller.rounds", -1, "u64")
        );
        assert_eq!(said("[0]: expected a, got b"), Fault::new("controller[0]", "b", "a"));
        let words = "beta 2 is not below 1: lower it";
        assert_eq!(said(words), Fault::words("controller", words));
    }
}
