//! Federated averaging over the local transport, and what it decides and keeps.
#![allow(clippy::unwrap_used)]

mod averaging;
mod decisions;
mod digits;
#[path = "../../../study/tests/world/digits.rs"]
mod digits_world;
mod faults;
mod resumed;
mod settings;
mod told;
#[path = "../../../study/tests/world/mod.rs"]
mod world;

use flare_plugin_fedavg::FedAvg;

/// A controller with settings as a job gives them.
pub(crate) fn fedavg(settings: &str) -> FedAvg {
    FedAvg::new(toml::from_str(settings).unwrap()).unwrap()
}
