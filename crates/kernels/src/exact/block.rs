//! One block of columns in the making: products are added level by level, and a loss is noticed.
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

/// Working space for the sums of some columns, best up to [`BLOCK`](super::BLOCK): `begin`, `add…` as often as wanted,
/// `finish`, and read the components.
///
/// *Order promised*: none is needed. While the additions keep to what the [`Scale`] was made for,
/// and the scale [`holds`](Scale::holds) their common unit, every sum is the exact real number.
pub struct Block<const LEVELS: usize> {
    variant: Variant,
    starts: [f64; LEVELS],
    len: usize,
    sums: [Vec<f64>; LEVELS],
}

impl<const LEVELS: usize> Block<LEVELS> {
    /// An empty space whose loops run as `variant`.
    pub fn new(variant: Variant) -> Self {
        Self { variant, starts: [0.0; LEVELS], len: 0, sums: [const { Vec::new() }; LEVELS] }
    }

    /// Starts `len` columns from zero.
    pub fn begin(&mut self, scale: Scale<LEVELS>, len: usize) {
        self.starts = scale.starts;
        self.len = len;
        for (sums, start) in self.sums.iter_mut().zip(scale.starts) {
            sums.clear();
            sums.resize(len, start);
        }
    }

    /// Adds one `f64` to each column.
    ///
    /// # Panics
    /// If there are fewer values than columns.
    pub fn add_values(&mut self, values: &[f64]) {
        let values = &values[..self.len];
        self.variant.run(AddValues { values, sums: rows(&mut self.sums) });
    }

    /// Adds to each column its products with the factors, and returns the largest magnitude among
    /// the values and the smallest that is not zero. The sums are void if these are beyond what the
    /// scale was made for.
    ///
    /// # Panics
    /// If a term has fewer values than there are columns.
    pub fn add<E: Element>(
        &mut self,
        terms: &[Term<'_, E>],
    ) -> (E::Magnitude, Option<E::Magnitude>) {
        let kernel = AddTerms::<E, LEVELS> { terms, len: self.len, sums: rows(&mut self.sums) };
        let (largest, smallest_less_one) = self.variant.run(kernel);
        (largest, smallest_less_one.more_by_one())
    }

    /// Turns the sums into components and returns whether some sum is zero (as +0). With two levels
    /// the first component is the sum rounded to nearest even and the second the exact rest.
    pub fn finish(&mut self) -> bool {
        let kernel = Finish { starts: self.starts, len: self.len, sums: rows(&mut self.sums) };
        self.variant.run(kernel)
    }

    /// Component `level` of each column, after [`finish`](Block::finish).
    pub fn component(&self, level: usize) -> &[f64] {
        &self.sums[level][..self.len]
    }

    /// As [`component`](Block::component), for a change of a zero's sign.
    pub fn component_mut(&mut self, level: usize) -> &mut [f64] {
        &mut self.sums[level][..self.len]
    }
}

/// The levels as slices, for a kernel.
fn rows<const LEVELS: usize>(sums: &mut [Vec<f64>; LEVELS]) -> [&mut [f64]; LEVELS] {
    sums.each_mut().map(Vec::as_mut_slice)
}

/// Columns that advance together, their sums held in registers while all terms pass by.
const LANES: usize = 16;

struct AddTerms<'a, E, const LEVELS: usize> {
    terms: &'a [Term<'a, E>],
    len: usize,
    sums: [&'a mut [f64]; LEVELS],
}

impl<E: Element, const LEVELS: usize> Kernel for AddTerms<'_, E, LEVELS> {
    type Output = (E::Magnitude, E::Magnitude);

    #[inline(always)]
    fn run<const FUSED: bool>(self) -> Self::Output {
        let Self { terms, len, mut sums } = self;
        let mut extremes = Extremes::<E, LANES>::new();
        let whole = len - len % LANES;
        for column in (0..whole).step_by(LANES) {
            add_tile::<E, LEVELS, LANES, FUSED>(terms, column, &mut sums, &mut extremes);
        }
        let mut rest = Extremes::<E, 1>::new();
        for column in whole..len {
            add_tile::<E, LEVELS, 1, FUSED>(terms, column, &mut sums, &mut rest);
        }
        let (largest, smallest) = extremes.fold();
        (largest.max(rest.largest[0]), smallest.min(rest.smallest[0]))
    }
}

/// The largest magnitude, and the smallest less one, by lane.
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
    fn fold(self) -> (E::Magnitude, E::Magnitude) {
        let largest = self.largest.into_iter().fold(E::Magnitude::MIN, Ord::max);
        let smallest = self.smallest.into_iter().fold(E::Magnitude::MAX, Ord::min);
        (largest, smallest)
    }
}

