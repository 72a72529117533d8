//! Why an operation failed, as `cohort.jsonl` has it: data, from which a replay fails it again.

use std::sync::Arc;

use flare_core::outcome::{Cause, Failure};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

// The journal writes the same types without the names of their variants, so what names them in text is said
// here; the compiler compares the variants with core's.

/// A [`Failure`], written as `{"kind": .., "detail": ..}`.
#[derive(Serialize, Deserialize)]
pub(super) struct Told(#[serde(with = "OfOperation")] pub(super) Failure);

/// A [`Cause`], written as `{"kind": .., "text": ..}`.
#[derive(Serialize, Deserialize)]
struct Why(#[serde(with = "OfClient")] Cause);

#[derive(Serialize, Deserialize)]
#[serde(remote = "Failure", tag = "kind", content = "detail", rename_all = "snake_case")]
enum OfOperation {
    TooFew {
        counted: u32,
        needed: u32,
        #[serde(serialize_with = "write_causes", deserialize_with = "read_causes")]
        causes: Vec<(String, Cause)>,
    },
    Client {
        client: String,
        #[serde(with = "OfClient")]
        cause: Cause,
    },
    Stop {
        stop: u32,
        client: String,
        #[serde(with = "OfClient")]
        cause: Cause,
    },
    Aggregate(String),
    Cancelled,
    Limit(String),
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Cause", tag = "kind", content = "text", rename_all = "snake_case")]
enum OfClient {
    Error(Arc<str>),
    Panic(Arc<str>),
    Refused(Arc<str>),
    Environment(Arc<str>),
    Gone(Arc<str>),
    TimedOut,
    NotNeeded,
    Cancelled,
    NotReached,
}

fn write_causes<S: Serializer>(causes: &[(String, Cause)], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(causes.iter().map(|(client, cause)| (client, Why(cause.clone()))))
}

fn read_causes<'a, D: Deserializer<'a>>(from: D) -> Result<Vec<(String, Cause)>, D::Error> {
    let causes = Vec::<(String, Why)>::deserialize(from)?;
    Ok(causes.into_iter().map(|(client, Why(cause))| (client, cause)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn causes() -> Vec<(String, Cause)> {
        let text = |text: &str| Arc::<str>::from(text);
        let all = [
            Cause::Error(text("no data\n\"here\"")),
            Cause::Panic(text("at line 3")),
            Cause::Refused(text("")),
            Cause::Environment(text("state lost")),
            Cause::Gone(text("its lease ran out")),
            Cause::TimedOut,
            Cause::NotNeeded,
            Cause::Cancelled,
            Cause::NotReached,
        ];
        (0..).zip(all).map(|(rank, cause): (u32, _)| (format!("client-{rank}"), cause)).collect()
    }

    #[test]
    fn every_failure_is_read_as_it_was_written() {
        let mut failures = vec![
            Failure::TooFew { counted: 2, needed: u32::MAX, causes: causes() },
            Failure::TooFew { counted: 0, needed: 1, causes: Vec::new() },
            Failure::Aggregate("a and b do not agree".into()),
            Failure::Cancelled,
            Failure::Limit("the hold takes 5".into()),
        ];
        for (stop, (client, cause)) in (0..).zip(causes()) {
            failures.push(Failure::Client { client: client.clone(), cause: cause.clone() });
            failures.push(Failure::Stop { stop, client, cause });
        }
        for failure in failures {
            let json = serde_json::to_value(Told(failure.clone())).unwrap();
            assert!(json.is_object(), "words are what earlier versions wrote: {json}");
            let Told(read) = serde_json::from_value(json).unwrap();
            assert_eq!(read, failure);
        }
    }

    /// Old records must stay readable: this is the format, not what happens to be written.
    #[test]
    fn the_format_is_this() {
        let causes =
            vec![("a".into(), Cause::Error("no data".into())), ("b".into(), Cause::TimedOut)];
        let failure = Failure::TooFew { counted: 1, needed: 2, causes };
        let expected = serde_json::json!({"kind": "too_few", "detail": {
            "counted": 1,
            "needed": 2,
            "causes": [["a", {"kind": "error", "text": "no data"}], ["b", {"kind": "timed_out"}]],
        }});
        assert_eq!(serde_json::to_value(Told(failure)).unwrap(), expected);
        let stop = Failure::Stop { stop: 3, client: "c".into(), cause: Cause::NotReached };
        let expected = serde_json::json!({"kind": "stop", "detail": {
            "stop": 3, "client": "c", "cause": {"kind": "not_reached"},
        }});
        assert_eq!(serde_json::to_value(Told(stop)).unwrap(), expected);
        let cancelled = serde_json::json!({"kind": "cancelled"});
        assert_eq!(serde_json::to_value(Told(Failure::Cancelled)).unwrap(), cancelled);
    }
}
