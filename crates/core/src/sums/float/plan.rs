//! What one fold adds: the inputs, and the exact terms that the fast loops make of them.

use std::ops::Range;

use flare_kernels::exact::{Magnitude, Term};

use super::super::number::Factor;
use super::Float;
use super::blocks::Span;

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
    /// A bound of the sum of the factors' absolute values.
    factors: f64,
    /// All factors are multiples of 2 to this.
    unit: i32,
    /// Whether the fast loops can take the factors.
    ordinary: bool,
}

/// Factors beyond 2^±300 are left to fixed point.
const ORDINARY: Range<i32> = -300..300;

impl<'a, E: Float> Plan<'a, E> {
    pub(in super::super) fn new(inputs: Vec<Input<'a, E>>) -> Self {
        let mut plan =
            Self { inputs, terms: Vec::new(), factors: 0.0, unit: i32::MAX, ordinary: true };
        for index in 0..plan.inputs.len() {
            plan.cut(plan.inputs[index]);
        }
        // More than all roundings of the sum of factors.
        plan.factors *= 1.0 + 1e-9;
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
        self.unit = self.unit.min(exponent);
        while mantissa != 0 {
            let part = mantissa & ((1 << E::FACTOR_BITS) - 1);
            if part != 0 {
                let magnitude = part as f64 * f64::from_bits(((1023 + exponent) as u64) << 52);
                self.factors += magnitude;
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

    /// The terms of some columns.
    pub(super) fn terms(&self, columns: Range<usize>, terms: &mut Vec<Term<'a, E>>) {
        terms.clear();
        terms.extend(
            self.terms
                .iter()
                .map(|term| Term { values: &term.values[columns.clone()], factor: term.factor }),
        );
    }

    /// The factors are multiples of 2 to this.
    pub(super) fn unit(&self) -> i32 {
        self.unit
    }

    /// What is known of the sum of the terms if the values are at most `largest`.
    pub(super) fn bound(&self, largest: f64) -> f64 {
        self.factors * largest
    }

    /// What is known of the sum of the terms of values of these magnitudes.
    pub(super) fn span(&self, largest: E::Magnitude, smallest: Option<E::Magnitude>) -> Span {
        let unit = smallest.map_or(i32::MAX, |smallest| E::last_place(smallest) + self.unit);
        Span { bound: self.bound(E::bound(largest)), unit }
    }

    /// The largest magnitude among a few values of each input.
    pub(super) fn sample(&self) -> E::Magnitude {
        let values = self.inputs.iter().flat_map(|input| input.values.iter().take(32));
        values.map(|value| value.magnitude()).max().unwrap_or(E::Magnitude::MIN)
    }

    /// The bytes of the inputs, for `len` elements.
    pub(in super::super) fn bytes(&self, len: usize) -> usize {
        self.inputs.len() * len * size_of::<E>()
    }
}
