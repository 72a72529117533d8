//! The facade as a program uses it.
#![allow(clippy::unwrap_used)]

mod disk;
mod jobs;
mod kills;
mod local;
mod resources;
mod runs;
mod toy;
