//! What a learner owes, and what its executor owes with it: X1, X2, E1 to E3, L1 to L3.

use std::sync::Arc;

use bytes::Bytes;
use flare_core::component::ExecutorFactory;
use flare_core::executor::{
    Cancel, Context, DataSource, Error, Executor, Reply, Surroundings, Task,
};
use flare_core::names::Name;
use flare_core::operation::{Key, OperationId, StateAccess};
use flare_core::shareable::Shareable;
use flare_core::tensor::Tensors;

/// A learner under test, and what it works on.
pub struct Subject<'a> {
    /// Makes it, in the shape in which a pool runs it.
    pub unit: Arc<dyn ExecutorFactory>,
    /// Two models that it can train, of the same tensors but not the same numbers.
    pub models: [Tensors; 2],
    /// Its client's data.
    pub around: &'a (dyn Surroundings + Sync),
    /// The tasks that take long if the data or the settings have it so: in these it has to look whether it was
    /// cancelled.
    pub long: &'a [&'a str],
}

/// A client without data.
pub struct Nowhere;

impl Surroundings for Nowhere {
    fn data(&self, name: &str) -> Result<DataSource, Error> {
        Err(format!("no data set {name}").into())
    }

    fn progress(&self, _: f32) {}
}

/// What an attempt comes to: its reply, and the state that it leaves.
pub type Attempted = (Result<Reply, Error>, Option<Bytes>);

impl Subject<'_> {
    fn task(&self, name: &str, model: usize) -> Task {
        Task {
            operation: OperationId(0),
            key: Key::Label(Name::new("a").unwrap()),
            stop: 0,
            name: name.into(),
            round: Some(1),
            input: self.models[model].clone().into(),
            state: if name == "train" { StateAccess::Write } else { StateAccess::Read },
            hash: flare_core::Hash::of(b"a"),
        }
    }

    /// Carries a task out, from the setup to the teardown.
    fn attempt(&self, executor: &mut dyn Executor, task: &Task) -> Attempted {
        self.setup(executor, task);
        let attempted = self.execute(executor, task, &Cancel::default());
        executor.teardown();
        attempted
    }

    fn setup(&self, executor: &mut dyn Executor, task: &Task) {
        let (client, cancel) = (Name::new("client-1").unwrap(), Cancel::default());
        let mut ctx = Context::new(&client, task, 7, 1, &cancel, self.around, None);
        executor.setup(&mut ctx).unwrap();
    }

    fn execute(&self, executor: &mut dyn Executor, task: &Task, cancel: &Cancel) -> Attempted {
        let client = Name::new("client-1").unwrap();
        let mut ctx = Context::new(&client, task, 7, 1, cancel, self.around, None);
        (executor.execute(task, &mut ctx), ctx.into_state())
    }

    /// The output of a training by a fresh instance.
    fn trained(&self, model: usize) -> Shareable {
        let (reply, _) = self.attempt(&mut *self.unit.create(), &self.task("train", model));
        reply.unwrap().output
    }
}

/// X1: an attempt is a function of task, seed and state, whoever makes it.
pub fn x1_an_attempt_is_a_function_of_task_seed_and_state(subject: &Subject<'_>) {
    let task = subject.task("train", 0);
    let once = subject.attempt(&mut *subject.unit.create(), &task);
    let again = subject.attempt(&mut *subject.unit.create(), &task);
    let (first, second) = (once.0.unwrap(), again.0.unwrap());
    assert_eq!(first.output, second.output);
    assert_eq!((first.weight, first.metrics), (second.weight, second.metrics));
    assert_eq!(once.1, again.1);
}

