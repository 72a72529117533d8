//! Components that do nothing, for tests of jobs.

use std::num::NonZeroU64;

use flare::component::{Component, Registry};
use flare::controller::{Controller, Error, Finished};
use flare::executor::{Context, Executor, Reply, Task};
use flare::fault::Fault;
use flare::federation::Federation;
use flare::filter::{Filter, Passage};
use flare::operation::ReplyPolicy;
use flare::shareable::Shareable;
use serde::Deserialize;

/// The registry of a toy controller `toy-rounds`, a learner `toy` and a filter `toy-clip`.
pub(crate) fn registry() -> Registry {
    let mut registry = flare::registry();
    registry.add(Component::controller("toy-rounds", "0", |config: Rounds| {
        match config.momentum {
            momentum if momentum < 1.0 => Ok(Toy),
            momentum => Err(Fault::new("momentum", momentum, "less than 1").into()),
        }
    }));
    registry.add(Component::executor("toy", "0", |_: &Learner| Toy, |_| Ok(())));
    registry.add(Component::filter("toy-clip", "0", |_: Clip| Ok(Toy)));
    registry
}

#[derive(Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema and its parsing matter")]
struct Rounds {
    rounds: NonZeroU64,
    #[serde(default)]
    momentum: f64,
    sample: Option<Sample>,
    #[serde(default)]
    replies: ReplyPolicy,
}

#[derive(Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Sample {
    size: Option<u32>,
    fraction: Option<f64>,
    minimum: Option<u32>,
}

#[derive(Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema and its parsing matter")]
struct Learner {
    #[serde(default)]
    rate: f32,
}

#[derive(Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema and its parsing matter")]
struct Clip {
    norm: f64,
}

struct Toy;

#[async_trait::async_trait]
impl Controller for Toy {
    async fn run(&mut self, _: &Federation) -> Result<Finished, Error> {
        Ok(Finished::default())
    }
}

impl Executor for Toy {
    fn setup(&mut self, _: &mut Context<'_>) -> Result<(), flare::executor::Error> {
        Ok(())
    }

    fn execute(
        &mut self,
        task: &Task,
        _: &mut Context<'_>,
    ) -> Result<Reply, flare::executor::Error> {
        let weight = flare::outcome::Weight::Count(1);
        Ok(Reply { output: task.input.clone(), weight, metrics: Vec::new() })
    }
}

impl Filter for Toy {
    fn apply(
        &self,
        shareable: Shareable,
        _: Passage<'_>,
    ) -> Result<Shareable, flare::executor::Error> {
        Ok(shareable)
    }
}
