//! What runs beside the data: executors, and the learners that one of them adapts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;

use crate::hash::Hash;
use crate::metric::Metric;
use crate::names::Name;
use crate::operation::{Key, OperationId, StateAccess};
use crate::outcome::Weight;
use crate::random::{Stream, StreamId};
use crate::shareable::Shareable;
use crate::tensor::Tensors;
use crate::value::Value;

/// What a learner or executor says when it cannot go on; any error, or a plain text.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// A task as an executor gets it: the same for all clients of an operation.
#[derive(Debug, Clone)]
pub struct Task {
    /// The operation it belongs to.
    pub operation: OperationId,
    /// The operation's key: random streams are named by it.
    pub key: Key,
    /// The stop of a relay, else 0.
    pub stop: u32,
    /// What to do.
    pub name: Arc<str>,
    /// The round, if the controller named one.
    pub round: Option<u64>,
    /// The input.
    pub input: Shareable,
    /// What it does with the client's state.
    pub state: StateAccess,
    /// Hash over input, unit, seed and what else decides about the reply, but the client's own part: its
    /// name, and the version of its state.
    pub hash: Hash,
}

/// What an executor answers.
#[derive(Debug, Clone)]
pub struct Reply {
    /// Headers and tensors.
    pub output: Shareable,
    /// What it weighs in a mean.
    pub weight: Weight,
    /// What was measured.
    pub metrics: Vec<Metric>,
}

/// A data set of one client: where it is, and which part of it is the client's.
#[derive(Debug, Clone)]
pub struct DataSource {
    /// A file or a folder.
    pub path: std::path::PathBuf,
    /// The rows of it that are this client's, in order; all of them if `None`.
    pub rows: Option<Arc<[u32]>>,
    /// What concerns everyone, from the job: format, label, classes, scaling.
    pub options: Value,
}

/// Tells a task that nobody waits for it any longer.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// From now on [`Cancel::is_set`].
    pub fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the task was cancelled.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// What surrounds an executor at one client, as its host provides it.
pub trait Surroundings {
    /// Data set `name` of this client.
    ///
    /// # Errors
    /// When the client has none of that name.
    fn data(&self, name: &str) -> Result<DataSource, Error>;
    /// A progress report, `done` from 0 to 1.
    fn progress(&self, done: f32);
}

/// What a task may use besides its input.
///
/// X1. An attempt is a pure function of task, data, seed and client state: all chance comes from
/// [`Context::random`], and what outlives the task lives in the state.
/// X2. A long task looks at [`Context::cancelled`] now and then and returns an error when it is set.
pub struct Context<'a> {
    client: &'a Name,
    key: &'a Key,
    stop: u32,
    seed: u64,
    cores: usize,
    cancel: &'a Cancel,
    surroundings: &'a dyn Surroundings,
    state: Option<Bytes>,
    new_state: Option<Bytes>,
    access: StateAccess,
}

impl<'a> Context<'a> {
    /// For hosts of executors: the context of one attempt.
    pub fn new(
        client: &'a Name,
        task: &'a Task,
        seed: u64,
        cores: usize,
        cancel: &'a Cancel,
        surroundings: &'a dyn Surroundings,
        state: Option<Bytes>,
    ) -> Self {
        let (key, stop, access) = (&task.key, task.stop, task.state);
        let new_state = None;
        Self { client, key, stop, seed, cores, cancel, surroundings, state, new_state, access }
    }

    /// The client's name on the roster.
    pub fn client(&self) -> &Name {
        self.client
    }

    /// How many threads the task may use.
    pub fn cores(&self) -> usize {
        self.cores
    }

    /// Whether nobody waits for the reply any longer.
    pub fn cancelled(&self) -> bool {
        self.cancel.is_set()
    }

    /// Reports progress, `done` from 0 to 1.
    pub fn progress(&self, done: f32) {
        self.surroundings.progress(done);
    }

    /// The client's data set `name`.
    ///
    /// # Errors
    /// When the client has none of that name.
    pub fn data(&self, name: &str) -> Result<DataSource, Error> {
        self.surroundings.data(name)
    }

    /// The random stream for `purpose`: the same for every attempt at this task.
    pub fn random(&self, purpose: &str) -> Stream {
        StreamId::new(self.seed, purpose)
            .operation(self.key)
            .stop(self.stop)
            .client(self.client.as_str())
            .stream()
    }

