//! What can go wrong when tensors are summed.

use thiserror::Error;

use crate::tensor::DType;

/// Why a sum, a mean or a partial sum was refused. Whatever was refused changed nothing.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum Error {
    /// A weight is negative, infinite or no number.
    #[error("weight {value} is no weight: it must be a finite number of at least 0")]
    BadWeight {
        /// The weight as it was given.
        value: f64,
    },

    /// Whole and real weights met in one operation.
    #[error("whole and real weights in one operation: all replies must use the same kind")]
    MixedWeights,

    /// The weights add up to more than a count can be.
    #[error("the weights add up to more than 2^120: give the replies smaller counts")]
    WeightTooLarge,

    /// Nothing counts.
    #[error("total weight 0: no reply counts, so there is no mean")]
    NoWeight,

    /// An input has another element type.
    #[error("input {input} holds {found} where {expected} is summed")]
    DType {
        /// The position in the call's list of inputs (0 for an output).
        input: usize,
        /// The type that is summed.
        expected: DType,
        /// The type that came.
        found: DType,
    },

    /// An input has another number of elements.
    #[error("input {input} has {found} elements where {expected} are summed")]
    Length {
        /// The position in the call's list of inputs (0 for an output).
        input: usize,
        /// The elements that are summed.
        expected: usize,
        /// The elements that came.
        found: usize,
    },

    /// Bool tensors have no mean, so they must agree.
    #[error(
        "element {index} is true in one reply and false in another: bool tensors must be equal"
    )]
    BoolsDiffer {
        /// The first element that differs.
        index: usize,
    },

    /// A sum of integers does not fit its type.
    #[error("the sum at element {index} does not fit {dtype}: ask for it as f64")]
    SumTooLarge {
        /// The element.
        index: usize,
        /// The type that is too small.
        dtype: DType,
    },

    /// Bytes are no partial sum, or not of these elements.
    #[error("malformed partial sum at byte {at}: {fault}")]
    Malformed {
        /// Where reading stopped.
        at: usize,
        /// What is wrong there.
        fault: Fault,
    },
}

/// What is wrong with the bytes of a partial sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Fault {
    /// They do not begin as one.
    #[error("no partial sum begins like this")]
    Magic,
    /// They hold another element type.
    #[error("another element type")]
    DType,
    /// They hold another number of elements.
    #[error("another number of elements")]
    Length,
    /// They end too early.
    #[error("the bytes end here")]
    Truncated,
    /// They go on after the end.
    #[error("more bytes follow the end")]
    Trailing,
    /// A field has a value that no sum has.
    #[error("no sum has this value here")]
    Value,
    /// The number could be written in another way, and should be.
    #[error("not written in the canonical way")]
    NotCanonical,
}
