//! The fold of one block after the other: as few levels as its numbers need, else fixed point.

use flare_kernels::Variant;
use flare_kernels::exact::{Block, Scale, Term};

use super::super::fixed::Fixed;
use super::finish::Finisher;
use super::plan::Plan;
use super::{BlockMut, BlockRef, Float, Output, Span, add_components};

/// Folds a plan into blocks. What the last block needed is tried first with the next.
pub(super) struct Folder<'p, 'a, E> {
    plan: &'p Plan<'a, E>,
    terms: Vec<Term<'a, E>>,
    levels: Levels,
    /// The levels and the largest value to begin with.
    tried: usize,
    guess: f64,
    /// How many blocks in a row would have done with fewer levels.
    calm: u32,
}

/// Working space for each number of levels.
struct Levels {
    one: Block<1>,
    two: Block<2>,
    three: Block<3>,
}

/// What a try with some number of levels has shown.
struct Try {
    span: Span,
    largest: f64,
    /// Whether the sums are exact.
    exact: bool,
}

impl Levels {
    fn new() -> Self {
        let best = Variant::best();
        Self { one: Block::new(best), two: Block::new(best), three: Block::new(best) }
    }

    fn component(&self, levels: usize, index: usize) -> &[f64] {
        match levels {
            1 => self.one.component(index),
            2 => self.two.component(index),
            _ => self.three.component(index),
        }
    }

    fn components(&self, levels: usize) -> impl Iterator<Item = &[f64]> {
        (0..levels).map(move |index| self.component(levels, index))
    }
}

/// The fewest levels, of at most `most`, in which so many additions are exact.
fn levels_for(span: Span, additions: usize, most: usize) -> Option<usize> {
    fn holds<const LEVELS: usize>(span: Span, additions: usize) -> bool {
        Scale::<LEVELS>::new(span.bound, additions).is_some_and(|scale| scale.holds(span.unit))
    }
    let enough = [holds::<1>, holds::<2>, holds::<3>];
    (1..=most).find(|levels| enough[levels - 1](span, additions))
}

impl<'p, 'a, E: Float> Folder<'p, 'a, E> {
    pub(super) fn new(plan: &'p Plan<'a, E>) -> Self {
        let levels = Levels::new();
        Self { plan, terms: Vec::new(), levels, tried: 1, guess: 0.0, calm: 0 }
    }

