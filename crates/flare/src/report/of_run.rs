//! The report of a run, made from what the run came to.

use flare_core::journal::Run;

use super::scale::Measure;
use super::{Report, Round, Spread};
use crate::run::{self, History, Summary, Who};

impl Report {
    /// What a report of this run shows.
    pub fn of(summary: &Summary) -> Self {
        let receipt = serde_json::to_string_pretty(&summary.receipt);
        let clients = match &summary.receipt.roster {
            Who::Count(count) => u64::from(*count),
            Who::Names(names) => names.len() as u64,
        };
        Self {
            job: summary.job.clone(),
            seed: summary.receipt.seed,
            clients,
            exact: summary.exact,
            finished: true,
            figures: figures(summary).into_iter().chain(further(summary)).collect(),
            rounds: summary.history.rounds.iter().map(Round::of).collect(),
            receipt: receipt.unwrap_or_default(),
        }
    }

    /// What a report shows of a run that did not come to its end: the rounds that did.
    pub(crate) fn unfinished(run: &Run, history: &History) -> Self {
        let figures = vec![("rounds".to_owned(), history.trained().to_string())];
        Self {
            job: run.job.to_string(),
            seed: run.seed,
            clients: run.roster.len() as u64,
            exact: !history.timed,
            finished: false,
            figures,
            rounds: history.rounds.iter().map(Round::of).collect(),
            receipt: String::new(),
        }
    }
}

/// The closing table of a run: what, and its value as people read it. What is not known is a dash.
pub fn figures(summary: &Summary) -> Vec<(String, String)> {
    let share = |share: Option<f64>| share.map_or_else(|| "-".into(), |s| Measure::Share.shown(s));
    let figures = [
        ("accuracy of the federation", share(summary.accuracy)),
        ("accuracy with all data in one place", share(summary.central_accuracy)),
        ("mean accuracy of the clients' own models", share(summary.clients_alone_accuracy)),
        ("rounds", summary.rounds.to_string()),
        ("model hash", summary.model_hash.to_string()),
        ("time", Measure::Seconds.shown(summary.seconds)),
        ("peak memory", Measure::Bytes.shown(summary.peak_rss_bytes as f64)),
    ];
    figures.map(|(what, value)| (what.to_owned(), value)).into()
}

/// What else was measured of the model.
fn further(summary: &Summary) -> impl Iterator<Item = (String, String)> {
    let others = summary.metrics.iter().filter(|(name, _)| *name != "accuracy");
    others.map(|(name, value)| (name.clone(), Measure::Plain.shown(*value)))
}

impl Round {
    fn of(round: &run::Round) -> Self {
        let known = |name: &str, value: Option<f64>| value.map(|value| (name.to_owned(), value));
        let metrics = [known("accuracy", round.accuracy), known("loss", round.loss)];
        let lies = |name: &str, spread: Option<run::Spread>| {
            spread.map(|spread| (name.to_owned(), Spread::of(spread)))
        };
        let clients = [lies("accuracy", round.accuracy_spread), lies("loss", round.loss_spread)];
        Self {
            round: round.round,
            seconds: round.seconds,
            bytes: round.bytes,
            asked: round.asked as u64,
            counted: round.counted as u64,
            metrics: metrics.into_iter().flatten().collect(),
            clients: clients.into_iter().flatten().collect(),
        }
    }
}

impl Spread {
    fn of(spread: run::Spread) -> Self {
        let run::Spread { min, lower, median, upper, max } = spread;
        Self { min, lower, median, upper, max }
    }
}
