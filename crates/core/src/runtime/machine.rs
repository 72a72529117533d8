//! The task semantics as a state machine: a closed set of inputs, and what each of them makes happen.
//!
//! ```text
//!   seat:       pending -> running -> announced -> fetching -> counted
//!                 ^          |  \________\____________\______> ended (cause)
//!                 |__________|  (an environment failure is tried again)
//!   operation:  open -> decided -> (forgotten at release)
//! ```
//!
//! *Invariant*: nothing here knows payloads, journals, threads or clocks: time comes with each input.

use std::collections::{BTreeMap, VecDeque};

use crate::clock::Timestamp;
use crate::names::Rank;
use crate::operation::{Course, OperationId};
use crate::outcome::Cause;
use crate::transport::TaskId;

use super::active::{Active, Status};
pub use super::active::{Kept, Seat, Start};
pub use super::verdict::Verdict;
use super::window::Window;
pub use super::words::{Counters, Effect, Input, Limits};

/// The state of all operations in flight.
#[derive(Debug, Default)]
pub struct Machine {
    limits: Limits,
    operations: BTreeMap<OperationId, Active>,
    window: Window,
    waiting: VecDeque<TaskId>,
    counters: Counters,
}

impl Machine {
    /// A machine without operations.
    pub fn new(limits: Limits) -> Self {
        Self { limits, window: Window::new(limits), ..Self::default() }
    }

    /// Takes one input in and says what it makes happen, in order.
    pub fn step(&mut self, now: Timestamp, input: Input, effects: &mut Vec<Effect>) {
        match input {
            Input::Start(start) => self.start(now, start, effects),
            Input::Announced { task, attempt, bytes } => {
                self.announced(task, attempt, bytes, effects)
            }
            Input::Failed { task, attempt, cause } => {
                self.failed(now, task, attempt, cause, effects);
            }
            Input::Gone(rank, why) => self.gone(now, rank, &Cause::Gone(why), effects),
            Input::Checked(task) => self.checked(now, task, effects),
            Input::Refused(task, cause) => {
                self.window.give_back(task);
                effects.push(Effect::Drop(task));
                self.ended(now, task, cause, effects);
            }
            Input::Damaged(task) => self.damaged(now, task, effects),
            Input::Lost(task) => {
                let cause = Cause::Environment("its reply was lost".into());
                self.lost(now, task, cause, effects);
            }
            Input::GivenBack(task) => self.window.give_back(task),
            Input::StopKept(operation) => self.stop_kept(now, operation, effects),
            Input::Hopeless(operation, fault) => {
                self.conclude(now, operation, Verdict::Hopeless(fault), effects);
            }
            Input::Cancel(operation) => {
                self.conclude(now, operation, Verdict::Cancelled, effects);
            }
            Input::Forget(operation) => {
                self.operations.remove(&operation);
            }
            Input::Tick => self.tick(now, effects),
        }
        self.fetch_what_fits(effects);
    }

    /// When `Tick` should come next, if nothing else does.
    pub fn next_tick(&self) -> Option<Timestamp> {
        self.operations.values().filter_map(Active::next_tick).min()
    }

    /// Replies that changed nothing, since the machine was made.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// An operation's seats, in the order of its targets, and the order in which they ended.
    pub fn seats(&self, operation: OperationId) -> Option<(&[Seat], &[u32])> {
        self.operations.get(&operation).map(Active::seats)
    }

    /// The tasks of an operation, one for each of its targets.
    pub fn tasks(&self, operation: OperationId) -> Vec<TaskId> {
        self.operations.get(&operation).map(Active::tasks).unwrap_or_default()
    }

    /// Whether a task's reply is awaited.
    pub fn expects(&self, task: TaskId) -> bool {
        self.status(task) == Some(&Status::Running)
    }

    /// Whether a reply was asked for by [`Effect::Fetch`], and may still count.
    pub fn is_fetching(&self, task: TaskId) -> bool {
        self.status(task) == Some(&Status::Fetching)
    }

