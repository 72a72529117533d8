//! Controllers drawn from a seed: what they ask, and how they go on after a restart.

use std::time::Duration;

use flare_core::component::ComponentSpec;
use flare_core::event::Kind;
use flare_core::federation::{Error, Federation};
use flare_core::names::Name;
use flare_core::operation::{
    Course, Gather, OperationSpec, RelayFailure, ReplyPolicy, StateAccess, Targets, TaskSpec,
};
use flare_core::outcome::{End, Outcome};
use flare_core::random::Stream;
use flare_core::tensor::Tensors;
use flare_testkit::sim::Sim;
use flare_testkit::sim::log::{Log, Seen};
use futures::future::BoxFuture;

use super::unit::{floats, values};

/// One thing that the controller asks for.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// An aggregate of all.
    Train {
        failing: Vec<u32>,
        policy: ReplyPolicy,
    },
    /// The replies of all.
    Look {
        failing: Vec<u32>,
        policy: ReplyPolicy,
    },
    Relay {
        order: Vec<u32>,
        failing: Vec<u32>,
        on_failure: RelayFailure,
    },
    Send {
        to: Vec<u32>,
        failing: Vec<u32>,
    },
    /// An aggregate of all that is cancelled so many milliseconds after its start.
    Cancelled {
        failing: Vec<u32>,
        after: u64,
    },
    /// Both at once.
    Both {
        first: Vec<u32>,
        second: Vec<u32>,
    },
    /// The replies of all to a task that reads what one or two others write meanwhile.
    Beside {
        failing: Vec<u32>,
        /// Whether the reader starts before the first writer.
        reads_first: bool,
        /// A client that is asked something, and waited for, before the second of both starts.
        between: Option<u32>,
        /// Whether another writer comes and goes before the reader is waited for.
        again: bool,
    },
}

/// A controller.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    pub(crate) clients: u32,
    pub(crate) floats: usize,
    pub(crate) steps: Vec<Step>,
    /// Whether it labels what it asks.
    pub(crate) labels: bool,
    /// Whether it saves its state after each step.
    pub(crate) saves: bool,
    /// Whether it cancels what it has steps for: a run that is played from its cohorts does not.
    pub(crate) cancels: bool,
}

impl Program {
    /// A program of exact rounds: whatever happens on the way, its result is one.
    pub(crate) fn exact(stream: &mut Stream) -> Self {
        let clients = 1 + stream.below(4) as u32;
        let steps = (0..1 + stream.below(4)).map(|_| step(stream, clients)).collect();
        let floats = [1, 7, 300][stream.below(3) as usize];
        let (labels, saves) = (stream.below(2) == 0, stream.below(2) == 0);
        Self { clients, floats, steps, labels, saves, cancels: true }
    }

    /// A program of rounds in which the clock decides who counts.
    pub(crate) fn timed(stream: &mut Stream) -> Self {
        let clients = 2 + stream.below(4) as u32;
        let steps = (0..1 + stream.below(4)).map(|_| {
            let (failing, policy) = (some(stream, clients, 4), policy(stream, clients));
            match stream.below(5) {
                4 => Step::Cancelled { failing, after: stream.below(60) },
                0 => Step::Look { failing, policy },
                1 => {
                    let (order, on_failure) = (order(stream, clients), RelayFailure::Skip);
                    Step::Relay { order, failing, on_failure }
                }
                _ => Step::Train { failing, policy },
            }
        });
        let steps = steps.collect();
        let saves = stream.below(2) == 0;
        Self { clients, floats: 7, steps, labels: true, saves, cancels: true }
    }

    /// The deadline of one of its operations, by label.
    pub(crate) fn deadline(&self, key: &str) -> Option<Duration> {
        let step = key.trim_start_matches("step-").parse::<usize>().ok()?;
        match self.steps.get(step)? {
            Step::Train { policy, .. } | Step::Look { policy, .. } => policy.deadline,
            _ => None,
        }
    }

    /// Runs it, from its last saved state; hands back its model.
    pub(crate) async fn run(&self, federation: &Federation, sim: &Sim) -> Result<Vec<u32>, Error> {
        let log = sim.log();
        let noted = log.clone();
        federation.on(Kind::OperationEnded, move |event| {
            noted.push(Seen::Noted(format!("event {:?}", event.replayed)));
            Ok(())
        });
        let mut model = floats(&vec![0.25; self.floats]);
        let mut from = 0;
        if let Some((step, hash)) = federation.checkpoint::<(usize, flare_core::Hash)>()? {
            (from, model) = (step, federation.tensors(hash).await?);
        }
        for (at, step) in self.steps.iter().enumerate().skip(from) {
            if let Some(next) = self.step(federation, sim, at, step, &model).await? {
                model = next;
            }
            if self.saves {
                federation.save(&(at + 1, model.hash()), &[&model]).await?;
            }
        }
        Ok(values(&model).iter().map(|value| value.to_bits()).collect())
    }

