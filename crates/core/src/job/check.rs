//! What is wrong with a job, all of it at once.

use super::{Fault, Job};
use crate::component::{ComponentSpec, Error, Registry, Role};

impl Job {
    /// Everything that can be seen to be wrong without looking at files, in the order of the file.
    /// `registry` holds the components that are known.
    pub fn check(&self, registry: &Registry) -> Vec<Fault> {
        let mut faults = self.clients.faults();
        let controller = registry.controller(&self.controller).err();
        faults.extend(component_fault(
            "controller",
            Role::Controller,
            &self.controller,
            controller,
        ));
        if let Ok(roster) = self.clients.roster() {
            faults.extend(self.reply_faults(roster.len() as u64));
        }
        let learner = registry.executor(&self.learner).err();
        faults.extend(component_fault("learner", Role::Executor, &self.learner, learner));
        faults.extend(self.model.faults());
        for (index, filter) in self.filters.iter().enumerate() {
            let error = registry.filter(&filter.filter).err();
            let path = format!("filters[{index}]");
            faults.extend(component_fault(&path, Role::Filter, &filter.filter, error));
        }
        faults
    }
}

fn component_fault(
    path: &str,
    role: Role,
    spec: &ComponentSpec,
    error: Option<Error>,
) -> Option<Fault> {
    let kind = format!("{path}.kind");
    Some(match error? {
        Error::Unknown { known, .. } => {
            let known = if known.is_empty() { "none is linked in".into() } else { known };
            Fault::new(
                kind,
                format_args!("{:?}", spec.kind),
                format!("a {role} that is known: {known}"),
            )
        }
        Error::Config { fault, .. } => Fault::said(path, &fault),
    })
}
