//! A journal that was written once, and must be read for as long as its format's version stands.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use flare_core::Hash;
use flare_core::journal::Entry;
use flare_core::metric::{Direction, MeanMetric, Metric};
use flare_core::names::{Name, Rank, Roster};
use flare_core::operation::{Key, OperationId};
use flare_core::outcome::{Cause, ClientEnd, CountedReply, End, Failure, Gathered, Record};
use flare_core::sums::Weight;

use crate::places::{folder, open};
use flare_testkit::conformance::entries::{EPOCH, checkpoint, ended, opened, run, started, value};

/// Set to write the fixture anew, after a change of entries that raised `frame::FORMAT.version` (or that
/// came before the first release).
const WRITE: &str = "FLARE_STORE_TEST_WRITE";

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fixtures/journal-1.bin")
}

#[test]
fn a_journal_that_was_written_earlier_reads_as_it_did() {
    let folder = folder();
    let path = folder.path().join("journal");
    if std::env::var_os(WRITE).is_some() {
        let journal = open(folder.path()).journal();
        entries()
            .iter()
            .for_each(|entry| journal.append(EPOCH, std::slice::from_ref(entry), true).unwrap());
        fs::copy(&path, fixture()).unwrap();
    }
    drop(open(folder.path()));
    fs::copy(fixture(), &path).unwrap();
    let found = open(folder.path()).journal().entries();
    let advice =
        "entries are written otherwise than before: raise the version of the journal's format";
    assert_eq!(found.expect(advice), entries(), "{advice}");
}

#[test]
fn the_earlier_journal_has_an_entry_of_each_kind() {
    let mut kinds: Vec<usize> = entries().iter().map(kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    assert!(kinds.iter().copied().eq(0..10), "{kinds:?}: add the new kind to the entries below");
}

/// To list a new kind here is to be asked for one of it below.
fn kind(entry: &Entry) -> usize {
    match entry {
        Entry::Run(_) => 0,
        Entry::Opened { .. } => 1,
        Entry::Started { .. } => 2,
        Entry::Stop { .. } => 3,
        Entry::Ended(_) => 4,
        Entry::Concluded { .. } => 5,
        Entry::Released { .. } => 6,
        Entry::Checkpoint { .. } => 7,
        Entry::Value { .. } => 8,
        Entry::Forgot { .. } => 9,
    }
}

fn entries() -> Vec<Entry> {
    let operation = OperationId(3);
    let value_hash = Hash::of(b"value");
    let stop = ClientEnd {
        rank: Rank(2),
        attempts: 3,
        after: Duration::from_nanos(1_500_000_001),
        end: End::Failed(Cause::Environment("lost".into())),
    };
    let mut all = vec![run(), listed(), opened(300), started(3)];
    all.push(Entry::Stop { operation, stop: 70_000, end: stop });
    all.extend([ended(3), full(Ok(Gathered::Replies)), full(Ok(concluded())), failed()]);
    all.push(Entry::Concluded { operation, value: value_hash });
    all.extend([Entry::Released { operation }, checkpoint(5), value(6)]);
    let heads = [(Rank(0), operation), (Rank(70_000), OperationId(300))].into();
    all.push(Entry::Forgot { heads });
    all
}

fn listed() -> Entry {
    let Entry::Run(mut run) = run() else { unreachable!() };
    let names = ["b", "a"].map(|name| Name::new(name).unwrap());
    run.roster = Roster::listed(names).unwrap();
    Entry::Run(run)
}

fn concluded() -> Gathered {
    Gathered::Concluded { value: Hash::of(b"concluded") }
}

fn failed() -> Entry {
    let causes =
        vec![("client-0".into(), Cause::Panic("index".into())), ("b".into(), Cause::TimedOut)];
    full(Err(Failure::TooFew { counted: 1, needed: 2, causes }))
}

/// A record with something in every field.
fn full(result: Result<Gathered, Failure>) -> Entry {
    let Entry::Ended(record) = ended(9) else { unreachable!() };
    let mean = MeanMetric { value: 0.1, weight: 2.5, direction: Direction::LowerIsBetter };
    let causes = [
        Cause::Error("e".into()),
        Cause::Refused("r".into()),
        Cause::Gone("g".into()),
        Cause::NotNeeded,
        Cause::Cancelled,
        Cause::NotReached,
    ];
    let failures = causes.map(End::Failed).into_iter();
    let ends = failures.chain([counted()]).zip(0..).map(|(end, rank)| {
        let after = Duration::from_millis(u64::from(rank) * 700);
        ClientEnd { rank: Rank(rank), attempts: 1, after, end }
    });
    Entry::Ended(Arc::new(Record {
        key: Key::Ordinal(1 << 40),
        round: None,
        timed: true,
        deadline_anew: true,
        ends: ends.collect(),
        metrics: [("loss".into(), mean)].into(),
        result,
        ..Record::clone(&record)
    }))
}

fn counted() -> End {
    let metric = Metric::new("accuracy", 0.75, 143.0, Direction::HigherIsBetter).unwrap();
    End::Counted(CountedReply {
        weight: Weight::Count(1 << 63),
        metrics: [metric].into(),
        tensors: Hash::of(b"tensors"),
        bytes: 1 << 33,
        headers: [1, 2, 3].into(),
        wrote_state: true,
    })
}