    fn step<'a>(
        &'a self,
        federation: &'a Federation,
        sim: &'a Sim,
        at: usize,
        step: &'a Step,
        model: &'a Tensors,
    ) -> BoxFuture<'a, Result<Option<Tensors>, Error>> {
        Box::pin(async move {
            let log = sim.log();
            let label = |part: &str| Name::new(&format!("step-{at}{part}")).unwrap();
            let spec = |name: String, part: &str, forced: bool| {
                let state =
                    if name.starts_with("double") { StateAccess::None } else { StateAccess::Write };
                let state = if name.starts_with("look") { StateAccess::Read } else { state };
                let input = model.clone().into();
                let task = TaskSpec { name, input, state, round: Some(at as u64) };
                let label = (self.labels || forced).then(|| label(part));
                OperationSpec { label, ..OperationSpec::broadcast(task) }
            };
            let mean = || Gather::Aggregate(ComponentSpec::plain("weighted-mean"));
            match step {
                Step::Train { failing, policy } => {
                    let spec = spec(told("train", failing), "", false);
                    let spec = OperationSpec { gather: mean(), policy: policy.clone(), ..spec };
                    let outcome = federation.aggregate(spec).await;
                    let outcome = note(log, outcome)?;
                    Ok(outcome.and_then(|outcome| outcome.aggregate))
                }
                Step::Cancelled { failing, after } => {
                    let spec = spec(told("train", failing), "", false);
                    let handle =
                        federation.broadcast(OperationSpec { gather: mean(), ..spec }).await?;
                    if self.cancels {
                        let at = sim.now().after(Duration::from_millis(*after));
                        sim.seams().clock.sleep_until(at).await;
                        handle.cancel().await?;
                    }
                    let outcome = note(log, handle.wait().await)?;
                    Ok(outcome.and_then(|outcome| outcome.aggregate))
                }
                Step::Look { failing, policy } => {
                    let spec = spec(told("look", failing), "", false);
                    let spec = OperationSpec { policy: policy.clone(), ..spec };
                    let outcome = federation.broadcast_and_wait(spec).await;
                    let Some(outcome) = note(log, outcome)? else { return Ok(None) };
                    let replies = federation.replies(&outcome).await?;
                    assert!(replies.is_sorted_by_key(|reply| reply.rank));
                    Ok(replies.last().map(|reply| reply.tensors.clone()))
                }
                Step::Relay { order, failing, on_failure } => {
                    let spec = spec(told("double", failing), "", false);
                    let spec = OperationSpec { targets: listed(order), ..spec };
                    let outcome = federation.relay_and_wait(spec, *on_failure).await;
                    let Some(outcome) = note(log, outcome)? else { return Ok(None) };
                    Ok(Some(federation.tensors(last(&outcome)).await?))
                }
                Step::Send { to, failing } => {
                    let spec = spec(told("double", failing), "", false);
                    let spec = OperationSpec { targets: listed(to), course: Course::Send, ..spec };
                    let outcome = federation.send_and_wait(spec).await;
                    let Some(outcome) = note(log, outcome)? else { return Ok(None) };
                    Ok(Some(federation.tensors(last(&outcome)).await?))
                }
                Step::Both { first, second } => {
                    let [a, b] = [(first, "-a"), (second, "-b")].map(|(to, part)| OperationSpec {
                        targets: listed(to),
                        gather: mean(),
                        ..spec("train".into(), part, true)
                    });
                    let (a, b) = (federation.broadcast(a).await?, federation.broadcast(b).await?);
                    let (b, a) = (note(log, b.wait().await)?, note(log, a.wait().await)?);
                    Ok(a.and(b).and_then(|outcome| outcome.aggregate))
                }
                Step::Beside { failing, reads_first, between, again } => {
                    let read = || federation.broadcast(spec(told("look", failing), "-look", true));
                    let write = |part| {
                        let spec = spec("train".into(), part, true);
                        federation.broadcast(OperationSpec { gather: mean(), ..spec })
                    };
                    let early = if *reads_first { Some(read().await?) } else { None };
                    let writer = if *reads_first { None } else { Some(write("-train").await?) };
                    if let Some(client) = between {
                        let spec = spec("double".into(), "-between", true);
                        let spec = OperationSpec { targets: listed(&[*client]), ..spec };
                        note(log, federation.send_and_wait(spec).await)?;
                    }
                    let reader = if let Some(reader) = early { reader } else { read().await? };
                    let writer =
                        if let Some(writer) = writer { writer } else { write("-train").await? };
                    let mut written = note(log, writer.wait().await)?;
                    if *again {
                        written = note(log, write("-again").await?.wait().await)?;
                    }
                    note(log, reader.wait().await)?;
                    Ok(written.and_then(|outcome| outcome.aggregate))
                }
            }
        })
    }
}

