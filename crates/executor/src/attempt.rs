//! One attempt of one client at a task: filters, setup, execution, and what is kept of it.

use std::borrow::Cow;
use std::cell::Cell;
use std::sync::Arc;

use bytes::Bytes;
use flare_core::executor::{Cancel, Context, DataSource, Error, Reply, Surroundings, Task};
use flare_core::filter::{self, Passage, Point};
use flare_core::hash::Hash;
use flare_core::journal;
use flare_core::metric;
use flare_core::names::Name;
use flare_core::operation::{Key, OperationId, StateAccess};
use flare_core::outcome::Cause;
use flare_core::shareable::Shareable;
use flare_core::tensor::Tensors;
use flare_core::transport::{INLINE_LIMIT, TaskId};

use crate::panics::{self, caught};
use crate::permits::Permit;
use crate::pool::{Output, Shared};
use crate::residents::{self, Resident, Residents};
use crate::work::{Assigned, Work};

/// The longest text of a cause, in bytes: it goes into the journal.
pub(crate) const MAX_CAUSE: usize = 16 * 1024;

/// Progress is passed on when it has grown by this much.
const PROGRESS_STEP: f32 = 0.01;

pub(crate) struct Attempt<'a> {
    pub(crate) pool: &'a Shared,
    pub(crate) work: &'a Work,
    pub(crate) assigned: Assigned,
    pub(crate) cancel: &'a Cancel,
}

impl Attempt<'_> {
    /// Carries the attempt out; its reply is filtered, and its new state kept, when it returns.
    pub(crate) fn run(
        &self,
        residents: &mut Residents,
        permit: Option<Permit>,
    ) -> Result<Output, Cause> {
        let rank = self.assigned.rank;
        let client = residents.name(rank).unwrap_or_else(|| self.pool.options.roster.name(rank));
        let state = self.state()?;
        let task = self.task(&client)?;
        let resident = self.resident(residents, &client)?;
        let (reply, new_state) = self.execute(resident, residents, &task, state)?;
        if self.cancel.is_set() {
            return Err(Cause::Cancelled);
        }
        metric::check(&reply.metrics)
            .map_err(|fault| Cause::Refused(cut(fault.to_string()).into()))?;
        let output = self.filter(reply.output, &client, &task.input.tensors)?;
        let wrote_state = new_state.is_some();
        if let Some(state) = new_state {
            self.keep_state(state)?;
        }
        let (encoded, permit) = self.guarded(&output.tensors, permit);
        Ok(Output {
            weight: reply.weight,
            metrics: reply.metrics.into(),
            headers: output.encode_headers().into(),
            tensors: output.tensors.hash(),
            encoded,
            permit,
            wrote_state,
        })
    }

    /// Exactly the version that the task names: never an older one, never an empty one.
    fn state(&self) -> Result<Option<Bytes>, Cause> {
        let named = match self.work.task().state {
            StateAccess::None => None,
            StateAccess::Read | StateAccess::Write => self.assigned.state,
        };
        let Some(version) = named else { return Ok(None) };
        let found = self.pool.options.states.get(self.assigned.rank, version);
        found.map(Some).map_err(|error| {
            let lost = format!("state lost: reading version {version} of it: {error}");
            Cause::Environment(cut(lost).into())
        })
    }

    /// The task as the client's filters let it in.
    fn task(&self, client: &Name) -> Result<Cow<'_, Task>, Cause> {
        let (task, filters) = (self.work.task(), &self.pool.options.task_in);
        if filters.is_empty() {
            return Ok(Cow::Borrowed(task));
        }
        let passage = Passage { point: Point::TaskIn, client: Some(client), task: None };
        let input = pass(filters, task.input.clone(), passage)?;
        Ok(Cow::Owned(Task { input, ..Task::clone(task) }))
    }

    fn filter(&self, output: Shareable, client: &Name, task: &Tensors) -> Result<Shareable, Cause> {
        let filters = &self.pool.options.reply_out;
        if filters.is_empty() {
            return Ok(output);
        }
        let passage = Passage { point: Point::ReplyOut, client: Some(client), task: Some(task) };
        pass(filters, output, passage)
    }

    /// The client's executor, set up now or earlier.
    fn resident(&self, residents: &mut Residents, client: &Name) -> Result<Resident, Cause> {
        let rank = self.assigned.rank;
        if let Some(resident) = residents.take(rank) {
            return Ok(resident);
        }
        residents.make_room();
        let unit = &self.pool.options.unit;
        let mut executor = caught(|| unit.create()).map_err(panicked)?;
        let around = Around::new(self, client);
        let (task, seed) = (&self.pool.setup, self.pool.options.seed);
        let cores = self.pool.options.cores_per_task.get();
        let result = {
            let mut ctx = Context::new(client, task, seed, cores, self.cancel, &around, None);
            caught(|| executor.setup(&mut ctx).map_err(error_text))
        };
        match result {
            Ok(Ok(())) => Ok(Resident { rank, client: client.clone(), executor }),
            failed => {
                residents::discard(client, executor);
                failed.map_err(panicked)?.map_err(|text| Cause::Error(text.into()))?;
                unreachable!("one of the two is an error")
            }
        }
    }

    fn execute(
        &self,
        mut resident: Resident,
        residents: &mut Residents,
        task: &Task,
        state: Option<Bytes>,
    ) -> Result<(Reply, Option<Bytes>), Cause> {
        let client = resident.client.clone();
        let around = Around::new(self, &client);
        let options = &self.pool.options;
        let (seed, cores) = (options.seed, options.cores_per_task.get());
        let mut ctx = Context::new(&client, task, seed, cores, self.cancel, &around, state);
        let result = caught(|| resident.executor.execute(task, &mut ctx).map_err(error_text));
        let new_state = ctx.into_state();
        match result {
            Err(panic) => {
                residents::discard(&client, resident.executor);
                Err(panicked(panic))
            }
            Ok(result) => {
                residents.keep(resident);
                let reply = result.map_err(|text| Cause::Error(text.into()))?;
                Ok((reply, new_state))
            }
        }
    }

    fn keep_state(&self, state: Bytes) -> Result<(), Cause> {
        let (states, version) = (&self.pool.options.states, self.work.operation());
        states.put(self.assigned.rank, version, state).map_err(|error: journal::Error| {
            Cause::Environment(cut(format!("keeping its new state: {error}")).into())
        })?;
        // The operation may have ended in the meantime: then the version came too late to be dropped.
        if let Some(counted) = self.work.released() {
            self.pool.release_states(version, counted);
        }
        Ok(())
    }

    /// The encoded tensors, kept under a permit of their true size; what holds nothing needs none.
    fn guarded(&self, tensors: &Tensors, permit: Option<Permit>) -> (Bytes, Option<Arc<Permit>>) {
        let encoded = tensors.encoded().clone();
        self.work.saw_reply(encoded.len() as u64);
        match permit {
            Some(permit) if !tensors.is_empty() => {
                permit.resize(encoded.len() as u64);
                let permit = Arc::new(permit);
                (Permit::guard(encoded, Arc::clone(&permit)), Some(permit))
            }
            None if encoded.len() > INLINE_LIMIT => {
                let permit = Arc::new(self.pool.permits.force(encoded.len() as u64));
                (Permit::guard(encoded, Arc::clone(&permit)), Some(permit))
            }
            _ => (encoded, None),
        }
    }
}

