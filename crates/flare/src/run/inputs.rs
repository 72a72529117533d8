//! What a job names: data, the initial model, filters. Read, and hashed.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use flare_core::component::Registry;
use flare_core::filter::{Chain, Filter, Point};
use flare_core::hash::Hash;
use flare_core::job::{self, Job};
use flare_core::names::Roster;
use flare_core::tensor::Tensors;
use flare_core::value;
use flare_data::Source;

use super::Error;
use crate::dealt::Dealt;
use crate::job::{data_options, partition};

/// The largest model file that is read, in bytes.
const MAX_MODEL_FILE: u64 = job::MAX_MODEL_BYTES as u64;

/// The job's data, dealt out.
///
/// # Errors
/// [`Error::Input`].
pub(super) fn data(job: &Job, folder: &Path, roster: &Roster) -> Result<Option<Dealt>, Error> {
    let Some(data) = &job.data else { return Ok(None) };
    let fault = |fault: String| Error::Input { what: "data".into(), fault: harmless(&fault) };
    let options = data_options(data).map_err(|error| fault(error.to_string()))?;
    let partition = partition(data).map_err(|error| fault(error.to_string()))?;
    let source = Source::new(folder.join(&data.path), options);
    let held_out = match data.held_out {
        job::HeldOut::Rows(rows) => flare_data::HeldOut::Count(rows),
        job::HeldOut::Share(share) => flare_data::HeldOut::Fraction(share),
    };
    let dealt = Dealt::new(&source, &partition, held_out, roster, job.seed);
    dealt.map(Some).map_err(|error| fault(error.to_string()))
}

/// The job's initial model (contract 30).
///
/// # Errors
/// [`Error::Input`].
pub(super) fn model(job: &Job, folder: &Path) -> Result<Tensors, Error> {
    let Some(file) = &job.model.file else {
        let made = job.model.initial(job.seed);
        return made
            .map_err(|error| Error::Input { what: "model".into(), fault: error.to_string() });
    };
    let path = folder.join(file);
    let what = format!("model {}", flare_core::shown(&path.to_string_lossy()));
    let fault = |fault: String| Error::Input { what: what.clone(), fault };
    let size = std::fs::metadata(&path).map_err(|error| fault(error.to_string()))?.len();
    if size > MAX_MODEL_FILE {
        return Err(fault(format!("{size} bytes, {MAX_MODEL_FILE} are the limit")));
    }
    let bytes = std::fs::read(&path).map_err(|error| fault(error.to_string()))?;
    Tensors::decode(bytes).map_err(|error| fault(error.to_string()))
}

/// A text of several lines without anything that could steer a terminal: it may name paths.
fn harmless(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(flare_core::shown::escaped).collect();
    lines.join("\n")
}

/// Hashes of the files that the job names, by what they are.
pub(super) fn files(job: &Job, dealt: Option<&Dealt>, model: &Tensors) -> BTreeMap<String, Hash> {
    let mut files = BTreeMap::new();
    files.extend(dealt.map(|dealt| ("data".to_owned(), dealt.hash())));
    if job.model.file.is_some() {
        files.insert("model".to_owned(), model.hash());
    }
    files
}

/// The job's filters for one point, in its order.
///
/// # Errors
/// [`Error::Input`].
pub(super) fn filters(job: &Job, point: Point, registry: &Registry) -> Result<Chain, Error> {
    let mine = job.filters.iter().filter(|filter| filter.at == point);
    let made = mine.map(|filter| registry.filter(&filter.filter).map(Arc::<dyn Filter>::from));
    let made: Result<Vec<_>, _> = made.collect();
    let fault = |error: flare_core::component::Error| Error::Input {
        what: "filters".into(),
        fault: error.to_string(),
    };
    made.map(Into::into).map_err(fault)
}

/// Hash of what the job says of all filters.
pub(super) fn filters_hash(job: &Job) -> Hash {
    let value = value::to_value(&job.filters);
    Hash::derive(
        "flare filters v1",
        value.expect("plain data with text keys always becomes a value").encode(),
    )
}
