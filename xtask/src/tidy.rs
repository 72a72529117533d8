//! `cargo xtask tidy`: the rules of the house, each a function from the workspace to its findings.

mod code;
mod edges;
mod house;
mod manifests;
mod obligations;
mod pages;
mod sources;
mod traces;
mod workspace;

use std::fmt;
use std::path::Path;

use anyhow::{Result, bail};

use workspace::Workspace;

/// Every rule. Each sees the whole workspace and reports all that it finds.
const CHECKS: &[fn(&Workspace) -> Vec<Finding>] = &[
    edges::allowed,
    edges::names,
    edges::unit_tests_use_none_of_ours,
    manifests::inherit_package_fields,
    manifests::inherit_lints,
    manifests::declare_no_versions,
    sources::open_with_a_sentence,
    sources::are_short,
    sources::leave_nothing_undone,
    sources::tests_do_not_sleep,
    sources::crates_state_an_invariant,
    sources::crates_forbid_unsafe,
    sources::one_integration_binary,
    sources::names_say_something,
    obligations::each_has_a_test,
    pages::architecture_names_every_crate,
    traces::no_machine_and_no_registry,
];

/// Something in the workspace that breaks a rule, or asks to be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Finding {
    kind: Kind,
    place: String,
    text: String,
}

/// Whether a finding fails the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Fault,
    Question,
}

impl Finding {
    fn fault(place: impl Into<String>, text: impl Into<String>) -> Self {
        Self { kind: Kind::Fault, place: place.into(), text: text.into() }
    }

    fn question(place: impl Into<String>, text: impl Into<String>) -> Self {
        Self { kind: Kind::Question, place: place.into(), text: text.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.kind {
            Kind::Fault => "",
            Kind::Question => "question: ",
        };
        write!(f, "{mark}{}: {}", self.place, self.text)
    }
}

/// Checks the workspace at `root` by every rule and prints what was found.
///
/// # Errors
/// Where the workspace cannot be read, or a rule is broken; questions alone are no error.
pub(crate) fn run(root: &Path) -> Result<()> {
    let workspace = Workspace::load(root)?;
    let findings: Vec<Finding> = CHECKS.iter().flat_map(|check| check(&workspace)).collect();
    for finding in &findings {
        println!("{finding}");
    }
    match findings.iter().filter(|finding| finding.kind == Kind::Fault).count() {
        0 => Ok(()),
        1 => bail!("tidy found 1 fault"),
        faults => bail!("tidy found {faults} faults"),
    }
}

/// The features of the facade that stand for a front door, each of which must build alone;
/// none while there is no facade.
///
/// # Errors
/// Where the workspace cannot be read.
pub(crate) fn facade_features(root: &Path) -> Result<Vec<String>> {
    let workspace = Workspace::load(root)?;
    let facade = workspace.packages.into_iter().find(|package| package.name == house::FACADE);
    let features = facade.map(|package| package.features).unwrap_or_default();
    Ok(features.into_iter().filter(|feature| feature != "default").collect())
}
