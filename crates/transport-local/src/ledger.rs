//! Where each task stands, and the replies that are held.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use bytes::Bytes;
use flare_core::executor::Task;
use flare_core::hash::Hash;
use flare_core::names::Rank;
use flare_core::operation::OperationId;
use flare_core::outcome::Cause;
use flare_core::transport::{Announcement, Assignment, Event, INLINE_LIMIT, TaskId};
use flare_executor::{Assigned, Output, Permit};

/// All operations that are not released.
#[derive(Default)]
pub(crate) struct Ledger {
    operations: BTreeMap<OperationId, Operation>,
}

#[derive(Default)]
struct Operation {
    tasks: HashMap<Place, Standing, BuildHasherDefault<InOrder>>,
    held: HashMap<Place, Held, BuildHasherDefault<InOrder>>,
    last_stop: u32,
}

/// Stop and rank of a task in one number.
type Place = u64;

/// Where a task stands. Kept until the release, so that attempts are counted on.
#[derive(Clone, Copy)]
struct Standing {
    attempt: u32,
    status: Status,
}

#[derive(Clone, Copy, PartialEq)]
enum Status {
    /// It waits for a worker, or runs.
    Busy,
    /// The same, but nobody waits for it.
    Cancelled,
    /// Cancelled, and then asked for again before it had ended.
    Again,
    /// Its reply is held.
    Held,
    /// Nothing is there of it.
    Idle,
}

/// What a kept reply answers, and nothing else (contract 11): the task's hash, and the version of the
/// client's state that it started from.
type Asked = (Hash, Option<OperationId>);

/// A reply that can be announced and fetched as often as asked.
pub(crate) struct Held {
    announcement: Announcement,
    encoded: Bytes,
    permit: Option<Arc<Permit>>,
    /// What it answers.
    answers: Asked,
}

impl Held {
    /// The runtime has given its bytes back, or made them its home's: they are in transfer or in a fold
    /// no more, whoever still has them. Their memory goes first: with the permit, another reply's is taken.
    pub(crate) fn let_go(self) {
        let Self { encoded, permit, .. } = self;
        drop(encoded);
        if let Some(permit) = permit {
            permit.give_back();
        }
    }
}

/// What a dispatch makes happen.
pub(crate) enum Dispatched {
    /// This attempt is to be made.
    Begins(Assigned),
    /// The reply is there: it is announced again.
    Held(Announcement),
    /// It is on its way.
    Nothing,
}

/// What an attempt's end makes happen.
pub(crate) enum Ended {
    /// This is to be told.
    Tell(Event),
    /// It was asked for again: the next attempt is to be made.
    Again(Assigned),
    /// Nobody is to hear of it.
    Nothing,
}

impl Ledger {
    /// A task is sent to clients; `each` hears what that means for each of them.
    pub(crate) fn dispatch(
        &mut self,
        task: &Arc<Task>,
        to: &[Assignment],
        mut each: impl FnMut(Rank, Dispatched),
    ) {
        let operation = self.operations.entry(task.operation).or_default();
        operation.last_stop = operation.last_stop.max(task.stop);
        operation.tasks.reserve(to.len());
        for assignment in to {
            let what = operation.dispatch(task, *assignment);
            each(assignment.rank, what);
        }
    }

    /// Nobody waits for these any more.
    pub(crate) fn cancel(&mut self, id: OperationId, ranks: &[Rank]) {
        let Some(operation) = self.operations.get_mut(&id) else { return };
        for stop in 0..=operation.last_stop {
            for rank in ranks {
                if let Some(standing) = operation.tasks.get_mut(&place(stop, *rank))
                    && matches!(standing.status, Status::Busy | Status::Again)
                {
                    standing.status = Status::Cancelled;
                }
            }
        }
    }

