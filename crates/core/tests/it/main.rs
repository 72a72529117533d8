//! Tests of the core through its public interface.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod cases;
mod finite;
mod random;
mod seeds;
mod tensors;
mod values;
