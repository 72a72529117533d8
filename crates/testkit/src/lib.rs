//! Proof for whoever implements one of Flare's contracts: suites by obligation number, and a simulated
//! world in which every schedule can be replayed.
//!
//! Start with [`sim::Sim`]: it runs a whole runtime on one thread, with a clock that jumps and faults
//! that are plain data.
//!
//! *Invariant*: nothing here waits for real time; what a test draws at random it draws from a seed that
//! is printed when the test fails.
#![forbid(unsafe_code)]

pub mod conformance;
pub mod sim;
