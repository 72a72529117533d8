//! The client side of the simulation: clients, their tasks, and everything that is on its way.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use flare_core::clock::{Clock, Timestamp};
use flare_core::executor::{Cancel, Task};
use flare_core::names::Rank;
use flare_core::operation::OperationId;
use flare_core::outcome::Cause;
use flare_core::random::Stream;
use flare_core::transport::{Announcement, Assignment, Event, TaskId};
use futures::channel::mpsc;

use super::clock::ManualClock;
use super::faults::Fault;
use super::log::{Log, Seen};
use super::state::{Act, Client, Phase, Slot, State, damaged};
use super::{Holder, Setup};

/// How much later a lost announcement is repeated.
const REPEAT: Duration = Duration::from_millis(50);

/// How one attempt ended at its client.
pub(super) enum Finished {
    Reply(Box<Announcement>, Bytes),
    Failure(Cause),
}

pub(super) struct World {
    pub(super) setup: Setup,
    pub(super) clock: Arc<ManualClock>,
    pub(super) log: Log,
    state: Mutex<State>,
}

impl World {
    pub(super) fn new(setup: Setup, clock: Arc<ManualClock>, log: Log, stream: Stream) -> Self {
        let clients = setup.roster.len() + 1;
        let mut state = State {
            clients: (0..clients).map(|_| Client::default()).collect(),
            slots: BTreeMap::new(),
            agenda: BTreeMap::new(),
            next: 0,
            link: 0,
            sender: None,
            released: BTreeSet::new(),
            asked: BTreeSet::new(),
            let_go: BTreeSet::new(),
            lost: BTreeSet::new(),
            last: BTreeMap::new(),
            executing: BTreeSet::new(),
            stream,
            out: Arc::default(),
        };
        for op in &setup.faults {
            let rank = Rank(op.client % setup.roster.len() as u32);
            let at = Timestamp::default().after(Duration::from_millis(op.at));
            state.put(at, Act::Fault(rank, op.fault));
        }
        Self { setup, clock, log, state: Mutex::new(state) }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new runtime connects; what was on its way to the one before is lost.
    pub(super) fn connect(&self) -> (u64, mpsc::UnboundedReceiver<Vec<Event>>) {
        let (sender, receiver) = mpsc::unbounded();
        let mut state = self.state();
        state.link += 1;
        state.sender = Some(sender);
        state.asked.clear();
        state.let_go.clear();
        state.lost.clear();
        (state.link, receiver)
    }

    /// The runtime's process is killed; with it goes what lives there.
    pub(super) fn kill_runtime(&self) {
        let mut state = self.state();
        state.link += 1;
        state.sender = None;
        if self.setup.holder == Holder::WithRuntime {
            state.slots.clear();
            state.released.clear();
            let stays =
                |act: &Act| matches!(act, Act::Lease(..) | Act::Return(..) | Act::Fault(..));
            state.agenda.retain(|_, act| stays(act));
            state.clients.iter_mut().for_each(|client| client.parked.clear());
        }
    }

    pub(super) fn held(&self) -> usize {
        let is_held = |slot: &&Slot| matches!(slot.phase, Phase::Held(..));
        self.state().slots.values().filter(is_held).count()
    }

    /// When the next thing happens.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.state().agenda.keys().next().map(|(at, _)| *at)
    }

    /// Takes what is due from the agenda.
    pub(super) fn due(&self) -> Option<Act> {
        let (now, mut state) = (self.clock.now(), self.state());
        let first = *state.agenda.keys().next().filter(|(at, _)| *at <= now)?;
        state.agenda.remove(&first)
    }

    pub(super) fn is_present(&self, rank: Rank) -> bool {
        !self.state().clients[rank.index()].away
    }

    pub(super) fn is_gone(&self, rank: Rank) -> bool {
        self.state().clients[rank.index()].gone
    }

    /// When something that is sent now arrives.
    pub(super) fn arrival(&self, state: &mut State) -> Timestamp {
        self.later(state, self.setup.delay)
    }