    /// How a task stands whose operation is not decided.
    fn status(&self, task: TaskId) -> Option<&Status> {
        let active = self.operations.get(&task.operation)?;
        active.seat(task).map(|seat| &seat.status).filter(|_| !active.is_decided())
    }

    /// Bytes of replies in transfer or in the fold.
    pub fn bytes_in_flight(&self) -> u64 {
        self.window.bytes()
    }

    fn start(&mut self, now: Timestamp, start: Start, effects: &mut Vec<Effect>) {
        let operation = start.operation;
        let mut active = Active::new(now, start);
        // A relay that goes on may have failed already.
        active.go_on(now, effects);
        self.operations.insert(operation, active);
        self.decide(now, operation, effects);
    }

    fn announced(&mut self, task: TaskId, attempt: u32, bytes: u64, effects: &mut Vec<Effect>) {
        let Some(seat) = self.open_seat(task) else {
            self.counters.late += 1;
            return effects.push(Effect::Drop(task));
        };
        match seat.status {
            Status::Running => {
                seat.attempts = seat.attempts.max(attempt);
                seat.status = Status::Announced { bytes };
                seat.damaged = 0;
                self.waiting.push_back(task);
            }
            Status::Announced { .. } | Status::Fetching | Status::Counted => {
                self.counters.duplicates += 1;
            }
            // Nobody asked for it yet, or nobody waits any more.
            Status::Pending | Status::Ended(_) => {
                self.counters.late += 1;
                effects.push(Effect::Drop(task));
            }
        }
    }

    /// An attempt failed: what its surroundings did is tried again, what the learner did is final.
    fn failed(
        &mut self,
        now: Timestamp,
        task: TaskId,
        attempt: u32,
        cause: Cause,
        effects: &mut Vec<Effect>,
    ) {
        let Some(seat) = self.open_seat(task) else { return };
        if seat.status != Status::Running || attempt <= seat.failed {
            return;
        }
        seat.failed = attempt;
        seat.attempts = seat.attempts.max(attempt);
        match cause {
            Cause::Environment(_) => self.try_again(now, task, cause, effects),
            cause => self.ended(now, task, cause, effects),
        }
    }

    /// The same reply is fetched again, with the permit that it has, until that was done often enough.
    fn damaged(&mut self, now: Timestamp, task: TaskId, effects: &mut Vec<Effect>) {
        let most = self.limits.max_fetches;
        if self.is_fetching(task)
            && let Some(seat) = self.open_seat(task)
        {
            seat.damaged += 1;
            if seat.damaged < most {
                return effects.push(Effect::Fetch(task));
            }
            seat.lost += 1;
        }
        let lost = format!(
            "its reply was lost: {most} fetches brought other bytes than those that were announced"
        );
        self.lost(now, task, Cause::Environment(lost.into()), effects);
    }

    fn lost(&mut self, now: Timestamp, task: TaskId, cause: Cause, effects: &mut Vec<Effect>) {
        self.window.give_back(task);
        // Else a reply that is held but cannot be fetched whole would be announced again and again.
        effects.push(Effect::Drop(task));
        if self.is_fetching(task) {
            self.try_again(now, task, cause, effects);
        }
    }

    /// Asks for another attempt, if there may be one.
    fn try_again(&mut self, now: Timestamp, task: TaskId, cause: Cause, effects: &mut Vec<Effect>) {
        let max_attempts = self.limits.max_attempts;
        match self.open_seat(task) {
            // A client side that kept what came damaged announces it again, as the attempt that it was.
            Some(seat) if seat.attempts.max(seat.lost) < max_attempts => {
                seat.status = Status::Running;
                let (operation, stop) = (task.operation, task.stop);
                effects.push(Effect::Dispatch { operation, stop, ranks: vec![task.rank] });
            }
            _ => self.ended(now, task, cause, effects),
        }
    }

