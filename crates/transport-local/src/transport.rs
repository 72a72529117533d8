//! The transport itself: the ledger, the outbox and the pool put together.

use std::ops::Range;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use bytes::Bytes;
use flare_core::clock::{Clock, Timestamp};
use flare_core::executor::Task;
use flare_core::journal::{self, StateStore};
use flare_core::names::{Rank, Roster};
use flare_core::operation::OperationId;
use flare_core::outcome::Cause;
use flare_core::transport::{Assignment, Event, FetchError, TaskId, Transport};
use flare_executor::{Assigned, Handle, Output, Pool, PoolOptions, Sink, Work};
use futures::Stream;
use futures::future::BoxFuture;
use futures::stream::BoxStream;

use crate::delays::Delays;
use crate::events::Outbox;
use crate::faults::{Fate, Faults};
use crate::ledger::{Dispatched, Ended, Ledger};

/// Carries tasks to a pool in the same process.
///
/// Replies are held in memory until the runtime lets go of them (contract 35). Dropping the transport
/// cancels what runs, waits for it, and ends the threads; its events then end.
pub struct LocalTransport {
    pool: Option<Pool>,
    side: Arc<Side>,
}

/// The client side, as pool and listener share it.
struct Side {
    roster: Roster,
    seed: u64,
    states: Arc<dyn StateStore>,
    faults: Option<Injection>,
    state: Mutex<State>,
    is_heard: AtomicBool,
}

struct Injection {
    faults: Faults,
    clock: Arc<dyn Clock>,
}

#[derive(Default)]
struct State {
    ledger: Ledger,
    outbox: Outbox,
    delays: Delays,
}

impl LocalTransport {
    /// A transport whose clients are healthy.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn new(options: PoolOptions) -> std::io::Result<Self> {
        Self::start(options, None)
    }

    /// A transport whose clients drop out, fail and come late as `faults` says; delays go by `clock`.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn with_faults(
        options: PoolOptions,
        faults: Faults,
        clock: Arc<dyn Clock>,
    ) -> std::io::Result<Self> {
        let faults = (!faults.is_none()).then_some(Injection { faults, clock });
        Self::start(options, faults)
    }

    /// How many replies, and bytes of them, are in the making, held or fetched.
    pub fn in_use(&self) -> (usize, u64) {
        self.handle().in_use()
    }

    fn start(options: PoolOptions, faults: Option<Injection>) -> std::io::Result<Self> {
        let side = Arc::new(Side {
            roster: options.roster.clone(),
            seed: options.seed,
            states: Arc::clone(&options.states),
            faults,
            state: Mutex::default(),
            is_heard: AtomicBool::new(false),
        });
        let sink: Arc<dyn Sink> = Arc::clone(&side) as Arc<dyn Sink>;
        Ok(Self { pool: Some(Pool::new(options, sink)?), side })
    }

    fn handle(&self) -> &Handle {
        self.pool.as_ref().expect("the pool is taken out by drop only").handle()
    }
}

impl Drop for LocalTransport {
    fn drop(&mut self) {
        drop(self.pool.take());
        let waker = self.side.lock().outbox.close();
        wake(waker);
    }
}

#[async_trait]
impl Transport for LocalTransport {
    fn present(&self) -> Vec<Rank> {
        self.side.roster.ranks().collect()
    }

    fn at_work(&self) -> Option<Vec<TaskId>> {
        Some(self.handle().at_work())
    }

    fn dispatch(&self, task: &Arc<Task>, to: &[Assignment]) {
        let (begins, waker) = self.side.dispatch(task, to);
        wake(waker);
        if !begins.is_empty() {
            self.handle().submit(Work::new(Arc::clone(task), begins));
        }
    }

    fn cancel(&self, operation: OperationId, ranks: &[Rank]) {
        let waker = self.side.cancel(operation, ranks);
        wake(waker);
        self.handle().cancel(operation, ranks);
    }

    async fn fetch(&self, task: TaskId, range: Range<u64>) -> Result<Bytes, FetchError> {
        let encoded = self.side.lock().ledger.encoded(task).ok_or(FetchError::Lost)?;
        let size = encoded.len() as u64;
        if range.start > range.end || range.end > size {
            return Err(FetchError::Range { range, size });
        }
        // Both ends are at most the length, which is a usize.
        Ok(encoded.slice(range.start as usize..range.end as usize))
    }

    fn let_go(&self, task: TaskId) {
        let held = self.side.lock().ledger.let_go(task);
        if let Some(held) = held {
            held.let_go();
        }
    }

    fn settle(&self, operation: OperationId) -> Result<(), journal::Error> {
        self.side.states.settle(operation)
    }

    fn release(&self, operation: OperationId, counted: &[Rank]) {
        let forgotten = {
            let mut state = self.side.lock();
            (state.ledger.release(operation), state.delays.remove(operation, None))
        };
        self.handle().release(operation, counted);
        // Only now may its replies free room: none of its own tasks that wait for it begins any more.
        drop(forgotten);
    }

