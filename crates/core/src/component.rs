//! Components by name: how a job's text becomes controllers, learners, aggregators and filters.

mod registry;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::aggregator::Aggregator;
use crate::controller::Controller;
use crate::executor::Executor;
use crate::fault::{Fault, Faults};
use crate::filter::Filter;
use crate::names::Name;
use crate::value::{self, Value};

pub use registry::Registry;

/// A component asked for: its name and its configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ComponentSpec {
    /// The component's name.
    pub kind: Name,
    /// Its configuration, a map.
    pub config: Value,
}

impl ComponentSpec {
    /// A component with its configuration left at the defaults.
    ///
    /// # Panics
    /// When `kind` is no name; for names written in source.
    pub fn plain(kind: &str) -> Self {
        let kind = Name::new(kind).expect("a component's name in source obeys the rule for names");
        Self { kind, config: Value::Map(BTreeMap::new()) }
    }

    /// One canonical encoding: of it hashes are made.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::from(self.kind.as_str());
        bytes.push(0);
        bytes.extend(self.config.encode());
        bytes
    }
}

/// What role a component plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// A workflow.
    Controller,
    /// Training code, or any other executor of tasks.
    Executor,
    /// What combines replies.
    Aggregator,
    /// What changes or stops a shareable on its way.
    Filter,
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Controller => "controller",
            Self::Executor => "learner",
            Self::Aggregator => "aggregator",
            Self::Filter => "filter",
        })
    }
}

/// Why a component cannot be made.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// Nobody brought one of that name.
    #[error("there is no {role} named {kind:?}; known are: {known}")]
    Unknown {
        /// The role asked for.
        role: Role,
        /// The name asked for.
        kind: String,
        /// The names that would do.
        known: String,
    },
    /// Its configuration is refused.
    #[error("{role} {kind}: {faults}")]
    Config {
        /// Its role.
        role: Role,
        /// Its name.
        kind: String,
        /// Everything that is wrong with it.
        faults: Faults,
    },
}

/// Makes fresh instances of an executor; the configuration was checked once.
pub trait ExecutorFactory: Send + Sync {
    /// A new instance, as it is before `setup`.
    fn create(&self) -> Box<dyn Executor>;
}

impl<F: Fn() -> Box<dyn Executor> + Send + Sync> ExecutorFactory for F {
    fn create(&self) -> Box<dyn Executor> {
        self()
    }
}

/// Makes a `T` of a configuration, or says what is wrong with it.
type Maker<T> = Arc<dyn Fn(&Value) -> Result<T, Refused> + Send + Sync>;

/// Why nothing can be made of a configuration.
enum Refused {
    /// It cannot be read, because of this one field.
    Unread(Fault),
    /// It can be read, and all of this is wrong with it.
    Settings(Faults),
}

/// What a component of each role makes.
#[derive(Clone)]
enum Make {
    Controller(Maker<Box<dyn Controller>>),
    Executor(Maker<Arc<dyn ExecutorFactory>>),
    Aggregator(Maker<Box<dyn Aggregator>>),
    Filter(Maker<Box<dyn Filter>>),
}

/// A component that can be asked for by name.
#[derive(Clone)]
pub struct Component {
    /// Its name.
    pub kind: Name,
    /// Its version.
    pub version: &'static str,
    /// Its role.
    pub role: Role,
    /// The JSON schema of its configuration.
    pub schema: fn() -> schemars::Schema,
    make: Make,
}

fn schema_of<C: schemars::JsonSchema>() -> schemars::Schema {
    schemars::SchemaGenerator::default().into_root_schema_for::<C>()
}

fn name(kind: &str) -> Name {
    Name::new(kind).expect("a component's name in source obeys the rule for names")
}

/// Parses a configuration, then makes something of it.
fn parsed<C: DeserializeOwned, T>(
    make: impl Fn(C) -> Result<T, Faults> + Send + Sync + 'static,
) -> Maker<T> {
    let unread = |error: value::Error| Refused::Unread(Fault::said("", &error.to_string()));
    Arc::new(move |config| make(config.parse::<C>().map_err(unread)?).map_err(Refused::Settings))
}

