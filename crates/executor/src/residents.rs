//! The executors that a worker keeps between tasks.

use flare_core::executor::Executor;
use flare_core::names::{Name, Rank};

use crate::panics::caught;

/// One client's executor, set up.
pub(crate) struct Resident {
    pub(crate) rank: Rank,
    pub(crate) client: Name,
    pub(crate) executor: Box<dyn Executor>,
}

/// At most so many clients' executors, in the order of their last use.
pub(crate) struct Residents {
    limit: usize,
    kept: Vec<Resident>,
}

impl Residents {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, kept: Vec::new() }
    }

    /// Takes a client's executor out for a task.
    pub(crate) fn take(&mut self, rank: Rank) -> Option<Resident> {
        let at = self.kept.iter().position(|resident| resident.rank == rank)?;
        Some(self.kept.remove(at))
    }

    /// The name of a client whose executor is kept.
    pub(crate) fn name(&self, rank: Rank) -> Option<Name> {
        let kept = self.kept.iter().find(|resident| resident.rank == rank);
        kept.map(|resident| resident.client.clone())
    }

    /// Makes room for one more: what was used longest ago goes.
    pub(crate) fn make_room(&mut self) {
        while self.kept.len() >= self.limit {
            tear_down(self.kept.remove(0));
        }
    }

    /// Keeps an executor after its task.
    pub(crate) fn keep(&mut self, resident: Resident) {
        self.make_room();
        self.kept.push(resident);
    }
}

impl Drop for Residents {
    fn drop(&mut self) {
        self.kept.drain(..).for_each(tear_down);
    }
}

fn tear_down(resident: Resident) {
    let Resident { client, mut executor, .. } = resident;
    if let Err(panic) = caught(|| executor.teardown()) {
        tracing::warn!(%client, %panic, "a learner panicked in its teardown");
    }
    discard(&client, executor);
}

/// Drops an executor that is of no use any more, whatever its `Drop` does.
pub(crate) fn discard(client: &Name, executor: Box<dyn Executor>) {
    if let Err(panic) = caught(|| drop(executor)) {
        tracing::warn!(%client, %panic, "a learner panicked when it was dropped");
    }
}
