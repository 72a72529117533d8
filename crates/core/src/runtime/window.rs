//! Permits: how many bytes of replies may be in transfer or in the fold at once (contract 17).

use rustc_hash::FxHashMap;

use crate::transport::TaskId;

use super::machine::Limits;

/// At once at most the larger of `reply_window` replies and `window_bytes`.
#[derive(Debug, Default)]
pub(super) struct Window {
    replies: usize,
    limit: u64,
    taken: FxHashMap<TaskId, u64>,
    bytes: u64,
}

impl Window {
    pub(super) fn new(limits: Limits) -> Self {
        let replies = limits.reply_window.max(1) as usize;
        Self { replies, limit: limits.window_bytes, ..Self::default() }
    }

    /// Takes permits for a reply, if it fits.
    pub(super) fn take(&mut self, task: TaskId, bytes: u64) -> bool {
        let fits =
            self.taken.len() < self.replies || self.bytes.saturating_add(bytes) <= self.limit;
        if fits {
            self.bytes += bytes;
            self.taken.insert(task, bytes);
        }
        fits
    }

    /// Gives a reply's permits back; those that were never taken are none.
    pub(super) fn give_back(&mut self, task: TaskId) {
        self.bytes -= self.taken.remove(&task).unwrap_or(0);
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }
}
