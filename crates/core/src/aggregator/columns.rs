//! Exact sums of all tensors of an operation's replies, and their encoding.

use std::sync::Arc;

use crate::executor::Error;
use crate::pool::Pool;
use crate::sums::{ExactSum, Values, ValuesMut, Weight};
use crate::tensor::{DType, Layout, TensorInfo, Tensors, TensorsMut};

use super::{Contribution, disagreement};

/// Exact sums of all tensors of the replies, by the layout of the first.
#[derive(Default)]
pub(super) struct Columns {
    pub(super) layout: Option<Layout>,
    sums: Vec<ExactSum>,
}

impl Columns {
    /// Takes the layout of the first replies, and checks that all have it.
    pub(super) fn agree(&mut self, replies: &[Contribution]) -> Result<(), Error> {
        for reply in replies {
            let layout = reply.tensors.layout();
            let first = self.layout.get_or_insert_with(|| layout.clone());
            if let Some(fault) = disagreement(first, layout) {
                return Err(format!("replies do not agree: {fault}").into());
            }
        }
        Ok(())
    }

    pub(super) fn fold(&mut self, replies: &[Contribution], pool: &dyn Pool) -> Result<(), Error> {
        if replies.is_empty() {
            return Ok(());
        }
        self.agree(replies)?;
        if self.sums.is_empty() {
            let empty = |info: &TensorInfo| ExactSum::new(info.dtype, info.elements());
            self.sums = self.layout.iter().flat_map(Layout::iter).map(empty).collect();
        }
        for (at, sum) in self.sums.iter_mut().enumerate() {
            sum.fold(&inputs(replies, at), pool)?;
        }
        Ok(())
    }

    /// One encoding of all sums: what the tensors are, then each sum with its length.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let Some(layout) = &self.layout else { return bytes };
        put(&mut bytes, &encode_layout(layout));
        self.sums.iter().for_each(|sum| put(&mut bytes, &sum.encode()));
        bytes
    }

    pub(super) fn merge(&mut self, partial: &[u8], pool: &dyn Pool) -> Result<(), Error> {
        if partial.is_empty() {
            return Ok(());
        }
        let mut rest = partial;
        let layout = decode_layout(take(&mut rest)?)?;
        let mut sums = Vec::with_capacity(layout.len());
        for info in layout.iter() {
            sums.push(ExactSum::decode(take(&mut rest)?, info.dtype, info.elements())?);
        }
        if !rest.is_empty() {
            return Err("a partial sum goes on after its end".into());
        }
        let Some(mine) = &self.layout else {
            (self.layout, self.sums) = (Some(layout), sums);
            return Ok(());
        };
        if let Some(fault) = disagreement(mine, &layout) {
            return Err(format!("partial sums do not agree: {fault}").into());
        }
        let pairs = self.sums.iter_mut().zip(&sums);
        Ok(pairs.into_iter().try_for_each(|(sum, other)| sum.merge(other, pool))?)
    }

    /// Folds the last replies and makes a tensor of each sum.
    pub(super) fn finish(
        mut self,
        last: &[Contribution],
        pool: &dyn Pool,
        dtype: impl Fn(&TensorInfo) -> DType,
        make: impl Fn(&TensorInfo, &ExactSum, &mut TensorsMut) -> Result<(), Error>,
    ) -> Result<Tensors, Error> {
        self.fold(last, pool)?;
        let layout = self.layout.ok_or("there is no reply to make a mean of")?;
        let mut out = Tensors::unwritten(&with_dtypes(&layout, dtype)?);
        for (info, sum) in layout.iter().zip(self.sums) {
            make(info, &sum, &mut out)?;
        }
        Ok(out.finish())
    }
}

/// Tensor `at` of each reply, with its weight.
pub(super) fn inputs(replies: &[Contribution], at: usize) -> Vec<(Weight, Values<'_>)> {
    replies.iter().map(|reply| (reply.weight, values(&reply.tensors, at))).collect()
}

/// Tensor `at` of a set, in the order of its data.
pub(super) fn values(tensors: &Tensors, at: usize) -> Values<'_> {
    let info = &tensors.layout().infos()[at];
    let values = Values::cast(info.dtype, &tensors.encoded()[info.range()]);
    values.expect("the set's invariant: aligned, whole elements, bools 0 or 1")
}

/// The same tensors with other element types.
fn with_dtypes(layout: &Layout, dtype: impl Fn(&TensorInfo) -> DType) -> Result<Layout, Error> {
    let infos = layout.iter().map(|info| (Arc::clone(&info.name), dtype(info), info.shape.clone()));
    Ok(Layout::new(infos)?)
}

fn encode_layout(layout: &Layout) -> Vec<u8> {
    let infos: Vec<(&str, &str, &[usize])> =
        layout.iter().map(|info| (&*info.name, info.dtype.name(), &*info.shape)).collect();
    postcard::to_allocvec(&infos).expect("plain data in memory always serialises")
}

fn decode_layout(bytes: &[u8]) -> Result<Layout, Error> {
    let infos: Vec<(String, String, Vec<usize>)> = postcard::from_bytes(bytes)?;
    let typed = |(name, dtype, shape): (String, String, Vec<usize>)| {
        let dtype = DType::parse(&dtype).ok_or("a partial sum has an unknown dtype")?;
        Ok::<_, Error>((name, dtype, shape))
    };
    Ok(Layout::new(infos.into_iter().map(typed).collect::<Result<Vec<_>, _>>()?)?)
}

fn put(bytes: &mut Vec<u8>, part: &[u8]) {
    bytes.extend((part.len() as u64).to_le_bytes());
    bytes.extend(part);
}

fn take<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], Error> {
    let cut = "a partial sum ends early";
    let (length, after) = rest.split_first_chunk().ok_or(cut)?;
    let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| cut)?;
    let (part, after) = after.split_at_checked(length).ok_or(cut)?;
    *rest = after;
    Ok(part)
}

/// Tensor `name` of `out`, to be written as its dtype has it.
pub(super) fn values_mut<'a>(out: &'a mut TensorsMut, name: &str) -> Result<ValuesMut<'a>, Error> {
    let dtype = out.layout().get(name).ok_or("the output lacks a tensor of its own layout")?.dtype;
    Ok(match dtype {
        DType::F16 => ValuesMut::F16(out.slice_mut(name)?),
        DType::Bf16 => ValuesMut::Bf16(out.slice_mut(name)?),
        DType::F32 => ValuesMut::F32(out.slice_mut(name)?),
        DType::F64 => ValuesMut::F64(out.slice_mut(name)?),
        DType::I8 => ValuesMut::I8(out.slice_mut(name)?),
        DType::I16 => ValuesMut::I16(out.slice_mut(name)?),
        DType::I32 => ValuesMut::I32(out.slice_mut(name)?),
        DType::I64 => ValuesMut::I64(out.slice_mut(name)?),
        DType::U8 => ValuesMut::U8(out.slice_mut(name)?),
        DType::U16 => ValuesMut::U16(out.slice_mut(name)?),
        DType::U32 => ValuesMut::U32(out.slice_mut(name)?),
        DType::U64 => ValuesMut::U64(out.slice_mut(name)?),
        DType::Bool => ValuesMut::Bool(out.slice_mut(name)?),
    })
}
