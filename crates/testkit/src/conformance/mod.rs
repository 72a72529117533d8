//! Suites of what an implementation of a contract owes, by obligation number.
//!
//! Each function is one test: it is given how to make what is under test, and panics where an obligation
//! is not met. Those who implement a contract call them from a test of their own, each by one line.
#![allow(clippy::unwrap_used, reason = "a suite fails by panicking, with the line at fault")]

pub mod blobs;
pub mod entries;
pub mod journal;
pub mod operations;
pub mod stage;
pub mod states;
pub mod store;
pub mod threads;
pub mod transport;