/// X2: a long task that nobody waits for is an error; a short one may be carried out all the same.
pub fn x2_a_task_that_nobody_waits_for_ends_early(subject: &Subject<'_>) {
    let cancelled = Cancel::default();
    cancelled.set();
    for name in ["train", "evaluate"] {
        let task = subject.task(name, 0);
        let mut executor = subject.unit.create();
        subject.setup(&mut *executor, &task);
        match subject.execute(&mut *executor, &task, &cancelled).0 {
            Err(_) => (),
            Ok(_) if subject.long.contains(&name) => panic!("{name} goes on, for nobody"),
            Ok(reply) => {
                let (whole, _) = subject.attempt(&mut *subject.unit.create(), &task);
                assert_eq!(reply.output, whole.unwrap().output, "{name}: half of it is no reply");
            }
        }
        // Whoever was stopped is not broken.
        let (again, _) = subject.execute(&mut *executor, &task, &Cancel::default());
        let (whole, _) = subject.attempt(&mut *subject.unit.create(), &task);
        assert_eq!(again.unwrap().output, whole.unwrap().output, "{name} after a cancelled task");
    }
}

/// E1: an instance that was torn down and set up again is as good as a new one.
pub fn e1_no_field_survives_from_one_setup_to_the_next(subject: &Subject<'_>) {
    let expected = subject.trained(0);
    let mut kept = subject.unit.create();
    for model in [1, 0, 0] {
        let (reply, _) = subject.attempt(&mut *kept, &subject.task("train", model));
        let output = reply.unwrap().output;
        assert!(model != 0 || output == expected, "another client's training shows");
    }
}

/// E2: a task that is not known is an error that names it.
pub fn e2_an_unknown_task_is_an_error_that_names_it(subject: &Subject<'_>) {
    let (reply, _) = subject.attempt(&mut *subject.unit.create(), &subject.task("levitate", 0));
    let error = reply.unwrap_err().to_string();
    assert!(error.contains("levitate"), "{error}");
}

/// E3: its calls come one at a time, from whatever thread.
pub fn e3_any_thread_may_call_it_one_at_a_time(subject: &Subject<'_>) {
    let (expected, task) = (subject.trained(0), subject.task("train", 0));
    let mut executor = subject.unit.create();
    elsewhere(|| subject.setup(&mut *executor, &task));
    for _ in 0..2 {
        let (reply, _) = elsewhere(|| subject.execute(&mut *executor, &task, &Cancel::default()));
        assert_eq!(reply.unwrap().output, expected, "it depends on the thread");
    }
    elsewhere(|| executor.teardown());
}

/// Has a thread of its own do it.
fn elsewhere<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| scope.spawn(work).join().unwrap())
}

/// L1: training starts from the model that it is given, whatever the same instance trained before.
pub fn l1_training_starts_from_the_model_that_it_is_given(subject: &Subject<'_>) {
    let expected = subject.trained(0);
    let mut learner = subject.unit.create();
    let first = subject.task("train", 1);
    subject.setup(&mut *learner, &first);
    subject.execute(&mut *learner, &first, &Cancel::default()).0.unwrap();
    let second = subject.task("train", 0);
    let (reply, _) = subject.execute(&mut *learner, &second, &Cancel::default());
    assert_eq!(reply.unwrap().output, expected);
}

/// L2: an update has names, shapes and dtypes of the model.
pub fn l2_an_update_has_the_shapes_of_the_model(subject: &Subject<'_>) {
    assert_eq!(subject.trained(0).tensors.layout(), subject.models[0].layout());
}

/// L3: evaluation gives metrics only, the same twice, and changes neither state nor what is trained next.
pub fn l3_evaluation_changes_nothing(subject: &Subject<'_>) {
    let expected = subject.trained(0);
    let mut learner = subject.unit.create();
    let evaluate = subject.task("evaluate", 1);
    let (first, state) = subject.attempt(&mut *learner, &evaluate);
    let (second, _) = subject.attempt(&mut *learner, &evaluate);
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_eq!((&first.output, state), (&Shareable::default(), None));
    assert_eq!(first.metrics, second.metrics);
    let (reply, _) = subject.attempt(&mut *learner, &subject.task("train", 0));
    assert_eq!(reply.unwrap().output, expected);
}
