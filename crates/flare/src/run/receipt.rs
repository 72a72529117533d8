//! The receipt: what a run is a function of, and where its bits hold.

use std::collections::BTreeMap;

use flare_core::hash::Hash;
use flare_core::journal::Run;
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
    pub(super) fn new(run: &Run, files: &BTreeMap<String, Hash>, exact: bool, model: Hash) -> Self {
        let texts = |pairs: &mut dyn Iterator<Item = (String, Hash)>| {
            pairs.map(|(name, hash)| (name, hash.to_string())).collect()
        };
        Self {
            run: run.id.to_string(),
            job: run.job.to_string(),
            job_hash: run.job_hash.to_string(),
            files: texts(&mut files.iter().map(|(name, hash)| (name.clone(), *hash))),
            units: texts(&mut run.units.iter().cloned()),
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
