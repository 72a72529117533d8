//! Who takes part in a job.

use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Fault;
use crate::names::{HELD_OUT, Name, Roster, RosterError};

/// Who takes part: a number of clients, or their names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Clients {
    /// So many clients, named `client-0` and so on, zero-padded to one width.
    pub count: Option<NonZeroU32>,
    /// The clients' names. Their order does not count.
    pub names: Option<Vec<Name>>,
}

impl Clients {
    /// So many clients.
    pub fn counted(count: NonZeroU32) -> Self {
        Self { count: Some(count), names: None }
    }

    /// The roster.
    ///
    /// # Errors
    /// When there are no clients, or a name comes twice.
    pub fn roster(&self) -> Result<Roster, RosterError> {
        match (&self.names, self.count) {
            (Some(names), _) => Roster::listed(names.iter().cloned()),
            (None, Some(count)) => Roster::counted(count.get()),
            (None, None) => Err(RosterError::Empty),
        }
    }

    pub(super) fn faults(&self) -> Vec<Fault> {
        match (&self.names, self.count) {
            (None, None) => {
                vec![Fault::missing("clients.count", "a number of clients, or `names`")]
            }
            (Some(_), Some(count)) => {
                vec![Fault::new("clients.count", count, "either `count` or `names`, not both")]
            }
            (None, Some(_)) => Vec::new(),
            (Some(names), None) if names.is_empty() => {
                vec![Fault::new("clients.names", "[]", "at least one client")]
            }
            (Some(names), None) => names_faults(names),
        }
    }
}

fn names_faults(names: &[Name]) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (index, name) in names.iter().enumerate() {
        let fault = |expected: &str| {
            Fault::new(format!("clients.names[{index}]"), format_args!("{name:?}"), expected)
        };
        if names[..index].contains(name) {
            faults.push(fault("each name once"));
        }
        if name.as_str() == HELD_OUT {
            faults.push(fault("another name: this one stands for the held-out rows"));
        }
    }
    faults
}
