//! Sets of tensors: their canonical bytes, what is shared and what is copied, what is refused.

use bytes::Bytes;
use flare_core::Hash;
use flare_core::tensor::{DType, Error, Layout, TensorData, Tensors};
use half::{bf16, f16};

/// A set with every type, of shapes that would misalign each other in another order.
pub(crate) fn every_type() -> Tensors {
    Tensors::from_slices([
        ("bool", [3].as_slice(), TensorData::Bool(&[true, false, true])),
        ("i8", &[3], TensorData::I8(&[-128, 0, 127])),
        ("u8", &[1, 3], TensorData::U8(&[0, 1, 255])),
        ("f16", &[3], TensorData::F16(&[f16::MIN, f16::from_bits(1), f16::NAN])),
        ("bf16", &[1], TensorData::Bf16(&[bf16::from_bits(0x7fc1)])),
        ("i16", &[1], TensorData::I16(&[i16::MIN])),
        ("u16", &[3, 1], TensorData::U16(&[0, 1, u16::MAX])),
        ("f32", &[], TensorData::F32(&[-0.0])),
        ("i32", &[1], TensorData::I32(&[i32::MIN])),
        ("u32", &[1], TensorData::U32(&[u32::MAX])),
        ("f64", &[2], TensorData::F64(&[5e-324, f64::NEG_INFINITY])),
        ("i64", &[1], TensorData::I64(&[i64::MIN])),
        ("u64", &[0, 2], TensorData::U64(&[])),
    ])
    .unwrap()
}

#[test]
fn the_canonical_bytes_are_these() {
    let tensors = Tensors::from_slices([
        ("z", [2].as_slice(), TensorData::Bool(&[true, false])),
        ("a\"\\", &[1, 2], TensorData::F32(&[1.0, -2.0])),
        ("b", &[], TensorData::I64(&[-1])),
    ])
    .unwrap();
    let header = concat!(
        r#"{"a\"\\":{"data_offsets":[8,16],"dtype":"F32","shape":[1,2]},"#,
        r#""b":{"data_offsets":[0,8],"dtype":"I64","shape":[]},"#,
        r#""z":{"data_offsets":[16,18],"dtype":"BOOL","shape":[2]}}"#,
    );
    let mut expected = vec![184, 0, 0, 0, 0, 0, 0, 0];
    expected.extend_from_slice(header.as_bytes());
    expected.resize(192, b' ');
    expected.extend_from_slice(&[0xff; 8]);
    expected.extend_from_slice(&[0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0, 1, 0]);
    assert_eq!(tensors.encoded(), &expected);
    assert_eq!(tensors.hash(), Hash::of(&expected));
}

#[test]
fn the_empty_set_is_64_bytes() {
    let mut expected = b"\x38\0\0\0\0\0\0\0{}".to_vec();
    expected.resize(64, b' ');
    assert_eq!(Tensors::empty().encoded(), &expected);
    assert_eq!(Tensors::decode(expected).unwrap(), Tensors::empty());
}

#[test]
fn canonical_bytes_at_an_aligned_address_are_not_copied() {
    let tensors = every_type();
    let again = Tensors::decode(tensors.encoded().clone()).unwrap();
    assert_eq!(again.encoded().as_ptr(), tensors.encoded().as_ptr());
    let like = Tensors::decode_like(tensors.encoded().clone(), tensors.layout()).unwrap();
    assert_eq!(like.encoded().as_ptr(), tensors.encoded().as_ptr());
    let view = tensors.get("f64").unwrap();
    assert_eq!(view.to_bytes().as_ptr(), view.as_slice::<f64>().unwrap().as_ptr().cast());
    assert_eq!(view.to_bytes().as_ptr(), tensors.encoded()[view.info().range()].as_ptr());
}

#[test]
fn canonical_bytes_at_any_other_address_are_copied_once_and_equal() {
    let tensors = every_type();
    for shift in 0..16 {
        let mut shifted = vec![0; shift];
        shifted.extend_from_slice(tensors.encoded());
        let bytes = Bytes::from(shifted).slice(shift..);
        let decoded = Tensors::decode(bytes.clone()).unwrap();
        assert_eq!(decoded.encoded(), tensors.encoded(), "shift {shift}");
        let aligned = bytes.as_ptr().addr().is_multiple_of(8);
        assert_eq!(decoded.encoded().as_ptr() == bytes.as_ptr(), aligned, "shift {shift}");
        let like = Tensors::decode_like(bytes, tensors.layout()).unwrap();
        assert_eq!(like, tensors, "shift {shift}");
        assert_eq!(like.slice::<f64>("f64").unwrap(), [5e-324, f64::NEG_INFINITY]);
    }
}

