//! What a learner that trains nothing replies with.

use std::collections::BTreeMap;

use flare_core::executor::{Error, Task, Update};
use flare_core::fault::Faults;
use flare_core::metric::{Direction, Metric};
use flare_core::names::{MAX_TEXT_NAME_BYTES, Name};
use flare_core::outcome::Weight;
use flare_core::tensor::{DType, Float, TensorInfo, Tensors};
use half::{bf16, f16};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A reply, put together from the task and these settings.
///
/// Each tensor of the reply has name, dtype and shape of the task's. Its elements are those of `tensors`, or
/// else scale times the task's element, plus offset (floats only; the rest stays as it is).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Answer {
    /// Elements of tensors by name, row-major; one element stands for all.
    pub tensors: BTreeMap<String, Vec<f64>>,
    /// What each element of the other floating-point tensors is multiplied by. Default: 1.
    pub scale: f64,
    /// What is added to it then. Default: 0.
    pub offset: f64,
    /// How many examples the reply stands for. Default: 1.
    pub examples: u64,
    /// A weight that is no count, instead of `examples`.
    pub weight: Option<f64>,
    /// What the learner measures when it evaluates.
    pub metrics: Vec<Measure>,
    /// Whether it reports, as the metric `input` of training, a number that differs where the task's tensors
    /// differ: their hash's first 52 bits. Default: false.
    pub report_input: bool,
    /// What is otherwise for single clients, by name.
    pub clients: BTreeMap<Name, Override>,
}

/// What is otherwise for one client.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Override {
    /// As `tensors`, whose other names stay.
    pub tensors: BTreeMap<String, Vec<f64>>,
    /// As `scale`.
    pub scale: Option<f64>,
    /// As `offset`.
    pub offset: Option<f64>,
    /// As `examples`.
    pub examples: Option<u64>,
    /// As `weight`.
    pub weight: Option<f64>,
    /// As `metrics`, all of which are replaced.
    pub metrics: Option<Vec<Measure>>,
}

/// One metric of an evaluation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Measure {
    /// Its name.
    pub name: String,
    /// Its value in each round, from the first; the last value stands for all later rounds. NaN may be given.
    pub values: Vec<f64>,
    /// How many examples stand behind it. Default: the reply's `examples`.
    #[serde(default)]
    pub examples: Option<u64>,
    /// Which way is better. Default: higher.
    #[serde(default = "higher")]
    pub direction: Direction,
}

fn check_metrics(metrics: &[Measure]) -> Result<(), Faults> {
    let mut faults = Faults::default();
    for (index, measure) in metrics.iter().enumerate() {
        let path = |field: &str| format!("[{index}].{field}");
        let some = !measure.values.is_empty();
        faults.expect(some, &path("values"), "[]", "at least one value");
        let fits = Metric::new(&measure.name, 0.0, 0.0, measure.direction).is_ok();
        let expected = format!("1 to {MAX_TEXT_NAME_BYTES} bytes without control characters");
        faults.expect(fits, &path("name"), format_args!("{:?}", measure.name), expected);
    }
    faults.result()
}

fn higher() -> Direction {
    Direction::HigherIsBetter
}

impl Default for Answer {
    fn default() -> Self {
        Self {
            tensors: BTreeMap::new(),
            scale: 1.0,
            offset: 0.0,
            examples: 1,
            weight: None,
            metrics: Vec::new(),
            report_input: false,
            clients: BTreeMap::new(),
        }
    }
}

impl Answer {
    /// Whether the metrics can be reported.
    ///
    /// # Errors
    /// Names those that cannot.
    pub fn check(&self) -> Result<(), Faults> {
        let mut faults = Faults::default();
        faults.part("metrics", check_metrics(&self.metrics));
        for (client, own) in &self.clients {
            let path = format!("clients.{client}.metrics");
            faults.part(&path, check_metrics(own.metrics.as_deref().unwrap_or_default()));
        }
        faults.result()
    }

    /// What one client replies with.
    #[must_use]
    pub fn of(&self, client: &Name) -> Self {
        let mut answer = Self { clients: BTreeMap::new(), ..self.clone() };
        let Some(own) = self.clients.get(client) else { return answer };
        answer.tensors.extend(own.tensors.clone());
        answer.scale = own.scale.unwrap_or(answer.scale);
        answer.offset = own.offset.unwrap_or(answer.offset);
        answer.examples = own.examples.unwrap_or(answer.examples);
        answer.weight = own.weight.or(answer.weight);
        answer.metrics = own.metrics.clone().unwrap_or(answer.metrics);
        answer
    }

