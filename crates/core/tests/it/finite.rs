//! Finding the first NaN or infinity, against asking each element.

use flare_core::tensor::{DType, Layout, TensorData, Tensors};
use half::{bf16, f16};

use crate::seeds;

const FLOATS: [DType; 4] = [DType::F16, DType::Bf16, DType::F32, DType::F64];

#[test]
fn the_first_is_found_wherever_it_stands() {
    seeds::each(200, |random| {
        let dtype = random.pick(&FLOATS);
        let length = random.pick(&[1, 7, 4095, 4096, 4097, 9000]);
        let mut builder = Tensors::builder(&Layout::new([("x", dtype, [length])]).unwrap());
        let (_, bytes) = builder.slices_mut().next().unwrap();
        // Any finite bits: an exponent is never full when its highest bit is 0.
        bytes.iter_mut().for_each(|byte| *byte = random.bits() as u8);
        bytes.chunks_exact_mut(dtype.size()).for_each(|element| element[dtype.size() - 1] &= 0xbf);
        for _ in 0..random.below(3) {
            let element = random.below(length) * dtype.size();
            let special = random.pick(&specials(dtype));
            bytes[element..][..dtype.size()].copy_from_slice(&special[8 - dtype.size()..]);
        }
        let tensors = builder.finish();
        let expected = finite(&tensors).iter().position(|finite| !finite);
        assert_eq!(tensors.first_non_finite(), expected.map(|index| ("x", index)));
        assert_eq!(tensors.is_finite("x").unwrap(), expected.is_none());
    });
}

#[test]
fn the_largest_finite_numbers_are_finite_and_other_types_always() {
    let tensors = Tensors::from_slices([
        ("a", [2].as_slice(), TensorData::F16(&[f16::MAX, f16::MIN])),
        ("b", &[2], TensorData::Bf16(&[bf16::MAX, bf16::MIN])),
        ("c", &[2], TensorData::F32(&[f32::MAX, -f32::MIN_POSITIVE])),
        ("d", &[2], TensorData::F64(&[f64::MIN, 5e-324])),
        ("e", &[2], TensorData::I64(&[-1, i64::MAX])),
        ("f", &[2], TensorData::U16(&[u16::MAX, 0x7c00])),
    ]);
    assert_eq!(tensors.unwrap().first_non_finite(), None);
    assert_eq!(Tensors::empty().first_non_finite(), None);
    assert!(Tensors::empty().is_finite("x").is_err());
}

#[test]
fn the_order_is_that_of_the_data() {
    let tensors = Tensors::from_slices([
        ("a", [1].as_slice(), TensorData::F32(&[f32::NAN])),
        ("b", &[3], TensorData::F64(&[0.0, 1.0, f64::NEG_INFINITY])),
    ]);
    assert_eq!(tensors.unwrap().first_non_finite(), Some(("b", 2)));
}

/// Infinities, a quiet and a signalling NaN, in the last bytes of eight.
fn specials(dtype: DType) -> [[u8; 8]; 4] {
    let bits: [u64; 4] = match dtype {
        DType::F16 => [0x7c00, 0xfc00, 0x7e00, 0xfc01],
        DType::Bf16 => [0x7f80, 0xff80, 0x7fc0, 0xff81],
        DType::F32 => [0x7f80_0000, 0xff80_0000, 0x7fc0_0000, 0xff80_0001],
        _ => [0x7ff << 52, 0xfff << 52, 0x7ff8 << 48, (0xfff << 52) | 1],
    };
    bits.map(|bits| (bits << (64 - 8 * dtype.size())).to_le_bytes())
}

fn finite(tensors: &Tensors) -> Vec<bool> {
    let tensor = tensors.get("x").unwrap();
    match tensor.dtype {
        DType::F16 => tensor.as_slice::<f16>().unwrap().iter().map(|x| x.is_finite()).collect(),
        DType::Bf16 => tensor.as_slice::<bf16>().unwrap().iter().map(|x| x.is_finite()).collect(),
        DType::F32 => tensor.as_slice::<f32>().unwrap().iter().map(|x| x.is_finite()).collect(),
        _ => tensor.as_slice::<f64>().unwrap().iter().map(|x| x.is_finite()).collect(),
    }
}
