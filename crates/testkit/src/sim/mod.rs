//! A whole federation on one thread, with a clock that jumps and faults from a seed or a list.
//!
//! ```text
//!   controller -> Runtime -> SimTransport -> world: clients, agenda, faults
//!        \________ LocalSpawn, ManualClock, SimJournal ________/
//! ```
//!
//! [`Sim::run`] takes one step at a time: of what could go on now, a draw decides what does; when nothing
//! can, time jumps to the next thing that will. Another seed is another schedule.

mod client;
mod clock;
pub mod faults;
mod home;
pub mod log;
mod spawn;
mod state;
mod transport;
mod world;

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use flare_core::clock::{Clock, Timestamp};
use flare_core::component::ExecutorFactory;
use flare_core::filter::Chain;
use flare_core::journal::StateStore;
use flare_core::names::Roster;
use flare_core::pool::Serial;
use flare_core::random::{Stream, StreamId};
use flare_core::runtime::{Home, Seams};

pub use clock::ManualClock;
pub use home::{SimBlobs, SimHome, SimJournal, SimStates};
pub use spawn::LocalSpawn;
pub use transport::SimTransport;

use faults::Op;
use log::Log;
use spawn::Flag;
use state::Act;
use world::World;

/// Where replies are held until they are released.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// In the runtime's process, as in pattern one: they die with it, and are freed when it lets go.
    WithRuntime,
    /// At client services of their own, as in patterns two to four: they outlive it.
    Apart,
}

/// What a simulation is made of.
#[derive(Clone)]
pub struct Setup {
    /// The clients.
    pub roster: Roster,
    /// What they run.
    pub unit: Arc<dyn ExecutorFactory>,
    /// Where their states are kept.
    pub states: Arc<dyn StateStore>,
    /// Filters on replies as they leave them.
    pub reply_out: Chain,
    /// The job's seed, for the executors.
    pub seed: u64,
    /// The schedule's seed.
    pub schedule: u64,
    /// The longest way of a message.
    pub delay: Duration,
    /// The longest attempt.
    pub work: Duration,
    /// How long an absent client keeps its place.
    pub lease: Duration,
    /// What goes wrong.
    pub faults: Vec<Op>,
    /// Where replies are held.
    pub holder: Holder,
    /// Whether small replies ride in their announcements.
    pub inline: bool,
    /// Panics at more fetched replies than the first or more bytes of them than the second, whichever
    /// allows more.
    pub window: Option<(usize, u64)>,
    /// Panics where a runtime breaks its word, rather than to answer politely.
    pub strict: bool,
}

impl Setup {
    /// A faultless simulation of these clients.
    pub fn new(roster: Roster, unit: Arc<dyn ExecutorFactory>) -> Self {
        Self {
            roster,
            unit,
            states: Arc::new(SimStates::default()),
            reply_out: Arc::new([]),
            seed: 0,
            schedule: 0,
            delay: Duration::from_millis(5),
            work: Duration::from_millis(20),
            lease: Duration::from_secs(60),
            faults: Vec::new(),
            holder: Holder::WithRuntime,
            inline: false,
            window: None,
            strict: true,
        }
    }
}

/// A simulation under way; clones share it.
#[derive(Clone)]
pub struct Sim {
    clock: Arc<ManualClock>,
    spawn: Arc<LocalSpawn>,
    world: Arc<World>,
    order: Arc<Mutex<Stream>>,
    log: Log,
    home: SimHome,
}

/// A simulation that takes more steps than this never ends.
const MOST_STEPS: usize = 2_000_000;

impl Sim {
    /// A simulation at its beginning.
    pub fn new(setup: Setup) -> Self {
        let log = Log::default();
        let clock = Arc::new(ManualClock::default());
        let stream = |purpose| StreamId::new(setup.schedule, purpose).stream();
        let (order, ways) = (stream("order"), stream("ways"));
        let journal = Arc::new(SimJournal::new(log.clone()));
        let home = SimHome { journal, blobs: Arc::default() };
        let world = World::new(setup, Arc::clone(&clock), log.clone(), ways);
        Self {
            clock,
            spawn: Arc::default(),
            world: Arc::new(world),
            order: Arc::new(Mutex::new(order)),
            log,
            home,
        }
    }

