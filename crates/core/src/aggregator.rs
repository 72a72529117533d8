//! Aggregators: what makes one set of tensors of many replies. The built-in ones are exact sums.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::component::Component;
use crate::executor::Error;
use crate::outcome::Weight;
use crate::pool::Pool;
use crate::tensor::{Layout, Tensors};

mod columns;
mod means;

pub use means::{
    DifferenceConfig, DifferenceMean, Exact, Make, Mean, MeanConfig, Sum, SumConfig, Summed,
};

/// One reply as an aggregator reads it.
#[derive(Debug, Clone)]
pub struct Contribution {
    /// What it weighs.
    pub weight: Weight,
    /// Its tensors.
    pub tensors: Tensors,
}

/// Makes one set of tensors of the replies of one operation.
///
/// A1. The result is a pure function of the *set* of contributions: neither the order nor the grouping
/// in which `fold` and `merge` get them changes a bit.
/// A2. An aggregator never keeps a reply: when `fold` returns, its memory is the caller's again.
/// A3. `partial` is canonical: its bytes depend on what was folded only, and `merge` of it is like folding
/// those replies.
/// A4. Contributions whose tensors do not agree are an error that names the tensor and both sides.
pub trait Aggregator: Send {
    /// Called once, before the first fold, with the tensors of the task.
    ///
    /// # Errors
    /// When nothing could be made of replies to such a task.
    fn begin(&mut self, task: &Tensors) -> Result<(), Error>;

    /// Takes replies in, in any order, any number at once.
    ///
    /// # Errors
    /// When they do not agree with those before, or among themselves; the operation then fails.
    fn fold(&mut self, replies: &[Contribution], pool: &dyn Pool) -> Result<(), Error>;

    /// What was folded so far, in a canonical encoding.
    fn partial(&self) -> Vec<u8>;

    /// Takes in what another instance folded.
    ///
    /// # Errors
    /// When the bytes are no partial result of this aggregator, or do not agree with what is here.
    fn merge(&mut self, partial: &[u8], pool: &dyn Pool) -> Result<(), Error>;

    /// Takes the `last` replies in, if any, and gives the result: where all replies are at hand at once,
    /// nothing need be stored in between.
    ///
    /// # Errors
    /// When there is none: nothing was folded, the replies do not agree, or the total weight is 0.
    fn finish(self: Box<Self>, last: &[Contribution], pool: &dyn Pool) -> Result<Tensors, Error>;
}

/// The dtype in which a mean is handed back.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Output {
    /// The dtype of the replies.
    #[default]
    Same,
    /// Double precision, for server optimisers.
    F64,
}

/// The built-in aggregators.
pub fn components() -> [Component; 3] {
    let version = env!("CARGO_PKG_VERSION");
    [
        Component::aggregator("weighted-mean", version, |config| Ok(Mean::new(config))),
        Component::aggregator("sum", version, |config| Ok(Sum::new(config))),
        Component::aggregator("mean-of-differences", version, |config| {
            Ok(DifferenceMean::new(config))
        }),
    ]
}

/// The first tensor in which two sets do not agree, in words.
pub(crate) fn disagreement(a: &Layout, b: &Layout) -> Option<String> {
    if a == b {
        return None;
    }
    let of = |layout: &Layout, name: &str| match layout.get(name) {
        Some(info) => format!("{} of shape {:?}", info.dtype, info.shape),
        None => "nothing".into(),
    };
    let names: BTreeSet<&str> = a.iter().chain(b.iter()).map(|info| &*info.name).collect();
    let name = names.into_iter().find(|name| of(a, name) != of(b, name))?;
    Some(format!("tensor \"{}\": {} against {}", crate::shown(name), of(a, name), of(b, name)))
}