impl From<Refused> for Faults {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Unread(fault) => fault.into(),
            Refused::Settings(faults) => faults,
        }
    }
}

impl Make {
    fn refusal(&self, config: &Value) -> Option<Refused> {
        match self {
            Self::Controller(make) => make(config).err(),
            Self::Executor(make) => make(config).err(),
            Self::Aggregator(make) => make(config).err(),
            Self::Filter(make) => make(config).err(),
        }
    }
}

/// What a configuration is made into says all that is wrong with it: its faults have paths within the configuration.
impl Component {
    fn new<C: schemars::JsonSchema>(
        kind: &str,
        version: &'static str,
        role: Role,
        make: Make,
    ) -> Self {
        Self { kind: name(kind), version, role, schema: schema_of::<C>, make }
    }

    /// A component that `make` makes of its configuration, behind the interface of its role.
    fn boxed<C, T, I: ?Sized + 'static>(
        (kind, version, role): (&str, &'static str, Role),
        make: impl Fn(C) -> Result<T, Faults> + Send + Sync + 'static,
        boxed: fn(T) -> Box<I>,
        kept: fn(Maker<Box<I>>) -> Make,
    ) -> Self
    where
        C: DeserializeOwned + schemars::JsonSchema + 'static,
        T: 'static,
    {
        let make = kept(parsed(move |config| make(config).map(boxed)));
        Self::new::<C>(kind, version, role, make)
    }

    /// A controller made from its configuration `C`.
    pub fn controller<C, T>(
        kind: &str,
        version: &'static str,
        make: impl Fn(C) -> Result<T, Faults> + Send + Sync + 'static,
    ) -> Self
    where
        C: DeserializeOwned + schemars::JsonSchema + 'static,
        T: Controller + 'static,
    {
        let known = (kind, version, Role::Controller);
        Self::boxed(known, make, |made: T| Box::new(made), Make::Controller)
    }

    /// An executor made, for each client, from its configuration `C`, which `check` accepted.
    pub fn executor<C, T>(
        kind: &str,
        version: &'static str,
        make: impl Fn(&C) -> T + Clone + Send + Sync + 'static,
        check: impl Fn(&C) -> Result<(), Faults> + Send + Sync + 'static,
    ) -> Self
    where
        C: DeserializeOwned + schemars::JsonSchema + Send + Sync + 'static,
        T: Executor + 'static,
    {
        let make = parsed(move |config: C| {
            check(&config)?;
            let make = make.clone();
            let create = move || -> Box<dyn Executor> { Box::new(make(&config)) };
            Ok(Arc::new(create) as Arc<dyn ExecutorFactory>)
        });
        Self::new::<C>(kind, version, Role::Executor, Make::Executor(make))
    }

    /// An aggregator made, for each operation, from its configuration `C`.
    pub fn aggregator<C, T>(
        kind: &str,
        version: &'static str,
        make: impl Fn(C) -> Result<T, Faults> + Send + Sync + 'static,
    ) -> Self
    where
        C: DeserializeOwned + schemars::JsonSchema + 'static,
        T: Aggregator + 'static,
    {
        let known = (kind, version, Role::Aggregator);
        Self::boxed(known, make, |made: T| Box::new(made), Make::Aggregator)
    }

    /// A filter made from its configuration `C`.
    pub fn filter<C, T>(
        kind: &str,
        version: &'static str,
        make: impl Fn(C) -> Result<T, Faults> + Send + Sync + 'static,
    ) -> Self
    where
        C: DeserializeOwned + schemars::JsonSchema + 'static,
        T: Filter + 'static,
    {
        let known = (kind, version, Role::Filter);
        Self::boxed(known, make, |made: T| Box::new(made), Make::Filter)
    }
}