#[inline(always)]
fn add_tile<E: Element, const LEVELS: usize, const N: usize, const FUSED: bool>(
    terms: &[Term<'_, E>],
    column: usize,
    sums: &mut [&mut [f64]; LEVELS],
    extremes: &mut Extremes<E, N>,
) {
    let mut tile = [[0.0f64; N]; LEVELS];
    for (tile, sums) in tile.iter_mut().zip(sums.iter()) {
        tile.copy_from_slice(&sums[column..column + N]);
    }
    for term in terms {
        let values = &term.values[column..column + N];
        for lane in 0..N {
            let magnitude = values[lane].magnitude();
            extremes.largest[lane] = extremes.largest[lane].max(magnitude);
            extremes.smallest[lane] = extremes.smallest[lane].min(magnitude.less_one());
        }
        for lane in 0..N {
            let mut sum: [f64; LEVELS] = std::array::from_fn(|level| tile[level][lane]);
            for piece in &values[lane].pieces()[2 - E::PIECES..] {
                push_product::<FUSED, LEVELS>(&mut sum, *piece, term.factor);
            }
            for level in 0..LEVELS {
                tile[level][lane] = sum[level];
            }
        }
    }
    for (tile, sums) in tile.iter().zip(sums.iter_mut()) {
        sums[column..column + N].copy_from_slice(tile);
    }
}

struct AddValues<'a, const LEVELS: usize> {
    values: &'a [f64],
    sums: [&'a mut [f64]; LEVELS],
}

impl<const LEVELS: usize> Kernel for AddValues<'_, LEVELS> {
    type Output = ();

    #[inline(always)]
    fn run<const FUSED: bool>(self) {
        let len = self.values.len();
        let rows = self.sums.map(|row| &mut row[..len]);
        for column in 0..len {
            let mut sum: [f64; LEVELS] = std::array::from_fn(|level| rows[level][column]);
            push_product::<false, LEVELS>(&mut sum, self.values[column], 1.0);
            for level in 0..LEVELS {
                rows[level][column] = sum[level];
            }
        }
    }
}

struct Finish<'a, const LEVELS: usize> {
    starts: [f64; LEVELS],
    len: usize,
    sums: [&'a mut [f64]; LEVELS],
}

impl<const LEVELS: usize> Kernel for Finish<'_, LEVELS> {
    type Output = bool;

    #[inline(always)]
    fn run<const FUSED: bool>(self) -> bool {
        let Self { starts, len, sums } = self;
        let rows = sums.map(|row| &mut row[..len]);
        let mut zeros = 0;
        for column in 0..len {
            let mut parts: [f64; LEVELS] =
                std::array::from_fn(|level| rows[level][column] - starts[level]);
            for end in (1..LEVELS).rev() {
                for level in (1..=end).rev() {
                    (parts[level - 1], parts[level]) = two_sum(parts[level - 1], parts[level]);
                }
            }
            zeros |= u64::from(parts[0] == 0.0);
            for level in 0..LEVELS {
                rows[level][column] = parts[level];
            }
        }
        zeros != 0
    }
}

/// Adds `piece * factor`, a product that is exact, to a sum.
#[inline(always)]
fn push_product<const FUSED: bool, const LEVELS: usize>(
    sum: &mut [f64; LEVELS],
    piece: f64,
    factor: f64,
) {
    if LEVELS == 1 {
        sum[0] = product_and::<FUSED>(piece, factor, sum[0]);
        return;
    }
    let new = product_and::<FUSED>(piece, factor, sum[0]);
    let mut rest = product_and::<FUSED>(piece, factor, sum[0] - new);
    sum[0] = new;
    for level in 1..LEVELS - 1 {
        let new = sum[level] + rest;
        rest += sum[level] - new;
        sum[level] = new;
    }
    sum[LEVELS - 1] += rest;
}

/// `a * b + c` where the product is exact, so that both ways round alike.
#[inline(always)]
#[allow(clippy::disallowed_methods)] // contract 31 allows it in the exact sums
fn product_and<const FUSED: bool>(a: f64, b: f64, c: f64) -> f64 {
    if FUSED { a.mul_add(b, c) } else { a * b + c }
}

/// The rounded sum and its exact error (Knuth), whatever the magnitudes.
#[inline(always)]
pub(crate) fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let b_part = sum - a;
    (sum, (a - (sum - b_part)) + (b - b_part))
}
