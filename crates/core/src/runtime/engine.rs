//! Carries the machine's effects out, under one lock and without waiting.
//!
//! [`start`] begins operations and answers those that the journal knows; [`replies`] takes in what the
//! client side says, and carries out what the machine makes of it; [`commit`] ends operations.

mod commit;
pub(super) mod hold;
mod replies;
mod start;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::Waker;

use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt};

use crate::clock::Timestamp;
use crate::event::Event;
use crate::hash::Hash;
use crate::journal::{BlobStore, Run};
use crate::names::Rank;
use crate::operation::{Key, OperationId};
use crate::operations::{Error, Opened};
use crate::transport::TaskId;
use crate::value::Value;

use super::check::Fetch;
use super::gathering::{Fold, Gathering};
use super::heads::Releases;
use super::ledger::Ledger;
use super::machine::{Counters, Effect, Input, Machine};
use super::presence::Presence;
use super::{Home, Options};

/// Work that takes long.
pub(crate) enum Job {
    /// Fetch a reply and check it.
    Fetch(Fetch),
    /// Fold checked replies.
    Fold(Fold),
}

pub(crate) struct Engine {
    run: Arc<Run>,
    /// Hash of the code that the run's operations run with.
    unit: Hash,
    options: Options,
    machine: Machine,
    ledger: Ledger,
    gatherings: BTreeMap<OperationId, Gathering>,
    effects: Vec<Effect>,
    jobs: Vec<Job>,
    presence: Presence,
    /// Of what the client side is to be told.
    releases: Releases,
    now: Timestamp,
    stopped: Option<Error>,
}

impl Engine {
    pub(super) fn open(
        run: Run,
        home: Home,
        options: Options,
        present: Vec<Rank>,
    ) -> Result<(Self, Opened, Releases), Error> {
        let (ledger, opened, unreleased) = Ledger::open(run, home, options.accept_units)?;
        let last = opened.run.roster.held_out();
        let present = present.into_iter().filter(|rank| *rank < last).collect();
        let engine = Self {
            run: Arc::clone(&opened.run),
            unit: opened.run.unit(),
            machine: Machine::new(options.limits),
            options,
            ledger,
            gatherings: BTreeMap::new(),
            effects: Vec::new(),
            jobs: Vec::new(),
            presence: Presence::new(present, opened.epoch == 1),
            releases: Releases::default(),
            now: Timestamp::default(),
            stopped: None,
        };
        Ok((engine, opened, unreleased))
    }

    pub(super) fn set_now(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
    }

    pub(super) fn next_tick(&self) -> Option<Timestamp> {
        let silences = self.gatherings.values().filter_map(|open| open.silence.as_ref()?.next());
        silences.chain(self.machine.next_tick()).min()
    }

    pub(super) fn take_jobs(&mut self) -> Vec<Job> {
        std::mem::take(&mut self.jobs)
    }

    pub(super) fn take_releases(&mut self) -> Releases {
        std::mem::take(&mut self.releases)
    }

    /// Makes what was told heard; hands back who is to be woken.
    pub(super) fn publish(&mut self) -> Vec<Waker> {
        self.gatherings.values_mut().flat_map(|gathering| gathering.told.publish()).collect()
    }

    pub(super) fn counters(&self) -> Counters {
        self.machine.counters()
    }

    /// Whether a reply is still to be fetched.
    pub(super) fn wants(&self, task: TaskId) -> bool {
        self.stopped.is_none() && self.machine.is_fetching(task)
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.is_some()
    }

    pub(super) fn blobs(&self) -> &dyn BlobStore {
        &*self.ledger.home().blobs
    }

    pub(super) fn in_flight(&self) -> Vec<(Key, usize, usize)> {
        let open = self.gatherings.values().filter(|gathering| !gathering.over);
        open.map(|open| (open.key.clone(), open.replies.counted().len(), open.selected.len()))
            .collect()
    }

    /// A runtime that has stopped decides nothing more: another may have taken over.
    fn step(&mut self, input: Input) {
        if self.stopped.is_some() {
            return;
        }
        let failing = self.failing(&input);
        self.machine.step(self.now, input, &mut self.effects);
        failing.into_iter().for_each(|operation| self.tell_failures(operation));
    }

