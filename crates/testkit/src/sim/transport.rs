//! The transport of the simulation, which panics where a runtime breaks its word.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use flare_core::clock::Clock;
use flare_core::executor::Task;
use flare_core::journal;
use flare_core::names::Rank;
use flare_core::operation::OperationId;
use flare_core::transport::{Assignment, Event, FetchError, TaskId, Transport};
use futures::StreamExt;
use futures::channel::mpsc;
use futures::stream::BoxStream;

use super::log::Seen;
use super::state::{Act, Phase, State, damaged};
use super::world::World;
use super::{Holder, Sim};

/// One runtime's link to the simulated client side. It goes dead when another one is made.
pub struct SimTransport {
    world: Arc<World>,
    link: u64,
    events: Mutex<Option<mpsc::UnboundedReceiver<Vec<Event>>>>,
}

/// Fetched bytes, which hold their permit until the last of them is dropped.
struct Fetched {
    bytes: Bytes,
    _permit: Permit,
}

struct Permit {
    bytes: u64,
    out: Arc<Mutex<(usize, u64)>>,
}

impl AsRef<[u8]> for Fetched {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        *out = (out.0 - 1, out.1 - self.bytes);
    }
}

impl SimTransport {
    pub(super) fn new(sim: &Sim) -> Self {
        let world = Arc::clone(&sim.world);
        let (link, events) = world.connect();
        Self { world, link, events: Mutex::new(Some(events)) }
    }

    /// The state of the world, if this link is not dead.
    fn live(&self) -> Option<std::sync::MutexGuard<'_, State>> {
        let state = self.world.state();
        (state.link == self.link).then_some(state)
    }

    fn permit(&self, state: &State, bytes: u64) -> Permit {
        let mut out = state.out.lock().unwrap_or_else(PoisonError::into_inner);
        *out = (out.0 + 1, out.1 + bytes);
        if let Some((replies, limit)) = self.world.setup.window {
            let fits = out.0 <= replies || out.1 <= limit;
            assert!(fits, "{} replies of {} bytes are fetched and not given back", out.0, out.1);
        }
        Permit { bytes, out: Arc::clone(&state.out) }
    }

    /// What a fetch finds at the client.
    fn read(&self, task: TaskId, range: Range<u64>) -> Result<Bytes, FetchError> {
        let mut state = self.live().ok_or(FetchError::Lost)?;
        let held = match state.slots.get(&task).map(|slot| &slot.phase) {
            Some(Phase::Held(_, bytes)) => bytes.clone(),
            _ => return Err(FetchError::Lost),
        };
        let size = held.len() as u64;
        if range.start > range.end || range.end > size {
            return Err(FetchError::Range { range, size });
        }
        let asked = held.slice(range.start as usize..range.end as usize);
        if asked.is_empty() || !state.corrupts(task.rank) {
            state.lost.remove(&task);
            return Ok(asked);
        }
        state.lost.insert(task);
        match state.stream.below(2) {
            0 => Err(FetchError::Corrupt),
            _ => Ok(damaged(&asked, &mut state.stream)),
        }
    }
}

#[async_trait]
impl Transport for SimTransport {
    fn present(&self) -> Vec<Rank> {
        self.world.state().present(self.world.setup.roster.len())
    }

    fn lease(&self) -> Option<Duration> {
        Some(self.world.setup.lease)
    }

    fn dispatch(&self, task: &Arc<Task>, to: &[Assignment]) {
        let Some(mut state) = self.live() else { return };
        let strict = self.world.setup.strict;
        let is_released = state.released.contains(&task.operation);
        assert!(!strict || !is_released, "{} is dispatched after its release", task.key);
        for assignment in to {
            let rank = assignment.rank;
            let id = TaskId { operation: task.operation, stop: task.stop, rank };
            let is_let_go = state.let_go.contains(&id);
            assert!(!strict || !is_let_go, "{id:?} is asked for after it was let go of");
            self.world.log.push(Seen::Dispatched(id, assignment.state));
            state.asked.insert(id);
            let at = self.world.arrival(&mut state);
            state.put(at, Act::Arrive(self.link, Arc::clone(task), *assignment));
            state.remind(rank, at.after(self.world.setup.lease));
        }
    }

    fn cancel(&self, operation: OperationId, ranks: &[Rank]) {
        let Some(mut state) = self.live() else { return };
        self.world.log.push(Seen::Cancelled(operation, ranks.to_vec()));
        let wanted = |id: &&TaskId| id.operation == operation && ranks.contains(&id.rank);
        let tasks: Vec<TaskId> = state.slots.keys().filter(wanted).copied().collect();
        for task in tasks {
            match self.world.arrival(&mut state) {
                at if at <= self.world.clock.now() => state.cancel(task),
                at => state.put(at, Act::Cancel(task)),
            }
        }
        // What is still on its way does not start.
        state.recall(operation, ranks);
    }

    async fn fetch(&self, task: TaskId, range: Range<u64>) -> Result<Bytes, FetchError> {
        let (permit, arrival) = {
            let Some(mut state) = self.live() else { return Err(FetchError::Lost) };
            let (released, let_go) =
                (state.released.contains(&task.operation), state.let_go.contains(&task));
            let strict = self.world.setup.strict;
            assert!(!strict || !released, "{task:?} is fetched after its release");
            assert!(!strict || !let_go, "{task:?} is fetched after it was let go of");
            self.world.log.push(Seen::Fetched(task));
            let permit = self.permit(&state, range.end.saturating_sub(range.start));
            (permit, self.world.arrival(&mut state))
        };
        self.world.clock.sleep_until(arrival).await;
        while !self.world.is_present(task.rank) && !self.world.is_gone(task.rank) {
            let soon = self.world.clock.now().after(std::time::Duration::from_millis(5));
            self.world.clock.sleep_until(soon).await;
        }
        let bytes = self.read(task, range);
        if bytes.is_err() {
            self.world.state().lost.insert(task);
        }
        Ok(Bytes::from_owner(Fetched { bytes: bytes?, _permit: permit }))
    }

    fn let_go(&self, task: TaskId) {
        let Some(mut state) = self.live() else { return };
        self.world.log.push(Seen::LetGo(task));
        if !state.lost.remove(&task) && state.asked.contains(&task) {
            state.let_go.insert(task);
        }
        let keeps = self.world.setup.holder == Holder::Apart;
        if let Some(slot) = state.slots.get_mut(&task)
            && matches!(slot.phase, Phase::Held(..))
            && !keeps
        {
            slot.phase = Phase::Over;
        }
    }

    fn settle(&self, operation: OperationId) -> Result<(), journal::Error> {
        self.world.log.push(Seen::Settled(operation));
        self.world.setup.states.settle(operation)
    }

    fn release(&self, operation: OperationId, counted: &[Rank]) {
        let Some(mut state) = self.live() else { return };
        self.world.log.push(Seen::Released(operation, counted.to_vec()));
        state.released.insert(operation);
        let mine = |id: &TaskId| id.operation == operation;
        let running: Vec<TaskId> = state.slots.keys().copied().filter(mine).collect();
        for task in running {
            state.cancel(task);
            state.slots.remove(&task);
        }
        drop(state);
        let released = self.world.setup.states.release(operation, counted);
        released.expect("states in memory can always be released");
    }

    fn events(&self) -> BoxStream<'static, Vec<Event>> {
        let first = self.events.lock().unwrap_or_else(PoisonError::into_inner).take();
        match first {
            Some(events) => events.boxed(),
            None => futures::stream::empty().boxed(),
        }
    }
}
