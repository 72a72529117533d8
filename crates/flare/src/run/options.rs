//! How a job is run here: what the job itself does not say.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use flare_core::component::Registry;
use flare_core::runtime::IDLE;
use flare_store::Durability;

use crate::session::Hold;

/// How a job is run here. None of it changes the model.
#[derive(Clone)]
pub struct Options {
    /// The folder for the journal and the results; without it nothing is kept.
    pub out: Option<PathBuf>,
    /// Go on with the run that `out` holds, instead of beginning one.
    pub resume: bool,
    /// How many tasks run at once; as many as there are cores if absent.
    pub workers: Option<NonZeroUsize>,
    /// The record (`cohort.jsonl`) of an earlier run, whose cohorts are used again.
    pub cohort: Option<PathBuf>,
    /// Go on although components are not those that the run began with.
    pub accept_units: bool,
    /// What large files in `out` survive.
    pub durability: Durability,
    /// How much is kept of what clients reply, and where.
    pub hold: Hold,
    /// After how long a client at work of which nothing is heard is told as stalled; only a deadline ends it.
    pub idle: Duration,
    /// A file to which each train call for the federation adds a byte as it begins, made if it is not there: so
    /// calls are counted over processes that are killed.
    pub count_calls: Option<PathBuf>,
    /// The components that the job may name.
    pub registry: Registry,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            out: None,
            resume: false,
            workers: None,
            cohort: None,
            accept_units: false,
            durability: Durability::default(),
            hold: Hold::default(),
            idle: IDLE,
            count_calls: None,
            registry: crate::registry(),
        }
    }
}
