//! Exact sums of float tensors: a few `f64` for each element, and blocks in fixed point where those do not reach.

mod blocks;
mod finish;
mod folder;
mod plan;

use std::ops::Range;

use flare_kernels::Variant;
use flare_kernels::exact::{
    BLOCK, Divisor, Doubts, Element, Fold, Narrow, Seen, Span, Term, Trial, TrialRoom,
    divide_narrow, divide_wide,
};
use half::{bf16, f16};

use super::error::Error;
use super::round::{Divider, Rounded};
use super::weight::Total;
use crate::pool::{Pool, for_each_item};
use blocks::{
    BlockMut, BlockRef, Chunk, Components, Held, blocks_per_job, columns_of, output_chunks,
};
use finish::Finisher;
use folder::{Folder, Sums};
pub(super) use plan::{Input, Plan};

/// A float type of tensors.
pub(super) trait Float: Element + Output + Sized {
    /// How many `f64` hold a sum, unless it needs fixed point.
    const COMPONENTS: usize;

    /// How the means of a block are tried in plain `f64`; `None` where the type is too wide for that.
    const TRY_MEAN: Option<TryMean<Self>>;

    /// The same number as `f64`.
    fn widen(self) -> f64;

    /// Adds up components and those columns of terms, of which both is `known`, with up to
    /// [`COMPONENTS`](Float::COMPONENTS) levels; `None` if these do not reach.
    fn add(
        sums: &mut Sums,
        components: &[&[f64]],
        terms: &[Term<'_, Self>],
        known: (Span, Span),
        columns: Range<usize>,
    ) -> Option<Seen>;
}

/// Writes the means of columns from the first of a block on, and returns which are void.
type TryMean<E> = fn(&Trial<'_, E>, usize, &mut TrialRoom, &mut [E]) -> Doubts;

/// A type that quotients are written as.
pub(super) trait Output: Rounded {
    /// Divides sums by the fast loops; where this returns false, some quotient is void for which
    /// [`divide_one`](Output::divide_one) gives `None`.
    fn divide(divisor: &Divisor, sums: &[f64], rests: &[f64], out: &mut [Self]) -> bool;

    fn divide_one(divisor: &Divisor, sum: f64, rest: f64) -> Option<Self>;
}

macro_rules! float {
    ($type:ty, $components:literal, $divide:ident, $one:expr, $widen:expr, $mean:expr) => {
        impl Float for $type {
            const COMPONENTS: usize = $components;
            const TRY_MEAN: Option<TryMean<Self>> = $mean;

            fn widen(self) -> f64 {
                $widen(self)
            }

            fn add(
                sums: &mut Sums,
                components: &[&[f64]],
                terms: &[Term<'_, Self>],
                (old, factors): (Span, Span),
                columns: Range<usize>,
            ) -> Option<Seen> {
                let first = columns.start;
                let fold = Fold::<_, { $components - 1 }, $components> {
                    components,
                    old,
                    terms,
                    first,
                    factors,
                };
                sums.add(&fold, columns.len())
            }
        }

        impl Output for $type {
            fn divide(divisor: &Divisor, sums: &[f64], rests: &[f64], out: &mut [Self]) -> bool {
                $divide(Variant::best(), divisor, sums, rests, out)
            }

            fn divide_one(divisor: &Divisor, sum: f64, rest: f64) -> Option<Self> {
                $one(divisor, sum, rest)
            }
        }
    };
}

float!(f16, 2, divide_narrow, narrow::<f16>, f16::to_f64, Some(narrow_mean));
float!(bf16, 2, divide_narrow, narrow::<bf16>, bf16::to_f64, Some(narrow_mean));
float!(f32, 2, divide_narrow, narrow::<f32>, f64::from, Some(narrow_mean));
float!(f64, 3, divide_wide, Divisor::nearest, f64::from, None);

fn narrow<T: Narrow>(divisor: &Divisor, sum: f64, rest: f64) -> Option<T> {
    divisor.stand_in(sum, rest).map(T::from_stand_in)
}

fn narrow_mean<E: Element + Narrow>(
    trial: &Trial<'_, E>,
    first: usize,
    room: &mut TrialRoom,
    out: &mut [E],
) -> Doubts {
    trial.run(Variant::best(), first, room, out)
}

/// `Σ w_i x_i` for each element.
#[derive(Debug, Clone)]
pub(super) struct FloatSum<E> {
    len: usize,
    /// One for each [`BLOCK`] of elements; empty as long as nothing was added.
    held: Vec<Held>,
    /// Block after block, and in a block component after component.
    components: Components,
    element: std::marker::PhantomData<E>,
}

impl<E: Float> FloatSum<E> {
    pub(super) fn new(len: usize) -> Self {
        Self {
            len,
            held: Vec::new(),
            components: Components::default(),
            element: std::marker::PhantomData,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Adds inputs of non-zero weight and the right length.
    pub(super) fn fold(&mut self, inputs: Vec<Input<'_, E>>, pool: &dyn Pool) {
        if inputs.is_empty() || self.len == 0 {
            return;
        }
        let plan = Plan::new(inputs);
        let fresh = self.allocate();
        let chunks = self.chunks(plan.bytes(self.len), pool);
        for_each_item(pool, chunks, |chunk| {
            let mut folder = Folder::new(&plan);
            for mut block in chunk.blocks() {
                folder.fold_into(&mut block, fresh);
            }
        });
    }

    /// Adds another sum of as many elements.
    pub(super) fn merge(&mut self, other: &Self, pool: &dyn Pool) {
        if other.held.is_empty() {
            return;
        }
        if self.allocate() {
            self.held.clone_from(&other.held);
            self.components.copy_from_slice(&other.components);
            return;
        }
        let chunks = self.chunks(self.len * 8 * E::COMPONENTS, pool);
        for_each_item(pool, chunks, |chunk| {
            let mut merger = folder::Merger::default();
            for mut block in chunk.blocks() {
                let index = block.columns.start / BLOCK;
                merger.merge::<E>(&mut block, &other.block(index));
            }
        });
    }

    /// The sums divided by `total`, each rounded once.
    pub(super) fn mean(&self, total: &Total, out: &mut [E], pool: &dyn Pool) -> Result<(), Error> {
        self.divide(total.divisor(), total.divider()?, out, pool);
        Ok(())
    }

    /// The sums divided by `total`, each rounded once to `f64`.
    pub(super) fn mean_f64(
        &self,
        total: &Total,
        out: &mut [f64],
        pool: &dyn Pool,
    ) -> Result<(), Error> {
        self.divide(total.divisor(), total.divider()?, out, pool);
        Ok(())
    }

    /// The sums, each rounded once.
    pub(super) fn sum(&self, out: &mut [E], pool: &dyn Pool) {
        self.divide(Divisor::new(1.0, 0.0), Divider::one(), out, pool);
    }

    /// The sums divided by `total`, less `base`, each rounded once.
    pub(super) fn mean_minus(
        &self,
        total: &Total,
        base: &[E],
        out: &mut [f64],
        pool: &dyn Pool,
    ) -> Result<(), Error> {
        let divider = total.divider()?;
        let divisor = total.divisor();
        let factors = total.negated_factors();
        let inputs = factors.into_iter().map(|factor| Input { factor, values: base }).collect();
        let plan = Plan::new(inputs);
        let chunks = output_chunks(out, plan.bytes(self.len), pool);
        for_each_item(pool, chunks, |(first, out)| {
            let mut folder = Folder::new(&plan);
            let mut finisher = Finisher::new(divisor, divider.clone());
            for (index, out) in out.chunks_mut(BLOCK).enumerate() {
                let block = self.block(first / BLOCK + index);
                folder.fold_and_finish(&block, &mut finisher, out);
            }
        });
        Ok(())
    }

    fn divide<T: Output>(
        &self,
        divisor: Option<Divisor>,
        divider: Divider,
        out: &mut [T],
        pool: &dyn Pool,
    ) {
        let bytes = self.len * 8 * E::COMPONENTS;
        for_each_item(pool, output_chunks(out, bytes, pool), |(first, out)| {
            let mut finisher = Finisher::new(divisor, divider.clone());
            for (index, out) in out.chunks_mut(BLOCK).enumerate() {
                finisher.block(&self.block(first / BLOCK + index), out);
            }
        });
    }

    /// Makes room for the sums and returns whether there was none.
    pub(super) fn allocate(&mut self) -> bool {
        let fresh = self.held.is_empty();
        if fresh {
            self.held = vec![Held { span: Span::NOTHING, fixed: None }; self.len.div_ceil(BLOCK)];
            self.components = Components::zeroed(self.len * E::COMPONENTS);
        }
        fresh
    }

    /// Block `index`, to read.
    pub(super) fn block(&self, index: usize) -> BlockRef<'_> {
        let columns = columns_of(index, self.len);
        let start = columns.start * E::COMPONENTS;
        let components = &self.components[start..start + columns.len() * E::COMPONENTS];
        BlockRef { columns, held: &self.held[index], components }
    }

    /// The parts that threads work on.
    fn chunks(&mut self, bytes: usize, pool: &dyn Pool) -> Vec<Chunk<'_, E>> {
        let blocks = blocks_per_job(self.held.len(), bytes, pool);
        let len = self.len;
        self.held
            .chunks_mut(blocks)
            .zip(self.components.chunks_mut(blocks * BLOCK * E::COMPONENTS))
            .enumerate()
            .map(|(index, (held, components))| Chunk {
                first: index * blocks,
                len,
                held,
                components,
                element: std::marker::PhantomData,
            })
            .collect()
    }

    /// All blocks, to write.
    pub(super) fn blocks_mut(&mut self) -> impl Iterator<Item = BlockMut<'_>> {
        let whole: Chunk<'_, E> = Chunk {
            first: 0,
            len: self.len,
            held: &mut self.held,
            components: &mut self.components,
            element: std::marker::PhantomData,
        };
        whole.blocks()
    }
}

/// `(Σ w_i x_i) / total` at once, without keeping sums.
pub(super) fn mean_of<E: Float>(
    inputs: Vec<Input<'_, E>>,
    total: &Total,
    out: &mut [E],
    pool: &dyn Pool,
) -> Result<(), Error> {
    let (divisor, divider) = (total.divisor(), total.divider()?);
    let plan = Plan::new(inputs);
    let chunks = output_chunks(out, plan.bytes(out.len()), pool);
    let held = Held { span: Span::NOTHING, fixed: None };
    let trial = divisor.filter(|_| plan.is_ordinary());
    let trial = trial.and_then(|divisor| Trial::new(&divisor, plan.terms()));
    let trial = trial.as_ref().zip(E::TRY_MEAN);
    for_each_item(pool, chunks, |(first, out)| {
        let mut folder = Folder::new(&plan);
        let mut finisher = Finisher::new(divisor, divider.clone());
        let mut room = TrialRoom::default();
        for (index, out) in out.chunks_mut(BLOCK).enumerate() {
            let start = first + index * BLOCK;
            let doubts = match trial {
                Some((trial, try_mean)) => try_mean(trial, start, &mut room, out),
                None => Doubts::all(out.len()),
            };
            for doubtful in doubts.columns() {
                let columns = start + doubtful.start..start + doubtful.end;
                let block = BlockRef { columns, held: &held, components: &[] };
                folder.fold_and_finish(&block, &mut finisher, &mut out[doubtful]);
            }
        }
    });
    Ok(())
}
