//! The folder of a run: when it may be begun in, and when gone on with.

use std::path::{Path, PathBuf};

use flare_core::journal;

use super::{Error, Options};
use crate::session::Place;

/// Where the run is remembered, with the folder's lock taken.
///
/// # Errors
/// A folder that is in use, holds a run that is not to be gone on with, or holds none that could be.
pub(super) fn place(options: &Options) -> Result<Place, Error> {
    let Some(out) = &options.out else {
        return if options.resume {
            Err(Error::Folder { fault: "resuming needs the folder of the run".into() })
        } else {
            Ok(Place::unnamed(&options.hold))
        };
    };
    if options.resume {
        check_resumable(out)?;
    }
    let place = Place::folder(out, options.durability).map_err(|error| fault(error, out))?;
    if place.holds_run() && !options.resume {
        let shown = shown(out);
        let fault = format!(
            "{shown} holds a run already: go on with it by --resume {shown}, or name another folder"
        );
        return Err(Error::Folder { fault });
    }
    Ok(place)
}

/// A journal's error as the run's: another process's folder is one to change, all else is the disk's.
pub(super) fn fault(error: journal::Error, out: &Path) -> Error {
    match error {
        journal::Error::InUse { .. } | journal::Error::Missing { .. } => {
            Error::Folder { fault: error.to_string() }
        }
        source => Error::Disk { source, out: Some(PathBuf::from(out)) },
    }
}

/// A run that was killed before it wrote anything left an empty folder, or none of its files: it begins
/// anew. A folder of something else is none of ours.
fn check_resumable(out: &Path) -> Result<(), Error> {
    let none = |why: &str| Error::Folder {
        fault: format!("{} holds no run to go on with{why}: begin one by --out", shown(out)),
    };
    let entries = std::fs::read_dir(out).map_err(|error| none(&format!(" ({error})")))?;
    let names: Vec<String> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    let ours = |name: &String| OURS.iter().any(|known| name.starts_with(known));
    if names.is_empty() || names.iter().any(ours) { Ok(()) } else { Err(none("")) }
}

/// How the names of what the store makes begin.
const OURS: [&str; 5] = ["journal", "lock", "blobs", "states", "run"];

fn shown(out: &Path) -> String {
    flare_core::shown(&out.to_string_lossy()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use flare_store::Durability;

    #[test]
    fn the_folder_has_the_durability_of_the_options() {
        let parent = tempfile::tempdir().expect("a temporary folder");
        for (name, durability) in [("a", Durability::Process), ("b", Durability::Power)] {
            let out = Some(parent.path().join(name));
            let place = place(&Options { out, durability, ..Options::default() });
            let folder = place.expect("an empty folder").folder.expect("it has one");
            assert_eq!(folder.durability(), durability);
        }
    }
}
