//! Late clients: they keep no worker, begin in the order of their times, and may be cancelled before.

use std::sync::{Arc, Mutex, mpsc};
use std::task::{Poll, Waker};
use std::time::Duration;

use flare_core::clock::{Clock, Timestamp};
use flare_core::names::{Rank, Roster};
use flare_core::operation::OperationId;
use flare_core::outcome::Cause;
use flare_core::transport::{Assignment, Event, Transport};
use flare_transport_local::{Delay, Faults, LocalTransport};
use futures::future::BoxFuture;

use crate::conformance::options;
use flare_testkit::conformance::stage::{Setup, Stage, floats, listen, task};

/// A clock that goes when it is told to.
#[derive(Default)]
struct ByHand(Arc<Mutex<Hands>>);

#[derive(Default)]
struct Hands {
    now: Timestamp,
    sleepers: Vec<Waker>,
}

impl ByHand {
    fn advance(&self, by: Duration) {
        let mut hands = self.0.lock().unwrap();
        hands.now = hands.now.after(by);
        let sleepers = std::mem::take(&mut hands.sleepers);
        drop(hands);
        sleepers.into_iter().for_each(Waker::wake);
    }
}

impl Clock for ByHand {
    fn now(&self) -> Timestamp {
        self.0.lock().unwrap().now
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'static, ()> {
        let hands = Arc::clone(&self.0);
        Box::pin(futures::future::poll_fn(move |cx| {
            let mut hands = hands.lock().unwrap();
            if hands.now >= at {
                return Poll::Ready(());
            }
            hands.sleepers.push(cx.waker().clone());
            Poll::Pending
        }))
    }
}

struct Late {
    transport: LocalTransport,
    stage: Arc<Stage>,
    events: mpsc::Receiver<Event>,
    clock: Arc<ByHand>,
}

const CLIENTS: u32 = 40;

/// One worker; half of the clients come 1 to 9 seconds late.
fn late() -> Late {
    let (stage, clock) = (Arc::new(Stage::default()), Arc::new(ByHand::default()));
    let setup = Setup {
        roster: Roster::counted(CLIENTS).unwrap(),
        unit: stage.unit(),
        states: Arc::new(flare_core::memory::MemoryStates::default()),
        reply_out: Arc::new([]),
    };
    let delay = Delay { share: 0.5, seconds: (1.0, 9.0), from: None, to: None };
    let faults = Faults { delay: Some(delay), ..Faults::default() };
    let its_clock = Arc::<ByHand>::clone(&clock);
    let transport = LocalTransport::with_faults(options(setup, 1), faults, its_clock).unwrap();
    let events = listen(&transport);
    Late { transport, stage, events, clock }
}

impl Late {
    fn dispatch(&self, operation: u64) {
        let to: Vec<Assignment> =
            (0..CLIENTS).map(|rank| Assignment { rank: Rank(rank), state: None }).collect();
        self.transport.dispatch(&task(operation, "echo", floats(2)), &to);
    }

    /// All events until the held-out seat, which is never late, has carried out one more operation.
    fn until_idle(&self, operation: u64) -> Vec<Event> {
        let to = [Assignment { rank: Rank(CLIENTS), state: None }];
        self.transport.dispatch(&task(operation, "echo", floats(2)), &to);
        let mut before = Vec::new();
        loop {
            match self.events.recv_timeout(Duration::from_secs(20)).unwrap() {
                Event::Announced(task, _) if task.rank == Rank(CLIENTS) => return before,
                event => before.push(event),
            }
        }
    }
}

#[test]
fn late_clients_keep_no_worker_and_come_when_their_time_has_come() {
    let late = late();
    late.dispatch(1);
    let punctual = late.until_idle(100).len();
    assert!((5..=35).contains(&punctual), "{punctual}");
    late.clock.advance(Duration::from_millis(999));
    assert_eq!(late.until_idle(101).len(), 0);
    late.clock.advance(Duration::from_millis(4001));
    late.stage.wait_started(1, punctual + 1);
    late.until_idle(102);
    assert!(late.stage.started(1).len() < CLIENTS as usize, "some come after 5 seconds only");
    late.clock.advance(Duration::from_secs(4));
    late.stage.wait_started(1, CLIENTS as usize);
}

#[test]
fn a_late_client_that_is_cancelled_never_begins() {
    let late = late();
    late.dispatch(1);
    let punctual = late.until_idle(100).len();
    let all: Vec<Rank> = (0..CLIENTS).map(Rank).collect();
    late.transport.cancel(OperationId(1), &all);
    let ends = late.until_idle(101);
    assert_eq!(ends.len(), CLIENTS as usize - punctual);
    let is_cancelled =
        |end: &Event| matches!(end, Event::Failed { cause: Cause::Cancelled, attempt: 1, .. });
    assert!(ends.iter().all(is_cancelled), "{ends:?}");
    late.clock.advance(Duration::from_secs(10));
    assert!(late.until_idle(102).is_empty());
    assert_eq!(late.stage.started(1).len(), punctual);
}

#[test]
fn of_a_released_operation_nobody_comes_late() {
    let late = late();
    late.dispatch(1);
    let punctual = late.until_idle(100).len();
    late.transport.release(OperationId(1), &[]);
    late.clock.advance(Duration::from_secs(10));
    assert!(late.until_idle(101).is_empty());
    assert_eq!(late.stage.started(1).len(), punctual);
    // And the next operation is none the worse for it.
    late.dispatch(2);
    late.until_idle(102);
    late.clock.advance(Duration::from_secs(10));
    late.stage.wait_started(2, CLIENTS as usize);
}
