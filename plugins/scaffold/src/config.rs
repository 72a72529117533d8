//! The controller's settings.

use flare_core::fault::Faults;
use flare_core::operation::ReplyPolicy;
use flare_core::rounds::{Best, EarlyStopping, Evaluation, Plan, Sampling};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of `scaffold`: federated averaging in which each client corrects its steps by the difference of
/// two control variates, the server's c and its own c_i (Karimireddy et al. 2020, Algorithm 1). It needs a
/// learner that knows control variates, such as `softmax-regression`; clients keep state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How many rounds. With 0 the initial model is evaluated, once, and not trained. Default: 10.
    pub rounds: u64,
    /// Whom a round asks. Default: everybody.
    pub sample: Sampling,
    /// The server's learning rate, above 0: the model x becomes x + eta (mean of the clients' models - x).
    /// Default: 1.
    pub eta: f64,
    /// How a client renews its control variate. Default: by the way it travelled (option II).
    pub option: Renewal,
    /// What a reply weighs in both means. Default: the same for each, as in the paper.
    pub weighting: Weighting,
    /// Whose replies count, and when a round is over.
    pub replies: ReplyPolicy,
    /// When and where the model is evaluated. Default: after each round, by all clients.
    pub evaluate: Evaluation,
    /// Which model is the result. Default: the last.
    pub best: Option<Best>,
    /// When training ends before its last round. Default: never.
    pub early_stopping: Option<EarlyStopping>,
}

/// How a client renews its control variate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Renewal {
    /// Option I: c_i becomes the gradient of the client's loss over all its data at the round's model. It costs
    /// one more pass over the data.
    #[serde(rename = "I")]
    Gradient,
    /// Option II: c_i becomes c_i - c + (x - y) / (K l), for the client's model y after K steps with rate l.
    #[default]
    #[serde(rename = "II")]
    Way,
}

/// What a reply weighs in the means.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Weighting {
    /// As many examples as its client trained on, or whatever weight the learner gives.
    Examples,
    /// The same for each. The task's header `weighting` is then `"uniform"`, by which a learner replies
    /// with weight 1, or 0 if it had nothing to train on; another weight ends the run.
    #[default]
    Uniform,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            rounds: 10,
            sample: Sampling::default(),
            eta: 1.0,
            option: Renewal::default(),
            weighting: Weighting::default(),
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
        let holds = self.eta.is_finite() && self.eta > 0.0;
        faults.expect(holds, "eta", self.eta, "a finite number above 0");
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
