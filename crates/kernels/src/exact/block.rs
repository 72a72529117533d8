//! One block of columns: old sums and products are added in as few levels as a tile of columns needs.
#![allow(clippy::needless_range_loop)] // lanes and levels index several arrays alike

use super::element::Magnitude;
use super::{Element, Scale};
use crate::variant::{Kernel, Variant};

/// The values of one input for the columns of a block, and the factor they are multiplied by. It
/// has at most [`Element::FACTOR_BITS`] significant bits.
#[derive(Debug, Clone, Copy)]
pub struct Term<'a, E> {
    /// One value for each column.
    pub values: &'a [E],
    /// What each value is multiplied by.
    pub factor: f64,
}

/// The sum of a block of columns, ready to be computed: old components, each taken as it is, and terms.
///
/// *Order promised*: none is needed. Where [`Seen::exact`] says so, the components that come out
/// add up to the real number. `FEW` levels are tried first for each tile of columns, `MANY` are
/// taken where these do not reach.
#[derive(Debug, Clone, Copy)]
pub struct Fold<'a, E: Element, const FEW: usize, const MANY: usize> {
    /// Values that are added as they are, one slice over the columns after the other.
    pub components: &'a [&'a [f64]],
    /// Products that are added.
    pub terms: &'a [Term<'a, E>],
    /// The scale for `FEW` levels.
    pub few: Scale<FEW>,
    /// The scale for `MANY` levels.
    pub many: Scale<MANY>,
    /// The largest magnitude that the scales were made for.
    pub largest: E::Magnitude,
    /// The smallest magnitude but zero for which `FEW` levels are exact.
    pub smallest_few: E::Magnitude,
    /// The smallest magnitude but zero for which `MANY` levels are exact.
    pub smallest_many: E::Magnitude,
    /// Whether `FEW` levels are worth a try.
    pub try_few: bool,
}

/// What a fold met on its way.
#[derive(Debug, Clone, Copy)]
pub struct Seen<M> {
    /// The largest magnitude among the terms' values.
    pub largest: M,
    /// The smallest but zero.
    pub smallest: Option<M>,
    /// Whether the sums are exact; else they are void.
    pub exact: bool,
    /// Whether some sum is zero (as +0).
    pub zeros: bool,
    /// How many columns do with `FEW` levels.
    pub few: usize,
}

impl<E: Element, const FEW: usize, const MANY: usize> Fold<'_, E, FEW, MANY> {
    /// Writes the components of the sums, `MANY` for each column; of two, the first is the sum
    /// rounded to nearest even and the second the exact rest.
    ///
    /// # Panics
    /// If an input is shorter than the output, or an output longer than the first.
    pub fn run(&self, variant: Variant, out: [&mut [f64]; MANY]) -> Seen<E::Magnitude> {
        let len = out[0].len();
        let rows = out.map(|row| &mut row[..len]);
        variant.run(Run { fold: self, len, out: rows })
    }
}

/// Columns that advance together, their sums held in registers while all terms pass by.
const LANES: usize = 16;

/// How far ahead of its use a value is asked for, in bytes.
const AHEAD: usize = 4096;

struct Run<'r, 'a, E: Element, const FEW: usize, const MANY: usize> {
    fold: &'r Fold<'a, E, FEW, MANY>,
    len: usize,
    out: [&'r mut [f64]; MANY],
}

impl<E: Element, const FEW: usize, const MANY: usize> Kernel for Run<'_, '_, E, FEW, MANY> {
    type Output = Seen<E::Magnitude>;

    #[inline(always)]
    fn run<const FUSED: bool>(mut self) -> Self::Output {
        let mut seen = Tally { exact: true, zeros: false, few: 0 };
        let mut extremes = Extremes::<E, LANES>::new();
        let whole = self.len - self.len % LANES;
        for column in (0..whole).step_by(LANES) {
            self.tile::<LANES, FUSED>(column, &mut extremes, &mut seen);
        }
        let mut rest = Extremes::<E, 1>::new();
        for column in whole..self.len {
            self.tile::<1, FUSED>(column, &mut rest, &mut seen);
        }
        let (largest, smallest) = extremes.fold();
        let (rest_largest, rest_smallest) = rest.fold();
        let Tally { exact, zeros, few } = seen;
        Seen {
            largest: largest.max(rest_largest),
            smallest: smallest.min(rest_smallest).more_by_one(),
            exact,
            zeros,
            few,
        }
    }
}

struct Tally {
    exact: bool,
    zeros: bool,
    few: usize,
}

impl<E: Element, const FEW: usize, const MANY: usize> Run<'_, '_, E, FEW, MANY> {
    /// Sums `N` columns.
    #[inline(always)]
    fn tile<const N: usize, const FUSED: bool>(
        &mut self,
        column: usize,
        extremes: &mut Extremes<E, N>,
        tally: &mut Tally,
    ) {
        let fold = self.fold;
        let mut own = Extremes::<E, N>::new();
        if fold.try_few {
            let sums = self.sum::<FEW, N, FUSED>(column, fold.few.starts, Some(&mut own));
            if own.within(fold.largest, fold.smallest_few) {
                tally.few += N;
                extremes.merge(&own);
                return self.write(column, finish(sums, fold.few.starts), tally);
            }
            let sums = self.sum::<MANY, N, FUSED>(column, fold.many.starts, None);
            self.write(column, finish(sums, fold.many.starts), tally);
        } else {
            let sums = self.sum::<MANY, N, FUSED>(column, fold.many.starts, Some(&mut own));
            tally.few += if own.within(fold.largest, fold.smallest_few) { N } else { 0 };
            self.write(column, finish(sums, fold.many.starts), tally);
        }
        tally.exact &= own.within(fold.largest, fold.smallest_many);
        extremes.merge(&own);
    }

