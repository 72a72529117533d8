//! The replies of one operation on the runtime's side: announced, checked, counted.

use rustc_hash::FxHashMap;

use crate::names::Rank;
use crate::outcome::CountedReply;
use crate::shareable::Shareable;
use crate::transport::{Announcement, TaskId};

/// Where each reply is on its way into the result. Only those that are on their way are looked up by
/// task; those that count are many, and lie in the order in which they counted.
#[derive(Default)]
pub(super) struct Replies {
    announced: FxHashMap<TaskId, Announcement>,
    checked: FxHashMap<TaskId, (Announcement, Shareable)>,
    counted: Vec<(Rank, CountedReply)>,
}

impl Replies {
    /// Room for so many that count.
    pub(super) fn with_room(clients: usize) -> Self {
        Self { counted: Vec::with_capacity(clients), ..Self::default() }
    }

    pub(super) fn announce(&mut self, task: TaskId, announcement: Announcement) {
        self.announced.insert(task, announcement);
    }

    /// What was said of a reply that is now fetched.
    pub(super) fn fetch(&mut self, task: TaskId) -> Option<Announcement> {
        self.announced.remove(&task)
    }

    /// A reply waits for the machine's word that it counts.
    pub(super) fn check(&mut self, task: TaskId, announcement: Announcement, reply: Shareable) {
        self.checked.insert(task, (announcement, reply));
    }

    /// A checked reply that counts, or does not.
    pub(super) fn take_checked(&mut self, task: TaskId) -> Option<(Announcement, Shareable)> {
        self.checked.remove(&task)
    }

    pub(super) fn count(&mut self, rank: Rank, reply: CountedReply) {
        self.counted.push((rank, reply));
    }

    /// The replies that count, in the order in which they did.
    pub(super) fn counted(&self) -> impl ExactSizeIterator<Item = &CountedReply> {
        self.counted.iter().map(|(_, reply)| reply)
    }

    /// The same, with who sent them.
    pub(super) fn counted_by(&self) -> impl Iterator<Item = &(Rank, CountedReply)> {
        self.counted.iter()
    }

    pub(super) fn last_counted(&self) -> Option<&(Rank, CountedReply)> {
        self.counted.last()
    }

    /// Hands over the replies that count; they are in the record then.
    pub(super) fn take_counted(&mut self) -> Vec<(Rank, CountedReply)> {
        std::mem::take(&mut self.counted)
    }
}
