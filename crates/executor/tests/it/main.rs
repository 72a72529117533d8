//! The pool by itself: who runs where, what survives, and what a misbehaving learner cannot do.
#![allow(clippy::unwrap_used, reason = "a panic with its line is what a test wants")]

mod attempts;
mod bench;
mod panics;
mod residents;
mod states;
mod threads;
