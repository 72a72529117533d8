//! Carrying a run out: the controller, the comparisons, and what is left in the folder.

use std::error::Error as StdError;
use std::sync::{Arc, Mutex};

use flare_core::controller::{self, Finished};
use flare_core::executor::Cancel;
use flare_core::federation::{self, Federation};
use flare_core::journal::{self, Entry};
use flare_core::names::{Name, Rank, Roster};
use flare_core::operation::Key;
use flare_core::operations::{self, Operations};
use flare_executor::Threads;

use super::baseline::Bench;
use super::keeping::Keeping;
use super::prepare::Run;
use super::rows::Rows;
use super::summary::{Ended, Measured};
use super::watch::Watch;
use super::{
    Error, History, Interrupt, MODEL_FILE, Observer, Phase, RECEIPT_FILE, REPORT_FILE, Receipt,
    Summary, UnitChange, folder, receipt,
};
use crate::report::{self, Report};
use crate::session::{self, Session};

impl Run {
    /// Carries the run out, or goes on with it. Blocks until it ends.
    ///
    /// # Errors
    /// See [`Error`]; whatever ended it, what is finished is kept in the folder.
    pub fn execute(
        mut self,
        observer: Arc<dyn Observer>,
        interrupt: &Interrupt,
    ) -> Result<Summary, Error> {
        let session = self.open()?;
        let watch = Arc::new(self.watch(&session, observer)?);
        let operations: Arc<dyn Operations> = Arc::clone(&watch.keeping) as _;
        let federation = Federation::new(operations).with_model(self.model.clone());
        watch.listen(&federation);
        watch.observer.opened(federation.roster(), self.is_resumed());
        watch.phase(Phase::Federation);
        let ended = {
            let (runtime, kept) = (Arc::downgrade(&session.runtime), Arc::clone(&watch));
            let _guard = interrupt.on_set(move || {
                if let Some(runtime) = runtime.upgrade() {
                    runtime.interrupt();
                }
                kept.leave_page();
            });
            let run = async {
                watch.keeping.catch_up(&self.place.past).await?;
                to_the_end(&mut *self.controller, &federation).await
            };
            futures::executor::block_on(run)
                .map_err(|error| self.ended_badly(error, &watch, &session, interrupt))
        };
        let leave = |error: &Error| {
            // Another run's folder keeps the page that it has.
            if !matches!(error, Error::Folder { .. }) {
                watch.leave_page();
            }
        };
        let (finished, cancelled) = ended.inspect_err(leave)?;
        let history = watch.history();
        let measured = self.measure(&finished, &history, &watch, interrupt).inspect_err(leave)?;
        watch.phase(Phase::Writing);
        let run = federation.run();
        let (changes, hash) = (self.unit_changes()?, finished.model.hash());
        let receipt = Receipt::new(run, changes, &self.files, !history.timed, hash);
        let so_far = watch.so_far();
        let ended = Ended { finished, cancelled, history, measured, receipt, so_far };
        let summary = Summary::new(ended);
        self.write(&summary)?;
        Ok(summary)
    }

    fn open(&mut self) -> Result<Session, Error> {
        let opened = Session::open(
            self.run.clone(),
            self.pool.clone(),
            self.faults.take(),
            self.place.home.clone(),
            self.runtime.clone(),
        );
        opened.map_err(|error| match error {
            session::Error::Operations(operations::Error::Journal(error)) => self.disk(error),
            session::Error::Operations(error) => Error::Folder { fault: error.to_string() },
            session::Error::Threads(error) => {
                Error::Failed { fault: format!("starting threads: {error}"), out: self.out.clone() }
            }
        })
    }

    fn watch(&self, session: &Session, observer: Arc<dyn Observer>) -> Result<Watch, Error> {
        let roster = &self.run.roster;
        let mut history = History::default();
        for record in journal::answered(&self.place.past) {
            history.take(record, roster.held_out());
        }
        let rows = match &self.place.folder {
            None => None,
            Some(folder) => {
                let rows = Rows::open(folder, &self.place.past, roster);
                Some(rows.map_err(|error| self.disk(error))?)
            }
        };
        let inner: Arc<dyn Operations> = Arc::clone(&session.runtime) as _;
        let folder = self.place.folder.clone();
        let operations = Arc::clone(&inner);
        Ok(Watch {
            observer,
            run: self.run.clone(),
            folder: folder.clone(),
            calls: self.counting.calls(),
            begin: operations.now(),
            operations,
            keeping: Arc::new(Keeping::new(inner, folder)),
            kept: Mutex::new((history, rows)),
        })
    }

