//! Two clients with a parabola each: the golden values, and what SCAFFOLD is for.

use std::sync::Arc;

use flare_core::component::ExecutorFactory;
use flare_core::executor::{Context, Error, Learner, Task, Update};
use flare_core::metric::Metric;
use flare_core::outcome::Weight;
use flare_core::tensor::{TensorData, Tensors};

use flare_plugin_scaffold::Scaffold;

use crate::scaffold;
use crate::world::{World, unit, vector};

/// f(x) = (x - 1)² / 2 at client 0 and 2 (x + 1)² at client 1: two steps of rate .1.
struct Parabola;

const RATE: f64 = 0.1;
const STEPS: u32 = 2;

impl Learner for Parabola {
    fn setup(&mut self, _: &mut Context<'_>) -> Result<(), Error> {
        Ok(())
    }

    fn train(&mut self, task: &Task, ctx: &mut Context<'_>) -> Result<Update, Error> {
        let slope = |x: f64| match ctx.client().as_str() {
            "client-0" => x - 1.0,
            _ => 4.0 * (x + 1.0),
        };
        let one = |name| task.input.tensors.slice::<f64>(name).map(|elements| elements[0]);
        let (x, c) = (one("x")?, one("control/x")?);
        let own = match ctx.state() {
            Some(state) => Tensors::decode(state.clone())?.slice::<f64>("x")?[0],
            None => 0.0,
        };
        let mut y = x;
        for _ in 0..STEPS {
            y -= RATE * (slope(y) - own + c);
        }
        let renewed = match task.input.headers["scaffold_option"].as_i64() {
            Some(1) => slope(x),
            _ => own - c + (x - y) / (f64::from(STEPS) * RATE),
        };
        ctx.set_state(vector("x", &[renewed]).encoded().clone())?;
        let (y, added) = ([y], [renewed - own]);
        let tensors = Tensors::from_slices([
            ("x", [1].as_slice(), TensorData::from(y.as_slice())),
            ("control/x", [1].as_slice(), TensorData::from(added.as_slice())),
        ])?;
        Ok(Update { tensors, weight: Weight::Count(1), metrics: Vec::new() })
    }

    fn evaluate(&mut self, _: &Task, _: &mut Context<'_>) -> Result<Vec<Metric>, Error> {
        Ok(Vec::new())
    }
}

fn parabolas() -> Arc<dyn ExecutorFactory> {
    unit(|| Parabola)
}

fn world() -> World {
    World::new(2, vector("x", &[0.0]), parabolas())
}

fn after(rounds: u32, settings: &str) -> f64 {
    let run = scaffold(&format!("rounds = {rounds}\n{settings}"));
    world().run(run).unwrap().model.slice::<f64>("x").unwrap()[0]
}

#[track_caller]
fn close(got: f64, expected: f64) {
    assert!((got - expected).abs() < 1e-12, "{got} for {expected}");
}

#[test]
fn the_golden_rounds_hold() {
    for (round, expected) in [(1, -0.225), (2, -0.38775), (3, -0.4830525)] {
        close(after(round, ""), expected);
    }
}

#[test]
fn the_control_variate_of_the_server_is_golden_and_lies_in_the_checkpoint() {
    for (rounds, expected) in [(1, 1.125), (2, 0.81375), (3, 0.4765125)] {
        let world = world();
        world.run(scaffold(&format!("rounds = {rounds}"))).unwrap();
        let state = world.pinned(1);
        close(state.slice::<f64>("x").unwrap()[0], expected);
    }
}

#[test]
fn it_reaches_the_minimum_that_averaging_does_not() {
    // (x - 1) + 4 (x + 1) = 0.
    close(after(200, ""), -0.6);
    close(after(200, "option = \"I\""), -0.6);
    assert!((after(3, "option = \"I\"") - after(3, "")).abs() > 1e-3);
    // Half steps of the server take another way to the same place.
    close(after(400, "eta = 0.5"), -0.6);
    assert!((after(1, "eta = 0.5") - -0.1125).abs() < 1e-12);
}

#[test]
fn a_sampled_client_moves_the_servers_variate_by_its_share_of_the_roster() {
    let world = world();
    world.run(scaffold("rounds = 1\nsample.size = 1")).unwrap();
    let state = world.pinned(1);
    let c = state.slice::<f64>("x").unwrap()[0];
    let asked = world.records()[0].counted()[0].0.0;
    // (x - y) / (K l) of either client after its two steps, halved: it is one of two clients.
    close(c, [-0.95, 3.2][asked as usize] / 2.0);
}

#[test]
fn a_learner_without_control_variates_is_told_of_in_words() {
    let world = World::new(2, vector("x", &[0.0]), unit(|| Plain));
    let fault = world.run(scaffold("rounds = 1")).unwrap_err().to_string();
    assert!(fault.contains("control variates") && fault.contains("round 1"), "{fault}");
}

/// Replies with the model alone.
struct Plain;

impl Learner for Plain {
    fn setup(&mut self, _: &mut Context<'_>) -> Result<(), Error> {
        Ok(())
    }

    fn train(&mut self, _: &Task, _: &mut Context<'_>) -> Result<Update, Error> {
        let tensors = vector("x", &[1.0]);
        Ok(Update { tensors, weight: Weight::Count(1), metrics: Vec::new() })
    }

    fn evaluate(&mut self, _: &Task, _: &mut Context<'_>) -> Result<Vec<Metric>, Error> {
        Ok(Vec::new())
    }
}

#[test]
fn settings_out_of_range_are_named() {
    let fault = |settings: &str| {
        let config = toml::from_str(settings);
        match config {
            Ok(config) => Scaffold::new(config).unwrap_err().to_string(),
            Err(error) => error.to_string(),
        }
    };
    assert!(fault("eta = 0.0").contains("eta = 0: "));
    assert!(fault("option = \"III\"").contains("III"));
    assert!(fault("sample.size = 0").contains("sample"));
    assert!(fault("proximal_mu = 1.0").contains("proximal_mu"));
}
