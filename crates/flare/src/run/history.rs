//! What happened in a run round by round: for tables, curves and reports.

use flare_core::executor::TRAIN;
use flare_core::names::Rank;
use flare_core::outcome::{CountedReply, Record};
use serde::Serialize;

/// What happened in a run, round by round. It grows by some hundred bytes a round, whatever the number
/// of clients.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct History {
    /// The rounds, ascending.
    pub rounds: Vec<Round>,
    /// Whether the clock decided in any operation who counts.
    pub timed: bool,
}

/// One round: what a curve has one point for.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Round {
    /// The round, from 1.
    pub round: u64,
    /// Mean loss: of the evaluation on held-out rows, else by clients, else of training.
    pub loss: Option<f64>,
    /// Accuracy, likewise.
    pub accuracy: Option<f64>,
    /// How the clients' own accuracies lie, in their evaluation or else in training.
    pub accuracy_spread: Option<Spread>,
    /// How their own losses lie, likewise.
    pub loss_spread: Option<Spread>,
    /// Clients asked to train.
    pub asked: usize,
    /// Clients whose update counts.
    pub counted: usize,
    /// Seconds of its operations.
    pub seconds: f64,
    /// Bytes of tensors in the replies that count.
    pub bytes: u64,
    #[serde(skip)]
    measured: Seat,
    #[serde(skip)]
    spread_by: Seat,
}

/// How values lie: quartiles by linear interpolation between the two nearest.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// The least.
    pub min: f64,
    /// A quarter is below.
    pub lower: f64,
    /// Half is below.
    pub median: f64,
    /// Three quarters are below.
    pub upper: f64,
    /// The greatest.
    pub max: f64,
}

/// Who measured; a later one is believed before an earlier one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Seat {
    #[default]
    Nobody,
    Training,
    Clients,
    HeldOut,
}

impl History {
    /// Takes in an operation that ended; `held_out` is the seat of the held-out rows.
    pub(super) fn take(&mut self, record: &Record, held_out: Rank) {
        self.timed |= record.timed;
        let Some(round) = record.round.filter(|_| record.result.is_ok()) else { return };
        let index = match self.rounds.binary_search_by_key(&round, |known| known.round) {
            Ok(index) => index,
            Err(index) => {
                self.rounds.insert(index, Round { round, ..Round::default() });
                index
            }
        };
        self.rounds[index].take(record, held_out);
    }

    /// How many rounds trained.
    pub(crate) fn trained(&self) -> u64 {
        self.rounds.iter().filter(|round| round.asked > 0).count() as u64
    }
}

impl Round {
    fn take(&mut self, record: &Record, held_out: Rank) {
        let counted = record.counted();
        let seat = if *record.task == *TRAIN {
            Seat::Training
        } else if counted.iter().all(|(rank, _)| *rank == held_out) {
            Seat::HeldOut
        } else {
            Seat::Clients
        };
        self.seconds += record.duration.as_secs_f64();
        self.bytes += counted.iter().map(|(_, reply)| reply.bytes).sum::<u64>();
        if seat == Seat::Training {
            self.asked += record.ends.len();
            self.counted += counted.len();
        }
        let mean = |name: &str| record.metrics.get(name).map(|mean| mean.value);
        if seat >= self.measured && (mean("accuracy").is_some() || mean("loss").is_some()) {
            (self.accuracy, self.loss, self.measured) = (mean("accuracy"), mean("loss"), seat);
        }
        if seat != Seat::HeldOut && seat >= self.spread_by {
            let spread = |metric| Spread::of(&counted, metric);
            let (accuracy, loss) = (spread("accuracy"), spread("loss"));
            if accuracy.is_some() || loss.is_some() {
                (self.accuracy_spread, self.loss_spread) = (accuracy, loss);
                self.spread_by = seat;
            }
        }
    }
}

impl Spread {
    /// How the values of a metric lie over clients; `None` if nobody has it.
    fn of(counted: &[(Rank, &CountedReply)], metric: &str) -> Option<Self> {
        let metrics = counted.iter().flat_map(|(_, reply)| reply.metrics.iter());
        let values = metrics.filter(|found| *found.name == *metric && !found.value.is_nan());
        let mut values: Vec<f64> = values.map(|found| found.value).collect();
        values.sort_by(f64::total_cmp);
        let last = values.len().checked_sub(1)? as f64;
        let at = |share: f64| {
            let place = share * last;
            let (low, high) = (values[place.floor() as usize], values[place.ceil() as usize]);
            low + (high - low) * (place - place.floor())
        };
        Some(Self { min: at(0.0), lower: at(0.25), median: at(0.5), upper: at(0.75), max: at(1.0) })
    }
}
