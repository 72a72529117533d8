//! How an operation begins: resolved, compared with the journal, and dispatched.

use std::sync::Arc;

use crate::event::{Event, Interest, Kind, What};
use crate::executor::Task;
use crate::filter::{self, Passage, Point};
use crate::hash::Hash;
use crate::journal::{self, Entry};
use crate::names::{Rank, Roster};
use crate::operation::{Gather, Key, OperationId, OperationSpec, SpecDigest, StateAccess};
use crate::operations::Error;
use crate::outcome::{ClientEnd, CountedReply, End, Gathered, Record};
use crate::shareable::Shareable;
use crate::tensor::Tensors;

use super::super::check::Rules;
use super::super::cohort::{self, Repeated};
use super::super::gathering::Gathering;
use super::super::machine::{Input, Kept, Start};
use super::super::silence::Silence;
use super::super::targets;
use super::Engine;
use super::commit::tell_failure;

impl Engine {
    pub(in crate::runtime) fn start(
        &mut self,
        spec: OperationSpec,
        interest: Interest,
    ) -> Result<(OperationId, Key), Error> {
        self.check_alive()?;
        let key = self.ledger.key(spec.label.clone())?;
        self.check_alone(&key)?;
        let fault = |fault| Error::Spec { key: key.clone(), fault };
        let Repeated { spec, selected, failure } = self.resolve(spec, &key).map_err(fault)?;
        let digest = spec.digest(&selected, self.options.filters);
        if let Some(record) = self.ledger.answer(&key) {
            return self.answer(&key, &spec, &digest, record, interest);
        }
        self.check_state(&key, &spec, &selected)?;
        self.check_hold(&key, &spec, &selected)?;
        let begun = self.ledger.begun(&key);
        let differs = begun.as_ref().and_then(|begun| begun.digest.difference(&digest));
        if let Some(part) = differs {
            return Err(Error::Differs { key, part });
        }
        let operation = match &begun {
            Some(begun) => begun.operation,
            None => self.ledger.next_operation(),
        };
        let mut gathering = self.prepare(operation, &key, spec, digest, &selected, interest)?;
        gathering.is_anew = begun.is_some();
        if begun.is_none() {
            let (key, digest) = (key.clone(), gathering.digest.clone());
            let started = Entry::Started { operation, key, digest, selected: selected.clone() };
            self.ledger.append(&[started], false)?;
        }
        match gathering.spec.task.state {
            StateAccess::None => self.releases.extend(self.ledger.heads.end(operation)),
            _ => self.ledger.heads.begin(operation, Arc::clone(&gathering.selected)),
        }
        let stops = begun.map(|begun| begun.stops).unwrap_or_default();
        match failure {
            Some(failure) => self.fail_again(operation, gathering, failure)?,
            None => self.begin(operation, gathering, selected, stops)?,
        }
        Ok((operation, key))
    }

    fn resolve(&self, spec: OperationSpec, key: &Key) -> Result<Repeated, String> {
        let selected = targets::resolve(&spec, key, self.run.seed, &self.run.roster)?;
        cohort::repeat(self.options.cohort.as_ref(), key, spec, selected)
    }

    /// Everything about an operation that does not need the machine.
    fn prepare(
        &mut self,
        operation: OperationId,
        key: &Key,
        spec: OperationSpec,
        digest: SpecDigest,
        selected: &[Rank],
        interest: Interest,
    ) -> Result<Gathering, Error> {
        let fault = |fault: String| Error::Spec { key: key.clone(), fault };
        let aggregator = match &spec.gather {
            Gather::Replies => None,
            Gather::Aggregate(wanted) => {
                let made = self.options.registry.aggregator(wanted);
                let mut made = made.map_err(|error| fault(error.to_string()))?;
                made.begin(&spec.task.input.tensors).map_err(|error| fault(error.to_string()))?;
                Some(made)
            }
        };
        let input = self.filtered(spec.task.input.clone()).map_err(fault)?;
        let rules = Rules {
            task: spec.task.input.tensors.clone(),
            accept_non_finite: spec.policy.accept_non_finite,
            reply_in: Arc::clone(&self.options.reply_in),
        };
        let task = self.task(operation, key, &spec, &digest, 0, input);
        let (selected, now) = (selected.into(), self.now);
        let rules = Arc::new(rules);
        Ok(Gathering::new(
            key.clone(),
            spec,
            task,
            digest,
            selected,
            rules,
            aggregator,
            now,
            interest,
        ))
    }

    /// What goes out instead of a task's `input`, if the filters let anything through.
    pub(super) fn filtered(&self, input: Shareable) -> Result<Shareable, String> {
        let passage = Passage { point: Point::TaskOut, client: None, task: None };
        let passed = filter::pass(&self.options.task_out, input, passage);
        passed.map_err(|error| format!("a filter stopped its task: {error}"))
    }

    pub(super) fn task(
        &self,
        operation: OperationId,
        key: &Key,
        spec: &OperationSpec,
        digest: &SpecDigest,
        stop: u32,
        input: Shareable,
    ) -> Arc<Task> {
        let mut decides = Vec::from(digest.hash().as_bytes());
        decides.extend(self.run.seed.to_le_bytes());
        decides.extend(self.unit.as_bytes());
        decides.extend(input.digest().as_bytes());
        Arc::new(Task {
            operation,
            key: key.clone(),
            stop,
            name: spec.task.name.as_str().into(),
            round: spec.task.round,
            input,
            state: spec.task.state,
            hash: Hash::derive("flare task", &decides),
        })
    }

