//! Flare from a Rust program: a federation in your own process, job files, and runs of them.
//!
//! - [`job`] reads job files: TOML, checked against the schemas of the components that are known.
//! - [`report`] makes a page of a run that works offline.
//!
//! What core defines is re-exported here under core's own names, so that a program needs this crate only.
//!
//! *Invariant*: nothing here computes: numbers come from core, plugins and the user's code. This crate
//! brings them together, reads text, and writes files.
#![forbid(unsafe_code)]

pub mod job;
mod registry;
pub mod report;

pub use flare_core::{
    Hash, aggregator, clock, component, controller, event, executor, federation, filter, hash,
    journal, metric, names, operation, operations, outcome, random, shareable, shown, tensor,
    value,
};
pub use flare_data as data;

pub use registry::registry;
