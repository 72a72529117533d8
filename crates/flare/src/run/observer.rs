//! Watching a run: events as they happen, and what it is busy with.

use std::time::Duration;

use flare_core::event::{Event, Interest};
use flare_core::names::Roster;

/// Watches a run. Its calls come one after the other, on the controller's task: they should be short.
pub trait Observer: Send + Sync + 'static {
    /// The kinds of events that are wanted; what nobody wants to hear of costs nothing.
    fn interest(&self) -> Interest {
        Interest::ALL
    }

    /// The run opened: its clients, and whether it goes on with an earlier one.
    fn opened(&self, _roster: &Roster, _resumed: bool) {}

    /// Something happened in the federation.
    fn event(&self, _event: &Event, _so_far: &SoFar) {}

    /// The run is busy with something else from now on.
    fn phase(&self, _phase: Phase, _so_far: &SoFar) {}
}

/// Watches nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoObserver;

impl Observer for NoObserver {
    fn interest(&self) -> Interest {
        Interest::default()
    }
}

/// What a run is busy with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The controller runs.
    Federation,
    /// The same learner trains on the union of all data; how much of it is done.
    Central {
        /// Train calls done.
        done: u64,
        /// Train calls in all.
        of: u64,
    },
    /// Each client trains a model alone; how many are done.
    Alone {
        /// Clients done.
        done: u64,
        /// Clients in all.
        of: u64,
    },
    /// Results are written.
    Writing,
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct SoFar {
    /// Train calls of this process for the federation.
    pub trained: u64,
    /// Since the run began in this process.
    pub elapsed: Duration,
}
