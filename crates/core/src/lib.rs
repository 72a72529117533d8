//! The heart of Flare: what a controller, an executor and a transport owe each other, and the task
//! runtime between them.
//!
//! *Invariant*: nothing here does I/O, reads a clock or starts a thread; all of that comes in through
//! traits, so that every schedule can be replayed.
#![forbid(unsafe_code)]

pub mod aggregator;
pub mod clock;
pub mod component;
pub mod controller;
mod duration;
pub mod event;
pub mod executor;
pub mod fault;
pub mod federation;
pub mod filter;
pub mod hash;
pub mod job;
pub mod journal;
pub mod memory;
pub mod metric;
pub mod names;
pub mod operation;
pub mod operations;
pub mod outcome;
mod pages;
pub mod pattern;
pub mod pool;
pub mod random;
pub mod rounds;
pub mod runtime;
pub mod shareable;
pub mod shown;
pub mod sums;
pub mod tensor;
pub mod transport;
pub mod value;

pub use hash::Hash;
pub use shareable::Shareable;
pub use shown::shown;
pub use value::Value;
