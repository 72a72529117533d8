//! The workflow that passes a model from one client to the next.

use async_trait::async_trait;
use flare_core::controller::{Controller, Error, Finished};
use flare_core::executor::TRAIN;
use flare_core::fault::Faults;
use flare_core::federation::Federation;
use flare_core::names::Name;
use flare_core::operation::{
    OperationSpec, RelayFailure, ReplyPolicy, StateAccess, Targets, TaskSpec,
};
use flare_core::outcome::End;
use flare_core::rounds::{self, Evaluation, Method, Plan, Standing};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of `relay`: in each round the model goes from one client to the next; each trains what the one
/// before it sent, and what the last one sends is the round's model (also known as cyclic weight transfer).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Relay {
    /// How many rounds. Default: 1.
    pub rounds: u64,
    /// The clients in the order of their stops. Default: the whole roster, by rank.
    pub order: Option<Vec<Name>>,
    /// What a failing stop does: `end` the run, which names it; or `skip`: the next stop gets what this one
    /// got, and the run's cohort record says so. Default: `end`.
    pub on_failure: RelayFailure,
    /// When and where the model is evaluated. Default: never.
    pub evaluate: Evaluation,
}

/// The controller `relay`; its operations are labelled `relay-1`, `evaluate-1` and so on.
#[derive(Debug)]
pub struct RelayController {
    plan: Plan,
    relay: Relay,
}

impl Default for Relay {
    fn default() -> Self {
        let evaluate = Evaluation { every: 0, ..Evaluation::default() };
        Self { rounds: 1, order: None, on_failure: RelayFailure::End, evaluate }
    }
}

impl RelayController {
    /// A controller with these settings.
    ///
    /// # Errors
    /// When they are refused.
    pub fn new(relay: Relay) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        let nobody = relay.order.as_ref().is_some_and(Vec::is_empty);
        faults.expect(!nobody, "order", "[]", "at least one client");
        let plan = Plan {
            rounds: relay.rounds,
            evaluation: relay.evaluate.clone(),
            replies: ReplyPolicy::default(),
            best: None,
            early_stopping: None,
        };
        faults.part("", plan.check());
        faults.result()?;
        Ok(Self { plan, relay })
    }
}

#[async_trait]
impl Controller for RelayController {
    async fn run(&mut self, federation: &Federation) -> Result<Finished, Error> {
        rounds::run(federation, &self.plan, &self.relay).await
    }
}

#[async_trait]
impl Method for Relay {
    async fn round(
        &self,
        federation: &Federation,
        round: u64,
        before: Standing,
    ) -> Result<Standing, Error> {
        let task = TaskSpec {
            name: TRAIN.into(),
            input: before.model.into(),
            state: StateAccess::None,
            round: Some(round),
        };
        let spec = OperationSpec {
            label: Some(Name::new(&format!("relay-{round}"))?),
            targets: self.order.clone().map_or(Targets::All, Targets::Listed),
            ..OperationSpec::broadcast(task)
        };
        let outcome = federation.relay_and_wait(spec, self.on_failure).await?;
        let last = outcome.record.ends.iter().rev().find_map(|end| match &end.end {
            End::Counted(reply) => Some(reply.tensors),
            End::Failed(_) => None,
        });
        let model = federation.tensors(last.ok_or("no stop replied")?).await?;
        Ok(Standing { model, state: before.state })
    }
}
