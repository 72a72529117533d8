//! Proof for whoever implements one of Flare's contracts: suites by obligation number, and a simulated
//! world in which every schedule can be replayed.
//!
//! *Invariant*: nothing here waits for real time; what a test draws at random it draws from a seed that
//! is printed when the test fails.
#![forbid(unsafe_code)]
