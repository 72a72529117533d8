//! What the simulated client side is made of: clients, tasks at them, and the agenda.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use flare_core::clock::Timestamp;
use flare_core::executor::{Cancel, Task};
use flare_core::names::Rank;
use flare_core::operation::OperationId;
use flare_core::random::Stream;
use flare_core::transport::{Announcement, Assignment, Event, TaskId};
use futures::channel::mpsc;

use super::faults::Fault;

/// Bytes as a bad line delivers them: one bit is another.
pub(super) fn damaged(bytes: &Bytes, stream: &mut Stream) -> Bytes {
    let mut bytes = bytes.to_vec();
    let bit = stream.below(8 * bytes.len() as u64);
    bytes[(bit / 8) as usize] ^= 1 << (bit % 8);
    bytes.into()
}

#[derive(Debug)]
pub(super) enum Phase {
    /// The attempt is under way; it ends when the agenda says so.
    Running(Cancel),
    Held(Announcement, Bytes),
    /// It failed, was cancelled, was let go of, or is lost.
    Over,
}

/// A task at its client.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) task: Arc<Task>,
    pub(super) state: Option<OperationId>,
    pub(super) attempt: u32,
    pub(super) phase: Phase,
}

/// What the agenda holds.
#[derive(Debug)]
pub(super) enum Act {
    /// An attempt comes to its end.
    Finish(TaskId, u32),
    /// An event arrives at the runtime that had this link.
    Deliver(u64, Event),
    /// A task arrives at its client.
    Arrive(u64, Arc<Task>, Assignment),
    /// A client hears that nobody waits.
    Cancel(TaskId),
    /// A held reply is announced once more.
    Repeat(TaskId),
    /// A client's lease runs out, if it is still away since this absence.
    Lease(Rank, u32),
    /// A client comes back.
    Return(Rank, u32),
    /// Something goes wrong.
    Fault(Rank, Fault),
}

#[derive(Debug, Default)]
pub(super) struct Client {
    pub(super) away: bool,
    pub(super) gone: bool,
    pub(super) absences: u32,
    /// What came while it was away.
    pub(super) parked: Vec<Act>,
    /// Faults that wait for their occasion.
    pub(super) armed: Vec<Fault>,
}

pub(super) struct State {
    pub(super) clients: Vec<Client>,
    pub(super) slots: BTreeMap<TaskId, Slot>,
    pub(super) agenda: BTreeMap<(Timestamp, u64), Act>,
    pub(super) next: u64,
    /// Which runtime is connected.
    pub(super) link: u64,
    pub(super) sender: Option<mpsc::UnboundedSender<Vec<Event>>>,
    pub(super) released: BTreeSet<OperationId>,
    /// What this runtime asked for.
    pub(super) asked: BTreeSet<TaskId>,
    /// What it let go of, and was not lost before.
    pub(super) let_go: BTreeSet<TaskId>,
    /// Replies of which the last fetch did not bring what was announced: they may be let go of, and asked
    /// for again.
    pub(super) lost: BTreeSet<TaskId>,
    /// When the last event of a task arrives: later ones come after it.
    pub(super) last: BTreeMap<TaskId, Timestamp>,
    pub(super) executing: BTreeSet<TaskId>,
    pub(super) stream: Stream,
    /// Replies that are fetched and not given back: how many, how many bytes.
    pub(super) out: Arc<Mutex<(usize, u64)>>,
}

impl State {
    pub(super) fn put(&mut self, at: Timestamp, act: Act) {
        self.next += 1;
        self.agenda.insert((at, self.next), act);
    }

    /// Takes a fault that waited for this occasion.
    pub(super) fn disarm(&mut self, rank: Rank, fits: impl FnMut(&Fault) -> bool) -> Option<Fault> {
        let armed = &mut self.clients[rank.index()].armed;
        let at = armed.iter().position(fits)?;
        Some(armed.remove(at))
    }

    /// Whether bytes that come from this client now come damaged.
    pub(super) fn corrupts(&mut self, rank: Rank) -> bool {
        let corrupt = |fault: &Fault| matches!(fault, Fault::CorruptReply(_));
        let Some(Fault::CorruptReply(times)) = self.disarm(rank, corrupt) else { return false };
        if times > 1 {
            self.clients[rank.index()].armed.insert(0, Fault::CorruptReply(times - 1));
        }
        true
    }

    pub(super) fn deliver(&mut self, link: u64, event: Event) {
        let is_over = |task: &TaskId| self.released.contains(&task.operation);
        let is_stale = match &event {
            Event::Announced(task, _) | Event::Failed { task, .. } | Event::Progress(task, _) => {
                is_over(task)
            }
            Event::Gone(..) | Event::Back(..) => false,
        };
        if let Some(sender) = self.sender.as_ref().filter(|_| link == self.link && !is_stale) {
            // Nobody listens any more: the runtime was dropped, and hears of it when it is opened again.
            drop(sender.unbounded_send(vec![event]));
        }
    }

    pub(super) fn cancel(&mut self, id: TaskId) {
        if let Some(slot) = self.slots.get(&id)
            && let Phase::Running(cancel) = &slot.phase
        {
            cancel.set();
        }
    }

    /// Tasks that did not arrive yet do not start.
    pub(super) fn recall(&mut self, operation: OperationId, ranks: &[Rank]) {
        let stays = |act: &Act| match act {
            Act::Arrive(_, task, to) => task.operation != operation || !ranks.contains(&to.rank),
            _ => true,
        };
        self.agenda.retain(|_, act| stays(act));
        self.clients.iter_mut().for_each(|client| client.parked.retain(stays));
    }

    /// A task of which this client holds the reply.
    pub(super) fn held(&self, rank: Rank) -> Option<TaskId> {
        let held = |slot: &Slot| matches!(slot.phase, Phase::Held(..));
        self.slots.iter().find(|(id, slot)| id.rank == rank && held(slot)).map(|(id, _)| *id)
    }

    pub(super) fn remind(&mut self, rank: Rank, at: Timestamp) {
        if self.clients[rank.index()].away {
            let absence = self.clients[rank.index()].absences;
            self.put(at, Act::Lease(rank, absence));
        }
    }

    pub(super) fn present(&self, clients: usize) -> Vec<Rank> {
        let present = self.clients[..clients].iter().zip(0..).filter(|(client, _)| !client.away);
        present.map(|(_, rank)| Rank(rank)).collect()
    }
}
