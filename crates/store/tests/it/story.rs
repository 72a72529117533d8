//! A small run: what a runtime does with its folder, step by step. It may be killed at any point, and
//! goes on when it is told again.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use flare_core::Hash;
use flare_core::journal::Entry;
use flare_core::names::Rank;
use flare_core::operation::OperationId;
use flare_store::{Durability, Folder, WritePoint};

use crate::child::{say, setting};
use crate::places::unfinished;
use flare_testkit::conformance::entries::{EPOCH, opened, value};
use flare_testkit::conformance::store::Dice;

/// The point at which the child is to be killed, by name.
pub(crate) const KILL: &str = "FLARE_STORE_TEST_KILL";
/// At which time that it comes there, from 1.
pub(crate) const TIME: &str = "FLARE_STORE_TEST_TIME";
/// Steps of the whole run.
pub(crate) const STEPS: u64 = 4;
/// A step's commit begins and ends with these.
const FIRST: u64 = 1_000_000;
const SECOND: u64 = 2_000_000;

/// Runs in `folder` to the end, or to the point at which it is killed.
pub(crate) fn tell(folder: &Path) {
    let (kill, time) = (setting(KILL), setting(TIME).map_or(1, |time| time.parse().unwrap()));
    let count = AtomicU32::new(0);
    let watch = move |point: WritePoint| {
        let is_it = kill.as_deref() == Some(&format!("{point:?}"));
        if is_it && count.fetch_add(1, Ordering::SeqCst) + 1 == time {
            let this = rustix::process::getpid();
            rustix::process::kill_process(this, rustix::process::Signal::KILL).unwrap();
        }
    };
    let folder = Folder::open_watched(folder, Durability::Power, Arc::new(watch)).unwrap();
    let entries = folder.journal().entries().unwrap();
    let done = steps(&entries).unwrap();
    let epoch =
        1 + entries.iter().filter(|entry| matches!(entry, Entry::Opened { .. })).count() as u64;
    folder.journal().append(epoch, &[opened(epoch)], true).unwrap();
    if done > 0 {
        release(&folder, done - 1);
    }
    for step in done..STEPS {
        prepare(&folder, step);
        folder.journal().append(EPOCH, &[value(FIRST + step), value(SECOND + step)], true).unwrap();
        say(&format!("step {step}"));
        release(&folder, step);
        say(&format!("exported {step}"));
    }
}

/// Everything that a step's commit names.
fn prepare(folder: &Folder, step: u64) {
    folder.journal().append(EPOCH, &[value(step)], false).unwrap();
    for rank in 0..3 {
        folder.states().put(Rank(rank), OperationId(step), state(rank, step)).unwrap();
    }
    folder.states().settle(OperationId(step)).unwrap();
    let blob = blob(step);
    folder.blobs().put(Hash::of(&blob), &blob).unwrap();
}

/// What comes after it. Client 0 counts in the first step only.
fn release(folder: &Folder, step: u64) {
    let counted: &[Rank] = if step == 0 { &[0, 1, 2].map(Rank) } else { &[1, 2].map(Rank) };
    folder.states().release(OperationId(step), counted).unwrap();
    let keep: BTreeSet<Hash> =
        (step.saturating_sub(1)..=step).map(|step| Hash::of(blob(step))).collect();
    folder.blobs().retain(&keep).unwrap();
    folder.export("model.bin", &model(step)).unwrap();
}

/// Small for client 0, so that its version alone is a small part of a segment; else over the limit of
/// what is written in one go.
fn state(rank: u32, step: u64) -> Bytes {
    let size = if rank == 0 { 1_000 } else { 70_000 };
    Dice(step * 10 + u64::from(rank)).bytes(size)
}

fn blob(step: u64) -> Bytes {
    Dice(1_000 + step).bytes([70_000, 100][step as usize % 2])
}

fn model(step: u64) -> Bytes {
    Dice(2_000 + step).bytes(5_000)
}

/// How many steps a journal has; an error when one is not whole, or out of order.
fn steps(entries: &[Entry]) -> Result<u64, String> {
    let mut steps = 0;
    let mut entries = entries.iter();
    while let Some(entry) = entries.next() {
        if *entry == value(FIRST + steps) {
            match entries.next() {
                Some(second) if *second == value(SECOND + steps) => steps += 1,
                other => return Err(format!("step {steps} is followed by {other:?}")),
            }
        } else if !matches!(entry, Entry::Opened { .. }) && *entry != value(steps) {
            return Err(format!("{entry:?} after step {steps}"));
        }
    }
    Ok(steps)
}

/// Opens what is left, after a process that said `lines`; gives how many steps are there.
pub(crate) fn check(folder: &Path, lines: &[String]) -> u64 {
    let last = |word: &str| {
        let numbers = lines.iter().filter_map(|line| line.strip_prefix(word)?.trim().parse().ok());
        numbers.max().map_or(0, |step: u64| step + 1)
    };
    let opened = Folder::open(folder, Durability::Power).unwrap();
    let left = unfinished(folder);
    assert_eq!(left, Vec::<std::path::PathBuf>::new());
    let done = steps(&opened.journal().entries().unwrap()).unwrap();
    let told = last("step");
    assert!(done >= told, "step {told} was told, {done} are there");
    check_contents(&opened, done);
    let exported = last("exported");
    let model = std::fs::read(folder.join("model.bin"));
    let known =
        (0..done).rev().find(|step| model.as_ref().is_ok_and(|bytes| *bytes == self::model(*step)));
    assert!(known.map_or(0, |step| step + 1) >= exported, "{known:?} of {exported}");
    assert_eq!(known.is_none(), model.is_err(), "the exported file is not whole");
    done
}

fn check_contents(folder: &Folder, done: u64) {
    let Some(last) = done.checked_sub(1) else { return };
    for step in last.saturating_sub(1)..=last {
        assert_eq!(folder.blobs().get(Hash::of(blob(step))).unwrap(), blob(step));
    }
    for (rank, head) in [(0, 0), (1, last), (2, last)] {
        let found = folder.states().get(Rank(rank), OperationId(head)).unwrap();
        assert_eq!(found, state(rank, head), "client {rank} after step {head}");
    }
}

/// Checks that nothing is there that a run which was never disturbed would not have.
pub(crate) fn check_end(folder: &Path) {
    assert_eq!(check(folder, &[]), STEPS);
    assert_eq!(std::fs::read(folder.join("model.bin")).unwrap(), model(STEPS - 1));
    let names = |part: &str| {
        let entries = std::fs::read_dir(folder.join(part)).unwrap();
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect::<BTreeSet<_>>()
    };
    let last = STEPS - 1;
    assert_eq!(names("states"), BTreeSet::from(["op-0".into(), format!("op-{last}")]));
    let blobs = [last - 1, last].map(|step| Hash::of(blob(step)).to_string());
    assert_eq!(names("blobs"), BTreeSet::from(blobs));
    let compact = std::fs::metadata(folder.join("states/op-0")).unwrap().len();
    assert!(compact < 2_000, "{compact} bytes hold one version of 1,000");
}
