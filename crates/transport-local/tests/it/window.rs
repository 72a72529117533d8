//! Contract 17: never more bytes of replies than the window has, and never a worker that waits for ever.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use flare_core::executor::{Context, Error, Executor, Reply, Task};
use flare_core::names::{Rank, Roster};
use flare_core::operation::OperationId;
use flare_core::outcome::{Cause, Weight};
use flare_core::tensor::Tensors;
use flare_core::transport::{Assignment, Event, TaskId, Transport};
use flare_executor::PoolOptions;
use flare_transport_local::LocalTransport;

use flare_testkit::conformance::stage::{floats, listen, task};

/// Bytes of outputs that are allocated and not yet given back, and the most that there ever were.
#[derive(Default)]
struct Gauge {
    now: AtomicU64,
    most: AtomicU64,
}

impl Gauge {
    fn add(&self, bytes: u64) {
        let now = self.now.fetch_add(bytes, Ordering::SeqCst) + bytes;
        self.most.fetch_max(now, Ordering::SeqCst);
    }

    fn give_back(&self, bytes: u64) {
        self.now.fetch_sub(bytes, Ordering::SeqCst);
    }
}

/// Allocates a reply as large as its task; every fifth client fails, every seventh panics.
struct Allocating(Arc<Gauge>);

impl Executor for Allocating {
    fn setup(&mut self, _: &mut Context<'_>) -> Result<(), Error> {
        Ok(())
    }

    fn execute(&mut self, task: &Task, ctx: &mut Context<'_>) -> Result<Reply, Error> {
        let rank: u32 = ctx.client().as_str().trim_start_matches("client-").parse()?;
        let bytes = task.input.tensors.encoded().len() as u64;
        self.0.add(bytes);
        let tensors = task.input.tensors.to_mut().finish();
        if rank % 5 == 1 || rank % 7 == 1 {
            drop(tensors);
            self.0.give_back(bytes);
            assert_ne!(rank % 7, 1, "every seventh");
            return Err("every fifth".into());
        }
        Ok(Reply { output: tensors.into(), weight: Weight::Count(1), metrics: Vec::new() })
    }
}

const CLIENTS: u32 = 70;

struct Narrow {
    transport: LocalTransport,
    events: std::sync::mpsc::Receiver<Event>,
    gauge: Arc<Gauge>,
    model: Tensors,
}

/// Seven workers over a window of `replies` replies or `bytes` bytes.
fn narrow(replies: u32, bytes: u64) -> Narrow {
    let gauge = Arc::<Gauge>::default();
    let inner = Arc::clone(&gauge);
    let unit = move || -> Box<dyn Executor> { Box::new(Allocating(Arc::clone(&inner))) };
    let roster = Roster::counted(CLIENTS).unwrap();
    let mut options = PoolOptions::new(roster, 0, Arc::new(unit));
    options.workers = NonZeroUsize::new(7).unwrap();
    (options.reply_window, options.window_bytes) = (replies, bytes);
    let transport = LocalTransport::new(options).unwrap();
    let events = listen(&transport);
    Narrow { transport, events, gauge, model: floats(25_000) }
}

impl Narrow {
    fn dispatch(&self, operation: u64, ranks: std::ops::Range<u32>) {
        let to: Vec<Assignment> =
            ranks.map(|rank| Assignment { rank: Rank(rank), state: None }).collect();
        self.transport.dispatch(&task(operation, "allocate", self.model.clone()), &to);
    }

    fn end(&self) -> (TaskId, Result<u64, Cause>) {
        let patience = std::time::Duration::from_secs(20);
        match self.events.recv_timeout(patience).expect("a worker waits for ever") {
            Event::Announced(task, announced) => (task, Ok(announced.bytes)),
            Event::Failed { task, cause, .. } => (task, Err(cause)),
            other => panic!("{other:?}"),
        }
    }

    fn fetch(&self, task: TaskId, bytes: u64) -> Bytes {
        futures::executor::block_on(self.transport.fetch(task, 0..bytes)).unwrap()
    }

