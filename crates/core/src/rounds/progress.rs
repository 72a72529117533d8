//! How far a workflow is: what its checkpoints hold.

use serde::{Deserialize, Serialize};

use super::evaluation::Measured;
use super::{Error, Plan, Standing};
use crate::controller::{self, Finished};
use crate::federation::Federation;
use crate::hash::Hash;
use crate::metric::Metrics;
use crate::tensor::Tensors;

/// What is known after a round, with the tensors at hand.
pub(super) struct Progress {
    /// The last finished round; 0 before the first.
    pub(super) round: u64,
    pub(super) standing: Standing,
    metrics: Metrics,
    best: Option<(Top, Tensors)>,
    waiting: Waiting,
}

/// What a checkpoint holds: tensors by their hashes.
#[derive(Serialize, Deserialize)]
struct Checkpoint {
    round: u64,
    model: Hash,
    state: Hash,
    metrics: Metrics,
    best: Option<(Top, Hash)>,
    waiting: Waiting,
}

/// The best round so far.
#[derive(Clone, Serialize, Deserialize)]
struct Top {
    round: u64,
    metric: String,
    value: f64,
    metrics: Metrics,
}

/// How long an improvement has been waited for.
#[derive(Clone, Default, Serialize, Deserialize)]
struct Waiting {
    best: Option<f64>,
    evaluations: u64,
    /// Why training ends here, if it does.
    stopped: Option<String>,
}

impl Progress {
    /// Before the first round. It is a checkpoint, too, so that a run whose first round fails still has
    /// its model.
    pub(super) async fn begin(federation: &Federation) -> Result<Self, controller::Error> {
        let model = federation.model().clone();
        if model.is_empty() {
            return Err(Error::NoModel.into());
        }
        let progress = Self {
            round: 0,
            standing: Standing { model, state: Tensors::empty() },
            metrics: Metrics::new(),
            best: None,
            waiting: Waiting::default(),
        };
        progress.save(federation).await?;
        Ok(progress)
    }

    /// Where the last checkpoint left off, if there is one.
    pub(super) async fn kept(federation: &Federation) -> Result<Option<Self>, controller::Error> {
        let Some(kept) = federation.checkpoint::<Checkpoint>()? else { return Ok(None) };
        let model = federation.tensors(kept.model).await?;
        let state = federation.tensors(kept.state).await?;
        let best = match kept.best {
            Some((top, model)) => Some((top, federation.tensors(model).await?)),
            None => None,
        };
        let Checkpoint { round, metrics, waiting, .. } = kept;
        Ok(Some(Self { round, standing: Standing { model, state }, metrics, best, waiting }))
    }

    /// Makes this the run's checkpoint. The first blob that it pins is the model.
    pub(super) async fn save(&self, federation: &Federation) -> Result<(), controller::Error> {
        let Standing { model, state } = &self.standing;
        let checkpoint = Checkpoint {
            round: self.round,
            model: model.hash(),
            state: state.hash(),
            metrics: self.metrics.clone(),
            best: self.best.as_ref().map(|(top, model)| (top.clone(), model.hash())),
            waiting: self.waiting.clone(),
        };
        let best = self.best.as_ref().map(|(_, model)| model);
        let pins: Vec<&Tensors> = [model, state].into_iter().chain(best).collect();
        Ok(federation.save(&checkpoint, &pins).await?)
    }

    /// Takes in what the evaluation of this round's model found.
    pub(super) fn measured(
        &mut self,
        plan: &Plan,
        round: u64,
        measured: Measured,
    ) -> Result<(), controller::Error> {
        if measured.reported.is_none() {
            return Ok(());
        }
        if let Some(best) = &plan.best {
            measured.has(&best.metric, "the best model")?;
            self.keep_best(&best.metric, round, &measured.metrics);
        }
        if let Some(early) = &plan.early_stopping {
            measured.has(&early.metric, "the end of training")?;
            let improved = self.waiting.hear(&early.metric, early.min_delta, &measured.metrics);
            if !improved && self.waiting.evaluations >= early.patience.get() {
                let (metric, patience) = (&early.metric, early.patience);
                self.waiting.stopped = Some(format!(
                    "after round {round}: no better {metric} in {patience} evaluations"
                ));
            }
        }
        self.metrics = measured.metrics;
        Ok(())
    }

    fn keep_best(&mut self, metric: &str, round: u64, metrics: &Metrics) {
        let Some(found) = metrics.get(metric) else { return };
        let beats = match &self.best {
            Some((top, _)) => found.direction.improves(found.value, top.value, 0.0),
            None => !found.value.is_nan(),
        };
        if beats {
            let (metric, metrics) = (metric.to_owned(), metrics.clone());
            let top = Top { round, metric, value: found.value, metrics };
            self.best = Some((top, self.standing.model.clone()));
        }
    }

    /// Whether training ends before its last round.
    pub(super) fn stopped(&self) -> bool {
        self.waiting.stopped.is_some()
    }

    /// What the workflow hands back: the best model if one was looked for and found, else the last.
    pub(super) fn finish(self) -> Finished {
        let mut finished = Finished { round: self.round, ..Finished::default() };
        let notes = &mut finished.notes;
        notes.insert("rounds".into(), self.round.to_string());
        notes.extend(self.waiting.stopped.map(|why| ("stopped".to_owned(), why)));
        match self.best {
            Some((top, model)) => {
                notes.insert(
                    "best".into(),
                    format!("round {}: {} {}", top.round, top.metric, top.value),
                );
                Finished { model, round: top.round, metrics: top.metrics, ..finished }
            }
            None => Finished { model: self.standing.model, metrics: self.metrics, ..finished },
        }
    }
}

impl Waiting {
    /// Whether the metric improved; a metric of total weight 0 did not.
    fn hear(&mut self, metric: &str, min_delta: f64, metrics: &Metrics) -> bool {
        let improved = metrics.get(metric).filter(|found| match self.best {
            Some(best) => found.direction.improves(found.value, best, min_delta),
            None => !found.value.is_nan(),
        });
        match improved {
            Some(found) => *self = Self { best: Some(found.value), evaluations: 0, stopped: None },
            None => self.evaluations += 1,
        }
        improved.is_some()
    }
}
