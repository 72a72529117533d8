//! What those who carry out operations owe: O1 to O14, each asked for by a test of one of these modules.

mod course;
mod hold;
mod kept;
mod replies;

pub use course::{
    o2_an_operation_and_each_client_end_once, o5_events_come_from_the_beginning_however_late,
    o7_cancel_ends_an_operation_or_comes_too_late,
    o12_a_task_starts_from_the_heads_at_the_start_of_its_operation,
};
pub use hold::{
    o11_replies_larger_than_their_task_fail_it_when_they_overfill_the_hold,
    o11_replies_that_would_not_fit_are_refused_at_the_start,
    o11_what_is_in_flight_takes_of_the_hold_until_it_ends,
};
pub use kept::{
    o1_a_known_operation_is_answered_from_the_journal, o3_what_is_told_is_durable,
    o8_a_value_is_made_once, o9_a_checkpoint_is_found_by_the_next_process,
    o10_a_journal_that_fails_ends_the_run, o14_who_was_taken_over_stops_and_writes_nothing,
};
pub use replies::{
    o4_late_replies_and_duplicates_are_counted_and_change_nothing,
    o6_after_release_the_client_side_is_free, o13_only_bytes_that_were_announced_count,
};

use std::sync::Arc;

use flare_core::event::{Event, Interest, What};
use flare_core::journal::{Run, RunId};
use flare_core::memory::MemoryBlobs;
use flare_core::names::{Name, Roster};
use flare_core::operation::{OperationId, OperationSpec, StateAccess, TaskSpec};
use flare_core::operations::{Error, Operations};
use flare_core::outcome::Record;
use flare_core::runtime::machine::Counters;
use flare_core::runtime::{HOLD_BYTES, Home, Options, Runtime, Seams};
use flare_core::transport::Transport;
use futures::StreamExt;
use futures::future::LocalBoxFuture;

use super::post::{Post, Posted};
use super::stage::{Stage, floats};
use crate::sim::SimJournal;
use crate::sim::log::Log;

/// How what is under test is made: for [`CLIENTS`] clients that play on `stage`.
pub struct Rig<'a> {
    /// Opens the run as a new process does.
    pub open: &'a dyn Fn(Opening) -> Result<Subject, Error>,
    /// Runs a future to its end.
    pub run: &'a dyn Fn(LocalBoxFuture<'_, ()>),
    /// What the clients do.
    pub stage: Arc<Stage>,
}

/// What a process opens a run with.
#[derive(Clone)]
pub struct Opening {
    /// The run's memory.
    pub home: Home,
    /// By way of this goes what its clients tell.
    pub post: Arc<Post>,
    /// How many bytes the hold takes ([`Options::hold_bytes`]).
    pub hold_bytes: u64,
}

/// What is tested, seen from all sides.
pub struct Subject {
    /// What a controller sees of it.
    pub operations: Arc<dyn Operations>,
    /// How many replies its clients hold.
    pub held: Box<dyn Fn() -> usize>,
    /// What it counted of replies that change nothing.
    pub counters: Box<dyn Fn() -> Counters>,
}

impl Subject {
    /// A runtime over a transport, of whose replies `held` knows how many there are.
    ///
    /// # Errors
    /// As [`Runtime::open`].
    pub fn over<T: Transport>(
        transport: Arc<T>,
        opening: Opening,
        seams: Seams,
        held: impl Fn(&T) -> usize + 'static,
    ) -> Result<Self, Error> {
        let run = Run {
            id: RunId(1),
            job: Name::new("job").unwrap(),
            job_hash: flare_core::Hash::of([]),
            seed: 0,
            roster: roster(),
            units: Vec::new(),
        };
        let Opening { home, post, hold_bytes } = opening;
        let posted = Arc::new(Posted::new(Arc::clone(&transport), post));
        let options = Options { hold_bytes, ..Options::default() };
        let runtime = Runtime::open(run, posted, home, seams, options)?;
        Ok(Self {
            operations: Arc::<Runtime<Posted<T>>>::clone(&runtime),
            held: Box::new(move || held(&transport)),
            counters: Box::new(move || runtime.counters()),
        })
    }
}

/// How many clients take part.
pub const CLIENTS: u32 = 3;

/// Their names.
pub fn roster() -> Roster {
    Roster::counted(CLIENTS).unwrap()
}

/// A run's memory, and the journal in it, which can be made to fail.
fn home() -> (Home, Arc<SimJournal>) {
    let journal = Arc::new(SimJournal::new(Log::default()));
    let blobs = Arc::new(MemoryBlobs::default());
    (Home { journal: Arc::<SimJournal>::clone(&journal), blobs, keep_checkpoints: 2 }, journal)
}

fn spec(label: &str, task: &str) -> OperationSpec {
    let task = TaskSpec {
        name: task.into(),
        input: floats(3).into(),
        state: match task {
            "append" => StateAccess::Write,
            "look" => StateAccess::Read,
            _ => StateAccess::None,
        },
        round: None,
    };
    let label = Some(Name::new(label).unwrap());
    OperationSpec { label, ..OperationSpec::broadcast(task) }
}

/// The events of an operation, to their end.
async fn heard(operations: &dyn Operations, operation: OperationId) -> Vec<Event> {
    operations.events(operation).map(|event| event.unwrap()).collect().await
}

fn record(events: &[Event]) -> Arc<Record> {
    match events.last().map(|event| &event.what) {
        Some(What::OperationEnded { record }) => Arc::clone(record),
        other => panic!("the last event is {other:?}"),
    }
}

async fn start(operations: &dyn Operations, spec: OperationSpec) -> OperationId {
    operations.start(spec, Interest::ALL).await.unwrap().0
}

/// Starts an operation, hears it to its end, and releases it.
async fn carry_out(operations: &dyn Operations, spec: OperationSpec) -> Arc<Record> {
    let operation = start(operations, spec).await;
    let record = record(&heard(operations, operation).await);
    operations.release(operation).await.unwrap();
    record
}

impl Rig<'_> {
    fn open(&self, home: &Home) -> Arc<dyn Operations> {
        self.by_post(home, &Arc::default()).operations
    }

    fn by_post(&self, home: &Home, post: &Arc<Post>) -> Subject {
        self.with_hold(home, post, HOLD_BYTES)
    }

    fn with_hold(&self, home: &Home, post: &Arc<Post>, hold_bytes: u64) -> Subject {
        let opening = Opening { home: home.clone(), post: Arc::clone(post), hold_bytes };
        (self.open)(opening).unwrap()
    }
}
