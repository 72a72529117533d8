//! What every run of a job must give: the constants of `e2e/expected.toml`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use toml::Value;

use super::summary::{Accuracies, Summary};

const FILE: &str = "e2e/expected.toml";

/// The constants, by the job's name.
#[derive(Debug, Default)]
pub(super) struct Expected(BTreeMap<String, Constants>);

/// The constants of one job.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Constants {
    /// None until a first run has given one that was looked at.
    pub(super) model_hash: Option<String>,
    pub(super) rounds: u64,
    /// Train calls of one operation, undisturbed.
    pub(super) tasks: u64,
    /// Train calls of the whole run, undisturbed.
    pub(super) trained: u64,
    pub(super) accuracies: Accuracies,
}

impl Expected {
    /// Reads the file.
    pub(super) fn load(root: &Path) -> Result<Self> {
        let text =
            fs::read_to_string(root.join(FILE)).with_context(|| format!("reading {FILE}"))?;
        Self::parse(&text).with_context(|| format!("reading {FILE}"))
    }

    /// The constants of a job.
    pub(super) fn of(&self, job: &str) -> Result<&Constants> {
        self.0.get(job).with_context(|| format!("{FILE} has no table [{job}]"))
    }

    fn parse(text: &str) -> Result<Self> {
        let table: toml::Table = text.parse()?;
        let jobs = table.iter().map(|(name, value)| {
            let constants = Constants::parse(value).with_context(|| format!("[{name}]"))?;
            Ok((name.clone(), constants))
        });
        jobs.collect::<Result<_>>().map(Self)
    }
}

impl Constants {
    /// Compares a finished run with the constants, but for the number of train calls. The accuracies are those of
    /// the same arithmetic on the same rows: they are equal or wrong.
    pub(super) fn check(&self, summary: &Summary) -> Result<()> {
        let given = &summary.model_hash;
        match &self.model_hash {
            Some(expected) if expected == given => {}
            Some(expected) => bail!("the model's hash is {given}, not {expected}"),
            None => bail!("{FILE} has no model_hash for this job; this run gave {given}"),
        }
        if summary.rounds != self.rounds {
            bail!("the run had {} rounds, not {}", summary.rounds, self.rounds);
        }
        if !summary.exact {
            bail!("the run says that it is not exact");
        }
        if summary.accuracies != self.accuracies {
            bail!("the run gave {:?}, not {:?}", summary.accuracies, self.accuracies);
        }
        Ok(())
    }

    /// Compares the train calls of all parts of a run that was killed so many times: each kill
    /// may cost the work of the operation in flight, and nothing else; and no work is left out.
    pub(super) fn check_trained(&self, trained: u64, kills: u64) -> Result<()> {
        let most = self.trained + kills * self.tasks;
        if !(self.trained..=most).contains(&trained) {
            bail!(
                "{trained} train calls over all parts of the run, {} undisturbed: with {kills} \
                 kills there may be {most}",
                self.trained
            );
        }
        Ok(())
    }

    fn parse(value: &Value) -> Result<Self> {
        let number = |key: &str| {
            let number = value.get(key).and_then(Value::as_integer);
            number.and_then(|n| u64::try_from(n).ok()).with_context(|| format!("no number `{key}`"))
        };
        let share = |key: &str| {
            let share = value.get(key).map(|share| share.as_float());
            share.map(|share| share.with_context(|| format!("`{key}` is no share"))).transpose()
        };
        let hash = value.get("model_hash").map(|hash| hash.as_str().map(str::to_owned));
        Ok(Self {
            model_hash: hash.map(|hash| hash.context("`model_hash` is no text")).transpose()?,
            rounds: number("rounds")?,
            tasks: number("tasks")?,
            trained: number("trained")?,
            accuracies: Accuracies {
                federation: share("accuracy")?,
                central: share("central_accuracy")?,
                alone: share("clients_alone_accuracy")?,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "[a]\nmodel_hash = \"ff\"\nrounds = 3\ntasks = 2\ntrained = 6\naccuracy = 0.5\n[b]\nrounds = 1\ntasks = 1\ntrained = 1\n";

    fn summary() -> Summary {
        Summary {
            model_hash: "ff".into(),
            rounds: 3,
            trained: 6,
            exact: true,
            accuracies: accuracies(Some(0.5), None),
        }
    }

    fn accuracies(federation: Option<f64>, central: Option<f64>) -> Accuracies {
        Accuracies { federation, central, alone: None }
    }

    #[test]
    fn a_run_must_equal_the_constants() {
        let expected = Expected::parse(TEXT).unwrap();
        let a = expected.of("a").unwrap();
        a.check(&summary()).unwrap();
        for wrong in [
            Summary { model_hash: "fe".into(), ..summary() },
            Summary { rounds: 2, ..summary() },
            Summary { exact: false, ..summary() },
            Summary { accuracies: accuracies(Some(0.6), None), ..summary() },
            Summary { accuracies: accuracies(None, None), ..summary() },
            Summary { accuracies: accuracies(Some(0.5), Some(0.5)), ..summary() },
        ] {
            assert!(a.check(&wrong).is_err(), "{wrong:?}");
        }
        let error = expected.of("b").unwrap().check(&summary()).unwrap_err().to_string();
        assert!(error.contains("this run gave ff"), "{error}");
        assert!(expected.of("c").is_err());
    }

    #[test]
    fn a_kill_may_cost_one_operation() {
        let expected = Expected::parse(TEXT).unwrap();
        let a = expected.of("a").unwrap();
        for (trained, kills, good) in [
            (6, 0, true),
            (7, 0, false),
            (5, 0, false),
            (5, 1, false),
            (8, 1, true),
            (9, 1, false),
            (10, 2, true),
        ] {
            assert_eq!(a.check_trained(trained, kills).is_ok(), good, "{trained} {kills}");
        }
    }

    #[test]
    fn the_file_of_the_repository_is_read_and_its_numbers_agree() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        for (name, constants) in &Expected::load(root).unwrap().0 {
            assert_eq!(constants.rounds * constants.tasks, constants.trained, "{name}");
        }
    }
}
