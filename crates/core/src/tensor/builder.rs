//! Making tensors: a zeroed buffer of a given layout, to be filled in place.

use bytes::Bytes;
use half::{bf16, f16};

use super::{DType, Element, Error, Fault, Layout, TensorInfo, Tensors};
use crate::pages::Pages;

/// Tensors of a fixed layout whose elements can be written.
pub struct TensorsMut {
    layout: Layout,
    bytes: Pages,
}

/// The elements of a tensor that is to be copied, in a slice of the type that they have.
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "each is the DType of its name")]
pub enum TensorData<'a> {
    F16(&'a [f16]),
    Bf16(&'a [bf16]),
    F32(&'a [f32]),
    F64(&'a [f64]),
    I8(&'a [i8]),
    I16(&'a [i16]),
    I32(&'a [i32]),
    I64(&'a [i64]),
    U8(&'a [u8]),
    U16(&'a [u16]),
    U32(&'a [u32]),
    U64(&'a [u64]),
    Bool(&'a [bool]),
}

impl Tensors {
    /// A zeroed buffer of that layout, to be filled.
    pub fn builder(layout: &Layout) -> TensorsMut {
        TensorsMut::over(Pages::zeroed(layout.total()), layout)
    }

    /// A buffer of that layout of which every element is to be written before it is read. Bools are
    /// false: other bytes would be no bools.
    pub(crate) fn unwritten(layout: &Layout) -> TensorsMut {
        let mut tensors = TensorsMut::over(Pages::unwritten(layout.total()), layout);
        for (info, bytes) in tensors.slices_mut() {
            if info.dtype == DType::Bool {
                bytes.fill(0);
            }
        }
        tensors
    }

    /// Tensors that are all zero (false).
    pub fn zeros(layout: &Layout) -> Self {
        Self::builder(layout).finish()
    }

    /// Copies plain slices, each with its name and shape.
    ///
    /// # Errors
    /// As [`Layout::new`]; [`Fault::Elements`] if a slice and its shape differ.
    pub fn from_slices<'a>(
        tensors: impl IntoIterator<Item = (&'a str, &'a [usize], TensorData<'a>)>,
    ) -> Result<Self, Error> {
        let tensors: Vec<_> = tensors.into_iter().collect();
        let described = tensors.iter().map(|&(name, shape, data)| (name, data.dtype(), shape));
        let layout = Layout::new(described)?;
        let mut builder = Self::builder(&layout);
        for (name, shape, data) in tensors {
            let info = layout.require(name)?;
            let (needed, given) = (info.elements(), data.elements());
            if needed != given {
                let shape = shape.to_vec();
                return Err(Error::tensor(name, Fault::Elements { shape, needed, given }));
            }
            builder.bytes[info.range.clone()].copy_from_slice(data.bytes());
        }
        Ok(builder.finish())
    }

    /// A copy that can be written.
    pub fn to_mut(&self) -> TensorsMut {
        let mut copy = Self::unwritten(self.layout());
        let data = &self.encoded()[self.layout().prefix().len()..];
        copy.data_mut().copy_from_slice(data);
        copy
    }
}

impl TensorsMut {
    fn over(mut bytes: Pages, layout: &Layout) -> Self {
        let prefix = layout.prefix();
        bytes[..prefix.len()].copy_from_slice(prefix);
        Self { layout: layout.clone(), bytes }
    }

    /// Which tensors there are.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The elements of the tensor of that name, row-major.
    ///
    /// # Errors
    /// [`Error::Missing`]; [`Error::WrongType`] if they are no `T`; [`Fault::Bool`] if other bytes
    /// than 0 and 1 were written to a tensor of bools.
    pub fn slice_mut<T: Element>(&mut self, name: &str) -> Result<&mut [T], Error> {
        let info = self.layout.require(name)?;
        if T::DTYPE != info.dtype {
            let name = name.to_owned();
            return Err(Error::WrongType { name, wanted: T::DTYPE, actual: info.dtype });
        }
        let range = info.range.clone();
        let bytes = &mut self.bytes[range];
        super::set::check_bools(name, T::DTYPE, bytes)?;
        let elements = bytemuck::checked::try_cast_slice_mut(bytes);
        Ok(elements.expect("a layout's ranges are aligned whole elements, bools are checked above"))
    }

    /// All tensors at once, in the order of their data: each with its bytes, which are aligned to
    /// its elements, little-endian and row-major. Of a bool, each byte that is not 0 is true.
    pub fn slices_mut(&mut self) -> impl ExactSizeIterator<Item = (&TensorInfo, &mut [u8])> {
        let start = self.layout.prefix().len();
        let mut rest = &mut self.bytes[start..];
        self.layout.iter().map(move |info| {
            let (bytes, after) = std::mem::take(&mut rest).split_at_mut(info.bytes());
            rest = after;
            (info, bytes)
        })
    }

    /// All data, one tensor behind the other.
    pub(super) fn data_mut(&mut self) -> &mut [u8] {
        let start = self.layout.prefix().len();
        &mut self.bytes[start..]
    }

    /// The finished tensors. Copies nothing.
    pub fn finish(mut self) -> Tensors {
        for (info, bytes) in self.slices_mut() {
            if info.dtype == DType::Bool {
                bytes.iter_mut().for_each(|byte| *byte = u8::from(*byte != 0));
            }
        }
        Tensors::trusted(self.layout, Bytes::from_owner(self.bytes))
    }
}

impl std::fmt::Debug for TensorsMut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TensorsMut").field("layout", &self.layout).finish_non_exhaustive()
    }
}

macro_rules! tensor_data {
    ($($dtype:ident($type:ty)),* $(,)?) => {
        impl TensorData<'_> {
            /// The type of the elements.
            pub const fn dtype(&self) -> DType {
                match self {
                    $(Self::$dtype(_) => DType::$dtype,)*
                }
            }

            /// How many elements there are.
            pub const fn elements(&self) -> usize {
                match self {
                    $(Self::$dtype(elements) => elements.len(),)*
                }
            }

            fn bytes(&self) -> &[u8] {
                match self {
                    $(Self::$dtype(elements) => bytemuck::cast_slice(elements),)*
                }
            }
        }

        $(impl<'a> From<&'a [$type]> for TensorData<'a> {
            fn from(elements: &'a [$type]) -> Self {
                Self::$dtype(elements)
            }
        })*
    };
}

tensor_data! {
    F16(f16), Bf16(bf16), F32(f32), F64(f64), I8(i8), I16(i16), I32(i32), I64(i64),
    U8(u8), U16(u16), U32(u32), U64(u64), Bool(bool),
}
