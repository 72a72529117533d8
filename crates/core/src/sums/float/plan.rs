//! What one fold adds: the inputs, and the exact terms that the fast loops make of them.

use std::ops::Range;

use flare_kernels::exact::{Span, Term};

use super::super::number::Factor;
use super::Float;

/// A tensor and the factor it is multiplied by, which is not zero.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Input<'a, E> {
    pub(in super::super) factor: Factor,
    pub(in super::super) values: &'a [E],
}

/// The inputs of one fold, prepared.
pub(in super::super) struct Plan<'a, E> {
    inputs: Vec<Input<'a, E>>,
    terms: Vec<Term<'a, E>>,
    /// What is known of the sum of the factors.
    factors: Span,
    /// Whether the fast loops can take the factors.
    ordinary: bool,
}

/// Factors beyond 2^±300 are left to fixed point.
const ORDINARY: Range<i32> = -300..300;

impl<'a, E: Float> Plan<'a, E> {
    pub(in super::super) fn new(inputs: Vec<Input<'a, E>>) -> Self {
        let mut plan = Self { inputs, terms: Vec::new(), factors: Span::NOTHING, ordinary: true };
        for index in 0..plan.inputs.len() {
            plan.cut(plan.inputs[index]);
        }
        // More than all roundings of the sum of factors.
        plan.factors.bound *= 1.0 + 1e-9;
        plan
    }

    /// Cuts a factor into terms of as many bits as leave their products exact.
    fn cut(&mut self, input: Input<'a, E>) {
        let Factor { negative, mantissa, exponent } = input.factor;
        let zeros = mantissa.trailing_zeros() as i32;
        let (mut mantissa, mut exponent) = (mantissa >> zeros, exponent + zeros);
        let most = exponent + 64 - mantissa.leading_zeros() as i32;
        if !ORDINARY.contains(&exponent) || !ORDINARY.contains(&most) {
            self.ordinary = false;
            return;
        }
        self.factors.unit = self.factors.unit.min(exponent);
        while mantissa != 0 {
            let part = mantissa & ((1 << E::FACTOR_BITS) - 1);
            if part != 0 {
                let magnitude = part as f64 * f64::from_bits(((1023 + exponent) as u64) << 52);
                self.factors.bound += magnitude;
                let factor = if negative { -magnitude } else { magnitude };
                self.terms.push(Term { values: input.values, factor });
            }
            mantissa >>= E::FACTOR_BITS;
            exponent += E::FACTOR_BITS as i32;
        }
    }

    pub(super) fn inputs(&self) -> &[Input<'a, E>] {
        &self.inputs
    }

    pub(super) fn is_ordinary(&self) -> bool {
        self.ordinary
    }

    pub(super) fn terms(&self) -> &[Term<'a, E>] {
        &self.terms
    }

    /// What is known of the sum of the factors.
    pub(super) fn factors(&self) -> Span {
        self.factors
    }

    /// The bytes of the inputs, for `len` elements.
    pub(in super::super) fn bytes(&self, len: usize) -> usize {
        self.inputs.len() * len * size_of::<E>()
    }
}
