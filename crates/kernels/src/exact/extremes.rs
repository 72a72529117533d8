//! What the values of columns span, lane by lane, and whether one level holds it.
#![allow(clippy::needless_range_loop)] // lanes index several arrays alike

use super::Element;
use super::element::Magnitude;

/// The largest magnitude, and the smallest less one (so that zero is the greatest).
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

    /// Over all lanes.
    #[inline(always)]
    pub(super) fn fold(self) -> Extremes<E, 1> {
        let mut all = Extremes::<E, 1>::new();
        for lane in 0..N {
            all.largest[0] = all.largest[0].max(self.largest[lane]);
            all.smallest[0] = all.smallest[0].min(self.smallest[lane]);
        }
        all
    }
}

impl<E: Element> Extremes<E, 1> {
    /// The largest magnitude and the smallest but zero of both.
    #[inline(always)]
    pub(super) fn join(self, other: Self) -> (E::Magnitude, Option<E::Magnitude>) {
        let smallest = self.smallest[0].min(other.smallest[0]);
        (self.largest[0].max(other.largest[0]), smallest.more_by_one())
    }
}

/// The masses of columns: what the absolute values come to, each addition rounded to `f32`; and the bits
/// of the smallest absolute value less one, as in [`Extremes`].
pub(super) struct Masses<const N: usize> {
    mass: [f32; N],
    smallest: [u32; N],
}

impl<const N: usize> Masses<N> {
    #[inline(always)]
    pub(super) fn new() -> Self {
        Self { mass: [0.0; N], smallest: [u32::MAX; N] }
    }

    #[inline(always)]
    pub(super) fn take<E: Element>(&mut self, values: &[E]) {
        for lane in 0..N {
            let bits = values[lane].single().to_bits() & 0x7FFF_FFFF;
            self.mass[lane] += f32::from_bits(bits);
            self.smallest[lane] = self.smallest[lane].min(bits.wrapping_sub(1));
        }
    }

    /// The larger mass of both, and the smallest value.
    #[inline(always)]
    pub(super) fn merge(&mut self, other: &Self) {
        for lane in 0..N {
            // As bits, since NaN is to be the largest.
            let mass = self.mass[lane].to_bits().max(other.mass[lane].to_bits());
            self.mass[lane] = f32::from_bits(mass);
            self.smallest[lane] = self.smallest[lane].min(other.smallest[lane]);
        }
    }

    /// In which lanes the mass is not finite, or its bits exceed those of the smallest value's exponent
    /// by more than `reach`.
    #[inline(always)]
    pub(super) fn beyond(&self, reach: u32) -> [bool; N] {
        let mut limits = [0; N];
        for lane in 0..N {
            let limit = (self.smallest[lane].wrapping_add(1) & 0x7F80_0000) + reach;
            limits[lane] = limit.min(f32::MAX.to_bits());
        }
        let mut beyond = [false; N];
        for lane in 0..N {
            let within = self.mass[lane] <= f32::from_bits(limits[lane]);
            // NaN is not within any limit.
            beyond[lane] = !within;
        }
        beyond
    }

    /// Over all lanes.
    #[inline(always)]
    pub(super) fn fold(self) -> Masses<1> {
        let mut all = Masses::new();
        for lane in 0..N {
            all.merge(&Masses { mass: [self.mass[lane]], smallest: [self.smallest[lane]] });
        }
        all
    }
}

impl Masses<1> {
    /// The larger mass of both, infinite for NaN, and the bits of the smallest value but zero.
    #[inline(always)]
    pub(super) fn join(mut self, other: Self) -> (f32, Option<u32>) {
        self.merge(&other);
        let mass = if self.mass[0].is_nan() { f32::INFINITY } else { self.mass[0] };
        (mass, self.smallest[0].checked_add(1))
    }
}
