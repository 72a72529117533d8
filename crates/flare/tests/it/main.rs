//! The facade as a program uses it.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod disk;
mod faults;
mod filtered;
mod folders;
mod hold;
mod jobs;
mod kills;
mod learners;
mod limits;
mod local;
mod refused;
mod replays;
mod resources;
mod runs;
mod toy;
mod units;
mod words;
