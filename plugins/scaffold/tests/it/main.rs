//! SCAFFOLD over the local transport.
#![allow(clippy::unwrap_used)]

mod digits;
#[path = "../../../study/tests/world/digits.rs"]
mod digits_world;
mod toy;
#[path = "../../../study/tests/world/mod.rs"]
mod world;

use flare_plugin_scaffold::Scaffold;

/// A controller with settings as a job gives them.
pub(crate) fn scaffold(settings: &str) -> Scaffold {
    Scaffold::new(toml::from_str(settings).unwrap()).unwrap()
}
