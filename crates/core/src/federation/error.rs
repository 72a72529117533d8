//! Why a call on the federation gave no outcome.

use crate::event::Kind;
use crate::operation::Key;
use crate::outcome::Failure;
use crate::{executor, operations, tensor, value};

/// Why a call on the federation gave no outcome.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operation ran and failed.
    #[error("operation {key}: {failure}")]
    Failed {
        /// The operation.
        key: Key,
        /// Why.
        failure: Failure,
    },
    /// The operation could not be carried out.
    #[error(transparent)]
    Operations(#[from] operations::Error),
    /// A handler failed; the operation's outcome stands.
    #[error("the handler for {kind:?} events failed in operation {key}: {fault}")]
    Handler {
        /// What it was registered for.
        kind: Kind,
        /// The operation.
        key: Key,
        /// What it said.
        fault: String,
    },
    /// A closure of the controller failed on the replies.
    #[error("making something of the replies of operation {key}: {fault}")]
    Closure {
        /// The operation.
        key: Key,
        /// What it said.
        fault: executor::Error,
    },
    /// Tensors at the run's home do not decode.
    #[error("tensors of operation {key}: {source}")]
    Tensors {
        /// The operation.
        key: Key,
        /// What is wrong.
        source: tensor::Error,
    },
    /// A checkpoint or value has another shape than asked for.
    #[error("{what}: {source}")]
    Value {
        /// Which one.
        what: String,
        /// What is wrong.
        source: value::Error,
    },
}
