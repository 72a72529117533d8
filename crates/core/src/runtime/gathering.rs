//! What the runtime holds of one operation besides the machine's seats: replies on their way into the
//! result, and those who listen.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::aggregator::{Aggregator, Contribution, disagreement};
use crate::clock::Timestamp;
use crate::event::{Event, Interest, What};
use crate::executor::Task;
use crate::hash::Hash;
use crate::names::{Rank, Roster};
use crate::operation::{Gather, Key, OperationId, OperationSpec, SpecDigest};
use crate::operations::Error;
use crate::outcome::{ClientEnd, Failure, Gathered, Record, Weight};
use crate::pool::Pool;
use crate::shareable::Shareable;
use crate::sums::ScalarSum;
use crate::tensor::{Layout, Tensors};
use crate::transport::TaskId;

use super::check::Rules;
use super::engine::hold::wanted;
use super::machine::Verdict;
use super::metrics;
use super::replies::Replies;
use super::silence::Silence;
use super::told::Told;

/// Folds of fewer bytes than this are done at once; longer ones where blocking is allowed.
pub(super) const FOLD_AT_ONCE: usize = 256 * 1024;

/// A fold, or the last one with its finish, on its way through another thread.
pub(crate) struct Fold {
    pub(super) operation: OperationId,
    aggregator: Option<Box<dyn Aggregator>>,
    batch: Vec<(TaskId, Contribution)>,
    finishes: bool,
    /// Bytes that are gone through.
    pub(super) bytes: usize,
    result: Option<Result<Tensors, String>>,
    fault: Option<String>,
}

impl Fold {
    pub(crate) fn run(&mut self, pool: &dyn Pool) {
        let batch = self.batch.iter_mut().map(|(_, reply)| {
            let empty = Contribution { weight: reply.weight, tensors: Tensors::empty() };
            std::mem::replace(reply, empty)
        });
        let replies: Vec<Contribution> = batch.collect();
        if self.finishes {
            let finished =
                self.aggregator.take().map(|aggregator| aggregator.finish(&replies, pool));
            self.result = finished.map(|result| result.map_err(|error| error.to_string()));
        } else if let Some(aggregator) = &mut self.aggregator {
            self.fault = aggregator.fold(&replies, pool).err().map(|error| error.to_string());
        }
    }
}

/// One operation between its start and its release.
pub(super) struct Gathering {
    pub(super) key: Key,
    pub(super) spec: OperationSpec,
    pub(super) task: Arc<Task>,
    pub(super) digest: SpecDigest,
    pub(super) selected: Arc<[Rank]>,
    pub(super) rules: Arc<Rules>,
    pub(super) started: Timestamp,
    pub(super) interest: Interest,
    /// Whether an earlier process began it.
    pub(super) is_anew: bool,
    pub(super) replies: Replies,
    /// Tasks whose reply was told of and then came damaged or was lost: its next announcement is no second
    /// event (contract 14).
    pub(super) lost: BTreeSet<TaskId>,
    /// How many of the ends of its clients were gone through for failures to be told.
    pub(super) ends_told: usize,
    pub(super) aggregator: Option<Box<dyn Aggregator>>,
    pub(super) ready: Vec<(TaskId, Contribution)>,
    /// Bytes that its replies were thought to take of the hold.
    pub(super) thought_bytes: u64,
    /// Bytes of counted replies that are blobs now.
    pub(super) kept_bytes: u64,
    /// The limit that a reply went over.
    pub(super) over_limit: Option<String>,
    /// What each stop of a relay passes on.
    pub(super) passed_on: Option<Shareable>,
    pub(super) folding: bool,
    pub(super) verdict: Option<Verdict>,
    /// What the aggregator made of the counted replies.
    pub(super) finished: Option<Result<Tensors, String>>,
    /// Why a fold failed.
    pub(super) fault: Option<String>,
    pub(super) record: Option<Arc<Record>>,
    /// The first counted reply: all others must agree with it.
    first: Option<(Rank, Layout, Weight)>,
    pub(super) told: Told,
    /// Where somebody wants to hear of stalled clients.
    pub(super) silence: Option<Silence>,
    pub(super) over: bool,
}

impl Gathering {
    #[allow(clippy::too_many_arguments)]
    pub(super) fn new(
        key: Key,
        spec: OperationSpec,
        task: Arc<Task>,
        digest: SpecDigest,
        selected: Arc<[Rank]>,
        rules: Arc<Rules>,
        aggregator: Option<Box<dyn Aggregator>>,
        started: Timestamp,
        interest: Interest,
    ) -> Self {
        let (replies, bytes) = wanted(&spec, selected.len() as u64);
        let thought_bytes = replies.saturating_mul(bytes);
        let replies = Replies::with_room(selected.len());
        Self {
            key,
            spec,
            task,
            digest,
            selected,
            rules,
            started,
            interest,
            is_anew: false,
            replies,
            lost: BTreeSet::new(),
            ends_told: 0,
            aggregator,
            ready: Vec::new(),
            thought_bytes,
            kept_bytes: 0,
            over_limit: None,
            passed_on: None,
            folding: false,
            verdict: None,
            finished: None,
            fault: None,
            record: None,
            first: None,
            told: Told::default(),
            silence: None,
            over: false,
        }
    }

    /// Whether the replies are folded rather than kept.
    pub(super) fn folds(&self) -> bool {
        matches!(self.spec.gather, Gather::Aggregate(_))
    }

