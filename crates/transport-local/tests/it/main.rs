//! The local transport against the obligations of `Transport`, and what it promises beyond them.
#![allow(clippy::unwrap_used, reason = "a panic with its line is what a test wants")]

mod conformance;
mod delays;
mod faults;
mod runtime;
mod threads;
mod window;
