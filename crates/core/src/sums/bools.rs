//! Bool tensors in a mean: they have none, so all that count must be equal.

use super::error::Error;
use super::weight::Weight;

/// What the inputs agree on.
#[derive(Debug, Clone)]
pub(super) struct BoolSum {
    len: usize,
    /// `None` as long as nothing counts.
    value: Option<Vec<bool>>,
}

impl BoolSum {
    pub(super) fn new(len: usize) -> Self {
        Self { len, value: None }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Adds tensors of the right length and non-zero weight: all or none.
    pub(super) fn add(&mut self, inputs: &[(Weight, &[bool])]) -> Result<(), Error> {
        let Some(first) = inputs.first() else { return Ok(()) };
        let value = self.value.as_deref().unwrap_or(first.1);
        for (_, values) in inputs {
            agree(value, values)?;
        }
        if self.value.is_none() {
            self.value = Some(first.1.to_vec());
        }
        Ok(())
    }

    pub(super) fn merge(&mut self, other: &Self) -> Result<(), Error> {
        match (&self.value, &other.value) {
            (Some(mine), Some(theirs)) => agree(mine, theirs)?,
            (None, Some(_)) => self.value.clone_from(&other.value),
            _ => {}
        }
        Ok(())
    }

    /// The elements; none if nothing counts.
    pub(super) fn elements(&self) -> &[bool] {
        self.value.as_deref().unwrap_or_default()
    }

    pub(super) fn set(&mut self, value: Vec<bool>) {
        self.value = Some(value);
    }

    pub(super) fn value(&self, out: &mut [bool]) {
        for (out, value) in out.iter_mut().zip(self.elements()) {
            *out = *value;
        }
    }

    pub(super) fn value_f64(&self, out: &mut [f64]) {
        for (out, value) in out.iter_mut().zip(self.elements()) {
            *out = f64::from(u8::from(*value));
        }
    }

    pub(super) fn value_minus(&self, base: &[bool], out: &mut [f64]) {
        self.value_f64(out);
        for (out, base) in out.iter_mut().zip(base) {
            *out -= f64::from(u8::from(*base));
        }
    }
}

fn agree(a: &[bool], b: &[bool]) -> Result<(), Error> {
    match a.iter().zip(b).position(|(a, b)| a != b) {
        Some(index) => Err(Error::BoolsDiffer { index }),
        None => Ok(()),
    }
}
