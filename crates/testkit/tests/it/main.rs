//! Tests of the task runtime, by random schedules and by name.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod machine;
