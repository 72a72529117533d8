//! What the reply policy of an operation says: who counts, once that is final.

use crate::clock::Timestamp;
use crate::names::Rank;
use crate::operation::{Course, RelayFailure};
use crate::outcome::Cause;

use super::active::Active;

/// How an operation is decided.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// The counted replies make its outcome.
    Closed {
        /// Why those who are still open are left out.
        left_out: Cause,
    },
    /// Fewer replies than these came or can come.
    TooFew {
        /// How many are needed.
        needed: u32,
    },
    /// This client failed, and none may.
    Client(Rank),
    /// This stop of the relay failed.
    Stop(u32),
    /// The replies cannot be combined.
    Hopeless(String),
    /// It was cancelled.
    Cancelled,
}

impl Verdict {
    pub(super) fn left_out(&self) -> Cause {
        match self {
            Self::Closed { left_out } => left_out.clone(),
            Self::Cancelled => Cause::Cancelled,
            Self::TooFew { .. } | Self::Client(_) | Self::Stop(_) | Self::Hopeless(_) => {
                Cause::NotReached
            }
        }
    }
}

impl Active {
    /// What the reply policy says now.
    pub(super) fn verdict(&self, now: Timestamp) -> Option<Verdict> {
        if self.decided {
            return None;
        }
        match self.course {
            Course::Relay { .. } => self.relay_verdict(now),
            Course::Send => self.send_verdict(now),
            Course::Broadcast if self.timed => self.timed_verdict(now),
            Course::Broadcast => self.exact_verdict(),
        }
    }

    fn exact_verdict(&self) -> Option<Verdict> {
        if let Some(at) = self.fatal {
            return Some(Verdict::Client(self.seats[at as usize].rank));
        }
        match (self.open(), self.counted) {
            (0, 0) => Some(Verdict::TooFew { needed: 1 }),
            (0, _) => Some(Verdict::Closed { left_out: Cause::NotNeeded }),
            _ => None,
        }
    }

    fn timed_verdict(&self, now: Timestamp) -> Option<Verdict> {
        if let Some(at) = self.fatal {
            return Some(Verdict::Client(self.seats[at as usize].rank));
        }
        let needed = self.needed();
        let closed = |left_out| Some(Verdict::Closed { left_out });
        if self.policy.over_select > 0 && self.counted >= self.wanted() {
            return closed(Cause::NotNeeded);
        }
        if self.counted + self.open() < needed {
            return Some(Verdict::TooFew { needed });
        }
        if self.open() == 0 {
            return closed(Cause::NotNeeded);
        }
        let passed = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
        if passed(self.patience()) {
            return closed(Cause::TimedOut);
        }
        match passed(self.deadline()) {
            true if self.counted >= needed => closed(Cause::TimedOut),
            true => Some(Verdict::TooFew { needed }),
            false => None,
        }
    }

    fn send_verdict(&self, now: Timestamp) -> Option<Verdict> {
        if self.counted > 0 {
            return Some(Verdict::Closed { left_out: Cause::NotNeeded });
        }
        let over = self.open() == 0 || self.deadline().is_some_and(|at| at <= now);
        over.then_some(Verdict::TooFew { needed: 1 })
    }

    fn relay_verdict(&self, now: Timestamp) -> Option<Verdict> {
        if self.keeping {
            return None;
        }
        if let Some(stop) = self.failed_stop() {
            return Some(Verdict::Stop(stop));
        }
        if self.deadline().is_some_and(|at| at <= now) {
            return Some(Verdict::TooFew { needed: self.seats.len() as u32 });
        }
        match (self.open(), self.counted) {
            (0, 0) => Some(Verdict::TooFew { needed: 1 }),
            (0, _) => Some(Verdict::Closed { left_out: Cause::NotNeeded }),
            _ => None,
        }
    }

    /// The stop whose failure ends the relay.
    fn failed_stop(&self) -> Option<u32> {
        let ends = matches!(self.course, Course::Relay { on_failure: RelayFailure::End });
        let failed = |at: &&u32| self.seats[**at as usize].cause().is_some();
        self.order.iter().find(failed).copied().filter(|_| ends)
    }

    pub(super) fn open(&self) -> u32 {
        (self.seats.len() - self.order.len()) as u32
    }

    /// How many replies are taken: all but those that are asked for safety.
    fn wanted(&self) -> u32 {
        (self.seats.len() as u32).saturating_sub(self.policy.over_select)
    }

    /// How few replies will do.
    fn needed(&self) -> u32 {
        let unasked = if self.policy.over_select > 0 { self.wanted() } else { 1 };
        self.policy.min_replies.unwrap_or(unasked)
    }

    pub(super) fn deadline(&self) -> Option<Timestamp> {
        self.policy.deadline.map(|after| self.started.after(after))
    }

    pub(super) fn patience(&self) -> Option<Timestamp> {
        let wait = self.policy.wait_after_min?;
        self.min_reached.map(|at| at.after(wait))
    }
}
