//! Weighted mean, sum and mean of differences: what is made of exact sums.

use serde::{Deserialize, Serialize};

use crate::executor::Error;
use crate::pattern::Pattern;
use crate::pool::Pool;
use crate::sums;
use crate::tensor::{DType, TensorInfo, Tensors};

use super::columns::{Columns, inputs, values, values_mut};
use super::{Aggregator, Contribution, Output};

/// What an [`Exact`] aggregator makes of its sums; the configuration says it.
pub trait Make: Send {
    /// Folds the `last` replies into the sums and makes a tensor of each.
    ///
    /// # Errors
    /// As [`Aggregator::finish`].
    fn make(&self, of: Summed<'_>, pool: &dyn Pool) -> Result<Tensors, Error>;
}

/// The replies to one operation, summed exactly, and what its task was.
pub struct Summed<'a> {
    columns: Columns,
    task: Tensors,
    last: &'a [Contribution],
}

/// An aggregator over exact sums, which makes of them what `M` says.
pub struct Exact<M> {
    make: M,
    task: Tensors,
    columns: Columns,
}

impl<M: Make> Exact<M> {
    /// An aggregator of nothing yet.
    pub fn new(make: M) -> Self {
        Self { make, task: Tensors::empty(), columns: Columns::default() }
    }
}

impl<M: Make> Aggregator for Exact<M> {
    fn begin(&mut self, task: &Tensors) -> Result<(), Error> {
        self.task = task.clone();
        Ok(())
    }

    fn fold(&mut self, replies: &[Contribution], pool: &dyn Pool) -> Result<(), Error> {
        self.columns.fold(replies, pool)
    }

    fn partial(&self) -> Vec<u8> {
        self.columns.encode()
    }

    fn merge(&mut self, partial: &[u8], pool: &dyn Pool) -> Result<(), Error> {
        self.columns.merge(partial, pool)
    }

    fn finish(self: Box<Self>, last: &[Contribution], pool: &dyn Pool) -> Result<Tensors, Error> {
        let Self { make, task, columns } = *self;
        make.make(Summed { columns, task, last }, pool)
    }
}

/// The weighted mean (sum of w x) / (sum of w) of each element: the real number, rounded once, to
/// nearest even, in the output's dtype. McMahan et al. 2017, Algorithm 1.
pub type Mean = Exact<MeanConfig>;

/// Configuration of [`Mean`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MeanConfig {
    /// The dtype of floating-point means; integers and bools keep theirs.
    pub output: Output,
}

impl Make for MeanConfig {
    fn make(&self, of: Summed<'_>, pool: &dyn Pool) -> Result<Tensors, Error> {
        let same = self.output == Output::Same;
        if same && of.columns.layout.is_none() {
            return mean_at_once(of.last, pool);
        }
        let widens = |info: &TensorInfo| !same && info.dtype.is_float();
        let dtype = |info: &TensorInfo| if widens(info) { DType::F64 } else { info.dtype };
        of.columns.finish(of.last, pool, dtype, |info, sum, out| {
            if widens(info) {
                return Ok(sum.mean_into_f64(out.slice_mut(&info.name)?, pool)?);
            }
            Ok(sum.mean_into(values_mut(out, &info.name)?, pool)?)
        })
    }
}

/// The short way where all replies are at hand: no sum is stored.
fn mean_at_once(replies: &[Contribution], pool: &dyn Pool) -> Result<Tensors, Error> {
    let mut columns = Columns::default();
    columns.agree(replies)?;
    let layout = columns.layout.ok_or("there is no reply to make a mean of")?;
    let mut out = Tensors::unwritten(&layout);
    for (at, info) in layout.iter().enumerate() {
        sums::mean_of(&inputs(replies, at), values_mut(&mut out, &info.name)?, pool)?;
    }
    Ok(out.finish())
}

/// The weighted sum of w x of each element, rounded once to its dtype; an integer that does not fit is an
/// error.
pub type Sum = Exact<SumConfig>;

/// Configuration of [`Sum`]: it has none.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(deny_unknown_fields, default)]
pub struct SumConfig {}

impl Make for SumConfig {
    fn make(&self, of: Summed<'_>, pool: &dyn Pool) -> Result<Tensors, Error> {
        let dtype = |info: &TensorInfo| info.dtype;
        of.columns.finish(of.last, pool, dtype, |info, sum, out| {
            Ok(sum.sum_into(values_mut(out, &info.name)?, pool)?)
        })
    }
}

/// The weighted mean of the replies' differences from the task's tensors: an exact difference, rounded
/// once to f64. Integers and bools, and tensors named `plain`, give their plain mean in their own dtype.
/// What server optimisers step by (Reddi et al. 2021, Algorithm 2).
pub type DifferenceMean = Exact<DifferenceConfig>;

/// Configuration of [`DifferenceMean`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DifferenceConfig {
    /// Tensors, by name, of which the plain mean in their own dtype is wanted instead: such as the running
    /// statistics of normalisation layers.
    pub plain: Vec<Pattern>,
}

impl Make for DifferenceConfig {
    fn make(&self, of: Summed<'_>, pool: &dyn Pool) -> Result<Tensors, Error> {
        let task = of.task;
        let plain = |name: &str| self.plain.iter().any(|pattern| pattern.matches(name));
        let differs = |info: &TensorInfo| info.dtype.is_float() && !plain(&info.name);
        let dtype = |info: &TensorInfo| if differs(info) { DType::F64 } else { info.dtype };
        of.columns.finish(of.last, pool, dtype, |info, sum, out| {
            if !differs(info) {
                return Ok(sum.mean_into(values_mut(out, &info.name)?, pool)?);
            }
            let at = task.layout().index(&info.name).ok_or_else(|| {
                format!("the task has no tensor \"{}\" to differ from", crate::shown(&info.name))
            })?;
            Ok(sum.mean_minus_into_f64(values(&task, at), out.slice_mut(&info.name)?, pool)?)
        })
    }
}
