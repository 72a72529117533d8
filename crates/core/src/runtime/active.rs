//! One operation in flight: its seats, and the verdict that its reply policy gives.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::names::Rank;
use crate::operation::{Course, OnFailure, OperationId, ReplyPolicy};
use crate::outcome::Cause;
use crate::transport::TaskId;

use super::machine::{Effect, is_sequential};
use super::verdict::Verdict;

/// An operation as the machine begins it.
#[derive(Debug, Clone)]
pub struct Start {
    /// Its number.
    pub operation: OperationId,
    /// How it goes over its targets.
    pub course: Course,
    /// Whom it asks; in order of the course.
    pub selected: Vec<Rank>,
    /// Whose replies count.
    pub policy: ReplyPolicy,
    /// Whether the clock decides who counts.
    pub timed: bool,
    /// A relay's stops that ended in an earlier process.
    pub kept: Vec<Kept>,
}

/// How a relay's stop ended in an earlier process.
#[derive(Debug, Clone)]
pub struct Kept {
    /// How often it was executed.
    pub attempts: u32,
    /// `None`: its reply counts.
    pub cause: Option<Cause>,
}

/// Where one client stands in one operation.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Status {
    /// Not yet dispatched.
    Pending,
    /// Dispatched.
    Running,
    /// Its reply is held at the client side.
    Announced { bytes: u64 },
    /// Its reply is being fetched and checked.
    Fetching,
    /// Its reply counts.
    Counted,
    /// It gives no reply that counts.
    Ended(Cause),
}

impl Status {
    pub(super) fn is_final(&self) -> bool {
        matches!(self, Self::Counted | Self::Ended(_))
    }

    /// Whether the client side holds a reply that nobody fetches yet.
    pub(super) fn is_held(&self) -> bool {
        matches!(self, Self::Announced { .. })
    }
}

/// One client in one operation.
#[derive(Debug, Clone)]
pub struct Seat {
    /// The client.
    pub rank: Rank,
    /// How often its task was executed.
    pub attempts: u32,
    /// From the operation's start to this seat's end.
    pub after: Duration,
    /// The last attempt that is known to have failed. One whose reply was announced may fail later: the
    /// reply is lost.
    pub(super) failed: u32,
    /// How many fetches of its present reply brought other bytes than were announced.
    pub(super) damaged: u32,
    /// How many of its replies were lost so.
    pub(super) lost: u32,
    pub(super) status: Status,
}

impl Seat {
    /// Whether its reply counts.
    pub fn counts(&self) -> bool {
        self.status == Status::Counted
    }

    /// Why it does not count, if it has ended so.
    pub fn cause(&self) -> Option<&Cause> {
        match &self.status {
            Status::Ended(cause) => Some(cause),
            _ => None,
        }
    }
}

/// What a decision leaves to be told to the client side.
pub(super) struct Left {
    pub(super) running: Vec<TaskId>,
    pub(super) held: Vec<TaskId>,
}

#[derive(Debug)]
pub(super) struct Active {
    operation: OperationId,
    pub(super) course: Course,
    pub(super) policy: ReplyPolicy,
    pub(super) timed: bool,
    pub(super) started: Timestamp,
    pub(super) seats: Vec<Seat>,
    /// (rank, position among the seats), sorted.
    index: Vec<(Rank, u32)>,
    pub(super) order: Vec<u32>,
    pub(super) counted: u32,
    /// The first seat whose failure no exact round may leave out.
    pub(super) fatal: Option<u32>,
    pub(super) min_reached: Option<Timestamp>,
    /// A stop whose end is not yet durable.
    pub(super) keeping: bool,
    pub(super) decided: bool,
}

impl Active {
    pub(super) fn new(now: Timestamp, start: Start) -> Self {
        let seat = |rank| Seat {
            rank,
            attempts: 0,
            after: Duration::ZERO,
            failed: 0,
            damaged: 0,
            lost: 0,
            status: Status::Pending,
        };
        let seats: Vec<Seat> = start.selected.iter().copied().map(seat).collect();
        let mut index: Vec<(Rank, u32)> =
            (0..).zip(&seats).map(|(at, seat)| (seat.rank, at)).collect();
        index.sort_unstable();
        let mut active = Self {
            operation: start.operation,
            course: start.course,
            policy: start.policy,
            timed: start.timed,
            started: now,
            seats,
            index,
            order: Vec::new(),
            counted: 0,
            fatal: None,
            min_reached: None,
            keeping: false,
            decided: false,
        };
        for (at, kept) in (0..).zip(start.kept) {
            active.seats[at as usize].attempts = kept.attempts;
            active.end_at(now, at, kept.cause.map_or(Status::Counted, Status::Ended));
        }
        active
    }

    pub(super) fn is_decided(&self) -> bool {
        self.decided
    }

    pub(super) fn seats(&self) -> (&[Seat], &[u32]) {
        (&self.seats, &self.order)
    }

    pub(super) fn tasks(&self) -> Vec<TaskId> {
        let task = |(at, seat): (u32, &Seat)| TaskId {
            operation: self.operation,
            stop: self.stop(at),
            rank: seat.rank,
        };
        (0..).zip(&self.seats).map(task).collect()
    }

