//! The heart of Flare: what a controller, an executor and a transport owe each other, and the task
//! runtime between them.
//!
//! *Invariant*: nothing here does I/O, reads a clock or starts a thread; all of that comes in through
//! traits, so that every schedule can be replayed.
#![forbid(unsafe_code)]

pub mod hash;
pub mod names;
pub mod pool;
pub mod random;
pub mod shareable;
pub mod shown;
pub mod sums;
pub mod tensor;
pub mod value;

pub use hash::Hash;
pub use shareable::Shareable;
pub use shown::shown;
pub use value::Value;
