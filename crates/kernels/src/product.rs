//! The learners' matrix products in `f32`: register-blocked, vectorised across outputs, one fixed order of operations.
//!
//! *Order promised*: each output element is read once, then takes its products one after the other
//! in ascending order of the summed index, each a separate multiplication and a separate addition,
//! and is written once. Tiles and vector widths only choose which outputs advance together.

use crate::variant::{Kernel, Variant};

/// The three sizes of a product of a batch of rows with a matrix of weights. All matrices are
/// row-major and dense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Rows of the batch, `b`.
    pub batch: usize,
    /// Columns of the batch and rows of the weights, `k`.
    pub features: usize,
    /// Columns of the weights, `c`.
    pub outputs: usize,
}

/// `out[b, c] += Σ_k rows[b, k] · weights[k, c]`, `k` ascending: the forward product. Fill `out`
/// with the bias before.
///
/// Shapes: `rows` is `batch × features`, `weights` is `features × outputs`, `out` is
/// `batch × outputs`.
///
/// # Panics
/// If a slice has another length than its shape.
///
/// ```
/// use flare_kernels::product::{Sizes, accumulate_rows};
/// let mut logits = [0.5, -0.5];
/// let sizes = Sizes { batch: 1, features: 2, outputs: 2 };
/// accumulate_rows(sizes, &[1.0, 2.0], &[1.0, 0.0, 0.25, 1.0], &mut logits);
/// assert_eq!(logits, [2.0, 1.5]);
/// ```
pub fn accumulate_rows(sizes: Sizes, rows: &[f32], weights: &[f32], out: &mut [f32]) {
    accumulate_rows_with(Variant::best(), sizes, rows, weights, out);
}

/// `gradient[k, c] += Σ_b rows[b, k] · errors[b, c]`, `b` ascending: the backward product.
///
/// Shapes: `rows` is `batch × features`, `errors` is `batch × outputs`, `gradient` is
/// `features × outputs`.
///
/// # Panics
/// If a slice has another length than its shape.
///
/// ```
/// use flare_kernels::product::{Sizes, accumulate_outer};
/// let mut gradient = [0.0; 4];
/// let sizes = Sizes { batch: 1, features: 2, outputs: 2 };
/// accumulate_outer(sizes, &[1.0, 2.0], &[3.0, -1.0], &mut gradient);
/// assert_eq!(gradient, [3.0, -1.0, 6.0, -2.0]);
/// ```
pub fn accumulate_outer(sizes: Sizes, rows: &[f32], errors: &[f32], gradient: &mut [f32]) {
    accumulate_outer_with(Variant::best(), sizes, rows, errors, gradient);
}

/// [`accumulate_rows`] by a given variant.
pub fn accumulate_rows_with(
    variant: Variant,
    sizes: Sizes,
    rows: &[f32],
    weights: &[f32],
    out: &mut [f32],
) {
    let Sizes { batch, features, outputs } = sizes;
    assert_eq!(rows.len(), batch * features, "rows must be batch × features");
    assert_eq!(weights.len(), features * outputs, "weights must be features × outputs");
    assert_eq!(out.len(), batch * outputs, "out must be batch × outputs");
    let left = Left { data: rows, row_stride: features, step_stride: 1 };
    let extent = Extent { rows: batch, steps: features, columns: outputs };
    variant.run(Product { left, right: weights, extent, out });
}

/// [`accumulate_outer`] by a given variant.
pub fn accumulate_outer_with(
    variant: Variant,
    sizes: Sizes,
    rows: &[f32],
    errors: &[f32],
    gradient: &mut [f32],
) {
    let Sizes { batch, features, outputs } = sizes;
    assert_eq!(rows.len(), batch * features, "rows must be batch × features");
    assert_eq!(errors.len(), batch * outputs, "errors must be batch × outputs");
    assert_eq!(gradient.len(), features * outputs, "gradient must be features × outputs");
    let left = Left { data: rows, row_stride: 1, step_stride: features };
    let extent = Extent { rows: features, steps: batch, columns: outputs };
    variant.run(Product { left, right: errors, extent, out: gradient });
}

/// The left factor, read as is or transposed: element (row, step) lies at
/// `row * row_stride + step * step_stride`.
#[derive(Clone, Copy)]
struct Left<'a> {
    data: &'a [f32],
    row_stride: usize,
    step_stride: usize,
}

/// `out` is `rows × columns`, each element a sum of `steps` products.
#[derive(Clone, Copy)]
struct Extent {
    rows: usize,
    steps: usize,
    columns: usize,
}

/// One product, ready to run.
struct Product<'a> {
    left: Left<'a>,
    right: &'a [f32],
    extent: Extent,
    out: &'a mut [f32],
}

impl Kernel for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FUSED: bool>(self) {
        all_columns(self.left, self.right, self.extent, self.out);
    }
}

/// Cuts the columns into strips of 16, 8, 4, 2 and 1.
#[inline(always)]
fn all_columns(left: Left<'_>, right: &[f32], extent: Extent, out: &mut [f32]) {
    let mut from = 0;
    while extent.columns - from >= 16 {
        all_rows::<16>(left, right, extent, from, out);
        from += 16;
    }
    let rest = extent.columns - from;
    if rest & 8 != 0 {
        all_rows::<8>(left, right, extent, from, out);
        from += 8;
    }
    if rest & 4 != 0 {
        all_rows::<4>(left, right, extent, from, out);
        from += 4;
    }
    if rest & 2 != 0 {
        all_rows::<2>(left, right, extent, from, out);
        from += 2;
    }
    if rest & 1 != 0 {
        all_rows::<1>(left, right, extent, from, out);
    }
}

/// Cuts a strip of columns into tiles of four rows, then single rows.
#[inline(always)]
fn all_rows<const COLUMNS: usize>(
    left: Left<'_>,
    right: &[f32],
    extent: Extent,
    column: usize,
    out: &mut [f32],
) {
    let mut row = 0;
    while extent.rows - row >= 4 {
        tile::<4, COLUMNS>(left, right, extent, (row, column), out);
        row += 4;
    }
    while row < extent.rows {
        tile::<1, COLUMNS>(left, right, extent, (row, column), out);
        row += 1;
    }
}

/// Advances `ROWS × COLUMNS` outputs together, held in registers, step by step.
#[inline(always)]
fn tile<const ROWS: usize, const COLUMNS: usize>(
    left: Left<'_>,
    right: &[f32],
    extent: Extent,
    (row, column): (usize, usize),
    out: &mut [f32],
) {
    let mut sums = [[0.0f32; COLUMNS]; ROWS];
    for (r, sums) in sums.iter_mut().enumerate() {
        let at = (row + r) * extent.columns + column;
        sums.copy_from_slice(&out[at..at + COLUMNS]);
    }
    for step in 0..extent.steps {
        let at = step * extent.columns + column;
        let factors: &[f32] = &right[at..at + COLUMNS];
        let from = row * left.row_stride + step * left.step_stride;
        for (r, sums) in sums.iter_mut().enumerate() {
            let value = left.data[from + r * left.row_stride];
            for (sum, factor) in sums.iter_mut().zip(factors) {
                *sum += value * factor;
            }
        }
    }
    for (r, sums) in sums.iter().enumerate() {
        let at = (row + r) * extent.columns + column;
        out[at..at + COLUMNS].copy_from_slice(sums);
    }
}