    /// A moment from now to `most` later, in whole milliseconds: much then happens at the same time.
    fn later(&self, state: &mut State, most: Duration) -> Timestamp {
        let most = most.as_millis() as u64;
        self.clock.now().after(Duration::from_millis(state.stream.below(most + 1)))
    }

    /// Does something of the agenda but carrying out an attempt.
    pub(super) fn act(&self, act: Act) {
        let mut state = self.state();
        match act {
            Act::Finish(..) => unreachable!("attempts are carried out without the lock"),
            Act::Deliver(link, event) => state.deliver(link, event),
            Act::Arrive(link, task, to) => self.arrive(&mut state, link, task, to),
            Act::Cancel(task) => state.cancel(task),
            Act::Repeat(task) => self.announce(&mut state, task),
            Act::Lease(rank, absence) => {
                let client = &mut state.clients[rank.index()];
                if client.away && client.absences == absence {
                    client.gone = true;
                    let link = state.link;
                    state.deliver(link, Event::Gone(rank, "its lease ran out".into()));
                }
            }
            Act::Return(rank, absence) => self.come_back(&mut state, rank, absence),
            Act::Fault(rank, fault) => self.fault(&mut state, rank, fault),
        }
    }

    fn arrive(&self, state: &mut State, link: u64, task: Arc<Task>, to: Assignment) {
        let rank = to.rank;
        if state.released.contains(&task.operation) || link != state.link {
            return;
        }
        if state.clients[rank.index()].away {
            return state.clients[rank.index()].parked.push(Act::Arrive(link, task, to));
        }
        let id = TaskId { operation: task.operation, stop: task.stop, rank };
        let is_same = |slot: &Slot| slot.task.hash == task.hash && slot.state == to.state;
        let known = state.slots.get(&id).map(|slot| (is_same(slot), &slot.phase));
        match known {
            Some((true, Phase::Running(cancel))) if !cancel.is_set() => {}
            Some((true, Phase::Held(..))) => self.announce(state, id),
            _ => {
                let attempt = state.slots.get(&id).map_or(0, |slot| slot.attempt) + 1;
                let slot = Slot {
                    task,
                    state: to.state,
                    attempt,
                    phase: Phase::Running(Cancel::default()),
                };
                state.slots.insert(id, slot);
                let end = self.later(state, self.setup.work);
                state.put(end, Act::Finish(id, attempt));
            }
        }
    }

    /// Announces a held reply, as far as the faults that are armed let it through.
    fn announce(&self, state: &mut State, task: TaskId) {
        let Some(Phase::Held(announcement, _)) = state.slots.get(&task).map(|slot| &slot.phase)
        else {
            return;
        };
        let mut announcement = announcement.clone();
        if let Some(rider) = announcement.inline.take() {
            let is_damaged = state.corrupts(task.rank);
            let rider = if is_damaged { damaged(&rider, &mut state.stream) } else { rider };
            announcement.inline = Some(rider);
        }
        let event = Event::Announced(task, announcement);
        if state.disarm(task.rank, |fault| *fault == Fault::DropAnnouncement).is_some() {
            return state.put(self.clock.now().after(REPEAT), Act::Repeat(task));
        }
        let delay = state.disarm(task.rank, |fault| matches!(fault, Fault::Delay(_)));
        let delay = if let Some(Fault::Delay(millis)) = delay { millis } else { 0 };
        if state.disarm(task.rank, |fault| *fault == Fault::DuplicateAnnouncement).is_some() {
            self.send(state, task, event.clone(), 0);
        }
        self.send(state, task, event, u64::from(delay));
    }

    /// Sends an event of a task on its way, after those that were sent before.
    pub(super) fn send(&self, state: &mut State, task: TaskId, event: Event, millis: u64) {
        let at = self.arrival(state).after(Duration::from_millis(millis));
        let at = state.last.get(&task).map_or(at, |last| at.max(*last));
        state.last.insert(task, at);
        let act = Act::Deliver(state.link, event);
        match &mut state.clients[task.rank.index()] {
            client if client.away => client.parked.push(act),
            _ => state.put(at, act),
        }
    }

