//! A float tensor's sums in memory: blocks, and how they are dealt out to threads.

use std::ops::{Deref, DerefMut, Range};

use flare_kernels::exact::{BLOCK, Span};

use super::super::fixed::Fixed;
use super::super::number::{Factor, decompose};
use super::Float;
use crate::pages::Pages;
use crate::pool::Pool;

/// Below this many bytes of input the work is not divided among threads.
const SMALL: usize = 1 << 20;

/// The components of all blocks, block after block.
#[derive(Debug)]
pub(super) struct Components(Pages);

impl Components {
    pub(super) fn zeroed(count: usize) -> Self {
        Self(Pages::zeroed(count * size_of::<f64>()))
    }
}

impl Default for Components {
    fn default() -> Self {
        Self::zeroed(0)
    }
}

impl Deref for Components {
    type Target = [f64];

    fn deref(&self) -> &[f64] {
        bytemuck::cast_slice(&self.0)
    }
}

impl DerefMut for Components {
    fn deref_mut(&mut self) -> &mut [f64] {
        bytemuck::cast_slice_mut(&mut self.0)
    }
}

impl Clone for Components {
    fn clone(&self) -> Self {
        let mut copy = Self::zeroed(self.len());
        copy.copy_from_slice(self);
        copy
    }
}

/// What a block keeps beside its components.
#[derive(Debug, Clone)]
pub(in super::super) struct Held {
    pub(super) span: Span,
    /// The sums themselves, once the components do not reach; these are then void.
    pub(super) fixed: Option<Box<Fixed>>,
}

/// A block's sums, to read. Without components it holds nothing yet.
pub(in super::super) struct BlockRef<'a> {
    pub(in super::super) columns: Range<usize>,
    pub(super) held: &'a Held,
    pub(super) components: &'a [f64],
}

impl<'a> BlockRef<'a> {
    /// The components, each a slice over the columns; none if the sums are in fixed point.
    pub(in super::super) fn components(&self) -> impl Iterator<Item = &'a [f64]> + use<'a> {
        self.components.chunks_exact(self.columns.len())
    }

    pub(in super::super) fn fixed(&self) -> Option<&'a Fixed> {
        self.held.fixed.as_deref()
    }
}

/// A block's sums, to write.
pub(in super::super) struct BlockMut<'a> {
    pub(in super::super) columns: Range<usize>,
    pub(super) held: &'a mut Held,
    components: &'a mut [f64],
}

impl BlockMut<'_> {
    pub(super) fn as_ref(&self) -> BlockRef<'_> {
        BlockRef { columns: self.columns.clone(), held: self.held, components: self.components }
    }

    /// Replaces the sums by components, of which missing ones are zero.
    pub(in super::super) fn set<'c>(&mut self, span: Span, new: impl Iterator<Item = &'c [f64]>) {
        self.held.span = span;
        let mut components = self.components.chunks_exact_mut(self.columns.len());
        for (new, component) in new.zip(&mut components) {
            component.copy_from_slice(new);
        }
        for component in components {
            component.fill(0.0);
        }
    }

    /// Replaces the sums by finite components.
    pub(in super::super) fn set_components(&mut self, new: &[Vec<f64>]) {
        let mut span = Span::NOTHING;
        for value in new.iter().flatten().filter(|value| **value != 0.0) {
            let factor = decompose(*value);
            span.bound = span.bound.max(2.0 * value.abs());
            span.unit = span.unit.min(factor.exponent + factor.mantissa.trailing_zeros() as i32);
        }
        self.set(span, new.iter().map(Vec::as_slice));
    }

    /// Replaces the sums by ones in fixed point.
    pub(in super::super) fn set_fixed(&mut self, fixed: Fixed) {
        self.held.fixed = Some(Box::new(fixed));
    }
}

/// Neighbouring blocks.
pub(super) struct Chunk<'a, E> {
    pub(super) first: usize,
    pub(super) len: usize,
    pub(super) held: &'a mut [Held],
    pub(super) components: &'a mut [f64],
    pub(super) element: std::marker::PhantomData<E>,
}

impl<'a, E: Float> Chunk<'a, E> {
    pub(super) fn blocks(self) -> impl Iterator<Item = BlockMut<'a>> {
        let Self { first, len, held, components, .. } = self;
        let parts = components.chunks_mut(BLOCK * E::COMPONENTS);
        held.iter_mut().zip(parts).enumerate().map(move |(index, (held, components))| BlockMut {
            columns: columns_of(first + index, len),
            held,
            components,
        })
    }
}

pub(super) fn columns_of(block: usize, len: usize) -> Range<usize> {
    block * BLOCK..len.min((block + 1) * BLOCK)
}

/// How many blocks a job takes: all, if there is little to do.
pub(super) fn blocks_per_job(blocks: usize, bytes: usize, pool: &dyn Pool) -> usize {
    let jobs = if bytes <= SMALL || pool.threads() <= 1 { 1 } else { 8 * pool.threads() };
    blocks.div_ceil(jobs).max(1)
}

/// The output in parts for the threads, each with its first column.
pub(super) fn output_chunks<'a, T>(
    out: &'a mut [T],
    bytes: usize,
    pool: &dyn Pool,
) -> Vec<(usize, &'a mut [T])> {
    let columns = BLOCK * blocks_per_job(out.len().div_ceil(BLOCK), bytes, pool);
    out.chunks_mut(columns).enumerate().map(|(index, out)| (index * columns, out)).collect()
}

/// Adds a block's components to a block in fixed point.
pub(super) fn add_components(fixed: &mut Fixed, block: &BlockRef<'_>) {
    for (level, component) in block.components().enumerate() {
        for (column, value) in component.iter().enumerate() {
            // Only the first component says whether a zero sum is -0.
            if level == 0 {
                fixed.add_float(column, Factor::ONE, *value);
            } else {
                fixed.add(column, decompose(*value));
            }
        }
    }
}