#[test]
fn every_type_is_read_as_itself_and_as_nothing_else() {
    let tensors = every_type();
    assert_eq!(tensors.slice::<bool>("bool").unwrap(), [true, false, true]);
    assert_eq!(tensors.slice::<i8>("i8").unwrap(), [-128, 0, 127]);
    assert_eq!(tensors.slice::<u8>("u8").unwrap(), [0, 1, 255]);
    let bits: Vec<_> = tensors.slice::<f16>("f16").unwrap().iter().map(|x| x.to_bits()).collect();
    assert_eq!(bits, [0xfbff, 1, 0x7e00]);
    assert_eq!(tensors.slice::<bf16>("bf16").unwrap()[0].to_bits(), 0x7fc1);
    assert_eq!(tensors.slice::<i16>("i16").unwrap(), [i16::MIN]);
    assert_eq!(tensors.slice::<u16>("u16").unwrap(), [0, 1, u16::MAX]);
    assert_eq!(tensors.slice::<f32>("f32").unwrap()[0].to_bits(), 0x8000_0000);
    assert_eq!(tensors.slice::<i32>("i32").unwrap(), [i32::MIN]);
    assert_eq!(tensors.slice::<u32>("u32").unwrap(), [u32::MAX]);
    assert_eq!(tensors.slice::<i64>("i64").unwrap(), [i64::MIN]);
    assert_eq!(tensors.slice::<u64>("u64").unwrap(), [0_u64; 0]);
    let error = tensors.slice::<u8>("bool").unwrap_err();
    assert_eq!(error.to_string(), r#"tensor "bool": wanted elements of type U8, they are BOOL"#);
    let error = tensors.slice::<u8>("w").unwrap_err();
    assert_eq!(error.to_string(), r#"there is no tensor "w" among 13"#);
}

#[test]
fn layouts_are_equal_whatever_the_order_and_unequal_else() {
    let a = Layout::new([("a", DType::F32, vec![2, 3]), ("b", DType::I8, vec![])]).unwrap();
    let b = Layout::new([("b", DType::I8, vec![]), ("a", DType::F32, vec![2, 3])]).unwrap();
    assert_eq!(a, b);
    for other in [
        Layout::new([("a", DType::F32, vec![3, 2]), ("b", DType::I8, vec![])]),
        Layout::new([("a", DType::I32, vec![2, 3]), ("b", DType::I8, vec![])]),
        Layout::new([("a", DType::F32, vec![2, 3]), ("c", DType::I8, vec![])]),
        Layout::new([("a", DType::F32, vec![2, 3])]),
    ] {
        assert_ne!(a, other.unwrap());
    }
}

#[test]
fn data_are_ordered_by_size_then_name_and_start_at_a_multiple_of_64() {
    let tensors = every_type();
    let names: Vec<_> = tensors.iter().map(|tensor| tensor.name).collect();
    let order = "f64 i64 u64 f32 i32 u32 bf16 f16 i16 u16 bool i8 u8";
    assert_eq!(names.join(" "), order);
    assert_eq!(tensors.layout().prefix().len() % 64, 0);
}

#[test]
fn a_builder_starts_at_zero_and_is_written_in_place() {
    let layout = every_type().layout().clone();
    let mut builder = Tensors::builder(&layout);
    builder.slice_mut::<f64>("f64").unwrap()[1] = 2.5;
    builder.slice_mut::<bool>("bool").unwrap()[2] = true;
    assert!(matches!(builder.slice_mut::<f32>("f64"), Err(Error::WrongType { .. })));
    assert!(matches!(builder.slice_mut::<f32>("w"), Err(Error::Missing { .. })));
    let tensors = builder.finish();
    assert_eq!(tensors.slice::<f64>("f64").unwrap(), [0.0, 2.5]);
    assert_eq!(tensors.slice::<bool>("bool").unwrap(), [false, false, true]);
    let zeros = Tensors::zeros(&layout);
    assert!(zeros.iter().all(|tensor| tensor.bytes.iter().all(|&byte| byte == 0)));
    assert_eq!(tensors.to_mut().finish(), tensors);
    assert_ne!(zeros, tensors);
}

#[test]
fn all_slices_of_a_builder_can_be_held_at_once() {
    let tensors = every_type();
    let mut builder = Tensors::builder(tensors.layout());
    let mut slices: Vec<_> = builder.slices_mut().collect();
    for ((info, target), source) in slices.iter_mut().zip(tensors.iter()) {
        assert_eq!(*info.name, *source.name);
        target.copy_from_slice(source.bytes);
    }
    assert_eq!(builder.finish(), tensors);
}

#[test]
fn any_byte_but_zero_that_is_written_to_a_bool_is_true() {
    let layout = Layout::new([("b", DType::Bool, [3])]).unwrap();
    let mut builder = Tensors::builder(&layout);
    builder.slices_mut().next().unwrap().1.copy_from_slice(&[2, 0, 255]);
    let error = builder.slice_mut::<bool>("b").unwrap_err();
    assert_eq!(error.to_string(), r#"tensor "b": element 0 is the byte 2, a bool must be 0 or 1"#);
    let tensors = builder.finish();
    assert_eq!(tensors.slice::<bool>("b").unwrap(), [true, false, true]);
    assert_eq!(Tensors::decode(tensors.encoded().clone()).unwrap(), tensors);
}
