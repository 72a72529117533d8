//! The workflow: what a controller is and what it hands back.

use std::collections::BTreeMap;

use async_trait::async_trait;

use crate::federation::Federation;
use crate::metric::Metrics;
use crate::tensor::Tensors;

/// Why a workflow ended without a result; any error.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// What a workflow hands back.
#[derive(Debug, Clone, Default)]
pub struct Finished {
    /// The final model.
    pub model: Tensors,
    /// The round that the model is of, from 1; 0 for the initial model.
    pub round: u64,
    /// The last metrics of the federation, by name.
    pub metrics: Metrics,
    /// What else the workflow wants to tell, by name.
    pub notes: BTreeMap<String, String>,
}

/// A workflow over a federation.
///
/// W1. It reaches its clients, the clock and chance only through the [`Federation`]: run again from its
/// beginning or its last checkpoint, it asks for the same operations in the same order.
/// W2. It looks at the checkpoint before its first operation.
#[async_trait]
pub trait Controller: Send {
    /// Runs the workflow to its end.
    ///
    /// # Errors
    /// Whatever ended it; what is finished is kept.
    async fn run(&mut self, federation: &Federation) -> Result<Finished, Error>;
}
