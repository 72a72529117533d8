//! One round, as far as its operations tell.

use std::collections::BTreeMap;
use std::time::Duration;

use flare::names::Roster;
use flare::outcome::Record;

/// The task by which clients train.
const TRAIN: &str = "train";

/// What is known of a round.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Round {
    /// Its number, from 1.
    pub(super) round: u64,
    /// Clients that were asked to train.
    pub(super) asked: u64,
    /// Those whose updates count.
    pub(super) counted: u64,
    /// The size of all replies that count, in bytes.
    pub(super) bytes: u64,
    /// The time of its operations.
    pub(super) duration: Duration,
    /// Accuracy and its like: the mean, and how much it is worth.
    metrics: BTreeMap<String, (Worth, f64)>,
}

/// How much a metric says of the new model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Worth {
    /// Measured while training, so of models on their way.
    Trained,
    /// Measured by clients.
    Evaluated,
    /// Measured on rows that no client has.
    HeldOut,
}

impl Round {
    /// A round of which nothing is known yet.
    pub(super) fn new(round: u64) -> Self {
        Self { round, ..Self::default() }
    }

    /// Accuracy, a share.
    pub(super) fn accuracy(&self) -> Option<f64> {
        self.metric("accuracy")
    }

    /// Loss.
    pub(super) fn loss(&self) -> Option<f64> {
        self.metric("loss")
    }

    fn metric(&self, name: &str) -> Option<f64> {
        self.metrics.get(name).map(|(_, mean)| *mean)
    }

    /// Takes in an operation of this round.
    pub(super) fn take(&mut self, record: &Record, roster: &Roster) {
        let counted = record.counted();
        let held_out = counted.iter().all(|(rank, _)| *rank == roster.held_out());
        let worth = match &*record.task {
            TRAIN => Worth::Trained,
            _ if held_out => Worth::HeldOut,
            _ => Worth::Evaluated,
        };
        if worth == Worth::Trained {
            self.asked += record.ends.len() as u64;
            self.counted += counted.len() as u64;
        }
        self.bytes += counted.iter().map(|(_, reply)| reply.bytes).sum::<u64>();
        self.duration += record.duration;
        for (name, mean) in &record.metrics {
            let known = self.metrics.get(&**name).map(|(worth, _)| *worth);
            if known.is_none_or(|known| known <= worth) {
                self.metrics.insert(name.to_string(), (worth, mean.value));
            }
        }
    }
}
