//! What can be wrong with tensors, by the name of the tensor or of the header's field.

use super::{DType, MAX_HEADER, MAX_NAME, MAX_RANK};
use crate::shown;

/// Why tensors could not be read, laid out or taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Fewer bytes than the length of a header takes.
    #[error(
        "reading tensors: {bytes} bytes are fewer than the 8 of the header's length; \
         is this a whole safetensors file?"
    )]
    TooShort {
        /// The bytes that there are.
        bytes: usize,
    },
    /// The length of the header cannot be true.
    #[error(
        "reading tensors: the header's length is {claimed} bytes, but {available} bytes follow it \
         and {MAX_HEADER} are the limit; is this a whole safetensors file?"
    )]
    HeaderLength {
        /// The length that the first 8 bytes claim.
        claimed: u64,
        /// The bytes that follow them.
        available: usize,
    },
    /// The header is not text.
    #[error("reading tensors: the header is not UTF-8 at its byte {at}")]
    HeaderText {
        /// The offset in the header.
        at: usize,
    },
    /// The header is not the JSON that it should be, outside of any tensor's entry.
    #[error("reading tensors: header: {0}")]
    Header(Syntax),
    /// The header's `__metadata__` is not a map of texts.
    #[error("reading tensors: header field \"__metadata__\": {0}")]
    Metadata(Syntax),
    /// A name occurs twice.
    #[error("tensor \"{}\": the name occurs twice", shown(name))]
    Duplicate {
        /// The name.
        name: String,
    },
    /// One tensor's description or data are wrong.
    #[error("tensor \"{}\": {fault}", shown(name))]
    Tensor {
        /// The tensor.
        name: String,
        /// What is wrong with it.
        #[source]
        fault: Fault,
    },
    /// Bytes that belong to no tensor follow the last one.
    #[error(
        "reading tensors: {extra} bytes follow the last tensor{}; data_offsets must cover all data",
        last.as_deref().map(|name| format!(" \"{}\"", shown(name))).unwrap_or_default()
    )]
    Trailing {
        /// How many.
        extra: usize,
        /// The tensor whose data end last.
        last: Option<String>,
    },
    /// The tensors need a longer header, or more bytes, than there may be.
    #[error(
        "laying out tensors: {tensors} tensors need a header of {header} bytes ({MAX_HEADER} are \
         the limit), or more data than can be addressed; use fewer or shorter names"
    )]
    TooLarge {
        /// The number of tensors.
        tensors: usize,
        /// The bytes of the header.
        header: usize,
    },
    /// There is no tensor of that name.
    #[error("there is no tensor \"{}\" among {tensors}", shown(name))]
    Missing {
        /// The name that was asked for.
        name: String,
        /// How many tensors there are.
        tensors: usize,
    },
    /// The tensor has elements of another type.
    #[error("tensor \"{}\": wanted elements of type {wanted}, they are {actual}", shown(name))]
    WrongType {
        /// The tensor.
        name: String,
        /// The type that was asked for.
        wanted: DType,
        /// The type that it has.
        actual: DType,
    },
}

