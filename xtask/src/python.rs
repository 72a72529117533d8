//! The Python that tests compare with: a virtual environment under `target/` with pinned packages.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::call::Call;

const REQUIREMENTS: &str = "tests/python/requirements.txt";
const FOLDER: &str = "target/python";
const STAMP: &str = "target/python/installed.txt";
const OTHERWISE: &str = "tests need Python 3 with its venv module (on some systems a package of its own), \
     and once a network for pip; otherwise set FLARE_TEST_PYTHON to an interpreter that has the \
     packages of tests/python/requirements.txt";

/// The interpreter for tests, with everything it needs installed: FLARE_TEST_PYTHON where that
/// is set, else a virtual environment that is made here and kept as long as its requirements.
///
/// # Errors
/// Where Python, its venv module or the packages cannot be had; the message says what to do.
pub(crate) fn ready(root: &Path) -> Result<PathBuf> {
    if let Some(given) = std::env::var_os("FLARE_TEST_PYTHON") {
        imports(root, Path::new(&given))
            .with_context(|| format!("FLARE_TEST_PYTHON is {}", Path::new(&given).display()))?;
        return Ok(given.into());
    }
    let python = root.join(FOLDER).join("bin/python");
    let version = Call::new(root, "python3").args(["--version"]).output().context(OTHERWISE)?;
    let requirements = root.join(REQUIREMENTS);
    let pins = fs::read_to_string(&requirements)
        .with_context(|| format!("reading {}", requirements.display()))?;
    let wanted = format!("{}\n{}", version.trim(), pins);
    if fs::read_to_string(root.join(STAMP)).is_ok_and(|stamp| stamp == wanted)
        && imports(root, &python).is_ok()
    {
        return Ok(python);
    }
    install(root, &python).context(OTHERWISE)?;
    fs::write(root.join(STAMP), wanted).with_context(|| format!("writing {STAMP}"))?;
    Ok(python)
}

fn install(root: &Path, python: &Path) -> Result<()> {
    Call::new(root, "python3").args(["-m", "venv", "--clear", FOLDER]).output()?;
    Call::new(root, python.to_string_lossy())
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
        .args(["--requirement", REQUIREMENTS])
        .output()?;
    imports(root, python)
}

fn imports(root: &Path, python: &Path) -> Result<()> {
    Call::new(root, python.to_string_lossy())
        .args(["-c", "import numpy, safetensors.numpy"])
        .output()
        .map(drop)
}
