//! How an operation ends: outcome, record, and those who are told.

use std::sync::Arc;

use crate::event::{Event, Kind, What};
use crate::names::{Rank, Roster};
use crate::operation::OperationId;
use crate::operations::Error;
use crate::outcome::{Cause, ClientEnd, CountedReply, End, Failure, Gathered, Record};
use crate::transport::Transport;

use super::super::gathering::Gathering;
use super::super::machine::{Seat, Verdict};
use super::super::metrics;
use super::Engine;

impl Engine {
    pub(super) fn commit_what_is_due(&mut self, transport: &dyn Transport) {
        if self.stopped.is_some() {
            return;
        }
        let due: Vec<OperationId> =
            self.gatherings.iter().filter(|(_, open)| open.is_due()).map(|(id, _)| *id).collect();
        for operation in due {
            if let Err(error) = self.commit(operation, transport) {
                self.halt(&error);
                return;
            }
        }
    }

    /// Record, outcome, metrics, the state versions that count and the end are one commit (contract 3).
    fn commit(&mut self, operation: OperationId, transport: &dyn Transport) -> Result<(), Error> {
        let result = self.result(operation)?;
        let Some(record) = self.record(operation, result) else { return Ok(()) };
        let record = Arc::new(record);
        if record.replies().any(|(_, reply)| reply.wrote_state) {
            transport.settle(operation)?;
        }
        self.releases.extend(self.ledger.end(&record)?);
        self.tell_failures(operation);
        let Some(gathering) = self.gatherings.get_mut(&operation) else { return Ok(()) };
        gathering.tell_end(record, false);
        let unused = std::mem::take(&mut gathering.ready);
        unused.into_iter().for_each(|(task, _)| self.give_back(task));
        Ok(())
    }

    /// Tells which clients failed since this was done last, in the order in which they did.
    pub(super) fn tell_failures(&mut self, operation: OperationId) {
        let Some((seats, order)) = self.machine.seats(operation) else { return };
        let Some(gathering) = self.gatherings.get_mut(&operation) else { return };
        let fresh = &order[gathering.ends_told..];
        gathering.ends_told = order.len();
        for seat in fresh.iter().map(|at| &seats[*at as usize]) {
            if let Some(cause) = seat.cause() {
                tell_failure(gathering, operation, seat.rank, cause, &self.run.roster, false);
            }
        }
    }

    fn result(&mut self, operation: OperationId) -> Result<Result<Gathered, Failure>, Error> {
        let causes = self.causes(operation);
        let Some(gathering) = self.gatherings.get_mut(&operation) else {
            return Err(Error::Unknown { operation });
        };
        if let Some(failure) = failure(gathering, causes, &self.run.roster) {
            return Ok(Err(failure));
        }
        if let Some(fault) = metrics::opposed(gathering.replies.counted_by(), &self.run.roster) {
            return Ok(Err(Failure::Aggregate(fault)));
        }
        match gathering.finished.take() {
            None => Ok(Ok(Gathered::Replies)),
            Some(Err(fault)) => Ok(Err(Failure::Aggregate(fault))),
            Some(Ok(tensors)) => {
                self.ledger.put(tensors.hash(), tensors.encoded())?;
                Ok(Ok(Gathered::Aggregate { tensors: tensors.hash() }))
            }
        }
    }

    fn causes(&self, operation: OperationId) -> Vec<(String, Cause)> {
        let Some((seats, _)) = self.machine.seats(operation) else { return Vec::new() };
        let mut failed: Vec<(Rank, Cause)> =
            seats.iter().filter_map(|seat| Some((seat.rank, seat.cause()?.clone()))).collect();
        failed.sort_by_key(|(rank, _)| *rank);
        let named = |(rank, cause)| (self.run.roster.name(rank).to_string(), cause);
        failed.into_iter().map(named).collect()
    }

