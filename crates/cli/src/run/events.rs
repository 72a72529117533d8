//! Events and summary as JSON: the contract of `--json`, field by field in `docs/cli.md`.
//!
//! A field, once there, stays; new ones may come. Every line is strict JSON: what is no finite number
//! is null.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use flare::job::Loaded;
use flare::names::{Name, Rank, Roster};
use flare::operation::Key;
use flare::outcome::{Cause, ClientEnd, End, Record};
use flare::run::{Phase, SoFar, Summary};
use serde_json::{Value, json};

use super::round::Round;
use super::words;
use crate::exit::Failure;

/// The version of the contract: it grows when a field changes its meaning or goes.
const FORMAT: u32 = 1;

/// The run began, or goes on.
pub(super) fn began(job: &Loaded, clients: usize, resumed: bool, out: Option<&Path>) -> Value {
    json!({
        "event": "began",
        "format": FORMAT,
        "job": job.job.name.as_str(),
        "seed": job.job.seed,
        "clients": clients,
        "rounds": words::rounds(job),
        "resumed": resumed,
        "out": out.map(|out| out.to_string_lossy()),
    })
}

/// A round began.
pub(super) fn round_started(round: u64) -> Value {
    json!({ "event": "round-started", "round": round })
}

/// A round ended.
pub(super) fn round_ended(round: &Round, so_far: &SoFar) -> Value {
    json!({
        "event": "round-ended",
        "round": round.round,
        "accuracy": round.accuracy(),
        "loss": round.loss(),
        "asked": round.asked,
        "counted": round.counted,
        "bytes": round.bytes,
        "seconds": round.duration.as_secs_f64(),
        "trained": so_far.trained,
    })
}

/// An operation began.
pub(super) fn operation_started(key: &Key, selected: &[Rank], replayed: bool) -> Value {
    json!({
        "event": "operation-started",
        "operation": key.to_string(),
        "clients": selected.len(),
        "replayed": replayed,
    })
}

/// A client failed in an operation.
pub(super) fn client_failed(operation: &str, client: &Name, cause: &Cause, again: bool) -> Value {
    json!({
        "event": "client-failed",
        "operation": operation,
        "client": client.as_str(),
        "cause": cause.to_string(),
        "replayed": again,
    })
}

/// Nothing is heard of a client.
pub(super) fn stalled(operation: &str, client: &Name, idle: Duration) -> Value {
    json!({
        "event": "stalled",
        "operation": operation,
        "client": client.as_str(),
        "seconds": idle.as_secs_f64(),
    })
}

/// An operation ended.
pub(super) fn operation_ended(
    record: &Record,
    roster: &Roster,
    replayed: bool,
    so_far: &SoFar,
) -> Value {
    let counted = record.counted();
    let means = record.metrics.iter().map(|(name, mean)| (&**name, mean.value));
    let failed = record.ends.iter().filter_map(|end| failed(end, roster));
    json!({
        "event": "operation-ended",
        "operation": record.key.to_string(),
        "round": record.round,
        "task": &*record.task,
        "counted": counted.len(),
        "failed": failed.collect::<Vec<_>>(),
        "timed": record.timed,
        "bytes": counted.iter().map(|(_, reply)| reply.bytes).sum::<u64>(),
        "seconds": record.duration.as_secs_f64(),
        "metrics": means.collect::<BTreeMap<_, _>>(),
        "error": record.result.as_ref().err().map(ToString::to_string),
        "replayed": replayed,
        "trained": so_far.trained,
    })
}

fn failed(end: &ClientEnd, roster: &Roster) -> Option<Value> {
    match &end.end {
        End::Counted(_) => None,
        End::Failed(cause) => {
            let client = roster.name(end.rank);
            Some(json!({ "client": client.as_str(), "cause": cause.to_string() }))
        }
    }
}

/// What the run is busy with besides its rounds, when that begins.
pub(super) fn phase(phase: Phase) -> Option<Value> {
    match phase {
        Phase::Central { done: 0, .. } => Some(json!({ "event": "comparing", "with": "central" })),
        Phase::Alone { done: 0, .. } => Some(json!({ "event": "comparing", "with": "alone" })),
        _ => None,
    }
}

/// The last line of a run that ended well.
pub(super) fn summary(summary: &Summary) -> Value {
    json!({
        "event": "summary",
        "job": summary.job,
        "model_hash": summary.model_hash.to_string(),
        "accuracy": summary.accuracy,
        "central_accuracy": summary.central_accuracy,
        "clients_alone_accuracy": summary.clients_alone_accuracy,
        "rounds": summary.rounds,
        "round": summary.round,
        "trained": summary.trained,
        "seconds": summary.seconds,
        "peak_rss_bytes": summary.peak_rss_bytes,
        "exact": summary.exact,
        "metrics": summary.metrics,
        "notes": summary.notes,
        "cancelled": summary.cancelled,
    })
}

/// The last line of a run that did not.
pub(super) fn error(failure: &Failure) -> Value {
    json!({
        "event": "error",
        "kind": failure.exit.name(),
        "code": failure.exit.code(),
        "messages": failure.messages(),
        "hints": failure.hints,
    })
}
