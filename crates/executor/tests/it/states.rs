//! What a client keeps: before it is announced, and never past its operation's end.

use std::sync::{Arc, Mutex, OnceLock, mpsc};

use bytes::Bytes;
use flare_core::executor::{Context, Error, Reply, Task};
use flare_core::journal::{self, StateStore};
use flare_core::memory::MemoryStates;
use flare_core::names::Rank;
use flare_core::operation::OperationId;
use flare_core::outcome::Cause;
use flare_core::tensor::Tensors;
use flare_executor::Handle;

use crate::bench::{Bench, doing, reply};

/// States whose every `put` runs a closure first.
struct Trap {
    memory: MemoryStates,
    before_put: Box<dyn Fn() -> Result<(), journal::Error> + Send + Sync>,
}

impl StateStore for Trap {
    fn put(&self, rank: Rank, version: OperationId, state: Bytes) -> Result<(), journal::Error> {
        (self.before_put)()?;
        self.memory.put(rank, version, state)
    }

    fn settle(&self, _: OperationId) -> Result<(), journal::Error> {
        Ok(())
    }

    fn get(&self, rank: Rank, version: OperationId) -> Result<Bytes, journal::Error> {
        self.memory.get(rank, version)
    }

    fn release(&self, version: OperationId, counted: &[Rank]) -> Result<(), journal::Error> {
        self.memory.release(version, counted)
    }
}

fn write(_: &Task, ctx: &mut Context<'_>) -> Result<Reply, Error> {
    ctx.set_state(vec![1, 2, 3])?;
    Ok(reply(Tensors::empty()))
}

fn bench(states: Arc<dyn StateStore>) -> Bench {
    let mut options = doing(2, 1, write);
    options.states = states;
    Bench::new(options)
}

#[test]
fn a_new_state_is_kept_before_its_reply_is_told() {
    let states = Arc::new(MemoryStates::default());
    let bench = bench(Arc::<MemoryStates>::clone(&states));
    let output = bench.run(5, "write", 1).unwrap();
    assert!(output.wrote_state);
    assert_eq!(states.get(Rank(1), OperationId(5)).unwrap(), [1, 2, 3].as_slice());
}

#[test]
fn a_state_that_cannot_be_kept_is_a_failure_of_the_surroundings() {
    let full = || Err(journal::Error::io("writing", "state", std::io::Error::other("disk full")));
    let (memory, before_put) = (MemoryStates::default(), Box::new(full));
    let bench = bench(Arc::new(Trap { memory, before_put }));
    match bench.run(5, "write", 1) {
        Err(Cause::Environment(text)) => assert!(text.contains("disk full"), "{text}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_state_that_comes_after_its_operations_end_is_dropped() {
    // The operation ends at the worst moment: after the task was found to be wanted still, and before
    // its state is put. Client 0 counted; client 1 is the one that was late.
    let handle = Arc::new(OnceLock::<Handle>::new());
    let (inner, calls) = (Arc::clone(&handle), Mutex::new(0));
    let (ended, has_ended) = mpsc::channel();
    let end = move || {
        let mut calls = calls.lock().unwrap();
        *calls += 1;
        if *calls == 2 {
            inner.get().unwrap().release(OperationId(5), &[Rank(0)]);
            ended.send(()).unwrap();
        }
        Ok(())
    };
    let states = Arc::new(Trap { memory: MemoryStates::default(), before_put: Box::new(end) });
    let bench = bench(Arc::<Trap>::clone(&states));
    assert!(handle.set(bench.pool.handle().clone()).is_ok());
    assert!(bench.run(5, "write", 0).is_ok());
    bench.submit(&crate::bench::task(5, "write"), [1]);
    has_ended.recv_timeout(std::time::Duration::from_secs(20)).unwrap();
    assert!(bench.rest().is_empty(), "it was told after the release");
    assert!(states.get(Rank(0), OperationId(5)).is_ok(), "the head of the one who counted");
    assert!(states.get(Rank(1), OperationId(5)).is_err(), "it is kept for ever");
}
