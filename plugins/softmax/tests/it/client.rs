//! One client without a federation: its data, its tasks.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use flare_core::Hash;
use flare_core::executor::{
    Cancel, Context, DataSource, Error, Learner as _, Surroundings, Task, Update,
};
use flare_core::metric::Metric;
use flare_core::names::Name;
use flare_core::operation::{Key, OperationId, StateAccess};
use flare_core::shareable::Shareable;
use flare_core::tensor::{TensorData, Tensors};
use flare_core::value::Value;
use flare_plugin_softmax::{BIAS, Config, Learner, WEIGHTS};

/// Two features and three classes, one row of each kind; by row: features, class.
pub(crate) const ROWS: [([f32; 2], usize); 7] = [
    ([1.0, 0.5], 0),
    ([0.25, -1.0], 1),
    ([-0.75, 0.125], 2),
    ([2.0, 1.0], 0),
    ([0.5, 0.5], 1),
    ([-1.0, -1.5], 2),
    ([1.5, -0.25], 0),
];

pub(crate) const SEED: u64 = 7;

/// A client with some of [`ROWS`].
pub(crate) struct Client {
    folder: tempfile::TempDir,
    rows: Option<Arc<[u32]>>,
    pub(crate) cancel: Cancel,
    name: Name,
}

impl Client {
    pub(crate) fn new(rows: Option<&[u32]>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut text = String::from("a,class,b\n");
        for ([a, b], class) in ROWS {
            text.push_str(&format!("{a},{class},{b}\n"));
        }
        std::fs::write(folder.path().join("rows.csv"), text).unwrap();
        let name = Name::new("client-0").unwrap();
        Self { folder, rows: rows.map(Into::into), cancel: Cancel::default(), name }
    }

    fn learner<R>(
        &self,
        config: &Config,
        task: &Task,
        state: Option<Bytes>,
        work: impl FnOnce(&mut Learner, &mut Context<'_>) -> Result<R, Error>,
    ) -> Result<(R, Option<Bytes>), Error> {
        let mut learner = Learner::new(config.clone());
        let mut ctx = Context::new(&self.name, task, SEED, 1, &self.cancel, self, state);
        learner.setup(&mut ctx)?;
        let result = work(&mut learner, &mut ctx)?;
        Ok((result, ctx.into_state()))
    }

    /// What two trainings and an evaluation between them give, by one learner.
    pub(crate) fn train_evaluate_train(&self, config: &Config, task: &Task) -> [Update; 2] {
        let twice = |learner: &mut Learner, ctx: &mut Context<'_>| {
            let first = learner.train(task, ctx)?;
            learner.evaluate(task, ctx)?;
            Ok([first, learner.train(task, ctx)?])
        };
        self.learner(config, task, None, twice).unwrap().0
    }

    pub(crate) fn train(&self, config: &Config, task: &Task) -> Result<Update, Error> {
        Ok(self.train_with(config, task, None)?.0)
    }

    pub(crate) fn train_with(
        &self,
        config: &Config,
        task: &Task,
        state: Option<Bytes>,
    ) -> Result<(Update, Option<Bytes>), Error> {
        self.learner(config, task, state, |learner, ctx| learner.train(task, ctx))
    }

    pub(crate) fn evaluate(&self, task: &Task) -> Result<Vec<Metric>, Error> {
        let evaluate = |learner: &mut Learner, ctx: &mut Context<'_>| learner.evaluate(task, ctx);
        Ok(self.learner(&Config::default(), task, None, evaluate)?.0)
    }
}

impl Surroundings for Client {
    fn data(&self, name: &str) -> Result<DataSource, Error> {
        assert_eq!(name, "train");
        let options = [("format", "csv"), ("label", "class")].map(|(k, v)| (k, Value::from(v)));
        let path = Path::join(self.folder.path(), "rows.csv");
        Ok(DataSource { path, rows: self.rows.clone(), options: options.into_iter().collect() })
    }

    fn progress(&self, done: f32) {
        assert!((0.0..=1.0).contains(&done));
    }
}

/// The model that tests start from.
pub(crate) const START: ([f32; 6], [f32; 3]) =
    ([0.5, -0.25, 0.125, 1.0, 0.0, -0.5], [0.25, 0.0, -0.125]);

pub(crate) fn model(weights: &[f32], bias: &[f32]) -> Tensors {
    Tensors::from_slices([
        (WEIGHTS, [2, 3].as_slice(), TensorData::from(weights)),
        (BIAS, [3].as_slice(), TensorData::from(bias)),
    ])
    .unwrap()
}

pub(crate) fn start() -> Tensors {
    model(&START.0, &START.1)
}

pub(crate) fn task(input: impl Into<Shareable>) -> Task {
    Task {
        operation: OperationId(0),
        key: Key::Label(Name::new("train-1").unwrap()),
        stop: 0,
        name: "train".into(),
        round: Some(1),
        input: input.into(),
        state: StateAccess::Write,
        hash: Hash::of([]),
    }
}

pub(crate) fn parts(tensors: &Tensors) -> (&[f32], &[f32]) {
    (tensors.slice(WEIGHTS).unwrap(), tensors.slice(BIAS).unwrap())
}
