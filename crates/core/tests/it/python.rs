//! The Python package reads what is written here, and what it writes is read here.
//!
//! `FLARE_TEST_PYTHON` names an interpreter that has the packages of `tests/python/requirements.txt`;
//! without it the tests are skipped, unless `FLARE_TEST_REQUIRE_PYTHON` is set.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use flare_core::tensor::{TensorData, Tensors};
use half::f16;

use crate::tensors::every_type;

/// Prints what the package finds in the file on standard input; and that NumPy may map the file.
const READ: &str = r#"
import sys, struct, json, numpy, safetensors, safetensors.numpy
file = sys.stdin.buffer.read()
for name, tensor in sorted(safetensors.deserialize(file)):
    print(name, tensor["dtype"], list(tensor["shape"]), bytes(tensor["data"]).hex())
data = 8 + struct.unpack("<Q", file[:8])[0]
assert data % 64 == 0
types = dict(safetensors.numpy._TYPES, BF16=numpy.uint16)
mapped = numpy.empty(len(file) + 64, numpy.uint8)
shift = -mapped.ctypes.data % 64
mapped[shift : shift + len(file)] = numpy.frombuffer(file, numpy.uint8)
for name, entry in json.loads(file[8:data]).items():
    start, end = entry["data_offsets"]
    array = mapped[shift + data + start : shift + data + end].view(types[entry["dtype"]])
    assert array.flags.aligned, name
"#;

/// Writes a file with NumPy's arrays to standard output.
const WRITE: &str = r#"
import sys, numpy, safetensors.numpy
sys.stdout.buffer.write(safetensors.numpy.save({
    "bool": numpy.array([True, False, True]),
    "f16": numpy.array([1.5, -0.0], numpy.float16),
    "f32": numpy.array([[1, 2, 3], [4, 5, 6]], numpy.float32),
    "f64": numpy.array(0.1),
    "i8": numpy.array([-128], numpy.int8),
    "u64": numpy.array([2**64 - 1], numpy.uint64),
    "empty": numpy.zeros((2, 0), numpy.int32),
}, metadata={"format": "np"}))
"#;

#[test]
fn the_package_reads_what_is_written_here() {
    let tensors = every_type();
    let Some(found) = python(READ, tensors.encoded()) else { return };
    let mut lines: Vec<_> = tensors
        .iter()
        .map(|tensor| {
            let hex = tensor.bytes.iter().fold(String::new(), |mut hex, byte| {
                write!(hex, "{byte:02x}").unwrap();
                hex
            });
            format!("{} {} {:?} {hex}\n", tensor.name, tensor.dtype, tensor.shape)
        })
        .collect();
    lines.sort();
    assert_eq!(String::from_utf8(found).unwrap(), lines.concat());
}

#[test]
fn what_the_package_writes_is_read_here() {
    let Some(written) = python(WRITE, &[]) else { return };
    let expected = Tensors::from_slices([
        ("bool", [3].as_slice(), TensorData::Bool(&[true, false, true])),
        ("f16", &[2], TensorData::F16(&[f16::from_f32(1.5), f16::NEG_ZERO])),
        ("f32", &[2, 3], TensorData::F32(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])),
        ("f64", &[], TensorData::F64(&[0.1])),
        ("i8", &[1], TensorData::I8(&[-128])),
        ("u64", &[1], TensorData::U64(&[u64::MAX])),
        ("empty", &[2, 0], TensorData::I32(&[])),
    ]);
    assert_eq!(Tensors::decode(written).unwrap(), expected.unwrap());
}

/// The output of a script that gets `input`; nothing if there is no interpreter and none is required.
fn python(script: &str, input: &[u8]) -> Option<Vec<u8>> {
    let Some(interpreter) = std::env::var_os("FLARE_TEST_PYTHON") else {
        let required = std::env::var_os("FLARE_TEST_REQUIRE_PYTHON").is_some();
        assert!(!required, "FLARE_TEST_PYTHON must name an interpreter with safetensors and numpy");
        eprintln!("skipped: FLARE_TEST_PYTHON names no interpreter with safetensors and numpy");
        return None;
    };
    let mut child = Command::new(interpreter)
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "the script failed: {}", output.status);
    Some(output.stdout)
}
