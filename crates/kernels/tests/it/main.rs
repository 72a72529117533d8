//! Every variant of every kernel against a plain loop, bit for bit.

mod product;
mod random;
