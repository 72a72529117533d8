//! Exact sums: a weighted mean is a real number, rounded once.
//!
//! [`ExactSum`] holds `Σ w_i x_i` and `Σ w_i` of one tensor, both exact, so neither the order nor
//! the grouping of its inputs can be seen in a result: parts that were summed elsewhere are merged,
//! and travel as canonical bytes. [`mean_of`] is the short way where all inputs are at hand.
//!
//! Rules 23 to 26 of the contracts hold: special values, no overflow or underflow on the way,
//! weights of one kind.

mod bools;
mod codec;
mod error;
mod fixed;
mod float;
mod integer;
mod number;
mod round;
mod scalar;
mod values;
mod weight;

use half::{bf16, f16};

use self::bools::BoolSum;
pub use self::error::{Error, Fault};
use self::float::{Float, FloatSum, Input};
use self::integer::IntegerSum;
pub use self::scalar::ScalarSum;
pub use self::values::{Values, ValuesMut};
use self::weight::Total;
pub use self::weight::{Real, Weight};
use crate::pool::Pool;
use crate::tensor::DType;

/// `Σ w_i x_i` for each element of a tensor, and `Σ w_i`, both exact.
///
/// ```
/// use flare_core::pool::Serial;
/// use flare_core::sums::{ExactSum, Weight};
/// use flare_core::tensor::DType;
///
/// let mut sum = ExactSum::new(DType::F64, 1);
/// for x in [1e16, 1.0, -1e16] {
///     sum.fold(&[(Weight::Count(1), [x].as_slice().into())], &Serial)?;
/// }
/// let mut mean = [0.0];
/// sum.mean_into(mean.as_mut_slice().into(), &Serial)?;
/// assert_eq!(mean, [1.0 / 3.0]);
/// # Ok::<(), flare_core::sums::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct ExactSum {
    total: Total,
    sums: Sums,
}

/// The sums by element type.
#[derive(Debug, Clone)]
enum Sums {
    F16(FloatSum<f16>),
    Bf16(FloatSum<bf16>),
    F32(FloatSum<f32>),
    F64(FloatSum<f64>),
    I8(IntegerSum<i8>),
    I16(IntegerSum<i16>),
    I32(IntegerSum<i32>),
    I64(IntegerSum<i64>),
    U8(IntegerSum<u8>),
    U16(IntegerSum<u16>),
    U32(IntegerSum<u32>),
    U64(IntegerSum<u64>),
    Bool(BoolSum),
}

/// Picks the arm of an element type: floats, integers and bools are each treated alike.
macro_rules! by_type {
    ($sums:expr, float($f:ident) => $float:expr, integer($i:ident) => $integer:expr, bool($b:ident) => $bool:expr $(,)?) => {
        match $sums {
            Sums::F16($f) => $float,
            Sums::Bf16($f) => $float,
            Sums::F32($f) => $float,
            Sums::F64($f) => $float,
            Sums::I8($i) => $integer,
            Sums::I16($i) => $integer,
            Sums::I32($i) => $integer,
            Sums::I64($i) => $integer,
            Sums::U8($i) => $integer,
            Sums::U16($i) => $integer,
            Sums::U32($i) => $integer,
            Sums::U64($i) => $integer,
            Sums::Bool($b) => $bool,
        }
    };
}
use by_type;

impl ExactSum {
    /// The empty sum of `len` elements. It takes memory with the first input that counts: 16 bytes
    /// an element (`f64`: 24, bool: 1), and more for blocks of elements whose exponents lie far apart.
    pub fn new(dtype: DType, len: usize) -> Self {
        let sums = match dtype {
            DType::F16 => Sums::F16(FloatSum::new(len)),
            DType::Bf16 => Sums::Bf16(FloatSum::new(len)),
            DType::F32 => Sums::F32(FloatSum::new(len)),
            DType::F64 => Sums::F64(FloatSum::new(len)),
            DType::I8 => Sums::I8(IntegerSum::new(len)),
            DType::I16 => Sums::I16(IntegerSum::new(len)),
            DType::I32 => Sums::I32(IntegerSum::new(len)),
            DType::I64 => Sums::I64(IntegerSum::new(len)),
            DType::U8 => Sums::U8(IntegerSum::new(len)),
            DType::U16 => Sums::U16(IntegerSum::new(len)),
            DType::U32 => Sums::U32(IntegerSum::new(len)),
            DType::U64 => Sums::U64(IntegerSum::new(len)),
            DType::Bool => Sums::Bool(BoolSum::new(len)),
        };
        Self { total: Total::None, sums }
    }

