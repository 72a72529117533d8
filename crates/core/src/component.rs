//! Components by name: how a job's text becomes controllers, learners, aggregators and filters.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::aggregator::Aggregator;
use crate::controller::Controller;
use crate::executor::Executor;
use crate::filter::Filter;
use crate::names::Name;
use crate::value::Value;

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
    #[error("{role} {kind}: {fault}")]
    Config {
        /// Its role.
        role: Role,
        /// Its name.
        kind: String,
        /// What is wrong, with path, value and what was expected.
        fault: String,
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
type Maker<T> = Arc<dyn Fn(&Value) -> Result<T, String> + Send + Sync>;

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
    make: impl Fn(C) -> Result<T, String> + Send + Sync + 'static,
) -> Maker<T> {
    Arc::new(move |config| make(config.parse::<C>().map_err(|fault| fault.to_string())?))
}

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
        make: impl Fn(C) -> Result<T, String> + Send + Sync + 'static,
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
        make: impl Fn(C) -> Result<T, String> + Send + Sync + 'static,
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
        check: impl Fn(&C) -> Result<(), String> + Send + Sync + 'static,
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
        make: impl Fn(C) -> Result<T, String> + Send + Sync + 'static,
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
        make: impl Fn(C) -> Result<T, String> + Send + Sync + 'static,
    ) -> Self
    where
        C: DeserializeOwned + schemars::JsonSchema + 'static,
        T: Filter + 'static,
    {
        let known = (kind, version, Role::Filter);
        Self::boxed(known, make, |made: T| Box::new(made), Make::Filter)
    }
}

/// The components that a program knows, by role and name.
#[derive(Clone, Default)]
pub struct Registry {
    components: BTreeMap<(Role, Name), Component>,
}

impl Registry {
    /// A registry of the built-in aggregators.
    pub fn new() -> Self {
        let mut registry = Self::default();
        registry.add_all(crate::aggregator::components());
        registry
    }

    /// Adds a component; one of the same role and name is replaced.
    pub fn add(&mut self, component: Component) {
        self.components.insert((component.role, component.kind.clone()), component);
    }

    /// Adds several.
    pub fn add_all(&mut self, components: impl IntoIterator<Item = Component>) {
        for component in components {
            self.add(component);
        }
    }

    /// All components, by role and name.
    pub fn iter(&self) -> impl Iterator<Item = &Component> {
        self.components.values()
    }

    /// The component of a role and name.
    ///
    /// # Errors
    /// When there is none: the error lists those that there are.
    pub fn get(&self, role: Role, kind: &str) -> Result<&Component, Error> {
        let found = Name::new(kind).ok().and_then(|kind| self.components.get(&(role, kind)));
        found.ok_or_else(|| {
            let known = self.components.keys().filter(|(known, _)| *known == role);
            let known: Vec<&str> = known.map(|(_, kind)| kind.as_str()).collect();
            Error::Unknown { role, kind: kind.into(), known: known.join(", ") }
        })
    }

    /// A controller with its configuration.
    ///
    /// # Errors
    /// When it is unknown or its configuration is refused; the same for the three below.
    pub fn controller(&self, spec: &ComponentSpec) -> Result<Box<dyn Controller>, Error> {
        self.made(Role::Controller, spec, |make| match make {
            Make::Controller(make) => Some(make),
            _ => None,
        })
    }

    /// A factory of executors.
    ///
    /// # Errors
    /// As for [`Registry::controller`].
    pub fn executor(&self, spec: &ComponentSpec) -> Result<Arc<dyn ExecutorFactory>, Error> {
        self.made(Role::Executor, spec, |make| match make {
            Make::Executor(make) => Some(make),
            _ => None,
        })
    }

    /// An aggregator for one operation.
    ///
    /// # Errors
    /// As for [`Registry::controller`].
    pub fn aggregator(&self, spec: &ComponentSpec) -> Result<Box<dyn Aggregator>, Error> {
        self.made(Role::Aggregator, spec, |make| match make {
            Make::Aggregator(make) => Some(make),
            _ => None,
        })
    }

    /// A filter.
    ///
    /// # Errors
    /// As for [`Registry::controller`].
    pub fn filter(&self, spec: &ComponentSpec) -> Result<Box<dyn Filter>, Error> {
        self.made(Role::Filter, spec, |make| match make {
            Make::Filter(make) => Some(make),
            _ => None,
        })
    }

    fn made<T>(
        &self,
        role: Role,
        spec: &ComponentSpec,
        of_role: impl FnOnce(&Make) -> Option<&Maker<T>>,
    ) -> Result<T, Error> {
        let component = self.get(role, spec.kind.as_str())?;
        let make = of_role(&component.make).expect("components are kept by their role");
        let refused = |fault| Error::Config { role, kind: spec.kind.to_string(), fault };
        make(&spec.config).map_err(refused)
    }
}
