//! Tests of softmax regression through its public interface.
#![allow(clippy::unwrap_used)]

mod client;
mod scaffold;
mod training;
