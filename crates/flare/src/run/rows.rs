//! `metrics.jsonl` and `cohort.jsonl`: one line for each ended operation, as the journal has it.

use std::fmt::Write;

use flare_core::journal::{self, Entry};
use flare_core::names::Roster;
use flare_core::operation::Key;
use flare_core::outcome::{ClientEnd, End, Record};
use flare_store::{Folder, Lines};
use serde_json::{Map, Value as Json, json};

use super::failure::Told;
use super::{COHORT_FILE, METRICS_FILE};

/// The two files, open for more lines.
pub(super) struct Rows {
    metrics: Lines,
    cohort: Lines,
    roster: Roster,
}

impl Rows {
    /// Writes both files anew from what the journal knows, so that they say no more and no less.
    ///
    /// # Errors
    /// When they cannot be written.
    pub(super) fn open(
        folder: &Folder,
        past: &[Entry],
        roster: &Roster,
    ) -> Result<Self, journal::Error> {
        let (mut metrics, mut cohort) = (String::new(), String::new());
        for record in journal::answered(past) {
            line(&mut metrics, &metrics_row(record, roster));
            line(&mut cohort, &cohort_row(record, roster));
        }
        folder.export(METRICS_FILE, metrics.as_bytes())?;
        folder.export(COHORT_FILE, cohort.as_bytes())?;
        let open = |name: &str| Lines::open(&folder.path().join(name), |_| true);
        Ok(Self {
            metrics: open(METRICS_FILE)?,
            cohort: open(COHORT_FILE)?,
            roster: roster.clone(),
        })
    }

    /// Adds an operation that ended just now.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn add(&mut self, record: &Record) -> Result<(), journal::Error> {
        self.metrics.append(&metrics_row(record, &self.roster).to_string())?;
        self.cohort.append(&cohort_row(record, &self.roster).to_string())
    }
}

fn line(text: &mut String, row: &Json) {
    writeln!(text, "{row}").expect("a String takes all that is written");
}

fn key(key: &Key) -> Json {
    match key {
        Key::Label(label) => label.as_str().into(),
        Key::Ordinal(ordinal) => (*ordinal).into(),
    }
}

/// Values that are not finite become null: JSON has no other numbers.
fn metrics_row(record: &Record, roster: &Roster) -> Json {
    let means: Map<String, Json> =
        record.metrics.iter().map(|(name, mean)| (name.to_string(), mean.value.into())).collect();
    let clients: Map<String, Json> = record
        .counted()
        .into_iter()
        .filter(|(_, reply)| !reply.metrics.is_empty())
        .map(|(rank, reply)| {
            let own = reply.metrics.iter();
            let own: Map<String, Json> =
                own.map(|metric| (metric.name.to_string(), metric.value.into())).collect();
            (roster.name(rank).to_string(), own.into())
        })
        .collect();
    let bytes: u64 = record.counted().iter().map(|(_, reply)| reply.bytes).sum();
    json!({
        "operation": key(&record.key),
        "round": record.round,
        "task": &*record.task,
        "seconds": record.duration.as_secs_f64(),
        "bytes": bytes,
        "weight": record.total_weight,
        "timed": record.timed,
        "failure": record.result.as_ref().err().map(ToString::to_string),
        "metrics": means,
        "clients": clients,
    })
}

fn cohort_row(record: &Record, roster: &Roster) -> Json {
    let mut ends: Vec<&ClientEnd> = record.ends.iter().collect();
    ends.sort_by_key(|end| end.rank);
    let name = |end: &ClientEnd| roster.name(end.rank).to_string();
    let selected: Vec<String> = ends.iter().map(|end| name(end)).collect();
    let counted = ends.iter().filter(|end| matches!(end.end, End::Counted(_)));
    let counted: Vec<String> = counted.map(|end| name(end)).collect();
    let outcomes: Map<String, Json> = ends
        .iter()
        .map(|end| {
            let outcome = match &end.end {
                End::Counted(_) => "counted".to_owned(),
                End::Failed(cause) => cause.to_string(),
            };
            (name(end), outcome.into())
        })
        .collect();
    json!({
        "operation": key(&record.key),
        "timed": record.timed,
        "deadline_anew": record.deadline_anew,
        "failure": record.result.as_ref().err().map(|failure| Told(failure.clone())),
        "selected": selected,
        "counted": counted,
        "outcomes": outcomes,
    })
}