    fn gone(&mut self, now: Timestamp, rank: Rank, cause: &Cause, effects: &mut Vec<Effect>) {
        let tasks: Vec<TaskId> = self
            .operations
            .iter()
            .filter_map(|(operation, active)| active.task_of(*operation, rank))
            .collect();
        for task in tasks {
            // A fetch that is on its way keeps its permit until it comes back.
            if self.open_seat(task).is_some_and(|seat| seat.status.is_held()) {
                effects.push(Effect::Drop(task));
            }
            self.ended(now, task, cause.clone(), effects);
        }
    }

    fn checked(&mut self, now: Timestamp, task: TaskId, effects: &mut Vec<Effect>) {
        if !self.is_fetching(task) {
            self.window.give_back(task);
            return effects.push(Effect::Drop(task));
        }
        if let Some(active) = self.operations.get_mut(&task.operation) {
            active.end(now, task, Status::Counted);
            effects.push(Effect::Count(task));
            active.after_end(now, task.stop, effects);
        }
        self.decide(now, task.operation, effects);
    }

    fn ended(&mut self, now: Timestamp, task: TaskId, cause: Cause, effects: &mut Vec<Effect>) {
        let Some(active) = self.operations.get_mut(&task.operation) else { return };
        let open = active.seat(task).is_some_and(|seat| !seat.status.is_final());
        if active.is_decided() || !open {
            return;
        }
        active.end(now, task, Status::Ended(cause));
        active.after_end(now, task.stop, effects);
        self.decide(now, task.operation, effects);
    }

    fn stop_kept(&mut self, now: Timestamp, operation: OperationId, effects: &mut Vec<Effect>) {
        if let Some(active) = self.operations.get_mut(&operation) {
            active.stop_kept(now, effects);
        }
        self.decide(now, operation, effects);
    }

    fn tick(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        let due = |active: &Active| active.next_tick().is_some_and(|at| at <= now);
        let due: Vec<OperationId> =
            self.operations.iter().filter(|(_, active)| due(active)).map(|(id, _)| *id).collect();
        due.into_iter().for_each(|operation| self.decide(now, operation, effects));
    }

    fn decide(&mut self, now: Timestamp, operation: OperationId, effects: &mut Vec<Effect>) {
        let verdict = self.operations.get(&operation).and_then(|active| active.verdict(now));
        if let Some(verdict) = verdict {
            self.conclude(now, operation, verdict, effects);
        }
    }

    /// Ends every seat that is still open, and says so to its client.
    fn conclude(
        &mut self,
        now: Timestamp,
        operation: OperationId,
        verdict: Verdict,
        effects: &mut Vec<Effect>,
    ) {
        let Some(active) = self.operations.get_mut(&operation) else { return };
        if active.is_decided() {
            return;
        }
        let left = active.close(now, &verdict);
        let ranks: Vec<Rank> = left.running.iter().map(|task| task.rank).collect();
        if !ranks.is_empty() {
            effects.push(Effect::Cancel { operation, ranks });
        }
        effects.extend(left.held.into_iter().map(Effect::Drop));
        effects.push(Effect::Decide(operation, verdict));
    }

    fn fetch_what_fits(&mut self, effects: &mut Vec<Effect>) {
        while let Some(task) = self.waiting.front().copied() {
            let announced = self.open_seat(task).and_then(|seat| match seat.status {
                Status::Announced { bytes } => Some(bytes),
                _ => None,
            });
            if let Some(bytes) = announced {
                if !self.window.take(task, bytes) {
                    return;
                }
                if let Some(seat) = self.open_seat(task) {
                    seat.status = Status::Fetching;
                }
                effects.push(Effect::Fetch(task));
            }
            self.waiting.pop_front();
        }
    }

    /// The seat of a task whose operation is not decided.
    fn open_seat(&mut self, task: TaskId) -> Option<&mut Seat> {
        let active = self.operations.get_mut(&task.operation)?;
        if active.is_decided() {
            return None;
        }
        active.seat_mut(task)
    }
}

/// Whether targets are asked one after the other.
pub(super) fn is_sequential(course: Course) -> bool {
    !matches!(course, Course::Broadcast)
}
