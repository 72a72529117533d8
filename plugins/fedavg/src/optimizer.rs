//! The server's optimisers, as arithmetic on one tensor: no federation, no checkpoint.

use flare_core::fault::Faults;
use flare_core::tensor::Float;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the server makes of the clients' mean difference D from the model x.
///
/// All arithmetic is in f64, element by element, with separate multiplications and additions; only the new
/// model is rounded to its dtype.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Optimizer {
    /// No optimiser: the plain weighted mean of the clients' models.
    None {},
    /// FedAvgM (Hsu et al. 2019): v becomes beta v - D, and x becomes x - eta v.
    FedAvgM(Momentum),
    /// FedAdagrad (Reddi et al. 2021, Algorithm 2): m as for FedAdam, v becomes v + D².
    FedAdagrad(Adaptive),
    /// FedAdam (Reddi et al. 2021, Algorithm 2): m becomes beta1 m + (1 - beta1) D, v becomes
    /// beta2 v + (1 - beta2) D², and x becomes x + eta m / (sqrt(v) + tau).
    FedAdam(Adaptive),
    /// FedYogi (Reddi et al. 2021, Algorithm 2): m as for FedAdam, v becomes
    /// v - (1 - beta2) D² sign(v - D²).
    FedYogi(Adaptive),
}

/// Settings of `fedavgm`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Momentum {
    /// How much of the last step stays, at least 0 and below 1. Default: 0.9.
    pub beta: f64,
    /// The server's learning rate, above 0. Default: 1.
    pub eta: f64,
    /// Nesterov's variant: x becomes x - eta (-D + beta v). Default: false.
    pub nesterov: bool,
}

/// Settings of `fedadagrad`, `fedadam` and `fedyogi`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Adaptive {
    /// The server's learning rate, above 0. Default: 0.1; of `fedyogi`: 0.01.
    pub eta: Option<f64>,
    /// How much of the mean step stays, at least 0 and below 1. Default: 0.9; of `fedadagrad`: 0.
    pub beta1: Option<f64>,
    /// How much of the mean square stays, at least 0 and below 1; `fedadagrad` has none. Default: 0.99.
    pub beta2: f64,
    /// What is added to the root of the mean square, above 0: the larger, the less the steps are adapted.
    /// Default: 0.001.
    pub tau: f64,
    /// How the mean square begins, and whether FedAdam corrects for it. Default: `paper`.
    pub variant: Variant,
}

/// How the mean square v begins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Variant {
    /// As in the paper: at tau², with no correction.
    #[default]
    Paper,
    /// As in Flower: at 0; and FedAdam's eta is multiplied by sqrt(1 - beta2^(t+1)) / (1 - beta1^(t+1)) in
    /// round t, from 1.
    Flower,
}

impl Default for Optimizer {
    fn default() -> Self {
        Self::None {}
    }
}

impl Default for Momentum {
    fn default() -> Self {
        Self { beta: 0.9, eta: 1.0, nesterov: false }
    }
}

impl Default for Adaptive {
    fn default() -> Self {
        Self { eta: None, beta1: None, beta2: 0.99, tau: 1e-3, variant: Variant::default() }
    }
}

impl Optimizer {
    /// Whether each number is in its range.
    ///
    /// # Errors
    /// Names each field, its value and the range.
    pub fn check(&self) -> Result<(), Faults> {
        let (above, share) = match self {
            Self::None {} => (Vec::new(), Vec::new()),
            Self::FedAvgM(momentum) => (vec![("eta", momentum.eta)], vec![("beta", momentum.beta)]),
            Self::FedAdagrad(adaptive) | Self::FedAdam(adaptive) | Self::FedYogi(adaptive) => (
                vec![("eta", self.eta(adaptive)), ("tau", adaptive.tau)],
                vec![("beta1", self.beta1(adaptive)), ("beta2", adaptive.beta2)],
            ),
        };
        let mut faults = Faults::default();
        for (name, value) in above {
            let holds = value.is_finite() && value > 0.0;
            faults.expect(holds, name, value, "a finite number above 0");
        }
        for (name, value) in share {
            faults.expect((0.0..1.0).contains(&value), name, value, "at least 0 and below 1");
        }
        faults.result()
    }

