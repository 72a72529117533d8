//! Tests of the task runtime, by random schedules and by name.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod cases;
mod conformance;
mod contracts;
mod machine;
mod outside;
mod runtime;

/// How many schedules a random test plays; `FLARE_SCHEDULES` has it search longer.
fn schedules(usual: u64) -> u64 {
    std::env::var("FLARE_SCHEDULES").ok().and_then(|count| count.parse().ok()).unwrap_or(usual)
}