    /// How the stop of a relay that ended last did, as the record has it.
    pub(super) fn end_of_stop(&self, operation: OperationId, stop: u32) -> Option<ClientEnd> {
        let (seats, _) = self.machine.seats(operation)?;
        let seat = seats.get(stop as usize)?;
        let replies = &self.gatherings.get(&operation)?.replies;
        end_of(seat, || Some(replies.last_counted()?.1.clone()))
    }

    fn record(
        &mut self,
        operation: OperationId,
        result: Result<Gathered, Failure>,
    ) -> Option<Record> {
        let (seats, order) = self.machine.seats(operation)?;
        let gathering = self.gatherings.get_mut(&operation)?;
        let mut record = gathering.record_of(operation, self.unit, Vec::new(), result);
        record.duration = self.now.since(gathering.started);
        record.ends.reserve_exact(order.len());
        // They were counted in the order in which their seats ended.
        let mut counted = gathering.replies.take_counted().into_iter().peekable();
        record.ends.extend(order.iter().filter_map(|at| {
            let seat = &seats[*at as usize];
            end_of(seat, || Some(counted.next_if(|(rank, _)| *rank == seat.rank)?.1))
        }));
        Some(record)
    }

    /// Ends an operation as it ended in the run that is replayed, with nobody asked.
    pub(super) fn fail_again(
        &mut self,
        operation: OperationId,
        mut gathering: Gathering,
        failure: Failure,
    ) -> Result<(), Error> {
        let record = gathering.record_of(operation, self.unit, Vec::new(), Err(failure));
        let record = Arc::new(record);
        self.releases.extend(self.ledger.end(&record)?);
        gathering.tell_start(operation, false);
        gathering.tell_end(record, false);
        self.gatherings.insert(operation, gathering);
        Ok(())
    }
}

/// How a seat ended; `None` while it has not.
fn end_of(seat: &Seat, reply: impl FnOnce() -> Option<CountedReply>) -> Option<ClientEnd> {
    let end = match seat.cause() {
        Some(cause) => End::Failed(cause.clone()),
        None => End::Counted(reply()?),
    };
    Some(ClientEnd { rank: seat.rank, attempts: seat.attempts, after: seat.after, end })
}

/// What a verdict says to the controller, if it is a failure.
fn failure(
    gathering: &Gathering,
    causes: Vec<(String, Cause)>,
    roster: &Roster,
) -> Option<Failure> {
    if let Some(limit) = &gathering.over_limit {
        return Some(Failure::Limit(limit.clone()));
    }
    if let (Verdict::Closed { .. }, Some(fault)) = (gathering.verdict.as_ref()?, &gathering.fault) {
        return Some(Failure::Aggregate(fault.clone()));
    }
    let of = |rank: Rank| {
        let client = roster.name(rank).to_string();
        let cause = causes.iter().find(|(name, _)| *name == client).map(|(_, cause)| cause.clone());
        (client, cause.unwrap_or(Cause::NotReached))
    };
    match gathering.verdict.as_ref()? {
        Verdict::Closed { .. } => None,
        Verdict::Cancelled => Some(Failure::Cancelled),
        Verdict::Hopeless(fault) => Some(Failure::Aggregate(fault.clone())),
        Verdict::Client(rank) => {
            let (client, cause) = of(*rank);
            Some(Failure::Client { client, cause })
        }
        Verdict::Stop(stop) => {
            let (client, cause) = of(gathering.selected[*stop as usize]);
            Some(Failure::Stop { stop: *stop, client, cause })
        }
        Verdict::TooFew { needed } => {
            let counted = gathering.replies.counted().len() as u32;
            Some(Failure::TooFew { counted, needed: *needed, causes })
        }
    }
}

pub(super) fn tell_failure(
    gathering: &mut Gathering,
    operation: OperationId,
    rank: Rank,
    cause: &Cause,
    roster: &Roster,
    replayed: bool,
) {
    if gathering.interest.has(Kind::Failure) {
        let (client, cause) = (roster.name(rank), cause.clone());
        gathering.tell(Event { replayed, what: What::Failure { operation, client, cause } });
    }
}