    fn come_back(&self, state: &mut State, rank: Rank, absence: u32) {
        let client = &mut state.clients[rank.index()];
        if !client.away || client.absences != absence {
            return;
        }
        (client.away, client.gone) = (false, false);
        let parked = std::mem::take(&mut client.parked);
        let link = state.link;
        state.deliver(link, Event::Back(rank));
        let now = self.clock.now();
        parked.into_iter().for_each(|act| state.put(now, act));
    }

    fn fault(&self, state: &mut State, rank: Rank, fault: Fault) {
        match fault {
            Fault::Leave(millis) => {
                let client = &mut state.clients[rank.index()];
                if client.away {
                    return;
                }
                client.away = true;
                client.absences += 1;
                let (absence, now) = (client.absences, self.clock.now());
                state.put(now.after(self.setup.lease), Act::Lease(rank, absence));
                let back = now.after(Duration::from_millis(u64::from(millis)));
                state.put(back, Act::Return(rank, absence));
            }
            Fault::RestartClient { keeps } => self.restart_client(state, rank, keeps),
            Fault::RestartRuntime => {}
            Fault::LoseReply if state.held(rank).is_some() => {
                let held = state.held(rank);
                held.into_iter().for_each(|id| self.lose(state, id));
            }
            armed => state.clients[rank.index()].armed.push(armed),
        }
    }

    /// What ran has failed; what was held is announced again, or no longer there.
    fn restart_client(&self, state: &mut State, rank: Rank, keeps: bool) {
        let mine: Vec<TaskId> = state.slots.keys().filter(|id| id.rank == rank).copied().collect();
        for id in mine {
            let Some(slot) = state.slots.get_mut(&id) else { continue };
            let attempt = slot.attempt;
            match &slot.phase {
                Phase::Running(cancel) if !cancel.is_set() => {
                    slot.phase = Phase::Over;
                    let cause = Cause::Environment("its process died".into());
                    self.send(state, id, Event::Failed { task: id, attempt, cause }, 0);
                }
                Phase::Held(..) if keeps => self.announce(state, id),
                Phase::Held(..) => self.lose(state, id),
                _ => slot.phase = Phase::Over,
            }
        }
    }

    /// A held reply is gone. Whoever did not hear of it yet hears that its attempt came to nothing.
    fn lose(&self, state: &mut State, id: TaskId) {
        let Some(slot) = state.slots.get_mut(&id) else { return };
        slot.phase = Phase::Over;
        let (attempt, cause) = (slot.attempt, Cause::Environment("its reply was lost".into()));
        self.send(state, id, Event::Failed { task: id, attempt, cause }, 0);
    }

    /// The end of an attempt, if it is still awaited: the task, the version it starts from, its flag.
    pub(super) fn begin(
        &self,
        id: TaskId,
        attempt: u32,
    ) -> Option<(Arc<Task>, Option<OperationId>, Cancel)> {
        let mut state = self.state();
        let slot = state.slots.get_mut(&id).filter(|slot| slot.attempt == attempt)?;
        let Phase::Running(cancel) = &slot.phase else { return None };
        if cancel.is_set() {
            slot.phase = Phase::Over;
            return None;
        }
        let begun = (Arc::clone(&slot.task), slot.state, cancel.clone());
        assert!(state.executing.insert(id), "{id:?} is executed twice at once");
        self.log.push(Seen::Executed(id, attempt));
        Some(begun)
    }

    /// An attempt came to its end.
    pub(super) fn finish(&self, id: TaskId, attempt: u32, finished: Finished) {
        let mut state = self.state();
        state.executing.remove(&id);
        let is_lost = |fault: &Fault| *fault == Fault::LoseReply;
        let Some(slot) = state.slots.get_mut(&id).filter(|slot| slot.attempt == attempt) else {
            return;
        };
        match finished {
            Finished::Reply(announcement, bytes) => {
                slot.phase = Phase::Held(*announcement, bytes);
                self.announce(&mut state, id);
                if state.disarm(id.rank, is_lost).is_some() {
                    self.lose(&mut state, id);
                }
            }
            Finished::Failure(cause) => {
                slot.phase = Phase::Over;
                self.send(&mut state, id, Event::Failed { task: id, attempt, cause }, 0);
            }
        }
    }
}