    fn begin(
        &mut self,
        operation: OperationId,
        mut gathering: Gathering,
        selected: Vec<Rank>,
        stops: Vec<ClientEnd>,
    ) -> Result<(), Error> {
        gathering.tell_start(operation, false);
        let kept = self.kept_stops(&mut gathering, stops)?;
        let start = Start {
            operation,
            course: gathering.spec.course,
            policy: gathering.spec.policy.clone(),
            timed: gathering.spec.is_timed(selected.len()),
            selected,
            kept,
        };
        if gathering.interest.has(Kind::Stalled) {
            gathering.silence = Some(Silence::new(self.now, self.options.idle));
        }
        self.gatherings.insert(operation, gathering);
        self.tell_joined();
        self.step(Input::Start(start));
        Ok(())
    }

    /// A relay that an earlier process began goes on from its last durable stop.
    fn kept_stops(
        &self,
        gathering: &mut Gathering,
        stops: Vec<ClientEnd>,
    ) -> Result<Vec<Kept>, Error> {
        let mut kept = Vec::with_capacity(stops.len());
        for end in stops {
            let cause = match end.end {
                End::Failed(cause) => Some(cause),
                End::Counted(reply) => {
                    gathering.passed_on = Some(self.passed_on(&reply)?);
                    gathering.replies.count(end.rank, reply);
                    None
                }
            };
            kept.push(Kept { attempts: end.attempts, cause });
        }
        Ok(kept)
    }

    /// What a stop of a relay hands to the next, as the run's home has it.
    pub(super) fn passed_on(&self, reply: &CountedReply) -> Result<Shareable, Error> {
        let bytes = self.blobs().get(reply.tensors)?;
        let damaged = |fault: String| journal::Error::Damaged {
            place: format!("blob {}", reply.tensors),
            fault,
        };
        let tensors = Tensors::decode(bytes).map_err(|error| damaged(error.to_string()))?;
        let passed_on = Shareable::decode(&reply.headers, tensors);
        Ok(passed_on.map_err(|error| damaged(error.to_string()))?)
    }

    /// Answers an operation from the journal.
    fn answer(
        &mut self,
        key: &Key,
        spec: &OperationSpec,
        digest: &SpecDigest,
        record: Arc<Record>,
        interest: Interest,
    ) -> Result<(OperationId, Key), Error> {
        if let Some(part) = record.digest.difference(digest) {
            return Err(Error::Differs { key: key.clone(), part });
        }
        let kept = |hash: Hash| self.blobs().get(hash).is_ok();
        let is_kept = match &record.result {
            Ok(Gathered::Aggregate { tensors }) => kept(*tensors),
            Ok(Gathered::Concluded { value }) => kept(*value),
            Ok(Gathered::Replies) => record.replies().all(|(_, reply)| kept(reply.tensors)),
            Err(_) => true,
        };
        if !is_kept {
            return Err(Error::Pruned { key: key.clone() });
        }
        let operation = record.operation;
        let selected: Vec<Rank> = record.ends.iter().map(|end| end.rank).collect();
        let spec = spec.clone();
        let (digest, interest) = (digest.clone(), interest);
        let mut gathering = self.prepare(operation, key, spec, digest, &selected, interest)?;
        replay(&mut gathering, &record, &self.run.roster);
        self.gatherings.insert(operation, gathering);
        Ok((operation, key.clone()))
    }

    pub(super) fn check_alive(&self) -> Result<(), Error> {
        match self.stopped.as_ref().or(self.ledger.broken()) {
            Some(error) => Err(error.clone()),
            None => Ok(()),
        }
    }

    fn check_alone(&self, key: &Key) -> Result<(), Error> {
        let unlabelled = |key: &Key| matches!(key, Key::Ordinal(_));
        let in_flight = self
            .gatherings
            .values()
            .find(|open| !open.over && (unlabelled(key) || unlabelled(&open.key)));
        match in_flight {
            Some(open) => Err(Error::NeedsLabels { key: key.clone(), other: open.key.clone() }),
            None => Ok(()),
        }
    }

    /// An operation writes its clients' states until its release, when they become the heads.
    fn check_state(&self, key: &Key, spec: &OperationSpec, selected: &[Rank]) -> Result<(), Error> {
        if spec.task.state != StateAccess::Write {
            return Ok(());
        }
        let writing =
            self.gatherings.values().filter(|open| open.spec.task.state == StateAccess::Write);
        for open in writing {
            if let Some(rank) = selected.iter().find(|rank| open.selected.contains(rank)) {
                let client = self.run.roster.name(*rank).to_string();
                return Err(Error::StateConflict {
                    key: key.clone(),
                    other: open.key.clone(),
                    client,
                });
            }
        }
        Ok(())
    }
}

/// Tells the events of a journaled operation again, in the order of its ends.
fn replay(gathering: &mut Gathering, record: &Arc<Record>, roster: &Roster) {
    let (operation, replayed) = (record.operation, true);
    gathering.tell_start(operation, replayed);
    for end in &record.ends {
        match &end.end {
            End::Counted(_) if gathering.interest.has(Kind::Reply) => {
                let client = roster.name(end.rank);
                gathering.tell(Event { replayed, what: What::Reply { operation, client } });
            }
            End::Counted(_) => {}
            End::Failed(cause) => {
                tell_failure(gathering, operation, end.rank, cause, roster, replayed);
            }
        }
    }
    gathering.tell_end(Arc::clone(record), replayed);
}
