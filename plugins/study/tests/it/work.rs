//! One client without a federation.

use flare_core::Hash;
use flare_core::executor::{
    Cancel, Context, DataSource, Error, Learner, Surroundings, Task, Update,
};
use flare_core::metric::Metric;
use flare_core::names::Name;
use flare_core::operation::{Key, OperationId, StateAccess};
use flare_core::tensor::{TensorData, Tensors};
use flare_plugin_study::Study;

struct Nothing;

impl Surroundings for Nothing {
    fn data(&self, name: &str) -> Result<DataSource, Error> {
        Err(format!("no data set {name}").into())
    }

    fn progress(&self, _: f32) {}
}

pub(crate) fn name(name: &str) -> Name {
    Name::new(name).unwrap()
}

/// A task of round `round`.
pub(crate) fn task(round: u64, input: Tensors) -> Task {
    Task {
        operation: OperationId(0),
        key: Key::Label(name(&format!("train-{round}"))),
        stop: 0,
        name: "train".into(),
        round: Some(round),
        input: input.into(),
        state: StateAccess::None,
        hash: Hash::of([]),
    }
}

pub(crate) fn train_with(
    mut learner: Study,
    client: &str,
    task: &Task,
    cancel: &Cancel,
) -> Result<Update, Error> {
    let client = name(client);
    learner.train(task, &mut Context::new(&client, task, 0, 1, cancel, &Nothing, None))
}

pub(crate) fn train(learner: Study, client: &str, task: &Task) -> Result<Update, Error> {
    train_with(learner, client, task, &Cancel::default())
}

pub(crate) fn evaluate(
    mut learner: Study,
    client: &str,
    task: &Task,
) -> Result<Vec<Metric>, Error> {
    let (client, cancel) = (name(client), Cancel::default());
    learner.evaluate(task, &mut Context::new(&client, task, 0, 1, &cancel, &Nothing, None))
}

/// `w` with two f32, `n` with one i64 and no dimension.
pub(crate) fn tensors(w: [f32; 2], n: i64) -> Tensors {
    let n = [n];
    Tensors::from_slices([
        ("w", [2].as_slice(), TensorData::from(w.as_slice())),
        ("n", [].as_slice(), TensorData::from(n.as_slice())),
    ])
    .unwrap()
}
