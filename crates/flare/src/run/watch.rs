//! Everything that watches a run: the observer, the history, the rows, and the page of what is finished.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use flare_core::event::{Event, Kind, What};
use flare_core::executor;
use flare_core::federation::Federation;
use flare_core::journal;
use flare_core::operations::Operations;
use flare_store::Folder;

use super::keeping::Keeping;
use super::rows::Rows;
use super::{History, Observer, Phase, REPORT_FILE, SoFar};
use crate::report::{self, Report};

const KINDS: [Kind; 11] = [
    Kind::Reply,
    Kind::Failure,
    Kind::Progress,
    Kind::Stalled,
    Kind::Joined,
    Kind::Left,
    Kind::Back,
    Kind::OperationStarted,
    Kind::OperationEnded,
    Kind::RoundStarted,
    Kind::RoundEnded,
];

/// What hears of a run, and knows at any time what is finished of it.
pub(super) struct Watch {
    pub(super) observer: Arc<dyn Observer>,
    pub(super) run: journal::Run,
    pub(super) folder: Option<Arc<Folder>>,
    pub(super) calls: Arc<AtomicU64>,
    pub(super) begin: flare_core::clock::Timestamp,
    pub(super) operations: Arc<dyn Operations>,
    pub(super) keeping: Arc<Keeping>,
    pub(super) kept: Mutex<(History, Option<Rows>)>,
}

impl Watch {
    /// Hears what happens in the federation from now on.
    pub(super) fn listen(self: &Arc<Self>, federation: &Federation) {
        let interest = self.observer.interest();
        for kind in KINDS {
            if kind == Kind::OperationEnded {
                let watch = Arc::clone(self);
                federation.on(kind, move |event| watch.ended(event));
            }
            if interest.has(kind) {
                let watch = Arc::clone(self);
                federation.on(kind, move |event| {
                    watch.observer.event(event, &watch.so_far());
                    Ok(())
                });
            }
        }
    }

    /// An operation of an earlier process is in the history and in the files already.
    fn ended(&self, event: &Event) -> Result<(), executor::Error> {
        let What::OperationEnded { record } = &event.what else { return Ok(()) };
        if event.replayed {
            return Ok(());
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.0.take(record, self.run.roster.held_out());
        let Some(rows) = &mut kept.1 else { return Ok(()) };
        rows.add(record).map_err(|error| {
            self.keeping.note(&error);
            error.into()
        })
    }

    /// Tells the observer what the run is busy with.
    pub(super) fn phase(&self, phase: Phase) {
        self.observer.phase(phase, &self.so_far());
    }

    /// Where the run stands.
    pub(super) fn so_far(&self) -> SoFar {
        SoFar {
            trained: self.calls.load(Ordering::Relaxed),
            elapsed: self.operations.now().since(self.begin),
        }
    }

    /// What happened up to now.
    pub(super) fn history(&self) -> History {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    /// Leaves the page of the rounds that are finished, of a run that is not.
    pub(super) fn leave_page(&self) {
        let Some(folder) = &self.folder else { return };
        let page = report::render(&Report::unfinished(&self.run, &self.history()));
        if let Err(fault) = folder.export(REPORT_FILE, page.as_bytes()) {
            // Whatever ends the run is what is told.
            tracing::warn!(%fault, "the page of an unfinished run cannot be written");
        }
    }
}
