//! One step of the server: an optimiser over all tensors of a model.

use flare_core::controller::Error;
use flare_core::pattern::Pattern;
use flare_core::rounds::Standing;
use flare_core::tensor::{DType, Float, Layout, TensorInfo, Tensors, TensorsMut};

use crate::Optimizer;

/// The standing with the mean for its model. A tensor that the replies lack, since a filter excluded it, stays
/// as it was.
pub(crate) fn take(before: Standing, mean: Tensors) -> Result<Standing, Error> {
    if mean.layout() == before.model.layout() {
        return Ok(Standing { model: mean, ..before });
    }
    let mut model = before.model.to_mut();
    for info in before.model.layout().iter() {
        keep(info, &mean, &mut model)?;
    }
    Ok(Standing { model: model.finish(), ..before })
}

/// The standing after a step of `round` along `aggregate`, which has, of each tensor that is stepped, the
/// mean difference in f64, and of each other its plain mean.
pub(crate) fn step(
    optimizer: &Optimizer,
    keep_out: &[Pattern],
    round: u64,
    before: &Standing,
    aggregate: &Tensors,
) -> Result<Standing, Error> {
    let mut model = before.model.to_mut();
    let mut memory = recall(optimizer, keep_out, before)?;
    for info in before.model.layout().iter() {
        if !is_stepped(info, keep_out) {
            keep(info, aggregate, &mut model)?;
            continue;
        }
        if aggregate.get(&info.name).is_none() {
            continue;
        }
        let difference = aggregate.slice::<f64>(&info.name)?;
        let memory = memory.slice_mut::<f64>(&info.name)?;
        match info.dtype {
            DType::F16 => {
                step_in::<half::f16>(optimizer, round, info, &mut model, difference, memory)?
            }
            DType::Bf16 => {
                step_in::<half::bf16>(optimizer, round, info, &mut model, difference, memory)?
            }
            DType::F32 => step_in::<f32>(optimizer, round, info, &mut model, difference, memory)?,
            _ => step_in::<f64>(optimizer, round, info, &mut model, difference, memory)?,
        }
    }
    Ok(Standing { model: model.finish(), state: memory.finish() })
}

fn is_stepped(info: &TensorInfo, keep_out: &[Pattern]) -> bool {
    info.dtype.is_float() && !keep_out.iter().any(|pattern| pattern.matches(&info.name))
}

fn step_in<T: Float>(
    optimizer: &Optimizer,
    round: u64,
    info: &TensorInfo,
    model: &mut TensorsMut,
    difference: &[f64],
    memory: &mut [f64],
) -> Result<(), Error> {
    optimizer.step(round, model.slice_mut::<T>(&info.name)?, difference, memory);
    Ok(())
}

/// Takes a tensor's plain mean as it is, if the replies had it.
fn keep(info: &TensorInfo, aggregate: &Tensors, model: &mut TensorsMut) -> Result<(), Error> {
    let Some(mean) = aggregate.get(&info.name) else { return Ok(()) };
    let place = model.slices_mut().find(|(known, _)| known.name == info.name);
    let (_, place) = place.ok_or("the model lost a tensor")?;
    if mean.dtype != info.dtype || mean.bytes.len() != place.len() {
        let name = flare_core::shown(&info.name);
        return Err(
            format!("the mean of tensor \"{name}\" is {mean:?}, the model's {info:?}").into()
        );
    }
    place.copy_from_slice(mean.bytes);
    Ok(())
}

/// The optimiser's memory: under the name of each tensor that is stepped, f64 of shape
/// [kinds of memory, elements]; as it is before the first round if there is none yet.
fn recall(
    optimizer: &Optimizer,
    keep_out: &[Pattern],
    before: &Standing,
) -> Result<TensorsMut, Error> {
    let kinds = optimizer.memory();
    let stepped = before.model.layout().iter().filter(|info| is_stepped(info, keep_out));
    let infos = stepped.map(|info| {
        let name = std::sync::Arc::clone(&info.name);
        (name, DType::F64, vec![kinds.len(), info.elements()])
    });
    let layout = Layout::new(infos)?;
    if before.state.layout() == &layout {
        return Ok(before.state.to_mut());
    }
    if !before.state.is_empty() {
        return Err("the optimiser's memory in the checkpoint is of another model".into());
    }
    let mut memory = Tensors::builder(&layout);
    for info in layout.iter() {
        let place = memory.slice_mut::<f64>(&info.name)?;
        let elements = info.shape.get(1).copied().unwrap_or(0);
        for (at, kind) in kinds.iter().enumerate() {
            place[at * elements..(at + 1) * elements].fill(optimizer.at_first(*kind));
        }
    }
    Ok(memory)
}
