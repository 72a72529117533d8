//! Faults that random schedules found, each by the fewest ops that show it.

use flare_core::runtime::Limits;

use super::facts::{Course, Fact, Why};
use super::play::play;
use super::schedule::{Op, Policy};

fn limits(reply_window: u32, max_attempts: u32) -> Limits {
    Limits { reply_window, window_bytes: 0, max_attempts, max_fetches: 3 }
}

fn start(course: Course, clients: &[u32], policy: Policy) -> Op {
    Op::Start { course, clients: clients.to_vec(), policy }
}

fn announce(seat: u8) -> Op {
    Op::Announce { operation: 0, seat, bytes: 100, repeats: false }
}

/// A stop's reply answers what the stop before it gave: one that comes before its turn answers nothing.
#[test]
fn a_reply_of_a_stop_that_was_not_reached_is_let_go() {
    let relay = start(Course::RelaySkip, &[0, 1], Policy::default());
    let play = play(limits(1, 3), &[relay, announce(1)]);
    assert_eq!(play.view.late, 1);
}

/// Permits are for bytes in memory, and a client that goes takes none of them with it.
#[test]
fn a_fetch_keeps_its_permit_when_its_client_goes() {
    let broadcast = start(Course::Broadcast, &[0, 1], Policy { min: Some(1), ..Policy::default() });
    let ops = [broadcast, announce(0), announce(1), Op::Gone { client: 0 }];
    play(limits(1, 3), &ops);
}

/// A relay that had failed before the restart asks nobody else.
#[test]
fn a_relay_resumed_after_its_failed_stop_ends_at_once() {
    let (course, clients) = (Course::RelayEnd, vec![0, 1, 2]);
    play(limits(1, 3), &[Op::Resume { course, clients, kept: 2, failed: true }]);
}

/// What is held and cannot be fetched whole would be announced again, and again be lost, for ever.
#[test]
fn a_reply_that_cannot_be_fetched_is_let_go_before_it_is_asked_for_again() {
    let ops =
        [start(Course::Broadcast, &[0], Policy::default()), announce(0), Op::Lose { fetch: 0 }];
    play(limits(1, 3), &ops);
}

/// The reply was lost on the way and then at its client, too: its attempt failed after it was announced.
#[test]
fn an_attempt_may_fail_after_its_reply_was_announced() {
    let lose = Op::Lose { fetch: 0 };
    let lost = Op::Fail { operation: 0, seat: 0, why: Why::Surroundings, stale: true };
    let ops = [start(Course::Broadcast, &[0], Policy::default()), announce(0), lose, lost];
    let play = play(limits(1, 3), &ops);
    let again = play.history.iter().filter(|(_, fact)| matches!(fact, Fact::Fetching(_)));
    assert_eq!(again.count(), 2);
}

/// Nobody is asked only to be told in the same breath that nobody waits.
#[test]
fn a_relay_past_its_deadline_asks_nobody_else() {
    let policy = Policy { deadline: Some(10), ..Policy::default() };
    for (course, end) in [(Course::RelaySkip, Op::Arrive { fetch: 0 }), (Course::Send, fail())] {
        let wait = Op::Wait { millis: 20, prompt: false };
        let kept = Op::KeepStop { stop: 0 };
        let first = if course == Course::Send { Op::Gone { client: 7 } } else { announce(0) };
        play(limits(1, 3), &[start(course, &[0, 1], policy), first, wait, end, kept]);
    }
}

fn fail() -> Op {
    Op::Fail { operation: 0, seat: 0, why: Why::Learner, stale: false }
}