    /// An attempt ended, at a worker or without ever reaching one.
    pub(crate) fn finished(
        &mut self,
        task: &Task,
        assigned: Assigned,
        result: Result<Output, Cause>,
    ) -> Ended {
        let Assigned { rank, attempt, state } = assigned;
        let Some(operation) = self.operations.get_mut(&task.operation) else {
            return Ended::Nothing;
        };
        let (place, answers) = (place(task.stop, rank), (task.hash, state));
        let task = TaskId { operation: task.operation, stop: task.stop, rank };
        let Some(standing) = operation.tasks.get_mut(&place) else { return Ended::Nothing };
        if standing.attempt != attempt {
            return Ended::Nothing;
        }
        let failed = |cause| Ended::Tell(Event::Failed { task, attempt, cause });
        match (standing.status, result) {
            (Status::Again, _) => {
                *standing = Standing { attempt: attempt + 1, status: Status::Busy };
                Ended::Again(Assigned { attempt: attempt + 1, ..assigned })
            }
            (Status::Held | Status::Idle, _) => Ended::Nothing,
            (Status::Cancelled, _) => {
                standing.status = Status::Idle;
                failed(Cause::Cancelled)
            }
            (Status::Busy, Err(cause)) => {
                standing.status = Status::Idle;
                failed(cause)
            }
            (Status::Busy, Ok(output)) => {
                standing.status = Status::Held;
                let held = hold(attempt, output, answers);
                let announcement = held.announcement.clone();
                operation.held.insert(place, held);
                Ended::Tell(Event::Announced(task, announcement))
            }
        }
    }

    /// Whether somebody waits for a task.
    pub(crate) fn is_awaited(&self, task: TaskId) -> bool {
        let standing = self
            .operations
            .get(&task.operation)
            .and_then(|operation| operation.tasks.get(&place(task.stop, task.rank)));
        standing.is_some_and(|standing| standing.status == Status::Busy)
    }

    /// The encoded tensors of a held reply.
    pub(crate) fn encoded(&self, task: TaskId) -> Option<Bytes> {
        let held = &self.operations.get(&task.operation)?.held;
        Some(held.get(&place(task.stop, task.rank))?.encoded.clone())
    }

    /// Takes a held reply out.
    pub(crate) fn let_go(&mut self, task: TaskId) -> Option<Held> {
        let operation = self.operations.get_mut(&task.operation)?;
        let place = place(task.stop, task.rank);
        let held = operation.held.remove(&place)?;
        if let Some(standing) = operation.tasks.get_mut(&place) {
            standing.status = Status::Idle;
        }
        Some(held)
    }

    /// Forgets an operation; hands back what is to be dropped where nothing is locked.
    pub(crate) fn release(&mut self, operation: OperationId) -> impl Sized + use<> {
        self.operations.remove(&operation)
    }
}

impl Operation {
    fn dispatch(&mut self, task: &Task, to: Assignment) -> Dispatched {
        let place = place(task.stop, to.rank);
        let fresh = Standing { attempt: 0, status: Status::Idle };
        let standing = self.tasks.entry(place).or_insert(fresh);
        match standing.status {
            Status::Busy | Status::Again => return Dispatched::Nothing,
            Status::Cancelled => {
                standing.status = Status::Again;
                return Dispatched::Nothing;
            }
            Status::Held => match self.held.get(&place) {
                Some(held) if held.answers == (task.hash, to.state) => {
                    return Dispatched::Held(held.announcement.clone());
                }
                // It answers another task (contract 11).
                _ => drop(self.held.remove(&place)),
            },
            Status::Idle => {}
        }
        *standing = Standing { attempt: standing.attempt + 1, status: Status::Busy };
        Dispatched::Begins(Assigned { rank: to.rank, attempt: standing.attempt, state: to.state })
    }
}

fn hold(attempt: u32, output: Output, answers: Asked) -> Held {
    let Output { weight, metrics, headers, tensors, encoded, permit, wrote_state } = output;
    let inline = (encoded.len() <= INLINE_LIMIT).then(|| encoded.clone());
    let bytes = encoded.len() as u64;
    let announcement =
        Announcement { attempt, weight, metrics, headers, tensors, bytes, inline, wrote_state };
    Held { announcement, encoded, permit, answers }
}

fn place(stop: u32, rank: Rank) -> Place {
    u64::from(stop) << 32 | u64::from(rank.0)
}

/// Hashes a place so that neighbours stay neighbours: tasks come and go in the order of their ranks, and
/// so do the cache lines that they touch. The seven high bits, by which a table tells the entries
/// of one group apart, are mixed.
#[derive(Default)]
struct InOrder(u64);

impl Hasher for InOrder {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("a place is hashed as one number")
    }

    fn write_u64(&mut self, place: u64) {
        const HIGH: u64 = 0x7f << 57;
        let mixed = place.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        // A relay has many stops and few ranks: both have to move the low bits.
        let low = place ^ (place >> 32).wrapping_mul(0x9e37_79b1);
        self.0 = (low & !HIGH) | (mixed & HIGH);
    }
}