    /// Adds the plan's inputs to a block, which is still void if it is `fresh`.
    pub(super) fn fold_into(&mut self, block: &mut BlockMut<'_>, fresh: bool) {
        if let Some(fixed) = &mut block.held.fixed {
            return add_inputs(fixed, self.plan, block.columns.start);
        }
        let old = block.as_ref();
        let old = if fresh { BlockRef { components: &[], ..old } } else { old };
        match self.fold(&old) {
            Some((levels, span)) => block.set(span, self.levels.components(levels)),
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
        if block.held.fixed.is_none()
            && let Some((levels, _)) = self.fold(block)
        {
            let mut components = [&[][..]; 3];
            for (index, component) in components[..levels].iter_mut().enumerate() {
                *component = self.levels.component(levels, index);
            }
            return finisher.components(&components[..levels], out);
        }
        finisher.fixed(&self.fold_fixed(block), out);
    }

    /// The sums in the space for the number of levels that is returned; `None` if none is enough.
    fn fold(&mut self, old: &BlockRef<'_>) -> Option<(usize, Span)> {
        if !self.plan.is_ordinary() {
            return None;
        }
        self.plan.terms(old.columns.clone(), &mut self.terms);
        let additions = self.plan.products() + E::COMPONENTS;
        let first = self.attempt(self.tried, self.guess, old);
        let needed = levels_for(first.span, additions, E::COMPONENTS)?;
        let mut levels = self.tried;
        if !first.exact {
            levels = needed;
            let second = self.attempt(levels, first.largest, old);
            debug_assert!(second.exact, "the levels were chosen for these very numbers");
        }
        self.learn(levels, needed, first.largest);
        Some((levels, first.span))
    }

    fn learn(&mut self, levels: usize, needed: usize, largest: f64) {
        self.guess = 4.0 * largest;
        self.calm = if needed < levels { self.calm + 1 } else { 0 };
        self.tried = if self.calm < 4 { levels } else { needed };
    }

    fn attempt(&mut self, levels: usize, largest: f64, old: &BlockRef<'_>) -> Try {
        let Self { plan, terms, levels: spaces, .. } = self;
        match levels {
            1 => attempt(&mut spaces.one, plan, terms, largest, old),
            2 => attempt(&mut spaces.two, plan, terms, largest, old),
            _ => attempt(&mut spaces.three, plan, terms, largest, old),
        }
    }

    fn fold_fixed(&self, old: &BlockRef<'_>) -> Fixed {
        let mut fixed = to_fixed(old);
        add_inputs(&mut fixed, self.plan, old.columns.start);
        fixed
    }
}

/// Sums with `LEVELS` levels, if no value is above `expected`.
fn attempt<E: Float, const LEVELS: usize>(
    space: &mut Block<LEVELS>,
    plan: &Plan<'_, E>,
    terms: &[Term<'_, E>],
    expected: f64,
    old: &BlockRef<'_>,
) -> Try {
    let additions = plan.products() + E::COMPONENTS;
    let bound = (old.held.span.bound + plan.bound(expected)) * (1.0 + 2.0 * f64::EPSILON);
    let scale = Scale::<LEVELS>::new(bound, additions);
    // Without a scale the values are only looked at.
    space.begin(scale.unwrap_or_default(), old.columns.len());
    for component in old.components() {
        space.add_values(component);
    }
    let (largest, smallest) = space.add(terms);
    let span = old.held.span.join(plan.span(largest, smallest));
    let largest = E::bound(largest);
    let exact = if LEVELS == 1 {
        Scale::<1>::new(span.bound, additions).is_some_and(|scale| scale.holds(span.unit))
    } else {
        largest <= expected && scale.is_some_and(|scale| scale.holds(span.unit))
    };
    if exact && space.finish() {
        sign_zeros(space.component_mut(0), plan, old);
    }
    Try { span, largest, exact }
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
pub(super) struct Merger<E> {
    levels: Levels,
    element: std::marker::PhantomData<E>,
}

impl<E: Float> Merger<E> {
    pub(super) fn new() -> Self {
        Self { levels: Levels::new(), element: std::marker::PhantomData }
    }

    pub(super) fn merge(&mut self, block: &mut BlockMut<'_>, other: &BlockRef<'_>) {
        let span = block.held.span.join(other.held.span);
        let mine = block.as_ref();
        let levels = levels_for(span, 2 * E::COMPONENTS, E::COMPONENTS);
        if let (Some(levels), None, None) = (levels, mine.fixed(), other.fixed()) {
            match levels {
                1 => merge(&mut self.levels.one, span, &mine, other),
                2 => merge(&mut self.levels.two, span, &mine, other),
                _ => merge(&mut self.levels.three, span, &mine, other),
            }
            return block.set(span, self.levels.components(levels));
        }
        let mut fixed = to_fixed(&mine);
        fixed.merge(&to_fixed(other));
        block.set_fixed(fixed);
    }
}

fn merge<const LEVELS: usize>(
    space: &mut Block<LEVELS>,
    span: Span,
    mine: &BlockRef<'_>,
    other: &BlockRef<'_>,
) {
    let components = mine.components().count();
    let scale = Scale::<LEVELS>::new(span.bound, 2 * components);
    space.begin(scale.unwrap_or_default(), mine.columns.len());
    for component in mine.components().chain(other.components()) {
        space.add_values(component);
    }
    if !space.finish() {
        return;
    }
    let signs = mine.components().next().into_iter().zip(other.components().next());
    for (a, b) in signs {
        for ((sum, a), b) in space.component_mut(0).iter_mut().zip(a).zip(b) {
            if *sum == 0.0 && a.is_sign_negative() && b.is_sign_negative() {
                *sum = -0.0;
            }
        }
    }
}
