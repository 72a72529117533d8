//! An operation: one call of the controller on its federation, as plain data.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::component::ComponentSpec;
use crate::hash::Hash;
use crate::names::{Name, Rank};
use crate::random::OperationKey;
use crate::shareable::Shareable;

/// What identifies an operation within its run (contract 2).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Key {
    /// The controller's own label, such as `train-3`.
    Label(Name),
    /// The how-manieth operation without a label it is, from 0.
    Ordinal(u64),
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Label(label) => write!(f, "{label}"),
            Self::Ordinal(ordinal) => write!(f, "{ordinal}"),
        }
    }
}

impl<'a> From<&'a Key> for OperationKey<'a> {
    fn from(key: &'a Key) -> Self {
        match key {
            Key::Label(label) => Self::Label(label.as_str()),
            Key::Ordinal(ordinal) => Self::Ordinal(*ordinal),
        }
    }
}

/// An operation's number in its run, in order of first start; a state version is named by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OperationId(pub u64);

impl std::fmt::Display for OperationId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// How an operation goes over its targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Course {
    /// To all at once.
    Broadcast,
    /// To one; or to the first of the listed that takes it: a target that fails is passed over.
    Send,
    /// From one to the next in the listed order; each gets what the one before replied.
    Relay {
        /// What a failing stop does.
        on_failure: RelayFailure,
    },
}

/// What a failing stop of a relay does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RelayFailure {
    /// The operation fails and names the stop.
    End,
    /// The next stop gets what this one got. The round is then timed.
    Skip,
}

/// Whom an operation asks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Targets {
    /// Everybody on the roster.
    All,
    /// These, in this order (the order matters to `Send` and `Relay` only).
    Listed(Vec<Name>),
    /// So many drawn from the roster by the operation's own stream.
    Sampled(Sample),
    /// The seat of the held-out data set.
    HeldOut,
}

/// How many are drawn (contract 29).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Sample {
    /// Exactly so many.
    Size(u32),
    /// A share of the roster, but at least `minimum`.
    Fraction {
        /// Above 0, at most 1, taken as the decimal it is written.
        fraction: f64,
        /// The least number.
        minimum: u32,
    },
}

/// What a learner's failure does to an exact round (contract 15).
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// The client is left out, by name.
    #[default]
    Exclude,
    /// The operation fails.
    Fail,
}

/// Whose replies count, and when the operation is over.
///
/// All at their defaults, the round is *exact*: everyone selected must answer. Any of `min_replies`,
/// `deadline`, `over_select` makes it *timed*: the clock then decides who counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ReplyPolicy {
    /// So many replies are enough. Without `wait_after_min` the others are still awaited, until each
    /// has replied, failed, gone or run into the deadline.
    pub min_replies: Option<u32>,
    /// How much longer the others are awaited once `min_replies` have come.
    #[serde(with = "crate::duration::option")]
    #[schemars(with = "Option<f64>")]
    pub wait_after_min: Option<Duration>,
    /// When the operation ends with what it has, counted from its start; it starts anew after a restart.
    #[serde(with = "crate::duration::option")]
    #[schemars(with = "Option<f64>")]
    pub deadline: Option<Duration>,
    /// So many more are asked than are taken: the first to answer count.
    pub over_select: u32,
    /// What a learner's failure does.
    pub on_failure: OnFailure,
    /// Whether NaN and infinities in replies are let through instead of refused.
    pub accept_non_finite: bool,
}

impl ReplyPolicy {
    /// Whether the clock decides who counts (contract 10).
    pub fn is_timed(&self) -> bool {
        self.min_replies.is_some() || self.deadline.is_some() || self.over_select > 0
    }
}

/// What a task does with the client's state (contract 21).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum StateAccess {
    /// Neither reads nor writes it.
    #[default]
    None,
    /// Reads it: evaluation.
    Read,
    /// Reads it and may leave a new version.
    Write,
}

