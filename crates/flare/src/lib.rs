//! Flare from a Rust program: a federation in your own process, job files, and runs of them.
//!
//! - [`local`](fn@local) gives a [`Federation`](federation::Federation) whose clients live in this
//!   process; a `main` over it is a workflow. Start at [`local::Options`].
//! - [`job`] reads job files: TOML, checked against the schemas of the components that are known.
//! - [`run`] carries a job out: progress, results, a folder that a killed run goes on from.
//! - [`report`] makes a page of a run that works offline.
//!
//! What core defines is re-exported here under core's own names, so that a program needs this crate only.
//!
//! *Invariant*: nothing here computes: numbers come from core, plugins and the user's code. This crate
//! brings them together, reads text, and writes files.
#![forbid(unsafe_code)]

#[cfg(feature = "local")]
mod background;
#[cfg(feature = "local")]
mod dealt;
pub mod job;
#[cfg(feature = "local")]
pub mod local;
mod registry;
pub mod report;
#[cfg(feature = "local")]
pub mod run;
#[cfg(feature = "local")]
mod session;

pub use flare_core::{
    Hash, aggregator, clock, component, controller, event, executor, fault, federation, filter,
    hash, journal, metric, names, operation, operations, outcome, random, shareable, shown, tensor,
    value,
};
pub use flare_data as data;

#[cfg(feature = "local")]
pub use flare_store::OnTmpfs;
#[cfg(feature = "local")]
pub use local::{block_on, local};
pub use registry::registry;
#[cfg(feature = "local")]
pub use session::Hold;