/// Notes that the controller has its outcome; a failure of the operation is one.
fn note(log: &Log, outcome: Result<Outcome, Error>) -> Result<Option<Outcome>, Error> {
    let (key, result) = match outcome {
        Ok(outcome) => (outcome.record.key.clone(), Ok(Some(outcome))),
        Err(Error::Failed { key, failure }) => {
            log.push(Seen::Noted(format!("failure {key}: {failure:?}")));
            (key, Ok(None))
        }
        Err(error) => return Err(error),
    };
    log.push(Seen::Noted(format!("outcome {key}")));
    result
}

/// The reply that came last in the course.
fn last(outcome: &Outcome) -> flare_core::Hash {
    let counted = outcome.record.ends.iter().rev().find_map(|end| match &end.end {
        End::Counted(reply) => Some(reply.tensors),
        End::Failed(_) => None,
    });
    counted.unwrap()
}

fn told(name: &str, failing: &[u32]) -> String {
    let list: Vec<String> = failing.iter().map(u32::to_string).collect();
    if list.is_empty() { name.into() } else { format!("{name}!{}", list.join(",")) }
}

fn listed(ranks: &[u32]) -> Targets {
    let name = |rank: &u32| Name::new(&format!("client-{rank}")).unwrap();
    Targets::Listed(ranks.iter().map(name).collect())
}

fn step(stream: &mut Stream, clients: u32) -> Step {
    let policy = ReplyPolicy::default();
    let failing = some(stream, clients, 6);
    match stream.below(10) {
        8.. => {
            let between = (stream.below(2) == 0).then(|| stream.below(u64::from(clients)) as u32);
            let (reads_first, again) = (stream.below(2) == 0, stream.below(2) == 0);
            Step::Beside { failing, reads_first, between, again }
        }
        0..3 => Step::Train { failing, policy },
        3..5 => Step::Look { failing, policy },
        5 => {
            let on_failure = [RelayFailure::End, RelayFailure::Skip][stream.below(2) as usize];
            Step::Relay { order: order(stream, clients), failing, on_failure }
        }
        6 => {
            let to = vec![stream.below(u64::from(clients)) as u32];
            Step::Send { to, failing }
        }
        _ if clients < 2 => Step::Train { failing, policy },
        _ => {
            let all: Vec<u32> = (0..clients).collect();
            let (first, second) = all.split_at(1 + stream.below(u64::from(clients) - 1) as usize);
            Step::Both { first: first.to_vec(), second: second.to_vec() }
        }
    }
}

fn order(stream: &mut Stream, clients: u32) -> Vec<u32> {
    let mut order: Vec<u32> = (0..clients).collect();
    stream.shuffle(&mut order);
    order
}

/// Each client with a chance of one in `n`.
fn some(stream: &mut Stream, clients: u32, n: u64) -> Vec<u32> {
    (0..clients).filter(|_| stream.below(n) == 0).collect()
}

fn policy(stream: &mut Stream, clients: u32) -> ReplyPolicy {
    let millis = |stream: &mut Stream, n| Duration::from_millis(stream.below(n));
    let mut policy = ReplyPolicy::default();
    if stream.below(2) == 0 {
        policy.min_replies = Some(1 + stream.below(u64::from(clients)) as u32);
        policy.wait_after_min = (stream.below(2) == 0).then(|| millis(stream, 20));
    }
    if stream.below(2) == 0 {
        policy.deadline = Some(millis(stream, 80));
    }
    if stream.below(3) == 0 {
        policy.over_select = stream.below(u64::from(clients)) as u32;
    }
    policy
}
