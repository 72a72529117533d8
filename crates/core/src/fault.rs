//! What is wrong with a job, or with a component's settings: where, what is there, what was expected. All of it at
//! once.

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

    /// The same, where what it concerns stands at `at`.
    #[must_use]
    pub fn at(self, at: &str) -> Self {
        let dot = if at.is_empty() || self.path.is_empty() || self.path.starts_with('[') {
            ""
        } else {
            "."
        };
        Self { path: format!("{at}{dot}{}", self.path), ..self }
    }

    /// What somebody says of the value at `at`: `field: expected this, got that`, or free words.
    pub fn said(at: &str, says: &str) -> Self {
        let (field, words) = match says.split_once(": ") {
            Some((field, words)) if is_field(field) => (field, words),
            _ => ("", says),
        };
        let fault = match words.strip_prefix("expected ").and_then(|w| w.rsplit_once(", got ")) {
            Some((expected, value)) => Self::new(field, value, expected),
            None => Self::words(field, words),
        };
        fault.at(at)
    }

    /// Whether it concerns `path` or something within it.
    pub fn is_within(&self, path: &str) -> bool {
        let rest = self.path.strip_prefix(path);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    }
}

/// Everything that is wrong with some settings, with paths within them: what a component's check collects, so that
/// whoever writes a job is told all of it at once.
///
/// A fault of two fields that do not go together stands at the one of them without which there would be none: where
/// that field cannot be read, it is judged as if it were left out, and then nothing is said of the two.
///
/// ```
/// use flare_core::fault::Faults;
///
/// fn check(rate: f64, momentum: f64) -> Result<(), Faults> {
///     let mut faults = Faults::default();
///     faults.expect(rate > 0.0, "rate", rate, "a number above 0");
///     faults.expect(momentum < 1.0, "momentum", momentum, "less than 1");
///     faults.result()
/// }
///
/// assert_eq!(check(0.1, 0.0), Ok(()));
/// let all = "rate = 0: expected a number above 0; momentum = 2: expected less than 1";
/// assert_eq!(check(0.0, 2.0).unwrap_err().to_string(), all);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// Notes, unless it `holds`, that at `path` stands `value`, where something else was expected.
    pub fn expect(
        &mut self,
        holds: bool,
        path: &str,
        value: impl fmt::Display,
        expected: impl Into<String>,
    ) {
        if !holds {
            self.push(Fault::new(path, value, expected));
        }
    }

    /// Notes a fault.
    pub fn push(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    /// Notes what is wrong with the part that stands at `path`.
    pub fn part(&mut self, path: &str, part: Result<(), Faults>) {
        if let Err(faults) = part {
            self.0.extend(faults.into_iter().map(|fault| fault.at(path)));
        }
    }

    /// Nothing is wrong, or all of this is.
    ///
    /// # Errors
    /// When there is a fault.
    pub fn result(self) -> Result<(), Self> {
        if self.0.is_empty() { Ok(()) } else { Err(self) }
    }

    /// The faults in the order in which they were noted.
    pub fn iter(&self) -> std::slice::Iter<'_, Fault> {
        self.0.iter()
    }
}

impl IntoIterator for Faults {
    type Item = Fault;
    type IntoIter = std::vec::IntoIter<Fault>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Faults {
    type Item = &'a Fault;
    type IntoIter = std::slice::Iter<'a, Fault>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl From<Fault> for Faults {
    fn from(fault: Fault) -> Self {
        Self(vec![fault])
    }
}

/// One fault, as [`Fault::said`] reads it.
impl From<String> for Faults {
    fn from(says: String) -> Self {
        Fault::said("", &says).into()
    }
}

/// As for a `String`.
impl From<&str> for Faults {
    fn from(says: &str) -> Self {
        Fault::said("", says).into()
    }
}

/// All in one line.
impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.0.iter().enumerate() {
            write!(f, "{}{fault}", if index == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

/// One line, with nothing in it that could steer a terminal.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, expected) = (shown(&self.path), shown(&self.expected));
        match &self.value {
            Some(value) => write!(f, "{path} = {}: expected {expected}", shown(value)),
            None if path.to_string().is_empty() => write!(f, "{expected}"),
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
    fn faults_are_collected_with_those_of_parts_in_order() {
        let mut inner = Faults::default();
        inner.expect(true, "a", 1, "anything");
        inner.expect(false, "b", 2, "less");
        inner.push(Fault::words("[3].c", "is odd"));
        let mut faults = Faults::default();
        faults.part("whole", Ok(()));
        assert_eq!(faults.clone().result(), Ok(()));
        faults.part("x", Err("there is too little".into()));
        faults.part("part", inner.result());
        let all = "x: there is too little; part.b = 2: expected less; part[3].c: is odd";
        assert_eq!(faults.result().unwrap_err().to_string(), all);
        assert_eq!(Faults::from("all is lost").to_string(), "all is lost");
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
