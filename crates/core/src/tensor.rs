//! Tensors and the one buffer, in safetensors layout, in which they lie.
//!
//! [`Tensors`] is an immutable set of named tensors whose buffer *is* its file: saving, sending and
//! mapping are the same bytes, and equal sets have equal bytes, hence one [`Hash`](crate::Hash). A
//! [`Layout`] says which tensors there are and where; [`TensorsMut`] fills a buffer of a given layout.
//!
//! ```
//! use flare_core::tensor::{DType, Layout, Tensors};
//!
//! let layout = Layout::new([("weight", DType::F32, vec![2, 3]), ("steps", DType::I64, vec![])])?;
//! let mut builder = Tensors::builder(&layout);
//! builder.slice_mut::<f32>("weight")?.fill(0.5);
//! let model = builder.finish();
//!
//! let read = Tensors::decode(model.encoded().clone())?; // shares the buffer
//! assert_eq!(read.slice::<f32>("weight")?, [0.5; 6]);
//! assert_eq!(read.slice::<i64>("steps")?, [0]);
//! assert_eq!(read.hash(), model.hash());
//! # Ok::<(), flare_core::tensor::Error>(())
//! ```
//!
//! The canonical form, a subset of the safetensors format:
//!
//! - 8 bytes, little-endian: the length of the header; then the header, JSON in UTF-8, padded with
//!   spaces so that the data begin at a multiple of 64; then the data, without gaps.
//! - Data are ordered by descending element size, then by name (bytewise): each tensor lies at a
//!   multiple of its element's size, whatever the others' shapes are.
//! - The header's keys are sorted bytewise, tensors as well as their fields; no white space but the
//!   padding; in names only `"` and `\` are escaped; there is no `__metadata__`.
//!
//! *Invariant*: a [`Tensors`] has canonical bytes, at an address at which its elements are aligned,
//! and every bool in it is 0 or 1. Bits are never changed: NaNs keep their payload.

mod builder;
mod decode;
mod dtype;
mod error;
mod finite;
mod float;
mod header;
mod json;
mod layout;
mod set;
mod write;

pub use builder::{TensorData, TensorsMut};
pub use dtype::{DType, Element};
pub use error::{Error, Fault, NameFault, Syntax};
pub use float::Float;
pub use layout::{Layout, TensorInfo};
pub use set::{TensorRef, Tensors};

/// The largest header, in bytes, that is read or written: the reference implementation's limit.
pub const MAX_HEADER: usize = 100_000_000;

/// The most dimensions that a tensor may have: NumPy's limit.
pub const MAX_RANK: usize = 64;

/// The longest name of a tensor, in bytes.
pub const MAX_NAME: usize = 255;

/// The data section begins at a multiple of this many bytes.
const DATA_ALIGNMENT: usize = 64;

/// The key of a header that is no tensor.
const METADATA: &str = "__metadata__";

const _: () = assert!(cfg!(target_endian = "little"), "tensors are little-endian and not copied");
