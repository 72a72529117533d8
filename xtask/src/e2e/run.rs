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
    /// `run JOB --json --seed … --workers …`, without its output folder.
    pub(super) args: Vec<String>,
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
    let plan = Plan::new(root, program, folder.path(), row.job, row.job.seed, row.workers)
        .with(row.args());
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
        seed: u64,
        workers: u32,
    ) -> Self {
        let job = root.join(job.path).to_string_lossy().into_owned();
        let numbers = [format!("--seed={seed}"), format!("--workers={workers}")];
        let args = ["run".into(), job, "--json".into()].into_iter().chain(numbers).collect();
        Self { program: program.clone(), folder: folder.to_path_buf(), args }
    }

    fn with(mut self, args: &[&str]) -> Self {
        self.args.extend(args.iter().map(|arg| (*arg).to_owned()));
        self
    }

    /// The arguments with one more.
    pub(super) fn and(&self, arg: String) -> Vec<String> {
        self.args.iter().cloned().chain([arg]).collect()
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
    let summary = match journal {
        Journal::Memory => to_the_end(plan, &plan.args)?,
        Journal::Folder => {
            let summary = to_the_end(plan, &plan.and(format!("--out={OUT}")))?;
            check_model(&plan.folder.join(OUT), &summary)?;
            summary
        }
    };
    constants.check(&summary)?;
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

    /// A program that writes the model `m` where it is told to and says what it says.
    const PROGRAM: &str = r#"
case "$2" in --out=*) mkdir "${2#*=}"; printf MODEL > "${2#*=}/model.safetensors";; esac
echo '{"model_hash":"HASH","accuracy":null,"central_accuracy":null,"clients_alone_accuracy":null,"rounds":1,"trained":TRAINED,"seconds":0,"peak_rss_bytes":0,"exact":true}'
"#;

    fn outcome(model: &str, trained: &str, journal: Journal) -> Result<Passed> {
        let folder = tempfile::tempdir().unwrap();
        let hash = blake3::hash(b"m").to_hex().to_string();
        let path = folder.path().join("program.sh");
        let script = PROGRAM.replace("HASH", &hash).replace("TRAINED", trained);
        fs::write(&path, script.replace("MODEL", model)).unwrap();
        let program = Program::script(&path);
        let plan = Plan { program, folder: folder.path().into(), args: vec!["run".into()] };
        let constants = Constants { model_hash: Some(hash), rounds: 1, tasks: 2, trained: 2 };
        undisturbed(&plan, &constants, journal)
    }

    #[test]
    fn an_undisturbed_run_passes_with_a_folder_and_without() {
        outcome("m", "2", Journal::Folder).map(drop).unwrap();
        outcome("m", "2", Journal::Memory).map(drop).unwrap();
    }

    #[test]
    fn another_model_than_the_summary_speaks_of_and_too_many_train_calls_fail() {
        assert!(outcome("n", "2", Journal::Folder).is_err());
        assert!(outcome("m", "3", Journal::Folder).is_err());
        assert!(outcome("m", "1", Journal::Memory).is_err());
    }
}
