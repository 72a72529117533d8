//! Loops over numbers whose results no CPU can change: vectorised across outputs, each output in one fixed order.
//!
//! Start with [`product`] (the learners' matrix products). Each function has a twin that takes a
//! [`Variant`], so that tests reach every build of it, not only the one this CPU picks.
//!
//! *Invariant*: every function here is safe to call, and gives the same bits whichever variant the CPU gets.

pub mod exact;
pub mod product;
mod variant;

pub use variant::Variant;
