//! Entries to write: small ones of most kinds, told apart by a number.

use std::sync::Arc;
use std::time::Duration;

use flare_core::Hash;
use flare_core::journal::{Entry, Run, RunId};
use flare_core::metric::Metrics;
use flare_core::names::{Name, Rank, Roster};
use flare_core::operation::{Key, OperationId, OperationSpec, SpecDigest, TaskSpec};
use flare_core::outcome::{Gathered, Record};

/// The epoch of who appends: a later one than any that these entries open.
pub const EPOCH: u64 = 1_000;

/// The run itself.
pub fn run() -> Entry {
    Entry::Run(Run {
        id: RunId(7),
        job: Name::new("job").unwrap(),
        job_hash: Hash::of(b"job"),
        seed: 1,
        roster: Roster::counted(3).unwrap(),
        units: vec![("fedavg".into(), Hash::of(b"unit"))],
    })
}

/// A process opened it.
pub fn opened(epoch: u64) -> Entry {
    Entry::Opened { epoch }
}

/// A value of `number % 1000` bytes and a few more.
pub fn value(number: u64) -> Entry {
    let value = vec![number as u8; (number % 1000) as usize];
    Entry::Value { name: format!("value-{number}"), value }
}

/// An operation was begun.
pub fn started(number: u64) -> Entry {
    let selected = vec![Rank(0), Rank(2)];
    Entry::Started { operation: OperationId(number), key: key(number), digest: digest(), selected }
}

/// The same operation ended.
pub fn ended(number: u64) -> Entry {
    Entry::Ended(Arc::new(Record {
        operation: OperationId(number),
        key: key(number),
        round: Some(number),
        task: "train".into(),
        digest: digest(),
        unit: Hash::of(b"unit"),
        timed: false,
        deadline_anew: false,
        ends: Vec::new(),
        duration: Duration::from_millis(5),
        metrics: Metrics::default(),
        total_weight: 3.0,
        result: Ok(Gathered::Aggregate { tensors: Hash::of(number.to_le_bytes()) }),
    }))
}

/// A checkpoint.
pub fn checkpoint(number: u64) -> Entry {
    let pins = vec![Hash::of(number.to_le_bytes())];
    Entry::Checkpoint { state: vec![number as u8], pins, ordinals: number }
}

fn key(number: u64) -> Key {
    Key::Label(Name::new(&format!("train-{number}")).unwrap())
}

fn digest() -> SpecDigest {
    OperationSpec::broadcast(TaskSpec::default()).digest(&[Rank(0)], Hash::of(b"filters"))
}
