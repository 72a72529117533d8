//! Writing a partial sum.

use super::super::fixed::{Fixed, Special, mark};
use super::super::float::{Float, FloatSum};
use super::super::integer::{Integer, IntegerSum};
use super::super::number::{Number, decompose, shift_left};
use super::COLUMNS;

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

pub(super) fn write_floats<E: Float>(sum: &FloatSum<E>, out: &mut Vec<u8>) {
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

/// A sum that is its first component when rounded, with its rest in the second, is as it should be.
/// Others are made so: those of more components, and those in which a large part cancelled.
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

pub(super) fn write_integers<I: Integer>(sum: &IntegerSum<I>, out: &mut Vec<u8>) {
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

pub(super) fn write_bools(values: &[bool], out: &mut Vec<u8>) {
    for bits in values.chunks(8) {
        out.push(bits.iter().rev().fold(0, |byte, bit| byte << 1 | u8::from(*bit)));
    }
}

pub(super) fn write_number(number: &Number, out: &mut Vec<u8>) {
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
