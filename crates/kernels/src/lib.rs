//! Loops over numbers whose results no CPU can change: vectorised across outputs, each output in one fixed order.
//!
//! *Invariant*: every function here is safe to call, and gives the same bits whichever variant the CPU gets.
