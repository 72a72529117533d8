//! Sums of products whose every bit is kept: blocks of columns, each held as a few `f64` that add up to the real number.

mod block;
mod element;
mod extremes;
mod lanes;
mod quotient;
mod scale;
mod trial;

pub use block::{Fold, Seen, Term};
pub use element::{Element, Magnitude};
pub use quotient::{Divisor, Narrow, divide_narrow, divide_wide};
pub(crate) use scale::Scale;
pub use scale::Span;
pub use trial::{Doubts, Trial, TrialRoom};

/// The most columns that are worked on at once: the sums of a block stay in the nearest cache.
pub const BLOCK: usize = 512;
