//! The bytes of a partial sum: canonical, so that they depend on the real numbers only.
//!
//! All numbers are little-endian.
//!
//! | bytes | what |
//! |---|---|
//! | 4 | `FLXS` |
//! | 1 | version, 1 |
//! | 1 | element type: its position in [`DType::ALL`] |
//! | 1 | kind of weight: 0 none yet, 1 whole, 2 real |
//! | 8 | number of elements |
//! | 0, 16, or a *number* | total weight: nothing, a whole number, or a *number* |
//!
//! That is all if the total weight is 0. Else the elements follow: bools as bits, the lowest first;
//! all others in blocks of 512. A block is the number of planes (1), the number of exceptions (2),
//! the planes (each one `f64` for each element) and the exceptions (each a column (2) and a *number*).
//! Plane 1 holds each sum rounded to nearest even, plane 2 what is left, rounded, and so on until
//! nothing is left; planes of zeros at the end are left out. A sum whose planes would leave the range
//! of `f64` is an exception, and zero in the planes. A *number* is a sign (1), the exponent of its
//! lowest bit (4), the length of its significand (2) and the significand.

mod read;
mod write;

use self::read::{Reader, read_bools, read_floats, read_integers};
use self::write::{write_bools, write_floats, write_integers, write_number};
use super::error::{Error, Fault};
use super::weight::Total;
use super::{ExactSum, Sums, by_type};
use crate::tensor::DType;

const MAGIC: &[u8; 5] = b"FLXS\x01";

/// Columns in a block of the encoding: frozen, and here the same as in memory.
const COLUMNS: usize = 512;
const _: () = assert!(COLUMNS == flare_kernels::exact::BLOCK, "blocks are written as they lie");

/// `f64`s that no sum needs more of: 2,300 bits by at least 53 and a gap.
const MAX_PLANES: usize = 48;

/// No sum has a bit below 2^-2,200 or above 2^2,300: products of two `f64`, 2^120 of them.
const EXPONENTS: std::ops::Range<i64> = -2200..2300;

pub(super) fn encode(sum: &ExactSum) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    let dtype = DType::ALL.iter().position(|dtype| *dtype == sum.dtype());
    out.push(dtype.map_or(u8::MAX, |position| position as u8));
    out.push(match sum.total {
        Total::None => 0,
        Total::Count(_) => 1,
        Total::Real(_) => 2,
    });
    out.extend((sum.len() as u64).to_le_bytes());
    match &sum.total {
        Total::None => {}
        Total::Count(count) => out.extend(count.to_le_bytes()),
        Total::Real(total) => write_number(&total.number(0), &mut out),
    }
    if !sum.total.is_zero() {
        by_type!(
            &sum.sums,
            float(sum) => write_floats(sum, &mut out),
            integer(sum) => write_integers(sum, &mut out),
            bool(sum) => write_bools(sum.elements(), &mut out),
        );
    }
    out
}

pub(super) fn decode(bytes: &[u8], dtype: DType, len: usize) -> Result<ExactSum, Error> {
    let mut reader = Reader { bytes, at: 0 };
    let mut sum = ExactSum::new(dtype, len);
    sum.total = reader.header(dtype, len)?;
    let whole = matches!(sum.total, Total::Count(_));
    if !sum.total.is_zero() {
        by_type!(
            &mut sum.sums,
            float(sum) => read_floats(&mut reader, sum)?,
            integer(sum) => read_integers(&mut reader, sum, whole)?,
            bool(sum) => read_bools(&mut reader, sum)?,
        );
    }
    if reader.at < bytes.len() {
        return Err(reader.fault(Fault::Trailing));
    }
    // The simplest proof that every field is as it would be written.
    let again = encode(&sum);
    match again.iter().zip(bytes).position(|(a, b)| a != b) {
        None if again.len() == bytes.len() => Ok(sum),
        at => Err(Error::Malformed { at: at.unwrap_or(bytes.len()), fault: Fault::NotCanonical }),
    }
}
