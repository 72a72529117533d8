//! Tests of the store through its public interface.
// The suites are public: they are to be used from elsewhere.
#![allow(clippy::unwrap_used, unreachable_pub)]

mod child;
mod conformance;
mod damage;
mod exports;
mod format;
mod full;
mod kill;
mod lock;
mod places;
mod power;
mod segments;
mod spill;
mod story;
mod torn;
