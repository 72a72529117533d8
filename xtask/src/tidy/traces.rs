//! No file may carry a trace of the machine it was written on, or send readers to a registry's host.

use super::Finding;
use super::workspace::{File, Workspace};

/// First parts of paths that exist on some machine and not on a user's.
const MACHINE_FOLDERS: &[&str] = &["work", "farm"];
/// Registries, as they appear in the names of hosts.
const REGISTRIES: &[&str] = &["pypi", "pythonhosted", "crates", "npmjs", "debian"];
/// Written by cargo, which names the registry in it.
const EXEMPT: &[&str] = &["Cargo.lock"];

/// Neither machine paths nor registry hosts stand in any file.
pub(super) fn no_machine_and_no_registry(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &workspace.files {
        if EXEMPT.iter().any(|name| file.path.rsplit('/').next() == Some(name)) {
            continue;
        }
        findings.extend(in_file(file));
    }
    findings
}

fn in_file(file: &File) -> impl Iterator<Item = Finding> {
    file.text.lines().zip(1..).filter_map(|(line, number)| {
        let what = machine_path(line).or_else(|| registry_host(line))?;
        Some(Finding::fault(format!("{}:{number}", file.path), format!("{what} is named here")))
    })
}

fn machine_path(line: &str) -> Option<String> {
    MACHINE_FOLDERS.iter().map(|name| format!("/{name}/")).find(|path| {
        let starts_word = |at: usize| {
            !line[..at].ends_with(|c: char| c.is_alphanumeric() || "_-.~}*".contains(c))
        };
        line.match_indices(path.as_str()).any(|(at, _)| starts_word(at))
    })
}

fn registry_host(line: &str) -> Option<String> {
    let hosts = ["http://", "https://"].into_iter().flat_map(|scheme| {
        line.match_indices(scheme).map(move |(at, _)| {
            let host = &line[at + scheme.len()..];
            let end = host.find(|c: char| !(c.is_alphanumeric() || ".-@".contains(c)));
            &host[..end.unwrap_or(host.len())]
        })
    });
    hosts
        .filter(|host| REGISTRIES.iter().any(|registry| host.contains(registry)))
        .map(|host| format!("the registry host {host}"))
        .next()
}

#[cfg(test)]
mod tests {
    use super::super::workspace::make;
    use super::*;

    fn findings(line: &str) -> usize {
        no_machine_and_no_registry(&make::file("docs/a.md", line)).len()
    }

    #[test]
    fn machine_paths_are_found_and_folders_of_the_repository_are_not() {
        for name in MACHINE_FOLDERS {
            assert_eq!(findings(&format!("/{name}/main")), 1);
            assert_eq!(findings(&format!("see (/{name}/x)")), 1);
            assert_eq!(findings(&format!("examples/{name}/job.toml")), 0);
            assert_eq!(findings(&format!("../{name}/job.toml")), 0);
            assert_eq!(findings(&format!("/{name}ing/hours")), 0);
        }
    }

    #[test]
    fn registry_hosts_are_found_and_other_addresses_are_not() {
        for registry in REGISTRIES {
            assert_eq!(findings(&format!("<https://static.{registry}.org/a>")), 1);
            assert_eq!(findings(&format!("a http://{registry}.example")), 1);
            assert_eq!(findings(&format!("https://example.org/{registry}/b")), 0);
            assert_eq!(findings(&format!("the {registry} registry")), 0);
        }
    }

    #[test]
    fn the_lock_file_may_name_the_registry() {
        let line = format!("https://{}.example", REGISTRIES[0]);
        assert_eq!(no_machine_and_no_registry(&make::file("Cargo.lock", &line)), []);
        assert_eq!(no_machine_and_no_registry(&make::file("fuzz/Cargo.lock", &line)), []);
    }
}
