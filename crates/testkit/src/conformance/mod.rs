//! Suites of what an implementation of a contract owes, by obligation number.
//!
//! Each function is one test: it is given how to make what is under test, and panics where an obligation
//! is not met. Those who implement a contract declare them all as tests of their own by one line:
//! [`transport_conforms!`](crate::transport_conforms), [`operations_conform!`](crate::operations_conform),
//! [`journal_conforms!`](crate::journal_conforms), [`learner_conforms!`](crate::learner_conforms).
#![allow(clippy::unwrap_used, reason = "a suite fails by panicking, with the line at fault")]

pub mod blobs;
pub mod entries;
pub mod journal;
pub mod learner;
pub mod operations;
pub mod post;
pub mod stage;
pub mod states;
pub mod store;
pub mod threads;
pub mod transport;

/// Declares a test for each of these functions of a suite: each is called with it, and plays it.
#[doc(hidden)]
#[macro_export]
macro_rules! conforms {
    ($suite:ident, $play:expr, $($test:ident)*) => {$(
        #[test]
        fn $test() {
            ($play)($crate::conformance::$suite::$test);
        }
    )*};
}

/// Declares the suite of a transport: `play` is given each test, and calls it with how to make one.
#[macro_export]
macro_rules! transport_conforms {
    ($play:expr) => {
        $crate::conforms! { transport, $play,
            t1_every_assignment_ends
            t2_a_task_dispatched_twice_is_executed_once
            t2_what_is_held_answers_no_other_task
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
    };
}

/// Declares the suite of operations: `play` is given each test, and calls it with a
/// [`Rig`](operations::Rig).
#[macro_export]
macro_rules! operations_conform {
    ($play:expr) => {
        $crate::conforms! { operations, $play,
            o1_a_known_operation_is_answered_from_the_journal
            o2_an_operation_and_each_client_end_once
            o3_what_is_told_is_durable
            o4_late_replies_and_duplicates_are_counted_and_change_nothing
            o5_events_come_from_the_beginning_however_late
            o6_after_release_the_client_side_is_free
            o7_cancel_ends_an_operation_or_comes_too_late
            o8_a_value_is_made_once
            o9_a_checkpoint_is_found_by_the_next_process
            o10_a_journal_that_fails_ends_the_run
            o11_replies_that_would_not_fit_are_refused_at_the_start
            o11_what_is_in_flight_takes_of_the_hold_until_it_ends
            o11_replies_larger_than_their_task_fail_it_when_they_overfill_the_hold
            o12_a_task_starts_from_the_heads_at_the_start_of_its_operation
            o13_only_bytes_that_were_announced_count
            o14_who_was_taken_over_stops_and_writes_nothing
        }
    };
}

/// Declares the suite of a learner: `play` is given each test, and calls it with a
/// [`Subject`](learner::Subject).
#[macro_export]
macro_rules! learner_conforms {
    ($play:expr) => {
        $crate::conforms! { learner, $play,
            x1_an_attempt_is_a_function_of_task_seed_and_state
            x2_a_task_that_nobody_waits_for_ends_early
            e1_no_field_survives_from_one_setup_to_the_next
            e2_an_unknown_task_is_an_error_that_names_it
            e3_any_thread_may_call_it_one_at_a_time
            l1_training_starts_from_the_model_that_it_is_given
            l2_an_update_has_the_shapes_of_the_model
            l3_evaluation_changes_nothing
        }
    };
}

/// Declares the suite of a journal: how a fresh one is made, what it may forget, and what its crashes
/// leave.
#[macro_export]
macro_rules! journal_conforms {
    ($fresh:expr, $keeps:expr, $crash:expr) => {
        $crate::conforms! { journal, |test: fn($crate::conformance::store::Fresh<'_, dyn flare_core::journal::Journal>)| test(&$fresh),
            j1_what_was_appended_is_kept_in_order
            j3_later_processes_go_on_where_others_stopped
            j4_a_synced_commit_makes_those_before_it_durable
            j6_who_was_taken_over_appends_nothing
        }

        #[test]
        fn j2_a_commit_is_there_whole_or_not_at_all() {
            $crate::conformance::journal::j2_a_commit_is_there_whole_or_not_at_all(&$crash);
        }

        #[test]
        fn j5_only_ended_operations_before_a_checkpoint_are_forgotten() {
            $crate::conformance::journal::j5_only_ended_operations_before_a_checkpoint_are_forgotten(
                &$fresh, $keeps,
            );
        }
    };
}
