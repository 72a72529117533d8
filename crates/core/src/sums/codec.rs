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

use super::bools::BoolSum;
use super::error::{Error, Fault};
use super::fixed::{Fixed, Special, mark};
use super::float::{Float, FloatSum};
use super::integer::{Integer, IntegerSum};
use super::number::{Factor, Number, decompose, shift_left};
use super::weight::Total;
use super::{ExactSum, Sums, by_type};
use crate::tensor::DType;

const MAGIC: &[u8; 5] = b"FLXS\x01";

/// Columns in a block of the encoding. (It may differ from the kernels' block.)
const COLUMNS: usize = 512;

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

/// A block about to be written.
struct Block {
    planes: Vec<Vec<f64>>,
    exceptions: Vec<(u16, Number)>,
    len: usize,
}

impl Block {
    fn new(len: usize) -> Self {
        Self { planes: Vec::new(), exceptions: Vec::new(), len }
    }

    fn set(&mut self, plane: usize, column: usize, value: f64) {
        while self.planes.len() <= plane {
            self.planes.push(vec![0.0; self.len]);
        }
        self.planes[plane][column] = value;
    }

    /// Takes column `from` of sums in fixed point as column `column`.
    fn take(&mut self, column: usize, fixed: &mut Fixed, from: usize) {
        let whole = fixed.number(from);
        match fixed.special(from, &whole) {
            Some(Special::Zero { negative: false }) => return,
            Some(special) => return self.set(0, column, special.value()),
            None => {}
        }
        let mut parts = Vec::new();
        while !fixed.number(from).is_zero() {
            let part = fixed.take_rounded(from);
            if part == 0.0 || part.is_infinite() {
                return self.exceptions.push((column as u16, whole));
            }
            parts.push(part);
        }
        for (plane, part) in parts.into_iter().enumerate() {
            self.set(plane, column, part);
        }
    }

    fn write(mut self, out: &mut Vec<u8>) {
        let empty = |plane: &Vec<f64>| plane.iter().all(|value| value.to_bits() == 0);
        while self.planes.last().is_some_and(empty) {
            self.planes.pop();
        }
        out.push(self.planes.len() as u8);
        out.extend((self.exceptions.len() as u16).to_le_bytes());
        for plane in &self.planes {
            out.extend(plane.iter().flat_map(|value| value.to_le_bytes()));
        }
        for (column, number) in &self.exceptions {
            out.extend(column.to_le_bytes());
            write_number(number, out);
        }
    }
}

fn write_floats<E: Float>(sum: &FloatSum<E>, out: &mut Vec<u8>) {
    for index in 0..sum.len().div_ceil(COLUMNS) {
        let source = sum.block(index);
        let mut block = Block::new(source.columns.len());
        if let Some(fixed) = source.fixed() {
            let mut fixed = fixed.clone();
            for column in 0..block.len {
                block.take(column, &mut fixed, column);
            }
        } else {
            let components: Vec<&[f64]> = source.components().collect();
            write_components(&components, &mut block);
        }
        block.write(out);
    }
}

/// A sum that is its first component when rounded, with its rest in the second, is as it should be. Others
/// are made so: those of more components, and those in which a large part cancelled.
fn write_components(components: &[&[f64]], block: &mut Block) {
    let [first, second, more @ ..] = components else { return };
    block.planes = vec![first.to_vec(), second.to_vec()];
    for column in 0..block.len {
        let (head, tail) = (first[column], second[column]);
        let is_rounded = head + tail == head && (head != 0.0 || tail == 0.0);
        if is_rounded && more.iter().all(|component| component[column] == 0.0) {
            continue;
        }
        let mut fixed = Fixed::new(1);
        for component in components {
            fixed.add(0, decompose(component[column]));
        }
        fixed.mark(0, mark::NOT_MINUS_ZERO);
        (block.planes[0][column], block.planes[1][column]) = (0.0, 0.0);
        block.take(column, &mut fixed, 0);
    }
}

