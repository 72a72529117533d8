//! The simulated world through the same suites as the real one: else it would prove only itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use flare_core::clock::Timestamp;
use flare_core::executor::Task;
use flare_core::journal::{self as memory, Entry, Journal};
use flare_core::names::Rank;
use flare_core::operation::OperationId;
use flare_core::transport::{Assignment, Event, FetchError, TaskId, Transport};
use flare_testkit::conformance::entries::EPOCH;
use flare_testkit::conformance::journal::Keeps;
use flare_testkit::conformance::operations::{Rig, Subject, roster};
use flare_testkit::conformance::stage::{self, Stage};
use flare_testkit::conformance::store::{Fresh, Place};
use flare_testkit::conformance::transport::Make;
use flare_testkit::conformance::{blobs, states};
use flare_testkit::sim::log::Log;
use flare_testkit::sim::{Setup, Sim, SimBlobs, SimJournal, SimStates, SimTransport};
use futures::stream::BoxStream;

/// A simulation that a thread drives: the suite's executors block, and its tests wait.
struct Driven {
    transport: Arc<SimTransport>,
    driver: std::thread::Thread,
    ended: Arc<AtomicBool>,
}

impl Driven {
    fn new(setup: stage::Setup) -> Self {
        let mut simulated = Setup::new(setup.roster, setup.unit);
        simulated.states = setup.states;
        simulated.reply_out = setup.reply_out;
        simulated.inline = true;
        simulated.strict = false;
        (simulated.delay, simulated.work) = (Duration::ZERO, Duration::ZERO);
        let sim = Sim::new(simulated);
        let transport = sim.transport();
        let ended = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&ended);
        let driver = std::thread::spawn(move || {
            while !over.load(Ordering::SeqCst) {
                if !sim.step(Timestamp(u64::MAX)) {
                    std::thread::park();
                }
            }
        });
        Self { transport, driver: driver.thread().clone(), ended }
    }
}

impl Drop for Driven {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        self.driver.unpark();
    }
}

#[async_trait]
impl Transport for Driven {
    fn present(&self) -> Vec<Rank> {
        self.transport.present()
    }

    fn dispatch(&self, task: &Arc<Task>, to: &[Assignment]) {
        self.transport.dispatch(task, to);
        self.driver.unpark();
    }

    fn cancel(&self, operation: OperationId, ranks: &[Rank]) {
        self.transport.cancel(operation, ranks);
        self.driver.unpark();
    }

    async fn fetch(&self, task: TaskId, range: std::ops::Range<u64>) -> Result<Bytes, FetchError> {
        self.transport.fetch(task, range).await
    }

    fn let_go(&self, task: TaskId) {
        self.transport.let_go(task);
        self.driver.unpark();
    }

    fn settle(&self, operation: OperationId) -> Result<(), memory::Error> {
        self.transport.settle(operation)
    }

    fn release(&self, operation: OperationId, counted: &[Rank]) {
        self.transport.release(operation, counted);
        self.driver.unpark();
    }

    fn events(&self) -> BoxStream<'static, Vec<Event>> {
        self.transport.events()
    }
}

macro_rules! conform {
    ($suite:ident, $under_test:expr, $($test:ident)*) => {$(
        #[test]
        fn $test() {
            $suite::$test($under_test);
        }
    )*};
}

flare_testkit::transport_conforms! { |test: fn(Make<'_>)| {
    test(&|setup| Arc::new(Driven::new(setup)));
} }

/// The same store each time that it is opened.
fn kept<T: ?Sized + 'static>(store: Arc<T>) -> Place<T> {
    Box::new(move || Arc::clone(&store))
}

fn some_blobs() -> Fresh<'static, dyn memory::BlobStore> {
    &|| kept(Arc::new(SimBlobs::default()) as _)
}

fn some_states() -> Fresh<'static, dyn memory::StateStore> {
    &|| kept(Arc::new(SimStates::default()) as _)
}

/// What is left when the power goes, after each so many commits, and with the next one failing or not.
fn power_cuts(commits: &[Vec<Entry>]) -> Vec<Vec<Entry>> {
    let after = |(count, fails): (usize, bool)| {
        let journal = SimJournal::new(Log::default());
        commits[..count].iter().for_each(|commit| journal.append(EPOCH, commit, true).unwrap());
        if let Some(next) = commits.get(count) {
            journal.fail_after(usize::from(!fails));
            assert_eq!(journal.append(EPOCH, next, false).is_err(), fails);
        }
        journal.cut_power();
        journal.entries().unwrap()
    };
    let counts = 0..=commits.len();
    counts.flat_map(|count| [(count, true), (count, false)]).map(after).collect()
}

flare_testkit::journal_conforms! {
    || kept(Arc::new(SimJournal::new(Log::default())) as _), Keeps::All, power_cuts
}

conform! { blobs, some_blobs(),
    b1_a_blob_is_there_until_it_is_left_out
    b2_the_bytes_that_were_put_come_back
    b3_bytes_handed_out_outlive_the_blob
}

conform! { states, some_states(),
    v1_versions_stand_side_by_side
    v2_what_was_settled_is_there_later
    v3_what_was_not_put_is_missing_by_name
    v4_a_release_drops_what_does_not_count
    v4_random_rounds_leave_what_a_plain_map_has
}

/// Plays a test of the suite over a runtime in the simulation.
fn simulated(test: fn(&Rig<'_>)) {
    for schedule in 0..20 {
        let stage = Arc::new(Stage::default());
        let mut setup = Setup::new(roster(), stage.unit());
        setup.schedule = schedule;
        // The post damages replies, and the clients do not know why they are let go of and asked for again.
        setup.strict = false;
        let sim = Sim::new(setup);
        let open = |opening| {
            // What an earlier process left over is gone with it.
            sim.kill_runtime();
            let clients = sim.clone();
            let held = move |_: &SimTransport| clients.held();
            Subject::over(sim.transport(), opening, sim.seams(), held)
        };
        test(&Rig { open: &open, run: &|future| sim.run(future), stage });
    }
}

flare_testkit::operations_conform! { simulated }