    /// What the federation's model and its comparisons measure.
    fn measure(
        &self,
        finished: &Finished,
        history: &History,
        watch: &Arc<Watch>,
        interrupt: &Interrupt,
    ) -> Result<Measured, Error> {
        let of_controller = finished.metrics.get("accuracy").map(|mean| mean.value);
        let mut measured = Measured { accuracy: of_controller, ..Measured::default() };
        let rounds = history.trained();
        let Some(dealt) = self.dealt.as_deref().filter(|_| rounds > 0) else { return Ok(measured) };
        let cancel = Cancel::default();
        let (hook, kept) = (cancel.clone(), Arc::clone(watch));
        let _guard = interrupt.on_set(move || {
            hook.set();
            // A learner that does not look may not come back before the program ends.
            kept.leave_page();
        });
        let bench = Bench {
            unit: &*self.unit,
            dealt,
            seed: self.run.seed,
            model: &self.model,
            rounds,
            threads: Threads::new(self.pool.workers),
            cancel: &cancel,
        };
        if !dealt.held_out().is_empty() {
            measured.accuracy = bench.accuracy(&finished.model).unwrap_or(None).or(of_controller);
        }
        if self.job.report.central {
            watch.phase(Phase::Central { done: 0, of: rounds });
            let tick = |done| watch.phase(Phase::Central { done, of: rounds });
            measured.central = measured.found("central", bench.central(&tick));
        }
        if self.job.report.alone {
            let of = dealt.parts().len() as u64;
            watch.phase(Phase::Alone { done: 0, of });
            let roster = &self.run.roster;
            let names = |index| name(roster, index);
            let tick = |done| watch.phase(Phase::Alone { done, of });
            measured.alone = measured.found("alone", bench.alone(&names, &tick));
        }
        if interrupt.is_set() {
            return Err(Error::Interrupted { out: self.out.clone() });
        }
        Ok(measured)
    }

    /// The journal is read again only if the run was begun with, or ever changed to, other units than these.
    fn unit_changes(&self) -> Result<Vec<UnitChange>, Error> {
        let changed =
            |entry: &Entry| matches!(entry, Entry::Run(run) if run.units != self.run.units);
        if !self.place.past.iter().any(changed) {
            return Ok(Vec::new());
        }
        let entries = self.place.home.journal.entries().map_err(|error| self.disk(error))?;
        Ok(receipt::unit_changes(&entries))
    }

    fn write(&self, summary: &Summary) -> Result<(), Error> {
        let Some(folder) = &self.place.folder else { return Ok(()) };
        let mut receipt = serde_json::to_string_pretty(&summary.receipt)
            .expect("plain data with text keys always becomes JSON");
        receipt.push('\n');
        let report = report::render(&Report::of(summary));
        let files = [
            (MODEL_FILE, &summary.model.encoded()[..]),
            (RECEIPT_FILE, receipt.as_bytes()),
            (REPORT_FILE, report.as_bytes()),
        ];
        let written = files.into_iter().try_for_each(|(name, bytes)| folder.export(name, bytes));
        written.map_err(|error| self.disk(error))
    }

    fn disk(&self, error: journal::Error) -> Error {
        match &self.out {
            Some(out) => folder::fault(error, out),
            None => Error::Disk { source: error, out: None },
        }
    }

    /// The error of a controller, as what a user can do about it.
    fn ended_badly(
        &self,
        error: controller::Error,
        watch: &Watch,
        session: &Session,
        interrupt: &Interrupt,
    ) -> Error {
        if let Some(broken) = watch.keeping.broken() {
            return self.disk(broken);
        }
        let out = self.out.clone();
        if interrupt.is_set() {
            return Error::Interrupted { out };
        }
        if let Some(fault) = session.failure() {
            return Error::Failed { fault, out };
        }
        match other_run(&*error) {
            Some(fault) => Error::Folder { fault },
            None => Error::Failed { fault: error.to_string(), out },
        }
    }
}

fn name(roster: &Roster, index: usize) -> Name {
    roster.name(Rank(u32::try_from(index).unwrap_or(u32::MAX)))
}

async fn to_the_end(
    controller: &mut dyn controller::Controller,
    federation: &Federation,
) -> Result<(Finished, Vec<Key>), controller::Error> {
    let finished = controller.run(federation).await;
    let cancelled = match &finished {
        Ok(_) => federation.close().await?,
        // The run is not over: what is in flight is run again when it is gone on with.
        Err(_) => Vec::new(),
    };
    Ok((finished?, cancelled))
}

/// What an error says of a journal that is another run's, if it does.
fn other_run(error: &(dyn StdError + 'static)) -> Option<String> {
    let mut next = Some(error);
    while let Some(error) = next {
        let inner = match error.downcast_ref() {
            Some(federation::Error::Operations(inner)) => Some(inner),
            _ => error.downcast_ref::<operations::Error>(),
        };
        if let Some(
            inner @ (operations::Error::Differs { .. }
            | operations::Error::OtherRun { .. }
            | operations::Error::OtherUnits { .. }
            | operations::Error::Pruned { .. }),
        ) = inner
        {
            return Some(inner.to_string());
        }
        next = error.source();
    }
    None
}
