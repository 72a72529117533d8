//! Fetches that bring other bytes than were announced: the line's fault, and no learner's (contracts 15, 19).

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use flare_core::executor::Task;
use flare_core::journal;
use flare_core::names::Rank;
use flare_core::operation::{OnFailure, OperationId, OperationSpec, ReplyPolicy};
use flare_core::outcome::{Cause, End, Failure, Record, Weight};
use flare_core::runtime::{Limits, Options};
use flare_core::transport::{Assignment, Event, FetchError, TaskId, Transport};
use flare_core::{federation, outcome::Outcome};
use futures::executor::block_on;
use futures::stream::{BoxStream, StreamExt};

use crate::direct::Direct;
use crate::world::{World, train, value};

/// What the line makes of bytes that pass.
#[derive(Debug, Clone, Copy)]
enum Damage {
    /// One bit is another.
    Bit,
    /// The last byte is missing.
    Cut,
    /// The transport finds out itself that they are not those that were announced.
    Told,
    /// The client side has fewer bytes than were announced.
    Fewer,
}

const ALL: [Damage; 4] = [Damage::Bit, Damage::Cut, Damage::Told, Damage::Fewer];

/// A line between runtime and clients, bad for the bytes of client 1.
struct Line {
    clients: Arc<Direct>,
    damage: Damage,
    /// So many fetches more.
    times: Mutex<u32>,
    /// Whether replies that ride in announcements are damaged in each of them.
    riders_too: bool,
    fetches: Mutex<BTreeMap<Rank, u32>>,
}

impl Line {
    fn new(clients: Arc<Direct>, damage: Damage, times: u32) -> Arc<Self> {
        let (times, fetches) = (Mutex::new(times), Mutex::default());
        Arc::new(Self { clients, damage, times, riders_too: false, fetches })
    }

    fn fetched(&self, rank: u32) -> u32 {
        self.fetches.lock().unwrap().get(&Rank(rank)).copied().unwrap_or(0)
    }

    /// How often client 1 was asked.
    fn asked(&self) -> usize {
        self.clients.dispatched().iter().filter(|(_, rank)| *rank == Rank(1)).count()
    }

    fn pass(&self, bytes: Bytes) -> Result<Bytes, FetchError> {
        let size = bytes.len();
        match self.damage {
            Damage::Bit => Ok(flipped(&bytes)),
            Damage::Cut => Ok(bytes.slice(..size - 1)),
            Damage::Told => Err(FetchError::Corrupt),
            Damage::Fewer => Err(FetchError::Range { range: 0..size as u64, size: 3 }),
        }
    }
}

/// The same with another last bit: as tensors, they are as good as before.
fn flipped(bytes: &Bytes) -> Bytes {
    let mut bytes = bytes.to_vec();
    *bytes.last_mut().unwrap() ^= 1;
    bytes.into()
}

#[async_trait]
impl Transport for Line {
    fn present(&self) -> Vec<Rank> {
        self.clients.present()
    }

    fn dispatch(&self, task: &Arc<Task>, to: &[Assignment]) {
        self.clients.dispatch(task, to);
    }

    fn cancel(&self, operation: OperationId, ranks: &[Rank]) {
        self.clients.cancel(operation, ranks);
    }

    async fn fetch(&self, task: TaskId, range: Range<u64>) -> Result<Bytes, FetchError> {
        *self.fetches.lock().unwrap().entry(task.rank).or_default() += 1;
        let bytes = self.clients.fetch(task, range).await?;
        let mut times = self.times.lock().unwrap();
        if task.rank != Rank(1) || *times == 0 {
            return Ok(bytes);
        }
        *times -= 1;
        self.pass(bytes)
    }

    fn let_go(&self, task: TaskId) {
        self.clients.let_go(task);
    }

    fn settle(&self, operation: OperationId) -> Result<(), journal::Error> {
        self.clients.settle(operation)
    }

    fn release(&self, operation: OperationId, counted: &[Rank]) {
        self.clients.release(operation, counted);
    }

    fn events(&self) -> BoxStream<'static, Vec<Event>> {
        let riders_too = self.riders_too;
        let damaged = move |mut event: Event| {
            if let Event::Announced(task, announcement) = &mut event
                && task.rank == Rank(1)
                && riders_too
            {
                announcement.inline = announcement.inline.as_ref().map(flipped);
            }
            event
        };
        self.clients.events().map(move |batch| batch.into_iter().map(damaged).collect()).boxed()
    }
}

/// Asks three clients over this line; each answers with its rank.
fn ask(line: &Arc<Line>, policy: ReplyPolicy) -> Result<Outcome, federation::Error> {
    let federation = World::new(3).open_with(line, Options::default()).unwrap();
    let outcome = block_on(federation.broadcast_and_wait(OperationSpec { policy, ..train(0.0) }))?;
    for (rank, reply) in block_on(federation.replies(&outcome)).unwrap().iter().enumerate() {
        assert!(outcome.record.counted().len() < 3 || value(&reply.tensors) == rank as f32);
    }
    Ok(outcome)
}

