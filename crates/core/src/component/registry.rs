//! The components that a program knows: asked for by name, and judged with their configuration.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Component, ComponentSpec, Error, ExecutorFactory, Make, Maker, Refused, Role};
use crate::aggregator::Aggregator;
use crate::controller::Controller;
use crate::fault::{Fault, Faults};
use crate::filter::Filter;
use crate::names::Name;

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

    /// Everything that is wrong with a component asked for, with paths within its table. A field that cannot be read
    /// is a fault, and the others are judged as if it were left out.
    pub fn faults(&self, role: Role, spec: &ComponentSpec) -> Faults {
        let component = match self.get(role, spec.kind.as_str()) {
            Ok(component) => component,
            Err(error) => return unknown(role, spec, &error).into(),
        };
        let (mut faults, mut config, mut unread) = (Faults::default(), spec.config.clone(), false);
        loop {
            match component.make.refusal(&config) {
                None => return faults,
                Some(Refused::Settings(more)) => {
                    let known = faults.clone();
                    let is_new =
                        |fault: &Fault| !known.iter().any(|one| fault.is_within(first(&one.path)));
                    more.into_iter().filter(is_new).for_each(|fault| faults.push(fault));
                    return faults;
                }
                Some(Refused::Unread(fault)) => {
                    let left_out = config.remove(first(&fault.path));
                    // That a field is missing may be our own doing.
                    if left_out || !unread {
                        faults.push(fault);
                    }
                    if !left_out {
                        return faults;
                    }
                    unread = true;
                }
            }
        }
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
        let refused = |refused: Refused| Error::Config {
            role,
            kind: spec.kind.to_string(),
            faults: refused.into(),
        };
        make(&spec.config).map_err(refused)
    }
}

/// The first field of a path.
fn first(path: &str) -> &str {
    path.split(['.', '[']).next().unwrap_or_default()
}

fn unknown(role: Role, spec: &ComponentSpec, error: &Error) -> Fault {
    let known = match error {
        Error::Unknown { known, .. } if !known.is_empty() => known,
        _ => "none is linked in",
    };
    let expected = format!("a {role} that is known: {known}");
    Fault::new("kind", format_args!("{:?}", spec.kind), expected)
}
