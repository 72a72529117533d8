//! The rows of the table, as data. A row is a way of running a job; the model is always the same.

/// A job of the repository.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Job {
    /// Its name in `e2e/expected.toml`.
    pub(super) name: &'static str,
    pub(super) path: &'static str,
    pub(super) controller: &'static str,
}

/// One way of running a job.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) pattern: &'static str,
    pub(super) job: &'static Job,
    /// How many workers its processes have, in turn: those of a run that is killed and resumed.
    pub(super) workers: &'static [u32],
    pub(super) build: Build,
    pub(super) journal: Journal,
    pub(super) fault: Fault,
}

/// Which build of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Build {
    /// For any CPU of the architecture.
    Plain,
    /// For x86-64-v3, in which the compiler may use AVX2 and FMA anywhere.
    V3,
}

/// Where the run keeps its journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Journal {
    Memory,
    Folder,
}

/// What is done to the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    /// Killed at this many random moments, each time started again with `--resume`.
    Kills(u32),
    /// A third of the clients answers up to 5 ms late, some thirty times what its task takes, in any order.
    Delays,
}

const DELAYS: &str = "faults.delay={ share = 0.3, seconds = [0.0, 0.005] }";

pub(super) const DIGITS: Job =
    Job { name: "digits", path: "examples/digits/job.toml", controller: "fedavg" };
const SCAFFOLD: Job =
    Job { name: "digits-scaffold", path: "examples/digits/scaffold.toml", controller: "scaffold" };
const TRIVIAL: Job =
    Job { name: "trivial", path: "examples/trivial/job.toml", controller: "fedavg" };

/// The table.
pub(super) const ROWS: &[Row] = &[
    local(&TRIVIAL, &[1]),
    local(&DIGITS, &[1]),
    Row { journal: Journal::Memory, ..local(&DIGITS, &[2]) },
    local(&DIGITS, &[7]),
    killed(&DIGITS, &[1]),
    killed(&DIGITS, &[2]),
    killed(&DIGITS, &[7]),
    killed(&DIGITS, &[7, 1, 2]),
    Row { build: Build::V3, ..local(&DIGITS, &[2]) },
    delayed(&DIGITS, &[1]),
    delayed(&DIGITS, &[2]),
    delayed(&DIGITS, &[7]),
    local(&SCAFFOLD, &[1]),
    Row { journal: Journal::Memory, ..local(&SCAFFOLD, &[2]) },
    local(&SCAFFOLD, &[7]),
    killed(&SCAFFOLD, &[1]),
    killed(&SCAFFOLD, &[2]),
    killed(&SCAFFOLD, &[7]),
    killed(&SCAFFOLD, &[2, 7, 1]),
    Row { build: Build::V3, ..local(&SCAFFOLD, &[2]) },
    delayed(&SCAFFOLD, &[1]),
    delayed(&SCAFFOLD, &[2]),
    delayed(&SCAFFOLD, &[7]),
];

/// An undisturbed row of pattern one.
const fn local(job: &'static Job, workers: &'static [u32]) -> Row {
    Row {
        pattern: "local",
        job,
        workers,
        build: Build::Plain,
        journal: Journal::Folder,
        fault: Fault::None,
    }
}

const fn killed(job: &'static Job, workers: &'static [u32]) -> Row {
    Row { fault: Fault::Kills(3), ..local(job, workers) }
}

const fn delayed(job: &'static Job, workers: &'static [u32]) -> Row {
    Row { fault: Fault::Delays, ..local(job, workers) }
}

impl Row {
    /// The head of the table.
    pub(super) fn header() -> String {
        format!(
            "{} {:>7}  model",
            columns("pattern", "job", "controller", "workers", "fault"),
            "seconds"
        )
    }

    /// The row as it is shown, but for its time and result.
    pub(super) fn columns(&self) -> String {
        let workers: Vec<String> = self.workers.iter().map(u32::to_string).collect();
        let workers = workers.join(",");
        columns(self.pattern, self.job.name, self.job.controller, &workers, &self.fault())
    }

    /// The row's name, for filters and seeds: its columns with single spaces.
    pub(super) fn name(&self) -> String {
        self.columns().split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// Whether a filter asks for this row.
    pub(super) fn is(&self, filter: &str) -> bool {
        self.name().contains(filter)
    }

    /// Further arguments of the program.
    pub(super) fn args(&self) -> &'static [&'static str] {
        match self.fault {
            Fault::Delays => &["--set", DELAYS],
            Fault::None | Fault::Kills(_) => &[],
        }
    }

    /// Whether the row needs the build for x86-64-v3.
    pub(super) fn v3(&self) -> bool {
        self.build == Build::V3
    }

    fn fault(&self) -> String {
        let mut parts = Vec::new();
        match self.fault {
            Fault::None => {}
            Fault::Kills(kills) => parts.push(format!("{kills} kills")),
            Fault::Delays => parts.push("delays".into()),
        }
        match self.journal {
            Journal::Folder => {}
            Journal::Memory => parts.push("memory".into()),
        }
        match self.build {
            Build::Plain => {}
            Build::V3 => parts.push("x86-64-v3".into()),
        }
        if parts.is_empty() { "none".into() } else { parts.join(", ") }
    }
}

fn columns(pattern: &str, job: &str, controller: &str, workers: &str, fault: &str) -> String {
    format!("{pattern:<8} {job:<16} {controller:<10} {workers:>7}  {fault:<12}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_filters_find_them() {
        let names: BTreeSet<String> = ROWS.iter().map(Row::name).collect();
        assert_eq!(names.len(), ROWS.len());
        assert_eq!(ROWS.iter().filter(|row| row.is("digits fedavg 2 3 kills")).count(), 1);
        assert!(ROWS.iter().all(|row| row.is("")));
    }

    #[test]
    fn every_job_is_run_killed_and_delayed_with_1_2_and_7_workers_and_once_with_another_build() {
        for job in [&DIGITS, &SCAFFOLD] {
            let rows = || ROWS.iter().filter(move |row| row.job == job);
            for workers in [1, 2, 7] {
                for fault in [Fault::None, Fault::Kills(3), Fault::Delays] {
                    let is_one = |row: &Row| row.workers == [workers] && row.fault == fault;
                    assert!(rows().any(is_one), "{}: {workers}, {fault:?}", job.name);
                }
            }
            let changes = |row: &Row| row.workers.len() == 3 && row.fault == Fault::Kills(3);
            assert!(rows().any(changes), "{}: other workers after a kill", job.name);
            assert!(rows().any(Row::v3));
        }
    }
}
