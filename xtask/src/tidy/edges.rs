//! Rules about packages: their names, and their edges against the table of the house.

use super::Finding;
use super::code;
use super::house::{
    FACADE, FACADE_OPTIONAL, MISBEHAVING, MISBEHAVING_MAY_USE, May, PLUGINS_MAY_USE, ROOMS,
};
use super::workspace::{Edge, Package, Workspace};

/// Every normal and build edge stands in the table. Dev edges are free.
pub(super) fn allowed(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in &workspace.packages {
        let Some(may) = may_use(package) else {
            let text = "the table in xtask/src/tidy/house.rs has no such crate";
            findings.push(Finding::fault(package.manifest_path(), text));
            continue;
        };
        for edge in package.edges.iter().filter(|edge| !edge.dev) {
            if !admits(&may, edge) {
                let text = format!(
                    "{} must not depend on {}: it may use {} (xtask/src/tidy/house.rs)",
                    package.folder,
                    edge.to,
                    shown(&may)
                );
                findings.push(Finding::fault(package.manifest_path(), text));
            }
            if package.name == FACADE && must_be_optional(edge) && !edge.optional {
                let text = format!("{} must be optional: it belongs to a feature", edge.to);
                findings.push(Finding::fault(package.manifest_path(), text));
            }
        }
    }
    findings
}

/// Packages are named by their folder: `flare-<folder>`, `flare-plugin-<folder>`; the facade is
/// `flare`, and so is the program of `crates/cli`.
pub(super) fn names(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in &workspace.packages {
        let short = package.short();
        let expected = match package.folder.split_once('/') {
            Some(("crates", "flare")) => FACADE.to_owned(),
            Some(("crates", _)) => format!("flare-{short}"),
            Some(("plugins", _)) => format!("flare-plugin-{short}"),
            _ => short.to_owned(),
        };
        if package.name != expected {
            let text = format!("the package is named {}, not {expected}", package.name);
            findings.push(Finding::fault(package.manifest_path(), text));
        }
        if package.folder == "crates/cli" && package.programs != ["flare"] {
            let text = format!("its programs are {:?}, not the one `flare`", package.programs);
            findings.push(Finding::fault(package.manifest_path(), text));
        }
    }
    findings
}

/// A dev edge among ours is for integration tests: a unit test that used it would link its own
/// crate twice, with types that do not match.
pub(super) fn unit_tests_use_none_of_ours(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in &workspace.packages {
        let sources = format!("{}/src/", package.folder);
        for dev in dev_only(package) {
            let Some(name) = name_of(workspace, &dev.to) else { continue };
            let word = name.replace('-', "_");
            for file in workspace.rust().filter(|file| file.path.starts_with(&sources)) {
                for line in code::lines_with_word(&file.text, &word) {
                    let text = format!("{name} is for integration tests only (a dev-dependency)");
                    findings.push(Finding::fault(format!("{}:{line}", file.path), text));
                }
            }
        }
    }
    findings
}

fn may_use(package: &Package) -> Option<May> {
    match package.folder.split_once('/') {
        Some(("crates", name)) => {
            ROOMS.iter().find(|room| room.name == name).map(|room| match room.may_use {
                May::These(these) => May::These(these),
                May::All => May::All,
            })
        }
        Some(("plugins", name)) if name == MISBEHAVING => Some(May::These(MISBEHAVING_MAY_USE)),
        Some(("plugins", _)) => Some(May::These(PLUGINS_MAY_USE)),
        _ if package.folder == "xtask" => Some(May::These(&[])),
        _ => None,
    }
}

fn admits(may: &May, edge: &Edge) -> bool {
    let May::These(these) = may else { return true };
    match edge.to.split_once('/') {
        Some(("crates", name)) => these.contains(&name),
        Some(("plugins", _)) => these.contains(&"plugins/*"),
        _ => false,
    }
}

fn must_be_optional(edge: &Edge) -> bool {
    let short = edge.to.rsplit('/').next().unwrap_or_default();
    edge.to.starts_with("plugins/") || FACADE_OPTIONAL.contains(&short)
}

fn dev_only(package: &Package) -> impl Iterator<Item = &Edge> {
    let also_normal = |edge: &Edge| package.edges.iter().any(|e| !e.dev && e.to == edge.to);
    package
        .edges
        .iter()
        .filter(move |edge| edge.dev && edge.to != package.folder && !also_normal(edge))
}

fn name_of<'a>(workspace: &'a Workspace, folder: &str) -> Option<&'a str> {
    let package = workspace.packages.iter().find(|package| package.folder == folder)?;
    Some(&package.name)
}