    /// A link for a runtime; the one before goes dead.
    pub fn transport(&self) -> Arc<SimTransport> {
        Arc::new(SimTransport::new(self))
    }

    /// Time, background work and threads for a runtime.
    pub fn seams(&self) -> Seams {
        Seams { clock: self.clock.clone(), spawn: self.spawn.clone(), pool: Arc::new(Serial) }
    }

    /// The run's memory, which outlives its runtimes.
    pub fn home(&self) -> Home {
        let SimHome { journal, blobs } = self.home.clone();
        Home { journal, blobs, keep_checkpoints: 2 }
    }

    /// The journal, to make it fail.
    pub fn journal(&self) -> &SimJournal {
        &self.home.journal
    }

    /// What the runtime did.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// The clients.
    pub fn roster(&self) -> &Roster {
        &self.world.setup.roster
    }

    /// The present.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Runs a future to its end.
    ///
    /// # Panics
    /// When it can never end: nothing is under way any more.
    pub fn run<F: Future>(&self, future: F) -> F::Output {
        let forever = Timestamp(u64::MAX);
        self.run_until(future, forever).expect("the end of time does not come")
    }

    /// Runs a future, but not past `end`: `None` if it was not ready by then.
    ///
    /// # Panics
    /// When nothing is under way any more, and `end` is the end of time.
    pub fn run_until<F: Future>(&self, future: F, end: Timestamp) -> Option<F::Output> {
        let mut future = pin!(future);
        let flag = Flag::set();
        let waker = Waker::from(Arc::clone(&flag));
        for _ in 0..MOST_STEPS {
            let first = flag.is_set() && self.below(2) == 0;
            if !first && self.step(end) {
                continue;
            }
            if flag.take() {
                match future.as_mut().poll(&mut Context::from_waker(&waker)) {
                    Poll::Ready(output) => return Some(output),
                    Poll::Pending => continue,
                }
            }
            assert!(end < Timestamp(u64::MAX), "nothing is under way, and the future is not ready");
            self.clock.advance_to(end);
            return None;
        }
        panic!("{MOST_STEPS} steps, and no end");
    }

    /// Lets everything that is under way come to its end.
    pub fn drain(&self) {
        let taken = (0..MOST_STEPS).take_while(|_| self.step(Timestamp(u64::MAX))).count();
        assert!(taken < MOST_STEPS, "{MOST_STEPS} steps, and no end");
    }

    /// Kills the runtime's process: nothing of it runs on, and what it holds in memory is lost.
    pub fn kill_runtime(&self) {
        self.world.kill_runtime();
        self.spawn.kill();
    }

    /// One thing goes on, or time does, up to `end`; `false` if nothing can.
    pub fn step(&self, end: Timestamp) -> bool {
        let ready = self.spawn.ready();
        let now = self.clock.now();
        let is_due = self.world.next().is_some_and(|at| at <= now);
        let choices = ready + usize::from(is_due);
        if choices == 0 {
            let next = self.world.next().into_iter().chain(self.clock.next()).min();
            let Some(next) = next.filter(|next| *next <= end) else { return false };
            self.clock.advance_to(next);
            return true;
        }
        match self.below(choices) {
            choice if choice < ready => self.spawn.turn(choice),
            _ => self.act(),
        }
        true
    }

    /// How many replies the clients hold.
    pub fn held(&self) -> usize {
        self.world.held()
    }

    fn act(&self) {
        match self.world.due() {
            Some(Act::Finish(task, attempt)) => self.world.execute(task, attempt),
            Some(act) => self.world.act(act),
            None => {}
        }
    }

    fn below(&self, n: usize) -> usize {
        self.order.lock().unwrap_or_else(PoisonError::into_inner).below(n as u64) as usize
    }
}
