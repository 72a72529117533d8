//! SCAFFOLD's control variates: from the task, from the client's state, and back.

use flare_core::executor::{Context, Error, Task};
use flare_core::tensor::{DType, Layout, Tensors};

use crate::{BIAS, WEIGHTS};

/// What precedes a tensor's name to name its control variate.
pub(crate) const PREFIX: &str = "control/";
/// The task's header that says by which rule the client renews its variate: 1 or 2. Default: 2.
pub(crate) const OPTION: &str = "scaffold_option";

/// The control variates of both tensors: the server's c and the client's c_i.
pub(crate) struct Control {
    server: Tensors,
    own: Tensors,
    /// Whether c_i becomes the gradient at the task's model (option I), not the mean one on the way.
    pub(crate) by_gradient: bool,
}

/// The tensors of the model, in which everything here is.
pub(crate) const PARTS: [&str; 2] = [WEIGHTS, BIAS];

impl Control {
    /// The control variates, if the task has any. A client without state begins with zeros.
    ///
    /// # Errors
    /// When the task has only one of them, or the client's state is of another model.
    pub(crate) fn of(task: &Task, ctx: &Context<'_>) -> Result<Option<Self>, Error> {
        let tensors = &task.input.tensors;
        if !tensors.iter().any(|tensor| tensor.name.starts_with(PREFIX)) {
            return Ok(None);
        }
        let layout = layout(tensors, "")?;
        let mut server = Tensors::builder(&layout);
        for part in PARTS {
            let sent = tensors.slice::<f32>(&format!("{PREFIX}{part}"))?;
            server.slice_mut::<f32>(part)?.copy_from_slice(fitting(sent, part, &layout)?);
        }
        let own = match ctx.state() {
            Some(state) => Tensors::decode(state.clone())?,
            None => Tensors::zeros(&layout),
        };
        if *own.layout() != layout {
            return Err(
                "the client's control variate is of another model: its state does not fit".into()
            );
        }
        let by_gradient = match task.input.headers.get(OPTION).map(|option| option.as_i64()) {
            None | Some(Some(2)) => false,
            Some(Some(1)) => true,
            _ => return Err(format!("the header {OPTION} must be 1 or 2").into()),
        };
        Ok(Some(Self { server: server.finish(), own, by_gradient }))
    }

    /// c and c_i of one tensor.
    pub(crate) fn part(&self, part: &str) -> Result<(&[f32], &[f32]), Error> {
        Ok((self.server.slice(part)?, self.own.slice(part)?))
    }

    /// Option II: c_i - c + (x - y) / (steps x rate), for the model x that the task began with and y that it
    /// ended with.
    pub(crate) fn on_the_way(
        &self,
        before: &Tensors,
        after: &Tensors,
        steps: u64,
        rate: f32,
    ) -> Result<Tensors, Error> {
        let mut renewed = Tensors::builder(self.own.layout());
        let scale = steps as f32 * rate;
        for part in PARTS {
            let (server, own) = self.part(part)?;
            let (x, y) = (before.slice::<f32>(part)?, after.slice::<f32>(part)?);
            let out = renewed.slice_mut::<f32>(part)?;
            for (index, out) in out.iter_mut().enumerate() {
                *out = own[index] - server[index] + (x[index] - y[index]) / scale;
            }
        }
        Ok(renewed.finish())
    }

    /// The reply of a SCAFFOLD round: the model, and for each tensor the renewed variate less the old one.
    pub(crate) fn reply(&self, model: &Tensors, renewed: &Tensors) -> Result<Tensors, Error> {
        let both = model.layout().iter().map(|info| (info.name.to_string(), info.shape.clone()));
        let controls = PARTS.map(|part| (format!("{PREFIX}{part}"), part));
        let mut described: Vec<(String, DType, Vec<usize>)> =
            both.map(|(name, shape)| (name, DType::F32, shape)).collect();
        for (name, part) in &controls {
            described.push((name.clone(), DType::F32, model.require(part)?.shape.to_vec()));
        }
        let mut reply = Tensors::builder(&Layout::new(described)?);
        for (name, part) in &controls {
            reply.slice_mut::<f32>(part)?.copy_from_slice(model.slice(part)?);
            let (old, new) = (self.own.slice::<f32>(part)?, renewed.slice::<f32>(part)?);
            for ((out, new), old) in reply.slice_mut::<f32>(name)?.iter_mut().zip(new).zip(old) {
                *out = new - old;
            }
        }
        Ok(reply.finish())
    }

    /// The client's variate as the task found it.
    pub(crate) fn unchanged(&self) -> &Tensors {
        &self.own
    }
}

/// The layout of the model's two tensors.
pub(crate) fn layout(tensors: &Tensors, prefix: &str) -> Result<Layout, Error> {
    let mut parts = Vec::new();
    for part in PARTS {
        let tensor = tensors.require(&format!("{prefix}{part}"))?;
        parts.push((part, tensor.dtype, tensor.shape.to_vec()));
    }
    Ok(Layout::new(parts)?)
}

fn fitting<'a>(sent: &'a [f32], part: &str, layout: &Layout) -> Result<&'a [f32], Error> {
    let wanted = layout.get(part).map_or(0, |info| info.elements());
    if sent.len() != wanted {
        let found = sent.len();
        return Err(format!("{PREFIX}{part} has {found} elements, {part} has {wanted}").into());
    }
    Ok(sent)
}
