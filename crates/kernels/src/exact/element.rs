//! The float types that can be summed exactly, and how each is cut into pieces whose products are exact.

use half::{bf16, f16};

/// A float type whose values can be summed exactly.
///
/// A value is cut into at most two `f64` pieces, so that the product of a piece with a factor of at
/// most [`FACTOR_BITS`](Element::FACTOR_BITS) significant bits has at most 53 of them: it is exact
/// in `f64` as long as it neither overflows nor underflows.
pub trait Element: Copy + Send + Sync + 'static {
    /// The significant bits that a factor may have.
    const FACTOR_BITS: u32;

    /// How many pieces a value is cut into.
    const PIECES: usize;

    /// The significant bits after the first: a value that is not zero is a multiple of its power of two
    /// times 2 to minus this.
    const FRACTION: u32;

    /// The bits of an absolute value, ordered as the absolute values are; NaN lies above infinity.
    type Magnitude: Magnitude;

    /// The bits of the absolute value.
    fn magnitude(self) -> Self::Magnitude;

    /// The absolute value, infinite for infinity and NaN.
    fn bound(magnitude: Self::Magnitude) -> f64;

    /// The exponent of the last place: a finite value of this magnitude is a multiple of 2 to it.
    fn last_place(magnitude: Self::Magnitude) -> i32;

    /// The pieces, of which the last [`PIECES`](Element::PIECES) add up to the value and the others
    /// are unused. Nothing is promised for infinities and NaN.
    fn pieces(self) -> [f64; 2];

    /// The nearest `f32`: the value itself, where it is one piece; infinity and NaN are one or the other.
    fn single(self) -> f32;

    /// Whether the sign bit is set.
    fn is_negative(self) -> bool;
}

/// An unsigned integer.
pub trait Magnitude: Copy + Ord + Send + std::fmt::Debug {
    /// The least, 0.
    const MIN: Self;
    /// The greatest.
    const MAX: Self;

    /// One less; for 0 the greatest.
    fn less_one(self) -> Self;

    /// One more; `None` for the greatest.
    fn more_by_one(self) -> Option<Self>;
}

macro_rules! magnitude {
    ($type:ty) => {
        impl Magnitude for $type {
            const MIN: Self = Self::MIN;
            const MAX: Self = Self::MAX;

            #[inline(always)]
            fn less_one(self) -> Self {
                self.wrapping_sub(1)
            }

            #[inline(always)]
            fn more_by_one(self) -> Option<Self> {
                self.checked_add(1)
            }
        }
    };
}

magnitude!(u32);
magnitude!(u64);

impl Element for f32 {
    const FACTOR_BITS: u32 = 29;
    const PIECES: usize = 1;
    const FRACTION: u32 = 23;
    type Magnitude = u32;

    #[inline(always)]
    fn magnitude(self) -> u32 {
        self.to_bits() & 0x7FFF_FFFF
    }

    fn bound(magnitude: u32) -> f64 {
        let value = f64::from(Self::from_bits(magnitude));
        if value.is_nan() { f64::INFINITY } else { value }
    }

    fn last_place(magnitude: u32) -> i32 {
        (magnitude >> 23).max(1) as i32 - 150
    }

    #[inline(always)]
    fn pieces(self) -> [f64; 2] {
        [0.0, f64::from(self)]
    }

    #[inline(always)]
    fn single(self) -> f32 {
        self
    }

    #[inline(always)]
    fn is_negative(self) -> bool {
        self.is_sign_negative()
    }
}

impl Element for bf16 {
    const FACTOR_BITS: u32 = 29;
    const PIECES: usize = 1;
    const FRACTION: u32 = 7;
    type Magnitude = u32;

    #[inline(always)]
    fn magnitude(self) -> u32 {
        u32::from(self.to_bits() & 0x7FFF)
    }

    fn bound(magnitude: u32) -> f64 {
        f32::bound(magnitude << 16)
    }

    fn last_place(magnitude: u32) -> i32 {
        (magnitude >> 7).max(1) as i32 - 134
    }

    #[inline(always)]
    fn pieces(self) -> [f64; 2] {
        self.single().pieces()
    }

    #[inline(always)]
    fn single(self) -> f32 {
        f32::from_bits(u32::from(self.to_bits()) << 16)
    }

    #[inline(always)]
    fn is_negative(self) -> bool {
        self.to_bits() >> 15 == 1
    }
}

impl Element for f16 {
    const FACTOR_BITS: u32 = 29;
    const PIECES: usize = 1;
    const FRACTION: u32 = 10;
    type Magnitude = u32;

    #[inline(always)]
    fn magnitude(self) -> u32 {
        u32::from(self.to_bits() & 0x7FFF)
    }

    fn bound(magnitude: u32) -> f64 {
        if magnitude >= 0x7C00 { f64::INFINITY } else { f64::from(widen(magnitude)) }
    }

    fn last_place(magnitude: u32) -> i32 {
        (magnitude >> 10).max(1) as i32 - 25
    }

    #[inline(always)]
    fn pieces(self) -> [f64; 2] {
        self.single().pieces()
    }

    #[inline(always)]
    fn single(self) -> f32 {
        let bits = u32::from(self.to_bits());
        if bits & 0x7FFF >= 0x7C00 { f32::INFINITY } else { widen(bits) }
    }

    #[inline(always)]
    fn is_negative(self) -> bool {
        self.to_bits() >> 15 == 1
    }
}

/// The value of finite `f16` bits: as `f32` bits they mean 2^-112 times as much, subnormals too.
#[inline(always)]
fn widen(bits: u32) -> f32 {
    const SCALE: f32 = 5_192_296_858_534_827_628_530_496_329_220_096.0;
    f32::from_bits((bits & 0x8000) << 16 | (bits & 0x7FFF) << 13) * SCALE
}

impl Element for f64 {
    const FACTOR_BITS: u32 = 27;
    const PIECES: usize = 2;
    const FRACTION: u32 = 52;
    type Magnitude = u64;

    #[inline(always)]
    fn magnitude(self) -> u64 {
        self.to_bits() & 0x7FFF_FFFF_FFFF_FFFF
    }

    fn bound(magnitude: u64) -> f64 {
        let value = Self::from_bits(magnitude);
        if value.is_nan() { Self::INFINITY } else { value }
    }

    fn last_place(magnitude: u64) -> i32 {
        (magnitude >> 52).max(1) as i32 - 1075
    }

    /// The upper piece is the value rounded to 26 bits (halves away from zero), so the lower one
    /// has at most 26 as well.
    #[inline(always)]
    fn pieces(self) -> [f64; 2] {
        let upper = Self::from_bits((self.to_bits().wrapping_add(0x400_0000)) & !0x7FF_FFFF);
        [upper, self - upper]
    }

    #[inline(always)]
    fn single(self) -> f32 {
        self as f32
    }

    #[inline(always)]
    fn is_negative(self) -> bool {
        self.is_sign_negative()
    }
}