    /// The element type.
    pub fn dtype(&self) -> DType {
        match &self.sums {
            Sums::F16(_) => DType::F16,
            Sums::Bf16(_) => DType::Bf16,
            Sums::F32(_) => DType::F32,
            Sums::F64(_) => DType::F64,
            Sums::I8(_) => DType::I8,
            Sums::I16(_) => DType::I16,
            Sums::I32(_) => DType::I32,
            Sums::I64(_) => DType::I64,
            Sums::U8(_) => DType::U8,
            Sums::U16(_) => DType::U16,
            Sums::U32(_) => DType::U32,
            Sums::U64(_) => DType::U64,
            Sums::Bool(_) => DType::Bool,
        }
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        by_type!(&self.sums, float(sum) => sum.len(), integer(sum) => sum.len(), bool(sum) => sum.len())
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether nothing counts yet, so that there is no mean.
    pub fn has_no_weight(&self) -> bool {
        self.total.is_zero()
    }

    /// Adds inputs, any number at once: the more, the fewer passes over memory. Inputs of weight 0
    /// are checked and contribute nothing.
    ///
    /// # Errors
    /// If an input has another type or length, kinds of weight mix, or bools differ. Nothing was
    /// added then.
    pub fn fold(&mut self, inputs: &[(Weight, Values<'_>)], pool: &dyn Pool) -> Result<(), Error> {
        let mut total = self.total.clone();
        for (weight, _) in inputs {
            total.add(*weight)?;
        }
        by_type!(
            &mut self.sums,
            float(sum) => sum.fold(factors(&typed(inputs, sum.len())?), pool),
            integer(sum) => {
                for (weight, values) in typed(inputs, sum.len())? {
                    sum.add(weight, values);
                }
            },
            bool(sum) => sum.add(&typed(inputs, sum.len())?)?,
        );
        self.total = total;
        Ok(())
    }

    /// Adds what was summed elsewhere.
    ///
    /// # Errors
    /// If `other` has another type or length, kinds of weight mix, or bools differ. Nothing was
    /// added then.
    pub fn merge(&mut self, other: &Self, pool: &dyn Pool) -> Result<(), Error> {
        let mut total = self.total.clone();
        total.merge(&other.total)?;
        check(0, (self.dtype(), self.len()), (other.dtype(), other.len()))?;
        match (&mut self.sums, &other.sums) {
            (Sums::F16(sum), Sums::F16(other)) => sum.merge(other, pool),
            (Sums::Bf16(sum), Sums::Bf16(other)) => sum.merge(other, pool),
            (Sums::F32(sum), Sums::F32(other)) => sum.merge(other, pool),
            (Sums::F64(sum), Sums::F64(other)) => sum.merge(other, pool),
            (Sums::I8(sum), Sums::I8(other)) => sum.merge(other),
            (Sums::I16(sum), Sums::I16(other)) => sum.merge(other),
            (Sums::I32(sum), Sums::I32(other)) => sum.merge(other),
            (Sums::I64(sum), Sums::I64(other)) => sum.merge(other),
            (Sums::U8(sum), Sums::U8(other)) => sum.merge(other),
            (Sums::U16(sum), Sums::U16(other)) => sum.merge(other),
            (Sums::U32(sum), Sums::U32(other)) => sum.merge(other),
            (Sums::U64(sum), Sums::U64(other)) => sum.merge(other),
            (Sums::Bool(sum), Sums::Bool(other)) => sum.merge(other)?,
            _ => {}
        }
        self.total = total;
        Ok(())
    }

    /// `(Σ w_i x_i) / (Σ w_i)` for each element, rounded once to the element type: to nearest, ties
    /// to even.
    ///
    /// # Errors
    /// [`Error::NoWeight`] if nothing counts; if `out` has another type or length.
    pub fn mean_into(&self, out: ValuesMut<'_>, pool: &dyn Pool) -> Result<(), Error> {
        check(0, (self.dtype(), self.len()), (out.dtype(), out.len()))?;
        self.counts()?;
        by_type!(
            &self.sums,
            float(sum) => sum.mean(&self.total, typed_mut(out)?, pool),
            integer(sum) => sum.mean(&self.total, typed_mut(out)?),
            bool(sum) => { sum.value(typed_mut(out)?); Ok(()) },
        )
    }

    /// `Σ w_i x_i` for each element, rounded once to the element type. Bools must be equal, and
    /// give themselves.
    ///
    /// # Errors
    /// [`Error::NoWeight`] if nothing counts, [`Error::SumTooLarge`] if an integer does not fit;
    /// if `out` has another type or length.
    pub fn sum_into(&self, out: ValuesMut<'_>, pool: &dyn Pool) -> Result<(), Error> {
        check(0, (self.dtype(), self.len()), (out.dtype(), out.len()))?;
        self.counts()?;
        by_type!(
            &self.sums,
            float(sum) => { sum.sum(typed_mut(out)?, pool); Ok(()) },
            integer(sum) => sum.sum(typed_mut(out)?),
            bool(sum) => { sum.value(typed_mut(out)?); Ok(()) },
        )
    }

    /// The mean of each element, rounded once to `f64`. Bools give 0 and 1.
    ///
    /// # Errors
    /// [`Error::NoWeight`] if nothing counts; if `out` has another length.
    pub fn mean_into_f64(&self, out: &mut [f64], pool: &dyn Pool) -> Result<(), Error> {
        check(0, (self.dtype(), self.len()), (self.dtype(), out.len()))?;
        self.counts()?;
        by_type!(
            &self.sums,
            float(sum) => sum.mean_f64(&self.total, out, pool),
            integer(sum) => sum.mean_f64(&self.total, out),
            bool(sum) => { sum.value_f64(out); Ok(()) },
        )
    }

    /// The mean of each element less that of `base`, an exact difference rounded once to `f64`: the
    /// weighted mean of the inputs' differences from `base`.
    ///
    /// # Errors
    /// [`Error::NoWeight`] if nothing counts; if `base` has another type or length, or `out` another
    /// length.
    pub fn mean_minus_into_f64(
        &self,
        base: Values<'_>,
        out: &mut [f64],
        pool: &dyn Pool,
    ) -> Result<(), Error> {
        check(0, (self.dtype(), self.len()), (base.dtype(), base.len()))?;
        check(0, (self.dtype(), self.len()), (self.dtype(), out.len()))?;
        self.counts()?;
        by_type!(
            &self.sums,
            float(sum) => sum.mean_minus(&self.total, typed_ref(base)?, out, pool),
            integer(sum) => sum.mean_minus(&self.total, typed_ref(base)?, out),
            bool(sum) => { sum.value_minus(typed_ref(base)?, out); Ok(()) },
        )
    }

    /// The bytes of this sum, to be merged elsewhere. They are a function of the real numbers in it
    /// (and of type, length and kind of weight), not of how they came about.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// Reads the bytes of a sum of `len` elements of `dtype`. Memory is only taken for what was
    /// asked for, whatever the bytes claim.
    ///
    /// # Errors
    /// [`Error::Malformed`] if they are anything but what [`encode`](Self::encode) writes for such
    /// a sum.
    pub fn decode(bytes: &[u8], dtype: DType, len: usize) -> Result<Self, Error> {
        codec::decode(bytes, dtype, len)
    }

    fn counts(&self) -> Result<(), Error> {
        if self.has_no_weight() { Err(Error::NoWeight) } else { Ok(()) }
    }
}

/// The weighted mean of inputs that are all at hand, as by [`ExactSum`], without memory for sums.
///
/// # Errors
/// As [`ExactSum::fold`] and [`ExactSum::mean_into`].
pub fn mean_of(
    inputs: &[(Weight, Values<'_>)],
    out: ValuesMut<'_>,
    pool: &dyn Pool,
) -> Result<(), Error> {
    match out {
        ValuesMut::F16(out) => mean_of_floats(inputs, out, pool),
        ValuesMut::Bf16(out) => mean_of_floats(inputs, out, pool),
        ValuesMut::F32(out) => mean_of_floats(inputs, out, pool),
        ValuesMut::F64(out) => mean_of_floats(inputs, out, pool),
        out => {
            let mut sum = ExactSum::new(out.dtype(), out.len());
            sum.fold(inputs, pool)?;
            sum.mean_into(out, pool)
        }
    }
}

fn mean_of_floats<'a, E: Float + crate::tensor::Element>(
    inputs: &[(Weight, Values<'a>)],
    out: &mut [E],
    pool: &dyn Pool,
) -> Result<(), Error>
where
    &'a [E]: TryFrom<Values<'a>, Error = DType>,
{
    let mut total = Total::None;
    for (weight, _) in inputs {
        total.add(*weight)?;
    }
    let inputs = typed(inputs, out.len())?;
    float::mean_of(factors(&inputs), &total, out, pool)
}

/// The inputs as slices of one type and length.
fn typed<'a, T: crate::tensor::Element>(
    inputs: &[(Weight, Values<'a>)],
    len: usize,
) -> Result<Vec<(Weight, &'a [T])>, Error>
where
    &'a [T]: TryFrom<Values<'a>, Error = DType>,
{
    let mut typed = Vec::with_capacity(inputs.len());
    for (index, (weight, values)) in inputs.iter().enumerate() {
        check(index, (T::DTYPE, len), (values.dtype(), values.len()))?;
        if !weight.is_zero() {
            typed.push((*weight, typed_ref(*values)?));
        }
    }
    Ok(typed)
}

fn typed_ref<'a, T: crate::tensor::Element>(values: Values<'a>) -> Result<&'a [T], Error>
where
    &'a [T]: TryFrom<Values<'a>, Error = DType>,
{
    values.try_into().map_err(|found| Error::DType { input: 0, expected: T::DTYPE, found })
}

fn typed_mut<'a, T: crate::tensor::Element>(values: ValuesMut<'a>) -> Result<&'a mut [T], Error>
where
    &'a mut [T]: TryFrom<ValuesMut<'a>, Error = DType>,
{
    values.try_into().map_err(|found| Error::DType { input: 0, expected: T::DTYPE, found })
}

fn factors<'a, E: Float>(inputs: &[(Weight, &'a [E])]) -> Vec<Input<'a, E>> {
    let input = |&(weight, values): &(Weight, &'a [E])| Input { factor: weight.factor(), values };
    inputs.iter().map(input).collect()
}

fn check(input: usize, expected: (DType, usize), found: (DType, usize)) -> Result<(), Error> {
    if expected.0 != found.0 {
        return Err(Error::DType { input, expected: expected.0, found: found.0 });
    }
    if expected.1 != found.1 {
        return Err(Error::Length { input, expected: expected.1, found: found.1 });
    }
    Ok(())
}
