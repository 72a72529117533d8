//! The record of an earlier run, as a replay repeats it (contract 10).

use std::collections::{BTreeMap, BTreeSet};

use crate::names::Rank;
use crate::operation::{Key, OnFailure, OperationSpec, ReplyPolicy};
use crate::outcome::Failure;

/// How the operations of an earlier run ended.
pub type Cohort = BTreeMap<Key, Ending>;

/// How an operation of an earlier run ended, as far as a replay repeats it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// The replies of these clients counted: the replay asks them, and nobody else.
    Counted(Vec<Rank>),
    /// It failed: the replay asks nobody, and hands the same failure to the controller.
    Failed {
        /// Who was asked in vain.
        asked: Vec<Rank>,
        /// Why it failed.
        failure: Failure,
    },
}

/// An operation as a replay carries it out.
pub(super) struct Repeated {
    pub(super) spec: OperationSpec,
    pub(super) selected: Vec<Rank>,
    /// How it fails, without anybody being asked.
    pub(super) failure: Option<Failure>,
}

/// What becomes of an operation that would ask `selected`; without a record, that.
///
/// # Errors
/// In words, when the record is not one of this operation.
pub(super) fn repeat(
    cohort: Option<&Cohort>,
    key: &Key,
    mut spec: OperationSpec,
    mut selected: Vec<Rank>,
) -> Result<Repeated, String> {
    let Some(cohort) = cohort else { return Ok(Repeated { spec, selected, failure: None }) };
    let ending = cohort.get(key);
    let ending = ending.ok_or("the cohort record that is replayed has no such operation")?;
    let (known, failure) = match ending {
        Ending::Counted(counted) => (counted, None),
        Ending::Failed { asked, failure } => (asked, Some(failure.clone())),
    };
    let known: BTreeSet<Rank> = known.iter().copied().collect();
    // In the order of the course: a relay's depends on it.
    selected.retain(|rank| known.contains(rank));
    if selected.iter().collect::<BTreeSet<_>>().len() < known.len() {
        return Err("the cohort record that is replayed has clients that it does not ask".into());
    }
    if failure.is_some() {
        selected.clear();
    }
    let accept_non_finite = spec.policy.accept_non_finite;
    spec.policy =
        ReplyPolicy { on_failure: OnFailure::Fail, accept_non_finite, ..Default::default() };
    Ok(Repeated { spec, selected, failure })
}
