//! Reading a partial sum, whatever the bytes claim.

use super::super::bools::BoolSum;
use super::super::error::{Error, Fault};
use super::super::fixed::{Fixed, mark};
use super::super::float::{Float, FloatSum};
use super::super::integer::{Integer, IntegerSum};
use super::super::number::{Factor, decompose};
use super::super::weight::Total;
use super::{COLUMNS, EXPONENTS, MAGIC, MAX_PLANES};
use crate::tensor::DType;

/// The bytes that are left.
pub(super) struct Reader<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn fault(&self, fault: Fault) -> Error {
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

    pub(super) fn header(&mut self, dtype: DType, len: usize) -> Result<Total, Error> {
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

pub(super) fn read_floats<E: Float>(
    reader: &mut Reader<'_>,
    sum: &mut FloatSum<E>,
) -> Result<(), Error> {
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

/// Whether only the first plane has zeros with a sign. (What else the planes say is compared with
/// what would be written.)
fn signs_agree(planes: &[Vec<f64>]) -> bool {
    let unsigned = |value: &f64| value.to_bits() != 1 << 63;
    planes.iter().skip(1).flatten().all(unsigned)
}

pub(super) fn read_integers<I: Integer>(
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

pub(super) fn read_bools(reader: &mut Reader<'_>, sum: &mut BoolSum) -> Result<(), Error> {
    let len = sum.len();
    let bytes = reader.take(len.div_ceil(8))?;
    sum.set((0..len).map(|index| bytes[index / 8] >> (index % 8) & 1 == 1).collect());
    Ok(())
}
