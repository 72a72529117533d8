//! What must hold of anything that a runtime did, told from the log of what was seen.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use flare_core::journal::Entry;
use flare_core::names::Rank;
use flare_core::operation::{Key, OperationId};
use flare_core::outcome::{ClientEnd, End, Failure, Record};
use flare_core::runtime::{Cohort, Ending};
use flare_testkit::sim::log::Seen;

/// Checks a whole log, each thing against all that came before it.
pub(crate) fn log(log: &[Seen]) {
    for (at, seen) in log.iter().enumerate() {
        let before = &log[..at];
        match seen {
            Seen::Dispatched(task, state) => {
                let started = entries(before).any(|entry| {
                    matches!(entry, Entry::Started { operation, .. } if *operation == task.operation)
                });
                assert!(started, "{task:?} is dispatched before its operation is in the journal");
                if state.is_some() || reads(log, task.operation) {
                    let head = head(before, task.operation, task.rank);
                    assert_eq!(*state, head, "the state of {task:?}");
                }
            }
            Seen::Released(operation, counted) => {
                let record = record(before, *operation);
                let record =
                    record.unwrap_or_else(|| panic!("{operation} is released before its commit"));
                let counts = if record.result.is_ok() { ranks(record) } else { Vec::new() };
                assert_eq!(*counted, counts, "who counts in {operation}");
            }
            Seen::Journaled(entry) => {
                if let Entry::Ended(record) = &**entry {
                    ended(before, record);
                }
            }
            Seen::Noted(note) if note.starts_with("outcome") => {
                let key = note.trim_start_matches("outcome ");
                let committed = records(before).any(|record| record.key.to_string() == key);
                assert!(committed, "the outcome of {key} was told before its commit");
            }
            _ => {}
        }
    }
}

/// No operation goes on past its deadline, which starts anew when the runtime does.
pub(crate) fn deadlines(log: &[Seen], deadline: impl Fn(&str) -> Option<Duration>) {
    for record in records(log) {
        if let Some(deadline) = deadline(&record.key.to_string()) {
            assert!(record.duration <= deadline, "{} took {:?}", record.key, record.duration);
        }
    }
}

/// An operation ends once, each of its clients once, and what its counted clients left is durable.
fn ended(before: &[Seen], record: &Record) {
    assert!(self::record(before, record.operation).is_none(), "{} ends twice", record.operation);
    let cancelled = records(before).any(|other| other.key == record.key && is_cancelled(other));
    assert!(!cancelled, "{} was cancelled, and is run again", record.key);
    let selected = entries(before).find_map(|entry| match entry {
        Entry::Started { operation, selected, .. } if *operation == record.operation => {
            Some(selected)
        }
        _ => None,
    });
    let mut selected = selected.expect("what ends has started").clone();
    let mut ends: Vec<Rank> = record.ends.iter().map(|end| end.rank).collect();
    selected.sort_unstable();
    ends.sort_unstable();
    assert_eq!(ends, selected, "each client ends once in {}", record.key);
    let writes = record.counted().iter().any(|(_, reply)| reply.wrote_state);
    let settled = before.contains(&Seen::Settled(record.operation));
    assert!(!writes || settled, "{} is committed before the states that it names", record.key);
}

fn is_cancelled(record: &Record) -> bool {
    record.result == Err(Failure::Cancelled)
}

/// How many cancellations a controller was told of by the journal: it hears of each in every process that asks.
pub(crate) fn answered_cancellations(log: &[Seen]) -> usize {
    let told = |record: &&Record| {
        let failure = Seen::Noted(format!("failure {}: {:?}", record.key, Failure::Cancelled));
        log.iter().filter(|seen| **seen == failure).count() > 1
    };
    records(log).filter(|record| is_cancelled(record)).filter(told).count()
}

/// What is in the journal.
fn entries(log: &[Seen]) -> impl Iterator<Item = &Entry> {
    let mut entries = Vec::new();
    for seen in log {
        match seen {
            Seen::Journaled(entry) => entries.push(&**entry),
            Seen::PowerCut(lost) => entries.truncate(entries.len() - lost),
            _ => {}
        }
    }
    entries.into_iter()
}

fn records(log: &[Seen]) -> impl Iterator<Item = &Record> {
    entries(log).filter_map(|entry| match entry {
        Entry::Ended(record) => Some(&**record),
        _ => None,
    })
}

