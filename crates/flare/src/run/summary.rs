//! What a run came to.

use std::collections::BTreeMap;

use flare_core::controller::Finished;
use flare_core::hash::Hash;
use flare_core::operation::Key;
use flare_core::tensor::Tensors;
use serde::Serialize;

use super::{History, Receipt, SoFar};

/// What a run came to. As JSON it is the last line of `flare run --json`.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// The job's name.
    pub job: String,
    /// BLAKE3 of `model.safetensors`.
    #[serde(serialize_with = "text")]
    pub model_hash: Hash,
    /// Accuracy of the federation's model: on the held-out rows if there are any, else the clients' mean.
    pub accuracy: Option<f64>,
    /// Accuracy of the same learner on the union of the data in roster order, rounds x local epochs.
    pub central_accuracy: Option<f64>,
    /// Mean accuracy of the models that the clients train alone, rounds x local epochs.
    pub clients_alone_accuracy: Option<f64>,
    /// The rounds that trained, over all processes of the run.
    pub rounds: u64,
    /// The round that the model is of; 0 for the initial model.
    pub round: u64,
    /// Train calls of this process for the federation.
    pub trained: u64,
    /// Seconds since the run began in this process.
    pub seconds: f64,
    /// The most memory that this process had resident, in bytes; 0 where the system does not tell.
    pub peak_rss_bytes: u64,
    /// Whether all rounds were exact: the clock decided nothing.
    pub exact: bool,
    /// The last metrics that the controller hands back, by name.
    pub metrics: BTreeMap<String, f64>,
    /// What the controller, or a comparison that could not be made, tells besides.
    pub notes: BTreeMap<String, String>,
    /// Operations that the controller left open and that were cancelled, by key.
    pub cancelled: Vec<String>,
    /// What happened round by round.
    #[serde(skip)]
    pub history: History,
    /// What the run is a function of.
    #[serde(skip)]
    pub receipt: Receipt,
    /// The model.
    #[serde(skip)]
    pub model: Tensors,
}

/// What the federation's model and its comparisons measure.
#[derive(Debug, Default)]
pub(super) struct Measured {
    pub(super) accuracy: Option<f64>,
    pub(super) central: Option<f64>,
    pub(super) alone: Option<f64>,
    pub(super) notes: BTreeMap<String, String>,
}

/// All that a summary is made of.
pub(super) struct Ended {
    pub(super) finished: Finished,
    pub(super) cancelled: Vec<Key>,
    pub(super) history: History,
    pub(super) measured: Measured,
    pub(super) receipt: Receipt,
    pub(super) so_far: SoFar,
}

impl Measured {
    /// The value, or a note that says why there is none.
    pub(super) fn found(&mut self, what: &str, result: Result<Option<f64>, String>) -> Option<f64> {
        result.unwrap_or_else(|fault| {
            self.notes.insert(what.to_owned(), format!("could not be trained: {fault}"));
            None
        })
    }
}

impl Summary {
    pub(super) fn new(ended: Ended) -> Self {
        let Ended { finished, cancelled, history, measured, receipt, so_far } = ended;
        let metrics = finished.metrics.iter();
        let mut notes = finished.notes;
        notes.extend(measured.notes);
        Self {
            job: receipt.job.clone(),
            model_hash: finished.model.hash(),
            accuracy: measured.accuracy,
            central_accuracy: measured.central,
            clients_alone_accuracy: measured.alone,
            rounds: history.trained(),
            round: finished.round,
            trained: so_far.trained,
            seconds: so_far.elapsed.as_secs_f64(),
            peak_rss_bytes: peak_rss_bytes().unwrap_or(0),
            exact: !history.timed,
            metrics: metrics.map(|(name, mean)| (name.to_string(), mean.value)).collect(),
            notes,
            cancelled: cancelled.iter().map(ToString::to_string).collect(),
            history,
            receipt,
            model: finished.model,
        }
    }
}

/// The high-water mark of this process's resident memory.
fn peak_rss_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

fn text<S: serde::Serializer>(hash: &Hash, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(hash)
}
