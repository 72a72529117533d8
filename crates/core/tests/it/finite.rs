//! Finding the first number of a set that is none: in each floating type, at each place, by name.

use flare_core::tensor::{TensorData, Tensors};
use half::{bf16, f16};

/// Places at both ends of what is looked at together, and in a last part that is not full.
const PLACES: [usize; 6] = [0, 1, 4_095, 4_096, 8_191, 9_000];
const LENGTH: usize = 9_001;

fn first_of(data: TensorData<'_>) -> Option<(String, usize)> {
    let tensors = Tensors::from_slices([("x", [LENGTH].as_slice(), data)]).unwrap();
    let first = tensors.first_non_finite().map(|(name, index)| (name.to_owned(), index));
    assert_eq!(tensors.is_finite("x").unwrap(), first.is_none());
    first
}

#[test]
fn the_first_is_found_at_its_place_in_each_type() {
    for place in PLACES {
        let found = Some(("x".to_owned(), place));
        let mut data = vec![f32::MAX; LENGTH];
        data[place..].fill(f32::NEG_INFINITY);
        assert_eq!(first_of(TensorData::F32(&data)), found);
        let mut data = vec![-f64::MAX; LENGTH];
        data[place] = f64::NAN;
        assert_eq!(first_of(TensorData::F64(&data)), found);
        let mut data = vec![f16::MAX; LENGTH];
        data[place] = f16::INFINITY;
        assert_eq!(first_of(TensorData::F16(&data)), found);
        // A NaN with the least payload: of the mantissa only the last bit is set.
        let mut data = vec![bf16::MIN; LENGTH];
        data[place] = bf16::from_bits(0x7f81);
        assert_eq!(first_of(TensorData::Bf16(&data)), found);
    }
}

#[test]
fn the_largest_numbers_and_integers_of_any_bits_are_finite() {
    assert_eq!(first_of(TensorData::F32(&[f32::MAX; LENGTH])), None);
    assert_eq!(first_of(TensorData::F16(&[f16::MIN; LENGTH])), None);
    assert_eq!(first_of(TensorData::U32(&[f32::NAN.to_bits(); LENGTH])), None);
    assert_eq!(first_of(TensorData::I16(&[-1; LENGTH])), None);
}

#[test]
fn of_several_tensors_the_first_in_the_data_is_named() {
    let tensors = Tensors::from_slices([
        ("a", [2].as_slice(), TensorData::F32(&[1.0, f32::NAN])),
        ("b", &[1], TensorData::F64(&[f64::INFINITY])),
        ("c", &[1], TensorData::F32(&[0.0])),
    ])
    .unwrap();
    // Larger elements come first in the buffer.
    assert_eq!(tensors.first_non_finite(), Some(("b", 0)));
    assert!(!tensors.is_finite("a").unwrap() && tensors.is_finite("c").unwrap());
    assert!(tensors.is_finite("d").is_err());
}