    /// Takes every reply of an operation as a runtime would; hands back how many there were.
    fn take_all(&self, each: impl Fn(TaskId, Bytes)) -> usize {
        let mut replies = 0;
        for _ in 0..CLIENTS {
            if let (task, Ok(bytes)) = self.end() {
                each(task, self.fetch(task, bytes));
                self.gauge.give_back(bytes);
                self.transport.let_go(task);
                replies += 1;
            }
        }
        replies
    }
}

#[test]
fn no_more_bytes_are_allocated_than_the_window_has() {
    let size = floats(25_000).encoded().len() as u64;
    for (replies, bytes, at_once) in [(2, 0, 2), (1, 3 * size + 10, 3), (1, 0, 1), (5, 2 * size, 5)]
    {
        let narrow = narrow(replies, bytes);
        narrow.dispatch(1, 0..CLIENTS);
        let counted = narrow.take_all(|_, bytes| assert_eq!(bytes, narrow.model.encoded()));
        let failing = (0..CLIENTS).filter(|rank| rank % 5 == 1 || rank % 7 == 1).count();
        assert_eq!(counted, CLIENTS as usize - failing);
        let most = narrow.gauge.most.load(Ordering::SeqCst);
        assert!(most <= at_once * size, "{most} bytes at once, where {at_once} x {size} may be");
        assert!(most >= size, "nothing was measured");
        assert_eq!(narrow.transport.in_use(), (0, 0));
    }
}

#[test]
fn a_held_reply_keeps_its_permit_and_its_release_frees_it() {
    let narrow = narrow(2, 0);
    narrow.dispatch(1, 2..6);
    let (first, second) = (narrow.end(), narrow.end());
    assert!(first.1.is_ok() && second.1.is_ok());
    // Two are held: the others cannot begin, until somebody frees what they need.
    assert_eq!(narrow.transport.in_use().0, 2);
    let kept = narrow.fetch(first.0, first.1.unwrap());
    narrow.transport.release(OperationId(1), &[]);
    assert_eq!(narrow.transport.in_use().0, 1, "what was fetched is still in transfer");
    drop(kept);
    assert_eq!(narrow.transport.in_use(), (0, 0));
    narrow.dispatch(2, 0..1);
    assert!(narrow.end().1.is_ok());
}

#[test]
fn what_became_the_journals_is_in_transfer_no_more() {
    // An operation without aggregator keeps all its replies, in a journal in memory: were their bytes to
    // keep their permits, it would never end.
    let narrow = narrow(2, 0);
    narrow.dispatch(1, 0..CLIENTS);
    let journal = std::sync::Mutex::new(Vec::new());
    let replies = narrow.take_all(|_, bytes| journal.lock().unwrap().push(bytes));
    assert_eq!(journal.into_inner().unwrap().len(), replies);
}

#[test]
fn a_task_that_waits_for_its_permit_can_be_cancelled() {
    let narrow = narrow(1, 0);
    narrow.dispatch(1, 2..4);
    let (held, Ok(_)) = narrow.end() else { panic!("it allocates") };
    let other = Rank(5 - held.rank.0);
    narrow.transport.cancel(OperationId(1), &[other]);
    let (task, end) = narrow.end();
    assert_eq!((task.rank, end), (other, Err(Cause::Cancelled)));
    assert_eq!(narrow.gauge.now.load(Ordering::SeqCst), narrow.model.encoded().len() as u64);
    narrow.transport.let_go(held);
    assert_eq!(narrow.transport.in_use(), (0, 0));
    // Asked for again, it is the second attempt.
    narrow.dispatch(1, other.0..other.0 + 1);
    assert!(narrow.end().1.is_ok());
}

#[test]
fn dropping_it_ends_workers_that_wait_for_permits() {
    let narrow = narrow(1, 0);
    narrow.dispatch(1, 0..CLIENTS);
    let (held, Ok(_)) = narrow.end() else { panic!("client 0 allocates") };
    drop(narrow.transport);
    assert!(narrow.events.iter().all(|event| matches!(event, Event::Failed { .. })), "{held:?}");
}
