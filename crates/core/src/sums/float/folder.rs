//! The fold of one block after the other: as few levels as its numbers need, else fixed point.

use flare_kernels::Variant;
use flare_kernels::exact::{Fold, Magnitude, Scale, Seen, Term};

use super::super::fixed::Fixed;
use super::blocks::{BlockMut, BlockRef, Span, add_components};
use super::finish::Finisher;
use super::plan::Plan;
use super::{Float, Output};

/// Folds a plan into blocks. What the last block needed is tried first with the next.
pub(super) struct Folder<'p, 'a, E: Float> {
    plan: &'p Plan<'a, E>,
    terms: Vec<Term<'a, E>>,
    sums: Sums,
    /// The largest magnitude to expect.
    expected: E::Magnitude,
    /// Whether most columns of the last block did with few levels.
    try_few: bool,
}

/// Room for the components of a block.
#[derive(Default)]
pub(in super::super) struct Sums([Vec<f64>; 3]);

impl Sums {
    fn resize(&mut self, columns: usize) {
        for component in &mut self.0 {
            component.resize(columns, 0.0);
        }
    }

    fn components(&self, count: usize) -> [&[f64]; 3] {
        let mut components = [&[][..]; 3];
        for (slot, component) in components.iter_mut().zip(&self.0).take(count) {
            *slot = component;
        }
        components
    }
}

/// What is to be added, and what is known of it.
pub(in super::super) struct Attempt<'f, E: Float> {
    components: &'f [&'f [f64]],
    terms: &'f [Term<'f, E>],
    /// What is known of the components.
    old: Span,
    /// A bound of the sum of the terms' absolute values, if no magnitude is above `largest`.
    bound: f64,
    largest: E::Magnitude,
    /// The terms' factors are multiples of 2 to this.
    unit: i32,
    try_few: bool,
}

impl<E: Float> Attempt<'_, E> {
    /// Sums with `FEW` levels where they are enough, and `MANY` elsewhere.
    pub(super) fn run<const FEW: usize, const MANY: usize>(
        &self,
        sums: &mut Sums,
    ) -> Seen<E::Magnitude> {
        let bound = self.old.join(Span { bound: self.bound, unit: i32::MAX }).bound;
        let additions = self.terms.len() * E::PIECES + self.components.len();
        let few = Scale::<FEW>::new(bound, additions).unwrap_or_default();
        let many = Scale::<MANY>::new(bound, additions);
        let holds = many.is_some_and(|many| self.old.unit >= many.unit());
        let many = many.unwrap_or_default();
        let smallest = |unit: i32| E::with_last_place(unit.saturating_sub(self.unit));
        let few_hold = holds && self.old.unit >= few.unit();
        let fold = Fold {
            components: self.components,
            terms: self.terms,
            few,
            many,
            largest: self.largest,
            smallest_few: if few_hold { smallest(few.unit()) } else { E::Magnitude::MAX },
            smallest_many: smallest(many.unit()),
            try_few: self.try_few && few_hold,
        };
        let mut rows = sums.0.iter_mut();
        let mut row = || rows.next().map(Vec::as_mut_slice).unwrap_or_default();
        let mut seen = fold.run(Variant::best(), std::array::from_fn(|_| row()));
        seen.exact &= holds;
        seen
    }
}

impl<'p, 'a, E: Float> Folder<'p, 'a, E> {
    pub(super) fn new(plan: &'p Plan<'a, E>) -> Self {
        let (terms, sums) = (Vec::new(), Sums::default());
        Self { plan, terms, sums, expected: generous::<E>(plan.sample()), try_few: true }
    }

    /// Adds the plan's inputs to a block, which is still void if it is `fresh`.
    pub(super) fn fold_into(&mut self, block: &mut BlockMut<'_>, fresh: bool) {
        if let Some(fixed) = &mut block.held.fixed {
            return add_inputs(fixed, self.plan, block.columns.start);
        }
        let old = block.as_ref();
        let old = if fresh { BlockRef { components: &[], ..old } } else { old };
        match self.fold(&old) {
            Some(span) => block.set(span, self.sums.components(E::COMPONENTS).into_iter()),
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
            let components = self.sums.components(E::COMPONENTS);
            return finisher.components(&components[..E::COMPONENTS], out);
        }
        finisher.fixed(&self.fold_fixed(block), out);
    }

    /// Leaves the components of the sums in `sums`; `None` if they do not reach.
    fn fold(&mut self, old: &BlockRef<'_>) -> Option<Span> {
        if !self.plan.is_ordinary() {
            return None;
        }
        self.plan.terms(old.columns.clone(), &mut self.terms);
        self.sums.resize(old.columns.len());
        let mut seen = self.attempt(self.expected, old);
        if !seen.exact {
            if E::bound(seen.largest).is_infinite() {
                return None;
            }
            seen = self.attempt(seen.largest, old);
        }
        if !seen.exact {
            return None;
        }
        self.expect(&seen);
        if seen.zeros {
            sign_zeros(&mut self.sums.0[0], self.plan, old);
        }
        Some(old.held.span.join(self.plan.span(seen.largest, seen.smallest)))
    }

    fn attempt(&mut self, largest: E::Magnitude, old: &BlockRef<'_>) -> Seen<E::Magnitude> {
        let mut components = [&[][..]; 3];
        let mut count = 0;
        for (slot, component) in components.iter_mut().zip(old.components()) {
            *slot = component;
            count += 1;
        }
        let attempt = Attempt {
            components: &components[..count],
            terms: &self.terms,
            old: old.held.span,
            bound: self.plan.bound(E::bound(largest)),
            largest,
            unit: self.plan.unit(),
            try_few: self.try_few,
        };
        E::attempt(&attempt, &mut self.sums)
    }

    /// Expects of the next block what was seen of this one, and up to twice the largest value.
    fn expect(&mut self, seen: &Seen<E::Magnitude>) {
        self.expected = generous::<E>(seen.largest);
        self.try_few = 2 * seen.few >= self.sums.0[0].len();
    }

    fn fold_fixed(&self, old: &BlockRef<'_>) -> Fixed {
        let mut fixed = to_fixed(old);
        add_inputs(&mut fixed, self.plan, old.columns.start);
        fixed
    }
}

/// At least twice the magnitude, if that is finite.
fn generous<E: Float>(magnitude: E::Magnitude) -> E::Magnitude {
    let more = E::with_last_place(E::last_place(magnitude) + 2);
    if E::bound(more).is_finite() { more } else { magnitude }
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
        let attempt = Attempt::<E> {
            components: &components,
            terms: &[],
            old,
            bound: 0.0,
            largest: E::Magnitude::MIN,
            unit: 0,
            try_few: true,
        };
        if mine.fixed().is_none() && other.fixed().is_none() {
            self.sums.resize(mine.columns.len());
            let seen = E::attempt(&attempt, &mut self.sums);
            if seen.exact {
                let [first, ..] = &mut self.sums.0;
                sign_merged_zeros(first, &mine, other);
                return block.set(old, self.sums.components(E::COMPONENTS).into_iter());
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
