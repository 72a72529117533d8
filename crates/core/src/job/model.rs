//! The model that training starts from (contract 30): a file, or tensors by name, shape and init.

use half::{bf16, f16};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Fault;
use crate::random::{OperationKey, Stream, StreamId};
use crate::tensor::{self, DType, Layout, MAX_NAME, MAX_RANK, Tensors, TensorsMut};

/// The largest initial model that a job describes, in bytes.
pub const MAX_MODEL_BYTES: usize = 64 << 30;

/// The model that training starts from: a file, or a list of tensors. Without either it has no tensors.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Model {
    /// A safetensors file, relative to the job file.
    pub file: Option<String>,
    /// The tensors, if there is no file.
    pub tensors: Vec<TensorSpec>,
}

/// One tensor of the initial model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TensorSpec {
    /// Its name: any text without control characters.
    pub name: String,
    /// The type of its elements.
    #[serde(default)]
    pub dtype: ElementType,
    /// Its dimensions, row-major; none for a scalar.
    pub shape: Vec<u64>,
    /// What it holds at first.
    #[serde(default)]
    pub init: Init,
}

/// What a tensor holds at first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Init {
    /// Zeros.
    #[default]
    Zeros,
    /// Normal draws of mean 0 and this standard deviation, from the stream of the seed that is named by
    /// the tensor; floating-point tensors only.
    Normal(f64),
}

/// The type of a tensor's elements, as jobs write it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum ElementType {
    F16,
    Bf16,
    #[default]
    F32,
    F64,
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    Bool,
}

impl From<ElementType> for DType {
    fn from(element: ElementType) -> Self {
        match element {
            ElementType::F16 => Self::F16,
            ElementType::Bf16 => Self::Bf16,
            ElementType::F32 => Self::F32,
            ElementType::F64 => Self::F64,
            ElementType::I8 => Self::I8,
            ElementType::I16 => Self::I16,
            ElementType::I32 => Self::I32,
            ElementType::I64 => Self::I64,
            ElementType::U8 => Self::U8,
            ElementType::U16 => Self::U16,
            ElementType::U32 => Self::U32,
            ElementType::U64 => Self::U64,
            ElementType::Bool => Self::Bool,
        }
    }
}

impl Model {
    /// The listed tensors as they are at first. A tensor's draws come from the stream for `init` that is
    /// labelled by its name, so that a further tensor changes no other.
    ///
    /// # Errors
    /// When names, shapes or sizes cannot be.
    pub fn initial(&self, seed: u64) -> Result<Tensors, tensor::Error> {
        let mut tensors = Tensors::builder(&self.layout()?);
        for spec in &self.tensors {
            let Init::Normal(deviation) = spec.init else { continue };
            let label = OperationKey::Label(&spec.name);
            let stream = StreamId::new(seed, "init").operation(label).stream();
            fill(&mut tensors, spec, stream, deviation)?;
        }
        Ok(tensors.finish())
    }

    fn layout(&self) -> Result<Layout, tensor::Error> {
        Layout::new(self.tensors.iter().map(TensorSpec::described))
    }

    pub(super) fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        if let Some(file) = self.file.as_ref().filter(|_| !self.tensors.is_empty()) {
            let expected = "either `file` or `tensors`, not both";
            faults.push(Fault::new("model.file", format_args!("{file:?}"), expected));
        }
        for (index, spec) in self.tensors.iter().enumerate() {
            spec.faults(index, &mut faults);
            if self.tensors[..index].iter().any(|before| before.name == spec.name) {
                let path = format!("model.tensors[{index}].name");
                faults.push(Fault::new(path, format_args!("{:?}", spec.name), "each name once"));
            }
        }
        if faults.is_empty() {
            faults.extend(self.size_fault());
        }
        faults
    }

    fn size_fault(&self) -> Option<Fault> {
        match self.layout() {
            Ok(layout) if layout.total() <= MAX_MODEL_BYTES => None,
            Ok(layout) => {
                let expected = format!("at most {MAX_MODEL_BYTES} bytes");
                Some(Fault::new("model", format!("{} bytes", layout.total()), expected))
            }
            Err(error) => Some(Fault::new("model.tensors", error, "tensors that can be laid out")),
        }
    }
}

impl TensorSpec {
    fn described(&self) -> (&str, DType, Vec<usize>) {
        // A dimension that does not fit is refused by the layout, as any that is too large.
        let size = |size: &u64| usize::try_from(*size).unwrap_or(usize::MAX);
        (&self.name, self.dtype.into(), self.shape.iter().map(size).collect())
    }

    fn faults(&self, index: usize, faults: &mut Vec<Fault>) {
        let path = |field: &str| format!("model.tensors[{index}].{field}");
        let (name, dtype, shape) = self.described();
        let fits = |name, shape| Layout::new([(name, dtype, shape)]).is_ok();
        if !fits(name, Vec::new()) {
            let expected = format!(
                "1 to {MAX_NAME} bytes without control characters, and not \"__metadata__\""
            );
            faults.push(Fault::new(path("name"), format_args!("{name:?}"), expected));
        }
        if !fits("tensor", shape) {
            let expected =
                format!("at most {MAX_RANK} dimensions, and no more bytes than can be addressed");
            faults.push(Fault::new(path("shape"), format_args!("{:?}", self.shape), expected));
        }
        let Init::Normal(deviation) = self.init else { return };
        if !deviation.is_finite() || deviation < 0.0 {
            let expected = "a finite standard deviation of at least 0";
            faults.push(Fault::new(path("init.normal"), deviation, expected));
        }
        if !DType::from(self.dtype).is_float() {
            let expected = "\"zeros\": only floating-point tensors can be drawn";
            faults.push(Fault::new(path("init"), "{ normal = … }", expected));
        }
    }
}

fn fill(
    tensors: &mut TensorsMut,
    spec: &TensorSpec,
    mut stream: Stream,
    deviation: f64,
) -> Result<(), tensor::Error> {
    let name = spec.name.as_str();
    let mut next = || stream.normal() * deviation;
    match spec.dtype {
        ElementType::F16 => {
            tensors.slice_mut::<f16>(name)?.fill_with(|| f16::from_f64(next()));
        }
        ElementType::Bf16 => {
            tensors.slice_mut::<bf16>(name)?.fill_with(|| bf16::from_f64(next()));
        }
        ElementType::F64 => tensors.slice_mut::<f64>(name)?.fill_with(next),
        _ => tensors.slice_mut::<f32>(name)?.fill_with(|| next() as f32),
    }
    Ok(())
}
