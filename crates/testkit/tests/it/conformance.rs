//! The simulated world through the same suites as the real one: else it would prove only itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use flare_core::clock::Timestamp;
use flare_core::executor::Task;
use flare_core::journal::{self as memory, Run, RunId};
use flare_core::names::{Name, Rank, Roster};
use flare_core::operation::OperationId;
use flare_core::operations::Operations;
use flare_core::runtime::{Home, Options, Runtime};
use flare_core::transport::{Assignment, Event, FetchError, TaskId, Transport};
use flare_testkit::conformance::operations::{self, CLIENTS, Rig};
use flare_testkit::conformance::stage::{self, Stage};
use flare_testkit::conformance::store::{Fresh, Place};
use flare_testkit::conformance::{blobs, journal, states, transport};
use flare_testkit::sim::log::Log;
use flare_testkit::sim::{Setup, Sim, SimBlobs, SimJournal, SimStates, SimTransport};
use futures::stream::BoxStream;

/// A simulation that a thread drives: the suite's executors block, and its tests wait.
struct Driven {
    transport: Arc<SimTransport>,
    driver: std::thread::Thread,
    ended: Arc<AtomicBool>,
}

impl Driven {
    fn new(setup: stage::Setup) -> Self {
        let mut simulated = Setup::new(setup.roster, setup.unit);
        simulated.states = setup.states;
        simulated.reply_out = setup.reply_out;
        simulated.inline = true;
        simulated.strict = false;
        (simulated.delay, simulated.work) = (Duration::ZERO, Duration::ZERO);
        let sim = Sim::new(simulated);
        let transport = sim.transport();
        let ended = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&ended);
        let driver = std::thread::spawn(move || {
            while !over.load(Ordering::SeqCst) {
                if !sim.step(Timestamp(u64::MAX)) {
                    std::thread::park();
                }
            }
        });
        Self { transport, driver: driver.thread().clone(), ended }
    }
}

impl Drop for Driven {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        self.driver.unpark();
    }
}

#[async_trait]
impl Transport for Driven {
    fn present(&self) -> Vec<Rank> {
        self.transport.present()
    }

    fn dispatch(&self, task: &Arc<Task>, to: &[Assignment]) {
        self.transport.dispatch(task, to);
        self.driver.unpark();
    }

    fn cancel(&self, operation: OperationId, ranks: &[Rank]) {
        self.transport.cancel(operation, ranks);
        self.driver.unpark();
    }

    async fn fetch(&self, task: TaskId, range: std::ops::Range<u64>) -> Result<Bytes, FetchError> {
        self.transport.fetch(task, range).await
    }

    fn let_go(&self, task: TaskId) {
        self.transport.let_go(task);
        self.driver.unpark();
    }

    fn settle(&self, operation: OperationId) -> Result<(), memory::Error> {
        self.transport.settle(operation)
    }

    fn release(&self, operation: OperationId, counted: &[Rank]) {
        self.transport.release(operation, counted);
        self.driver.unpark();
    }

    fn events(&self) -> BoxStream<'static, Vec<Event>> {
        self.transport.events()
    }
}

macro_rules! conform {
    ($suite:ident, $under_test:expr, $($test:ident)*) => {$(
        #[test]
        fn $test() {
            $suite::$test($under_test);
        }
    )*};
}

conform! { transport, &|setup| Arc::new(Driven::new(setup)),
    t1_every_assignment_ends
    t2_a_task_dispatched_twice_is_executed_once
    t3_a_reply_is_held_until_it_is_let_go
    t4_a_range_gives_exactly_those_bytes
    t5_a_cancelled_task_is_told_or_does_not_start
    t6_release_moves_the_heads_of_those_who_count
    t7_nothing_is_announced_after_release
    t8_a_state_that_is_not_there_is_lost_and_not_empty
    t9_what_a_filter_stops_never_leaves_the_client
    t10_after_settle_the_states_of_announced_replies_are_durable
    t11_events_of_a_task_come_in_their_order
}

/// The same store each time that it is opened.
fn kept<T: ?Sized + 'static>(store: Arc<T>) -> Place<T> {
    Box::new(move || Arc::clone(&store))
}

fn a_journal() -> Fresh<'static, dyn memory::Journal> {
    &|| kept(Arc::new(SimJournal::new(Log::default())) as _)
}

fn some_blobs() -> Fresh<'static, dyn memory::BlobStore> {
    &|| kept(Arc::new(SimBlobs::default()) as _)
}

fn some_states() -> Fresh<'static, dyn memory::StateStore> {
    &|| kept(Arc::new(SimStates::default()) as _)
}

conform! { journal, a_journal(),
    j1_what_was_appended_is_kept_in_order
    j3_later_processes_go_on_where_others_stopped
    j4_a_synced_commit_makes_those_before_it_durable
}

#[test]
fn j5_only_ended_operations_before_a_checkpoint_are_forgotten() {
    let keeps = journal::Keeps::All;
    journal::j5_only_ended_operations_before_a_checkpoint_are_forgotten(a_journal(), keeps);
}

conform! { blobs, some_blobs(),
    b1_a_blob_is_there_until_it_is_left_out
    b2_the_bytes_that_were_put_come_back
    b3_bytes_handed_out_outlive_the_blob
}

conform! { states, some_states(),
    v1_versions_stand_side_by_side
    v2_what_was_settled_is_there_later
    v3_what_was_not_put_is_missing_by_name
    v4_a_release_drops_what_does_not_count
    v4_random_rounds_leave_what_a_plain_map_has
}

/// Plays a test of the suite over a runtime in the simulation.
fn simulated(test: impl Fn(&Rig<'_>)) {
    for schedule in 0..20 {
        let stage = Arc::new(Stage::default());
        let roster = Roster::counted(CLIENTS).unwrap();
        let mut setup = Setup::new(roster.clone(), stage.unit());
        setup.schedule = schedule;
        let sim = Sim::new(setup);
        let open = |home: Home| {
            // What an earlier process left over is gone with it.
            sim.kill_runtime();
            let run = Run {
                id: RunId(1),
                job: Name::new("job").unwrap(),
                job_hash: flare_core::Hash::of([]),
                seed: 0,
                roster: roster.clone(),
                units: Vec::new(),
            };
            let made = Runtime::open(run, sim.transport(), home, sim.seams(), Options::default());
            Ok(made? as Arc<dyn Operations>)
        };
        test(&Rig { open: &open, run: &|future| sim.run(future), stage });
    }
}

macro_rules! over_the_simulation {
    ($($test:ident)*) => {$(
        #[test]
        fn $test() {
            simulated(operations::$test);
        }
    )*};
}

over_the_simulation! {
    o1_a_known_operation_is_answered_from_the_journal
    o2_an_operation_and_each_client_end_once
    o3_what_is_told_is_durable
    o5_events_come_from_the_beginning_however_late
    o7_cancel_ends_an_operation_or_comes_too_late
    o8_a_value_is_made_once
    o9_a_checkpoint_is_found_by_the_next_process
    o10_a_journal_that_fails_ends_the_run
}
