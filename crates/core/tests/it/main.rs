//! Tests of the core through its public interface.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod aggregators;
mod cases;
mod direct;
mod fetches;
mod filters;
mod finite;
mod handlers;
mod header;
mod hold;
mod learner;
mod metrics;
mod python;
mod random;
mod reference;
mod restarts;
mod runtime;
mod seeds;
mod specs;
mod states;
mod sums;
mod tensors;
mod units;
mod values;
mod world;
