//! The hold: how many bytes of replies the operations in flight may keep (contract 17).

use crate::names::Rank;
use crate::operation::{Course, Gather, Key, OperationId, OperationSpec};
use crate::operations::Error;

use super::super::gathering::Gathering;
use super::Engine;

/// What an operation will take of the hold: replies that may count, and the bytes that each is counted as.
pub(in crate::runtime) fn wanted(spec: &OperationSpec, selected: u64) -> (u64, u64) {
    let replies = match (&spec.gather, spec.course) {
        (Gather::Aggregate(_), _) => 0,
        (Gather::Replies, Course::Send) => 1,
        (Gather::Replies, Course::Broadcast | Course::Relay { .. }) => selected,
    };
    let input = &spec.task.input;
    let bytes = input.tensors.encoded().len() + input.encode_headers().len();
    (replies, bytes as u64)
}

/// What an operation in flight takes: what it was thought to, or what its replies turned out to be.
fn taken(gathering: &Gathering) -> u64 {
    gathering.thought_bytes.max(gathering.kept_bytes)
}

impl Engine {
    /// Refuses an operation whose replies would not fit.
    pub(super) fn check_hold(
        &self,
        key: &Key,
        spec: &OperationSpec,
        selected: &[Rank],
    ) -> Result<(), Error> {
        let (replies, bytes) = wanted(spec, selected.len() as u64);
        let (in_use, limit) = (self.held(), self.options.hold_bytes);
        match replies.saturating_mul(bytes).saturating_add(in_use) <= limit || replies == 0 {
            true => Ok(()),
            false => Err(Error::Hold { key: key.clone(), replies, bytes, in_use, limit }),
        }
    }

    /// Notes a reply that is kept; in words what is wrong if it overfills the hold.
    pub(super) fn hold(&mut self, operation: OperationId, bytes: u64) -> Result<(), String> {
        if let Some(gathering) = self.gatherings.get_mut(&operation) {
            gathering.kept_bytes += bytes;
        }
        let (held, limit) = (self.held(), self.options.hold_bytes);
        match held <= limit {
            true => Ok(()),
            false => Err(format!(
                "its replies are larger than its task: with {held} bytes they overfill the hold, which takes \
                 {limit}; name an aggregator, ask fewer clients, or raise the limit (hold)"
            )),
        }
    }

    /// What the operations in flight take.
    fn held(&self) -> u64 {
        self.gatherings.values().filter(|open| !open.over).map(taken).sum()
    }
}
