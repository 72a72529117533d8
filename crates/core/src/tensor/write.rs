//! Writing the canonical header.

use super::{DATA_ALIGNMENT, Error, MAX_HEADER, TensorInfo};

/// The header's length, the header and its padding, for tensors whose ranges begin at the data
/// section; `by_name` sorts them by name.
///
/// # Errors
/// The header is too long.
pub(super) fn prefix(infos: &[TensorInfo], by_name: &[usize]) -> Result<Vec<u8>, Error> {
    let mut out = vec![0; 8];
    out.push(b'{');
    for (count, &index) in by_name.iter().enumerate() {
        if count > 0 {
            out.push(b',');
        }
        entry(&mut out, &infos[index]);
    }
    out.push(b'}');
    out.resize(out.len().next_multiple_of(DATA_ALIGNMENT), b' ');
    let header = out.len() - 8;
    if header > MAX_HEADER {
        return Err(Error::TooLarge { tensors: infos.len(), header });
    }
    out[..8].copy_from_slice(&(header as u64).to_le_bytes());
    Ok(out)
}

fn entry(out: &mut Vec<u8>, info: &TensorInfo) {
    string(out, &info.name);
    out.extend_from_slice(b":{\"data_offsets\":");
    list(out, &[info.range.start, info.range.end]);
    out.extend_from_slice(b",\"dtype\":");
    string(out, info.dtype.name());
    out.extend_from_slice(b",\"shape\":");
    list(out, &info.shape);
    out.push(b'}');
}

/// Names contain no control characters: JSON asks for two escapes only.
fn string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    for byte in text.bytes() {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
}

fn list(out: &mut Vec<u8>, numbers: &[usize]) {
    out.push(b'[');
    for (count, number) in numbers.iter().enumerate() {
        if count > 0 {
            out.push(b',');
        }
        out.extend_from_slice(number.to_string().as_bytes());
    }
    out.push(b']');
}