    pub(super) fn seat(&self, task: TaskId) -> Option<&Seat> {
        self.position(task).map(|at| &self.seats[at as usize])
    }

    pub(super) fn seat_mut(&mut self, task: TaskId) -> Option<&mut Seat> {
        self.position(task).map(|at| &mut self.seats[at as usize])
    }

    /// The open task of a client, if it has one here.
    pub(super) fn task_of(&self, operation: OperationId, rank: Rank) -> Option<TaskId> {
        let at = self.index.partition_point(|(known, _)| *known < rank);
        let seats = self.index[at..].iter().take_while(|(known, _)| *known == rank);
        let busy = |at: u32| {
            !matches!(self.seats[at as usize].status, Status::Pending)
                && !self.seats[at as usize].status.is_final()
        };
        let at = seats.map(|(_, at)| *at).find(|at| busy(*at))?;
        (!self.decided).then_some(TaskId { operation, stop: self.stop(at), rank })
    }

    fn dispatch_next(&mut self, effects: &mut Vec<Effect>) {
        let next = self.order.len();
        let batch = match self.course {
            Course::Broadcast => 0..self.seats.len(),
            Course::Send | Course::Relay { .. } => next..self.seats.len().min(next + 1),
        };
        if batch.is_empty() {
            return;
        }
        let stop = if is_sequential(self.course) { next as u32 } else { 0 };
        let seats = &mut self.seats[batch];
        seats.iter_mut().for_each(|seat| seat.status = Status::Running);
        let ranks = seats.iter().map(|seat| seat.rank).collect();
        let operation = self.operation;
        effects.push(Effect::Dispatch { operation, stop, ranks });
    }

    /// A seat reached its final status.
    pub(super) fn end(&mut self, now: Timestamp, task: TaskId, status: Status) {
        if let Some(at) = self.position(task) {
            self.end_at(now, at, status);
        }
    }

    fn end_at(&mut self, now: Timestamp, at: u32, status: Status) {
        let seat = &mut self.seats[at as usize];
        seat.after = now.since(self.started);
        seat.status = status;
        let is_fatal = match &seat.status {
            Status::Ended(cause) if cause.is_learners() => {
                self.policy.on_failure == OnFailure::Fail
            }
            Status::Ended(_) => !self.timed,
            _ => false,
        };
        self.counted += u32::from(seat.status == Status::Counted);
        self.order.push(at);
        if is_fatal {
            self.fatal = self.fatal.or(Some(at));
        }
        if self.policy.min_replies.is_some_and(|min| self.counted >= min) {
            self.min_reached = self.min_reached.or(Some(now));
        }
    }

    /// What follows when a seat has ended: a relay keeps the stop, a send asks the next.
    pub(super) fn after_end(&mut self, now: Timestamp, stop: u32, effects: &mut Vec<Effect>) {
        match self.course {
            Course::Broadcast => {}
            Course::Send => self.go_on(now, effects),
            Course::Relay { .. } => {
                self.keeping = true;
                effects.push(Effect::KeepStop { operation: self.operation, stop });
            }
        }
    }

    pub(super) fn stop_kept(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        self.keeping = false;
        if !self.decided {
            self.go_on(now, effects);
        }
    }

    /// Dispatches what comes first, or next, unless there is nothing left to ask for.
    pub(super) fn go_on(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        if self.verdict(now).is_none() {
            self.dispatch_next(effects);
        }
    }

    pub(super) fn next_tick(&self) -> Option<Timestamp> {
        if self.decided || self.keeping {
            return None;
        }
        [self.deadline(), self.patience()].into_iter().flatten().min()
    }

    /// Closes the operation: every open seat ends, and what it held or ran is handed back.
    pub(super) fn close(&mut self, now: Timestamp, verdict: &Verdict) -> Left {
        let mut left = Left { running: Vec::new(), held: Vec::new() };
        for at in 0..self.seats.len() as u32 {
            let (status, rank) = (&self.seats[at as usize].status, self.seats[at as usize].rank);
            let task = TaskId { operation: self.operation, stop: self.stop(at), rank };
            let cause = match status {
                Status::Counted | Status::Ended(_) => continue,
                Status::Pending => Cause::NotReached,
                Status::Running => {
                    left.running.push(task);
                    verdict.left_out()
                }
                Status::Announced { .. } => {
                    left.held.push(task);
                    verdict.left_out()
                }
                // Its check is on the way; what it brings is dropped when it comes.
                Status::Fetching => verdict.left_out(),
            };
            self.end_at(now, at, Status::Ended(cause));
        }
        self.decided = true;
        left
    }

    fn position(&self, task: TaskId) -> Option<u32> {
        if is_sequential(self.course) {
            let seat = self.seats.get(task.stop as usize)?;
            return (seat.rank == task.rank).then_some(task.stop);
        }
        // Where everybody is asked, a client's seat is at its rank.
        let at = match self.index.get(task.rank.0 as usize) {
            Some((rank, at)) if *rank == task.rank => *at,
            _ => {
                let at = self.index.binary_search_by_key(&task.rank, |(rank, _)| *rank).ok()?;
                self.index[at].1
            }
        };
        (task.stop == 0).then_some(at)
    }

    fn stop(&self, at: u32) -> u32 {
        if is_sequential(self.course) { at } else { 0 }
    }
}
