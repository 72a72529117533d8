//! A worker: takes up work, and carries out one client's attempt after the other.

use std::sync::Arc;

use flare_core::executor::Cancel;
use flare_core::outcome::Cause;

use crate::attempt::Attempt;
use crate::pool::{Handle, Output};
use crate::residents::Residents;
use crate::work::{Assigned, Work};

pub(crate) struct Worker {
    pool: Handle,
    seat: usize,
    residents: Residents,
}

impl Worker {
    pub(crate) fn new(pool: Handle, seat: usize) -> Self {
        let residents = Residents::new(pool.shared().options.residents.get());
        Self { pool, seat, residents }
    }

    /// Works until the pool ends; what it keeps is then torn down.
    pub(crate) fn run(mut self) {
        while let Some(work) = self.pool.shared().take_up(self.seat) {
            while let Some(assigned) = work.claim() {
                let Some(result) = self.carry_out(&work, assigned) else { continue };
                let sink = &self.pool.shared().sink;
                sink.finished(work.task(), assigned, result, &self.pool);
            }
        }
    }

    /// One attempt; `None` if nobody is to hear of it.
    fn carry_out(&mut self, work: &Arc<Work>, assigned: Assigned) -> Option<Result<Output, Cause>> {
        let cancel = self.pool.shared().begin(self.seat, assigned.rank);
        if work.is_dropped() {
            return None;
        }
        if work.is_cancelled(assigned.rank) {
            return Some(Err(Cause::Cancelled));
        }
        let result = self.execute(work, assigned, &cancel);
        (!work.is_dropped()).then_some(result)
    }

    fn execute(
        &mut self,
        work: &Work,
        assigned: Assigned,
        cancel: &Cancel,
    ) -> Result<Output, Cause> {
        let pool = self.pool.shared();
        let permit = match work.estimate() {
            0 => None,
            bytes => match pool.permits.take(bytes, || cancel.is_set()) {
                Some(permit) => Some(permit),
                None => return Err(Cause::Cancelled),
            },
        };
        let attempt = Attempt { pool, work, assigned, cancel };
        attempt.run(&mut self.residents, permit)
    }
}
