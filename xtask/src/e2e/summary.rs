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
    /// Shares of right answers; None where the program had no data to find out.
    pub(super) accuracy: Option<f64>,
    pub(super) central_accuracy: Option<f64>,
    pub(super) clients_alone_accuracy: Option<f64>,
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
            accuracy: share("accuracy")?,
            central_accuracy: share("central_accuracy")?,
            clients_alone_accuracy: share("clients_alone_accuracy")?,
        })
    }
}

/// The train calls that a killed process had reported: the last `trained` on any of its lines.
pub(super) fn reported_trained(lines: &[String]) -> u64 {
    let reported = |line: &String| {
        let value: Value = serde_json::from_str(line).ok()?;
        value.get("trained")?.as_u64()
    };
    lines.iter().rev().find_map(reported).unwrap_or(0)
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
        assert_eq!((summary.accuracy, summary.central_accuracy), (Some(0.95), None));
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

    #[test]
    fn a_killed_process_is_believed_up_to_its_last_line() {
        let lines = ["{\"trained\":3}", "{\"trained\":5}", "{\"event\":\"x\"}", "{\"trained\":7"];
        assert_eq!(reported_trained(&lines.map(str::to_owned)), 5);
        assert_eq!(reported_trained(&[]), 0);
    }
}
