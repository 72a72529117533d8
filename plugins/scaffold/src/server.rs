//! One step of the server: what is sent, and what the clients' means make of it.

use std::sync::Arc;

use flare_core::controller::Error;
use flare_core::rounds::Standing;
use flare_core::tensor::{DType, Layout, TensorInfo, Tensors};

use crate::CONTROL;

/// How many of all clients replied with something.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Share {
    /// Those whose reply has a weight, |S|.
    pub(crate) counted: usize,
    /// All clients of the roster, N.
    pub(crate) clients: usize,
}

/// The standing with the server's control variate, which is 0 before the first round: f64, under the names
/// of the model's floating-point tensors.
pub(crate) fn with_control(before: Standing) -> Result<Standing, Error> {
    let infos =
        floats(&before.model).map(|info| (Arc::clone(&info.name), DType::F64, info.shape.clone()));
    let layout = Layout::new(infos)?;
    if before.state.layout() == &layout {
        return Ok(before);
    }
    if !before.state.is_empty() {
        return Err("the control variate in the checkpoint is of another model".into());
    }
    Ok(Standing { state: Tensors::zeros(&layout), ..before })
}

/// The model's tensors and the server's control variates, each in its tensor's dtype.
pub(crate) fn sent(before: &Standing) -> Result<Tensors, Error> {
    let model = before.model.layout().iter();
    let plain = model.map(|info| (info.name.to_string(), info.dtype, info.shape.clone()));
    let controls =
        floats(&before.model).map(|info| (control(info), info.dtype, info.shape.clone()));
    let mut sent = Tensors::builder(&Layout::new(plain.chain(controls))?);
    for (info, place) in sent.slices_mut() {
        if let Some(tensor) = before.model.get(&info.name) {
            place.copy_from_slice(tensor.bytes);
        }
    }
    for info in floats(&before.model) {
        let c = before.state.slice::<f64>(&info.name)?;
        sent.map_floats(&control(info), |at, _| c[at])?;
    }
    Ok(sent.finish())
}

/// The standing after a round whose means, in f64 where they are of floats, are `mean`: x moves by eta times
/// the mean difference, c by |S| / N times the mean of what clients added to their own.
pub(crate) fn step(
    before: &Standing,
    mean: &Tensors,
    eta: f64,
    share: Share,
) -> Result<Standing, Error> {
    let (mut model, mut state) = (before.model.to_mut(), before.state.to_mut());
    for (info, place) in model.slices_mut() {
        let Some(found) = mean.get(&info.name) else { continue };
        if !info.dtype.is_float() && found.dtype == info.dtype {
            place.copy_from_slice(found.bytes);
        }
    }
    let part = share.counted as f64 / share.clients as f64;
    for info in floats(&before.model) {
        let of_model = mean.slice::<f64>(&info.name)?;
        model.map_floats(&info.name, |at, x| match eta == 1.0 {
            true => of_model[at],
            false => x + eta * (of_model[at] - x),
        })?;
        let added = mean.slice::<f64>(&control(info)).map_err(|_| lacks_control(info))?;
        state.map_floats(&info.name, |at, c| c + part * added[at])?;
    }
    Ok(Standing { model: model.finish(), state: state.finish() })
}

fn floats(model: &Tensors) -> impl Iterator<Item = &TensorInfo> {
    model.layout().iter().filter(|info| info.dtype.is_float())
}

fn control(info: &TensorInfo) -> String {
    format!("{CONTROL}{}", info.name)
}

fn lacks_control(info: &TensorInfo) -> String {
    let name = flare_core::shown(&info.name);
    format!(
        "the replies have no tensor \"{CONTROL}{name}\": SCAFFOLD needs a learner that knows control variates"
    )
}
