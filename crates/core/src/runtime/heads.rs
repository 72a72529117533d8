//! The heads of the clients' states, and the version from which each operation in flight starts.
//!
//! A version becomes the head at the release of its operation (contract 21), not at its end: what an
//! operation starts from then follows from the order of the controller's calls, whoever is faster. All
//! attempts of its tasks start from the heads as they were at its start. While one is in flight, the client
//! side is not told of a release with which its versions would go.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::journal::wrote;
use crate::names::Rank;
use crate::operation::OperationId;
use crate::outcome::Record;
use crate::transport::Transport;

/// Releases that the client side may be told of, each with those who count.
#[derive(Debug, Default)]
#[must_use = "what waited for its turn is never told if it is dropped"]
pub(super) struct Releases(pub(super) Vec<(OperationId, Vec<Rank>)>);

/// The head of each client's state, as operations in flight see it and as the next one will.
#[derive(Debug, Default)]
pub(super) struct Heads {
    heads: BTreeMap<Rank, OperationId>,
    in_flight: BTreeMap<OperationId, Pins>,
    /// Releases that the client side is not told of yet.
    waiting: BTreeMap<OperationId, Waiting>,
}

/// What an operation in flight holds on to.
#[derive(Debug)]
struct Pins {
    selected: Arc<[Rank]>,
    /// The heads at its start, of those that have moved since.
    before: BTreeMap<Rank, Option<OperationId>>,
}

#[derive(Debug)]
struct Waiting {
    counted: Vec<Rank>,
    wrote: Vec<Rank>,
}

impl Releases {
    pub(super) fn extend(&mut self, more: Self) {
        self.0.extend(more.0);
    }

    pub(super) fn tell(self, transport: &dyn Transport) {
        for (operation, counted) in self.0 {
            transport.release(operation, &counted);
        }
    }
}

impl Heads {
    /// An operation starts from the heads of now; one that an earlier process began, from those of then.
    pub(super) fn begin(&mut self, operation: OperationId, selected: Arc<[Rank]>) {
        let pins = Pins { selected, before: BTreeMap::new() };
        self.in_flight.entry(operation).or_insert(pins);
    }

    /// The version from which an operation's task starts at a client; `None` where it has no state.
    pub(super) fn version(&self, operation: OperationId, rank: Rank) -> Option<OperationId> {
        let pins = self.in_flight.get(&operation);
        let before = pins.and_then(|pins| pins.before.get(&rank));
        before.copied().unwrap_or_else(|| self.heads.get(&rank).copied())
    }

    /// No task of an operation is sent any more: which releases waited for that.
    pub(super) fn end(&mut self, operation: OperationId) -> Releases {
        self.in_flight.remove(&operation);
        self.told()
    }

    /// An operation is released, so that what it wrote becomes the heads: which releases the client side may
    /// be told of now.
    pub(super) fn release(&mut self, record: &Record, counted: Vec<Rank>) -> Releases {
        let wrote = wrote(record);
        self.advance(wrote.iter().map(|rank| (*rank, record.operation)));
        self.waiting.insert(record.operation, Waiting { counted, wrote });
        self.told()
    }

    /// These versions become the heads, where they are newer.
    pub(super) fn advance(&mut self, versions: impl IntoIterator<Item = (Rank, OperationId)>) {
        let mut before = BTreeMap::new();
        for (rank, version) in versions {
            let head = self.heads.get(&rank).copied();
            if head < Some(version) {
                self.heads.insert(rank, version);
                before.insert(rank, head);
            }
        }
        for pins in self.in_flight.values_mut() {
            for rank in pins.selected.iter() {
                if let Some(head) = before.get(rank) {
                    pins.before.entry(*rank).or_insert(*head);
                }
            }
        }
    }

    fn told(&mut self) -> Releases {
        let in_flight = &self.in_flight;
        let is_free = |operation: &OperationId, waiting: &mut Waiting| {
            !in_flight.values().any(|pins| pins.hold(*operation, &waiting.wrote))
        };
        let free = self.waiting.extract_if(.., is_free);
        Releases(free.map(|(operation, waiting)| (operation, waiting.counted)).collect())
    }
}

impl Pins {
    /// Whether a version is needed that goes when an operation which wrote these clients' states is released.
    fn hold(&self, operation: OperationId, wrote: &[Rank]) -> bool {
        let older = |rank| matches!(self.before.get(rank), Some(Some(head)) if *head < operation);
        !self.before.is_empty() && wrote.iter().any(older)
    }
}
