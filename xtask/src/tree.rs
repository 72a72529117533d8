//! The files of a checkout: which they are, and how to copy them elsewhere.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::call::Call;

/// The paths, from `root`, of the files that git tracks or would track. Where there is no git (an unpacked
/// archive): all files but hidden ones and those under folders named `target`.
///
/// # Errors
/// Where a folder cannot be listed.
pub(crate) fn paths(root: &Path) -> Result<BTreeSet<String>> {
    let listing = Call::new(root, "git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .output();
    let Ok(listing) = listing else { return walk(root) };
    let there = |path: &&str| root.join(path).is_file();
    Ok(listing.split('\0').filter(there).map(str::to_owned).collect())
}

/// Makes `to` hold the same files as `from`. A file that is already the same is not touched, so
/// that cargo does not build anew what did not change; a file too many is removed.
///
/// # Errors
/// Where a file cannot be read, written or removed.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
    let wanted = paths(from)?;
    if to.exists() {
        for path in walk(to)?.difference(&wanted) {
            let file = to.join(path);
            fs::remove_file(&file).with_context(|| format!("removing {}", file.display()))?;
        }
    }
    for path in &wanted {
        copy_file(&from.join(path), &to.join(path))
            .with_context(|| format!("copying {path} to {}", to.display()))?;
    }
    Ok(())
}

/// Like `copy`, and leaves nothing else in `to`: no folder that holds none of the files, nor hidden files, nor a
/// `target`. Times are not taken from `from`: a file that changed after an earlier copy, but before what was built
/// from that copy, would look older than the build that does not have it.
///
/// # Errors
/// Where a file cannot be read, written or removed.
pub(crate) fn fresh(from: &Path, to: &Path) -> Result<()> {
    if to.exists() {
        prune(to, to, &paths(from)?).with_context(|| format!("clearing {}", to.display()))?;
    }
    copy(from, to)
}

fn prune(root: &Path, folder: &Path, wanted: &BTreeSet<String>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        let relative = path.strip_prefix(root)?.to_string_lossy().into_owned();
        let inner = format!("{relative}/");
        if !entry.file_type()?.is_dir() {
            if !wanted.contains(&relative) {
                fs::remove_file(&path)?;
            }
        } else if wanted.iter().any(|file| file.starts_with(&inner)) {
            prune(root, &path, wanted)?;
        } else {
            fs::remove_dir_all(&path)?;
        }
    }
    Ok(())
}

fn copy_file(from: &Path, to: &Path) -> Result<()> {
    let bytes = fs::read(from)?;
    if fs::read(to).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    fs::create_dir_all(to.parent().context("a file without a folder")?)?;
    fs::write(to, bytes)?;
    fs::set_permissions(to, fs::metadata(from)?.permissions())?;
    Ok(())
}

fn walk(root: &Path) -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries =
            fs::read_dir(&folder).with_context(|| format!("listing {}", folder.display()))?;
        for entry in entries {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name == "target" || name.starts_with(".git") {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(relative) = path.strip_prefix(root) {
                found.insert(relative.to_string_lossy().into_owned());
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_checkout_is_listed_with_git_and_without() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        for paths in [paths(root).unwrap(), walk(root).unwrap()] {
            assert!(paths.contains("xtask/src/tree.rs") && paths.contains(".cargo/config.toml"));
            assert!(!paths.iter().any(|path| path.starts_with("target/")));
        }
    }

    #[test]
    fn a_copy_follows_its_original_and_keeps_what_did_not_change() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        fs::create_dir_all(from.join("a")).unwrap();
        fs::write(from.join("a/b"), "1").unwrap();
        fs::write(from.join("c"), "1").unwrap();
        copy(&from, &to).unwrap();
        let untouched = fs::metadata(to.join("a/b")).unwrap().modified().unwrap();
        fs::write(to.join("c"), "changed").unwrap();
        fs::write(to.join("d"), "too many").unwrap();
        copy(&from, &to).unwrap();
        assert_eq!(fs::read_to_string(to.join("c")).unwrap(), "1");
        assert!(!to.join("d").exists());
        assert_eq!(fs::metadata(to.join("a/b")).unwrap().modified().unwrap(), untouched);
    }

    #[test]
    fn a_fresh_copy_holds_nothing_else_and_what_changed_is_newer_than_what_was_built() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        let changed = |file: &Path| fs::metadata(file).unwrap().modified().unwrap();
        fs::create_dir_all(from.join("a")).unwrap();
        fs::write(from.join("a/b"), "1").unwrap();
        fs::write(from.join("c"), "1").unwrap();
        fresh(&from, &to).unwrap();
        let first = changed(&to.join("c"));
        fs::write(from.join("a/b"), "2").unwrap();
        let file = fs::File::options().append(true).open(from.join("a/b")).unwrap();
        file.set_modified(first - std::time::Duration::from_secs(9)).unwrap();
        fs::write(to.join("built"), "from the first copy").unwrap();
        let built = changed(&to.join("built"));
        fs::create_dir_all(to.join("a/target/left")).unwrap();
        fs::create_dir_all(to.join("empty")).unwrap();
        fs::write(to.join(".gitignore"), "left").unwrap();
        fresh(&from, &to).unwrap();
        assert_eq!(changed(&to.join("c")), first);
        assert!(changed(&to.join("a/b")) >= built);
        assert_eq!(fs::read(to.join("a/b")).unwrap(), b"2");
        assert_eq!(fs::read_dir(&to).unwrap().count(), 2);
        assert_eq!(fs::read_dir(to.join("a")).unwrap().count(), 1);
    }
}
