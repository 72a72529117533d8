//! Reading a header: strictly, and naming the tensor or the field that is wrong.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use super::json::Scanner;
use super::layout::check_name;
use super::{DType, Error, Fault, MAX_RANK, METADATA, Syntax};

/// What a header says of one tensor; whether it can be true is not checked yet.
pub(super) struct Entry {
    pub(super) name: Arc<str>,
    pub(super) dtype: DType,
    pub(super) shape: Vec<usize>,
    /// Begin and end of the data, counted from the begin of the data section.
    pub(super) offsets: [u64; 2],
}

/// Reads the entries of all tensors in the header's order. Names may occur twice.
///
/// # Errors
/// Names the tensor and the field, or the place in the header.
pub(super) fn parse(header: &[u8]) -> Result<Vec<Entry>, Error> {
    let text = std::str::from_utf8(header)
        .map_err(|error| Error::HeaderText { at: error.valid_up_to() })?;
    let mut scanner = Scanner::new(text);
    if !text.starts_with('{') {
        return Err(Error::Header(scanner.fault("the opening brace")));
    }
    let mut entries = Vec::new();
    let mut has_metadata = false;
    scanner.object(|scanner, key| {
        if key != METADATA {
            entries.push(entry(scanner, key)?);
            return Ok(());
        }
        if std::mem::replace(&mut has_metadata, true) {
            return Err(Error::Metadata(scanner.fault("it once only")));
        }
        metadata(scanner).map_err(Error::Metadata)
    })?;
    scanner.end().map_err(Error::Header)?;
    Ok(entries)
}

/// Free metadata are checked and dropped: bytes that mean nothing must not change a hash.
fn metadata(scanner: &mut Scanner<'_>) -> Result<(), Syntax> {
    let mut keys = BTreeSet::new();
    scanner.object(|scanner, key| {
        if !keys.insert(key) {
            return Err(scanner.fault("each key once only"));
        }
        scanner.string("a text in quotes").map(drop)
    })
}

fn entry(scanner: &mut Scanner<'_>, name: Cow<'_, str>) -> Result<Entry, Error> {
    let fail = |fault| Error::tensor(&name, fault);
    check_name(&name).map_err(|fault| fail(Fault::Name(fault)))?;
    let mut fields = Fields::default();
    scanner.object(|scanner, field| fields.read(scanner, &field)).map_err(fail)?;
    let missing = |field| fail(Fault::MissingField { field });
    Ok(Entry {
        dtype: fields.dtype.ok_or_else(|| missing("dtype"))?,
        shape: fields.shape.ok_or_else(|| missing("shape"))?,
        offsets: fields.offsets.ok_or_else(|| missing("data_offsets"))?,
        name: name.into(),
    })
}

#[derive(Default)]
struct Fields {
    dtype: Option<DType>,
    shape: Option<Vec<usize>>,
    offsets: Option<[u64; 2]>,
}

impl Fields {
    fn read(&mut self, scanner: &mut Scanner<'_>, field: &str) -> Result<(), Fault> {
        match field {
            "dtype" => set(&mut self.dtype, "dtype", dtype(scanner)?),
            "shape" => set(&mut self.shape, "shape", shape(scanner)?),
            "data_offsets" => set(&mut self.offsets, "data_offsets", offsets(scanner)?),
            _ => Err(Fault::UnknownField { field: field.to_owned() }),
        }
    }
}

fn set<T>(slot: &mut Option<T>, field: &'static str, value: T) -> Result<(), Fault> {
    if slot.replace(value).is_some() {
        return Err(Fault::DuplicateField { field });
    }
    Ok(())
}

fn dtype(scanner: &mut Scanner<'_>) -> Result<DType, Fault> {
    let fault = |syntax| Fault::Field { field: "dtype", syntax };
    let name = scanner.string("an element type in quotes").map_err(fault)?;
    DType::parse(&name).ok_or_else(|| Fault::UnknownType { dtype: name.into_owned() })
}

fn shape(scanner: &mut Scanner<'_>) -> Result<Vec<usize>, Fault> {
    let fault = |syntax| Fault::Field { field: "shape", syntax };
    let before = scanner.clone();
    let dimensions = scanner.wholes(MAX_RANK).map_err(fault)?;
    let shape: Result<_, _> = dimensions.into_iter().map(usize::try_from).collect();
    shape.map_err(|_| fault(before.fault("dimensions that can be addressed")))
}

fn offsets(scanner: &mut Scanner<'_>) -> Result<[u64; 2], Fault> {
    let fault = |syntax| Fault::Field { field: "data_offsets", syntax };
    let before = scanner.clone();
    let offsets = scanner.wholes(2).map_err(fault)?;
    <[u64; 2]>::try_from(offsets).map_err(|_| fault(before.fault("a list of two offsets")))
}

impl From<Syntax> for Error {
    fn from(syntax: Syntax) -> Self {
        Error::Header(syntax)
    }
}
