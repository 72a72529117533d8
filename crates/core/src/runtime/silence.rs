//! From which running clients nothing was heard for too long: each is told of once per silence, and only a deadline
//! ends it (contract 36).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::clock::Timestamp;
use crate::transport::TaskId;

/// So many times within `idle` is looked at most.
const LOOKS: u32 = 30;
/// No more often than this.
const LEAST_STEP: Duration = Duration::from_millis(1);

/// The silences of one operation.
#[derive(Debug)]
pub(super) struct Silence {
    idle: Duration,
    /// When those began of whom nothing else is known.
    since: Timestamp,
    /// When others were heard of, seen at work, or asked again.
    heard: BTreeMap<TaskId, Timestamp>,
    told: BTreeSet<TaskId>,
    next: Option<Timestamp>,
}

impl Silence {
    pub(super) fn new(now: Timestamp, idle: Duration) -> Self {
        let next = Some(now.after(step(idle)));
        Self { idle, since: now, heard: BTreeMap::new(), told: BTreeSet::new(), next }
    }

    /// When [`Silence::silent`] should be asked next.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.next
    }

    /// A client was heard of, or is asked: a silence begins anew.
    pub(super) fn hear(&mut self, now: Timestamp, task: TaskId) {
        self.told.remove(&task);
        self.heard.insert(task, now);
        let soon = now.after(step(self.idle));
        self.next = Some(self.next.map_or(soon, |next| next.min(soon)));
    }

    /// Those from whom nothing was heard for `idle`. Where clients wait for their turn, `at_work` are all tasks
    /// that do not, and a silence begins when a task is first seen among them.
    pub(super) fn silent(
        &mut self,
        now: Timestamp,
        running: impl Fn(TaskId) -> bool,
        all: impl FnOnce() -> Vec<TaskId>,
        at_work: Option<Vec<TaskId>>,
    ) -> Vec<TaskId> {
        let waits = at_work.is_some();
        let tasks = at_work.unwrap_or_else(all);
        if waits {
            // Who waits again is heard of anew when its turn comes.
            self.heard.retain(|task, _| tasks.contains(task));
        }
        let since = if waits { now } else { self.since };
        let (mut silent, mut soonest) = (Vec::new(), None::<Timestamp>);
        for task in tasks.into_iter().filter(|task| running(*task)) {
            if self.told.contains(&task) {
                continue;
            }
            let heard = *self.heard.entry(task).or_insert(since);
            let due = heard.after(self.idle);
            if due <= now {
                self.told.insert(task);
                silent.push(task);
            } else {
                soonest = Some(soonest.map_or(due, |soonest| soonest.min(due)));
            }
        }
        let step = now.after(step(self.idle));
        // Who waits now may begin at any time.
        self.next = if waits { Some(step) } else { soonest.map(|soonest| soonest.max(step)) };
        silent
    }
}

fn step(idle: Duration) -> Duration {
    (idle / LOOKS).max(LEAST_STEP)
}

#[cfg(test)]
mod tests {
    use crate::names::Rank;
    use crate::operation::OperationId;

    use super::*;

    const ALL: [TaskId; 2] = [task(0), task(1)];

    const fn task(rank: u32) -> TaskId {
        TaskId { operation: OperationId(0), stop: 0, rank: Rank(rank) }
    }

    /// Who is told at a time in milliseconds, where it was told to look then.
    fn silent(silence: &mut Silence, millis: u64, at_work: Option<&[TaskId]>) -> Vec<u32> {
        let now = Timestamp::default().after(Duration::from_millis(millis));
        if silence.next().is_none_or(|next| next > now) {
            return Vec::new();
        }
        let at_work = at_work.map(<[TaskId]>::to_vec);
        let silent = silence.silent(now, |_| true, || ALL.to_vec(), at_work);
        silent.into_iter().map(|task| task.rank.0).collect()
    }

    fn fresh() -> Silence {
        Silence::new(Timestamp::default(), Duration::from_millis(300))
    }

    #[test]
    fn each_silence_is_told_once() {
        let mut silence = fresh();
        let told: Vec<_> = (0..2_000).map(|now| silent(&mut silence, now, None)).collect();
        let at = |millis: usize| told[millis].clone();
        assert_eq!((at(300), told.concat()), (vec![0, 1], vec![0, 1]));
        assert_eq!(silence.next(), None);
        silence.hear(Timestamp::default().after(Duration::from_secs(2)), task(1));
        let again: Vec<_> = (2_000..9_000).map(|now| silent(&mut silence, now, None)).collect();
        assert_eq!((again[300].clone(), again.concat()), (vec![1], vec![1]));
    }

    #[test]
    fn who_waits_for_its_turn_is_silent_when_it_had_it() {
        let mut silence = fresh();
        let mut told = Vec::new();
        for now in 0..5_000 {
            let at_work: &[TaskId] = if now < 1_000 { &ALL[..1] } else { &ALL };
            let silent = silent(&mut silence, now, Some(at_work));
            told.extend(silent.into_iter().map(|rank| (rank, now)));
        }
        let [(0, first), (1, second)] = told[..] else { panic!("{told:?}") };
        assert!((300..=320).contains(&first), "{first}");
        assert!((1_300..=1_320).contains(&second), "{second}");
    }
}
