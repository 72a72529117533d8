//! Patterns over tensor names: `*` stands for any text, `?` for any one character.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::names::MAX_TEXT_NAME_BYTES;

/// A pattern over the names of tensors: `*` stands for any text, none too, and `?` for any one
/// character; every other character stands for itself, and the pattern must match the whole name.
///
/// ```
/// use flare_core::pattern::Pattern;
///
/// let pattern = Pattern::new("bn?.running_*")?;
/// assert!(pattern.matches("bn1.running_var") && !pattern.matches("bn10.running_var"));
/// # Ok::<(), flare_core::pattern::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pattern(Vec<char>);

/// Why a text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the pattern {text:?} is empty or over {MAX_TEXT_NAME_BYTES} bytes")]
pub struct Error {
    /// The start of the refused text.
    pub text: String,
}

impl Pattern {
    /// The pattern that is written `text`.
    ///
    /// # Errors
    /// When it is empty, or longer than any name.
    pub fn new(text: &str) -> Result<Self, Error> {
        if !(1..=MAX_TEXT_NAME_BYTES).contains(&text.len()) {
            return Err(Error { text: text.chars().take(64).collect() });
        }
        Ok(Self(text.chars().collect()))
    }

    /// Whether the whole of `name` fits. Takes at most length of pattern times length of name steps.
    pub fn matches(&self, name: &str) -> bool {
        let name: Vec<char> = name.chars().collect();
        let (mut at, mut here) = (0, 0);
        // Where the last star stood, and how much of the name it has taken so far.
        let mut star = None;
        while here < name.len() {
            match self.0.get(at) {
                Some('*') => {
                    star = Some((at, here));
                    at += 1;
                    continue;
                }
                Some('?') => {}
                Some(wanted) if *wanted == name[here] => {}
                _ => {
                    let Some((star_at, taken)) = star else { return false };
                    star = Some((star_at, taken + 1));
                    (at, here) = (star_at + 1, taken + 1);
                    continue;
                }
            }
            at += 1;
            here += 1;
        }
        self.0[at..].iter().all(|rest| *rest == '*')
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|character| write!(f, "{character}"))
    }
}

impl TryFrom<String> for Pattern {
    type Error = Error;
    fn try_from(text: String) -> Result<Self, Error> {
        Self::new(&text)
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.to_string()
    }
}

impl schemars::JsonSchema for Pattern {
    fn schema_name() -> Cow<'static, str> {
        "Pattern".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "minLength": 1,
            "maxLength": MAX_TEXT_NAME_BYTES,
            "description": "A name of tensors, in which * stands for any text and ? for any one character."
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All ways of matching, tried one after the other.
    fn slowly(pattern: &[char], name: &[char]) -> bool {
        match (pattern.split_first(), name.split_first()) {
            (None, None) => true,
            (Some(('*', rest)), None) => slowly(rest, name),
            (Some(('*', rest)), Some((_, behind))) => slowly(rest, name) || slowly(pattern, behind),
            (Some((wanted, rest)), Some((here, behind))) => {
                (*wanted == '?' || wanted == here) && slowly(rest, behind)
            }
            _ => false,
        }
    }

    fn texts(letters: &str, longest: usize) -> Vec<String> {
        let mut all = vec![String::new()];
        let mut last = all.clone();
        for _ in 0..longest {
            let longer =
                |text: &String| letters.chars().map(move |c| format!("{text}{c}")).collect();
            last = last.iter().flat_map(|text| -> Vec<String> { longer(text) }).collect();
            all.extend(last.iter().cloned());
        }
        all
    }

    #[test]
    fn every_short_pattern_matches_what_the_definition_says() {
        for pattern in texts("ab*?", 5).iter().skip(1) {
            let parsed = Pattern::new(pattern).unwrap();
            let pattern: Vec<char> = pattern.chars().collect();
            for name in texts("ab", 5) {
                let expected = slowly(&pattern, &name.chars().collect::<Vec<_>>());
                assert_eq!(parsed.matches(&name), expected, "{parsed} {name:?}");
            }
        }
    }

    #[test]
    fn a_hostile_pattern_costs_little() {
        let pattern = Pattern::new(&format!("{}b", "a*".repeat(100))).unwrap();
        assert!(!pattern.matches(&"a".repeat(255)));
    }

    #[test]
    fn characters_are_not_bytes_and_the_empty_pattern_is_refused() {
        assert!(Pattern::new("é?").unwrap().matches("éü"));
        assert!(Pattern::new("").is_err() && Pattern::new(&"x".repeat(256)).is_err());
    }
}
