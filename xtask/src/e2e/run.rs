//! One row: its processes in a folder of its own, and what they must have given.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::Passed;
use super::expected::{Constants, Expected};
use super::kill;
use super::program::{End, Program, Programs};
use super::rows::{Build, Fault, Job, Journal, Row};
use super::summary::Summary;

/// How one run of a job is started; its parts differ in what comes after.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) program: Program,
    /// Where its processes run and write.
    pub(super) folder: PathBuf,
    /// `run JOB --json …`, without its workers and its output folder.
    pub(super) args: Vec<String>,
    /// How many workers its processes have, in turn.
    pub(super) workers: &'static [u32],
}

/// The folder, within a plan's own, that a run keeps its results in.
pub(super) const OUT: &str = "out";

/// Carries the row out.
pub(super) fn row(
    root: &Path,
    programs: &Programs,
    expected: &Expected,
    row: &Row,
    seed: u64,
) -> Result<Passed> {
    let program = match row.build {
        Build::Plain => &programs.plain,
        Build::V3 => match &programs.v3 {
            Some(program) => program,
            None => return Ok(Passed::Skipped("this machine has no AVX2".into())),
        },
    };
    let folder = tempfile::tempdir().context("making a folder for the row")?;
    let plan = Plan::new(root, program, folder.path(), row.job, row.workers).with(row.args());
    let constants = expected.of(row.job.name)?;
    match row.fault {
        Fault::None | Fault::Delays => undisturbed(&plan, constants, row.journal),
        Fault::Kills(kills) => {
            let chance = crate::chance::Chance::new(seed, &row.name());
            kill::row(&plan, constants, kills, chance)
        }
    }
}

impl Plan {
    pub(super) fn new(
        root: &Path,
        program: &Program,
        folder: &Path,
        job: &Job,
        workers: &'static [u32],
    ) -> Self {
        let job = root.join(job.path).to_string_lossy().into_owned();
        let args = vec!["run".into(), job, "--json".into()];
        Self { program: program.clone(), folder: folder.to_path_buf(), args, workers }
    }

    /// The same with more arguments.
    pub(super) fn with<S: AsRef<str>>(mut self, args: &[S]) -> Self {
        self.args.extend(args.iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// The arguments of the process that comes after so many others of the run. Its train calls leave their bytes
    /// in the file that counts those of the output folder.
    pub(super) fn part(&self, before: usize, folder: Kept<'_>) -> Vec<String> {
        let workers = self.workers[before % self.workers.len()];
        let mut args = self.args.clone();
        args.push(format!("--workers={workers}"));
        match folder {
            Kept::Not => {}
            Kept::New(out) => args.push(format!("--out={out}")),
            Kept::Before(out) => args.push(format!("--resume={out}")),
        }
        args.push(format!("--count-calls={}", folder.calls()));
        args
    }

    /// The train calls that began in all processes of the run.
    pub(super) fn calls(&self, folder: Kept<'_>) -> Result<u64> {
        let path = self.folder.join(folder.calls());
        let file = fs::metadata(&path).with_context(|| format!("looking at {}", path.display()))?;
        Ok(file.len())
    }
}

/// Where a run is kept.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kept<'a> {
    Not,
    /// In a new folder of this name.
    New(&'a str),
    /// In the folder of this name, in which it was begun before.
    Before(&'a str),
}

impl<'a> Kept<'a> {
    /// The folder's name.
    pub(super) fn folder(self) -> &'a str {
        match self {
            Self::Not => "memory",
            Self::New(out) | Self::Before(out) => out,
        }
    }

    fn calls(self) -> String {
        format!("{}-calls", self.folder())
    }
}

/// Runs to the end, undisturbed, and gives the summary.
pub(super) fn to_the_end(plan: &Plan, args: &[String]) -> Result<Summary> {
    let ended = plan.program.run(&plan.folder, args, None)?;
    match ended.end {
        End::Well => Summary::read(&ended.lines),
        End::Killed => bail!("killed without being asked to"),
    }
}

/// The model in the run's folder must be the one that the summary speaks of.
pub(super) fn check_model(out: &Path, summary: &Summary) -> Result<()> {
    let path = out.join("model.safetensors");
    let model = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
    let hash = blake3::hash(&model).to_hex();
    if hash.as_str() != summary.model_hash {
        bail!("model.safetensors hashes to {hash}, the summary says {}", summary.model_hash);
    }
    Ok(())
}

fn undisturbed(plan: &Plan, constants: &Constants, journal: Journal) -> Result<Passed> {
    let kept = match journal {
        Journal::Memory => Kept::Not,
        Journal::Folder => Kept::New(OUT),
    };
    let summary = to_the_end(plan, &plan.part(0, kept))?;
    if journal == Journal::Folder {
        check_model(&plan.folder.join(OUT), &summary)?;
    }
    constants.check(&summary)?;
    constants.check_trained(plan.calls(kept)?, 0)?;
    constants.check_trained(summary.trained, 0)?;
    Ok(Passed::With(short(&summary.model_hash)))
}

/// As much of a hash as a table needs.
pub(super) fn short(hash: &str) -> String {
    hash.chars().take(16).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program that writes the model where it is told to, makes its train calls and says what it says.
    const PROGRAM: &str = r#"
for arg in "$@"; do case "$arg" in
  --out=*) mkdir "${arg#*=}"; printf MODEL > "${arg#*=}/model.safetensors";;
  --count-calls=*) printf CALLS >> "${arg#*=}";;
esac; done
echo '{"model_hash":"HASH","accuracy":null,"central_accuracy":null,"clients_alone_accuracy":null,"rounds":1,"trained":TRAINED,"seconds":0,"peak_rss_bytes":0,"exact":true}'
"#;