fn of(damage: Damage, times: u32) -> Arc<Line> {
    Line::new(Direct::new(|_, rank| Ok(rank.0 as f32)), damage, times)
}

fn cause(record: &Record, rank: u32) -> Option<Cause> {
    let end = record.ends.iter().find(|end| end.rank == Rank(rank)).unwrap();
    match &end.end {
        End::Counted(_) => None,
        End::Failed(cause) => Some(cause.clone()),
    }
}

#[test]
fn a_reply_that_comes_damaged_is_fetched_again_and_nobody_is_asked_again() {
    // A learner's failure would end this operation.
    let strict = ReplyPolicy { on_failure: OnFailure::Fail, ..ReplyPolicy::default() };
    for damage in ALL {
        for times in [1, Limits::default().max_fetches - 1] {
            let line = of(damage, times);
            let outcome = ask(&line, strict.clone()).unwrap();
            assert_eq!(outcome.record.counted().len(), 3, "{damage:?}");
            assert_eq!((line.fetched(1), line.asked()), (1 + times, 1), "{damage:?}");
            assert_eq!((line.fetched(0), line.fetched(2)), (1, 1), "{damage:?}");
        }
    }
}

#[test]
fn a_reply_that_comes_damaged_each_time_is_lost_and_its_task_is_executed_again() {
    let most = Limits::default().max_fetches;
    assert_eq!(most, 3);
    for damage in ALL {
        let line = of(damage, most);
        let outcome = ask(&line, ReplyPolicy::default()).unwrap();
        assert_eq!(outcome.record.counted().len(), 3, "{damage:?}");
        assert_eq!((line.fetched(1), line.asked()), (most + 1, 2), "{damage:?}");
    }
}

#[test]
fn a_line_that_stays_bad_ends_its_client_and_says_why() {
    let Limits { max_fetches, max_attempts, .. } = Limits::default();
    let lost = "its reply was lost: 3 fetches brought other bytes than those that were announced";
    let lost = Cause::Environment(lost.into());
    for damage in ALL {
        let line = of(damage, u32::MAX);
        // An exact round has no replies to spare, though it may leave learners out that fail.
        match ask(&line, ReplyPolicy::default()).unwrap_err() {
            federation::Error::Failed { failure: Failure::Client { client, cause }, .. } => {
                assert_eq!((&*client, &cause), ("client-1", &lost), "{damage:?}");
            }
            other => panic!("{damage:?}: {other}"),
        }
        let asked = line.asked() as u32;
        assert_eq!((line.fetched(1), asked), (max_fetches * max_attempts, max_attempts));
        let line = of(damage, u32::MAX);
        let timed = ReplyPolicy { min_replies: Some(2), ..ReplyPolicy::default() };
        let outcome = ask(&line, timed).unwrap();
        assert_eq!(outcome.record.counted().len(), 2, "{damage:?}");
        assert_eq!(cause(&outcome.record, 1), Some(lost.clone()), "{damage:?}");
    }
}

#[test]
fn a_damaged_reply_that_rode_along_is_fetched() {
    for (times, fetches, asked) in [(0, 1, 1), (1, 2, 1), (2, 2, 2)] {
        let clients = Direct::weighing(|rank| Weight::Count(1 + u64::from(rank.0)));
        let line = Line { riders_too: true, ..Arc::into_inner(of(Damage::Bit, times)).unwrap() };
        let line = Arc::new(Line { clients, ..line });
        let federation = World::new(3).open_with(&line, Options::default()).unwrap();
        let outcome = block_on(federation.broadcast_and_wait(train(0.0))).unwrap();
        let replies = block_on(federation.replies(&outcome)).unwrap();
        assert!(replies.iter().all(|reply| value(&reply.tensors) == 1.0) && replies.len() == 3);
        // With the damaged ride, three in all make a loss; what is asked for again rides damaged again.
        let again = if asked == 2 { fetches + 1 } else { fetches };
        assert_eq!((line.fetched(1), line.asked()), (again, asked), "{times} times");
        assert_eq!(line.fetched(0) + line.fetched(2), 0, "what rides well is not fetched");
    }
}

/// The hash vouches for these bytes: that they are no tensors is nobody's fault but the learner's.
#[test]
fn bytes_that_were_announced_and_do_not_decode_are_the_learners_and_final() {
    let line = Line::new(Direct::forging(Bytes::from_static(b"no tensors")), Damage::Bit, 0);
    let federation = World::new(3).open_with(&line, Options::default()).unwrap();
    let outcome = block_on(federation.broadcast_and_wait(train(0.0))).unwrap();
    assert_eq!(outcome.record.counted().len(), 2);
    let cause = cause(&outcome.record, 1);
    assert!(matches!(cause, Some(Cause::Refused(_))), "{cause:?}");
    assert_eq!((line.fetched(1), line.asked()), (1, 1));
}
