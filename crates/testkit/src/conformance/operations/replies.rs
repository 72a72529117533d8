//! What becomes of replies that are late, or come twice, damaged, or never: O4, O6 and O13.

use std::sync::Arc;

use flare_core::event::What;
use flare_core::journal::{Entry, Journal};
use flare_core::names::Rank;
use flare_core::operation::OperationSpec;
use flare_core::outcome::{Cause, Failure};
use flare_core::runtime::Limits;
use flare_core::runtime::machine::Counters;
use flare_core::transport::INLINE_LIMIT;

use super::super::stage::floats;
use super::{CLIENTS, Rig, carry_out, heard, home, record, spec, start};

/// An operation that is decided while one client's reply, of so many floats, waits at that client.
fn decided_without_one(label: &str, count: usize) -> OperationSpec {
    let mut spec = spec(label, "echo");
    spec.task.input = floats(count).into();
    spec.policy.over_select = 1;
    spec
}

/// O4: replies after the decision are late, second announcements are duplicates, and neither is seen.
/// Of two that are told twice, the first is a duplicate; the second is late if the operation is decided
/// before it is told again, as it is where replies ride along, and else another duplicate.
pub fn o4_late_replies_and_duplicates_are_counted_and_change_nothing(rig: &Rig<'_>) {
    let ((home, journal), post) = (home(), Arc::default());
    let subject = rig.by_post(&home, &post);
    (rig.run)(Box::pin(async move {
        let operations = &*subject.operations;
        post.says_twice(true);
        post.holds_back(Rank(CLIENTS - 1));
        let operation = start(operations, decided_without_one("a", 3)).await;
        let events = heard(operations, operation).await;
        let replies = events.iter().filter(|event| matches!(event.what, What::Reply { .. }));
        assert_eq!(replies.count(), 2, "a second announcement is no second event: {events:?}");
        let ended = record(&events);
        let counted: Vec<u32> = ended.counted().iter().map(|(rank, _)| rank.0).collect();
        assert_eq!((counted, ended.total_weight), (vec![0, 1], 2.0), "{ended:?}");

        let kept = journal.entries().unwrap();
        post.says_twice(false);
        post.lets_out();
        // What was let out comes before what these clients say.
        let next = carry_out(operations, spec("b", "echo")).await;
        assert_eq!(next.counted().len(), CLIENTS as usize);
        let Counters { late, duplicates } = (subject.counters)();
        let counted = (late >= 1, duplicates >= 1, late + duplicates);
        assert_eq!(counted, (true, true, 3), "{late} late, {duplicates} duplicates");
        assert_eq!(record(&heard(operations, operation).await), ended);
        let entries = journal.entries().unwrap();
        let (before, after) = entries.split_at(kept.len());
        assert_eq!(before, kept);
        let is_of_the_first =
            |entry: &Entry| format!("{entry:?}").contains(&format!("{operation:?}"));
        assert!(!after.iter().any(is_of_the_first), "{after:?}");
    }));
}

/// O6: a reply of which the runtime never heard is gone from its client as well.
pub fn o6_after_release_the_client_side_is_free(rig: &Rig<'_>) {
    let (home, post) = (home().0, Arc::default());
    let subject = rig.by_post(&home, &post);
    (rig.run)(Box::pin(async move {
        post.holds_back(Rank(CLIENTS - 1));
        let operation = start(&*subject.operations, decided_without_one("a", INLINE_LIMIT)).await;
        heard(&*subject.operations, operation).await;
        assert!((subject.held)() > 0, "the reply that was kept back is nowhere");
        subject.operations.release(operation).await.unwrap();
        assert_eq!((subject.held)(), 0);
    }));
}

/// O13: damage on the way is repaired, and is no learner's fault.
pub fn o13_only_bytes_that_were_announced_count(rig: &Rig<'_>) {
    let (home, post) = (home().0, Arc::default());
    let subject = rig.by_post(&home, &post);
    let Limits { max_fetches, max_attempts, .. } = Limits::default();
    (rig.run)(Box::pin(async move {
        for (size, times) in
            [3, INLINE_LIMIT].into_iter().flat_map(|size| [(size, 1), (size, 2), (size, 3)])
        {
            post.damages(Rank(1), times);
            let mut spec = spec(&format!("a-{size}-{times}"), "echo");
            spec.task.input = floats(size).into();
            let ended = carry_out(&*subject.operations, spec).await;
            let counted = ended.counted();
            assert_eq!(counted.len(), CLIENTS as usize, "{times} of {size}: {ended:?}");
            assert!(counted.iter().all(|(_, reply)| reply.tensors == floats(size).hash()));
            let executed = rig.stage.started(ended.operation.0).len();
            // Three are one loss; a client side that outlives it may serve again what it kept.
            assert!(times == max_fetches || executed == CLIENTS as usize, "{executed} executions");
            assert!(size == 3 || post.fetched() == times + 1, "{} fetches", post.fetched());
        }
        post.damages(Rank(1), u32::MAX);
        let mut spec = spec("b", "echo");
        spec.task.input = floats(INLINE_LIMIT).into();
        let ended = carry_out(&*subject.operations, spec).await;
        match &ended.result {
            Err(Failure::Client { client, cause: Cause::Environment(why) }) => {
                assert!(client == "client-1" && why.contains("lost"), "{client}: {why}");
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(post.fetched(), max_fetches * max_attempts);
        post.damages(Rank(1), 0);
    }));
}