    /// The reply to a training task.
    ///
    /// # Errors
    /// When `tensors` names one that the task lacks, or has another number of elements.
    pub fn update(&self, task: &Task) -> Result<Update, Error> {
        let input = &task.input.tensors;
        if let Some(name) = self.tensors.keys().find(|name| input.get(name).is_none()) {
            return Err(
                format!("the task has no tensor {name:?}, for which there are elements").into()
            );
        }
        let moves = self.scale != 1.0 || self.offset != 0.0;
        let tensors = match moves || !self.tensors.is_empty() {
            true => self.tensors(input)?,
            false => input.clone(),
        };
        let weight = match self.weight {
            Some(weight) => Weight::real(weight)?,
            None => Weight::Count(self.examples),
        };
        Ok(Update { tensors, weight, metrics: self.input_metric(input)? })
    }

    /// The metrics of an evaluation in round `round`.
    ///
    /// # Errors
    /// When a name or weight is refused.
    pub fn measure(&self, round: u64) -> Result<Vec<Metric>, Error> {
        let mut metrics = Vec::new();
        for measure in &self.metrics {
            let at = (round.max(1) as usize - 1).min(measure.values.len().saturating_sub(1));
            let value = measure.values.get(at).copied().unwrap_or(f64::NAN);
            let weight = measure.examples.unwrap_or(self.examples) as f64;
            metrics.push(Metric::new(&measure.name, value, weight, measure.direction)?);
        }
        Ok(metrics)
    }

    fn input_metric(&self, input: &Tensors) -> Result<Vec<Metric>, Error> {
        if !self.report_input {
            return Ok(Vec::new());
        }
        let [a, b, c, d, e, f, g, h, ..] = *input.hash().as_bytes();
        let short = (u64::from_le_bytes([a, b, c, d, e, f, g, h]) >> 12) as f64;
        Ok(vec![Metric::new("input", short, 1.0, Direction::HigherIsBetter)?])
    }

    fn tensors(&self, input: &Tensors) -> Result<Tensors, Error> {
        let mut output = input.to_mut();
        for (info, bytes) in output.slices_mut() {
            match self.tensors.get(&*info.name) {
                Some(elements) => write_all(info, bytes, elements)?,
                None if info.dtype.is_float() => {
                    map(info.dtype, bytes, |_, x| self.scale * x + self.offset);
                }
                None => {}
            }
        }
        Ok(output.finish())
    }
}

/// Writes the elements of one tensor; a single one stands for all.
fn write_all(info: &TensorInfo, bytes: &mut [u8], elements: &[f64]) -> Result<(), Error> {
    let (wanted, given) = (info.elements(), elements.len());
    if given != 1 && given != wanted {
        let name = flare_core::shown(&info.name);
        return Err(format!("tensor \"{name}\" has {wanted} elements, the settings {given}").into());
    }
    map(info.dtype, bytes, |at, _| if given == 1 { elements[0] } else { elements[at] });
    Ok(())
}

/// Replaces each element by what `make` says of its index and value, rounded to its dtype.
fn map(dtype: DType, bytes: &mut [u8], make: impl Fn(usize, f64) -> f64) {
    macro_rules! each {
        ($type:ty, $read:expr, $write:expr) => {
            for (at, bytes) in bytes.chunks_exact_mut(size_of::<$type>()).enumerate() {
                let mut raw = [0; size_of::<$type>()];
                raw.copy_from_slice(bytes);
                let value: f64 = $read(<$type>::from_le_bytes(raw));
                let made: $type = $write(make(at, value));
                bytes.copy_from_slice(&made.to_le_bytes());
            }
        };
    }
    match dtype {
        DType::F16 => each!(f16, f16::widen, f16::narrow),
        DType::Bf16 => each!(bf16, bf16::widen, bf16::narrow),
        DType::F32 => each!(f32, f64::from, |x| x as f32),
        DType::F64 => each!(f64, |x| x, |x| x),
        DType::I8 => each!(i8, f64::from, |x| x as i8),
        DType::I16 => each!(i16, f64::from, |x| x as i16),
        DType::I32 => each!(i32, f64::from, |x| x as i32),
        DType::I64 => each!(i64, |x| x as f64, |x| x as i64),
        DType::U8 => each!(u8, f64::from, |x| x as u8),
        DType::U16 => each!(u16, f64::from, |x| x as u16),
        DType::U32 => each!(u32, f64::from, |x| x as u32),
        DType::U64 => each!(u64, |x| x as f64, |x| x as u64),
        DType::Bool => each!(u8, f64::from, |x| u8::from(x != 0.0)),
    }
}
