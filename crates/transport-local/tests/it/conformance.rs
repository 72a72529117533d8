//! The local transport passes the suite, whatever the number of its workers.

use std::num::NonZeroUsize;
use std::sync::Arc;

use flare_core::journal::{Run, RunId, StateStore};
use flare_core::memory::MemoryStates;
use flare_core::names::{Name, Roster};
use flare_core::operations::Operations;
use flare_core::runtime::{Options, Runtime};
use flare_core::transport::Transport;
use flare_executor::PoolOptions;
use flare_testkit::conformance::operations::{self, CLIENTS, Rig};
use flare_testkit::conformance::threads;
use flare_transport_local::LocalTransport;
use futures::future::LocalBoxFuture;

use flare_testkit::conformance::stage::{Setup, Stage};
use flare_testkit::conformance::transport::{self as suite, Make};

/// The options for a pool of `workers` that keeps few executors.
pub(crate) fn options(setup: Setup, workers: usize) -> PoolOptions {
    let mut options = PoolOptions::new(setup.roster, 0, setup.unit);
    options.workers = NonZeroUsize::new(workers).unwrap();
    options.states = setup.states;
    options.reply_out = setup.reply_out;
    options
}

fn with_workers(test: impl Fn(Make<'_>)) {
    for workers in [1, 2, 7] {
        test(&|setup| -> Arc<dyn Transport> {
            Arc::new(LocalTransport::new(options(setup, workers)).unwrap())
        });
    }
}

macro_rules! conforms {
    ($($test:ident)*) => {$(
        #[test]
        fn $test() {
            with_workers(suite::$test);
        }
    )*};
}

conforms! {
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

/// Plays a test of the suite of operations over a runtime with this transport.
fn over_threads(test: impl Fn(&Rig<'_>)) {
    let stage = Arc::new(Stage::default());
    let roster = Roster::counted(CLIENTS).unwrap();
    let states: Arc<dyn StateStore> = Arc::new(MemoryStates::default());
    let open = |home| {
        let run = Run {
            id: RunId(1),
            job: Name::new("job").unwrap(),
            job_hash: flare_core::Hash::of([]),
            seed: 0,
            roster: roster.clone(),
            units: Vec::new(),
        };
        let (unit, states) = (stage.unit(), Arc::clone(&states));
        let setup = Setup { roster: roster.clone(), unit, states, reply_out: Arc::new([]) };
        let transport = Arc::new(LocalTransport::new(options(setup, 2)).unwrap());
        let made = Runtime::open(run, transport, home, threads::seams(), Options::default());
        Ok(made? as Arc<dyn Operations>)
    };
    let run = |future: LocalBoxFuture<'_, ()>| futures::executor::block_on(future);
    test(&Rig { open: &open, run: &run, stage: Arc::clone(&stage) });
}

macro_rules! over_threads {
    ($($test:ident)*) => {$(
        #[test]
        fn $test() {
            over_threads(operations::$test);
        }
    )*};
}

over_threads! {
    o1_a_known_operation_is_answered_from_the_journal
    o2_an_operation_and_each_client_end_once
    o3_what_is_told_is_durable
    o5_events_come_from_the_beginning_however_late
    o7_cancel_ends_an_operation_or_comes_too_late
    o8_a_value_is_made_once
    o9_a_checkpoint_is_found_by_the_next_process
    o10_a_journal_that_fails_ends_the_run
}
