//! Any bytes as the encoding of a value: refused, or the only encoding of what is read.
#![no_main]

use flare_core::Value;
use flare_core::value::to_value;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(value) = Value::decode(bytes) else { return };
    assert_eq!(value.encode(), bytes);
    assert_eq!(to_value(&value).as_ref(), Ok(&value));
    assert_eq!(value.parse::<Value>().as_ref(), Ok(&value));
});
