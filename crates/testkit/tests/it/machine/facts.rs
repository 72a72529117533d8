//! The words in which a schedule is told: what happened, and what the contracts say follows from it.

use std::collections::BTreeMap;

/// How an operation goes over its clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Course {
    Broadcast,
    Send,
    RelayEnd,
    RelaySkip,
}

/// What an operation was started with. Times are in nanoseconds.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    pub(crate) course: Course,
    pub(crate) clients: Vec<u32>,
    pub(crate) min: Option<u32>,
    pub(crate) wait: Option<u64>,
    pub(crate) deadline: Option<u64>,
    pub(crate) over: u32,
    /// Whether a learner's failure fails the operation.
    pub(crate) strict: bool,
    pub(crate) max_attempts: u32,
    pub(crate) max_fetches: u32,
    /// Stops of a relay that an earlier process ended: attempts, and why it failed.
    pub(crate) kept: Vec<(u32, Option<Why>)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Task {
    pub(crate) operation: u64,
    pub(crate) stop: u32,
    pub(crate) client: u32,
}

/// Why a client gives no reply that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    Learner,
    Refused,
    Surroundings,
    Gone,
    TimedOut,
    NotNeeded,
    Cancelled,
    NotReached,
}

/// One thing that happened, at its time.
#[derive(Debug, Clone)]
pub(crate) enum Fact {
    Started(u64, Rules),
    Announced {
        task: Task,
        attempt: u32,
        bytes: u64,
    },
    Failed {
        task: Task,
        attempt: u32,
        why: Why,
    },
    Gone(u32),
    /// The runtime chose to fetch it.
    Fetching(Task),
    Arrived(Task),
    Refused(Task),
    /// A fetch brought other bytes than were announced.
    Damaged(Task),
    Lost(Task),
    GivenBack(Task),
    StopKept(u64),
    Hopeless(u64),
    Cancelled(u64),
    Forgotten(u64),
    Ticked,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    Closed(Why),
    TooFew(u32),
    Client(u32),
    Stop(u32),
    Hopeless,
    Cancelled,
}

/// Where a client stands in an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stand {
    Unasked,
    Asked,
    Answered { bytes: u64, fetching: bool },
    Counts,
    Out(Why),
}

#[derive(Debug, Clone)]
pub(crate) struct Seat {
    pub(crate) client: u32,
    pub(crate) stand: Stand,
    pub(crate) attempts: u32,
    pub(super) failed: u32,
    /// Fetches of its present reply that brought other bytes, and replies that were lost so.
    pub(super) damaged: u32,
    pub(super) lost: u32,
    pub(crate) after: u64,
}

impl Seat {
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.stand, Stand::Counts | Stand::Out(_))
    }

    /// How often its task was carried out in vain: a reply that was lost on the way stands for an attempt,
    /// though its client side, which kept it, gives it the same number again.
    pub(super) fn executions(&self) -> u32 {
        self.attempts.max(self.lost)
    }
}

/// What the last fact of a history makes happen; each list sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Consequences {
    pub(crate) dispatched: Vec<Task>,
    pub(crate) cancelled: Vec<Task>,
    pub(crate) counted: Vec<Task>,
    pub(crate) dropped: Vec<Task>,
    pub(crate) fetched_again: Vec<Task>,
    pub(crate) stops: Vec<(u64, u32)>,
    pub(crate) decided: Vec<(u64, Verdict)>,
}

/// An operation, as its history tells it.
#[derive(Debug, Clone)]
pub(crate) struct Story {
    pub(super) operation: u64,
    pub(super) rules: Rules,
    pub(super) started: u64,
    pub(crate) seats: Vec<Seat>,
    /// Seats in the order of their ends.
    pub(crate) order: Vec<usize>,
    /// When the least number of replies was there.
    pub(super) enough: Option<u64>,
    pub(super) keeping: bool,
    pub(crate) decided: Option<Verdict>,
    pub(crate) forgotten: bool,
    pub(super) late: u64,
    pub(super) duplicates: u64,
    pub(super) last: Consequences,
}

/// All that can be said after a history.
#[derive(Debug, Clone, Default)]
pub(crate) struct View {
    pub(crate) stories: BTreeMap<u64, Story>,
    pub(crate) late: u64,
    pub(crate) duplicates: u64,
    pub(crate) next_deadline: Option<u64>,
    /// Replies in transfer or in the fold, with their sizes.
    pub(crate) in_flight: BTreeMap<Task, u64>,
    pub(crate) last: Consequences,
}

impl Consequences {
    pub(super) fn add(&mut self, more: &Self) {
        self.dispatched.extend(&more.dispatched);
        self.cancelled.extend(&more.cancelled);
        self.counted.extend(&more.counted);
        self.dropped.extend(&more.dropped);
        self.fetched_again.extend(&more.fetched_again);
        self.stops.extend(&more.stops);
        self.decided.extend(more.decided.iter().cloned());
    }

    pub(crate) fn sort(&mut self) {
        self.dispatched.sort_unstable();
        self.cancelled.sort_unstable();
        self.counted.sort_unstable();
        self.dropped.sort_unstable();
        self.fetched_again.sort_unstable();
        self.stops.sort_unstable();
        self.decided.sort_by_key(|(operation, _)| *operation);
    }
}
