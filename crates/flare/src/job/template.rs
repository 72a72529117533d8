//! The job that `flare job new` writes: commented, and valid as it stands.

use flare_core::names::Name;

/// The text of a starting job of that name.
pub fn template(name: &Name) -> String {
    include_str!("template.toml").replace("my-job", name.as_str())
}
