//! `flare model`: what is in a model file.

use std::path::Path;

use anyhow::{Context, anyhow};
use flare::tensor::Tensors;
use flare::{Hash, shown};

use crate::exit::{Exit, Failure, Result};
use crate::out;
use crate::table::{Side, lines};

/// Lists tensors and hash.
pub(crate) fn show(file: &Path) -> Result<()> {
    out::write(&described(file)?)
}

fn described(file: &Path) -> Result<String> {
    let origin = shown(&file.to_string_lossy()).to_string();
    let bytes = std::fs::read(file)
        .with_context(|| format!("reading model {origin}"))
        .map_err(|error| Failure::new(Exit::Input, error))?;
    let read = Hash::of(&bytes);
    let tensors = Tensors::decode(bytes).map_err(|error| {
        let error = anyhow!(error).context(format!("model {origin} is no safetensors file"));
        Failure::new(Exit::Input, error)
    })?;
    Ok(text(&tensors, read))
}

fn text(tensors: &Tensors, read: Hash) -> String {
    let mut rows = vec![["tensor", "dtype", "shape", "bytes"].map(str::to_owned)];
    let mut bytes = 0;
    for tensor in tensors.iter() {
        bytes += tensor.bytes.len();
        rows.push([
            shown(tensor.name).to_string(),
            tensor.dtype.to_string(),
            format!("{:?}", tensor.shape),
            tensor.bytes.len().to_string(),
        ]);
    }
    let mut text = lines([Side::Left, Side::Left, Side::Left, Side::Right], &rows);
    let elements: usize = tensors.iter().map(|tensor| tensor.elements()).sum();
    text.push_str(&format!("\ntensors   {}\nelements  {elements}\n", tensors.len()));
    text.push_str(&format!("bytes     {bytes}\nhash      {}\n", tensors.hash()));
    if read != tensors.hash() {
        // Other programs order and pad otherwise; the model's hash is that of Flare's own form.
        text.push_str(&format!("file      {read}\n"));
    }
    text
}
