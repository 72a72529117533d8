//! How a simulated client carries out an attempt: with the real executor, filters and states.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use flare_core::executor::{Cancel, Context, DataSource, Error, Surroundings, Task};
use flare_core::filter::{self, Passage, Point, panic_text};
use flare_core::names::Name;
use flare_core::operation::{OperationId, StateAccess};
use flare_core::outcome::Cause;
use flare_core::transport::{Announcement, Event, TaskId};

use super::faults::Fault;
use super::world::{Finished, World};

struct Around<'a> {
    world: &'a World,
    task: TaskId,
}

impl Surroundings for Around<'_> {
    fn data(&self, name: &str) -> Result<DataSource, Error> {
        Err(format!("a simulated client has no data set {name}").into())
    }

    fn progress(&self, done: f32) {
        let mut state = self.world.state();
        self.world.send(&mut state, self.task, Event::Progress(self.task, done), 0);
    }
}

impl World {
    /// Carries out an attempt whose time has come.
    pub(super) fn execute(&self, id: TaskId, attempt: u32) {
        let Some((task, version, cancel)) = self.begin(id, attempt) else { return };
        let fails = self.state().disarm(id.rank, |fault| *fault == Fault::FailAttempt).is_some();
        let finished = match fails {
            true => Err(Cause::Environment("as the plan of faults says".into())),
            false => self.attempt(id, attempt, &task, version, &cancel),
        };
        self.finish(id, attempt, finished.unwrap_or_else(Finished::Failure));
    }

    fn attempt(
        &self,
        id: TaskId,
        attempt: u32,
        task: &Arc<Task>,
        version: Option<OperationId>,
        cancel: &Cancel,
    ) -> Result<Finished, Cause> {
        let lost = |error| Cause::Environment(format!("state lost: {error}").into());
        let state = version.map(|version| self.setup.states.get(id.rank, version).map_err(lost));
        let state = state.transpose()?;
        let (client, around) = (self.setup.roster.name(id.rank), Around { world: self, task: id });
        let mut ctx = Context::new(&client, task, self.setup.seed, 1, cancel, &around, state);
        let mut executor = self.setup.unit.create();
        let call = || {
            executor.setup(&mut ctx)?;
            let reply = executor.execute(task, &mut ctx);
            executor.teardown();
            reply
        };
        let mut reply = match catch_unwind(AssertUnwindSafe(call)) {
            Err(panic) => return Err(Cause::Panic(panic_text(&*panic).into())),
            Ok(Err(error)) => return Err(Cause::Error(error.to_string().into())),
            Ok(Ok(reply)) => reply,
        };
        reply.output = self.filter(&client, task, reply.output)?;
        let new_state = ctx.into_state().filter(|_| task.state == StateAccess::Write);
        if let Some(state) = &new_state {
            let put = self.setup.states.put(id.rank, id.operation, state.clone());
            put.map_err(|error| Cause::Environment(error.to_string().into()))?;
        }
        let bytes = reply.output.tensors.encoded().clone();
        let mut announcement = Announcement::of(&reply, attempt, new_state.is_some());
        announcement.inline = announcement.inline.filter(|_| self.setup.inline);
        Ok(Finished::Reply(Box::new(announcement), bytes))
    }

    fn filter(
        &self,
        client: &Name,
        task: &Task,
        output: flare_core::Shareable,
    ) -> Result<flare_core::Shareable, Cause> {
        let passage = Passage {
            point: Point::ReplyOut,
            client: Some(client),
            task: Some(&task.input.tensors),
        };
        let passed = filter::pass(&self.setup.reply_out, output, passage);
        passed.map_err(|error| Cause::Refused(error.to_string().into()))
    }
}
