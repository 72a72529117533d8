//! From exact sums to quotients: the fast loops, and the exact division for what they leave.

use flare_kernels::exact::{BLOCK, Divisor};

use super::super::fixed::Fixed;
use super::super::number::{Number, decompose};
use super::super::round::Divider;
use super::Output;
use super::blocks::BlockRef;

/// Divides the sums of blocks.
pub(super) struct Finisher {
    divisor: Option<Divisor>,
    divider: Divider,
    number: Number,
    rests: Vec<f64>,
}

const ZEROS: [f64; BLOCK] = [0.0; BLOCK];

impl Finisher {
    /// Divides by `divider`, whose value is that of `divisor`.
    pub(super) fn new(divisor: Option<Divisor>, divider: Divider) -> Self {
        Self { divisor, divider, number: Number::default(), rests: Vec::new() }
    }

    /// Writes the quotients of a block.
    pub(super) fn block<T: Output>(&mut self, block: &BlockRef<'_>, out: &mut [T]) {
        if let Some(fixed) = block.fixed() {
            return self.fixed(fixed, out);
        }
        self.components(block.components(), out);
    }

    /// Writes the quotients of sums that are given as components.
    pub(super) fn components<'c, T: Output>(
        &mut self,
        given: impl Iterator<Item = &'c [f64]>,
        out: &mut [T],
    ) {
        let mut components = [&[][..]; 3];
        let mut count = 0;
        for (slot, component) in components.iter_mut().zip(given) {
            *slot = component;
            count += 1;
        }
        let components = &components[..count];
        let mut rests = std::mem::take(&mut self.rests);
        let sums = components[0];
        let rest: &[f64] = match components {
            [_] => &ZEROS[..sums.len()],
            [_, second] => second,
            [_, second, thirds @ ..] => {
                rests.clear();
                rests.extend(second.iter().zip(thirds[0]).map(|(second, third)| second + third));
                &rests
            }
            [] => &[],
        };
        let done = self.divisor.is_some_and(|divisor| T::divide(&divisor, sums, rest, out));
        if !done {
            for column in 0..out.len() {
                let fast = |divisor| T::divide_one(&divisor, sums[column], rest[column]);
                out[column] = match self.divisor.and_then(fast) {
                    Some(value) => value,
                    None => self.exact(components, column),
                };
            }
        }
        self.rests = rests;
    }

    /// Writes the quotients of sums in fixed point.
    pub(super) fn fixed<T: Output>(&mut self, fixed: &Fixed, out: &mut [T]) {
        for (column, out) in out.iter_mut().enumerate() {
            *out = self.column(fixed, column);
        }
    }

    fn exact<T: Output>(&mut self, components: &[&[f64]], column: usize) -> T {
        let sum = components[0][column];
        if components.iter().all(|component| component[column] == 0.0) {
            return T::special(sum);
        }
        let mut fixed = Fixed::new(1);
        for component in components {
            fixed.add(0, decompose(component[column]));
        }
        self.column(&fixed, 0)
    }

    fn column<T: Output>(&mut self, fixed: &Fixed, column: usize) -> T {
        fixed.read(column, &mut self.number);
        match fixed.special(column, &self.number) {
            Some(special) => T::special(special.value()),
            None => T::rounded(self.number.negative, self.divider.quotient(&self.number)),
        }
    }
}
