//! Softmax regression by mini-batch gradient descent: the standard learner.
//!
//! Start at [`Config`]; [`Learner`] trains and evaluates, [`Descent`] is its arithmetic, to be tried
//! without a federation.
//!
//! *Invariant*: every number is computed in one fixed order, with separate multiplications and additions,
//! so that neither the width of a CPU's registers nor the number of workers changes a bit.
#![forbid(unsafe_code)]

mod batch;
mod config;
mod control;
mod descent;
mod learner;

use flare_core::component::Component;
use flare_core::executor::LearnerExecutor;

pub use config::Config;
pub use descent::{Descent, Pull};
pub use learner::Learner;

/// The name of the tensor with the weights: f32, shape `[features, classes]`.
pub const WEIGHTS: &str = "weights";
/// The name of the tensor with the bias: f32, shape `[classes]`.
pub const BIAS: &str = "bias";

/// What this plugin brings: the learner `softmax-regression`.
pub fn components() -> Vec<Component> {
    let make = |config: &Config| LearnerExecutor(Learner::new(config.clone()));
    let check = |config: &Config| config.check();
    vec![Component::executor("softmax-regression", env!("CARGO_PKG_VERSION"), make, check)]
}
