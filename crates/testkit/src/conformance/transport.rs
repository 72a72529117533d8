//! The obligations of `Transport`, T1 to T11, over any implementation that plays the client side, too.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use flare_core::executor::{Error, Task};
use flare_core::filter::{Filter, Passage};
use flare_core::hash::Hash;
use flare_core::journal::{self, StateStore};
use flare_core::memory::MemoryStates;
use flare_core::names::Rank;
use flare_core::operation::{OperationId, StateAccess};
use flare_core::outcome::Cause;
use flare_core::shareable::Shareable;
use flare_core::tensor::Tensors;
use flare_core::transport::{Assignment, Event, FetchError, INLINE_LIMIT, TaskId, Transport};
use futures::executor::block_on;

use super::stage::{Setup, Theatre, floats, stateful, task};

/// Makes the transport under test.
pub type Make<'a> = &'a dyn Fn(Setup) -> Arc<dyn Transport>;

/// More floats than ride along in an announcement.
const MANY: usize = INLINE_LIMIT;

/// T1: every assignment ends.
pub fn t1_every_assignment_ends(make: Make<'_>) {
    let theatre = Theatre::new(40, make);
    assert_eq!(theatre.transport.present(), (0..40).map(Rank).collect::<Vec<_>>());
    // The gate is closed: a dispatch that waited for its tasks would never return.
    theatre.dispatch(&task(1, "gate", floats(3)), 0..20);
    theatre.dispatch(&task(2, "fail", floats(3)), 20..30);
    theatre.dispatch(&task(3, "echo", floats(MANY)), 30..40);
    theatre.stage.open();
    let ends = theatre.ends(40);
    assert_eq!(ends.len(), 40, "some ended twice, others never");
    for (rank, end) in ends {
        match (rank, end) {
            (20..30, Err(cause)) => assert_eq!(cause, Cause::Error("as it was told".into())),
            (_, end) => assert_eq!(end.unwrap().attempt, 1),
        }
    }
    // Attempts are counted, from 1.
    let failing = task(4, "fail", floats(3));
    for counted in 1..4 {
        theatre.dispatch(&failing, 7..8);
        let Event::Failed { attempt, .. } = theatre.next() else { panic!("it fails") };
        assert_eq!(attempt, counted);
    }
}

/// T2: a task dispatched twice is executed once.
pub fn t2_a_task_dispatched_twice_is_executed_once(make: Make<'_>) {
    let theatre = Theatre::new(3, make);
    let gated = task(1, "gate", floats(3));
    theatre.dispatch(&gated, 0..3);
    theatre.stage.wait_started(1, 1);
    theatre.dispatch(&gated, 0..3);
    theatre.stage.open();
    let first = theatre.ends(3);
    theatre.dispatch(&gated, 0..3);
    let again = theatre.ends(3);
    for (rank, end) in first {
        let (first, again) = (end.unwrap(), again[&rank].clone().unwrap());
        assert_eq!((first.attempt, first.tensors), (again.attempt, again.tensors));
    }
    theatre.barrier(2, 3);
    assert_eq!(theatre.stage.started(1).len(), 3);
}

/// T2: what is held answers the task whose hash it bears, from the same version of the state, and no other.
pub fn t2_what_is_held_answers_no_other_task(make: Make<'_>) {
    let theatre = Theatre::new(2, make);
    let transport = &theatre.transport;
    let write = |operation, to: Option<u64>, hash: &str| {
        let task = stateful(operation, "append", floats(3), StateAccess::Write);
        let task = Arc::new(Task { hash: Hash::of(hash), ..Arc::unwrap_or_clone(task) });
        let state = to.map(OperationId);
        transport.dispatch(&task, &[0, 1].map(|rank| Assignment { rank: Rank(rank), state }));
        let ends = theatre.ends(2).into_values().map(|end| end.unwrap());
        ends.map(|reply| (reply.attempt, reply.metrics[0].value)).collect::<Vec<_>>()
    };
    for (operation, from) in [(1, None), (2, Some(1))] {
        write(operation, from, "a");
        transport.settle(OperationId(operation)).unwrap();
    }
    // Of each: which attempt it is, and the state that it started from.
    assert_eq!(write(3, Some(1), "a"), [(1, 1.0); 2]);
    assert_eq!(write(3, Some(1), "a"), [(1, 1.0); 2], "the same task is answered by what is held");
    assert_eq!(write(3, Some(2), "a"), [(2, 12.0); 2], "it starts from another version");
    assert_eq!(write(3, Some(2), "b"), [(3, 12.0); 2], "it has another hash");
    assert_eq!(write(3, Some(2), "b"), [(3, 12.0); 2]);
}

