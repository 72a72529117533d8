//! Slices of any element type.

use half::{bf16, f16};

use crate::tensor::DType;

macro_rules! values {
    ($($variant:ident($type:ty) = $dtype:ident,)*) => {
        /// The elements of a tensor, to read.
        #[derive(Debug, Clone, Copy)]
        pub enum Values<'a> {
            $(
                #[doc = concat!("Elements of [`DType::", stringify!($dtype), "`].")]
                $variant(&'a [$type]),
            )*
        }

        /// The elements of a tensor, to write.
        #[derive(Debug)]
        pub enum ValuesMut<'a> {
            $(
                #[doc = concat!("Elements of [`DType::", stringify!($dtype), "`].")]
                $variant(&'a mut [$type]),
            )*
        }

        impl<'a> Values<'a> {
            /// Reads bytes as elements of `dtype`; `None` if they are not aligned, not a whole
            /// number of elements, or a bool is neither 0 nor 1.
            pub fn cast(dtype: DType, bytes: &'a [u8]) -> Option<Self> {
                match dtype {
                    $(DType::$dtype => bytemuck::checked::try_cast_slice(bytes).ok().map(Self::$variant),)*
                }
            }

            /// The element type.
            pub fn dtype(&self) -> DType {
                match self {
                    $(Self::$variant(_) => DType::$dtype,)*
                }
            }

            /// The number of elements.
            pub fn len(&self) -> usize {
                match self {
                    $(Self::$variant(values) => values.len(),)*
                }
            }

            /// Whether there is no element.
            pub fn is_empty(&self) -> bool {
                self.len() == 0
            }
        }

        impl ValuesMut<'_> {
            /// The element type.
            pub fn dtype(&self) -> DType {
                match self {
                    $(Self::$variant(_) => DType::$dtype,)*
                }
            }

            /// The number of elements.
            pub fn len(&self) -> usize {
                match self {
                    $(Self::$variant(values) => values.len(),)*
                }
            }

            /// Whether there is no element.
            pub fn is_empty(&self) -> bool {
                self.len() == 0
            }
        }

        $(
            impl<'a> From<&'a [$type]> for Values<'a> {
                fn from(values: &'a [$type]) -> Self {
                    Self::$variant(values)
                }
            }

            impl<'a> From<&'a mut [$type]> for ValuesMut<'a> {
                fn from(values: &'a mut [$type]) -> Self {
                    Self::$variant(values)
                }
            }

            impl<'a> TryFrom<Values<'a>> for &'a [$type] {
                type Error = DType;

                /// Gives back the type that the elements have if it is another one.
                fn try_from(values: Values<'a>) -> Result<Self, DType> {
                    match values {
                        Values::$variant(values) => Ok(values),
                        other => Err(other.dtype()),
                    }
                }
            }

            impl<'a> TryFrom<ValuesMut<'a>> for &'a mut [$type] {
                type Error = DType;

                /// Gives back the type that the elements have if it is another one.
                fn try_from(values: ValuesMut<'a>) -> Result<Self, DType> {
                    match values {
                        ValuesMut::$variant(values) => Ok(values),
                        other => Err(other.dtype()),
                    }
                }
            }
        )*
    };
}

values! {
    F16(f16) = F16,
    Bf16(bf16) = Bf16,
    F32(f32) = F32,
    F64(f64) = F64,
    I8(i8) = I8,
    I16(i16) = I16,
    I32(i32) = I32,
    I64(i64) = I64,
    U8(u8) = U8,
    U16(u16) = U16,
    U32(u32) = U32,
    U64(u64) = U64,
    Bool(bool) = Bool,
}
