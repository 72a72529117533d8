//! Tests of the study components through their public interface.
#![allow(clippy::unwrap_used)]

mod answers;
mod conformance;
mod learners;
mod relay;
mod settings;
mod work;
#[path = "../world/mod.rs"]
mod world;
