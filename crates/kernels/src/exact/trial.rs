//! Means in one level of `f64`, and whether what that may have lost can change how they round.
#![allow(clippy::needless_range_loop)] // lanes index several arrays alike

use std::ops::Range;

use super::lanes::{LANES, ask_ahead, most_of_mass, product_and};
use super::{BLOCK, Divisor, Element, Narrow, Term};
use crate::variant::{Kernel, Variant};

/// The quotients `Σ factor * value / divisor`, tried in plain `f64` with a bound of the error: if the least
/// and the most that the real quotient can be round alike, it does too (Ziv 1991, the rounding test).
///
/// Of `n` terms that make `p` in absolute values, the sum is off by less than `n u p`, where `u` is `2^-53`;
/// the division by a rounded inverse of a rounded divisor adds three more, and the two bounds one each. The
/// value that a column's magnitudes sum up to in `f32`, with what their roundings may have taken from it, times
/// the largest factor, is not below `p`.
#[derive(Debug, Clone, Copy)]
pub struct Trial<'a, E> {
    terms: &'a [Term<'a, E>],
    inverse: f64,
    /// What a quotient may be off by, for magnitudes that come to 1.
    loss: f64,
}

/// Columns that are doubted together.
const GROUP: usize = 32;

/// In which columns of a block the quotients are void.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Doubts {
    /// A bit for each group of columns.
    groups: u32,
    /// How many columns are a group.
    group: usize,
    len: usize,
}

const _: () = assert!(BLOCK / GROUP <= 32);

impl Doubts {
    /// In all of so many columns, which stay together.
    pub fn all(len: usize) -> Self {
        Self { groups: 1, group: len.max(1), len }
    }

    /// The columns to be summed by other means, from the first of the block on.
    pub fn columns(self) -> impl Iterator<Item = Range<usize>> {
        let Self { groups, group, len } = self;
        let doubted = (0..len.div_ceil(group)).filter(move |at| groups >> at & 1 == 1);
        doubted.map(move |at| at * group..len.min((at + 1) * group))
    }
}

/// Where a trial keeps the sums of a block and their magnitudes.
#[derive(Debug)]
#[repr(align(64))]
pub struct TrialRoom {
    sums: [f64; BLOCK],
    masses: [f32; BLOCK],
}

impl Default for TrialRoom {
    fn default() -> Self {
        Self { sums: [0.0; BLOCK], masses: [0.0; BLOCK] }
    }
}

impl<'a, E> Trial<'a, E> {
    /// A trial for these terms; `None` if there are none or too many.
    pub fn new(divisor: &Divisor, terms: &'a [Term<'a, E>]) -> Option<Self> {
        let most = most_of_mass(terms).filter(|_| !terms.is_empty())?;
        let roundings = (terms.len() as f64 + 8.0) * 1.001 * (f64::EPSILON / 2.0);
        let inverse = divisor.inverse();
        Some(Self { terms, inverse, loss: roundings * most * inverse })
    }
}

impl<E: Element + Narrow> Trial<'_, E> {
    /// Writes the quotients of as many columns as `out` has, from the terms' column `first` on: the real ones
    /// rounded once, to nearest even, but for those that are returned as doubtful.
    ///
    /// A quotient of zeros is -0 if all products are, else +0.
    ///
    /// # Panics
    /// If `out` is longer than [`BLOCK`], or an input ends before it.
    pub fn run(
        &self,
        variant: Variant,
        first: usize,
        room: &mut TrialRoom,
        out: &mut [E],
    ) -> Doubts {
        assert!(out.len() <= BLOCK, "{} columns are more than a block", out.len());
        variant.run(Run { trial: *self, first, room, out })
    }
}

struct Run<'r, 'a, E> {
    trial: Trial<'a, E>,
    first: usize,
    room: &'r mut TrialRoom,
    out: &'r mut [E],
}

impl<E: Element + Narrow> Kernel for Run<'_, '_, E> {
    type Output = Doubts;

    #[inline(always)]
    fn run<const FUSED: bool>(mut self) -> Doubts {
        let len = self.out.len();
        let whole = len - len % LANES;
        for column in (0..whole).step_by(LANES) {
            self.tile::<LANES, FUSED>(column);
        }
        for column in whole..len {
            self.tile::<1, FUSED>(column);
        }
        let mut doubts = Doubts { groups: 0, group: GROUP, len };
        if self.divide(0..len) {
            // Rarely: once more, to see where.
            for (at, column) in (0..len).step_by(GROUP).enumerate() {
                let doubt = self.divide(column..len.min(column + GROUP));
                doubts.groups |= u32::from(doubt) << at;
            }
        }
        doubts
    }
}

impl<E: Element + Narrow> Run<'_, '_, E> {
    /// Sums up columns and their magnitudes. From -0 a sum stays there as long as it meets nothing else.
    #[inline(always)]
    fn tile<const N: usize, const FUSED: bool>(&mut self, column: usize) {
        let mut sums = [-0.0; N];
        let mut masses = [0.0; N];
        for term in self.trial.terms {
            let values = &term.values[self.first + column..][..N];
            ask_ahead(values);
            for lane in 0..N {
                let [_, piece] = values[lane].pieces();
                sums[lane] = product_and::<FUSED>(piece, term.factor, sums[lane]);
                masses[lane] += values[lane].single().abs();
            }
        }
        self.room.sums[column..column + N].copy_from_slice(&sums);
        self.room.masses[column..column + N].copy_from_slice(&masses);
    }

    /// Writes the quotients of columns and returns whether one is in doubt.
    ///
    /// Where there is no magnitude at all, the least and the most are zeros that may differ in sign; then
    /// the least has the sum's sign.
    #[inline(always)]
    fn divide(&mut self, columns: Range<usize>) -> bool {
        let Trial { inverse, loss, .. } = self.trial;
        let (sums, masses) = (&self.room.sums[columns.clone()], &self.room.masses[columns.clone()]);
        let out = &mut self.out[columns];
        let mut doubts = 0u32;
        for ((sum, mass), out) in sums.iter().zip(masses).zip(out) {
            let quotient = sum * inverse;
            let off = f64::from(*mass) * loss;
            let least = E::from_stand_in(quotient - off);
            let most = E::from_stand_in(quotient + off);
            let alike = least.raw() == most.raw() || *mass == 0.0;
            // Neither infinity nor NaN among the inputs, nor more than a mass can say.
            let finite = *mass <= f32::MAX;
            doubts |= u32::from(!(alike & finite));
            *out = least;
        }
        doubts != 0
    }
}
