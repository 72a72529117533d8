//! The components that a program knows without further ado.

use flare_core::component::{Component, Registry};

/// The aggregators of core, and with the feature `standard-plugins` the components of `plugins/`. Add
/// your own to it.
pub fn registry() -> Registry {
    let mut registry = Registry::new();
    registry.add_all(standard());
    registry
}

#[cfg(feature = "standard-plugins")]
fn standard() -> Vec<Component> {
    [
        flare_plugin_fedavg::components(),
        flare_plugin_filters::components(),
        flare_plugin_scaffold::components(),
        flare_plugin_softmax::components(),
        flare_plugin_study::components(),
    ]
    .concat()
}

#[cfg(not(feature = "standard-plugins"))]
fn standard() -> Vec<Component> {
    Vec::new()
}
