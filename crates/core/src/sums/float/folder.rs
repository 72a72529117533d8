//! The fold of one block after the other: as few components as its numbers need, else fixed point.

use flare_kernels::Variant;
use flare_kernels::exact::{Element, Fold, Seen, Span};

use super::super::fixed::Fixed;
use super::blocks::{BlockMut, BlockRef, add_components};
use super::finish::Finisher;
use super::plan::Plan;
use super::{Float, Output};

/// Folds a plan into blocks.
pub(super) struct Folder<'p, 'a, E: Float> {
    plan: &'p Plan<'a, E>,
    sums: Sums,
}

/// The components of a block's sums.
#[derive(Default)]
pub(in super::super) struct Sums {
    rows: [Vec<f64>; 3],
    /// How many rows hold something; the others are zero.
    used: usize,
}

impl Sums {
    /// Adds up a block of so many columns; `None` if floats do not reach.
    pub(super) fn add<E: Element, const FEW: usize, const MANY: usize>(
        &mut self,
        fold: &Fold<'_, E, FEW, MANY>,
        columns: usize,
    ) -> Option<Seen> {
        let mut rows = self.rows.iter_mut();
        let out = std::array::from_fn(|_| {
            let row = rows.next().expect("no float type has more components than there are rows");
            row.resize(columns, 0.0);
            row.as_mut_slice()
        });
        let seen = fold.run(Variant::best(), out);
        self.used = seen.components;
        seen.exact.then_some(seen)
    }

    fn components(&self) -> impl Iterator<Item = &[f64]> {
        self.rows[..self.used].iter().map(Vec::as_slice)
    }
}

impl<'p, 'a, E: Float> Folder<'p, 'a, E> {
    pub(super) fn new(plan: &'p Plan<'a, E>) -> Self {
        Self { plan, sums: Sums::default() }
    }

    /// Adds the plan's inputs to a block, which is still void if it is `fresh`.
    pub(super) fn fold_into(&mut self, block: &mut BlockMut<'_>, fresh: bool) {
        if let Some(fixed) = &mut block.held.fixed {
            return add_inputs(fixed, self.plan, block.columns.start);
        }
        let old = block.as_ref();
        let old = if fresh { BlockRef { components: &[], ..old } } else { old };
        match self.fold(&old) {
            Some(span) => block.set(span, self.sums.components()),
            None => {
                let fixed = self.fold_fixed(&old);
                block.set_fixed(fixed);
            }
        }
    }

    /// Adds the plan's inputs to a block's sums and writes the quotients, leaving the block as it is.
    pub(super) fn fold_and_finish<T: Output>(
        &mut self,
        block: &BlockRef<'_>,
        finisher: &mut Finisher,
        out: &mut [T],
    ) {
        if block.held.fixed.is_none() && self.fold(block).is_some() {
            return finisher.components(self.sums.components(), out);
        }
        finisher.fixed(&self.fold_fixed(block), out);
    }

    /// Leaves the components of the sums in `sums`; `None` if they do not reach.
    fn fold(&mut self, old: &BlockRef<'_>) -> Option<Span> {
        if !self.plan.is_ordinary() {
            return None;
        }
        let components: Vec<&[f64]> = old.components().collect();
        let known = (old.held.span, self.plan.factors());
        let columns = old.columns.clone();
        let seen = E::add(&mut self.sums, &components, self.plan.terms(), known, columns)?;
        if seen.zeros {
            sign_zeros(&mut self.sums.rows[0], self.plan, old);
        }
        Some(old.held.span.join(seen.terms))
    }

    fn fold_fixed(&self, old: &BlockRef<'_>) -> Fixed {
        let mut fixed = to_fixed(old);
        add_inputs(&mut fixed, self.plan, old.columns.start);
        fixed
    }
}

/// Gives zeros their sign: `-0` if everything that was added is `-0`. As the sum is zero, that is
/// so if nothing has a positive sign.
fn sign_zeros<E: Float>(sums: &mut [f64], plan: &Plan<'_, E>, old: &BlockRef<'_>) {
    let mut negative = vec![true; sums.len()];
    if let Some(first) = old.components().next() {
        for (negative, value) in negative.iter_mut().zip(first) {
            *negative = value.is_sign_negative();
        }
    }
    for input in plan.inputs() {
        let values = &input.values[old.columns.clone()];
        for (negative, value) in negative.iter_mut().zip(values) {
            *negative &= value.is_negative() != input.factor.negative;
        }
    }
    for (sum, negative) in sums.iter_mut().zip(negative) {
        if *sum == 0.0 && negative {
            *sum = -0.0;
        }
    }
}

/// A block's sums in fixed point.
pub(super) fn to_fixed(block: &BlockRef<'_>) -> Fixed {
    if let Some(fixed) = block.fixed() {
        return fixed.clone();
    }
    let mut fixed = Fixed::new(block.columns.len());
    add_components(&mut fixed, block);
    fixed
}

fn add_inputs<E: Float>(fixed: &mut Fixed, plan: &Plan<'_, E>, first: usize) {
    for input in plan.inputs() {
        for column in 0..fixed.columns() {
            fixed.add_float(column, input.factor, input.values[first + column].widen());
        }
    }
}

/// Adds blocks of another sum.
#[derive(Default)]
pub(super) struct Merger {
    sums: Sums,
}

impl Merger {
    pub(super) fn merge<E: Float>(&mut self, block: &mut BlockMut<'_>, other: &BlockRef<'_>) {
        let old = block.held.span.join(other.held.span);
        let mine = block.as_ref();
        let components: Vec<&[f64]> = mine.components().chain(other.components()).collect();
        if mine.fixed().is_none() && other.fixed().is_none() {
            let known = (old, Span::NOTHING);
            let columns = 0..mine.columns.len();
            if E::add(&mut self.sums, &components, &[], known, columns).is_some() {
                sign_merged_zeros(&mut self.sums.rows[0], &mine, other);
                return block.set(old, self.sums.components());
            }
        }
        let mut fixed = to_fixed(&mine);
        fixed.merge(&to_fixed(other));
        block.set_fixed(fixed);
    }
}

/// Gives zeros their sign: `-0` if both parts are `-0`.
fn sign_merged_zeros(sums: &mut [f64], mine: &BlockRef<'_>, other: &BlockRef<'_>) {
    let signs = mine.components().next().into_iter().zip(other.components().next());
    for (a, b) in signs {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            if *sum == 0.0 && a.is_sign_negative() && b.is_sign_negative() {
                *sum = -0.0;
            }
        }
    }
}
