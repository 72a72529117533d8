//! Runs of jobs in this process: prepared, carried out, and gone on with after a kill.
//!
//! [`Run::prepare`] reads what the job names and takes the folder; [`Run::execute`] runs the controller,
//! compares its model with what the job's `[report]` asks for, and leaves results in the folder.

mod baseline;
mod cohort;
mod counting;
mod error;
mod execute;
mod failure;
mod folder;
mod history;
mod inputs;
mod interrupt;
mod keeping;
mod observer;
mod options;
mod prepare;
mod receipt;
mod rows;
mod summary;
mod watch;

pub use error::Error;
pub use history::{History, Round, Spread};
pub use interrupt::Interrupt;
pub use observer::{NoObserver, Observer, Phase, SoFar};
pub use options::Options;
pub use prepare::Run;
pub use receipt::{Receipt, UnitChange, Who};
pub use summary::Summary;

pub use flare_store::{Durability, survive_file_size_limit};

/// The model in a run's folder: of the last finished round, and at the end the result.
pub const MODEL_FILE: &str = "model.safetensors";
/// The best model so far in a run's folder, where the controller keeps one.
pub const BEST_FILE: &str = "best.safetensors";
/// One line for each ended operation: its metrics, by client as well.
pub const METRICS_FILE: &str = "metrics.jsonl";
/// One line for each ended operation: who was asked, who counts, how each client ended, why it failed if it did.
pub const COHORT_FILE: &str = "cohort.jsonl";
/// What the run is a function of.
pub const RECEIPT_FILE: &str = "receipt.json";
/// Curves and tables of the run, for people.
pub const REPORT_FILE: &str = "report.html";
