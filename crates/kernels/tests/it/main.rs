//! Every variant of every kernel against a plain loop, bit for bit.
#![allow(clippy::unwrap_used)]

mod exact;
mod product;
mod random;
mod trial;
