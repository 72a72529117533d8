//! The filter that bounds the norm of an update.

use flare_core::executor::Error;
use flare_core::fault::{Fault, Faults};
use flare_core::filter::{Filter, Passage, Point};
use flare_core::pattern::Pattern;
use flare_core::shareable::Shareable;
use flare_core::tensor::{DType, Float, TensorRef, Tensors};
use half::{bf16, f16};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Beyond this a difference of two numbers, or the norm of many, could leave the range of f64: they are halved
/// first.
const LARGE: f64 = 1e300;

/// Settings of `norm-clip`: an update whose Euclidean norm is above `max_norm` is shortened to it, u becoming
/// u min(1, max_norm / |u|), over all floating-point tensors together.
///
/// The update of a reply is its difference from the task's tensors (a tensor that the task lacks is taken as it
/// is); of a task, its tensors themselves. Integers and bools are neither measured nor changed. A NaN or an
/// infinity has no norm: it lets nothing through, and the error names tensor and element.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NormClip {
    /// The largest norm, above 0.
    pub max_norm: f64,
    /// Tensors, by name (`*` is any text, `?` any one character), that are neither measured nor changed. Default:
    /// none.
    #[serde(default)]
    pub keep_out: Vec<Pattern>,
}

/// The largest absolute difference, and the sum of the squares of all differences over it.
struct Measured {
    /// 1, or 0.5 where all numbers are halved so that none overflows.
    unit: f64,
    /// In halved numbers, if they are.
    largest: f64,
    squares: f64,
}

impl NormClip {
    /// The same, if the bound is one.
    ///
    /// # Errors
    /// When `max_norm` is not finite and above 0.
    pub fn checked(self) -> Result<Self, Faults> {
        let norm = self.max_norm;
        match norm.is_finite() && norm > 0.0 {
            true => Ok(self),
            false => Err(Fault::new("max_norm", norm, "a finite number above 0").into()),
        }
    }
}

impl Filter for NormClip {
    fn apply(&self, shareable: Shareable, passage: Passage<'_>) -> Result<Shareable, Error> {
        let base = match passage.point {
            Point::ReplyOut | Point::ReplyIn => passage.task,
            Point::TaskOut | Point::TaskIn => None,
        };
        let measured = |name: &str| !self.keep_out.iter().any(|pattern| pattern.matches(name));
        match clip(&shareable.tensors, base, self.max_norm, measured)? {
            Some(tensors) => Ok(Shareable { tensors, headers: shareable.headers }),
            None => Ok(shareable),
        }
    }
}

/// `tensors` with their difference from `base` shortened to the norm `max_norm`; `None` if it is not longer, so
/// that nothing is copied. Only tensors for whose name `measured` holds are measured and changed.
///
/// The norm is M sqrt(sum of (u / M)²) for the largest absolute value M, summed in f64 in the order of the data:
/// no square overflows, and none that counts underflows. New elements are computed in f64 and rounded once.
///
/// # Errors
/// When a number is not finite, or a tensor has another dtype or shape than in `base`.
pub fn clip(
    tensors: &Tensors,
    base: Option<&Tensors>,
    max_norm: f64,
    measured: impl Fn(&str) -> bool,
) -> Result<Option<Tensors>, Error> {
    let mut pairs = Vec::new();
    for tensor in tensors.iter().filter(|t| t.dtype.is_float() && measured(t.name)) {
        pairs.push((tensor, origin(tensor, base)?));
    }
    let Measured { unit, largest, squares } = measure(&pairs)?;
    let (norm, bound) = (libm::sqrt(squares), max_norm * unit / largest);
    if largest == 0.0 || norm <= bound {
        return Ok(None);
    }
    let scale = bound / norm;
    let mut clipped = tensors.to_mut();
    for (tensor, origin) in pairs {
        let mut origins = origin.map(Elements::of);
        clipped.map_floats(tensor.name, |_, x| {
            let origin = origins.as_mut().and_then(Iterator::next).unwrap_or(0.0);
            origin + (x * unit - origin * unit) * scale / unit
        })?;
    }
    Ok(Some(clipped.finish()))
}

/// The tensor of the base from which `tensor` differs, if there is one.
fn origin<'a>(
    tensor: TensorRef<'_>,
    base: Option<&'a Tensors>,
) -> Result<Option<TensorRef<'a>>, Error> {
    let Some(origin) = base.and_then(|base| base.get(tensor.name)) else { return Ok(None) };
    if (origin.dtype, origin.shape) != (tensor.dtype, tensor.shape) {
        return Err(
            format!("the reply's tensor {tensor:?} differs from the task's, {origin:?}").into()
        );
    }
    Ok(Some(origin))
}

type Pair<'a> = (TensorRef<'a>, Option<TensorRef<'a>>);

fn measure(pairs: &[Pair<'_>]) -> Result<Measured, Error> {
    let (mut large, mut fault) = (false, None);
    each(pairs, |tensor, at, x, origin| {
        large |= x.abs() > LARGE || origin.abs() > LARGE;
        if !(x.is_finite() && origin.is_finite()) && fault.is_none() {
            fault = Some((tensor.name.to_owned(), at));
        }
    });
    if let Some((name, at)) = fault {
        let name = flare_core::shown(&name).to_string();
        return Err(format!("tensor \"{name}\" has no norm: its element {at} is not finite").into());
    }
    let unit = if large { 0.5 } else { 1.0 };
    let mut largest = 0.0f64;
    each(pairs, |_, _, x, origin| largest = largest.max((x * unit - origin * unit).abs()));
    let mut squares = 0.0;
    each(pairs, |_, _, x, origin| {
        let part = (x * unit - origin * unit) / largest;
        squares += part * part;
    });
    Ok(Measured { unit, largest, squares })
}

/// Calls `see` with each element: its tensor, its index, its value, and what it differs from.
fn each(pairs: &[Pair<'_>], mut see: impl FnMut(&TensorRef<'_>, usize, f64, f64)) {
    for (tensor, origin) in pairs {
        let mut origins = origin.map(Elements::of);
        for (at, x) in Elements::of(*tensor).enumerate() {
            see(tensor, at, x, origins.as_mut().and_then(Iterator::next).unwrap_or(0.0));
        }
    }
}

/// The elements of a floating-point tensor, as f64.
enum Elements<'a> {
    F16(std::slice::Iter<'a, f16>),
    Bf16(std::slice::Iter<'a, bf16>),
    F32(std::slice::Iter<'a, f32>),
    F64(std::slice::Iter<'a, f64>),
}

impl<'a> Elements<'a> {
    fn of(tensor: TensorRef<'a>) -> Self {
        match tensor.dtype {
            DType::F16 => Self::F16(tensor.as_slice().unwrap_or_default().iter()),
            DType::Bf16 => Self::Bf16(tensor.as_slice().unwrap_or_default().iter()),
            DType::F32 => Self::F32(tensor.as_slice().unwrap_or_default().iter()),
            _ => Self::F64(tensor.as_slice().unwrap_or_default().iter()),
        }
    }
}

impl Iterator for Elements<'_> {
    type Item = f64;

    fn next(&mut self) -> Option<f64> {
        match self {
            Self::F16(elements) => elements.next().map(|x| x.widen()),
            Self::Bf16(elements) => elements.next().map(|x| x.widen()),
            Self::F32(elements) => elements.next().map(|x| x.widen()),
            Self::F64(elements) => elements.next().map(|x| x.widen()),
        }
    }
}
