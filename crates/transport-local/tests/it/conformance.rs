//! The local transport passes the suite, whatever the number of its workers.

use std::num::NonZeroUsize;
use std::sync::Arc;

use flare_core::journal::StateStore;
use flare_core::memory::MemoryStates;
use flare_core::transport::Transport;
use flare_executor::PoolOptions;
use flare_testkit::conformance::operations::{Rig, Subject, roster};
use flare_testkit::conformance::threads;
use flare_transport_local::LocalTransport;
use futures::future::LocalBoxFuture;

use flare_testkit::conformance::stage::{Setup, Stage};
use flare_testkit::conformance::transport::Make;

/// The options for a pool of `workers` that keeps few executors.
pub(crate) fn options(setup: Setup, workers: usize) -> PoolOptions {
    let mut options = PoolOptions::new(setup.roster, 0, setup.unit);
    options.workers = NonZeroUsize::new(workers).unwrap();
    options.states = setup.states;
    options.reply_out = setup.reply_out;
    options
}

fn with_workers(test: fn(Make<'_>)) {
    for workers in [1, 2, 7] {
        test(&|setup| -> Arc<dyn Transport> {
            Arc::new(LocalTransport::new(options(setup, workers)).unwrap())
        });
    }
}

flare_testkit::transport_conforms! { with_workers }

/// Plays a test of the suite of operations over a runtime with this transport.
fn over_threads(test: fn(&Rig<'_>)) {
    let stage = Arc::new(Stage::default());
    let states: Arc<dyn StateStore> = Arc::new(MemoryStates::default());
    let open = |opening| {
        let (unit, states) = (stage.unit(), Arc::clone(&states));
        let setup = Setup { roster: roster(), unit, states, reply_out: Arc::new([]) };
        let transport = Arc::new(LocalTransport::new(options(setup, 2)).unwrap());
        Subject::over(transport, opening, threads::seams(), |it| it.in_use().0)
    };
    let run = |future: LocalBoxFuture<'_, ()>| futures::executor::block_on(future);
    test(&Rig { open: &open, run: &run, stage: Arc::clone(&stage) });
}

flare_testkit::operations_conform! { over_threads }