    /// Compares a counted reply with the first: kinds of weight, and what the tensors are where they are
    /// folded. The error names both sides.
    pub(super) fn agrees(
        &mut self,
        rank: Rank,
        tensors: &Tensors,
        weight: Weight,
        roster: &Roster,
    ) -> Result<(), String> {
        let Some((first, layout, first_weight)) = &self.first else {
            self.first = Some((rank, tensors.layout().clone(), weight));
            return Ok(());
        };
        let differs = self.folds().then(|| disagreement(layout, tensors.layout())).flatten();
        match differs.or_else(|| weight_disagreement(*first_weight, weight)) {
            Some(what) => {
                let (first, other) = (roster.name(*first), roster.name(rank));
                Err(format!("{first} and {other} do not agree: {what}"))
            }
            None => Ok(()),
        }
    }

    /// The next fold, if none is on its way: of all that is ready; with the finish, once it is decided.
    pub(super) fn next_fold(&mut self, operation: OperationId) -> Option<Fold> {
        let finishes = match &self.verdict {
            None => false,
            Some(Verdict::Closed { .. }) => self.fault.is_none(),
            Some(_) => return None,
        };
        let wanted = finishes || !self.ready.is_empty();
        if self.folding || !wanted {
            return None;
        }
        let aggregator = Some(self.aggregator.take()?);
        self.folding = true;
        let batch = std::mem::take(&mut self.ready);
        let inputs: usize = batch.iter().map(|(_, reply)| reply.tensors.encoded().len()).sum();
        let output = if finishes { self.rules.task.encoded().len() } else { 0 };
        let bytes = inputs + output;
        Some(Fold { operation, aggregator, batch, finishes, bytes, result: None, fault: None })
    }

    /// A fold came back: the tasks whose replies are in the sum now, or what went wrong.
    pub(super) fn folded(&mut self, fold: Fold) -> (Vec<TaskId>, Option<String>) {
        self.folding = false;
        self.aggregator = fold.aggregator;
        self.finished = fold.result;
        self.fault = self.fault.take().or_else(|| fold.fault.clone());
        (fold.batch.into_iter().map(|(task, _)| task).collect(), fold.fault)
    }

    /// Whether who counts is final, and nothing of the outcome is still being made.
    pub(super) fn is_due(&self) -> bool {
        let closed = matches!(self.verdict, Some(Verdict::Closed { .. }));
        let made = !self.folds() || self.finished.is_some() || self.fault.is_some();
        self.verdict.is_some() && !self.over && !self.folding && (made || !closed)
    }

    /// What is recorded of it, when `unit` carried it out and it took no time.
    pub(super) fn record_of(
        &self,
        operation: OperationId,
        unit: Hash,
        ends: Vec<ClientEnd>,
        result: Result<Gathered, Failure>,
    ) -> Record {
        Record {
            operation,
            key: self.key.clone(),
            round: self.spec.task.round,
            task: Arc::clone(&self.task.name),
            digest: self.digest.clone(),
            unit,
            timed: self.spec.is_timed(self.selected.len()),
            deadline_anew: self.is_anew && self.spec.policy.deadline.is_some(),
            ends,
            duration: Duration::ZERO,
            metrics: metrics::means(self.replies.counted()),
            total_weight: self.total_weight(),
            result,
        }
    }

    /// Total weight of the replies that count; 0 where their kinds of weight differ.
    pub(super) fn total_weight(&self) -> f64 {
        let mut sum = ScalarSum::new();
        let added = self.replies.counted().try_for_each(|reply| sum.add(reply.weight, 0.0));
        added.map_or(0.0, |()| sum.total())
    }

    /// Tells an event, until the operation is over, to those who listen now or later.
    pub(super) fn tell(&mut self, event: Event) {
        if self.over {
            return;
        }
        if !self.interest.has(event.kind()) && !matches!(event.what, What::OperationEnded { .. }) {
            return;
        }
        self.told.tell(event);
    }

    /// Ends every wait with an error.
    pub(super) fn fail(&mut self, error: &Error) {
        self.told.end(Err(error.clone()));
    }

    /// The first event.
    pub(super) fn tell_start(&mut self, operation: OperationId, replayed: bool) {
        let (key, selected) = (self.key.clone(), Arc::clone(&self.selected));
        self.tell(Event { replayed, what: What::OperationStarted { operation, key, selected } });
    }

    /// The last event: after it the streams end.
    pub(super) fn tell_end(&mut self, record: Arc<Record>, replayed: bool) {
        self.record = Some(Arc::clone(&record));
        self.tell(Event { replayed, what: What::OperationEnded { record } });
        self.over = true;
        self.silence = None;
        self.told.end(Ok(()));
    }

    /// Blobs that this operation still needs.
    pub(super) fn blobs(&self) -> impl Iterator<Item = Hash> + '_ {
        let kept = !self.folds();
        let recorded = self.record.iter().flat_map(|record| record.replies());
        let counted = self.replies.counted().chain(recorded.map(|(_, reply)| reply));
        counted.filter(move |_| kept).map(|reply| reply.tensors)
    }
}

fn weight_disagreement(a: Weight, b: Weight) -> Option<String> {
    let kind = |weight| match weight {
        Weight::Count(_) => "a count of examples",
        Weight::Real(_) => "a real number",
    };
    let (a, b) = (kind(a), kind(b));
    (a != b).then(|| format!("one weighs by {a}, the other by {b}"))
}