    /// The client's state as the task found it; `None` before the first version.
    pub fn state(&self) -> Option<&Bytes> {
        self.state.as_ref()
    }

    /// Leaves a new version of the client's state; it becomes the head when the reply counted.
    ///
    /// # Errors
    /// When the task did not declare that it writes state.
    pub fn set_state(&mut self, state: impl Into<Bytes>) -> Result<(), Error> {
        if self.access != StateAccess::Write {
            return Err("the task does not declare that it writes the client's state".into());
        }
        self.new_state = Some(state.into());
        Ok(())
    }

    /// For hosts of executors: the new version, if the task left one.
    pub fn into_state(self) -> Option<Bytes> {
        self.new_state
    }
}

/// Carries out tasks at a client.
///
/// E1. `setup` is called once before the first `execute`, `teardown` after the last; an instance may be
/// dropped at any time between tasks and another one set up, so its fields do not survive.
/// E2. `execute` answers every task that it does not know with an error.
/// E3. It may block, and is called by one thread at a time, not always the same one.
pub trait Executor: Send {
    /// Prepares for the tasks of this client.
    ///
    /// # Errors
    /// Whatever makes it impossible to work here; the client then fails by name.
    fn setup(&mut self, ctx: &mut Context<'_>) -> Result<(), Error>;

    /// Carries out one task.
    ///
    /// # Errors
    /// Whatever the controller should be told as the cause.
    fn execute(&mut self, task: &Task, ctx: &mut Context<'_>) -> Result<Reply, Error>;

    /// Lets go of what `setup` took.
    fn teardown(&mut self) {}
}

/// What training gives back.
#[derive(Debug, Clone)]
pub struct Update {
    /// The client's model after training (or whatever tensors the controller asked for).
    pub tensors: Tensors,
    /// What it weighs in a mean: as a rule the number of examples.
    pub weight: Weight,
    /// What was measured on the way.
    pub metrics: Vec<Metric>,
}

/// The user's training code.
///
/// L1. `train` starts from the model it is given, never from one that it kept.
/// L2. The update has the names, shapes and dtypes of the model; tensors that the model lacks may be
/// added where the controller expects them.
/// L3. `evaluate` changes nothing.
pub trait Learner: Send {
    /// Prepares for the tasks of this client, such as opening its data.
    ///
    /// # Errors
    /// Whatever makes it impossible to learn here.
    fn setup(&mut self, ctx: &mut Context<'_>) -> Result<(), Error>;

    /// Trains on the client's data, starting from the task's model.
    ///
    /// # Errors
    /// Whatever the controller should be told as the cause.
    fn train(&mut self, task: &Task, ctx: &mut Context<'_>) -> Result<Update, Error>;

    /// Measures the task's model on the client's data.
    ///
    /// # Errors
    /// Whatever the controller should be told as the cause.
    fn evaluate(&mut self, task: &Task, ctx: &mut Context<'_>) -> Result<Vec<Metric>, Error>;
}

/// The name of the task that trains.
pub const TRAIN: &str = "train";
/// The name of the task that evaluates.
pub const EVALUATE: &str = "evaluate";

/// The executor that adapts a [`Learner`]: it knows the tasks [`TRAIN`] and [`EVALUATE`].
pub struct LearnerExecutor<L>(pub L);

impl<L: Learner> Executor for LearnerExecutor<L> {
    fn setup(&mut self, ctx: &mut Context<'_>) -> Result<(), Error> {
        self.0.setup(ctx)
    }

    fn execute(&mut self, task: &Task, ctx: &mut Context<'_>) -> Result<Reply, Error> {
        match &*task.name {
            TRAIN => {
                let update = self.0.train(task, ctx)?;
                let output = Shareable::from(update.tensors);
                Ok(Reply { output, weight: update.weight, metrics: update.metrics })
            }
            EVALUATE => {
                let metrics = self.0.evaluate(task, ctx)?;
                let weight = Weight::Count(1);
                Ok(Reply { output: Shareable::default(), weight, metrics })
            }
            other => {
                Err(format!("a learner knows the tasks {TRAIN} and {EVALUATE}, not {other:?}")
                    .into())
            }
        }
    }
}