/// T3: a reply is held until it is let go.
pub fn t3_a_reply_is_held_until_it_is_let_go(make: Make<'_>) {
    let theatre = Theatre::new(2, make);
    for (operation, size) in [(1, 3), (2, MANY)] {
        theatre.dispatch(&task(operation, "echo", floats(size)), 0..2);
        let replies = [theatre.announced(), theatre.announced()];
        for (id, announced) in &replies {
            let expected = floats(size);
            assert_eq!(announced.tensors, expected.hash());
            assert_eq!(announced.bytes, expected.encoded().len() as u64);
            assert_eq!(announced.inline.is_some(), size == 3);
            for _ in 0..3 {
                assert_eq!(theatre.fetch(*id, announced.bytes), expected.encoded());
            }
        }
        let ([(one, bytes), (other, _)], lost) = (&replies, Err(FetchError::Lost));
        theatre.transport.let_go(*one);
        let whole = 0..bytes.bytes;
        assert_eq!(block_on(theatre.transport.fetch(*one, whole.clone())), lost);
        theatre.fetch(*other, bytes.bytes);
        theatre.transport.release(OperationId(operation), &[]);
        assert_eq!(block_on(theatre.transport.fetch(*other, whole)), lost);
    }
}

/// T4: a range gives exactly those bytes.
pub fn t4_a_range_gives_exactly_those_bytes(make: Make<'_>) {
    let theatre = Theatre::new(1, make);
    for (operation, size) in [(1, 3), (2, MANY)] {
        theatre.dispatch(&task(operation, "echo", floats(size)), 0..1);
        let (id, Ok(_)) = theatre.end() else { panic!("it echoes") };
        let whole = floats(size).encoded().clone();
        let n = whole.len();
        for range in [0..n, 0..0, n..n, 3..10, n - 1..n, 8..n] {
            let asked = range.start as u64..range.end as u64;
            let got = block_on(theatre.transport.fetch(id, asked)).unwrap();
            assert_eq!(got, whole.slice(range.clone()), "{range:?}");
        }
        let (n, backwards) = (n as u64, std::ops::Range { start: 2, end: 1 });
        for range in [0..n + 1, n..n + 1, n + 1..n + 1, backwards] {
            let refused = Err(FetchError::Range { range: range.clone(), size: n });
            assert_eq!(block_on(theatre.transport.fetch(id, range)), refused);
        }
    }
}

/// T5: a cancelled task is told or does not start.
pub fn t5_a_cancelled_task_is_told_or_does_not_start(make: Make<'_>) {
    let theatre = Theatre::new(200, make);
    theatre.dispatch(&task(1, "gate", floats(3)), 0..200);
    theatre.stage.wait_started(1, 1);
    let ranks: Vec<Rank> = (0..200).filter(|rank| rank % 10 != 3).map(Rank).collect();
    theatre.transport.cancel(OperationId(1), &ranks);
    let before = theatre.stage.started(1).len();
    // Those at the gate learn that they are cancelled: else nothing would ever follow them.
    theatre.stage.wait_started(1, before + 1);
    theatre.stage.open();
    theatre.barrier(2, 200);
    let (mut asked, mut others) = (0, 0);
    for started in &theatre.stage.started(1)[before..] {
        let rank: u32 = started.client.trim_start_matches("client-").parse().unwrap();
        asked += u32::from(rank % 10 == 3);
        others += u32::from(rank % 10 != 3 && !started.was_cancelled);
    }
    assert!(asked >= 1 && others == 0, "{others} cancelled tasks began");
}

