//! Named random streams: public functions of (seed, purpose, label or ordinal, stop, client).
//!
//! Start at [`StreamId`], which says who draws and what for, and gives the [`Stream`] from which
//! numbers are drawn. Contract 27 names the generator; contract 29 the [`Fraction`] that says how
//! many clients are sampled.
//!
//! *Invariant*: a draw depends on the stream's identity and on the draws before it in that stream,
//! and on nothing else. What is drawn, and in which order words are used up, never changes: golden
//! tests, whose values a second program in Python computes, hold it.

mod distributions;
mod fraction;
mod id;
mod stream;

pub use distributions::{MAX_SHAPE, MIN_SHAPE};
pub use fraction::{Fraction, FractionError};
pub use id::{CONTEXT, OperationKey, StreamId};
pub use stream::Stream;
