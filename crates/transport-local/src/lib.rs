//! The transport of a federation in one process: a bounded pool plays the client side.
//!
//! Start at [`LocalTransport`]. [`Faults`] makes clients drop out, come late or fail, drawn from the
//! seed, for those who study stragglers and for tests.
//!
//! *Invariant*: there is no thread here but the pool's, and no memory per client but for tasks in
//! flight, held replies and states.
#![forbid(unsafe_code)]

mod delays;
mod events;
mod faults;
mod ledger;
mod transport;

pub use faults::{Delay, Faults, Share};
pub use transport::LocalTransport;
