//! Preparing a run: everything that can be refused is refused before anything runs.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use flare_core::component::{ComponentSpec, ExecutorFactory, Registry, Role};
use flare_core::controller::Controller;
use flare_core::filter::Point;
use flare_core::hash::Hash;
use flare_core::journal;
use flare_core::names::Roster;
use flare_core::runtime;
use flare_core::tensor::Tensors;
use flare_executor::PoolOptions;
use flare_transport_local::Faults;

use super::counting::Counting;
use super::{Error, Options, cohort, folder, inputs};
use crate::dealt::Dealt;
use crate::job::{Job, Loaded};
use crate::session::{self, Place};

/// A run that can be carried out: its inputs are read, and its folder is this process's own.
pub struct Run {
    pub(super) job: Job,
    pub(super) out: Option<PathBuf>,
    pub(super) controller: Box<dyn Controller>,
    /// The learner, uncounted.
    pub(super) unit: Arc<dyn ExecutorFactory>,
    pub(super) counting: Arc<Counting>,
    pub(super) dealt: Option<Arc<Dealt>>,
    pub(super) model: Tensors,
    pub(super) files: BTreeMap<String, Hash>,
    pub(super) run: journal::Run,
    pub(super) pool: PoolOptions,
    pub(super) faults: Option<Faults>,
    pub(super) runtime: runtime::Options,
    pub(super) place: Place,
}

impl Run {
    /// Reads what the job names, takes the folder and finds out whether the run can begin or go on.
    ///
    /// # Errors
    /// [`Error::Input`], [`Error::Folder`], [`Error::Disk`]; [`Error::Job`] for a job that was not checked.
    pub fn prepare(loaded: Loaded, options: Options) -> Result<Self, Error> {
        let Loaded { job, folder: base, origin } = loaded;
        let invalid = |fault: String| {
            let faults = vec![flare_core::job::Fault::words("job", fault)];
            Error::Job(crate::job::Error::Invalid { origin: origin.clone(), faults })
        };
        let roster = job.clients.roster().map_err(|error| invalid(error.to_string()))?;
        let registry = &options.registry;
        let controller =
            registry.controller(&job.controller).map_err(|error| invalid(error.to_string()))?;
        let unit = registry.executor(&job.learner).map_err(|error| invalid(error.to_string()))?;
        let faults = job.faults.as_ref().map(|faults| faults.parse::<Faults>());
        let faults = faults.transpose().map_err(|error| invalid(error.to_string()))?;
        let dealt = inputs::data(&job, &base, &roster)?.map(Arc::new);
        let model = inputs::model(&job, &base)?;
        let files = inputs::files(&job, dealt.as_deref(), &model);
        let cohort =
            options.cohort.as_deref().map(|path| cohort::read(path, &roster)).transpose()?;
        let runtime = runtime_options(&job, &options, cohort)?;
        let place = folder::place(&options)?;
        let run = identity(&job, &roster, &files, registry, options.out.is_some())?;
        let counting = counting(&unit, &options)?;
        let mut pool = PoolOptions::new(roster, job.seed, Arc::clone(&counting) as _);
        pool.workers = session::workers(options.workers);
        pool.states = Arc::clone(&place.states);
        pool.task_in = inputs::filters(&job, Point::TaskIn, registry)?;
        pool.reply_out = inputs::filters(&job, Point::ReplyOut, registry)?;
        if let Some(dealt) = &dealt {
            pool.data = Arc::clone(dealt) as _;
        }
        let out = options.out;
        Ok(Self {
            job,
            out,
            controller,
            unit,
            counting,
            dealt,
            model,
            files,
            run,
            pool,
            faults,
            runtime,
            place,
        })
    }

    /// The job.
    pub fn job(&self) -> &Job {
        &self.job
    }

    /// The job's clients.
    pub fn roster(&self) -> &Roster {
        &self.run.roster
    }

    /// Whether it goes on with a run that was begun before.
    pub fn is_resumed(&self) -> bool {
        self.place.holds_run()
    }
}

fn counting(unit: &Arc<dyn ExecutorFactory>, options: &Options) -> Result<Arc<Counting>, Error> {
    let file = options.count_calls.as_deref();
    let counting = Counting::new(Arc::clone(unit), file).map_err(|error| Error::Input {
        what: format!("the file that counts train calls, {file:?}"),
        fault: error.to_string(),
    })?;
    Ok(Arc::new(counting))
}

fn runtime_options(
    job: &Job,
    options: &Options,
    cohort: Option<runtime::Cohort>,
) -> Result<runtime::Options, Error> {
    Ok(runtime::Options {
        registry: options.registry.clone(),
        task_out: inputs::filters(job, Point::TaskOut, &options.registry)?,
        reply_in: inputs::filters(job, Point::ReplyIn, &options.registry)?,
        filters: inputs::filters_hash(job),
        cohort,
        accept_units: options.accept_units,
        hold_bytes: options.hold.bytes,
        idle: options.idle,
        ..runtime::Options::default()
    })
}

/// What the run is a function of. A run that nobody goes on with needs no hash of the program.
fn identity(
    job: &Job,
    roster: &Roster,
    files: &BTreeMap<String, Hash>,
    registry: &Registry,
    is_kept: bool,
) -> Result<journal::Run, Error> {
    let fault = |what: &str, error: std::io::Error| Error::Input {
        what: what.into(),
        fault: error.to_string(),
    };
    let build = if is_kept {
        session::build_hash().map_err(|error| fault("hashing this program", error))?
    } else {
        Hash::of([])
    };
    let unit = |role: Role, spec: &ComponentSpec| session::unit(registry, role, spec, build);
    let mut units =
        vec![unit(Role::Controller, &job.controller), unit(Role::Executor, &job.learner)];
    units.extend(job.filters.iter().map(|filter| unit(Role::Filter, &filter.filter)));
    Ok(journal::Run {
        id: session::new_id().map_err(|error| fault("drawing the run's identity", error))?,
        job: job.name.clone(),
        job_hash: job.hash(files),
        seed: job.seed,
        roster: roster.clone(),
        units,
    })
}
