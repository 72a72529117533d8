//! Pattern one: a federation whose clients live in this process.
//!
//! ```
//! use flare::executor::{Context, Learner, Task, Update};
//! # use flare::{executor::Error, metric::Metric, outcome::Weight};
//! use flare::operation::{OperationSpec, TaskSpec};
//!
//! struct Counts;
//! # impl Learner for Counts {
//! #     fn setup(&mut self, _: &mut Context<'_>) -> Result<(), Error> { Ok(()) }
//! #     fn evaluate(&mut self, _: &Task, _: &mut Context<'_>) -> Result<Vec<Metric>, Error> { Ok(vec![]) }
//! #     fn train(&mut self, task: &Task, _: &mut Context<'_>) -> Result<Update, Error> {
//! #         let (tensors, weight) = (task.input.tensors.clone(), Weight::Count(1));
//! #         Ok(Update { tensors, weight, metrics: vec![] })
//! #     }
//! # }
//! let options = flare::local::Options::new("count").clients(3).learner(|| Counts);
//! let federation = flare::local(options)?;
//! let task = TaskSpec { name: "train".into(), ..TaskSpec::default() };
//! let outcome = flare::block_on(federation.broadcast_and_wait(OperationSpec::broadcast(task)))?;
//! assert_eq!(outcome.record.counted().len(), 3);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::num::NonZeroUsize;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use flare_core::component::{self, ComponentSpec, ExecutorFactory, Registry, Role};
use flare_core::executor::{Executor, Learner, LearnerExecutor};
use flare_core::federation::Federation;
use flare_core::hash::Hash;
use flare_core::journal::{self, Run};
use flare_core::names::{Name, NameError, Roster, RosterError};
use flare_core::operations;
use flare_core::runtime;
use flare_core::tensor::Tensors;
use flare_core::value;
use flare_data::{HeldOut, Partition, Source};
use flare_executor::PoolOptions;
use flare_store::Durability;

use crate::dealt::{self, Dealt};
use crate::session::{self, Hold, Place, Session};

pub use futures::executor::block_on;

