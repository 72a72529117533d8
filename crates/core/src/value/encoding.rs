//! The canonical encoding of a value: each value has one, and no other bytes are read.
//!
//! A tag byte, then what the tag asks for:
//!
//! | tag | value | what follows |
//! |---|---|---|
//! | 0 | null | |
//! | 1, 2 | false, true | |
//! | 3 | a whole number of an `i64` | varint of its zigzag form (0, -1, 1, -2 are 0, 1, 2, 3) |
//! | 4 | a larger one, up to 2^64 - 1 | varint |
//! | 5 | a float | its 8 bytes, little-endian, NaNs as they are |
//! | 6 | a text | varint of its length in bytes, then these, in UTF-8 |
//! | 7 | a list | varint of its length, then the values |
//! | 8 | a map | varint of its length, then keys (as a text without tag) and values, keys ascending bytewise |
//!
//! A varint has seven bits a byte, the lowest first, the eighth bit set in all but the last; it is
//! never longer than needed.

use std::collections::BTreeMap;

use super::{Above, Error, MAX_DEPTH, Value};

/// The most bytes that an encoding may have when it is read.
pub const MAX_ENCODED: usize = 16 << 20;

/// The most values, each list's and map's own among them, that an encoding may contain when it is
/// read: a value takes 32 bytes in memory, but only one or two in the encoding.
pub const MAX_VALUES: usize = 1 << 20;

mod tag {
    pub(super) const NULL: u8 = 0;
    pub(super) const FALSE: u8 = 1;
    pub(super) const TRUE: u8 = 2;
    pub(super) const INT: u8 = 3;
    pub(super) const UINT: u8 = 4;
    pub(super) const FLOAT: u8 = 5;
    pub(super) const TEXT: u8 = 6;
    pub(super) const LIST: u8 = 7;
    pub(super) const MAP: u8 = 8;
}

impl Value {
    /// The canonical encoding. What is above [`MAX_ENCODED`], [`MAX_VALUES`] or
    /// [`MAX_DEPTH`] is encoded, but will not be read.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }

    /// Reads an [encoding](Self::encode).
    ///
    /// # Errors
    /// [`Error::Size`], [`Error::Count`], [`Error::Depth`] one past the limits; [`Error::Encoding`]
    /// for bytes that no value is encoded as. Nothing is allocated by a length that is only claimed.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > MAX_ENCODED {
            return Err(Error::Size { bytes: bytes.len() });
        }
        let mut reader = Reader { bytes, at: 0, values: 0 };
        let value = reader.value(0)?;
        if reader.at != bytes.len() {
            return Err(reader.fault("the end"));
        }
        Ok(value)
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Value::Null => out.push(tag::NULL),
            Value::Bool(value) => out.push(if *value { tag::TRUE } else { tag::FALSE }),
            Value::Int(value) => write_tagged(out, tag::INT, zigzag(*value)),
            Value::UInt(value) => write_tagged(out, tag::UINT, value.get()),
            Value::Float(value) => {
                out.push(tag::FLOAT);
                out.extend_from_slice(&value.to_bits().to_le_bytes());
            }
            Value::Text(text) => {
                out.push(tag::TEXT);
                write_text(out, text);
            }
            Value::List(values) => {
                write_tagged(out, tag::LIST, values.len() as u64);
                values.iter().for_each(|value| value.write(out));
            }
            Value::Map(values) => write_map(out, values),
        }
    }
}

/// The encoding of a map, as if it were a value.
pub(crate) fn encode_map(values: &BTreeMap<String, Value>) -> Vec<u8> {
    let mut out = Vec::new();
    write_map(&mut out, values);
    out
}

fn write_map(out: &mut Vec<u8>, values: &BTreeMap<String, Value>) {
    write_tagged(out, tag::MAP, values.len() as u64);
    for (key, value) in values {
        write_text(out, key);
        value.write(out);
    }
}

fn write_tagged(out: &mut Vec<u8>, tag: u8, number: u64) {
    out.push(tag);
    write_varint(out, number);
}

fn write_text(out: &mut Vec<u8>, text: &str) {
    write_varint(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

fn write_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)) as u64
}

fn unzigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    values: usize,
}

impl<'a> Reader<'a> {
    /// Reads a value that lies in `depth` lists and maps.
    fn value(&mut self, depth: usize) -> Result<Value, Error> {
        self.values += 1;
        if self.values > MAX_VALUES {
            return Err(Error::Count);
        }
        let fault = self.fault("the tag of a value");
        let [tag] = self.take().ok_or_else(|| fault.clone())?;
        Ok(match tag {
            tag::NULL => Value::Null,
            tag::FALSE => Value::Bool(false),
            tag::TRUE => Value::Bool(true),
            tag::INT => Value::Int(unzigzag(self.varint()?)),
            tag::UINT => self.above()?,
            tag::FLOAT => self.float()?,
            tag::TEXT => Value::Text(self.text()?.to_owned()),
            tag::LIST | tag::MAP if depth == MAX_DEPTH => return Err(Error::Depth),
            tag::LIST => self.list(depth)?,
            tag::MAP => self.map(depth)?,
            _ => return Err(fault),
        })
    }

    fn above(&mut self) -> Result<Value, Error> {
        let fault = self.fault("a number above those of tag 3");
        Above::new(self.varint()?).map(Value::UInt).ok_or(fault)
    }

    fn float(&mut self) -> Result<Value, Error> {
        let bits = self.take().ok_or_else(|| self.fault("the 8 bytes of a float"))?;
        Ok(Value::Float(f64::from_bits(u64::from_le_bytes(bits))))
    }

    fn list(&mut self, depth: usize) -> Result<Value, Error> {
        let mut values = Vec::new();
        for _ in 0..self.varint()? {
            values.push(self.value(depth + 1)?);
        }
        Ok(Value::List(values))
    }

    fn map(&mut self, depth: usize) -> Result<Value, Error> {
        let mut values = BTreeMap::new();
        for _ in 0..self.varint()? {
            let fault = self.fault("a key above the one before");
            let key = self.text()?;
            if values.last_key_value().is_some_and(|(last, _): (&String, _)| key <= last.as_str()) {
                return Err(fault);
            }
            values.insert(key.to_owned(), self.value(depth + 1)?);
        }
        Ok(Value::Map(values))
    }

    fn text(&mut self) -> Result<&'a str, Error> {
        let length = self.varint()?;
        let fault = self.fault("a text of that length, in UTF-8");
        let rest = &self.bytes[self.at..];
        let length = usize::try_from(length).map_err(|_| fault.clone())?;
        let text = rest.get(..length).ok_or_else(|| fault.clone())?;
        self.at += length;
        std::str::from_utf8(text).map_err(|_| fault)
    }

    fn varint(&mut self) -> Result<u64, Error> {
        let fault = self.fault("a number of seven bits a byte, in as few bytes as will do");
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let [byte] = self.take().ok_or_else(|| fault.clone())?;
            let bits = u64::from(byte & 0x7f);
            number |= bits << shift;
            let lost = bits << shift >> shift != bits;
            let padded = byte == 0 && shift > 0;
            if lost || padded {
                return Err(fault);
            }
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(fault)
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let taken = *self.bytes[self.at..].first_chunk()?;
        self.at += N;
        Some(taken)
    }

    fn fault(&self, expected: &'static str) -> Error {
        Error::Encoding { at: self.at, expected }
    }
}
