//! Any bytes as a safetensors file: refused, or read into a canonical set.
#![no_main]

use flare_core::tensor::{DType, Tensors};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: Vec<u8>| {
    let Ok(tensors) = Tensors::decode(bytes) else { return };
    let again = Tensors::decode(tensors.encoded().clone()).expect("canonical bytes are legal");
    assert_eq!(again, tensors);
    assert_eq!(again.encoded().as_ptr(), tensors.encoded().as_ptr());
    let like = Tensors::decode_like(tensors.encoded().clone(), tensors.layout());
    assert_eq!(like.as_ref(), Ok(&tensors));
    for tensor in tensors.iter() {
        let elements = tensor.shape.iter().product::<usize>();
        assert_eq!(tensor.elements(), elements);
        assert_eq!(tensor.bytes.len(), elements * tensor.dtype.size());
        if tensor.dtype == DType::F64 {
            assert_eq!(tensor.as_slice::<f64>().map(<[f64]>::len), Ok(elements));
        }
    }
    let _finite = tensors.first_non_finite();
});