/// What is wrong with one tensor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Its name is against the rule.
    #[error(transparent)]
    Name(NameFault),
    /// Its entry is not the JSON that it should be.
    #[error("header: {0}")]
    Syntax(#[from] Syntax),
    /// One of its fields is not the JSON that it should be.
    #[error("header field \"{field}\": {syntax}")]
    Field {
        /// The field.
        field: &'static str,
        /// What is wrong there.
        syntax: Syntax,
    },
    /// A field that no tensor has.
    #[error(
        "header field \"{}\" is unknown; there are data_offsets, dtype and shape",
        shown(field)
    )]
    UnknownField {
        /// The field.
        field: String,
    },
    /// A field occurs twice.
    #[error("header field \"{field}\" occurs twice")]
    DuplicateField {
        /// The field.
        field: &'static str,
    },
    /// A field is absent.
    #[error("header field \"{field}\" is missing")]
    MissingField {
        /// The field.
        field: &'static str,
    },
    /// An element type that is not known here.
    #[error(
        "header field \"dtype\": \"{}\" is not one of F16 BF16 F32 F64 I8 I16 I32 I64 U8 U16 U32 \
         U64 BOOL",
        shown(dtype)
    )]
    UnknownType {
        /// What the field says.
        dtype: String,
    },
    /// More dimensions than there may be.
    #[error("shape: {rank} dimensions, {MAX_RANK} are the limit")]
    Rank {
        /// How many.
        rank: usize,
    },
    /// A product of dimensions, zeros aside, that cannot be addressed.
    #[error("shape {shape:?} of {dtype} has more bytes than can be addressed")]
    Shape {
        /// The shape.
        shape: Vec<usize>,
        /// The element type.
        dtype: DType,
    },
    /// The data's end lies before their begin.
    #[error("header field \"data_offsets\": [{start}, {end}] ends before it begins")]
    Reversed {
        /// The begin.
        start: u64,
        /// The end.
        end: u64,
    },
    /// The data's end lies past the end of the file.
    #[error("header field \"data_offsets\": [{start}, {end}] ends past the {data} bytes of data")]
    PastEnd {
        /// The begin.
        start: u64,
        /// The end.
        end: u64,
        /// The bytes of data in the file.
        data: usize,
    },
    /// Shape and element type ask for another number of bytes than there is.
    #[error("shape {shape:?} of {dtype} takes {needed} bytes, but data_offsets give {given}")]
    Length {
        /// The shape.
        shape: Vec<usize>,
        /// The element type.
        dtype: DType,
        /// The bytes that they take.
        needed: usize,
        /// The bytes that the offsets span.
        given: u64,
    },
    /// Bytes before the data belong to no tensor.
    #[error(
        "header field \"data_offsets\": begins at {start}, but the data before end at {before}"
    )]
    Gap {
        /// The begin.
        start: usize,
        /// The end of the tensor before.
        before: usize,
    },
    /// The data overlap those of another tensor.
    #[error(
        "header field \"data_offsets\": begins at {start}, inside of tensor \"{}\"",
        shown(other)
    )]
    Overlap {
        /// The begin.
        start: usize,
        /// The tensor that lies there.
        other: String,
    },
    /// A bool that is neither 0 nor 1.
    #[error("element {index} is the byte {byte}, a bool must be 0 or 1")]
    Bool {
        /// The element, in row-major order.
        index: usize,
        /// Its byte.
        byte: u8,
    },
    /// A slice has another number of elements than the shape.
    #[error("shape {shape:?} has {needed} elements, but {given} are given")]
    Elements {
        /// The shape.
        shape: Vec<usize>,
        /// The elements that it has.
        needed: usize,
        /// The elements of the slice.
        given: usize,
    },
}

/// What is wrong with a tensor's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameFault {
    /// It is empty.
    #[error("a tensor's name must not be empty")]
    Empty,
    /// It is too long.
    #[error("the name has {bytes} bytes, {MAX_NAME} are the limit")]
    TooLong {
        /// Its bytes.
        bytes: usize,
    },
    /// It contains a control character.
    #[error("the name contains the control character {}", character.escape_unicode())]
    Control {
        /// The character.
        character: char,
    },
    /// The format uses it for something else.
    #[error("the name is the format's own and no tensor's")]
    Reserved,
}

/// A place where a header is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("byte {at}: expected {expected}, found {}", shown(found))]
pub struct Syntax {
    /// The offset in the header.
    pub at: usize,
    /// What should be there.
    pub expected: &'static str,
    /// What is there.
    pub found: String,
}

impl Error {
    pub(super) fn tensor(name: &str, fault: Fault) -> Self {
        Error::Tensor { name: name.to_owned(), fault }
    }
}