    /// The operations in which an input may end somebody's part as failed. What a decision ends so is told with
    /// the commit.
    fn failing(&self, input: &Input) -> Vec<OperationId> {
        match input {
            Input::Start(start) => vec![start.operation],
            Input::Failed { task, .. }
            | Input::Refused(task, _)
            | Input::Damaged(task)
            | Input::Lost(task) => vec![task.operation],
            Input::Gone(..) => self.gatherings.keys().copied().collect(),
            _ => Vec::new(),
        }
    }

    pub(super) fn tick(&mut self) {
        self.step(Input::Tick);
    }

    pub(super) fn subscribe(
        &mut self,
        operation: OperationId,
    ) -> BoxStream<'static, Result<Event, Error>> {
        match (self.check_alive(), self.gatherings.get_mut(&operation)) {
            (Ok(()), Some(gathering)) => gathering.told.listen().boxed(),
            (Err(error), _) => futures::stream::iter([Err(error)]).boxed(),
            (_, None) => futures::stream::iter([Err(Error::Unknown { operation })]).boxed(),
        }
    }

    pub(super) fn put(&mut self, bytes: &Bytes) -> Result<Hash, Error> {
        let hash = Hash::of(bytes);
        self.ledger.put(hash, bytes)?;
        Ok(hash)
    }

    pub(super) fn conclude(&mut self, operation: OperationId, value: &Bytes) -> Result<(), Error> {
        if !self.gatherings.get(&operation).is_some_and(|gathering| gathering.over) {
            return Err(Error::Unknown { operation });
        }
        let value = self.put(value)?;
        self.ledger.conclude(operation, value)
    }

    pub(super) fn concluded(&self, operation: OperationId) -> Result<Option<Bytes>, Error> {
        let value = self.ledger.concluded(operation);
        Ok(value.map(|value| self.blobs().get(value)).transpose()?)
    }

    pub(super) fn checkpoint(&mut self, state: &Value, pins: Vec<Hash>) -> Result<(), Error> {
        self.check_alive()?;
        let in_use: Vec<Hash> = self.gatherings.values().flat_map(Gathering::blobs).collect();
        self.ledger.checkpoint(state, pins, in_use.into_iter())
    }

    pub(super) fn value(&mut self, name: &str, fresh: Value) -> Result<Value, Error> {
        self.ledger.value(name, fresh)
    }

    pub(super) fn cancel(&mut self, operation: OperationId) -> Result<(), Error> {
        if !self.gatherings.contains_key(&operation) {
            return Err(Error::Unknown { operation });
        }
        self.step(Input::Cancel(operation));
        Ok(())
    }

    /// Forgets an operation. Its states become the heads.
    pub(super) fn release(&mut self, operation: OperationId) -> Result<(), Error> {
        self.check_alive()?;
        let over = self.gatherings.get(&operation).filter(|gathering| gathering.over);
        let record = over.and_then(|gathering| gathering.record.clone());
        let record = record.ok_or(Error::Unknown { operation })?;
        let releases = self.ledger.release(&record)?;
        self.releases.extend(releases);
        self.gatherings.remove(&operation);
        self.step(Input::Forget(operation));
        Ok(())
    }

    pub(super) fn interrupt(&mut self) {
        self.halt(&Error::Stopped(": interrupted".into()));
    }

    pub(super) fn stop(&mut self) {
        self.halt(&Error::Stopped(String::new()));
    }

    /// Ends every wait; operations stay open in the journal.
    fn halt(&mut self, error: &Error) {
        if self.stopped.is_some() {
            return;
        }
        self.stopped = Some(error.clone());
        self.ledger.close(error);
        for (operation, gathering) in &mut self.gatherings {
            if !gathering.over {
                let ranks = gathering.selected.to_vec();
                self.effects.push(Effect::Cancel { operation: *operation, ranks });
            }
            gathering.silence = None;
            gathering.fail(error);
        }
    }
}
