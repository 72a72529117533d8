//! Gradient descent on one part of the model: momentum, weight decay, proximal term, control variates.

use crate::config::Config;

/// What pulls a model besides its own loss.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pull<'a> {
    /// FedProx (Li et al., 2020): mu, and the model x that the task began with; mu (w - x) is added to the
    /// gradient.
    pub proximal: Option<(f32, &'a [f32])>,
    /// SCAFFOLD (Karimireddy et al., 2020): the server's and the client's control variate, c and c_i;
    /// c - c_i is added to the gradient.
    pub control: Option<(&'a [f32], &'a [f32])>,
}

/// Gradient descent on one tensor.
///
/// One step, element by element, with the gradient g of the batch at w, rate l, momentum m and decay d:
/// first g + d w, then + mu (w - x), then + c - c_i; v becomes m v + that; w becomes w - l v.
#[derive(Debug, Clone)]
pub struct Descent {
    learning_rate: f32,
    momentum: f32,
    weight_decay: f32,
    velocity: Vec<f32>,
}

impl Descent {
    /// At rest, for a tensor of `elements` elements.
    pub fn new(config: &Config, elements: usize) -> Self {
        let Config { learning_rate, momentum, weight_decay, .. } = *config;
        let velocity = if momentum == 0.0 { Vec::new() } else { vec![0.0; elements] };
        Self { learning_rate, momentum, weight_decay, velocity }
    }

    /// One step on `model` along `gradient`, which is used up. All slices have the tensor's length.
    pub fn step(&mut self, model: &mut [f32], gradient: &mut [f32], pull: Pull<'_>) {
        if self.weight_decay != 0.0 {
            for (gradient, model) in gradient.iter_mut().zip(model.iter()) {
                *gradient += self.weight_decay * model;
            }
        }
        if let Some((mu, start)) = pull.proximal.filter(|(mu, _)| *mu != 0.0) {
            for ((gradient, model), start) in gradient.iter_mut().zip(model.iter()).zip(start) {
                *gradient += mu * (model - start);
            }
        }
        if let Some((server, own)) = pull.control {
            for ((gradient, server), own) in gradient.iter_mut().zip(server).zip(own) {
                *gradient += server - own;
            }
        }
        for (velocity, gradient) in self.velocity.iter_mut().zip(gradient.iter_mut()) {
            *velocity = self.momentum * *velocity + *gradient;
            *gradient = *velocity;
        }
        for (model, gradient) in model.iter_mut().zip(gradient.iter()) {
            *model -= self.learning_rate * gradient;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(momentum: f32, weight_decay: f32) -> Config {
        Config { learning_rate: 0.5, momentum, weight_decay, ..Config::default() }
    }

    /// Two steps along the gradient 1, from 2. All numbers are exact in binary.
    fn two_steps(config: &Config, pull: Pull<'_>) -> [f32; 2] {
        let (mut descent, mut model) = (Descent::new(config, 1), [2.0]);
        [(); 2].map(|()| {
            descent.step(&mut model, &mut [1.0], pull);
            model[0]
        })
    }

    #[test]
    fn momentum_and_decay_are_in_the_step() {
        assert_eq!(two_steps(&config(0.0, 0.0), Pull::default()), [1.5, 1.0]);
        // v: 1, then 1.5.
        assert_eq!(two_steps(&config(0.5, 0.0), Pull::default()), [1.5, 0.75]);
        // Gradient: 1 + .25 x 2 = 1.5, then 1 + .25 x 1.25 = 1.3125.
        assert_eq!(two_steps(&config(0.0, 0.25), Pull::default()), [1.25, 0.59375]);
    }

    /// f(w) = (w - 1)^2 / 2 from x = 0, rate .1, two steps.
    #[test]
    fn c008_the_proximal_term_is_that_of_the_square() {
        let two_steps = |mu| {
            let config = Config { learning_rate: 0.1, ..config(0.0, 0.0) };
            let (mut descent, mut model) = (Descent::new(&config, 1), [0.0]);
            for _ in 0..2 {
                let pull = Pull { proximal: Some((mu, &[0.0])), control: None };
                let mut gradient = [model[0] - 1.0];
                descent.step(&mut model, &mut gradient, pull);
            }
            model[0]
        };
        // Without the square it would be .14.
        assert!((two_steps(1.0) - 0.18).abs() < 1e-7, "{}", two_steps(1.0));
        assert!((two_steps(0.0) - 0.19).abs() < 1e-7, "{}", two_steps(0.0));
    }

    #[test]
    fn proximal_term_and_control_variates_pull() {
        // Gradient: 1 + .5 (2 - 2), then 1 + .5 (1.5 - 2) = .75.
        let proximal = Some((0.5, [2.0].as_slice()));
        let pull = Pull { proximal, control: None };
        assert_eq!(two_steps(&config(0.0, 0.0), pull), [1.5, 1.125]);
        // Gradient: 1 + .5 - 2 = -.5.
        let control = Some(([0.5].as_slice(), [2.0].as_slice()));
        let pull = Pull { proximal: None, control };
        assert_eq!(two_steps(&config(0.0, 0.0), pull), [2.25, 2.5]);
    }
}