/// What surrounds one attempt.
struct Around<'a> {
    pool: &'a Shared,
    task: TaskId,
    client: &'a Name,
    told: Cell<f32>,
}

impl<'a> Around<'a> {
    fn new(attempt: &Attempt<'a>, client: &'a Name) -> Self {
        let task = attempt.work.task_id(attempt.assigned.rank);
        Self { pool: attempt.pool, task, client, told: Cell::new(0.0) }
    }
}

impl Surroundings for Around<'_> {
    fn data(&self, set: &str) -> Result<DataSource, Error> {
        self.pool.options.data.data(self.task.rank, self.client, set)
    }

    fn progress(&self, done: f32) {
        let done = if done.is_nan() { 0.0 } else { done.min(1.0) };
        if done >= self.told.get() + PROGRESS_STEP || (done == 1.0 && self.told.get() < 1.0) {
            self.told.set(done);
            self.pool.sink.progress(self.task, done);
        }
    }
}

/// The task for which an executor is set up: none. So what it draws there at random is the same
/// whenever, and however often, it is set up.
pub(crate) fn setup_task() -> Task {
    Task {
        operation: OperationId(u64::MAX),
        key: Key::Ordinal(u64::MAX),
        stop: 0,
        name: "setup".into(),
        round: None,
        input: Shareable::default(),
        state: StateAccess::None,
        hash: Hash::from_bytes([0; 32]),
    }
}

fn pass(
    filters: &[Arc<dyn filter::Filter>],
    shareable: Shareable,
    passage: Passage<'_>,
) -> Result<Shareable, Cause> {
    let passed = caught(|| filter::pass(filters, shareable, passage).map_err(error_text));
    let passed = passed.unwrap_or_else(Err);
    passed.map_err(|text| Cause::Refused(cut(text + &panics::place()).into()))
}

fn panicked(text: String) -> Cause {
    Cause::Panic(cut(text).into())
}

/// An error and what caused it, as one text. Called where panics are caught: an error is the user's.
fn error_text(error: Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = text + ": " + &cause.to_string();
        source = cause.source();
    }
    cut(text)
}

fn cut(mut text: String) -> String {
    if text.len() > MAX_CAUSE {
        text.truncate(text.floor_char_boundary(MAX_CAUSE));
        text.push('…');
    }
    text
}
