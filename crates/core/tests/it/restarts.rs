//! What a restart does to an operation that was in flight, and what its record says of it.

use std::sync::Arc;
use std::time::Duration;

use flare_core::names::Name;
use flare_core::operation::{OperationSpec, ReplyPolicy};
use flare_core::outcome::Outcome;
use futures::executor::block_on;

use crate::direct::Direct;
use crate::world::{World, train};

fn labelled(label: &str, deadline: Option<Duration>) -> OperationSpec {
    let policy = ReplyPolicy { deadline, ..ReplyPolicy::default() };
    OperationSpec { label: Some(Name::new(label).unwrap()), policy, ..train(0.0) }
}

#[test]
fn a_deadline_that_started_anew_is_told_in_the_outcome() {
    let world = World::remembering(2);
    let hour = Some(Duration::from_secs(3600));
    let in_flight = [("timed", hour), ("exact", None)];
    let first = world.open(&Direct::silent());
    for (label, deadline) in in_flight {
        drop(block_on(first.broadcast(labelled(label, deadline))).unwrap());
    }
    drop(first);
    let answering = || Direct::new(|_, _| Ok(1.0));
    let ask = |transport: &Arc<Direct>| {
        let federation = world.open(transport);
        ["timed", "exact", "fresh"].map(|label| -> Outcome {
            let deadline = if label == "exact" { None } else { hour };
            block_on(federation.broadcast_and_wait(labelled(label, deadline))).unwrap()
        })
    };
    let said = |outcomes: &[Outcome]| -> Vec<(bool, bool)> {
        outcomes.iter().map(|outcome| (outcome.replayed, outcome.record.deadline_anew)).collect()
    };
    assert_eq!(said(&ask(&answering())), [(false, true), (false, false), (false, false)]);
    // It stays said when it is answered from the journal.
    assert_eq!(said(&ask(&answering())), [(true, true), (true, false), (true, false)]);
}
