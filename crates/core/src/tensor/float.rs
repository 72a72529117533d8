//! Floating-point elements as f64: widened exactly, rounded once.

use half::{bf16, f16};

use super::{DType, Element, Error, TensorsMut};

/// An element type of floating-point numbers. Every one of them is an f64 as well.
pub trait Float: Element {
    /// The same number; a NaN stays one.
    fn widen(self) -> f64;
    /// The nearest number of this type, the even one of two that are as near; beyond the largest it is
    /// infinite.
    fn narrow(value: f64) -> Self;
}

impl TensorsMut {
    /// Replaces each element of a floating-point tensor by what `make` says of its index, row-major, and its
    /// value: computed in f64, rounded once.
    ///
    /// # Errors
    /// [`Error::Missing`]; [`Error::WrongType`] if its elements are no floating-point numbers.
    pub fn map_floats(
        &mut self,
        name: &str,
        make: impl FnMut(usize, f64) -> f64,
    ) -> Result<(), Error> {
        match self.layout().require(name)?.dtype {
            DType::F16 => map(self.slice_mut::<f16>(name)?, make),
            DType::Bf16 => map(self.slice_mut::<bf16>(name)?, make),
            DType::F32 => map(self.slice_mut::<f32>(name)?, make),
            _ => map(self.slice_mut::<f64>(name)?, make),
        }
        Ok(())
    }
}

fn map<T: Float>(elements: &mut [T], mut make: impl FnMut(usize, f64) -> f64) {
    for (at, element) in elements.iter_mut().enumerate() {
        *element = T::narrow(make(at, element.widen()));
    }
}

/// `value` as an f32, rounded to odd: of two neighbours the one whose last bit is set. Rounding that to half
/// precision then gives what rounding `value` itself would, since f32 has more than two bits to spare
/// (Boldo and Melquiond, "Emulation of FMA and correctly rounded sums", 2008). The conversions that CPUs
/// and libraries have round twice or drop bits.
fn rounded_to_odd(value: f64) -> f32 {
    let nearest = value as f32;
    let back = f64::from(nearest);
    if back == value || !nearest.is_finite() || nearest.to_bits() & 1 == 1 {
        return nearest;
    }
    match (back < value) == (value > 0.0) {
        true => f32::from_bits(nearest.to_bits() + 1),
        false => f32::from_bits(nearest.to_bits() - 1),
    }
}

impl Float for f64 {
    fn widen(self) -> f64 {
        self
    }

    fn narrow(value: f64) -> Self {
        value
    }
}

impl Float for f32 {
    fn widen(self) -> f64 {
        f64::from(self)
    }

    fn narrow(value: f64) -> Self {
        value as f32
    }
}

impl Float for f16 {
    fn widen(self) -> f64 {
        self.to_f64_const()
    }

    fn narrow(value: f64) -> Self {
        Self::from_f32_const(rounded_to_odd(value))
    }
}

impl Float for bf16 {
    fn widen(self) -> f64 {
        self.to_f64_const()
    }

    fn narrow(value: f64) -> Self {
        Self::from_f32_const(rounded_to_odd(value))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Layout, Tensors};
    use super::*;

    #[test]
    fn every_half_and_the_middles_between_them_round_to_the_nearest() {
        for bits in 0..0x7BFFu16 {
            let [low, high] = [bits, bits + 1].map(|bits| f16::from_bits(bits).widen());
            let (middle, even) = ((low + high) / 2.0, bits + (bits & 1));
            let tiny = middle * 2f64.powi(-45);
            for (value, expected) in
                [(low, bits), (middle, even), (middle - tiny, bits), (middle + tiny, bits + 1)]
            {
                assert_eq!(f16::narrow(value).to_bits(), expected, "{value:e}");
                assert_eq!(f16::narrow(-value).to_bits(), expected | 0x8000, "{value:e}");
            }
        }
    }

    #[test]
    fn every_bf16_and_the_middles_between_them_round_to_the_nearest() {
        for bits in 0..0x7F7Fu16 {
            let [low, high] = [bits, bits + 1].map(|bits| bf16::from_bits(bits).widen());
            let (middle, even) = ((low + high) / 2.0, bits + (bits & 1));
            let tiny = middle * 2f64.powi(-45);
            for (value, expected) in
                [(low, bits), (middle, even), (middle - tiny, bits), (middle + tiny, bits + 1)]
            {
                assert_eq!(bf16::narrow(value).to_bits(), expected, "{value:e}");
            }
        }
    }

    #[test]
    fn beyond_the_range_is_infinite_or_zero_and_nan_stays() {
        assert_eq!(f16::narrow(65519.999), f16::MAX);
        assert_eq!(f16::narrow(65520.0), f16::INFINITY);
        assert_eq!(f16::narrow(-1e300), f16::NEG_INFINITY);
        assert_eq!(f16::narrow(1e-300).to_bits(), 0);
        assert_eq!(bf16::narrow(-1e-300).to_bits(), 0x8000);
        assert!(f16::narrow(f64::NAN).is_nan() && bf16::narrow(f64::NAN).is_nan());
    }

    #[test]
    fn floats_are_mapped_by_index_and_value_and_integers_refused() {
        let layout = Layout::new([("h", DType::F16, vec![3]), ("n", DType::I32, vec![1])]).unwrap();
        let mut tensors = Tensors::builder(&layout);
        tensors.map_floats("h", |at, value| value + at as f64).unwrap();
        tensors.map_floats("h", |_, value| value * 0.5).unwrap();
        assert!(matches!(tensors.map_floats("n", |_, x| x), Err(Error::WrongType { .. })));
        assert!(matches!(tensors.map_floats("m", |_, x| x), Err(Error::Missing { .. })));
        let halves = [0.0, 0.5, 1.0].map(f16::from_f32_const);
        assert_eq!(tensors.finish().slice::<f16>("h").unwrap(), halves);
    }
}
