//! Tests of the core through its public interface.
#![allow(clippy::unwrap_used)]

mod cases;
mod finite;
mod random;
mod tensors;
