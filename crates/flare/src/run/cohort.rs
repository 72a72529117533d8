//! Reading the record of an earlier run, to replay it: whose replies counted, or why none did, by operation.

use std::path::Path;

use flare_core::names::{HELD_OUT, Name, Rank, Roster};
use flare_core::operation::Key;
use flare_core::outcome::Failure;
use flare_core::runtime::{Cohort, Ending};
use serde::Deserialize;
use serde_json::Value as Json;

use super::Error;
use super::failure::Told;

/// The largest record that is read, in bytes.
const MAX_BYTES: u64 = 4 << 30;

/// Reads a `cohort.jsonl`.
///
/// # Errors
/// [`Error::Input`], with the line.
pub(super) fn read(path: &Path, roster: &Roster) -> Result<Cohort, Error> {
    let what = format!("cohort {}", flare_core::shown(&path.to_string_lossy()));
    let fault = |fault: String| Error::Input { what: what.clone(), fault };
    let size = std::fs::metadata(path).map_err(|error| fault(error.to_string()))?.len();
    if size > MAX_BYTES {
        return Err(fault(format!("{size} bytes, {MAX_BYTES} are the limit")));
    }
    let text = std::fs::read_to_string(path).map_err(|error| fault(error.to_string()))?;
    let mut cohort = Cohort::new();
    for (index, line) in text.lines().enumerate() {
        let row = row(line, roster).map_err(|why| fault(format!("line {}: {why}", index + 1)))?;
        cohort.extend([row]);
    }
    if cohort.is_empty() {
        return Err(fault("it names no operation: is it the cohort.jsonl of a run?".into()));
    }
    Ok(cohort)
}

/// An operation and how it ended.
fn row(line: &str, roster: &Roster) -> Result<(Key, Ending), String> {
    let row: Json = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let key = match &row["operation"] {
        Json::String(label) => {
            Name::new(label).map(Key::Label).map_err(|error| error.to_string())?
        }
        Json::Number(ordinal) => Key::Ordinal(ordinal.as_u64().ok_or("`operation` is no ordinal")?),
        _ => return Err("`operation` is missing".into()),
    };
    let ending = match &row["failure"] {
        Json::Null => Ending::Counted(ranks(&row, "counted", roster)?),
        failure => {
            let failure = self::failure(failure).map_err(|why| format!("operation {key} {why}"))?;
            Ending::Failed { asked: ranks(&row, "selected", roster)?, failure }
        }
    };
    Ok((key, ending))
}

fn failure(failure: &Json) -> Result<Failure, String> {
    if failure.is_string() {
        return Err(
            "failed, and the record says why in words only, as earlier versions wrote it: \
                    such a run cannot be replayed"
                .into(),
        );
    }
    let Told(failure) = Told::deserialize(failure)
        .map_err(|error| format!("failed, and `failure` does not say why: {error}"))?;
    Ok(failure)
}

/// The clients of a list, ascending.
fn ranks(row: &Json, field: &str, roster: &Roster) -> Result<Vec<Rank>, String> {
    let names = row[field].as_array().ok_or_else(|| format!("`{field}` is no list"))?;
    let rank = |name: &Json| {
        let no_name = || format!("`{field}` holds something that is no name");
        let name = name.as_str().ok_or_else(no_name)?;
        let held_out = (name == HELD_OUT).then(|| roster.held_out());
        let rank = roster.rank(name).or(held_out);
        rank.ok_or_else(|| {
            format!("client \"{}\" is not on this job's roster", flare_core::shown(name))
        })
    };
    let mut ranks = names.iter().map(rank).collect::<Result<Vec<_>, _>>()?;
    ranks.sort_unstable();
    Ok(ranks)
}