/// T6: release moves the heads of those who count.
pub fn t6_release_moves_the_heads_of_those_who_count(make: Make<'_>) {
    let theatre = Theatre::new(2, make);
    let append = |operation, from: Option<u64>| {
        let task = stateful(operation, "append", Tensors::empty(), StateAccess::Write);
        let to = |rank| Assignment { rank: Rank(rank), state: from.map(OperationId) };
        theatre.transport.dispatch(&task, &[to(0), to(1)]);
        theatre.ends(2)
    };
    let release = |operation, counted: &[Rank]| {
        theatre.transport.settle(OperationId(operation)).unwrap();
        theatre.transport.release(OperationId(operation), counted);
        theatre.transport.release(OperationId(operation), counted);
    };
    let state = |end: &Result<flare_core::transport::Announcement, Cause>| {
        end.as_ref().map(|announced| announced.metrics[0].value).map_err(is_state_lost)
    };
    let first = append(1, None);
    assert!(first.values().all(|end| end.as_ref().unwrap().wrote_state));
    release(1, &[Rank(0), Rank(1)]);
    let second = append(2, Some(1));
    assert_eq!([state(&second[&0]), state(&second[&1])], [Ok(1.0), Ok(1.0)]);
    release(2, &[Rank(0)]);
    // Client 0 counted: version 2 is its head, and version 1 is gone. Client 1 did not: the other way
    // round.
    let third = append(3, Some(2));
    assert_eq!([state(&third[&0]), state(&third[&1])], [Ok(12.0), Err(true)]);
    release(3, &[]);
    let fourth = append(4, Some(1));
    assert_eq!([state(&fourth[&0]), state(&fourth[&1])], [Err(true), Ok(1.0)]);
}

/// T7: nothing is announced after release.
pub fn t7_nothing_is_announced_after_release(make: Make<'_>) {
    let theatre = Theatre::new(20, make);
    theatre.dispatch(&task(1, "gate", floats(3)), 0..20);
    theatre.stage.wait_started(1, 1);
    theatre.transport.release(OperationId(1), &[]);
    theatre.stage.open();
    let others = theatre.barrier(2, 20);
    assert!(others.is_empty(), "{others:?}");
    theatre.dispatch(&task(3, "echo", floats(3)), 0..20);
    theatre.ends(20);
    theatre.transport.release(OperationId(3), &[]);
    assert!(theatre.barrier(4, 20).is_empty());
}

/// T8: a state that is not there is lost and not empty.
pub fn t8_a_state_that_is_not_there_is_lost_and_not_empty(make: Make<'_>) {
    let theatre = Theatre::new(1, make);
    let to = |state| [Assignment { rank: Rank(0), state }];
    let look = |operation| stateful(operation, "look", Tensors::empty(), StateAccess::Read);
    theatre.transport.dispatch(&look(2), &to(Some(OperationId(1))));
    let (_, end) = theatre.end();
    assert!(is_state_lost(&end.unwrap_err()));
    assert!(theatre.stage.started(2).is_empty(), "it started without its state");
    // Once it is there, a reader gets it, and leaves none of its own.
    let append = stateful(3, "append", Tensors::empty(), StateAccess::Write);
    theatre.transport.dispatch(&append, &to(None));
    theatre.announced();
    theatre.transport.dispatch(&look(4), &to(Some(OperationId(3))));
    let (_, looked) = theatre.announced();
    assert_eq!((looked.metrics[0].value, looked.wrote_state), (3.0, false));
    let refused = stateful(5, "append", Tensors::empty(), StateAccess::Read);
    theatre.transport.dispatch(&refused, &to(Some(OperationId(3))));
    assert!(matches!(theatre.end(), (_, Err(Cause::Error(_)))), "a reader wrote");
}