    /// What the optimiser remembers of each element before the first round: one number or two.
    pub fn memory(&self) -> &'static [Memory] {
        match self {
            Self::None {} => &[],
            Self::FedAvgM(_) => &[Memory::Step],
            Self::FedAdagrad(_) | Self::FedAdam(_) | Self::FedYogi(_) => {
                &[Memory::Step, Memory::Square]
            }
        }
    }

    /// What a memory of that kind is before the first round.
    pub fn at_first(&self, memory: Memory) -> f64 {
        match (self, memory) {
            (Self::FedAdagrad(set) | Self::FedAdam(set) | Self::FedYogi(set), Memory::Square) => {
                match set.variant {
                    Variant::Paper => set.tau * set.tau,
                    Variant::Flower => 0.0,
                }
            }
            _ => 0.0,
        }
    }

    /// One step of round `round`, from 1: moves `model` along `difference`, and renews `memory`, which
    /// holds all elements of the first kind of [`Optimizer::memory`], then all of the second.
    pub(crate) fn step<T: Float>(
        &self,
        round: u64,
        model: &mut [T],
        difference: &[f64],
        memory: &mut [f64],
    ) {
        let (steps, squares) = memory.split_at_mut(model.len().min(memory.len()));
        let elements = model.iter_mut().zip(difference);
        match self {
            Self::None {} => elements.for_each(|(x, d)| *x = T::narrow(x.widen() + d)),
            Self::FedAvgM(momentum) => {
                let elements = elements.zip(steps);
                elements.for_each(|((x, d), v)| *x = T::narrow(momentum.step(x.widen(), *d, v)));
            }
            Self::FedAdagrad(set) | Self::FedAdam(set) | Self::FedYogi(set) => {
                let (rate, beta1) = (self.rate(set, round), self.beta1(set));
                let first = 1.0 - beta1;
                for (((x, d), m), v) in elements.zip(steps).zip(squares) {
                    *m = beta1 * *m + first * d;
                    *v = self.square(set, *v, d * d);
                    *x = T::narrow(x.widen() + rate * *m / (libm::sqrt(*v) + set.tau));
                }
            }
        }
    }

    /// The mean square after a difference whose square is `square`.
    fn square(&self, set: &Adaptive, v: f64, square: f64) -> f64 {
        match self {
            Self::FedAdagrad(_) => v + square,
            Self::FedYogi(_) => v - (1.0 - set.beta2) * square * sign(v - square),
            _ => set.beta2 * v + (1.0 - set.beta2) * square,
        }
    }

    /// The learning rate in round `t`, from 1.
    fn rate(&self, set: &Adaptive, t: u64) -> f64 {
        let eta = self.eta(set);
        match (self, set.variant) {
            (Self::FedAdam(_), Variant::Flower) => {
                let power = (t + 1) as f64;
                let first = 1.0 - libm::pow(self.beta1(set), power);
                let second = 1.0 - libm::pow(set.beta2, power);
                eta * libm::sqrt(second) / first
            }
            _ => eta,
        }
    }

    fn eta(&self, set: &Adaptive) -> f64 {
        set.eta.unwrap_or(if matches!(self, Self::FedYogi(_)) { 0.01 } else { 0.1 })
    }

    fn beta1(&self, set: &Adaptive) -> f64 {
        set.beta1.unwrap_or(if matches!(self, Self::FedAdagrad(_)) { 0.0 } else { 0.9 })
    }
}

/// What an optimiser remembers of an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    /// The mean of the steps, m, or of FedAvgM v.
    Step,
    /// The mean of the squares, v.
    Square,
}

impl Momentum {
    fn step(&self, x: f64, difference: f64, v: &mut f64) -> f64 {
        let gradient = -difference;
        *v = self.beta * *v + gradient;
        match self.nesterov {
            true => x - self.eta * (gradient + self.beta * *v),
            false => x - self.eta * *v,
        }
    }
}

/// -1, 0 or 1; NaN stays.
fn sign(value: f64) -> f64 {
    if value == 0.0 || value.is_nan() { value } else { value.signum() }
}

#[cfg(test)]
mod tests;
