//! Which operations that ended are answered from the journal, and which are run again (contract 5).

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::operation::Key;
use crate::outcome::{Failure, Record};

use super::Entry;

/// Failures that the controller did not go on after, as far as a journal was read: they are run again.
#[derive(Debug, Default)]
pub(crate) struct Failures(BTreeSet<Key>);

impl Failures {
    /// Takes in the next entry; gives the key of an operation whose earlier failure counts no more, since it
    /// was begun again.
    pub(crate) fn take(&mut self, entry: &Entry) -> Option<Key> {
        match entry {
            Entry::Started { key, .. } if self.0.remove(key) => return Some(key.clone()),
            Entry::Started { .. } | Entry::Checkpoint { .. } => self.0.clear(),
            // A cancellation is an outcome: it was asked for (contract 9).
            Entry::Ended(record) if !matches!(record.result, Ok(_) | Err(Failure::Cancelled)) => {
                self.0.insert(record.key.clone());
            }
            _ => {}
        }
        None
    }

    /// Whether the operation is run again.
    pub(crate) fn contains(&self, key: &Key) -> bool {
        self.0.contains(key)
    }
}

/// The operations of a journal that ended and are answered from it, in the order of their ends: a failure that
/// the controller did not go on after is none of them, nor is one that was mended when it was run again.
pub fn answered(entries: &[Entry]) -> Vec<&Arc<Record>> {
    let mut failures = Failures::default();
    let mut ended: Vec<&Arc<Record>> = Vec::new();
    for entry in entries {
        if let Some(again) = failures.take(entry)
            && let Some(at) = ended.iter().rposition(|record| record.key == again)
        {
            ended.remove(at);
        }
        if let Entry::Ended(record) = entry {
            ended.push(record);
        }
    }
    ended.retain(|record| !failures.contains(&record.key));
    ended
}
