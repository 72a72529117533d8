//! Workflows in rounds: sampling, evaluation, best model, early stopping and checkpoints, which the
//! built-in controllers have in common.
//!
//! A [`Method`] says what one round does to the model; [`run`] does the rest, as a [`Plan`] says.

mod error;
mod evaluation;
mod progress;
mod sampling;

use async_trait::async_trait;

use crate::controller::{self, Finished};
use crate::event::Kind;
use crate::federation::Federation;
use crate::names::Roster;
use crate::operation::{OperationSpec, ReplyPolicy};
use crate::outcome::{Outcome, Record, Weight};
use crate::tensor::Tensors;

pub use error::Error;
pub use evaluation::{Best, EarlyStopping, Evaluation, Seats};
pub use sampling::Sampling;

use error::Explain;
use evaluation::Measured;
use progress::Progress;

/// What a workflow in rounds does besides its method.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// How many rounds; with 0 the model is evaluated once and not trained.
    pub rounds: u64,
    /// When and where the model is evaluated.
    pub evaluation: Evaluation,
    /// Whose replies count in an evaluation by clients.
    pub replies: ReplyPolicy,
    /// Which model is kept; the last one without it.
    pub best: Option<Best>,
    /// When the workflow ends before its last round.
    pub early_stopping: Option<EarlyStopping>,
}

/// What stands between two rounds: all that a method may remember.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Standing {
    /// The model.
    pub model: Tensors,
    /// What the method keeps besides it, such as moments; no tensors at the beginning.
    pub state: Tensors,
}

/// What one round does.
///
/// A round is a function of its number, the standing before it, and the federation's answers: all that
/// is to outlive it is in the standing that it gives back, which a run that goes on begins with. Its
/// operations are labelled by the round, so that none of them shifts a stream of another.
#[async_trait]
pub trait Method: Send + Sync {
    /// Carries out round `round`, from 1.
    ///
    /// # Errors
    /// Whatever ends the workflow.
    async fn round(
        &self,
        federation: &Federation,
        round: u64,
        before: Standing,
    ) -> Result<Standing, controller::Error>;
}

/// Runs a workflow to its end, or goes on with it from its last checkpoint.
///
/// There is a checkpoint before the first round and after each; the first blob that it pins is the
/// model as it then stood. So whatever ends the run, the model of the last finished round is kept.
///
/// # Errors
/// When a round or an evaluation fails; see [`Error`].
pub async fn run(
    federation: &Federation,
    plan: &Plan,
    method: &dyn Method,
) -> Result<Finished, controller::Error> {
    let explain = Explain::listen(federation);
    let mut progress = match Progress::kept(federation).await? {
        Some(progress) => progress,
        None => Progress::begin(federation).await?,
    };
    if plan.rounds == 0 {
        let measured = evaluation::measure(federation, plan, 0, &progress.standing.model).await;
        progress.measured(plan, 0, measured.map_err(|error| explain.error(0, error))?)?;
    }
    while progress.round < plan.rounds && !progress.stopped() {
        let round = progress.round + 1;
        federation.round(Kind::RoundStarted, round)?;
        let result = one_round(federation, plan, method, round, &mut progress).await;
        result.map_err(|error| explain.error(round, error))?;
        progress.save(federation).await?;
        federation.round(Kind::RoundEnded, round)?;
    }
    Ok(progress.finish())
}

/// Starts an operation of a method and waits for its aggregate.
///
/// # Errors
/// When it fails, or was not asked for an aggregate.
pub async fn aggregate(
    federation: &Federation,
    spec: OperationSpec,
) -> Result<(Outcome, Tensors), controller::Error> {
    let mut outcome = federation.aggregate(spec).await?;
    let aggregate = outcome.aggregate.take().ok_or("the operation gave no aggregate")?;
    Ok((outcome, aggregate))
}

/// Refuses a round in which a learner did not heed the header `weighting` = `"uniform"`, which asks for
/// weight 1, or 0 from a client that had nothing to train on.
///
/// # Errors
/// Names the first such client and its weight.
pub fn check_uniform(record: &Record, roster: &Roster) -> Result<(), controller::Error> {
    let unequal = |weight| !matches!(weight, Weight::Count(0 | 1));
    match record.counted().into_iter().find(|(_, reply)| unequal(reply.weight)) {
        Some((rank, reply)) => Err(format!(
            "client {} replied with weight {:?}, where weighting = \"uniform\" asks for 1: its learner does \
             not heed the task's header `weighting`",
            roster.name(rank),
            reply.weight
        )
        .into()),
        None => Ok(()),
    }
}

async fn one_round(
    federation: &Federation,
    plan: &Plan,
    method: &dyn Method,
    round: u64,
    progress: &mut Progress,
) -> Result<(), controller::Error> {
    let before = std::mem::take(&mut progress.standing);
    progress.standing = method.round(federation, round, before).await?;
    progress.round = round;
    let measured = if plan.evaluation.is_due(round, plan.rounds) {
        evaluation::measure(federation, plan, round, &progress.standing.model).await?
    } else {
        Measured::default()
    };
    progress.measured(plan, round, measured)
}