fn write_integers<I: Integer>(sum: &IntegerSum<I>, out: &mut Vec<u8>) {
    for start in (0..sum.len()).step_by(COLUMNS) {
        let mut block = Block::new(COLUMNS.min(sum.len() - start));
        for column in 0..block.len {
            let mut fixed = Fixed::new(1);
            fixed.mark(0, mark::NOT_MINUS_ZERO);
            for factor in sum.number(start + column).factors() {
                fixed.add(0, factor);
            }
            block.take(column, &mut fixed, 0);
        }
        block.write(out);
    }
}

fn write_bools(values: &[bool], out: &mut Vec<u8>) {
    for bits in values.chunks(8) {
        out.push(bits.iter().rev().fold(0, |byte, bit| byte << 1 | u8::from(*bit)));
    }
}

fn write_number(number: &Number, out: &mut Vec<u8>) {
    let lowest = number.lowest_bit();
    // Shifted up to the next limb, from which the lowest bit is bit 0.
    let skipped = (lowest - number.exponent).max(0) as usize;
    let up = skipped.next_multiple_of(64);
    let mut limbs = Vec::new();
    shift_left(&number.limbs, up - skipped, &mut limbs);
    let mut bytes: Vec<u8> =
        limbs.iter().skip(up / 64).flat_map(|limb| limb.to_le_bytes()).collect();
    while bytes.last() == Some(&0) {
        bytes.pop();
    }
    out.push(u8::from(number.negative));
    out.extend(lowest.to_le_bytes());
    out.extend((bytes.len() as u16).to_le_bytes());
    out.extend(bytes);
}

/// The bytes that are left.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn fault(&self, fault: Fault) -> Error {
        Error::Malformed { at: self.at, fault }
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], Error> {
        let rest = &self.bytes[self.at..];
        let taken = rest.get(..len).ok_or_else(|| self.fault(Fault::Truncated))?;
        self.at += len;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let taken = self.take(N)?;
        taken.try_into().map_err(|_| self.fault(Fault::Truncated))
    }

    fn expect(&mut self, wanted: &[u8], fault: Fault) -> Result<(), Error> {
        let at = self.at;
        if self.take(wanted.len())? == wanted {
            Ok(())
        } else {
            Err(Error::Malformed { at, fault })
        }
    }

    fn header(&mut self, dtype: DType, len: usize) -> Result<Total, Error> {
        self.expect(MAGIC, Fault::Magic)?;
        let code = DType::ALL.iter().position(|known| *known == dtype).unwrap_or_default();
        self.expect(&[code as u8], Fault::DType)?;
        let [kind] = self.array()?;
        self.expect(&(len as u64).to_le_bytes(), Fault::Length)?;
        match kind {
            0 => Ok(Total::None),
            1 => {
                let count = u128::from_le_bytes(self.array()?);
                Total::count(count).ok_or_else(|| self.fault(Fault::Value))
            }
            2 => {
                let mut total = Fixed::new(1);
                self.number(&mut total, 0)?;
                if total.number(0).negative {
                    return Err(self.fault(Fault::Value));
                }
                Ok(Total::Real(total))
            }
            _ => Err(self.fault(Fault::Value)),
        }
    }

    /// Adds a number to a column.
    fn number(&mut self, fixed: &mut Fixed, column: usize) -> Result<(), Error> {
        let [sign] = self.array()?;
        let lowest = i32::from_le_bytes(self.array()?);
        let len = usize::from(u16::from_le_bytes(self.array()?));
        let highest = i64::from(lowest) + 8 * len as i64;
        if sign > 1 || !EXPONENTS.contains(&lowest.into()) || !EXPONENTS.contains(&highest) {
            return Err(self.fault(Fault::Value));
        }
        for (index, byte) in self.take(len)?.iter().enumerate() {
            let exponent = lowest + 8 * index as i32;
            fixed.add(column, Factor { negative: sign == 1, mantissa: u64::from(*byte), exponent });
        }
        fixed.mark(column, mark::NOT_MINUS_ZERO);
        Ok(())
    }

    /// Checks that there are as many bytes as so many columns need at least, before any memory is
    /// taken for them.
    fn plausible(&self, len: usize) -> Result<(), Error> {
        let least = 3 * len.div_ceil(COLUMNS);
        if self.bytes.len() - self.at < least { Err(self.fault(Fault::Truncated)) } else { Ok(()) }
    }

    fn block(&mut self, len: usize) -> Result<Planes<'a>, Error> {
        let [planes] = self.array()?;
        let exceptions = u16::from_le_bytes(self.array()?);
        if usize::from(planes) > MAX_PLANES || usize::from(exceptions) > len {
            return Err(self.fault(Fault::Value));
        }
        let bytes = self.take(8 * len * usize::from(planes))?;
        Ok(Planes { bytes, len, count: planes.into(), exceptions: exceptions.into() })
    }

    /// Adds the planes and exceptions of a block to the columns from `first`.
    fn fixed(&mut self, block: &Planes<'_>, fixed: &mut Fixed, first: usize) -> Result<(), Error> {
        for plane in 0..block.count {
            for column in 0..block.len {
                let value = block.value(plane, column);
                if plane == 0 {
                    fixed.add_float(first + column, Factor::ONE, value);
                } else if value.is_finite() {
                    fixed.add(first + column, decompose(value));
                } else {
                    return Err(self.fault(Fault::Value));
                }
            }
        }
        if block.count == 0 {
            (0..block.len).for_each(|column| fixed.mark(first + column, mark::NOT_MINUS_ZERO));
        }
        for _ in 0..block.exceptions {
            let column = usize::from(u16::from_le_bytes(self.array()?));
            if column >= block.len {
                return Err(self.fault(Fault::Value));
            }
            self.number(fixed, first + column)?;
        }
        Ok(())
    }
}

