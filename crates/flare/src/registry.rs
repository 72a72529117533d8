//! The components that a program knows without further ado.

use flare_core::component::Registry;

/// The aggregators of core. Add your own components to it.
pub fn registry() -> Registry {
    Registry::new()
}
