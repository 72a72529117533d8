//! The receipt: what a run is a function of, and where its bits hold.

use std::collections::BTreeMap;

use flare_core::hash::Hash;
use flare_core::journal::{Entry, Run};
use flare_core::names::Roster;
use serde::Serialize;

/// What a run is a function of, as `receipt.json` has it. It holds no time, path or host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Receipt {
    /// The run's identity.
    pub run: String,
    /// The job's name.
    pub job: String,
    /// Hash of what decides about the result in the job.
    pub job_hash: String,
    /// Hashes of the files that the job names.
    pub files: BTreeMap<String, String>,
    /// The components with their versions, and the hash of the build that they are linked into.
    pub units: BTreeMap<String, String>,
    /// Where the components or the build changed while the run was on its way, in order.
    pub unit_changes: Vec<UnitChange>,
    /// The seed.
    pub seed: u64,
    /// Who took part.
    pub roster: Who,
    /// Whether all rounds were exact: the clock decided nothing.
    pub exact: bool,
    /// BLAKE3 of the model.
    pub model_hash: String,
    /// Where another run gives the same bits.
    pub holds: &'static str,
}

/// A change of the code that a run ran with, which was accepted (contract 8).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnitChange {
    /// The first operation that ended with the new units; none if none did.
    pub operation: Option<String>,
    /// The units before.
    pub old: BTreeMap<String, String>,
    /// The units from there on.
    pub new: BTreeMap<String, String>,
}

/// Who took part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    /// So many clients, `client-0` and so on.
    Count(u32),
    /// Clients of these names.
    Names(Vec<String>),
}

impl Receipt {
    /// `changes` are those of [`unit_changes`].
    pub(super) fn new(
        run: &Run,
        changes: Vec<UnitChange>,
        files: &BTreeMap<String, Hash>,
        exact: bool,
        model: Hash,
    ) -> Self {
        Self {
            run: run.id.to_string(),
            job: run.job.to_string(),
            job_hash: run.job_hash.to_string(),
            files: files.iter().map(|(name, hash)| (name.clone(), hash.to_string())).collect(),
            units: texts(&run.units),
            unit_changes: changes,
            seed: run.seed,
            roster: match &run.roster {
                Roster::Counted(count) => Who::Count(*count),
                Roster::Listed(names) => {
                    Who::Names(names.iter().map(ToString::to_string).collect())
                }
            },
            exact,
            model_hash: model.to_string(),
            holds: if exact {
                "on every CPU, at any number of workers, for learners that compute as the standard ones do"
            } else {
                "as above, and only in a replay of cohort.jsonl: in timed rounds the clock decided who counts"
            },
        }
    }
}

/// Where the units of a run changed, as its journal has it: each ended operation names those it ran with.
pub(super) fn unit_changes(entries: &[Entry]) -> Vec<UnitChange> {
    let (mut known, mut opened, mut ended) = (BTreeMap::new(), Vec::new(), Vec::new());
    for entry in entries {
        match entry {
            Entry::Run(run) => {
                known.insert(run.unit(), texts(&run.units));
                opened.push((None, run.unit()));
            }
            Entry::Ended(record) => ended.push((Some(record.key.to_string()), record.unit)),
            _ => {}
        }
    }
    let units = |unit: &Hash| known.get(unit).cloned().unwrap_or_default();
    let steps: Vec<_> = opened.first().into_iter().chain(&ended).chain(opened.last()).collect();
    let changes = steps.windows(2).filter(|pair| pair[0].1 != pair[1].1);
    changes
        .map(|pair| UnitChange {
            operation: pair[1].0.clone(),
            old: units(&pair[0].1),
            new: units(&pair[1].1),
        })
        .collect()
}

/// Components or programs, each with the hash of its build, in words.
fn texts(units: &[(String, Hash)]) -> BTreeMap<String, String> {
    units.iter().map(|(name, hash)| (name.clone(), hash.to_string())).collect()
}
