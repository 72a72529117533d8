//! The local transport passes the suite, whatever the number of its workers.

use std::num::NonZeroUsize;
use std::sync::Arc;

use flare_core::transport::Transport;
use flare_executor::PoolOptions;
use flare_transport_local::LocalTransport;

use crate::stage::Setup;
use crate::suite::{self, Make};

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