/// What the targets are asked to do.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TaskSpec {
    /// What to do: `train`, `evaluate`, or whatever the executor knows.
    pub name: String,
    /// The input: headers and tensors.
    pub input: Shareable,
    /// What the task does with the client's state.
    pub state: StateAccess,
    /// The round that it belongs to, for people and for learners' schedules.
    pub round: Option<u64>,
}

/// What becomes of the replies.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Gather {
    /// The replies themselves, as handles, in rank order.
    #[default]
    Replies,
    /// Only what this aggregator makes of them.
    Aggregate(ComponentSpec),
}

/// One call of the controller, as plain data.
#[derive(Debug, Clone, PartialEq)]
pub struct OperationSpec {
    /// The label, unique in the run; without one the operation is known by its ordinal.
    pub label: Option<Name>,
    /// How it goes over its targets.
    pub course: Course,
    /// Whom it asks.
    pub targets: Targets,
    /// What it asks them.
    pub task: TaskSpec,
    /// Whose replies count.
    pub policy: ReplyPolicy,
    /// What becomes of the replies.
    pub gather: Gather,
}

impl OperationSpec {
    /// A broadcast of `task` to everybody, exact, with the replies handed back.
    pub fn broadcast(task: TaskSpec) -> Self {
        Self {
            label: None,
            course: Course::Broadcast,
            targets: Targets::All,
            task,
            policy: ReplyPolicy::default(),
            gather: Gather::Replies,
        }
    }

    /// Whether the clock decides who counts when so many clients are asked (contract 10).
    pub fn is_timed(&self, asked: usize) -> bool {
        let by_course = match self.course {
            Course::Broadcast => false,
            Course::Send => asked > 1,
            Course::Relay { on_failure } => on_failure == RelayFailure::Skip,
        };
        by_course || self.policy.is_timed()
    }

    /// What of the specification a journaled operation is compared by (contract 2), with the targets
    /// as they were resolved and the run's filters. Parts have names, so that a difference can be named.
    pub fn digest(&self, selected: &[Rank], filters: Hash) -> SpecDigest {
        let part = |domain: &str, bytes: &[u8]| Hash::derive(domain, bytes);
        let course = postcard_bytes(&(&self.course, &self.targets));
        let policy = postcard_bytes(&self.policy);
        let gather = match &self.gather {
            Gather::Replies => Vec::new(),
            Gather::Aggregate(spec) => spec.encode(),
        };
        let selected: Vec<u8> = selected.iter().flat_map(|rank| rank.0.to_le_bytes()).collect();
        let task = postcard_bytes(&(&self.task.name, self.task.state, self.task.round));
        SpecDigest {
            course: part("flare spec course", &course),
            targets: part("flare spec targets", &selected),
            policy: part("flare spec policy", &policy),
            aggregator: part("flare spec aggregator", &gather),
            task: part("flare spec task", &task),
            payload: self.task.input.digest(),
            filters,
        }
    }
}

fn postcard_bytes<T: Serialize>(value: &T) -> Vec<u8> {
    postcard::to_allocvec(value).expect("plain data in memory always serialises")
}

/// The hashes of an operation's parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpecDigest {
    course: Hash,
    targets: Hash,
    policy: Hash,
    aggregator: Hash,
    task: Hash,
    payload: Hash,
    filters: Hash,
}

impl SpecDigest {
    /// The first part in which two specifications differ, if they do.
    pub fn difference(&self, other: &Self) -> Option<&'static str> {
        let parts = [
            (self.course == other.course, "kind or targets"),
            (self.targets == other.targets, "selected clients"),
            (self.policy == other.policy, "reply policy"),
            (self.aggregator == other.aggregator, "aggregator"),
            (self.task == other.task, "task"),
            (self.payload == other.payload, "task payload"),
            (self.filters == other.filters, "filters"),
        ];
        parts.into_iter().find(|(same, _)| !same).map(|(_, part)| part)
    }

    /// One hash over all parts.
    pub fn hash(&self) -> Hash {
        Hash::derive("flare spec", postcard_bytes(self))
    }
}
