//! SCAFFOLD: federated averaging whose clients correct their drift by control variates.
//!
//! Start at [`Config`]; [`Scaffold`] is the controller. What travels is told at [`CONTROL`].
//!
//! *Invariant*: a client's control variate is its state, and moves on only when its reply counted; the
//! server's is in the checkpoint.
#![forbid(unsafe_code)]

mod config;
mod controller;
mod server;

use flare_core::component::Component;

pub use config::{Config, Renewal, Weighting};
pub use controller::Scaffold;

/// What precedes a tensor's name to name its control variate.
///
/// A training task has the model's tensors and, for each floating-point tensor `NAME`, `control/NAME` of the
/// same dtype and shape: the server's c. The client's state is an encoded set of tensors: its c_i under the
/// tensors' own names; before the first task there is none, and c_i is 0. A reply has the client's model and,
/// as `control/NAME`, what was added to c_i. The task's header `scaffold_option` is 1 or 2.
pub const CONTROL: &str = "control/";

/// What this plugin brings: the controller `scaffold`.
pub fn components() -> Vec<Component> {
    vec![Component::controller("scaffold", env!("CARGO_PKG_VERSION"), Scaffold::new)]
}
