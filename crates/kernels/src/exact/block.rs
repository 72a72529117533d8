//! One block of columns: old sums and products are added in as few levels as they need.
#![allow(clippy::needless_range_loop)] // lanes and levels index several arrays alike

use super::extremes::{Extremes, Masses};
use super::lanes::{LANES, ask_ahead, most_of_mass, product_and};
use super::{BLOCK, Element, Scale, Span};
use crate::variant::{Kernel, Variant};

/// The values of one input, and the factor they are multiplied by. It has at most
/// [`Element::FACTOR_BITS`] significant bits.
#[derive(Debug, Clone, Copy)]
pub struct Term<'a, E> {
    /// One value for each column, before the block's too.
    pub values: &'a [E],
    /// What each value is multiplied by.
    pub factor: f64,
}

/// The sum of a block of columns, ready to be computed: old components, each taken as it is, and terms.
///
/// *Order promised*: none is needed. Where [`Seen::exact`] says so, the components that come out
/// add up to the real number. Without old components a column that one level can hold takes one;
/// else the block takes `FEW` levels, and `MANY` where these do not reach.
#[derive(Debug, Clone, Copy)]
pub struct Fold<'a, E, const FEW: usize, const MANY: usize> {
    /// Values that are added as they are, one slice over the columns after the other.
    pub components: &'a [&'a [f64]],
    /// What is known of the sum of the components.
    pub old: Span,
    /// Products that are added.
    pub terms: &'a [Term<'a, E>],
    /// The column of the terms that is the block's first.
    pub first: usize,
    /// What is known of the sum of the terms' factors.
    pub factors: Span,
}

/// What a fold met on its way.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    /// What is known of the sum of the terms.
    pub terms: Span,
    /// Whether the sums are exact; else they are void.
    pub exact: bool,
    /// Whether some sum is zero (as +0).
    pub zeros: bool,
    /// How many of the components were written; the others are zero.
    pub components: usize,
}

impl<E: Element, const FEW: usize, const MANY: usize> Fold<'_, E, FEW, MANY> {
    /// Writes the components of the sums: the first is the sum rounded to nearest even, and of two
    /// the second is the exact rest.
    ///
    /// # Panics
    /// If an output is longer than [`BLOCK`] or than an input, or differs in length from the first.
    pub fn run(&self, variant: Variant, out: [&mut [f64]; MANY]) -> Seen {
        let len = out[0].len();
        assert!(len <= BLOCK, "{len} columns are more than a block");
        let rows = out.map(|row| &mut row[..len]);
        variant.run(Run { fold: self, whole: len - len % LANES, len, out: rows })
    }

    /// By how much the bits of a column's mass, as `f32`, may exceed those of the exponent of its smallest
    /// value for one level to be exact; `None` if it never is.
    ///
    /// The smallest magnitude but zero, of exponent `e`, says that each product is a multiple of
    /// `2^(e - FRACTION) * unit`; one level holds sums of up to `2^53` such units, and no sum on
    /// the way is beyond the largest factor times the mass.
    fn reach(&self) -> Option<u32> {
        let power = self.factors.unit.saturating_add(53 - E::FRACTION as i32);
        if E::PIECES != 1 || !self.components.is_empty() || !(-900..=900).contains(&power) {
            return None;
        }
        let ratio = f64::from_bits(((1023 + power) as u64) << 52) / most_of_mass(self.terms)?;
        // No factors at all give no number.
        let bits = ratio.to_bits().checked_sub(f64::to_bits(1.0)).filter(|_| ratio.is_finite())?;
        Some((bits >> (52 - 23)).min(u64::from(u32::MAX / 2)) as u32)
    }

    /// What is known of the sum of the terms, if the values' magnitudes are these.
    fn span(&self, (largest, smallest): (E::Magnitude, Option<E::Magnitude>)) -> Span {
        let unit = |smallest| E::last_place(smallest).saturating_add(self.factors.unit);
        let bound = self.factors.bound * E::bound(largest);
        Span { bound, unit: smallest.map_or(i32::MAX, unit) }
    }

    /// The same, if no column's mass is beyond `mass`.
    fn span_of_mass(&self, mass: f32, smallest: Option<u32>) -> Span {
        // As for `f32`, but values of `FRACTION` bits are multiples of more.
        let unit = |smallest: u32| f32::last_place(smallest) + (23 - E::FRACTION as i32);
        let unit = |smallest| unit(smallest).saturating_add(self.factors.unit);
        let bound = f64::from(mass) * most_of_mass(self.terms).unwrap_or(f64::INFINITY);
        Span { bound, unit: smallest.map_or(i32::MAX, unit) }
    }
}

