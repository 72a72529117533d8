//! Why a workflow in rounds ended without a result, in words that name the round and the clients.

use std::sync::{Arc, Mutex, PoisonError};

use crate::controller;
use crate::event::{Kind, What};
use crate::federation::{self, Federation};
use crate::names::Roster;
use crate::outcome::Record;

/// The longest list of clients in an error.
const MOST_NAMED: usize = 20;

/// Why a workflow in rounds ended without a result.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody says what to start from.
    #[error("there is no model to start from: give the job a [model], a file or its tensors")]
    NoModel,
    /// Replies came, but none with a weight.
    #[error(
        "round {round}: total weight 0: {clients} replied with no examples, so there is no mean; the \
         model stays as it was"
    )]
    NoWeight {
        /// The round.
        round: u64,
        /// Those who replied.
        clients: String,
        /// What the operation said.
        source: controller::Error,
    },
    /// A round failed otherwise.
    #[error("round {round}: {source}")]
    Round {
        /// The round.
        round: u64,
        /// Why.
        source: controller::Error,
    },
    /// Nobody measures what the plan asks for.
    #[error(
        "nobody reports the metric {metric:?}, by which {purpose} is decided; reported are: {reported}"
    )]
    NoMetric {
        /// The metric.
        metric: String,
        /// What needs it.
        purpose: &'static str,
        /// The metrics that there are.
        reported: String,
    },
}

/// Remembers how the last operation ended, to say more of a failure than its error does.
pub(super) struct Explain {
    roster: Roster,
    last: Arc<Mutex<Option<Arc<Record>>>>,
}

impl Explain {
    pub(super) fn listen(federation: &Federation) -> Self {
        let last = Arc::new(Mutex::new(None));
        let kept = Arc::clone(&last);
        federation.on(Kind::OperationEnded, move |event| {
            if let What::OperationEnded { record } = &event.what {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                *kept = record.result.is_err().then(|| Arc::clone(record));
            }
            Ok(())
        });
        Self { roster: federation.roster().clone(), last }
    }

    /// The error with its round and, where all weights were 0, the clients.
    pub(super) fn error(&self, round: u64, source: controller::Error) -> Error {
        let failed = matches!(source.downcast_ref(), Some(federation::Error::Failed { .. }));
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            Some(record)
                if failed && record.total_weight == 0.0 && !record.counted().is_empty() =>
            {
                Error::NoWeight { round, clients: self.clients(record), source }
            }
            _ => Error::Round { round, source },
        }
    }

    fn clients(&self, record: &Record) -> String {
        let counted = record.counted();
        let named = counted.iter().take(MOST_NAMED).map(|(rank, _)| self.roster.name(*rank));
        let mut names: Vec<String> = named.map(|name| name.to_string()).collect();
        if counted.len() > MOST_NAMED {
            names.push(format!("{} more", counted.len() - MOST_NAMED));
        }
        names.join(", ")
    }
}