/// Why there is no federation.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The name of the program's run, or of a client, is none.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The roster cannot be.
    #[error(transparent)]
    Roster(#[from] RosterError),
    /// Nobody said what the clients do.
    #[error(
        "the clients have no learner: give the options one by `learner`, `executor` or `component`"
    )]
    NoLearner,
    /// The learner is unknown, or refuses its configuration.
    #[error(transparent)]
    Component(#[from] component::Error),
    /// The data cannot be read or dealt out.
    #[error(transparent)]
    Data(#[from] dealt::Error),
    /// The system gives no threads.
    #[error("starting a federation: {0}")]
    Threads(std::io::Error),
    /// The folder cannot be used.
    #[error(transparent)]
    Folder(#[from] journal::Error),
    /// The folder holds a run that is not this one, or cannot be gone on with.
    #[error(transparent)]
    Operations(#[from] operations::Error),
}

impl From<session::Error> for Error {
    fn from(error: session::Error) -> Self {
        match error {
            session::Error::Threads(source) => Self::Threads(source),
            session::Error::Operations(source) => Self::Operations(source),
        }
    }
}

/// What a federation in this process is made of.
#[derive(Clone)]
#[must_use = "options become a federation by `flare::local`"]
pub struct Options {
    name: String,
    clients: Clients,
    learner: Unit,
    data: Option<(Source, Partition, HeldOut)>,
    model: Tensors,
    seed: u64,
    workers: Option<NonZeroUsize>,
    out: Option<PathBuf>,
    durability: Durability,
    hold: Hold,
    idle: Duration,
    accept_units: bool,
    registry: Registry,
}

#[derive(Clone)]
enum Clients {
    Counted(u32),
    Listed(Vec<String>),
}

#[derive(Clone)]
enum Unit {
    None,
    Made(Arc<dyn ExecutorFactory>),
    Named(ComponentSpec),
}

impl Options {
    /// Two clients, seed 0, a worker for each core, nothing kept on disk. `name` is the run's name.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            clients: Clients::Counted(2),
            learner: Unit::None,
            data: None,
            model: Tensors::empty(),
            seed: 0,
            workers: None,
            out: None,
            durability: Durability::default(),
            hold: Hold::default(),
            idle: runtime::IDLE,
            accept_units: false,
            registry: crate::registry(),
        }
    }

    /// So many clients, `client-0` and so on.
    pub fn clients(self, count: u32) -> Self {
        Self { clients: Clients::Counted(count), ..self }
    }

    /// Clients of these names.
    pub fn names<N: Into<String>>(self, names: impl IntoIterator<Item = N>) -> Self {
        Self { clients: Clients::Listed(names.into_iter().map(Into::into).collect()), ..self }
    }

    /// What the clients do: a learner, made anew whenever a worker turns to a client.
    pub fn learner<L: Learner + 'static>(
        self,
        make: impl Fn() -> L + Send + Sync + 'static,
    ) -> Self {
        self.executor(move || Box::new(LearnerExecutor(make())))
    }

    /// What the clients do: an executor, which knows tasks of its own.
    pub fn executor(self, make: impl Fn() -> Box<dyn Executor> + Send + Sync + 'static) -> Self {
        Self { learner: Unit::Made(Arc::new(make)), ..self }
    }

    /// What the clients do: a learner by name, from the registry.
    pub fn component(self, spec: ComponentSpec) -> Self {
        Self { learner: Unit::Named(spec), ..self }
    }

    /// Data, dealt out to the clients: what `ctx.data(..)` gives each of them.
    pub fn data(self, source: Source, partition: Partition, held_out: HeldOut) -> Self {
        Self { data: Some((source, partition, held_out)), ..self }
    }

    /// The initial model: what the federation's `model()` gives.
    pub fn model(self, model: Tensors) -> Self {
        Self { model, ..self }
    }

    /// The seed of all random streams.
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// How many tasks run at once; it changes no result.
    pub fn workers(self, workers: NonZeroUsize) -> Self {
        Self { workers: Some(workers), ..self }
    }

    /// A folder that remembers the run: a program that is started again with it goes on where it was.
    pub fn out(self, folder: impl Into<PathBuf>) -> Self {
        Self { out: Some(folder.into()), ..self }
    }

    /// What large files in the folder survive.
    pub fn durability(self, durability: Durability) -> Self {
        Self { durability, ..self }
    }

    /// Go on although the program, or the learner's component, is another build than the one that began the run.
    /// What is answered stays answered; each operation's record says by its `unit` with which it ran.
    pub fn accept_units(self) -> Self {
        Self { accept_units: true, ..self }
    }

    /// How much is kept of what clients reply, and where.
    pub fn hold(self, hold: Hold) -> Self {
        Self { hold, ..self }
    }

    /// After how long a client at work of which nothing is heard is told as stalled ([`Kind::Stalled`]); 30 s unless
    /// it is said here. Only a deadline ends it.
    ///
    /// [`Kind::Stalled`]: crate::event::Kind::Stalled
    pub fn idle(self, idle: Duration) -> Self {
        Self { idle, ..self }
    }

    /// The components that may be asked for by name.
    pub fn registry(self, registry: Registry) -> Self {
        Self { registry, ..self }
    }

    fn roster(&self) -> Result<Roster, Error> {
        Ok(match &self.clients {
            Clients::Counted(count) => Roster::counted(*count)?,
            Clients::Listed(names) => {
                let names = names.iter().map(|name| Name::new(name));
                Roster::listed(names.collect::<Result<Vec<_>, _>>()?)?
            }
        })
    }

    fn unit(&self) -> Result<Arc<dyn ExecutorFactory>, Error> {
        match &self.learner {
            Unit::None => Err(Error::NoLearner),
            Unit::Made(make) => Ok(Arc::clone(make)),
            Unit::Named(spec) => Ok(self.registry.executor(spec)?),
        }
    }

    /// The code of a run that is kept: the program, and the component that the clients run by name.
    fn units(&self, build: Hash) -> Vec<(String, Hash)> {
        let mut units = vec![("program".to_owned(), build)];
        if let Unit::Named(spec) = &self.learner {
            units.push(session::unit(&self.registry, Role::Executor, spec, build));
        }
        units
    }

    fn dealt(&self, roster: &Roster) -> Result<Option<Dealt>, Error> {
        let Some((source, partition, held_out)) = &self.data else { return Ok(None) };
        Ok(Some(Dealt::new(source, partition, *held_out, roster, self.seed)?))
    }

    /// Hash of what is asked for: a folder that holds another run is refused.
    fn hash(&self, dealt: Option<&Dealt>) -> Hash {
        let mut bytes = self.model.hash().as_bytes().to_vec();
        if let Unit::Named(spec) = &self.learner {
            bytes.extend(spec.encode());
        }
        if let (Some(dealt), Some((_, partition, held_out))) = (dealt, &self.data) {
            bytes.extend(dealt.hash().as_bytes());
            let how = value::to_value(&(partition, held_out));
            bytes.extend(how.map(|how| how.encode()).unwrap_or_default());
        }
        Hash::derive("flare local program v1", bytes)
    }
}

/// A federation in this process: what [`local`] gives. It is used as the [`Federation`] that it is.
///
/// Dropping it stops its clients. Wait for its operations by [`block_on`], or in whatever event loop the
/// program has: it needs none.
pub struct Local {
    federation: Federation,
    _session: Session,
}

impl Deref for Local {
    type Target = Federation;

    fn deref(&self) -> &Federation {
        &self.federation
    }
}

/// Makes a federation whose clients live in this process. With a folder it goes on with the run that the
/// folder holds: operations that ended are answered from there.
///
/// # Errors
/// See [`Error`].
pub fn local(options: Options) -> Result<Local, Error> {
    let (roster, unit) = (options.roster()?, options.unit()?);
    let dealt = options.dealt(&roster)?.map(Arc::new);
    let job = Name::new(&options.name)?;
    let job_hash = options.hash(dealt.as_deref());
    let (place, units) = match &options.out {
        None => (Place::unnamed(&options.hold), Vec::new()),
        Some(out) => {
            let build = session::build_hash().map_err(Error::Threads)?;
            (Place::folder(out, options.durability)?, options.units(build))
        }
    };
    let id = session::new_id().map_err(Error::Threads)?;
    let run = Run { id, job, job_hash, seed: options.seed, roster: roster.clone(), units };
    let mut pool = PoolOptions::new(roster, options.seed, unit);
    pool.workers = session::workers(options.workers);
    pool.states = place.states;
    if let Some(dealt) = dealt {
        pool.data = dealt;
    }
    let runtime = runtime::Options {
        registry: options.registry,
        hold_bytes: options.hold.bytes,
        idle: options.idle,
        accept_units: options.accept_units,
        ..runtime::Options::default()
    };
    let session = Session::open(run, pool, None, place.home, runtime)?;
    let federation = Federation::new(Arc::clone(&session.runtime) as _).with_model(options.model);
    Ok(Local { federation, _session: session })
}
