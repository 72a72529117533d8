//! The learners: what each adds to its answer.

use std::collections::BTreeMap;
use std::time::Duration;

use flare_core::executor::{Context, Error, Learner, Task, Update};
use flare_core::fault::Faults;
use flare_core::metric::Metric;
use flare_core::names::Name;
use flare_core::tensor::{DType, Layout, Tensors};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Answer;

/// How often a sleeper looks whether it was cancelled.
const LOOK: Duration = Duration::from_millis(2);

/// Settings of `echo`: it replies with the tensors that it got.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Echo {
    /// How many examples its reply stands for. Default: 1.
    pub examples: u64,
    /// As `report_input` of `fixed`.
    pub report_input: bool,
}

/// Settings of `fixed`: it replies as they say.
pub type Fixed = Answer;

/// Settings of `sleepy`: it replies after a while.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Sleepy {
    /// How long it waits before it trains or evaluates, in seconds. Default: 0.
    pub delay: f64,
    /// How much longer at most: a share of it is drawn for each task. In seconds. Default: 0.
    pub jitter: f64,
    /// How long single clients wait instead, without jitter, in seconds.
    pub clients: BTreeMap<Name, f64>,
    /// Whether it never looks if it was cancelled, as training code may that nobody can stop. Default: false.
    pub deaf: bool,
    /// What it replies with.
    pub reply: Answer,
}

/// Settings of `failing`: it fails at times.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Failing {
    /// How. Default: with an error.
    pub how: How,
    /// In which rounds. Default: in each.
    pub rounds: Vec<u64>,
    /// Which clients. Default: all.
    pub clients: Vec<Name>,
    /// Whether evaluation fails as well as training. Default: false.
    pub evaluation: bool,
    /// What it replies with when it does not fail.
    pub reply: Answer,
}

/// How a learner fails.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// It returns an error.
    #[default]
    Error,
    /// It panics.
    Panic,
    /// Its reply has a NaN as the first element of each floating-point tensor.
    Nan,
    /// Its reply's tensors have one dimension more.
    WrongShape,
    /// Its reply's tensors are u8.
    WrongDtype,
}

/// A learner that trains nothing.
pub struct Study {
    answer: Answer,
    sleep: Option<Sleepy>,
    fail: Option<Failing>,
}

impl Study {
    /// The learner `echo`.
    pub fn echo(echo: &Echo) -> Self {
        let Echo { examples, report_input } = *echo;
        Self::fixed(&Answer { examples, report_input, ..Answer::default() })
    }

    /// The learner `fixed`.
    pub fn fixed(answer: &Fixed) -> Self {
        Self { answer: answer.clone(), sleep: None, fail: None }
    }

    /// The learner `sleepy`.
    pub fn sleepy(sleepy: &Sleepy) -> Self {
        Self { sleep: Some(sleepy.clone()), ..Self::fixed(&sleepy.reply) }
    }

    /// The learner `failing`.
    pub fn failing(failing: &Failing) -> Self {
        Self { fail: Some(failing.clone()), ..Self::fixed(&failing.reply) }
    }

    /// Whether the settings are in range.
    ///
    /// # Errors
    /// Names each that is not.
    pub fn check(&self) -> Result<(), Faults> {
        let mut faults = Faults::default();
        let is_within = self.sleep.is_some() || self.fail.is_some();
        faults.part(if is_within { "reply" } else { "" }, self.answer.check());
        if let Some(sleep) = &self.sleep {
            let clients = sleep.clients.iter();
            let clients = clients.map(|(client, seconds)| (format!("clients.{client}"), *seconds));
            let all = [("delay".to_owned(), sleep.delay), ("jitter".to_owned(), sleep.jitter)];
            for (path, seconds) in all.into_iter().chain(clients) {
                let holds = Duration::try_from_secs_f64(seconds).is_ok();
                faults.expect(holds, &path, seconds, "a time to wait, in seconds");
            }
        }
        faults.result()
    }

    fn sleep(&self, ctx: &Context<'_>) -> Result<(), Error> {
        let Some(sleep) = &self.sleep else { return Ok(()) };
        let seconds = match sleep.clients.get(ctx.client()) {
            Some(seconds) => *seconds,
            None => sleep.delay + sleep.jitter * ctx.random("delay").f64(),
        };
        let mut left = Duration::try_from_secs_f64(seconds)?;
        while !left.is_zero() {
            if ctx.cancelled() && !sleep.deaf {
                return Err("cancelled".into());
            }
            let nap = left.min(LOOK);
            std::thread::sleep(nap);
            left -= nap;
        }
        Ok(())
    }

    /// How the task fails, if it does.
    fn failure(&self, task: &Task, ctx: &Context<'_>) -> Option<How> {
        let fail = self.fail.as_ref()?;
        let round = fail.rounds.is_empty() || task.round.is_some_and(|r| fail.rounds.contains(&r));
        let client = fail.clients.is_empty() || fail.clients.contains(ctx.client());
        (round && client).then_some(fail.how)
    }
}

impl Learner for Study {
    fn setup(&mut self, _: &mut Context<'_>) -> Result<(), Error> {
        Ok(())
    }

    fn train(&mut self, task: &Task, ctx: &mut Context<'_>) -> Result<Update, Error> {
        self.sleep(ctx)?;
        let answer = self.answer.of(ctx.client());
        match self.failure(task, ctx) {
            None => answer.update(task),
            Some(how) => fail(how, task, answer.update(task)?),
        }
    }

    fn evaluate(&mut self, task: &Task, ctx: &mut Context<'_>) -> Result<Vec<Metric>, Error> {
        self.sleep(ctx)?;
        let fails = self.fail.as_ref().is_some_and(|fail| fail.evaluation);
        if let Some(how) = self.failure(task, ctx).filter(|_| fails) {
            fail(how, task, self.answer.of(ctx.client()).update(task)?)?;
        }
        self.answer.of(ctx.client()).measure(task.round.unwrap_or(0))
    }
}

fn fail(how: How, task: &Task, mut update: Update) -> Result<Update, Error> {
    let round = task.round.unwrap_or(0);
    match how {
        How::Error => return Err(format!("fails in round {round}, as its settings say").into()),
        How::Panic => panic!("panics in round {round}, as its settings say"),
        How::Nan => update.tensors = with_nan(&update.tensors),
        How::WrongShape => update.tensors = reshaped(&update.tensors, None)?,
        How::WrongDtype => update.tensors = reshaped(&update.tensors, Some(DType::U8))?,
    }
    Ok(update)
}

fn with_nan(tensors: &Tensors) -> Tensors {
    let mut tensors = tensors.to_mut();
    for (info, bytes) in tensors.slices_mut() {
        // All bits set is a NaN in every floating-point dtype.
        let first = bytes.len().min(info.dtype.size());
        if info.dtype.is_float() {
            bytes[..first].fill(0xFF);
        }
    }
    tensors.finish()
}

/// Tensors of the same names: of another dtype, or else with one dimension more; all zero.
fn reshaped(tensors: &Tensors, dtype: Option<DType>) -> Result<Tensors, Error> {
    let infos = tensors.layout().iter().map(|info| {
        let mut shape = info.shape.clone();
        if dtype.is_none() {
            shape.push(1);
        }
        (std::sync::Arc::clone(&info.name), dtype.unwrap_or(info.dtype), shape)
    });
    Ok(Tensors::zeros(&Layout::new(infos)?))
}

impl Default for Echo {
    fn default() -> Self {
        Self { examples: 1, report_input: false }
    }
}
