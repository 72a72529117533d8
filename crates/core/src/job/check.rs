//! What is wrong with a job, all of it at once.

use super::{Fault, Job};
use crate::component::{ComponentSpec, Registry, Role};

impl Job {
    /// Everything that can be seen to be wrong without looking at files, in the order of the file.
    /// `registry` holds the components that are known.
    pub fn check(&self, registry: &Registry) -> Vec<Fault> {
        let mut faults = self.clients.faults();
        let component = |path: &str, role: Role, spec: &ComponentSpec| {
            let faults = registry.faults(role, spec).into_iter();
            faults.map(|fault| fault.at(path)).collect::<Vec<_>>()
        };
        faults.extend(component("controller", Role::Controller, &self.controller));
        if let Ok(roster) = self.clients.roster() {
            faults.extend(self.reply_faults(roster.len() as u64));
        }
        faults.extend(component("learner", Role::Executor, &self.learner));
        faults.extend(self.model.faults());
        for (index, filter) in self.filters.iter().enumerate() {
            faults.extend(component(&format!("filters[{index}]"), Role::Filter, &filter.filter));
        }
        faults
    }
}
