//! What a journal owes: J1 to J6.

use flare_core::journal::{Entry, Error, Journal};

use super::entries::{EPOCH, checkpoint, ended, opened, run, started, value};
use super::store::Fresh;

/// Appends commits to a fresh journal, lets a crash happen in every way it knows, and gives what each left.
pub type Crash<'a> = &'a dyn Fn(&[Vec<Entry>]) -> Vec<Vec<Entry>>;

/// Whether a journal may forget.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Keeps {
    /// All entries.
    All,
    /// Not necessarily ended operations before the last checkpoint.
    SinceCheckpoint,
}

/// What was appended is there, in the order of the calls and within them.
pub fn j1_what_was_appended_is_kept_in_order(fresh: Fresh<dyn Journal>) {
    let place = fresh();
    let journal = place();
    assert_eq!(journal.entries().unwrap(), []);
    let mut all = Vec::new();
    for number in 0..20 {
        let commit: Vec<Entry> = (0..number % 4).map(|part| value(number * 10 + part)).collect();
        journal.append(EPOCH, &commit, number % 3 == 0).unwrap();
        all.extend(commit);
        assert_eq!(journal.entries().unwrap(), all);
    }
}

/// For a place where a write must fail at some time: what was kept stays, nothing of the failed commit is
/// there, and no smaller one comes after it. Gives the error.
pub fn j1_after_an_error_every_append_fails(fresh: Fresh<dyn Journal>) -> Error {
    let place = fresh();
    let journal = place();
    let mut kept = vec![run()];
    journal.append(EPOCH, &kept, true).unwrap();
    let error = loop {
        let commit = [value(kept.len() as u64), value(5_000)];
        match journal.append(EPOCH, &commit, true) {
            Ok(()) => kept.extend(commit),
            Err(error) => break error,
        }
        assert!(kept.len() < 1_000_000, "no write fails here");
    };
    for sync in [true, false] {
        let again = journal.append(EPOCH, &[opened(1)], sync).unwrap_err();
        assert_eq!(again.to_string(), error.to_string());
    }
    assert_eq!(journal.entries().unwrap(), kept);
    drop(journal);
    assert_eq!(place().entries().unwrap(), kept);
    error
}

/// After any crash a journal has the first so many commits, and nothing of the next.
pub fn j2_a_commit_is_there_whole_or_not_at_all(crash: Crash<'_>) {
    let commits = [
        vec![run(), opened(1)],
        vec![value(1)],
        vec![value(2), started(0), value(300)],
        vec![ended(0), opened(2)],
    ];
    let wholes: Vec<Vec<Entry>> =
        (0..=commits.len()).map(|count| commits[..count].concat()).collect();
    let found = crash(&commits);
    assert!(!found.is_empty());
    for (case, entries) in found.iter().enumerate() {
        assert!(wholes.contains(entries), "crash {case} left {entries:#?}");
    }
    assert_eq!(found.last(), wholes.last(), "the last crash comes after all commits");
}

/// Processes that come later see what those before them appended, and go on behind it.
pub fn j3_later_processes_go_on_where_others_stopped(fresh: Fresh<dyn Journal>) {
    let place = fresh();
    let mut all = Vec::new();
    for process in 1..5 {
        let journal = place();
        assert_eq!(journal.entries().unwrap(), all);
        for commit in [vec![opened(process)], vec![value(process), value(process + 100)]] {
            journal.append(EPOCH, &commit, true).unwrap();
            all.extend(commit);
        }
        assert_eq!(journal.entries().unwrap(), all);
    }
}

/// Entries that were not synced are there with those that were, in their order.
pub fn j4_a_synced_commit_makes_those_before_it_durable(fresh: Fresh<dyn Journal>) {
    let place = fresh();
    let journal = place();
    journal.append(EPOCH, &[value(1)], false).unwrap();
    journal.append(EPOCH, &[value(2)], false).unwrap();
    journal.append(EPOCH, &[], true).unwrap();
    journal.append(EPOCH, &[value(3)], true).unwrap();
    drop(journal);
    assert_eq!(place().entries().unwrap(), [value(1), value(2), value(3)]);
}

/// At most ended operations before the last checkpoint are forgotten, and older checkpoints.
pub fn j5_only_ended_operations_before_a_checkpoint_are_forgotten(
    fresh: Fresh<dyn Journal>,
    keeps: Keeps,
) {
    let place = fresh();
    let journal = place();
    let must = [
        vec![run(), opened(1), value(7)],
        vec![started(1)],
        vec![checkpoint(2), value(8), started(2), ended(2)],
    ];
    let may = [vec![started(0), ended(0)], vec![checkpoint(1), started(3), ended(3)], vec![]];
    let mut all = Vec::new();
    for (must, may) in must.iter().zip(&may) {
        for commit in [may, must] {
            journal.append(EPOCH, commit, true).unwrap();
            all.extend_from_slice(commit);
        }
    }
    let found = journal.entries().unwrap();
    let must = must.concat();
    let needed: Vec<Entry> = found.iter().filter(|entry| must.contains(entry)).cloned().collect();
    assert_eq!(needed, must, "something that is needed was forgotten, or moved");
    let known = |entry: &Entry| matches!(entry, Entry::Forgot { .. }) || all.contains(entry);
    assert!(found.iter().all(known), "something was made up");
    if keeps == Keeps::All {
        assert_eq!(found, all);
    }
}

/// Who opens the run takes it over, in this process or a later one: nobody of an earlier epoch, or of the same,
/// writes any more.
pub fn j6_who_was_taken_over_appends_nothing(fresh: Fresh<dyn Journal>) {
    let place = fresh();
    let journal = place();
    let mut kept = Vec::new();
    for epoch in [1, 2] {
        for commit in [[opened(epoch)], [value(epoch)]] {
            journal.append(epoch, &commit, true).unwrap();
            kept.extend(commit);
        }
    }
    let refuses = |journal: &dyn Journal, kept: &[Entry], last: u64| {
        let late = [vec![value(7)], vec![], vec![value(8), opened(last - 1)]];
        let late = late.into_iter().map(|commit| (last - 1, commit));
        // Two opened it at once, and the other was faster.
        for (epoch, commit) in late.chain([(last, vec![opened(last)])]) {
            match journal.append(epoch, &commit, true) {
                Err(Error::TakenOver { epoch }) => assert_eq!(epoch, last),
                other => panic!("{other:?} of {commit:?} by epoch {epoch}"),
            }
            assert_eq!(journal.entries().unwrap(), kept);
        }
    };
    refuses(&*journal, &kept, 2);
    drop(journal);
    let journal = place();
    refuses(&*journal, &kept, 2);
    // Those of the last epoch do not notice.
    journal.append(2, &[value(9)], true).unwrap();
    journal.append(3, &[opened(3)], true).unwrap();
    kept.extend([value(9), opened(3)]);
    refuses(&*journal, &kept, 3);
}
