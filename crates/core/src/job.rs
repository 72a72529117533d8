//! Jobs: a controller and a learner with their configuration, clients, model and data, as typed data.
//!
//! A [`Job`] is what a job file says, whatever the text format; text is read by the facade. Doc comments
//! here are the reference text, and the descriptions in the JSON schema that editors show.
//!
//! *Invariant*: a job holds nothing of the machine it runs on. What decides about the result is in its
//! [`hash`](Job::hash); paths are not, the content behind them is.

mod check;
mod clients;
mod data;
mod flat;
mod model;
mod replies;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::component::ComponentSpec;
use crate::hash::Hash;
use crate::names::Name;
use crate::value::{self, Value};

pub use crate::fault::Fault;
pub use clients::Clients;
pub use data::{Data, HeldOut};
pub use flat::{FilterAt, Flat};
pub use model::{ElementType, Init, MAX_MODEL_BYTES, Model, TensorSpec};
pub use replies::Asked;

/// What is learned, by whom, from what, and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// The job's name.
    pub name: Name,
    /// The seed of all random streams: one seed, one model.
    #[serde(default)]
    pub seed: u64,
    /// Who takes part.
    pub clients: Clients,
    /// The workflow: its `kind`, and its own fields beside it.
    #[serde(with = "flat")]
    #[schemars(with = "Flat")]
    pub controller: ComponentSpec,
    /// The training code at the clients: its `kind`, and its own fields beside it.
    #[serde(with = "flat")]
    #[schemars(with = "Flat")]
    pub learner: ComponentSpec,
    /// The model that training starts from.
    #[serde(default)]
    pub model: Model,
    /// The data, and how they are dealt out to the clients. Absent for jobs without data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Data>,
    /// What changes or stops shareables on their way, in this order.
    #[serde(default)]
    pub filters: Vec<FilterAt>,
    /// Failures that are injected on purpose, from the seed, to study them: a table that the local
    /// transport takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub faults: Option<Value>,
    /// What the closing table compares the federation's model with.
    #[serde(default)]
    pub report: Report,
}

/// What the federation's model is compared with when the run is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Report {
    /// The same learner on the union of all clients' data, for as many epochs.
    pub central: bool,
    /// The mean of models that each client trains alone, for as many epochs.
    pub alone: bool,
}

impl Default for Report {
    fn default() -> Self {
        Self { central: true, alone: true }
    }
}

impl Job {
    /// A hash of everything in the job that decides about the result, in canonical form, together with
    /// the `files` that it names: what they are, and the hash of their content. Name and seed are not in
    /// it, since a run has them on its own; neither are paths and the report.
    pub fn hash(&self, files: &BTreeMap<String, Hash>) -> Hash {
        let mut parts = BTreeMap::new();
        let mut part = |name: &str, value: Result<Value, value::Error>| {
            let value = value.expect("plain data with text keys always becomes a value");
            parts.insert(name.to_owned(), value);
        };
        part("clients", value::to_value(&self.clients));
        part("controller", value::to_value(&Flat(self.controller.clone())));
        part("learner", value::to_value(&Flat(self.learner.clone())));
        part("tensors", value::to_value(&self.model.tensors));
        part("data", value::to_value(&self.data.as_ref().map(Data::without_path)));
        part("filters", value::to_value(&self.filters));
        part("faults", value::to_value(&self.faults));
        let hashes = files.iter().map(|(what, hash)| (what.clone(), hash.to_string()));
        part("files", Ok(hashes.collect()));
        Hash::derive("flare job v1", Value::Map(parts).encode())
    }
}
