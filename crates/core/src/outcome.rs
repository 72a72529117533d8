//! How an operation ended: for each client, and as a whole.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::hash::Hash;
use crate::metric::{Metric, Metrics};
use crate::names::Rank;
use crate::operation::{Key, OperationId, SpecDigest};
use crate::tensor::Tensors;

/// What an update weighs in a mean: a count of examples, or a real number (contract 26). All
/// replies of one operation use the same kind.
pub use crate::sums::Weight;

/// Why a client gave no reply that counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cause {
    /// The learner returned an error.
    Error(Arc<str>),
    /// The learner panicked and was caught.
    Panic(Arc<str>),
    /// The reply was refused: another shape or dtype, NaN, a bad weight, a filter that failed.
    Refused(Arc<str>),
    /// Something around the learner failed: a process died, a limit, I/O, lost state. Executed again
    /// where that can help.
    Environment(Arc<str>),
    /// The client's lease ran out, or it is not there.
    Gone(Arc<str>),
    /// The operation's deadline, or its wait after the minimum, came first.
    TimedOut,
    /// Others were enough.
    NotNeeded,
    /// The controller, or the user, cancelled the operation.
    Cancelled,
    /// The operation ended before the client's turn came.
    NotReached,
}

impl Cause {
    /// Whether the learner's own doing is at fault (contract 15).
    pub fn is_learners(&self) -> bool {
        matches!(self, Self::Error(_) | Self::Panic(_) | Self::Refused(_))
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(text) => write!(f, "the learner failed: {text}"),
            Self::Panic(text) => write!(f, "the learner panicked: {text}"),
            Self::Refused(text) => write!(f, "its reply was refused: {text}"),
            Self::Environment(text) => write!(f, "its surroundings failed: {text}"),
            Self::Gone(text) => write!(f, "it is gone: {text}"),
            Self::TimedOut => f.write_str("it did not answer in time"),
            Self::NotNeeded => f.write_str("others answered first"),
            Self::Cancelled => f.write_str("cancelled"),
            Self::NotReached => f.write_str("its turn did not come"),
        }
    }
}

/// What is known of a reply that counted; the reply's tensors are a blob named by `tensors`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CountedReply {
    /// The reply's weight.
    pub weight: Weight,
    /// What the client measured.
    pub metrics: Box<[Metric]>,
    /// Hash of the encoded tensors.
    pub tensors: Hash,
    /// Size of the encoded tensors in bytes.
    pub bytes: u64,
    /// Headers of the reply in their canonical encoding; empty when there are none.
    pub headers: Box<[u8]>,
    /// Whether the task left a new version of the client's state.
    pub wrote_state: bool,
}

/// How one client ended an operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum End {
    /// Its reply counts.
    Counted(CountedReply),
    /// It gave no reply that counts.
    Failed(Cause),
}

/// How one client ended an operation, and when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClientEnd {
    /// The client.
    pub rank: Rank,
    /// How often the task was executed for it.
    pub attempts: u32,
    /// From the operation's start to this end.
    pub after: Duration,
    /// How it ended.
    pub end: End,
}

/// Why an operation as a whole failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Failure {
    /// Fewer replies came, or can still come, than the policy asks.
    #[error("{counted} of the {needed} replies that it needs came{}", list(causes))]
    TooFew {
        /// Replies that would have counted.
        counted: u32,
        /// Replies that the policy asks for.
        needed: u32,
        /// Each client that gave none, with its cause, by rank.
        causes: Vec<(String, Cause)>,
    },
    /// A client failed, and the policy or the round's exactness allows no failure.
    #[error("client {client} failed, and this operation needs its reply: {cause}")]
    Client {
        /// The client.
        client: String,
        /// Its cause.
        cause: Cause,
    },
    /// A stop of a relay failed.
    #[error("stop {stop} ({client}) of the relay failed: {cause}")]
    Stop {
        /// The stop, from 0.
        stop: u32,
        /// The client.
        client: String,
        /// Its cause.
        cause: Cause,
    },
    /// The replies cannot be combined.
    #[error("its replies cannot be combined: {0}")]
    Aggregate(String),
    /// It was cancelled.
    #[error("it was cancelled")]
    Cancelled,
    /// A limit was reached.
    #[error("{0}")]
    Limit(String),
}

fn list(causes: &[(String, Cause)]) -> String {
    causes.iter().map(|(client, cause)| format!("\n  {client}: {cause}")).collect()
}

/// The durable record of an ended operation (contract 3): everything that the controller can see but
/// the tensors, which are blobs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The operation's number.
    pub operation: OperationId,
    /// Its key.
    pub key: Key,
    /// The round that its task named.
    pub round: Option<u64>,
    /// What the task was.
    pub task: Arc<str>,
    /// What it was asked.
    pub digest: SpecDigest,
    /// Hash of the code that it ran with (contract 8): the run's units, as [`Run::unit`] has them.
    ///
    /// [`Run::unit`]: crate::journal::Run::unit
    pub unit: Hash,
    /// Whether the clock decided who counts.
    pub timed: bool,
    /// Whether its deadline started anew, since the process that began it ended before it did (contract 36).
    pub deadline_anew: bool,
    /// Who was asked and how each ended, in the order of the ends.
    pub ends: Vec<ClientEnd>,
    /// From start to decision.
    pub duration: Duration,
    /// Metrics over the clients that count.
    pub metrics: Metrics,
    /// Total weight of the replies that count, rounded to a double.
    pub total_weight: f64,
    /// The result, or why there is none.
    pub result: Result<Gathered, Failure>,
}

impl Record {
    /// The replies that count, by rank.
    pub fn counted(&self) -> Vec<(Rank, &CountedReply)> {
        let mut counted: Vec<_> = self.replies().collect();
        counted.sort_by_key(|(rank, _)| *rank);
        counted
    }

    /// The replies that count, in the order in which they came to count.
    pub fn replies(&self) -> impl Iterator<Item = (Rank, &CountedReply)> {
        self.ends.iter().filter_map(|end| match &end.end {
            End::Counted(reply) => Some((end.rank, reply)),
            End::Failed(_) => None,
        })
    }
}

/// The blobs of an outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Gathered {
    /// The aggregate.
    Aggregate {
        /// Hash of its encoded tensors.
        tensors: Hash,
    },
    /// What a closure of the controller made of the replies, in the closure's own encoding.
    Concluded {
        /// Hash of the bytes.
        value: Hash,
    },
    /// The counted replies themselves; their blobs are named in the ends.
    Replies,
}

/// One counted reply as the controller gets it.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// The client.
    pub rank: Rank,
    /// Weight, metrics, headers.
    pub summary: CountedReply,
    /// The tensors.
    pub tensors: Tensors,
}

/// What an operation hands to its controller.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Everything but the tensors.
    pub record: Arc<Record>,
    /// Whether it was answered from the journal.
    pub replayed: bool,
    /// The aggregate, if an aggregator was asked for.
    pub aggregate: Option<Tensors>,
}
