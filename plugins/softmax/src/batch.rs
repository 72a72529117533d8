//! Some rows at a time: probabilities and cross-entropy of a linear classifier.

use flare_core::executor::Error;
use flare_data::View;
use flare_kernels::product::{Sizes, accumulate_rows};

/// Buffers for the rows that are worked on.
pub(crate) struct Batch {
    features: usize,
    classes: usize,
    /// Shape [rows, features].
    pub(crate) rows: Vec<f32>,
    /// The class of each row.
    labels: Vec<u32>,
    /// Shape [rows, classes]: the logits, then the probabilities, then the errors.
    pub(crate) outputs: Vec<f32>,
}

/// What a model achieves on some rows.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Score {
    pub(crate) rows: u64,
    pub(crate) correct: u64,
    /// Sum of the cross-entropy in nats, in the order of the rows.
    pub(crate) loss: f64,
}

impl Batch {
    /// For data and a model that fit each other.
    ///
    /// # Errors
    /// When they do not.
    pub(crate) fn new(view: &View, weights: &[usize], bias: &[usize]) -> Result<Self, Error> {
        let (features, classes) = (view.dataset().columns, view.dataset().classes);
        if weights != [features, classes] || bias != [classes] {
            return Err(format!(
                "the data have {features} features and {classes} classes, so the model must have \
                 `weights` of shape [{features}, {classes}] and `bias` of shape [{classes}]; it has \
                 {weights:?} and {bias:?}"
            )
            .into());
        }
        let (rows, labels, outputs) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Self { features, classes, rows, labels, outputs })
    }

    pub(crate) fn sizes(&self) -> Sizes {
        Sizes { batch: self.labels.len(), features: self.features, outputs: self.classes }
    }

    /// Takes these rows of the view, in this order.
    pub(crate) fn gather(&mut self, view: &View, rows: impl IntoIterator<Item = usize>) {
        self.rows.clear();
        self.labels.clear();
        for row in rows {
            self.rows.extend_from_slice(view.features(row));
            self.labels.push(view.label(row));
        }
    }

    /// Fills the outputs with the probabilities of each row's classes, and scores them.
    pub(crate) fn forward(&mut self, weights: &[f32], bias: &[f32], score: &mut Score) {
        self.outputs.clear();
        for _ in &self.labels {
            self.outputs.extend_from_slice(bias);
        }
        accumulate_rows(self.sizes(), &self.rows, weights, &mut self.outputs);
        for (outputs, label) in self.outputs.chunks_exact_mut(self.classes).zip(&self.labels) {
            let label = *label as usize;
            score.rows += 1;
            score.correct += u64::from(largest(outputs) == label);
            score.loss += softmax(outputs, label);
        }
    }

    /// Turns the probabilities into the derivative of the batch's mean loss by the logits.
    pub(crate) fn errors(&mut self) {
        let count = self.labels.len() as f32;
        for (outputs, label) in self.outputs.chunks_exact_mut(self.classes).zip(&self.labels) {
            outputs[*label as usize] -= 1.0;
            outputs.iter_mut().for_each(|output| *output /= count);
        }
    }
}

/// The index of the largest; the first of several; 0 where a NaN hides it.
fn largest(outputs: &[f32]) -> usize {
    let mut best = 0;
    for (index, output) in outputs.iter().enumerate().skip(1) {
        if *output > outputs[best] {
            best = index;
        }
    }
    best
}

/// Turns logits into probabilities, and gives the cross-entropy of class `label` in nats.
fn softmax(outputs: &mut [f32], label: usize) -> f64 {
    let top = outputs[largest(outputs)];
    let of_label = outputs[label] - top;
    let mut sum = 0.0f32;
    for output in outputs.iter_mut() {
        *output = libm::expf(*output - top);
        sum += *output;
    }
    outputs.iter_mut().for_each(|output| *output /= sum);
    libm::log(f64::from(sum)) - f64::from(of_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_and_loss_of_logits_of_any_size() {
        for shift in [0.0, 1000.0, -1000.0] {
            let mut outputs = [1.0 + shift, 2.0 + shift, 3.0 + shift];
            let loss = softmax(&mut outputs, 0);
            // e^-2, e^-1, 1 over their sum, and ln of the sum plus 2.
            for (got, wanted) in outputs.iter().zip([0.090_030_57, 0.244_728_47, 0.665_240_96]) {
                assert!((got - wanted).abs() < 1e-6, "{outputs:?}");
            }
            assert!((loss - 2.407_605_964).abs() < 1e-6, "{loss}");
        }
    }

    #[test]
    fn the_first_of_the_largest_is_taken() {
        assert_eq!(largest(&[1.0, 3.0, 3.0]), 1);
        assert_eq!(largest(&[f32::NAN, 1.0]), 0);
        assert_eq!(largest(&[1.0, f32::NAN, 2.0]), 2);
    }
}
