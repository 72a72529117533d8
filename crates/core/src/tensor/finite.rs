//! Finding NaNs and infinities, by the bits of the exponent.

use std::ops::BitAnd;

use half::f16;

use super::{DType, Error, TensorRef, Tensors};

/// The elements that are looked at before it is asked whether one was found: the loop over them has
/// no early end, so that it is done in vectors.
const CHUNK: usize = 4096;

impl Tensors {
    /// The first NaN or infinity in the order of the data: its tensor and its index therein,
    /// row-major.
    pub fn first_non_finite(&self) -> Option<(&str, usize)> {
        self.layout()
            .iter()
            .zip(self.iter())
            .find_map(|(info, tensor)| tensor.first_non_finite().map(|index| (&*info.name, index)))
    }

    /// Whether the tensor of that name contains neither NaN nor infinity.
    ///
    /// # Errors
    /// [`Error::Missing`].
    pub fn is_finite(&self, name: &str) -> Result<bool, Error> {
        Ok(self.require(name)?.first_non_finite().is_none())
    }
}

impl TensorRef<'_> {
    /// The index, row-major, of the first NaN or infinity.
    pub fn first_non_finite(&self) -> Option<usize> {
        match self.dtype {
            DType::F16 => first(words(self.bytes), f16::INFINITY.to_bits()),
            DType::Bf16 => first(words(self.bytes), half::bf16::INFINITY.to_bits()),
            DType::F32 => first(words(self.bytes), f32::INFINITY.to_bits()),
            DType::F64 => first(words(self.bytes), f64::INFINITY.to_bits()),
            _ => None,
        }
    }
}

fn words<T: bytemuck::AnyBitPattern>(bytes: &[u8]) -> &[T] {
    bytemuck::try_cast_slice(bytes).expect("the set's invariant: aligned, whole elements")
}

/// The first word in which all bits of `exponent` are set.
fn first<T: Copy + PartialEq + BitAnd<Output = T>>(words: &[T], exponent: T) -> Option<usize> {
    for (chunk, words) in words.chunks(CHUNK).enumerate() {
        let found = words.iter().fold(false, |found, &word| found | (word & exponent == exponent));
        if found {
            let index = words.iter().position(|&word| word & exponent == exponent);
            return index.map(|index| chunk * CHUNK + index);
        }
    }
    None
}