/// Columns that are summed again together.
const AGAIN: usize = 8;

/// What is left to be summed in more levels: a bit for each [`AGAIN`] columns, and whether the columns
/// after those are.
#[derive(Clone, Copy)]
struct Left {
    groups: u64,
    rest: bool,
}

impl Left {
    const NOTHING: Self = Self { groups: 0, rest: false };
    const ALL: Self = Self { groups: u64::MAX, rest: true };
}

const _: () = assert!(BLOCK / AGAIN <= 64 && LANES.is_multiple_of(AGAIN));

struct Run<'r, 'a, E: Element, const FEW: usize, const MANY: usize> {
    fold: &'r Fold<'a, E, FEW, MANY>,
    /// The columns that are in tiles.
    whole: usize,
    len: usize,
    out: [&'r mut [f64]; MANY],
}

impl<E: Element, const FEW: usize, const MANY: usize> Kernel for Run<'_, '_, E, FEW, MANY> {
    type Output = Seen;

    #[inline(always)]
    fn run<const FUSED: bool>(mut self) -> Self::Output {
        let mut zeros = false;
        let (terms, left) = match self.fold.reach() {
            Some(reach) => self.try_one::<FUSED>(reach, &mut zeros),
            None => (self.survey(), Left::ALL),
        };
        let mut seen = Seen { terms, exact: true, zeros, components: 1 };
        if left.groups != 0 || left.rest {
            self.add_levels::<FUSED>(left, &mut seen);
        }
        seen
    }
}

impl<E: Element, const FEW: usize, const MANY: usize> Run<'_, '_, E, FEW, MANY> {
    /// Sums each column in one level, looks at its magnitudes on the way, and returns those for
    /// which one level was not enough.
    #[inline(always)]
    fn try_one<const FUSED: bool>(&mut self, reach: u32, zeros: &mut bool) -> (Span, Left) {
        let mut all = Masses::<LANES>::new();
        let mut rest = Masses::<1>::new();
        let mut left = Left::NOTHING;
        for column in (0..self.whole).step_by(LANES) {
            let beyond = self.tile_one::<LANES, FUSED>(column, reach, &mut all, zeros);
            for (group, lanes) in beyond.as_chunks::<AGAIN>().0.iter().enumerate() {
                left.groups |= u64::from(any(lanes)) << (column / AGAIN + group);
            }
        }
        for column in self.whole..self.len {
            left.rest |= any(&self.tile_one::<1, FUSED>(column, reach, &mut rest, zeros));
        }
        let (mass, smallest) = all.fold().join(rest);
        (self.fold.span_of_mass(mass, smallest), left)
    }

    #[inline(always)]
    fn tile_one<const N: usize, const FUSED: bool>(
        &mut self,
        column: usize,
        reach: u32,
        all: &mut Masses<N>,
        zeros: &mut bool,
    ) -> [bool; N] {
        let mut own = Masses::<N>::new();
        let mut sums = [0.0; N];
        for term in self.fold.terms {
            let values = &term.values[self.fold.first + column..][..N];
            ask_ahead(values);
            own.take(values);
            for lane in 0..N {
                let [_, piece] = values[lane].pieces();
                sums[lane] = product_and::<FUSED>(piece, term.factor, sums[lane]);
            }
        }
        all.merge(&own);
        write(&mut self.out[0][column..column + N], &sums, zeros);
        own.beyond(reach)
    }

    /// Looks at all magnitudes.
    #[inline(always)]
    fn survey(&self) -> Span {
        let mut all = Extremes::<E, LANES>::new();
        let mut rest = Extremes::<E, 1>::new();
        for term in self.fold.terms {
            // Loops, since closures would be compiled without the variant's instructions.
            let (tiles, left) = term.values[self.fold.first..][..self.len].as_chunks::<LANES>();
            for values in tiles {
                all.take(values);
            }
            for value in left {
                rest.take(std::slice::from_ref(value));
            }
        }
        self.fold.span(all.fold().join(rest))
    }