fn record(log: &[Seen], operation: OperationId) -> Option<&Record> {
    records(log).find(|record| record.operation == operation)
}

fn ranks(record: &Record) -> Vec<Rank> {
    let set: BTreeSet<Rank> = record.counted().into_iter().map(|(rank, _)| rank).collect();
    set.into_iter().collect()
}

/// Whether an operation's tasks start from the states of their clients, as the program has it.
fn reads(log: &[Seen], operation: OperationId) -> bool {
    record(log, operation).is_some_and(|record| !record.task.starts_with("double"))
}

/// The head of a client's state for the tasks of `reader`: the version of the last operation that was released
/// before this one started, succeeded, and counted the client.
fn head(log: &[Seen], reader: OperationId, rank: Rank) -> Option<OperationId> {
    let is_start =
        |entry: &&Entry| matches!(entry, Entry::Started { operation, .. } if *operation == reader);
    let before = || entries(log).take_while(|entry| !is_start(entry));
    let mut released = Vec::new();
    for entry in before() {
        match entry {
            Entry::Released { operation } if !released.contains(operation) => {
                released.push(*operation);
            }
            _ => {}
        }
    }
    let wrote = |operation: &OperationId| {
        let record = record(log, *operation);
        record.is_some_and(|record| {
            let counted = record.counted();
            let mine = counted.iter().find(|(counted, _)| *counted == rank);
            record.result.is_ok() && mine.is_some_and(|(_, reply)| reply.wrote_state)
        })
    };
    released.into_iter().rfind(wrote)
}

/// The mean of the metric "state" of each operation that succeeded, by its key.
pub(crate) fn metrics(log: &[Seen]) -> BTreeMap<String, f64> {
    let succeeded = records(log).filter(|record| record.result.is_ok());
    succeeded.map(|record| (record.key.to_string(), record.metrics["state"].value)).collect()
}

/// What of a run's records is a function of job, seed and cohorts: no times, no attempts, no order.
pub(crate) fn essence(log: &[Seen]) -> BTreeMap<Key, String> {
    let essence = |record: &Record| {
        let mut ends = record.ends.clone();
        ends.sort_by_key(|end| end.rank);
        let ends: Vec<String> = ends.iter().map(shown).collect();
        let numbers = (&record.metrics, record.total_weight.to_bits());
        format!("{ends:#?} {numbers:?} {:?}", record.result)
    };
    records(log).map(|record| (record.key.clone(), essence(record))).collect()
}

fn shown(end: &ClientEnd) -> String {
    match &end.end {
        End::Counted(reply) => {
            format!("{} {:?} {} {}", end.rank, reply.weight, reply.tensors, reply.wrote_state)
        }
        End::Failed(cause) => format!("{} {cause:?}", end.rank),
    }
}

/// How each operation ended: the cohort record.
pub(crate) fn cohorts(log: &[Seen]) -> Cohort {
    let ending = |record: &Record| match &record.result {
        Ok(_) => Ending::Counted(ranks(record)),
        Err(failure) => Ending::Failed {
            asked: record.ends.iter().map(|end| end.rank).collect(),
            failure: failure.clone(),
        },
    };
    records(log).map(|record| (record.key.clone(), ending(record))).collect()
}

/// A replay repeats the failures of its record, as the controller was told of them, and asks nobody for it.
/// Hands back how many there were.
pub(crate) fn repeated_failures(replay: &[Seen], cohort: &Cohort) -> usize {
    let failures = cohort.iter().filter_map(|(key, ending)| match ending {
        Ending::Counted(_) => None,
        Ending::Failed { failure, .. } => Some(format!("failure {key}: {failure:?}")),
    });
    let failures: BTreeSet<String> = failures.collect();
    let told = replay.iter().filter_map(|seen| match seen {
        Seen::Noted(note) if note.starts_with("failure") => Some(note.clone()),
        _ => None,
    });
    assert_eq!(told.collect::<BTreeSet<_>>(), failures, "what the controller was told");
    for record in records(replay).filter(|record| record.result.is_err()) {
        let asks = |seen: &&Seen| matches!(seen, Seen::Dispatched(task, _) if task.operation == record.operation);
        let asked = replay.iter().find(asks);
        assert!(asked.is_none(), "{} fails again, and somebody is asked: {asked:?}", record.key);
    }
    failures.len()
}
