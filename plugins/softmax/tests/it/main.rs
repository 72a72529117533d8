//! Tests of softmax regression through its public interface.
#![allow(clippy::unwrap_used)]

mod client;
mod conformance;
mod scaffold;
mod training;