    /// Sums the columns that are left, in as many levels as what was seen needs.
    #[inline(always)]
    fn add_levels<const FUSED: bool>(&mut self, left: Left, seen: &mut Seen) {
        let span = self.fold.old.join(seen.terms);
        let additions = self.fold.terms.len() * E::PIECES + self.fold.components.len();
        if let Some(few) = Scale::<FEW>::new(span, additions) {
            self.add::<FEW, FUSED>(left, few.starts, seen);
        } else if let Some(many) = Scale::<MANY>::new(span, additions) {
            self.add::<MANY, FUSED>(left, many.starts, seen);
        } else {
            seen.exact = false;
        }
    }

    #[inline(always)]
    fn add<const LEVELS: usize, const FUSED: bool>(
        &mut self,
        left: Left,
        starts: [f64; LEVELS],
        seen: &mut Seen,
    ) {
        seen.components = LEVELS;
        for row in &mut self.out[1..LEVELS] {
            row.fill(0.0);
        }
        let mut groups = left.groups;
        while groups != 0 {
            let column = AGAIN * groups.trailing_zeros() as usize;
            if column >= self.whole {
                break;
            }
            self.tile::<LEVELS, AGAIN, FUSED>(column, starts, &mut seen.zeros);
            groups &= groups - 1;
        }
        if left.rest {
            for column in self.whole..self.len {
                self.tile::<LEVELS, 1, FUSED>(column, starts, &mut seen.zeros);
            }
        }
    }

    #[inline(always)]
    fn tile<const LEVELS: usize, const N: usize, const FUSED: bool>(
        &mut self,
        column: usize,
        starts: [f64; LEVELS],
        zeros: &mut bool,
    ) {
        let mut sums = starts.map(|start| [start; N]);
        for component in self.fold.components {
            let values = &component[column..column + N];
            for lane in 0..N {
                push::<false, LEVELS, N>(&mut sums, lane, values[lane], 1.0);
            }
        }
        for term in self.fold.terms {
            let values = &term.values[self.fold.first + column..][..N];
            for lane in 0..N {
                for piece in &values[lane].pieces()[2 - E::PIECES..] {
                    push::<FUSED, LEVELS, N>(&mut sums, lane, *piece, term.factor);
                }
            }
        }
        for (row, part) in self.out.iter_mut().zip(finish(sums, starts)) {
            row[column..column + N].copy_from_slice(&part);
        }
        *zeros |= any_zero(&self.out[0][column..column + N]);
    }
}

#[inline(always)]
fn write<const N: usize>(row: &mut [f64], sums: &[f64; N], zeros: &mut bool) {
    row.copy_from_slice(sums);
    *zeros |= any_zero(sums);
}

#[inline(always)]
fn any(lanes: &[bool]) -> bool {
    let mut any = false;
    for lane in lanes {
        any |= *lane;
    }
    any
}

#[inline(always)]
fn any_zero(sums: &[f64]) -> bool {
    let mut zeros = 0u64;
    for sum in sums {
        zeros |= u64::from(*sum == 0.0);
    }
    zeros != 0
}

/// Adds `piece * factor`, a product that is exact, to the sums of a lane.
#[inline(always)]
fn push<const FUSED: bool, const LEVELS: usize, const N: usize>(
    sums: &mut [[f64; N]; LEVELS],
    lane: usize,
    piece: f64,
    factor: f64,
) {
    let sum = sums[0][lane];
    if LEVELS == 1 {
        sums[0][lane] = product_and::<FUSED>(piece, factor, sum);
        return;
    }
    let new = product_and::<FUSED>(piece, factor, sum);
    let mut rest = product_and::<FUSED>(piece, factor, sum - new);
    sums[0][lane] = new;
    for level in 1..LEVELS - 1 {
        let sum = sums[level][lane];
        let new = sum + rest;
        rest += sum - new;
        sums[level][lane] = new;
    }
    sums[LEVELS - 1][lane] += rest;
}

/// The components of sums that were started from `starts`.
#[inline(always)]
fn finish<const LEVELS: usize, const N: usize>(
    mut sums: [[f64; N]; LEVELS],
    starts: [f64; LEVELS],
) -> [[f64; N]; LEVELS] {
    for level in 0..LEVELS {
        for lane in 0..N {
            sums[level][lane] -= starts[level];
        }
    }
    for end in (1..LEVELS).rev() {
        for level in (1..=end).rev() {
            for lane in 0..N {
                (sums[level - 1][lane], sums[level][lane]) =
                    two_sum(sums[level - 1][lane], sums[level][lane]);
            }
        }
    }
    sums
}

/// The rounded sum and its exact error (Knuth), whatever the magnitudes.
#[inline(always)]
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let b_part = sum - a;
    (sum, (a - (sum - b_part)) + (b - b_part))
}
