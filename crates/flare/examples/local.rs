//! Pattern one: this `main` is the workflow. Twenty rounds of federated averaging over three clients in
//! this process; each client pulls the model towards a value of its own. With a folder as its argument the
//! program remembers its rounds there: killed and started again, it goes on with the first unfinished one.
#![allow(clippy::print_stdout, reason = "it speaks to whoever started it")]

use std::error::Error;

use flare::executor::{self, Context, Learner, TRAIN, Task, Update};
use flare::metric::Metric;
use flare::operation::{Gather, OperationSpec, TaskSpec};
use flare::outcome::Weight;
use flare::tensor::Tensors;

/// Moves the model a tenth of the way to the client's own value.
struct Pull;

impl Learner for Pull {
    fn setup(&mut self, _: &mut Context<'_>) -> Result<(), executor::Error> {
        Ok(())
    }

    fn train(&mut self, task: &Task, ctx: &mut Context<'_>) -> Result<Update, executor::Error> {
        let goal = ctx.client().as_str().len() as f32;
        let mut model = task.input.tensors.to_mut();
        for x in model.slice_mut::<f32>("x")? {
            *x += (goal - *x) * 0.1 + ctx.random("noise").f32() * 0.01;
        }
        Ok(Update { tensors: model.finish(), weight: Weight::Count(1), metrics: Vec::new() })
    }

    fn evaluate(&mut self, _: &Task, _: &mut Context<'_>) -> Result<Vec<Metric>, executor::Error> {
        Ok(Vec::new())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut options =
        flare::local::Options::new("pull").names(["a", "bb", "cccc"]).learner(|| Pull);
    if let Some(folder) = std::env::args_os().nth(1) {
        options = options.out(folder);
    }
    let federation = flare::local(options)?;
    let mut model = Tensors::from_slices([("x", &[4][..], (&[0.0_f32; 4][..]).into())])?;
    for round in 1..=20 {
        let input = model.clone().into();
        let task =
            TaskSpec { name: TRAIN.into(), input, round: Some(round), ..TaskSpec::default() };
        let mut spec = OperationSpec::broadcast(task);
        spec.gather = Gather::Aggregate(flare::component::ComponentSpec::plain("weighted-mean"));
        let outcome = flare::block_on(federation.broadcast_and_wait(spec))?;
        model = outcome.aggregate.ok_or("no aggregate")?;
        println!("round {round}{}", if outcome.replayed { ", from the journal" } else { "" });
    }
    println!("{}", model.hash());
    Ok(())
}
