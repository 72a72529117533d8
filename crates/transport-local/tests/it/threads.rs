//! Threads and events: both end with the transport, and no event overtakes another.

use std::sync::Arc;

use flare_core::names::{Rank, Roster};
use flare_core::tensor::Tensors;
use flare_core::transport::{Assignment, Event, Transport};
use flare_transport_local::LocalTransport;
use futures::StreamExt;
use futures::executor::block_on;

use crate::conformance::options;
use flare_testkit::conformance::stage::{Setup, Stage, task};

/// Workers of this process with a number of two digits: no other test has so many.
fn workers() -> usize {
    let threads = std::fs::read_dir("/proc/self/task").unwrap();
    let names =
        threads.filter_map(|thread| std::fs::read_to_string(thread.ok()?.path().join("comm")).ok());
    names
        .filter(|name| {
            name.starts_with("flare-worker-") && name.trim_end().len() == "flare-worker-10".len()
        })
        .count()
}

#[test]
fn dropping_it_ends_threads_and_events_though_tasks_run_and_wait() {
    let stage = Arc::new(Stage::default());
    let setup = Setup {
        roster: Roster::counted(100).unwrap(),
        unit: stage.unit(),
        states: Arc::new(flare_core::memory::MemoryStates::default()),
        reply_out: Arc::new([]),
    };
    let transport = LocalTransport::new(options(setup, 52)).unwrap();
    let mut events = transport.events();
    assert!(block_on(transport.events().next()).is_none(), "the first caller gets the events");
    let to: Vec<Assignment> =
        (0..100).map(|rank| Assignment { rank: Rank(rank), state: None }).collect();
    transport.dispatch(&task(1, "gate", Tensors::empty()), &to);
    stage.wait_started(1, 52);
    assert_eq!(workers(), 42);
    drop(transport);
    // A thread that was joined may be listed for a moment more.
    let patience = std::iter::repeat_with(std::thread::yield_now).take(1_000_000);
    patience.take_while(|()| workers() > 0).for_each(drop);
    assert_eq!(workers(), 0);
    assert!(block_on(events.next()).is_none(), "nothing of it is told, and the events end");
    assert_eq!(stage.started(1).len(), 52, "what had not begun never began");
}

#[test]
fn events_that_wait_come_in_batches_and_in_order() {
    let stage = Arc::new(Stage::default());
    let setup = Setup {
        roster: Roster::counted(1000).unwrap(),
        unit: stage.unit(),
        states: Arc::new(flare_core::memory::MemoryStates::default()),
        reply_out: Arc::new([]),
    };
    let transport = LocalTransport::new(options(setup, 1)).unwrap();
    let to: Vec<Assignment> =
        (0..1000).map(|rank| Assignment { rank: Rank(rank), state: None }).collect();
    transport.dispatch(&task(1, "echo", Tensors::empty()), &to);
    // Nobody listens until the last one has begun: 999 events wait.
    stage.wait_started(1, 1000);
    let mut events = transport.events();
    let (mut ranks, mut batches) = (Vec::new(), 0);
    while ranks.len() < 1000 {
        let batch = block_on(events.next()).unwrap();
        batches += 1;
        ranks.extend(batch.into_iter().map(|event| match event {
            Event::Announced(task, _) => task.rank.0,
            other => panic!("{other:?}"),
        }));
    }
    assert_eq!(ranks, (0..1000).collect::<Vec<_>>());
    assert!(batches <= 6, "{batches} wakes for what one could have told");
}
