//! The oracle: the real number by rational arithmetic, rounded once by comparing fractions.

use flare_core::sums::Weight;
use half::{bf16, f16};
use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One, Signed, ToPrimitive, Zero};

/// A binary format: digits of the significand, and the exponents of the least and greatest normals.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Format {
    pub(crate) digits: i32,
    pub(crate) least: i32,
    pub(crate) greatest: i32,
}

/// A float type under test.
pub(crate) trait Float: Copy + std::fmt::Debug + Send + Sync + 'static {
    const FORMAT: Format;
    const DTYPE: flare_core::tensor::DType;
    /// The type's bits are the low ones.
    fn from_raw(bits: u64) -> Self;
    fn raw(self) -> u64;
    fn wide(self) -> f64;
    /// The value, which must be one of the type's.
    fn of(value: f64) -> Self;
    fn values(slice: &[Self]) -> flare_core::sums::Values<'_>;
    fn values_mut(slice: &mut [Self]) -> flare_core::sums::ValuesMut<'_>;
}

macro_rules! float {
    ($type:ty, $bits:ty, $dtype:ident, $digits:literal, $greatest:literal) => {
        impl Float for $type {
            const FORMAT: Format =
                Format { digits: $digits, least: 1 - $greatest, greatest: $greatest };
            const DTYPE: flare_core::tensor::DType = flare_core::tensor::DType::$dtype;
            fn from_raw(bits: u64) -> Self {
                Self::from_bits(bits as $bits)
            }
            fn raw(self) -> u64 {
                self.to_bits().into()
            }
            fn wide(self) -> f64 {
                self.into()
            }
            fn of(value: f64) -> Self {
                let found = bits_of(value, Self::FORMAT);
                Self::from_raw(found)
            }
            fn values(slice: &[Self]) -> flare_core::sums::Values<'_> {
                slice.into()
            }
            fn values_mut(slice: &mut [Self]) -> flare_core::sums::ValuesMut<'_> {
                slice.into()
            }
        }
    };
}

float!(f16, u16, F16, 11, 15);
float!(bf16, u16, Bf16, 8, 127);
float!(f32, u32, F32, 24, 127);
float!(f64, u64, F64, 53, 1023);

/// The bits of `value`, which is one of the format's values, infinite or NaN.
pub(crate) fn bits_of(value: f64, format: Format) -> u64 {
    let width = format.digits - 1;
    let exponents = (2 * format.greatest + 1) as u64;
    let sign =
        u64::from(value.is_sign_negative()) << (width + 64 - exponents.leading_zeros() as i32);
    if value.is_nan() {
        return exponents << width | 1 << (width - 1);
    }
    if value.is_infinite() {
        return sign | exponents << width;
    }
    let exact = rational(value.abs());
    if exact.is_zero() {
        return sign;
    }
    let exponent = exponent_of(&exact).max(format.least);
    let scaled = exact / power(exponent - width);
    assert!(scaled.is_integer(), "{value:e} is no value of {format:?}");
    let significand = scaled.to_integer().to_u64().unwrap();
    let field = (exponent - format.least) as u64;
    sign | ((field << width) + significand)
}

/// `(Σ w x) / (Σ w)` of the inputs with a weight, rounded once. The bits are canonical.
pub(crate) fn mean(inputs: &[(Weight, f64)], format: Format) -> f64 {
    let counted = counted(inputs);
    let total: BigRational = counted.iter().map(|(weight, _)| weight).sum();
    quotient(&counted, &total, format)
}

/// `Σ w x`, rounded once.
pub(crate) fn sum(inputs: &[(Weight, f64)], format: Format) -> f64 {
    quotient(&counted(inputs), &BigRational::one(), format)
}

/// `(Σ w x) / (Σ w) - base`, rounded once to `f64`.
pub(crate) fn mean_minus(inputs: &[(Weight, f64)], base: f64) -> f64 {
    let mut counted = counted(inputs);
    let total: BigRational = counted.iter().map(|(weight, _)| weight).sum();
    counted.push((total.clone(), -base));
    quotient(&counted, &total, f64::FORMAT)
}

