//! What a controller's configuration says of whom it asks and how long it waits.

use crate::operation::ReplyPolicy;
use crate::random::Fraction;
use crate::value::Value;

use super::{Fault, Job};

/// How many clients a round asks, by the field that says so.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Asked {
    /// Everybody.
    All,
    /// So many, drawn anew each round.
    Size(u64),
    /// A share, drawn anew each round, but at least `minimum`.
    Share {
        /// The share.
        share: Fraction,
        /// The least number.
        minimum: u64,
    },
}

impl Asked {
    /// How many that is of `clients`.
    pub fn of(self, clients: u64) -> u64 {
        match self {
            Self::All => clients,
            Self::Size(size) => size,
            Self::Share { share, minimum } => share.of(clients, minimum),
        }
    }
}

impl Job {
    /// Whose replies count, and how long the controller waits: its field `replies`, if it is well-formed.
    pub fn replies(&self) -> ReplyPolicy {
        let replies = self.controller.config.get("replies");
        replies.and_then(|replies| replies.parse().ok()).unwrap_or_default()
    }

    /// Whom a round asks: the controller's table `sample`, with `size`, or `fraction` and `minimum`, if
    /// it is well-formed.
    pub fn asked(&self) -> Asked {
        let sample = self.controller.config.get("sample");
        let field = |name| sample.and_then(|sample| sample.get(name));
        let minimum = field("minimum").and_then(Value::as_u64).unwrap_or(1);
        let share = field("fraction").and_then(|share| share.parse().ok());
        match (share, field("size").and_then(Value::as_u64)) {
            (Some(share), _) => Asked::Share { share, minimum },
            (None, Some(size)) => Asked::Size(size),
            (None, None) => Asked::All,
        }
    }

    /// Faults of whom is asked and who is awaited, for a roster of so many clients.
    pub(super) fn reply_faults(&self, clients: u64) -> Vec<Fault> {
        let mut faults = Vec::new();
        let path = |field: &str| format!("controller.{field}");
        let asked = self.asked().of(clients);
        if asked > clients {
            let field = if matches!(self.asked(), Asked::Size(_)) {
                "sample.size"
            } else {
                "sample.minimum"
            };
            let expected = format!("at most the {clients} clients that there are");
            faults.push(Fault::new(path(field), asked, expected));
        }
        // Field by field: one that cannot be read hides nothing of the others.
        let replies = self.controller.config.get("replies");
        let field = |name| replies.and_then(|replies| replies.get(name));
        if let Some(least) = field("min_replies").and_then(Value::as_u64) {
            let path = path("replies.min_replies");
            if least == 0 {
                faults.push(Fault::new(path, least, "at least 1"));
            } else if least > asked {
                faults.push(Fault::new(path, least, format!("at most the {asked} that are asked")));
            }
        } else if let (None, Some(wait)) = (field("min_replies"), self.replies().wait_after_min) {
            let expected = "`min_replies` beside it";
            faults.push(Fault::new(path("replies.wait_after_min"), wait.as_secs_f64(), expected));
        }
        let over = field("over_select").and_then(Value::as_u64).unwrap_or(0);
        if asked <= clients && over > clients - asked {
            let expected =
                format!("at most {}, since {asked} of {clients} are asked", clients - asked);
            faults.push(Fault::new(path("replies.over_select"), over, expected));
        }
        faults
    }
}