/// The planes of a block, as bytes.
struct Planes<'a> {
    bytes: &'a [u8],
    len: usize,
    count: usize,
    exceptions: usize,
}

impl Planes<'_> {
    fn value(&self, plane: usize, column: usize) -> f64 {
        let at = 8 * (plane * self.len + column);
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&self.bytes[at..at + 8]);
        f64::from_le_bytes(bytes)
    }

    fn plane(&self, plane: usize) -> Vec<f64> {
        (0..self.len).map(|column| self.value(plane, column)).collect()
    }
}

fn read_floats<E: Float>(reader: &mut Reader<'_>, sum: &mut FloatSum<E>) -> Result<(), Error> {
    reader.plausible(sum.len())?;
    sum.allocate();
    for mut target in sum.blocks_mut() {
        let block = reader.block(target.columns.len())?;
        let planes: Vec<Vec<f64>> =
            (0..block.count.min(E::COMPONENTS)).map(|plane| block.plane(plane)).collect();
        let finite = planes.iter().flatten().all(|value| value.is_finite());
        if block.count <= E::COMPONENTS && block.exceptions == 0 && finite {
            if !signs_agree(&planes) {
                return Err(reader.fault(Fault::NotCanonical));
            }
            target.set_components(&planes);
        } else {
            let mut fixed = Fixed::new(block.len);
            reader.fixed(&block, &mut fixed, 0)?;
            target.set_fixed(fixed);
        }
    }
    Ok(())
}

/// Whether only the first plane has zeros with a sign. (What else the planes say is compared with what
/// would be written.)
fn signs_agree(planes: &[Vec<f64>]) -> bool {
    let unsigned = |value: &f64| value.to_bits() != 1 << 63;
    planes.iter().skip(1).flatten().all(unsigned)
}

fn read_integers<I: Integer>(
    reader: &mut Reader<'_>,
    sum: &mut IntegerSum<I>,
    whole: bool,
) -> Result<(), Error> {
    reader.plausible(sum.len())?;
    let mut fixed = Fixed::new(sum.len());
    for start in (0..sum.len()).step_by(COLUMNS) {
        let block = reader.block(COLUMNS.min(sum.len() - start))?;
        reader.fixed(&block, &mut fixed, start)?;
    }
    if whole && (0..sum.len()).any(|column| fixed.number(column).lowest_bit() < 0) {
        return Err(reader.fault(Fault::Value));
    }
    sum.set(fixed);
    Ok(())
}

fn read_bools(reader: &mut Reader<'_>, sum: &mut BoolSum) -> Result<(), Error> {
    let len = sum.len();
    let bytes = reader.take(len.div_ceil(8))?;
    sum.set((0..len).map(|index| bytes[index / 8] >> (index % 8) & 1 == 1).collect());
    Ok(())
}