    #[inline(always)]
    fn sum<const LEVELS: usize, const N: usize, const FUSED: bool>(
        &self,
        column: usize,
        starts: [f64; LEVELS],
        mut extremes: Option<&mut Extremes<E, N>>,
    ) -> [[f64; N]; LEVELS] {
        let mut sums = starts.map(|start| [start; N]);
        for component in self.fold.components {
            let values = &component[column..column + N];
            for lane in 0..N {
                push::<false, LEVELS, N>(&mut sums, lane, values[lane], 1.0);
            }
        }
        for term in self.fold.terms {
            let values = &term.values[column..column + N];
            prefetch(values);
            if let Some(extremes) = &mut extremes {
                extremes.take(values);
            }
            for lane in 0..N {
                for piece in &values[lane].pieces()[2 - E::PIECES..] {
                    push::<FUSED, LEVELS, N>(&mut sums, lane, *piece, term.factor);
                }
            }
        }
        sums
    }

    #[inline(always)]
    fn write<const LEVELS: usize, const N: usize>(
        &mut self,
        column: usize,
        parts: [[f64; N]; LEVELS],
        tally: &mut Tally,
    ) {
        let mut zeros = 0u64;
        for lane in 0..N {
            zeros |= u64::from(parts[0][lane] == 0.0);
        }
        tally.zeros |= zeros != 0;
        for (level, row) in self.out.iter_mut().enumerate() {
            let row = &mut row[column..column + N];
            match parts.get(level) {
                Some(part) => row.copy_from_slice(part),
                None => row.fill(0.0),
            }
        }
    }
}

/// The largest magnitude, and the smallest less one (so that zero is the greatest), by lane.
struct Extremes<E: Element, const N: usize> {
    largest: [E::Magnitude; N],
    smallest: [E::Magnitude; N],
}

impl<E: Element, const N: usize> Extremes<E, N> {
    #[inline(always)]
    fn new() -> Self {
        Self { largest: [E::Magnitude::MIN; N], smallest: [E::Magnitude::MAX; N] }
    }

    #[inline(always)]
    fn take(&mut self, values: &[E]) {
        for lane in 0..N {
            let magnitude = values[lane].magnitude();
            self.largest[lane] = self.largest[lane].max(magnitude);
            self.smallest[lane] = self.smallest[lane].min(magnitude.less_one());
        }
    }

    #[inline(always)]
    fn merge(&mut self, other: &Self) {
        for lane in 0..N {
            self.largest[lane] = self.largest[lane].max(other.largest[lane]);
            self.smallest[lane] = self.smallest[lane].min(other.smallest[lane]);
        }
    }

    /// Whether nothing is above `largest` or, but zero, below `smallest`, which is not zero.
    #[inline(always)]
    fn within(&self, largest: E::Magnitude, smallest: E::Magnitude) -> bool {
        let smallest = smallest.less_one();
        let mut outside = 0u8;
        for lane in 0..N {
            outside |= u8::from(self.largest[lane] > largest);
            outside |= u8::from(self.smallest[lane] < smallest);
        }
        outside == 0
    }

    #[inline(always)]
    fn fold(self) -> (E::Magnitude, E::Magnitude) {
        let largest = self.largest.into_iter().fold(E::Magnitude::MIN, Ord::max);
        let smallest = self.smallest.into_iter().fold(E::Magnitude::MAX, Ord::min);
        (largest, smallest)
    }
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

/// `a * b + c` where the product is exact, so that both ways round alike.
#[inline(always)]
#[allow(clippy::disallowed_methods)] // contract 31 allows it in the exact sums
fn product_and<const FUSED: bool>(a: f64, b: f64, c: f64) -> f64 {
    if FUSED { a.mul_add(b, c) } else { a * b + c }
}

/// The rounded sum and its exact error (Knuth), whatever the magnitudes.
#[inline(always)]
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let b_part = sum - a;
    (sum, (a - (sum - b_part)) + (b - b_part))
}

/// Asks for the values that come [`AHEAD`] bytes later: processors do not see that many streams.
#[inline(always)]
fn prefetch<E>(values: &[E]) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        let ahead = values.as_ptr().cast::<i8>().wrapping_add(AHEAD);
        // SAFETY: a prefetch is a hint: it reads nothing that the program could see, and an address
        // that is not mapped is ignored.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(ahead) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = values;
}
