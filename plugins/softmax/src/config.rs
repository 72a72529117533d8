//! The learner's settings.

use std::num::{NonZeroU32, NonZeroUsize};

use flare_core::fault::Faults;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of `softmax-regression`: a linear classifier trained by mini-batch gradient descent on the
/// mean cross-entropy of each batch.
///
/// The model has the tensors `weights` (f32, shape \[features, classes\]) and `bias` (f32, shape
/// \[classes\]); the data are rows of features with a class. Each epoch goes over the client's rows once,
/// in a new random order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The client's learning rate, above 0. Default: 0.1.
    pub learning_rate: f32,
    /// Rows in a batch; the last batch of an epoch may have fewer. Default: 32.
    pub batch_size: NonZeroUsize,
    /// How often a training task goes over the client's rows. Default: 1.
    pub epochs: NonZeroU32,
    /// Momentum, at least 0 and below 1: a step follows v, where v becomes momentum x v + gradient, and is 0
    /// when a task begins. Default: 0.
    pub momentum: f32,
    /// Weight decay, at least 0: so many times the model is added to the gradient. Default: 0.
    pub weight_decay: f32,
    /// The name of the data set. Default: `train`.
    pub data: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            learning_rate: 0.1,
            batch_size: const { NonZeroUsize::new(32).expect("32 is not 0") },
            epochs: NonZeroU32::MIN,
            momentum: 0.0,
            weight_decay: 0.0,
            data: "train".into(),
        }
    }
}

impl Config {
    /// Whether each setting is in its range.
    ///
    /// # Errors
    /// Names each field, its value and the range.
    pub fn check(&self) -> Result<(), Faults> {
        let Self { learning_rate: rate, momentum, weight_decay: decay, .. } = *self;
        let mut faults = Faults::default();
        let holds = rate.is_finite() && rate > 0.0;
        faults.expect(holds, "learning_rate", rate, "a finite number above 0");
        let holds = (0.0..1.0).contains(&momentum);
        faults.expect(holds, "momentum", momentum, "at least 0 and below 1");
        let holds = decay.is_finite() && decay >= 0.0;
        faults.expect(holds, "weight_decay", decay, "a finite number of at least 0");
        faults.result()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_has_its_range() {
        let refused = |change: fn(&mut Config)| {
            let mut config = Config::default();
            change(&mut config);
            config.check().unwrap_err().to_string()
        };
        assert_eq!(Config::default().check(), Ok(()));
        assert!(refused(|c| c.learning_rate = 0.0).starts_with("learning_rate = 0: "));
        assert!(refused(|c| c.learning_rate = f32::NAN).starts_with("learning_rate = NaN: "));
        assert!(refused(|c| c.momentum = 1.0).starts_with("momentum = 1: "));
        assert!(refused(|c| c.weight_decay = -0.1).starts_with("weight_decay = -0.1: "));
        assert!(refused(|c| c.weight_decay = f32::INFINITY).starts_with("weight_decay = inf: "));
    }
}
