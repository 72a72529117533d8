//! Reading safetensors bytes: without a copy if they are canonical and aligned, else with one.

use bytes::Bytes;

use super::header::{self, Entry};
use super::layout::size_of_data;
use super::set::check_bools;
use super::{Error, Fault, Layout, MAX_HEADER, Tensors};

/// No element is larger, hence none needs more alignment.
const ALIGNMENT: usize = 8;

impl Tensors {
    /// Reads a safetensors file. The buffer is kept as it is if it has the canonical form and its
    /// address is a multiple of 8; else everything is copied once into a buffer that has. Free
    /// metadata are dropped.
    ///
    /// # Errors
    /// Whatever departs from the format, by the tensor's name or the header's field. Nothing is
    /// allocated by a size that is only claimed.
    pub fn decode(bytes: impl Into<Bytes>) -> Result<Self, Error> {
        let bytes = bytes.into();
        let (header, data) = split(&bytes)?;
        let entries = header::parse(header)?;
        for entry in &entries {
            check_extent(entry, data.len()).map_err(|fault| Error::tensor(&entry.name, fault))?;
            check_bools(&entry.name, entry.dtype, &data[entry.range()])?;
        }
        let described = entries.iter().map(|e| (e.name.clone(), e.dtype, e.shape.clone()));
        let layout = Layout::new(described)?;
        check_coverage(&entries, data.len())?;
        if is_canonical(&bytes, &layout) && is_aligned(&bytes) {
            return Ok(Tensors::trusted(layout, bytes));
        }
        Ok(lay_out(&layout, &entries, data))
    }

    /// Reads a safetensors file that is expected to have the given layout; if it has, no header is
    /// parsed and the layout is shared. A file of another layout is read as by
    /// [`decode`](Self::decode): whether that will do is the caller's to say.
    ///
    /// # Errors
    /// As [`decode`](Self::decode).
    pub fn decode_like(bytes: impl Into<Bytes>, layout: &Layout) -> Result<Self, Error> {
        let bytes = bytes.into();
        if !is_canonical(&bytes, layout) {
            return Self::decode(bytes);
        }
        for info in layout {
            check_bools(&info.name, info.dtype, &bytes[info.range.clone()])?;
        }
        if is_aligned(&bytes) {
            return Ok(Tensors::trusted(layout.clone(), bytes));
        }
        let mut tensors = Tensors::builder(layout);
        tensors.data_mut().copy_from_slice(&bytes[layout.prefix().len()..]);
        Ok(tensors.finish())
    }
}

impl Entry {
    /// The place in the data section, once it was checked.
    fn range(&self) -> std::ops::Range<usize> {
        let [start, end] = self.offsets.map(|offset| offset as usize);
        start..end
    }
}

/// Header and data section.
fn split(bytes: &[u8]) -> Result<(&[u8], &[u8]), Error> {
    let Some((length, rest)) = bytes.split_first_chunk::<8>() else {
        return Err(Error::TooShort { bytes: bytes.len() });
    };
    let claimed = u64::from_le_bytes(*length);
    let split = usize::try_from(claimed).ok().filter(|&length| length <= MAX_HEADER);
    let split = split.and_then(|length| rest.split_at_checked(length));
    split.ok_or(Error::HeaderLength { claimed, available: rest.len() })
}

/// The tensors must lie one behind the other, in whatever order, and cover all data.
fn check_coverage(entries: &[Entry], data: usize) -> Result<(), Error> {
    let mut order: Vec<&Entry> = entries.iter().collect();
    order.sort_by_key(|entry| entry.offsets);
    let mut before: Option<&Entry> = None;
    let mut end = 0;
    for entry in order {
        let range = entry.range();
        let begin = check_begin(range.start, end, before);
        begin.map_err(|fault| Error::tensor(&entry.name, fault))?;
        end = range.end;
        before = Some(entry);
    }
    if end < data {
        let last = before.map(|entry| entry.name.to_string());
        return Err(Error::Trailing { extra: data - end, last });
    }
    Ok(())
}

fn check_extent(entry: &Entry, data: usize) -> Result<(), Fault> {
    let &Entry { dtype, offsets: [start, end], .. } = entry;
    let shape = || entry.shape.clone();
    let given = end.checked_sub(start).ok_or(Fault::Reversed { start, end })?;
    if end > data as u64 {
        return Err(Fault::PastEnd { start, end, data });
    }
    let needed = size_of_data(dtype, &entry.shape);
    let needed = needed.ok_or_else(|| Fault::Shape { shape: shape(), dtype })?;
    if needed as u64 != given {
        return Err(Fault::Length { shape: shape(), dtype, needed, given });
    }
    Ok(())
}

fn check_begin(start: usize, end: usize, before: Option<&Entry>) -> Result<(), Fault> {
    match before {
        Some(other) if start < end => Err(Fault::Overlap { start, other: other.name.to_string() }),
        _ if start > end => Err(Fault::Gap { start, before: end }),
        _ => Ok(()),
    }
}

fn is_canonical(bytes: &[u8], layout: &Layout) -> bool {
    bytes.len() == layout.total() && bytes.starts_with(layout.prefix())
}

fn is_aligned(bytes: &[u8]) -> bool {
    bytes.as_ptr().addr().is_multiple_of(ALIGNMENT)
}

fn lay_out(layout: &Layout, entries: &[Entry], data: &[u8]) -> Tensors {
    let mut order: Vec<&Entry> = entries.iter().collect();
    order.sort_by_key(|entry| layout.index(&entry.name));
    let mut tensors = Tensors::builder(layout);
    for ((_, target), entry) in tensors.slices_mut().zip(order) {
        target.copy_from_slice(&data[entry.range()]);
    }
    tensors.finish()
}
