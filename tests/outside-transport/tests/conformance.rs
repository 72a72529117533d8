//! The outside transport passes the suite that Flare's own transports pass.

use std::sync::Arc;

use flare_testkit::conformance::transport;
use outside_transport::{Clients, OneThread};

macro_rules! conforms {
    ($($test:ident)*) => {$(
        #[test]
        fn $test() {
            transport::$test(&|setup| {
                let (roster, unit) = (setup.roster, setup.unit);
                let (states, reply_out) = (setup.states, setup.reply_out);
                Arc::new(OneThread::new(Clients { roster, unit, states, reply_out }))
            });
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
