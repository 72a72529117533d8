//! The controller: sends model and control variate, and moves both by the clients' means.

use async_trait::async_trait;
use flare_core::component::ComponentSpec;
use flare_core::controller::{Controller, Error, Finished};
use flare_core::executor::TRAIN;
use flare_core::fault::Faults;
use flare_core::federation::Federation;
use flare_core::names::Name;
use flare_core::operation::{Gather, OperationSpec, StateAccess, TaskSpec};
use flare_core::rounds::{self, Method, Plan, Standing};
use flare_core::shareable::Shareable;
use flare_core::value::Value;

use crate::config::{Config, Renewal, Weighting};
use crate::server::{self, Share};

/// The controller `scaffold`; its operations are labelled `train-1`, `evaluate-1`, `held-out-1` and so on.
#[derive(Debug)]
pub struct Scaffold {
    plan: Plan,
    method: Controlled,
}

#[derive(Debug)]
struct Controlled {
    config: Config,
}

impl Scaffold {
    /// A controller with these settings.
    ///
    /// # Errors
    /// When they are refused; see [`Config::check`].
    pub fn new(config: Config) -> Result<Self, Faults> {
        config.check()?;
        Ok(Self { plan: config.plan(), method: Controlled { config } })
    }
}

#[async_trait]
impl Controller for Scaffold {
    async fn run(&mut self, federation: &Federation) -> Result<Finished, Error> {
        rounds::run(federation, &self.plan, &self.method).await
    }
}

#[async_trait]
impl Method for Controlled {
    async fn round(
        &self,
        federation: &Federation,
        round: u64,
        before: Standing,
    ) -> Result<Standing, Error> {
        let before = server::with_control(before)?;
        let spec = self.spec(round, &before)?;
        let (outcome, mean) = rounds::aggregate(federation, spec).await?;
        let counted = outcome.record.counted();
        if self.config.weighting == Weighting::Uniform {
            rounds::check_uniform(&outcome.record, federation.roster())?;
        }
        let heavy = counted.iter().filter(|(_, reply)| !reply.weight.is_zero()).count();
        let share = Share { counted: heavy, clients: federation.roster().len() };
        server::step(&before, &mean, self.config.eta, share)
    }
}

impl Controlled {
    fn spec(&self, round: u64, before: &Standing) -> Result<OperationSpec, Error> {
        let config = &self.config;
        let task = TaskSpec {
            name: TRAIN.into(),
            input: self.input(before)?,
            state: StateAccess::Write,
            round: Some(round),
        };
        let f64_means = Value::Map([("output".to_owned(), Value::from("f64"))].into());
        let mean = ComponentSpec { config: f64_means, ..ComponentSpec::plain("weighted-mean") };
        Ok(OperationSpec {
            label: Some(Name::new(&format!("train-{round}"))?),
            targets: config.sample.targets()?,
            policy: config.replies.clone(),
            gather: Gather::Aggregate(mean),
            ..OperationSpec::broadcast(task)
        })
    }

    fn input(&self, before: &Standing) -> Result<Shareable, Error> {
        let option = match self.config.option {
            Renewal::Gradient => 1,
            Renewal::Way => 2,
        };
        let input = Shareable::from(server::sent(before)?).with("scaffold_option", option);
        Ok(match self.config.weighting {
            Weighting::Uniform => input.with("weighting", "uniform"),
            Weighting::Examples => input,
        })
    }
}