    fn outcome(model: &str, calls: &str, trained: &str, journal: Journal) -> Result<Passed> {
        let folder = tempfile::tempdir().unwrap();
        let hash = blake3::hash(b"m").to_hex().to_string();
        let path = folder.path().join("program.sh");
        let script = PROGRAM.replace("HASH", &hash).replace("TRAINED", trained);
        let script = script.replace("CALLS", calls).replace("MODEL", model);
        fs::write(&path, script).unwrap();
        let program = Program::script(&path);
        let folder = folder.path().into();
        let plan = Plan { program, folder, args: vec!["run".into()], workers: &[1] };
        let constants = Constants {
            model_hash: Some(hash),
            rounds: 1,
            tasks: 2,
            trained: 2,
            ..Constants::default()
        };
        undisturbed(&plan, &constants, journal)
    }

    #[test]
    fn an_undisturbed_run_passes_with_a_folder_and_without() {
        outcome("m", "..", "2", Journal::Folder).map(drop).unwrap();
        outcome("m", "..", "2", Journal::Memory).map(drop).unwrap();
    }

    #[test]
    fn another_model_than_the_summary_speaks_of_and_another_number_of_train_calls_fail() {
        assert!(outcome("n", "..", "2", Journal::Folder).is_err());
        assert!(outcome("m", "..", "3", Journal::Folder).is_err());
        assert!(outcome("m", "...", "2", Journal::Folder).is_err());
        assert!(outcome("m", ".", "2", Journal::Memory).is_err());
        assert!(outcome("m", "..", "1", Journal::Memory).is_err());
    }

    #[test]
    fn the_parts_of_a_run_take_their_workers_in_turn() {
        let program = Program::new("flare".into());
        let plan = Plan { program, folder: "".into(), args: vec!["run".into()], workers: &[7, 1] };
        let args = |part| plan.part(part, Kept::Before("a")).join(" ");
        assert_eq!(args(0), "run --workers=7 --resume=a --count-calls=a-calls");
        assert!(args(1).contains("--workers=1") && args(2).contains("--workers=7"));
    }
}
