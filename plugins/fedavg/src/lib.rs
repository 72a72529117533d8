//! Federated averaging, with or without an optimiser at the server.
//!
//! Start at [`Config`]; [`FedAvg`] is the controller, [`Optimizer`] the arithmetic of the server, to be
//! tried without a federation.
//!
//! *Invariant*: a round is a function of the model, the optimiser's memory and the counted replies; what
//! outlives it is in the checkpoint.
#![forbid(unsafe_code)]

mod config;
mod controller;
mod optimizer;
mod server;

use flare_core::component::Component;

pub use config::{Config, Weighting};
pub use controller::FedAvg;
pub use optimizer::{Adaptive, Momentum, Optimizer, Variant};

/// What this plugin brings: the controller `fedavg`.
pub fn components() -> Vec<Component> {
    vec![Component::controller("fedavg", env!("CARGO_PKG_VERSION"), FedAvg::new)]
}
