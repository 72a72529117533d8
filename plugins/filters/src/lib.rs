//! Filters that a job names: [`NormClip`] bounds what a reply can do to a model, [`Exclude`] lets named tensors
//! not through.
//!
//! *Invariant*: what a filter cannot do as it says, it lets not through at all.
#![forbid(unsafe_code)]

mod exclude;
mod norm;

use flare_core::component::Component;

pub use exclude::Exclude;
pub use norm::{NormClip, clip};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What this plugin brings: the filters `norm-clip` and `exclude`.
pub fn components() -> Vec<Component> {
    vec![
        Component::filter("norm-clip", VERSION, NormClip::checked),
        Component::filter("exclude", VERSION, Exclude::checked),
    ]
}
