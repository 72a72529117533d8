//! What simulated clients run: tasks whose replies show all that they depend on.

use std::sync::Arc;

use flare_core::component::ExecutorFactory;
use flare_core::executor::{Context, Error, Executor, Reply, Task};
use flare_core::metric::{Direction, Metric};
use flare_core::outcome::Weight;
use flare_core::tensor::{TensorData, Tensors};

/// A set of floats under the name `w`.
pub(crate) fn floats(values: &[f32]) -> Tensors {
    Tensors::from_slices([("w", [values.len()].as_slice(), TensorData::F32(values))]).unwrap()
}

/// The floats under the name `w`.
pub(crate) fn values(tensors: &Tensors) -> Vec<f32> {
    tensors.slice::<f32>("w").unwrap().to_vec()
}

/// The number in the name of a client.
pub(crate) fn number(client: &str) -> u32 {
    client.trim_start_matches("client-").parse().unwrap()
}

/// A unit of executors that carry out these tasks:
///
/// - `train`: each float plus a draw, plus the sum of the state's bytes; appends to the state.
/// - `look`: the state's bytes as a metric.
/// - `double`: x becomes 2x + the client's number.
/// - any of them followed by `!1,3`: clients 1 and 3 fail; by `?1,3`: they panic; by `~1`: it replies NaN.
pub(crate) fn unit() -> Arc<dyn ExecutorFactory> {
    Arc::new(|| -> Box<dyn Executor> { Box::new(Player { tasks: 0 }) })
}

struct Player {
    tasks: u32,
}

impl Executor for Player {
    fn setup(&mut self, _: &mut Context<'_>) -> Result<(), Error> {
        Ok(())
    }

    fn execute(&mut self, task: &Task, ctx: &mut Context<'_>) -> Result<Reply, Error> {
        self.tasks += 1;
        assert_eq!(self.tasks, 1, "a learner's fields do not survive");
        let number = number(ctx.client().as_str());
        let among = |mark: char| {
            let (_, list) = task.name.split_once(mark).unwrap_or_default();
            list.split(',').any(|client| client == number.to_string())
        };
        assert!(!among('?'), "as it was told");
        if among('!') {
            return Err("as it was told".into());
        }
        let state = ctx.state().map(|state| state.to_vec()).unwrap_or_default();
        let sum: f32 = state.iter().map(|byte| f32::from(*byte)).sum();
        let mut values = values(&task.input.tensors);
        match task.name.split(['!', '?', '~']).next().unwrap() {
            "train" => {
                let mut draws = ctx.random("draws");
                values.iter_mut().for_each(|value| *value = *value * 0.5 + draws.f32() + sum);
                ctx.set_state([state, vec![1 + number as u8]].concat())?;
            }
            "look" => {}
            "double" => values.iter_mut().for_each(|value| *value = 2.0 * *value + number as f32),
            other => return Err(format!("no task {other} is known").into()),
        }
        if among('~') {
            values[0] = f32::NAN;
        }
        let metric = Metric::new("state", f64::from(sum), 1.0, Direction::HigherIsBetter)?;
        let weight = Weight::Count(1 + u64::from(number));
        Ok(Reply { output: floats(&values).into(), weight, metrics: vec![metric] })
    }
}
