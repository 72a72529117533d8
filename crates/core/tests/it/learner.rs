//! The executor that adapts a learner.

use flare_core::executor::{
    Cancel, Context, DataSource, EVALUATE, Error, Executor, Learner, LearnerExecutor, Surroundings,
    TRAIN, Task, Update,
};
use flare_core::metric::{Direction, Metric};
use flare_core::names::Name;
use flare_core::operation::{Key, OperationId, StateAccess};
use flare_core::outcome::Weight;
use flare_core::{Hash, Shareable};

struct Nowhere;

impl Surroundings for Nowhere {
    fn data(&self, name: &str) -> Result<DataSource, Error> {
        Err(format!("no data set {name}").into())
    }

    fn progress(&self, _: f32) {}
}

struct Counts;

impl Learner for Counts {
    fn setup(&mut self, _: &mut Context<'_>) -> Result<(), Error> {
        Ok(())
    }

    fn train(&mut self, task: &Task, _: &mut Context<'_>) -> Result<Update, Error> {
        let (tensors, weight) = (task.input.tensors.clone(), Weight::Count(3));
        Ok(Update { tensors, weight, metrics: Vec::new() })
    }

    fn evaluate(&mut self, _: &Task, _: &mut Context<'_>) -> Result<Vec<Metric>, Error> {
        Ok(vec![Metric::new("accuracy", 0.5, 3.0, Direction::HigherIsBetter)?])
    }
}

fn answer(name: &str) -> Result<flare_core::executor::Reply, String> {
    let task = Task {
        operation: OperationId(0),
        key: Key::Ordinal(0),
        stop: 0,
        name: name.into(),
        round: None,
        input: Shareable::default(),
        state: StateAccess::None,
        hash: Hash::of([]),
    };
    let (client, cancel) = (Name::new("a").unwrap(), Cancel::default());
    let mut context = Context::new(&client, &task, 0, 1, &cancel, &Nowhere, None);
    assert!(context.set_state("not declared").is_err());
    LearnerExecutor(Counts).execute(&task, &mut context).map_err(|error| error.to_string())
}

#[test]
fn e2_a_task_that_is_not_known_is_an_error_that_names_it() {
    assert_eq!(answer(TRAIN).unwrap().weight, Weight::Count(3));
    assert_eq!(answer(EVALUATE).unwrap().metrics.len(), 1);
    let refused = answer("tarin").unwrap_err();
    assert!(refused.contains("\"tarin\"") && refused.contains(TRAIN), "{refused}");
}