/// T9: what a filter stops never leaves the client.
pub fn t9_what_a_filter_stops_never_leaves_the_client(make: Make<'_>) {
    let filter: Arc<dyn Filter> = Arc::new(Censor);
    let states = Arc::new(MemoryStates::default());
    let theatre = Theatre::with(3, states, Arc::new([filter]), make);
    theatre.dispatch(&task(1, "echo", floats(MANY)), 0..3);
    let ends = theatre.ends(3);
    let (id, bytes) = (|rank| TaskId { operation: OperationId(1), stop: 0, rank: Rank(rank) }, 9);
    for (rank, word) in [(0, "not this one"), (1, "nor this one")] {
        match &ends[&rank] {
            Err(Cause::Refused(text)) => assert!(text.contains(word), "{text}"),
            other => panic!("{other:?}"),
        }
        let fetched = block_on(theatre.transport.fetch(id(rank), 0..bytes));
        assert_eq!(fetched, Err(FetchError::Lost));
    }
    let let_through = ends[&2].clone().unwrap();
    assert_eq!(let_through.tensors, floats(1).hash());
    assert_eq!(theatre.fetch(id(2), let_through.bytes), floats(1).encoded());
}

/// Stops client 0, panics at client 1, and lets one number of the others through.
struct Censor;

impl Filter for Censor {
    fn apply(&self, _: Shareable, passage: Passage<'_>) -> Result<Shareable, Error> {
        assert_eq!(passage.task, Some(&floats(MANY)));
        match passage.client.unwrap().as_str() {
            "client-0" => Err("not this one".into()),
            "client-1" => panic!("nor this one"),
            _ => Ok(floats(1).into()),
        }
    }
}

/// T10: after settle the states of announced replies are durable.
pub fn t10_after_settle_the_states_of_announced_replies_are_durable(make: Make<'_>) {
    let disk = Arc::new(Disk::default());
    let theatre = Theatre::with(5, Arc::<Disk>::clone(&disk), Arc::new([]), make);
    let append = stateful(1, "append", Tensors::empty(), StateAccess::Write);
    theatre.dispatch(&append, 0..5);
    let announced: BTreeSet<u32> = theatre.ends(5).into_keys().collect();
    theatre.transport.settle(OperationId(1)).unwrap();
    let durable: BTreeSet<u32> = disk.durable.lock().unwrap().iter().map(|rank| rank.0).collect();
    assert_eq!(durable, announced);
}

/// States that a crash would take, but for those that were settled.
#[derive(Default)]
struct Disk {
    memory: MemoryStates,
    put: Mutex<Vec<(Rank, OperationId)>>,
    durable: Mutex<Vec<Rank>>,
}

impl StateStore for Disk {
    fn put(&self, rank: Rank, version: OperationId, state: Bytes) -> Result<(), journal::Error> {
        self.put.lock().unwrap().push((rank, version));
        self.memory.put(rank, version, state)
    }

    fn settle(&self, version: OperationId) -> Result<(), journal::Error> {
        let put = self.put.lock().unwrap();
        let settled = put.iter().filter(|(_, put)| *put == version).map(|(rank, _)| *rank);
        self.durable.lock().unwrap().extend(settled);
        Ok(())
    }

    fn get(&self, rank: Rank, version: OperationId) -> Result<Bytes, journal::Error> {
        self.memory.get(rank, version)
    }

    fn release(&self, version: OperationId, counted: &[Rank]) -> Result<(), journal::Error> {
        self.memory.release(version, counted)
    }
}

/// T11: events of a task come in their order.
pub fn t11_events_of_a_task_come_in_their_order(make: Make<'_>) {
    let theatre = Theatre::new(8, make);
    theatre.dispatch(&task(1, "progress", floats(3)), 0..8);
    let mut told = vec![Vec::new(); 8];
    while told.iter().any(|told| told.last() != Some(&None)) {
        match theatre.next() {
            Event::Progress(task, done) => told[task.rank.index()].push(Some(done)),
            Event::Announced(task, _) => told[task.rank.index()].push(None),
            other => panic!("{other:?}"),
        }
    }
    let expected = vec![Some(0.25), Some(0.5), Some(1.0), None];
    assert_eq!(told, vec![expected; 8]);
}

fn is_state_lost(cause: &Cause) -> bool {
    matches!(cause, Cause::Environment(text) if text.contains("state lost"))
}
