//! Hosts executors: a bounded pool of threads through which any number of clients is multiplexed.
//!
//! Start at [`Pool`]: it is made from [`PoolOptions`], given [`Work`] by its [`Handle`], and tells a
//! [`Sink`] how each attempt ended. [`Threads`] lends threads to core's folds.
//!
//! *Invariant*: a client costs memory only while a task of it runs, while it is one of the few
//! [residents](options::RESIDENTS) of a worker, and for the state that it keeps.
#![forbid(unsafe_code)]

mod attempt;
pub mod options;
mod panics;
mod permits;
mod pool;
mod residents;
mod threads;
mod work;
mod worker;

pub use options::{ClientData, NoData, PoolOptions};
pub use permits::{Permit, Permits};
pub use pool::{Handle, Output, Pool, Sink};
pub use threads::Threads;
pub use work::{Assigned, Work};
