//! The controller's settings.

use flare_core::fault::Faults;
use flare_core::operation::ReplyPolicy;
use flare_core::pattern::Pattern;
use flare_core::rounds::{Best, EarlyStopping, Evaluation, Plan, Sampling};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Optimizer;

/// Settings of `fedavg`: in each round clients train the model on their own data, and the weighted mean of
/// what they send back is the next model (McMahan et al. 2017), or an optimiser of the server takes a step
/// along their mean difference from it (Hsu et al. 2019; Reddi et al. 2021).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How many rounds. With 0 the initial model is evaluated, once, and not trained. Default: 10.
    pub rounds: u64,
    /// Whom a round asks. Default: everybody.
    pub sample: Sampling,
    /// What a reply weighs in the mean. Default: by examples.
    pub weighting: Weighting,
    /// FedProx (Li et al. 2020): so many times the distance from the round's model pulls a client's model
    /// back while it trains; told to learners in the task's header `proximal_mu`. Default: 0, which is plain
    /// FedAvg.
    pub proximal_mu: f64,
    /// What the server makes of the replies. Default: their mean.
    pub optimizer: Optimizer,
    /// Tensors, by name (`*` is any text, `?` any one character), that the optimiser does not step: their
    /// plain mean is taken, such as for the running statistics of normalisation layers. Integers and bools
    /// are never stepped.
    pub keep_out: Vec<Pattern>,
    /// Whose replies count, and when a round is over.
    pub replies: ReplyPolicy,
    /// When and where the model is evaluated. Default: after each round, by all clients.
    pub evaluate: Evaluation,
    /// Which model is the result. Default: the last.
    pub best: Option<Best>,
    /// When training ends before its last round. Default: never.
    pub early_stopping: Option<EarlyStopping>,
}

/// What a reply weighs in the mean.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Weighting {
    /// As many examples as its client trained on, or whatever weight the learner gives.
    #[default]
    Examples,
    /// The same for each. The task's header `weighting` is then `"uniform"`, by which a learner replies
    /// with weight 1, or 0 if it had nothing to train on; another weight ends the run.
    Uniform,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            rounds: 10,
            sample: Sampling::default(),
            weighting: Weighting::default(),
            proximal_mu: 0.0,
            optimizer: Optimizer::default(),
            keep_out: Vec::new(),
            replies: ReplyPolicy::default(),
            evaluate: Evaluation::default(),
            best: None,
            early_stopping: None,
        }
    }
}

impl Config {
    /// Whether the settings are in range and go together.
    ///
    /// # Errors
    /// Names each field, its value and what was expected.
    pub fn check(&self) -> Result<(), Faults> {
        let mut faults = Faults::default();
        faults.part("sample", self.sample.check());
        let mu = self.proximal_mu;
        let expected = "a finite number of at least 0";
        faults.expect(mu.is_finite() && mu >= 0.0, "proximal_mu", mu, expected);
        faults.part("optimizer", self.optimizer.check());
        let none = !self.keep_out.is_empty() && matches!(self.optimizer, Optimizer::None {});
        let expected = "one that `keep_out` can keep tensors out of";
        faults.expect(!none, "optimizer", "none", expected);
        faults.part("", self.plan().check());
        faults.result()
    }

    pub(crate) fn plan(&self) -> Plan {
        Plan {
            rounds: self.rounds,
            evaluation: self.evaluate.clone(),
            replies: self.replies.clone(),
            best: self.best.clone(),
            early_stopping: self.early_stopping.clone(),
        }
    }
}
