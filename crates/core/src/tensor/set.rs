//! Sets of tensors: immutable, shared, and one buffer each.

use std::fmt;
use std::sync::{Arc, LazyLock, OnceLock};

use bytes::Bytes;

use super::{DType, Element, Error, Fault, Layout, TensorInfo};
use crate::Hash;

/// A set of named tensors in one buffer, which is their canonical safetensors file. Cheap to clone.
#[derive(Clone)]
pub struct Tensors {
    inner: Arc<Inner>,
}

struct Inner {
    layout: Layout,
    encoded: Bytes,
    hash: OnceLock<Hash>,
}

/// One tensor of a [`Tensors`].
#[derive(Clone, Copy)]
pub struct TensorRef<'a> {
    /// Its name.
    pub name: &'a str,
    /// The type of its elements.
    pub dtype: DType,
    /// Its dimensions, row-major; none for a scalar.
    pub shape: &'a [usize],
    /// Its data, row-major, little-endian, aligned to its elements.
    pub bytes: &'a [u8],
    info: &'a TensorInfo,
    encoded: &'a Bytes,
}

impl Tensors {
    /// No tensors.
    pub fn empty() -> Self {
        static EMPTY: LazyLock<Tensors> = LazyLock::new(|| Tensors::zeros(&Layout::empty()));
        EMPTY.clone()
    }

    /// The caller vouches for the invariant: canonical bytes, aligned, bools 0 or 1.
    pub(super) fn trusted(layout: Layout, encoded: Bytes) -> Self {
        debug_assert!(encoded.len() == layout.total() && encoded.starts_with(layout.prefix()));
        Self { inner: Arc::new(Inner { layout, encoded, hash: OnceLock::new() }) }
    }

    /// The canonical file: what is saved, sent and mapped. Cloning it copies nothing.
    pub fn encoded(&self) -> &Bytes {
        &self.inner.encoded
    }

    /// The hash of [`encoded`](Self::encoded): the model hash. Computed when it is first asked for.
    pub fn hash(&self) -> Hash {
        *self.inner.hash.get_or_init(|| Hash::of(self.encoded()))
    }

    /// Which tensors there are, and where.
    pub fn layout(&self) -> &Layout {
        &self.inner.layout
    }

    /// The number of tensors.
    pub fn len(&self) -> usize {
        self.layout().len()
    }

    /// Whether there are no tensors.
    pub fn is_empty(&self) -> bool {
        self.layout().is_empty()
    }

    /// The tensors in the order of their data: by descending element size, then by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = TensorRef<'_>> + DoubleEndedIterator {
        self.layout().iter().map(|info| self.view(info))
    }

    /// The tensor of that name, if there is one.
    pub fn get(&self, name: &str) -> Option<TensorRef<'_>> {
        self.layout().get(name).map(|info| self.view(info))
    }

    /// The tensor of that name.
    ///
    /// # Errors
    /// [`Error::Missing`].
    pub fn require(&self, name: &str) -> Result<TensorRef<'_>, Error> {
        self.layout().require(name).map(|info| self.view(info))
    }

    /// The elements of the tensor of that name.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::WrongType`].
    pub fn slice<T: Element>(&self, name: &str) -> Result<&[T], Error> {
        self.require(name)?.as_slice()
    }

    fn view<'a>(&'a self, info: &'a TensorInfo) -> TensorRef<'a> {
        TensorRef {
            name: &info.name,
            dtype: info.dtype,
            shape: &info.shape,
            bytes: &self.encoded()[info.range.clone()],
            info,
            encoded: self.encoded(),
        }
    }
}

impl<'a> TensorRef<'a> {
    /// Its place in the layout.
    pub fn info(&self) -> &'a TensorInfo {
        self.info
    }

    /// The number of elements: 1 for a scalar, 0 if any dimension is 0.
    pub fn elements(&self) -> usize {
        self.info.elements()
    }

    /// Its elements, row-major, where they lie.
    ///
    /// # Errors
    /// [`Error::WrongType`] if they are no `T`.
    pub fn as_slice<T: Element>(&self) -> Result<&'a [T], Error> {
        if T::DTYPE != self.dtype {
            let name = self.name.to_owned();
            return Err(Error::WrongType { name, wanted: T::DTYPE, actual: self.dtype });
        }
        let elements = bytemuck::checked::try_cast_slice(self.bytes);
        Ok(elements.expect("the set's invariant: aligned, whole elements, bools 0 or 1"))
    }

    /// Its data, sharing the set's buffer and keeping it alive.
    pub fn to_bytes(&self) -> Bytes {
        self.encoded.slice(self.info.range.clone())
    }
}

impl PartialEq for Tensors {
    /// Same tensors, same bits.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner) || self.encoded() == other.encoded()
    }
}

impl Eq for Tensors {}

impl Default for Tensors {
    fn default() -> Self {
        Self::empty()
    }
}

impl fmt::Debug for Tensors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.encoded().len();
        f.debug_struct("Tensors").field("len", &self.len()).field("bytes", &bytes).finish()
    }
}

impl fmt::Debug for TensorRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}{:?}", self.name, self.dtype, self.shape)
    }
}

/// Refuses a tensor of bools that contains other bytes than 0 and 1.
pub(super) fn check_bools(name: &str, dtype: DType, bytes: &[u8]) -> Result<(), Error> {
    if dtype != DType::Bool {
        return Ok(());
    }
    match bytes.iter().position(|&byte| byte > 1) {
        Some(index) => Err(Error::tensor(name, Fault::Bool { index, byte: bytes[index] })),
        None => Ok(()),
    }
}