fn counted(inputs: &[(Weight, f64)]) -> Vec<(BigRational, f64)> {
    let weight = |weight: &Weight| match weight {
        Weight::Count(count) => BigRational::from(BigInt::from(*count)),
        Weight::Real(real) => rational(real.get()),
    };
    let pairs = inputs.iter().map(|(w, x)| (weight(w), *x));
    pairs.filter(|(weight, _)| !weight.is_zero()).collect()
}

fn quotient(counted: &[(BigRational, f64)], total: &BigRational, format: Format) -> f64 {
    let any = |test: fn(f64) -> bool| counted.iter().any(|(_, x)| test(*x));
    let (up, down) = (any(|x| x == f64::INFINITY), any(|x| x == f64::NEG_INFINITY));
    if any(f64::is_nan) || up && down {
        return f64::from_bits(0x7FF8_0000_0000_0000);
    }
    if up || down {
        return if up { f64::INFINITY } else { f64::NEG_INFINITY };
    }
    let real: BigRational = counted.iter().map(|(w, x)| w * rational(*x)).sum();
    if real.is_zero() {
        let minus = counted.iter().all(|(_, x)| *x == 0.0 && x.is_sign_negative());
        return if minus { -0.0 } else { 0.0 };
    }
    round(&(real / total), format)
}

/// The nearest value of the format, the even one of two; beyond the greatest, infinity.
pub(crate) fn round(real: &BigRational, format: Format) -> f64 {
    let magnitude = real.abs();
    if magnitude.is_zero() {
        return 0.0;
    }
    let place = exponent_of(&magnitude).max(format.least) - (format.digits - 1);
    let scaled = magnitude / power(place);
    let mut whole = scaled.floor().to_integer();
    let rest = scaled - BigRational::from(whole.clone());
    let half = BigRational::new(1.into(), 2.into());
    let odd = (&whole % BigInt::from(2)) == BigInt::one();
    if rest > half || rest == half && odd {
        whole += 1;
    }
    let limit = BigRational::from(whole.clone()) * power(place);
    let value = if limit >= power(format.greatest + 1) {
        f64::INFINITY
    } else {
        // In two steps, so that nothing underflows on the way.
        whole.to_f64().unwrap() * two(place / 2) * two(place - place / 2)
    };
    if real.is_negative() { -value } else { value }
}

/// The exact value of a finite number.
pub(crate) fn rational(value: f64) -> BigRational {
    let bits = value.to_bits();
    let field = (bits >> 52 & 0x7FF) as i32;
    let fraction = bits & ((1 << 52) - 1);
    let significand = if field == 0 { fraction } else { fraction + (1 << 52) };
    let magnitude = BigRational::from(BigInt::from(significand)) * power(field.max(1) - 1075);
    if value.is_sign_negative() { -magnitude } else { magnitude }
}

/// Two to some power.
pub(crate) fn power(exponent: i32) -> BigRational {
    let power = BigRational::from(BigInt::one() << exponent.unsigned_abs());
    if exponent < 0 { power.recip() } else { power }
}

fn two(exponent: i32) -> f64 {
    f64::from_bits(((1023 + exponent) as u64) << 52)
}

/// The `e` for which `2^e <= magnitude < 2^(e + 1)`.
fn exponent_of(magnitude: &BigRational) -> i32 {
    let mut exponent = magnitude.numer().bits() as i32 - magnitude.denom().bits() as i32;
    while power(exponent) > *magnitude {
        exponent -= 1;
    }
    while power(exponent + 1) <= *magnitude {
        exponent += 1;
    }
    exponent
}

/// A number rounded to another format.
pub(crate) fn nearest(value: f64, format: Format) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    let rounded = round(&rational(value), format);
    if rounded == 0.0 { 0f64.copysign(value) } else { rounded }
}
