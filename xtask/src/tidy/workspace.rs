//! What the rules look at: packages with their edges and manifests, and the text of every file.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use cargo_metadata::{CargoOpt, DependencyKind, MetadataCommand};

use crate::tree;

/// Files beyond this are data, not text that a person wrote.
const LARGEST_TEXT: u64 = 4 << 20;

/// The workspace as the rules see it. Plain data, so that a test can write one down.
#[derive(Debug, Default)]
pub(super) struct Workspace {
    pub(super) packages: Vec<Package>,
    pub(super) files: Vec<File>,
}

/// One member of the workspace.
#[derive(Debug, Default)]
pub(super) struct Package {
    pub(super) name: String,
    /// Where it lies, from the root: `crates/core`.
    pub(super) folder: String,
    pub(super) edges: Vec<Edge>,
    pub(super) features: Vec<String>,
    /// Names of its programs.
    pub(super) programs: Vec<String>,
    pub(super) manifest: toml::Table,
}

/// A dependency of a member on another member.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Edge {
    /// The folder of the member depended on.
    pub(super) to: String,
    pub(super) dev: bool,
    pub(super) optional: bool,
}

/// A text file: path from the root, with `/` between its parts.
#[derive(Debug)]
pub(super) struct File {
    pub(super) path: String,
    pub(super) text: String,
}

impl Workspace {
    /// Reads the workspace at `root`.
    pub(super) fn load(root: &Path) -> Result<Self> {
        Ok(Self { packages: packages(root)?, files: files(root)? })
    }

    /// The text of the file at `path`.
    pub(super) fn text(&self, path: &str) -> Option<&str> {
        self.files.iter().find(|file| file.path == path).map(|file| file.text.as_str())
    }

    /// All files of Rust.
    pub(super) fn rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.path.ends_with(".rs"))
    }
}

impl Package {
    /// The folder's last part, by which the house knows the crate: `core`.
    pub(super) fn short(&self) -> &str {
        self.folder.rsplit('/').next().unwrap_or(&self.folder)
    }

    /// Where its manifest lies.
    pub(super) fn manifest_path(&self) -> String {
        format!("{}/Cargo.toml", self.folder)
    }
}

fn packages(root: &Path) -> Result<Vec<Package>> {
    let metadata = MetadataCommand::new()
        .current_dir(root)
        .features(CargoOpt::AllFeatures)
        .no_deps()
        .exec()
        .context("asking cargo for the packages of the workspace")?;
    // Cargo's own idea of the root: the same as `root`, but where links are in the way.
    let top = metadata.workspace_root.as_std_path();
    let folder = |path: &str| Some(Path::new(path).strip_prefix(top).ok()?.to_str()?.to_owned());
    let mut packages = Vec::new();
    for package in &metadata.packages {
        let path = &package.manifest_path;
        let folder_of = path.parent().and_then(|parent| folder(parent.as_str()));
        let edges: BTreeSet<Edge> = package
            .dependencies
            .iter()
            .filter_map(|dependency| {
                let to = folder(dependency.path.as_ref()?.as_str())?;
                let dev = dependency.kind == DependencyKind::Development;
                Some(Edge { to, dev, optional: dependency.optional })
            })
            .collect();
        let text = fs::read_to_string(path).with_context(|| format!("reading {path}"))?;
        packages.push(Package {
            name: package.name.to_string(),
            folder: folder_of.with_context(|| format!("{path} is outside the workspace"))?,
            edges: edges.into_iter().collect(),
            features: package.features.keys().cloned().collect(),
            programs: package
                .targets
                .iter()
                .filter(|target| target.is_bin())
                .map(|target| target.name.clone())
                .collect(),
            manifest: text.parse().with_context(|| format!("reading {path}"))?,
        });
    }
    Ok(packages)
}

fn files(root: &Path) -> Result<Vec<File>> {
    let paths = tree::paths(root)?;
    Ok(paths.into_iter().filter_map(|path| read_text(root, path)).collect())
}

/// None for what is no text: a link, a large file, one that is not UTF-8.
fn read_text(root: &Path, path: String) -> Option<File> {
    let full = root.join(&path);
    let metadata = fs::symlink_metadata(&full).ok()?;
    if !metadata.is_file() || metadata.len() > LARGEST_TEXT {
        return None;
    }
    let text = fs::read_to_string(&full).ok()?;
    Some(File { path, text })
}

#[cfg(test)]
pub(super) mod make {
    //! Small workspaces for the rules' own tests.

    use super::*;

    /// A workspace with one file.
    pub(crate) fn file(path: &str, text: &str) -> Workspace {
        files(&[(path, text)])
    }

    /// A workspace with these files.
    pub(crate) fn files(files: &[(&str, &str)]) -> Workspace {
        let file = |&(path, text): &(&str, &str)| File { path: path.into(), text: text.into() };
        Workspace { files: files.iter().map(file).collect(), ..Workspace::default() }
    }

    /// A member at `folder` with normal edges to the members at `to`.
    pub(crate) fn package(name: &str, folder: &str, to: &[&str]) -> Package {
        let edge = |to: &&str| Edge { to: (*to).into(), dev: false, optional: false };
        Package {
            name: name.into(),
            folder: folder.into(),
            edges: to.iter().map(edge).collect(),
            ..Package::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_at_hand_is_read() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let workspace = Workspace::load(root).unwrap();
        let xtask = workspace.packages.iter().find(|package| package.folder == "xtask").unwrap();
        assert_eq!((xtask.name.as_str(), xtask.short()), ("xtask", "xtask"));
        assert!(xtask.manifest.contains_key("lints"));
        assert!(workspace.text("xtask/src/main.rs").unwrap().starts_with("//! "));
    }
}
