//! What operations without aggregator may keep of their replies: O11.

use std::sync::Arc;

use flare_core::component::ComponentSpec;
use flare_core::event::Interest;
use flare_core::names::Rank;
use flare_core::operation::{Gather, OperationSpec, Targets};
use flare_core::operations::{Error, Operations};
use flare_core::outcome::Failure;

use super::super::stage::{floats, grown};
use super::{CLIENTS, Rig, carry_out, heard, home, record, roster, spec, start};

/// The bytes of one client's reply to a [`spec`], and of its task.
fn one() -> u64 {
    floats(3).encoded().len() as u64
}

/// Replies, bytes of each, bytes in use and limit, with which an operation is refused; none if it starts.
async fn refusal(operations: &dyn Operations, spec: OperationSpec) -> Option<[u64; 4]> {
    match operations.start(spec, Interest::ALL).await {
        Ok(_) => None,
        Err(Error::Hold { replies, bytes, in_use, limit, .. }) => {
            Some([replies, bytes, in_use, limit])
        }
        Err(error) => panic!("{error}"),
    }
}

/// An operation of the first `clients` clients.
fn of(clients: u32, label: &str) -> OperationSpec {
    let targets = (0..clients).map(|rank| roster().name(Rank(rank))).collect();
    OperationSpec { targets: Targets::Listed(targets), ..spec(label, "echo") }
}

/// O11: what fits exactly starts; one byte less, and it is refused, with the numbers, and nobody is asked.
pub fn o11_replies_that_would_not_fit_are_refused_at_the_start(rig: &Rig<'_>) {
    let (home, all) = (home().0, u64::from(CLIENTS) * one());
    (rig.run)(Box::pin(async move {
        let operations = rig.with_hold(&home, &Arc::default(), all).operations;
        let ended = carry_out(&*operations, spec("fits", "echo")).await;
        assert_eq!(ended.counted().len(), CLIENTS as usize, "{ended:?}");
        drop(operations);

        let operations = rig.with_hold(&home, &Arc::default(), all - 1).operations;
        let refused = refusal(&*operations, spec("does-not", "echo")).await;
        assert_eq!(refused, Some([u64::from(CLIENTS), one(), 0, all - 1]));
        // What is refused takes nothing, and what is folded takes nothing.
        carry_out(&*operations, of(CLIENTS - 1, "fewer")).await;
        let gather = Gather::Aggregate(ComponentSpec::plain("sum"));
        let mut folded = OperationSpec { gather, ..spec("folded", "echo") };
        folded.task.input = floats(1000).into();
        let ended = carry_out(&*operations, folded).await;
        assert!(ended.result.is_ok(), "{ended:?}");
        assert_eq!(rig.stage.executions(), 3 * CLIENTS as usize - 1, "of what was not refused");
    }));
}

/// O11: operations in flight share the hold.
pub fn o11_what_is_in_flight_takes_of_the_hold_until_it_ends(rig: &Rig<'_>) {
    let (home, post) = (home().0, Arc::default());
    let [all, limit] = [CLIENTS, CLIENTS + 1].map(|replies| u64::from(replies) * one());
    let operations = rig.with_hold(&home, &post, limit).operations;
    (rig.run)(Box::pin(async move {
        post.holds_back(Rank(CLIENTS - 1));
        let first = start(&*operations, spec("first", "echo")).await;
        let refused = refusal(&*operations, of(2, "second")).await;
        assert_eq!(refused, Some([2, one(), all, limit]));
        post.lets_out();
        // What was let out comes before what this client says.
        carry_out(&*operations, of(1, "third")).await;
        let ended = record(&heard(&*operations, first).await);
        assert_eq!(ended.counted().len(), CLIENTS as usize, "{ended:?}");
        // It is over, though not released.
        carry_out(&*operations, spec("fourth", "echo")).await;
        operations.release(first).await.unwrap();
    }));
}

/// O11: what could not be foreseen fails the one operation, by its kind, and the run goes on.
pub fn o11_replies_larger_than_their_task_fail_it_when_they_overfill_the_hold(rig: &Rig<'_>) {
    let grown = u64::from(CLIENTS) * grown(&floats(3)).encoded().len() as u64;
    let home = home().0;
    (rig.run)(Box::pin(async move {
        for (label, hold, fits) in [("fits", grown, true), ("does-not", grown - 1, false)] {
            let subject = rig.with_hold(&home, &Arc::default(), hold);
            let ended = carry_out(&*subject.operations, spec(label, "grow")).await;
            match &ended.result {
                Ok(_) => assert!(fits && ended.counted().len() == CLIENTS as usize, "{ended:?}"),
                Err(failure) => assert!(!fits && matches!(failure, Failure::Limit(_)), "{failure}"),
            }
            assert_eq!((subject.held)(), 0);
            let next = format!("after-what-{label}");
            let ended = carry_out(&*subject.operations, spec(&next, "echo")).await;
            assert_eq!(ended.counted().len(), CLIENTS as usize, "{ended:?}");
        }
    }));
}
