//! The controller: asks, averages, steps.

use async_trait::async_trait;
use flare_core::component::ComponentSpec;
use flare_core::controller::{Controller, Error, Finished};
use flare_core::executor::TRAIN;
use flare_core::fault::Faults;
use flare_core::federation::Federation;
use flare_core::names::Name;
use flare_core::operation::{Gather, OperationSpec, StateAccess, TaskSpec};
use flare_core::pattern::Pattern;
use flare_core::rounds::{self, Method, Plan, Standing};
use flare_core::shareable::Shareable;
use flare_core::value::Value;

use crate::{Config, Optimizer, Weighting, server};

/// The controller `fedavg`; its operations are labelled `train-1`, `evaluate-1`, `held-out-1` and so on.
#[derive(Debug)]
pub struct FedAvg {
    plan: Plan,
    method: Averaging,
}

#[derive(Debug)]
struct Averaging {
    config: Config,
}

impl FedAvg {
    /// A controller with these settings.
    ///
    /// # Errors
    /// When they are refused; see [`Config::check`].
    pub fn new(config: Config) -> Result<Self, Faults> {
        config.check()?;
        Ok(Self { plan: config.plan(), method: Averaging { config } })
    }
}

#[async_trait]
impl Controller for FedAvg {
    async fn run(&mut self, federation: &Federation) -> Result<Finished, Error> {
        rounds::run(federation, &self.plan, &self.method).await
    }
}

#[async_trait]
impl Method for Averaging {
    async fn round(
        &self,
        federation: &Federation,
        round: u64,
        before: Standing,
    ) -> Result<Standing, Error> {
        let spec = self.spec(round, &before)?;
        let (outcome, aggregate) = rounds::aggregate(federation, spec).await?;
        if self.config.weighting == Weighting::Uniform {
            rounds::check_uniform(&outcome.record, federation.roster())?;
        }
        match &self.config.optimizer {
            Optimizer::None {} => server::take(before, aggregate),
            optimizer => {
                Ok(server::step(optimizer, &self.config.keep_out, round, &before, &aggregate)?)
            }
        }
    }
}

impl Averaging {
    fn spec(&self, round: u64, before: &Standing) -> Result<OperationSpec, Error> {
        let config = &self.config;
        let task = TaskSpec {
            name: TRAIN.into(),
            input: self.input(before),
            state: StateAccess::None,
            round: Some(round),
        };
        Ok(OperationSpec {
            label: Some(Name::new(&format!("train-{round}"))?),
            targets: config.sample.targets()?,
            policy: config.replies.clone(),
            gather: Gather::Aggregate(self.aggregator()),
            ..OperationSpec::broadcast(task)
        })
    }

    /// The model, with a header only where the round is not plain FedAvg.
    fn input(&self, before: &Standing) -> Shareable {
        let mut input = Shareable::from(before.model.clone());
        let headers = &mut input.headers;
        if self.config.proximal_mu != 0.0 {
            headers.insert("proximal_mu".into(), Value::Float(self.config.proximal_mu));
        }
        if self.config.weighting == Weighting::Uniform {
            headers.insert("weighting".into(), Value::Text("uniform".into()));
        }
        input
    }

    fn aggregator(&self) -> ComponentSpec {
        if matches!(self.config.optimizer, Optimizer::None {}) {
            return ComponentSpec::plain("weighted-mean");
        }
        let text = |pattern: &Pattern| Value::Text(pattern.to_string());
        let plain = Value::List(self.config.keep_out.iter().map(text).collect());
        let config = Value::Map([("plain".to_owned(), plain)].into());
        ComponentSpec { config, ..ComponentSpec::plain("mean-of-differences") }
    }
}
