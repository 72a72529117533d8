//! Which clients were there, so that a client that comes for the first time is told as joined.

use std::collections::BTreeSet;

use crate::event::Kind;
use crate::names::Rank;

/// The clients that this process has seen.
#[derive(Debug, Default)]
pub(super) struct Presence {
    /// Those who were there when the run was opened, ascending.
    early: Vec<Rank>,
    /// Those who came later.
    later: BTreeSet<Rank>,
    /// Whether the early ones are to be told of yet: there was no operation whose events are heard.
    early_untold: bool,
    /// Who of the later ones is.
    untold: Vec<Rank>,
}

impl Presence {
    /// Of a run that goes on, those who are there now joined it before, and are not told again (contract 22).
    pub(super) fn new(mut early: Vec<Rank>, is_new: bool) -> Self {
        early.sort_unstable();
        early.dedup();
        Self { early, early_untold: is_new, ..Self::default() }
    }

    /// A client is there: whether it joined, or came back.
    pub(super) fn came(&mut self, rank: Rank) -> Kind {
        let is_early = self.early.binary_search(&rank).is_ok();
        if is_early || !self.later.insert(rank) {
            return Kind::Back;
        }
        self.untold.push(rank);
        Kind::Joined
    }

    /// Who joined and was not told of yet; whoever takes it tells it.
    pub(super) fn take_untold(&mut self) -> Vec<Rank> {
        let early = if std::mem::take(&mut self.early_untold) { &self.early[..] } else { &[] };
        let later = std::mem::take(&mut self.untold);
        early.iter().copied().chain(later).collect()
    }
}
