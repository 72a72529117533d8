//! Attempts that begin later.

use std::collections::BTreeMap;
use std::sync::Arc;

use flare_core::clock::Timestamp;
use flare_core::executor::Task;
use flare_core::names::Rank;
use flare_core::operation::OperationId;
use flare_executor::Assigned;

/// Attempts by the time at which they begin.
#[derive(Default)]
pub(crate) struct Delays {
    waiting: BTreeMap<(Timestamp, u64), (Arc<Task>, Assigned)>,
    count: u64,
}

impl Delays {
    pub(crate) fn add(&mut self, at: Timestamp, task: Arc<Task>, assigned: Assigned) {
        self.count += 1;
        self.waiting.insert((at, self.count), (task, assigned));
    }

    /// When the next one begins.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.waiting.keys().next().map(|(at, _)| *at)
    }

    /// Those that are due, in order.
    pub(crate) fn due(&mut self, now: Timestamp) -> Vec<(Arc<Task>, Assigned)> {
        let later = self.waiting.split_off(&(now, u64::MAX));
        std::mem::replace(&mut self.waiting, later).into_values().collect()
    }

    /// Takes attempts of an operation out, all or those of some clients.
    pub(crate) fn remove(
        &mut self,
        operation: OperationId,
        ranks: Option<&[Rank]>,
    ) -> Vec<(Arc<Task>, Assigned)> {
        let is_meant = |(task, assigned): &(Arc<Task>, Assigned)| {
            task.operation == operation && ranks.is_none_or(|ranks| ranks.contains(&assigned.rank))
        };
        self.waiting.extract_if(.., |_, waiting| is_meant(waiting)).map(|(_, it)| it).collect()
    }
}
