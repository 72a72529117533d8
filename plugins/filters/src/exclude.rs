//! The filter that leaves tensors out by name.

use std::sync::Arc;

use flare_core::executor::Error;
use flare_core::fault::{Fault, Faults};
use flare_core::filter::{Filter, Passage};
use flare_core::pattern::Pattern;
use flare_core::shareable::Shareable;
use flare_core::tensor::{Layout, Tensors};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of `exclude`: it leaves out the tensors whose name fits one of the patterns. Of a reply, it keeps them
/// at the client: the model's tensors of those names stay as they are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Exclude {
    /// The names: `*` is any text, `?` any one character.
    pub tensors: Vec<Pattern>,
}

impl Exclude {
    /// The same, if there is something to leave out.
    ///
    /// # Errors
    /// When there is no pattern.
    pub fn checked(self) -> Result<Self, Faults> {
        let expected = "at least one pattern, or nothing would be left out";
        match self.tensors.is_empty() {
            true => Err(Fault::new("tensors", "[]", expected).into()),
            false => Ok(self),
        }
    }

    fn leaves_out(&self, name: &str) -> bool {
        self.tensors.iter().any(|pattern| pattern.matches(name))
    }
}

impl Filter for Exclude {
    fn apply(&self, shareable: Shareable, _: Passage<'_>) -> Result<Shareable, Error> {
        let before = &shareable.tensors;
        if !before.iter().any(|tensor| self.leaves_out(tensor.name)) {
            return Ok(shareable);
        }
        let rest = before.layout().iter().filter(|info| !self.leaves_out(&info.name));
        let rest = rest.map(|info| (Arc::clone(&info.name), info.dtype, info.shape.clone()));
        let mut tensors = Tensors::builder(&Layout::new(rest)?);
        for (info, place) in tensors.slices_mut() {
            place.copy_from_slice(before.require(&info.name)?.bytes);
        }
        Ok(Shareable { tensors: tensors.finish(), headers: shareable.headers })
    }
}
