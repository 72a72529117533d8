//! What `flare run --json` writes: events as lines, the last line a summary object.

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// The summary of a run that ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Summary {
    pub(super) model_hash: String,
    pub(super) rounds: u64,
    /// Train calls of this process.
    pub(super) trained: u64,
    pub(super) exact: bool,
    pub(super) accuracies: Accuracies,
}

/// Shares of right answers; None where the program had no data to find out.
///
/// They count images, of which there are hundreds: two that are nearer than a billionth are equal. A reader of JSON
/// may be wrong in the last bit.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Accuracies {
    /// Of the federation's model.
    pub(super) federation: Option<f64>,
    /// Of the same learner on all the data in one place.
    pub(super) central: Option<f64>,
    /// Of the clients' own models, on average.
    pub(super) alone: Option<f64>,
}

impl PartialEq for Accuracies {
    fn eq(&self, other: &Self) -> bool {
        let near = |one: Option<f64>, other: Option<f64>| match (one, other) {
            (Some(one), Some(other)) => (one - other).abs() < 1e-9,
            (one, other) => one == other,
        };
        near(self.federation, other.federation)
            && near(self.central, other.central)
            && near(self.alone, other.alone)
    }
}

impl Summary {
    /// Reads the last of these lines. Every field of the contract must be there.
    pub(super) fn read(lines: &[String]) -> Result<Self> {
        let last = lines.last().context("the program wrote nothing to standard output")?;
        let value: Value = serde_json::from_str(last)
            .with_context(|| format!("the last line is no JSON: {last}"))?;
        let field = |name: &str| value.get(name).with_context(|| format!("no `{name}` in {last}"));
        let number = |name: &str| {
            field(name)?.as_u64().with_context(|| format!("`{name}` is no whole number in {last}"))
        };
        let share = |name: &str| match field(name)? {
            Value::Null => Ok(None),
            other => match other.as_f64() {
                Some(share) if (0.0..=1.0).contains(&share) => Ok(Some(share)),
                _ => bail!("`{name}` is neither null nor a share in {last}"),
            },
        };
        for name in ["seconds", "peak_rss_bytes"] {
            field(name)?.as_f64().with_context(|| format!("`{name}` is no number in {last}"))?;
        }
        let hash = field("model_hash")?.as_str();
        Ok(Self {
            model_hash: hash.with_context(|| format!("`model_hash` is no text in {last}"))?.into(),
            rounds: number("rounds")?,
            trained: number("trained")?,
            exact: field("exact")?.as_bool().context("`exact` is no boolean")?,
            accuracies: Accuracies {
                federation: share("accuracy")?,
                central: share("central_accuracy")?,
                alone: share("clients_alone_accuracy")?,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"event":"summary","model_hash":"ab","accuracy":0.95,"central_accuracy":null,"clients_alone_accuracy":0.7,"rounds":5,"trained":10,"seconds":0.1,"peak_rss_bytes":1000,"exact":true}"#;

    #[test]
    fn the_last_line_is_read_and_the_others_are_not() {
        let lines = vec!["{\"event\":\"round\"}".to_owned(), LINE.to_owned()];
        let summary = Summary::read(&lines).unwrap();
        assert_eq!((summary.model_hash.as_str(), summary.rounds, summary.trained), ("ab", 5, 10));
        let expected = Accuracies { federation: Some(0.95), central: None, alone: Some(0.7) };
        assert_eq!(summary.accuracies, expected);
        assert!(Summary::read(&lines[..1]).is_err());
        assert!(Summary::read(&[]).is_err());
    }

    #[test]
    fn a_field_that_is_missing_or_of_another_kind_is_an_error() {
        let value: Value = serde_json::from_str(LINE).unwrap();
        for name in value.as_object().unwrap().keys().filter(|name| *name != "event") {
            let mut wrong = value.clone();
            wrong[name] = Value::from(vec![1]);
            assert!(Summary::read(&[wrong.to_string()]).is_err(), "{name}");
            wrong.as_object_mut().unwrap().remove(name);
            assert!(Summary::read(&[wrong.to_string()]).is_err(), "{name}");
        }
        assert!(Summary::read(&[LINE.replace("0.95", "95")]).is_err());
    }
}