fn shown(may: &May) -> String {
    match may {
        May::These([]) => "none of ours".into(),
        May::These(these) => these.join(", "),
        May::All => "all".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::workspace::make;
    use super::*;

    fn with(packages: Vec<Package>) -> Workspace {
        Workspace { packages, ..Workspace::default() }
    }

    fn dev(to: &str) -> Edge {
        Edge { to: to.into(), dev: true, optional: false }
    }

    #[test]
    fn an_edge_outside_the_table_is_found_and_one_inside_is_not() {
        let good = make::package("flare-store", "crates/store", &["crates/core"]);
        let bad = make::package("flare-core", "crates/core", &["crates/kernels", "crates/store"]);
        let findings = allowed(&with(vec![good, bad]));
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(findings[0].text.starts_with("crates/core must not depend on crates/store"));
    }

    #[test]
    fn a_dev_edge_is_free_but_a_build_or_normal_one_beside_it_is_not() {
        let mut package = make::package("flare-core", "crates/core", &[]);
        package.edges.push(dev("crates/testkit"));
        assert_eq!(allowed(&with(vec![package])), []);
        let mut package = make::package("flare-core", "crates/core", &["crates/testkit"]);
        package.edges.push(dev("crates/testkit"));
        assert_eq!(allowed(&with(vec![package])).len(), 1);
    }

    #[test]
    fn plugins_bench_and_xtask_have_their_own_rules() {
        let packages = vec![
            make::package("flare-plugin-a", "plugins/a", &["crates/core", "crates/data"]),
            make::package("flare-bench", "crates/bench", &["crates/flare", "plugins/a"]),
            make::package("flare-plugin-b", "plugins/b", &["plugins/a"]),
            make::package("flare-plugin-misbehaving", "plugins/misbehaving", &["crates/core"]),
            make::package("xtask", "xtask", &["crates/core"]),
        ];
        let findings = allowed(&with(packages));
        let places: Vec<&str> = findings.iter().map(|finding| finding.place.as_str()).collect();
        assert_eq!(
            places,
            ["plugins/b/Cargo.toml", "plugins/misbehaving/Cargo.toml", "xtask/Cargo.toml"]
        );
    }

    #[test]
    fn a_crate_that_the_table_does_not_know_is_found() {
        let findings = allowed(&with(vec![make::package("flare-utils", "crates/utils", &[])]));
        assert_eq!(findings.len(), 1);
    }

    #[test]
    fn the_facade_keeps_its_front_doors_behind_features() {
        let mut facade =
            make::package("flare", "crates/flare", &["crates/core", "crates/transport-local"]);
        facade.edges.push(Edge { to: "plugins/fedavg".into(), dev: false, optional: true });
        let findings = allowed(&with(vec![facade]));
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(findings[0].text.starts_with("crates/transport-local must be optional"));
    }

    #[test]
    fn names_follow_folders() {
        let mut cli = make::package("flare-cli", "crates/cli", &[]);
        cli.programs = vec!["flare".into()];
        let good = vec![
            make::package("flare", "crates/flare", &[]),
            make::package("flare-plugin-study", "plugins/study", &[]),
            make::package("xtask", "xtask", &[]),
            cli,
        ];
        assert_eq!(names(&with(good)), []);
        let bad = vec![
            make::package("core", "crates/core", &[]),
            make::package("flare-study", "plugins/study", &[]),
            make::package("flare-cli", "crates/cli", &[]),
        ];
        assert_eq!(names(&with(bad)).len(), 3);
    }

    #[test]
    fn a_unit_test_that_uses_a_dev_edge_of_ours_is_found() {
        let mut core = make::package("flare-core", "crates/core", &["crates/kernels"]);
        core.edges.extend([dev("crates/testkit"), dev("crates/kernels")]);
        let mut workspace = make::files(&[
            ("crates/core/src/a.rs", "//! A.\n// flare_testkit\nuse flare_testkit::sim;\n"),
            ("crates/core/src/b.rs", "//! B.\nuse flare_kernels::fold;\n"),
            ("crates/core/tests/it/main.rs", "//! Tests.\nuse flare_testkit::sim;\n"),
        ]);
        workspace.packages = vec![
            core,
            make::package("flare-testkit", "crates/testkit", &[]),
            make::package("flare-kernels", "crates/kernels", &[]),
        ];
        let findings = unit_tests_use_none_of_ours(&workspace);
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert_eq!(findings[0].place, "crates/core/src/a.rs:3");
    }
}
