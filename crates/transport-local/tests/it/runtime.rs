//! The runtime over this transport through a window of one reply: nothing waits for ever.

use std::num::NonZeroUsize;
use std::sync::Arc;

use flare_core::component::ComponentSpec;
use flare_core::federation::Federation;
use flare_core::hash::Hash;
use flare_core::journal::{Run, RunId};
use flare_core::memory::{MemoryBlobs, MemoryJournal};
use flare_core::names::{Name, Roster};
use flare_core::operation::{Gather, OperationSpec, TaskSpec};
use flare_core::runtime::{Home, Limits, Options, Runtime};
use flare_executor::PoolOptions;
use flare_transport_local::LocalTransport;
use futures::executor::block_on;

use flare_testkit::conformance::stage::{Stage, floats};
use flare_testkit::conformance::threads;

fn federation(clients: u32) -> Federation {
    let roster = Roster::counted(clients).unwrap();
    let mut options = PoolOptions::new(roster.clone(), 0, Arc::new(Stage::default()).unit());
    options.workers = NonZeroUsize::new(3).unwrap();
    (options.reply_window, options.window_bytes) = (1, 0);
    let transport = Arc::new(LocalTransport::new(options).unwrap());
    let run = Run {
        id: RunId(1),
        job: Name::new("narrow").unwrap(),
        job_hash: Hash::of([]),
        seed: 0,
        roster,
        units: Vec::new(),
    };
    let home = Home {
        journal: Arc::new(MemoryJournal::default()),
        blobs: Arc::new(MemoryBlobs::default()),
        keep_checkpoints: 1,
    };
    let limits = Limits { reply_window: 1, window_bytes: 0, ..Limits::default() };
    let options = Options { limits, ..Options::default() };
    Federation::new(Runtime::open(run, transport, home, threads::seams(), options).unwrap())
}

#[test]
fn every_reply_comes_through_a_window_of_one_folded_or_kept() {
    let federation = federation(12);
    let model = floats(25_000);
    let input = model.clone().into();
    let spec =
        OperationSpec::broadcast(TaskSpec { name: "echo".into(), input, ..TaskSpec::default() });
    for _ in 0..2 {
        let kept = block_on(federation.broadcast_and_wait(spec.clone())).unwrap();
        assert_eq!(kept.record.counted().len(), 12);
        let replies = block_on(federation.replies(&kept)).unwrap();
        assert!(replies.len() == 12 && replies.iter().all(|reply| reply.tensors == model));
        let gather = Gather::Aggregate(ComponentSpec::plain("weighted-mean"));
        let folded = block_on(federation.aggregate(OperationSpec { gather, ..spec.clone() }));
        assert_eq!(folded.unwrap().aggregate, Some(model.clone()));
    }
}
