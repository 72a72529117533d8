//! Prints what a commit costs, and how large the journal of a run like the digits job is. Takes a folder to
//! work in; it must be on the disk that is to be measured.
#![allow(clippy::disallowed_methods, clippy::print_stdout)] // measures by the wall clock, for people

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use flare_core::Hash;
use flare_core::journal::{Entry, Error};
use flare_core::metric::{Direction, MeanMetric, Metric, Metrics};
use flare_core::names::{Name, Rank};
use flare_core::operation::{Key, OperationId, OperationSpec, TaskSpec};
use flare_core::outcome::{ClientEnd, CountedReply, End, Gathered, Record};
use flare_core::sums::Weight;
use flare_store::{Durability, Folder};

const ROUNDS: u64 = 100;
const CLIENTS: u32 = 10;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).ok_or("usage: commit_speed FOLDER")?;
    let folder = tempfile::tempdir_in(folder)?;
    let opened = Folder::open(folder.path(), Durability::Process)?;
    let start = Instant::now();
    for round in 0..ROUNDS {
        operation(&opened, 3 * round, &format!("train-{round}"), CLIENTS)?;
        operation(&opened, 3 * round + 1, &format!("evaluate-{round}"), CLIENTS)?;
        operation(&opened, 3 * round + 2, &format!("held-out-{round}"), 1)?;
        let entry = Entry::Checkpoint { state: vec![7; 200], pins: vec![], ordinals: 0 };
        opened.journal().append(0, &[entry], true)?;
    }
    let took = start.elapsed();
    let size = std::fs::metadata(folder.path().join("journal"))?.len();
    println!("{ROUNDS} rounds of {CLIENTS} clients: {size} bytes of journal, {took:.1?} in it");
    for clients in [10, 1_000, 100_000] {
        measure(&opened, clients)?;
    }
    states(folder.path(), &opened)
}

/// An operation as a runtime journals it: begun, ended, released.
fn operation(folder: &Folder, number: u64, label: &str, clients: u32) -> Result<(), Error> {
    let label = Name::new(label).unwrap_or_else(|error| panic!("{error}"));
    let key = Key::Label(label);
    let selected: Vec<Rank> = (0..clients).map(Rank).collect();
    let digest = OperationSpec::broadcast(TaskSpec::default()).digest(&selected, Hash::of(b""));
    let operation = OperationId(number);
    let started = Entry::Started { operation, key: key.clone(), digest: digest.clone(), selected };
    let record = Record {
        operation,
        key,
        round: Some(number),
        task: "train".into(),
        digest,
        unit: Hash::of(b"unit"),
        timed: false,
        deadline_anew: false,
        ends: (0..clients).map(end).collect(),
        duration: Duration::from_millis(7),
        metrics: metrics(),
        total_weight: 1_437.0,
        result: Ok(Gathered::Aggregate { tensors: Hash::of(b"aggregate") }),
    };
    folder.journal().append(0, &[started], true)?;
    folder.journal().append(0, &[Entry::Ended(Arc::new(record))], true)?;
    folder.journal().append(0, &[Entry::Released { operation }], false)
}

fn end(rank: u32) -> ClientEnd {
    let metric =
        |name: &str, direction| Metric { name: name.into(), value: 0.9, weight: 143.0, direction };
    let metrics =
        [metric("accuracy", Direction::HigherIsBetter), metric("loss", Direction::LowerIsBetter)];
    let reply = CountedReply {
        weight: Weight::Count(143),
        metrics: metrics.into(),
        tensors: Hash::of(rank.to_le_bytes()),
        bytes: 2_800,
        headers: [].into(),
        wrote_state: false,
    };
    let (attempts, after) = (1, Duration::from_micros(812));
    ClientEnd { rank: Rank(rank), attempts, after, end: End::Counted(reply) }
}

fn metrics() -> Metrics {
    let mean = |direction| MeanMetric { value: 0.9, weight: 1_437.0, direction };
    let accuracy = ("accuracy".into(), mean(Direction::HigherIsBetter));
    [accuracy, ("loss".into(), mean(Direction::LowerIsBetter))].into()
}

fn measure(folder: &Folder, clients: u32) -> Result<(), Error> {
    let mut times: Vec<Duration> = Vec::new();
    for number in 0..21 {
        let start = Instant::now();
        operation(folder, 1_000 + number, "measured", clients)?;
        times.push(start.elapsed());
    }
    times.sort();
    println!("an operation of {clients} clients, 2 synced commits: {:.2?} (median)", times[10]);
    Ok(())
}

/// Many clients with small states.
fn states(path: &Path, folder: &Folder) -> Result<(), Box<dyn std::error::Error>> {
    let (count, version) = (1_000_000, OperationId(0));
    let states = folder.states();
    let start = Instant::now();
    for rank in 0..count {
        states.put(Rank(rank), version, vec![1; 100].into())?;
    }
    states.settle(version)?;
    let put = start.elapsed();
    let size = std::fs::metadata(path.join("states/op-0"))?.len();
    println!("{count} states of 100 bytes: put and settled in {put:.2?}, {size} bytes in one file");
    Ok(())
}
