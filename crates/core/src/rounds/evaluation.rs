//! When and where a model is evaluated, and what is decided by it.

use std::collections::BTreeSet;
use std::num::NonZeroU64;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Error, Plan, Sampling};
use crate::controller;
use crate::executor::EVALUATE;
use crate::fault::Faults;
use crate::federation::Federation;
use crate::metric::Metrics;
use crate::names::Name;
use crate::operation::{OnFailure, OperationSpec, ReplyPolicy, StateAccess, Targets, TaskSpec};
use crate::outcome::Outcome;
use crate::tensor::Tensors;

/// Where a model is evaluated.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Seats {
    /// By the clients, each on its own data; a metric is the mean over them, weighted by examples.
    #[default]
    Clients,
    /// On the rows that the job holds out.
    HeldOut,
    /// By the clients and on the held-out rows; what is decided by a metric goes by the latter.
    Both,
}

/// When and where the model is evaluated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Evaluation {
    /// Every how many rounds, and after the last one; 0 is never. Default: 1.
    pub every: u64,
    /// By whom. Default: by the clients.
    pub on: Seats,
    /// Which clients. Default: all.
    pub sample: Sampling,
}

/// Which model is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Best {
    /// The model with the best value of this metric is the result, instead of the last one. Which way is
    /// better comes with the metric; NaN is never best, and a tie keeps the earliest.
    pub metric: String,
}

/// When training ends before its last round.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EarlyStopping {
    /// The metric that must improve.
    pub metric: String,
    /// How many evaluations in a row may pass without an improvement.
    pub patience: NonZeroU64,
    /// What counts as one: the value must be better by more than this. Default: 0.
    #[serde(default)]
    pub min_delta: f64,
}

impl Default for Evaluation {
    fn default() -> Self {
        Self { every: 1, on: Seats::default(), sample: Sampling::default() }
    }
}

impl Evaluation {
    pub(super) fn is_due(&self, round: u64, last: u64) -> bool {
        self.every > 0 && (round == last || round.is_multiple_of(self.every))
    }
}

impl Plan {
    /// Whether the plan makes sense.
    ///
    /// # Errors
    /// When what is to be decided by a metric never has one, or numbers are out of range.
    pub fn check(&self) -> Result<(), Faults> {
        let mut faults = Faults::default();
        faults.part("evaluate.sample", self.evaluation.sample.check());
        let by_metric = self.best.is_some() || self.early_stopping.is_some();
        let never = by_metric && self.evaluation.every == 0;
        let expected = "at least 1, since `best` and `early_stopping` go by a metric";
        faults.expect(!never, "evaluate.every", self.evaluation.every, expected);
        if let Some(EarlyStopping { min_delta, .. }) = self.early_stopping {
            let holds = min_delta.is_finite() && min_delta >= 0.0;
            let expected = "a finite number of at least 0";
            faults.expect(holds, "early_stopping.min_delta", min_delta, expected);
        }
        faults.result()
    }
}

/// What an evaluation found.
#[derive(Debug, Default)]
pub(super) struct Measured {
    /// The means, by name.
    pub(super) metrics: Metrics,
    /// All names that somebody reported, also those whose total weight is 0; nothing if there was no
    /// evaluation.
    pub(super) reported: Option<BTreeSet<Arc<str>>>,
}

impl Measured {
    fn of(outcome: &Outcome) -> Self {
        let counted = outcome.record.counted();
        let metrics = counted.iter().flat_map(|(_, reply)| reply.metrics.iter());
        let reported = metrics.map(|metric| Arc::clone(&metric.name)).collect();
        Self { metrics: outcome.record.metrics.clone(), reported: Some(reported) }
    }

    /// Refuses a plan that waits for a metric that nobody reports.
    pub(super) fn has(&self, metric: &str, purpose: &'static str) -> Result<(), Error> {
        match &self.reported {
            Some(reported) if !reported.contains(metric) => Err(Error::NoMetric {
                metric: metric.into(),
                purpose,
                reported: match reported.is_empty() {
                    true => "none".into(),
                    false => reported.iter().map(|name| &**name).collect::<Vec<_>>().join(", "),
                },
            }),
            _ => Ok(()),
        }
    }
}

/// Has `model` evaluated as the plan says.
pub(super) async fn measure(
    federation: &Federation,
    plan: &Plan,
    round: u64,
    model: &Tensors,
) -> Result<Measured, controller::Error> {
    let mut measured = Measured::default();
    if plan.evaluation.on != Seats::HeldOut {
        let targets = plan.evaluation.sample.targets()?;
        let spec = spec("evaluate", round, model, targets, plan.replies.clone())?;
        measured = Measured::of(&federation.broadcast_and_wait(spec).await?);
    }
    if plan.evaluation.on != Seats::Clients {
        let policy = ReplyPolicy { on_failure: OnFailure::Fail, ..ReplyPolicy::default() };
        let spec = spec("held-out", round, model, Targets::HeldOut, policy)?;
        measured = Measured::of(&federation.broadcast_and_wait(spec).await?);
    }
    Ok(measured)
}

fn spec(
    what: &str,
    round: u64,
    model: &Tensors,
    targets: Targets,
    policy: ReplyPolicy,
) -> Result<OperationSpec, controller::Error> {
    let task = TaskSpec {
        name: EVALUATE.into(),
        input: model.clone().into(),
        state: StateAccess::None,
        round: Some(round),
    };
    let label = Some(Name::new(&format!("{what}-{round}"))?);
    Ok(OperationSpec { label, targets, policy, ..OperationSpec::broadcast(task) })
}