    fn events(&self) -> BoxStream<'static, Vec<Event>> {
        if self.side.is_heard.swap(true, Ordering::Relaxed) {
            return Box::pin(futures::stream::empty());
        }
        let (side, pool) = (Arc::clone(&self.side), self.handle().clone());
        Box::pin(Listener { side, pool, alarm: None })
    }
}

impl Side {
    /// What begins at once; what is delayed, held or hit by a fault is seen to.
    fn dispatch(&self, task: &Arc<Task>, to: &[Assignment]) -> (Vec<Assigned>, Option<Waker>) {
        let now = self.faults.as_ref().map(|faults| faults.clock.now()).unwrap_or_default();
        let mut begins = Vec::with_capacity(to.len());
        let mut waker = None;
        let mut state = self.lock();
        let State { ledger, outbox, delays } = &mut *state;
        let mut ends = Vec::new();
        ledger.dispatch(task, to, |rank, what| match what {
            Dispatched::Nothing => {}
            Dispatched::Held(announcement) => {
                let task = TaskId { operation: task.operation, stop: task.stop, rank };
                waker = outbox.push(Event::Announced(task, announcement)).or(waker.take());
            }
            Dispatched::Begins(assigned) => match self.fate(task, rank) {
                Fate::Healthy => begins.push(assigned),
                Fate::Late(by) => delays.add(now.after(by), Arc::clone(task), assigned),
                Fate::DropsOut => {
                    ends.push((assigned, Cause::Gone("it dropped out, as [faults] says".into())));
                }
                Fate::Fails => {
                    ends.push((assigned, Cause::Error("it failed, as [faults] says".into())));
                }
            },
        });
        for (assigned, cause) in ends {
            waker = state.end(task, assigned, cause).or(waker);
        }
        if state.delays.next().is_some() {
            waker = state.outbox.wake().or(waker);
        }
        (begins, waker)
    }

    fn fate(&self, task: &Task, rank: Rank) -> Fate {
        match &self.faults {
            Some(Injection { faults, .. }) if rank != self.roster.held_out() => {
                faults.fate(self.seed, task, &self.roster.name(rank))
            }
            _ => Fate::Healthy,
        }
    }

    fn cancel(&self, operation: OperationId, ranks: &[Rank]) -> Option<Waker> {
        let mut state = self.lock();
        state.ledger.cancel(operation, ranks);
        let mut waker = None;
        for (task, assigned) in state.delays.remove(operation, Some(ranks)) {
            waker = state.end(&task, assigned, Cause::Cancelled).or(waker);
        }
        waker
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// An attempt ends without having reached a worker.
    fn end(&mut self, task: &Task, assigned: Assigned, cause: Cause) -> Option<Waker> {
        match self.ledger.finished(task, assigned, Err(cause)) {
            Ended::Tell(event) => self.outbox.push(event),
            Ended::Again(_) | Ended::Nothing => None,
        }
    }
}

impl Sink for Side {
    fn finished(
        &self,
        task: &Arc<Task>,
        assigned: Assigned,
        result: Result<Output, Cause>,
        pool: &Handle,
    ) {
        let mut state = self.lock();
        match state.ledger.finished(task, assigned, result) {
            Ended::Tell(event) => {
                let waker = state.outbox.push(event);
                drop(state);
                wake(waker);
            }
            Ended::Again(assigned) => {
                drop(state);
                pool.submit(Work::new(Arc::clone(task), vec![assigned]));
            }
            Ended::Nothing => {}
        }
    }

    fn progress(&self, task: TaskId, done: f32) {
        let waker = {
            let mut state = self.lock();
            let awaited = state.ledger.is_awaited(task);
            awaited.then(|| state.outbox.push(Event::Progress(task, done))).flatten()
        };
        wake(waker);
    }
}

/// Hands batches to the runtime; and since it is always polled, it also lets late attempts begin.
struct Listener {
    side: Arc<Side>,
    pool: Handle,
    alarm: Option<(Timestamp, BoxFuture<'static, ()>)>,
}

impl Stream for Listener {
    type Item = Vec<Event>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Vec<Event>>> {
        loop {
            let next = {
                let mut state = self.side.lock();
                if let Poll::Ready(batch) = state.outbox.poll(cx) {
                    return Poll::Ready(batch);
                }
                state.delays.next()
            };
            let (Some(at), Some(faults)) = (next, &self.side.faults) else { return Poll::Pending };
            let clock = Arc::clone(&faults.clock);
            match &mut self.alarm {
                Some((known, _)) if *known == at => {}
                alarm => *alarm = Some((at, clock.sleep_until(at))),
            }
            let rings = self
                .alarm
                .as_mut()
                .is_some_and(|(_, sleep)| futures::FutureExt::poll_unpin(sleep, cx).is_ready());
            if !rings {
                return Poll::Pending;
            }
            self.alarm = None;
            let due = self.side.lock().delays.due(clock.now());
            for (task, assigned) in due {
                self.pool.submit(Work::new(task, vec![assigned]));
            }
        }
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}
