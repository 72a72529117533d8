//! The largest and the smallest magnitudes of columns, and whether one level holds what lies between.
#![allow(clippy::needless_range_loop)] // lanes index several arrays alike

use super::Element;
use super::element::Magnitude;

/// The largest magnitude, and the smallest less one (so that zero is the greatest), by lane.
pub(super) struct Extremes<E: Element, const N: usize> {
    largest: [E::Magnitude; N],
    smallest: [E::Magnitude; N],
}

impl<E: Element, const N: usize> Extremes<E, N> {
    #[inline(always)]
    pub(super) fn new() -> Self {
        Self { largest: [E::Magnitude::MIN; N], smallest: [E::Magnitude::MAX; N] }
    }

    #[inline(always)]
    pub(super) fn take(&mut self, values: &[E]) {
        for lane in 0..N {
            let magnitude = values[lane].magnitude();
            self.largest[lane] = self.largest[lane].max(magnitude);
            self.smallest[lane] = self.smallest[lane].min(magnitude.less_one());
        }
    }

    #[inline(always)]
    pub(super) fn merge(&mut self, other: &Self) {
        for lane in 0..N {
            self.largest[lane] = self.largest[lane].max(other.largest[lane]);
            self.smallest[lane] = self.smallest[lane].min(other.smallest[lane]);
        }
    }

    /// In which lanes the largest magnitude is not finite, or its bits exceed those of the smallest's
    /// exponent by more than `reach`.
    #[inline(always)]
    pub(super) fn beyond(&self, reach: E::Magnitude) -> [bool; N] {
        let mut beyond = [false; N];
        for lane in 0..N {
            let limit = self.smallest[lane].exponent_after(E::FRACTION).plus(reach);
            beyond[lane] = self.largest[lane] > limit || self.largest[lane] >= E::INFINITE;
        }
        beyond
    }

    #[inline(always)]
    pub(super) fn fold(self) -> (E::Magnitude, E::Magnitude) {
        let largest = self.largest.into_iter().fold(E::Magnitude::MIN, Ord::max);
        let smallest = self.smallest.into_iter().fold(E::Magnitude::MAX, Ord::min);
        (largest, smallest)
    }
}

/// The largest magnitude and the smallest but zero of both.
#[inline(always)]
pub(super) fn join<M: Magnitude>(a: (M, M), b: (M, M)) -> (M, Option<M>) {
    (a.0.max(b.0), a.1.min(b.1).more_by_one())
}
