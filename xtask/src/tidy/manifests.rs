//! Rules about manifests: what every member takes from the root, and where versions are declared.

use toml::{Table, Value};

use super::Finding;
use super::workspace::{Package, Workspace};

/// Fields that every member takes from the root.
const INHERITED: &[&str] = &["version", "edition", "rust-version", "license", "authors", "publish"];

/// Tables of dependencies, in a manifest and below each `target.*`.
const DEPENDENCIES: &[&str] = &["dependencies", "dev-dependencies", "build-dependencies"];

/// Every member inherits the package fields and says in a sentence what it is.
pub(super) fn inherit_package_fields(workspace: &Workspace) -> Vec<Finding> {
    each(workspace, |package, found| {
        let fields = table(&package.manifest, "package");
        for field in INHERITED {
            if !fields.and_then(|fields| fields.get(*field)).is_some_and(is_inherited) {
                found.push(format!("`{field}.workspace = true` is missing from [package]"));
            }
        }
        let description = fields.and_then(|fields| fields.get("description"));
        if description.and_then(Value::as_str).is_none_or(|text| text.trim().is_empty()) {
            found.push("[package] has no description".into());
        }
    })
}

/// Every member has the workspace's lints.
pub(super) fn inherit_lints(workspace: &Workspace) -> Vec<Finding> {
    each(workspace, |package, found| {
        if !package.manifest.get("lints").is_some_and(is_inherited) {
            found.push("`workspace = true` is missing from [lints]".into());
        }
    })
}

/// A dependency's version, path or source stands in the root's manifest and nowhere else.
pub(super) fn declare_no_versions(workspace: &Workspace) -> Vec<Finding> {
    each(workspace, |package, found| {
        let targets = table(&package.manifest, "target").into_iter().flat_map(Table::values);
        let places = targets.filter_map(Value::as_table).chain([&package.manifest]);
        for dependencies in
            places.flat_map(|place| DEPENDENCIES.iter().filter_map(|name| table(place, name)))
        {
            for (name, value) in dependencies {
                if !is_inherited(value) {
                    found.push(format!(
                        "{name} must be declared in the root: `{name}.workspace = true`"
                    ));
                }
            }
        }
    })
}

fn each(workspace: &Workspace, check: impl Fn(&Package, &mut Vec<String>)) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in &workspace.packages {
        let mut texts = Vec::new();
        check(package, &mut texts);
        let finding = |text| Finding::fault(package.manifest_path(), text);
        findings.extend(texts.into_iter().map(finding));
    }
    findings
}

fn table<'a>(table: &'a Table, name: &str) -> Option<&'a Table> {
    table.get(name)?.as_table()
}

fn is_inherited(value: &Value) -> bool {
    value.get("workspace").and_then(Value::as_bool) == Some(true)
}

#[cfg(test)]
mod tests {
    use super::super::workspace::make;
    use super::*;

    const GOOD: &str = "
        [package]
        name = \"a\"
        description = \"A thing\"
        version.workspace = true
        edition.workspace = true
        rust-version.workspace = true
        license.workspace = true
        authors.workspace = true
        publish.workspace = true
        [lints]
        workspace = true
        [dependencies]
        b.workspace = true
        c = { workspace = true, optional = true }
        [target.'cfg(unix)'.dependencies]
        d.workspace = true
    ";

    fn with(manifest: &str) -> Workspace {
        let mut package = make::package("a", "crates/a", &[]);
        package.manifest = manifest.parse().unwrap();
        Workspace { packages: vec![package], ..Workspace::default() }
    }

    fn all(manifest: &str) -> Vec<Finding> {
        let workspace = with(manifest);
        [inherit_package_fields, inherit_lints, declare_no_versions]
            .iter()
            .flat_map(|check| check(&workspace))
            .collect()
    }

    #[test]
    fn a_good_manifest_has_no_findings() {
        assert_eq!(all(GOOD), []);
    }

    #[test]
    fn each_departure_is_found() {
        let departures = [
            ("edition.workspace = true", "edition = \"2021\""),
            ("publish.workspace = true", ""),
            ("\"A thing\"", "\" \""),
            ("[lints]\n        workspace = true", ""),
            ("b.workspace = true", "b = \"1\""),
            ("c = { workspace = true", "c = { path = \"../c\""),
            ("d.workspace = true", "d.workspace = false"),
            ("[dependencies]\n        b.workspace = true", "[dev-dependencies]\n b = \"1\""),
            ("[dependencies]\n        b.workspace = true", "[build-dependencies.b]\n git = \"x\""),
        ];
        for (good, bad) in departures {
            assert!(GOOD.contains(good), "{good}");
            let findings = all(&GOOD.replace(good, bad));
            assert!(!findings.is_empty(), "{bad}");
        }
    }
}
