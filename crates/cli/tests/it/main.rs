//! The program as people and scripts meet it: real processes in folders of their own.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a panic with its line, and a printed seed, are what a test wants"
)]

mod data;
mod disk;
mod input;
mod job;
mod json;
mod mended;
mod model;
mod place;
mod progress;
mod replies;
mod report;
mod run;
mod stop;
mod wide;
