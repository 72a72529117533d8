//! What the facade's errors mean for whoever typed the command: an exit code, and what to do.

use std::path::Path;

use anyhow::anyhow;
use flare::run::Error;
use flare::{job, shown};

use crate::args::RunArgs;
use crate::exit::{Exit, Failure};

/// A job that is none.
pub(crate) fn job(error: job::Error) -> Failure {
    let hint = match &error {
        job::Error::Read { .. } => Some("`flare job new FILE` writes a job to start from"),
        job::Error::Invalid { .. } => {
            Some("`flare job schema` says what each field takes, `flare job new` shows a job")
        }
        _ => None,
    };
    let failure = Failure::new(Exit::Input, error);
    hint.into_iter().fold(failure, Failure::hint)
}

/// A run that gave no result; the round that was last heard of.
pub(super) fn run(error: Error, args: &RunArgs, round: Option<u64>) -> Failure {
    let kept = |failure: Failure, out: &Option<_>| match out {
        Some(_) => failure.hint(go_on(args)),
        None => failure,
    };
    match error {
        Error::Job(error) => job(error),
        Error::Input { what, fault } => Failure::new(Exit::Input, anyhow!("{what}: {fault}")),
        Error::Failed { fault, out } => {
            kept(Failure::new(Exit::Failed, anyhow!("the run failed: {fault}")), &out)
        }
        Error::Folder { fault } => Failure::new(Exit::Folder, anyhow!(fault)),
        Error::Disk { source, out } => kept(Failure::new(Exit::System, source), &out),
        Error::Interrupted { .. } => {
            let when = round.map(|round| format!(" in round {round}")).unwrap_or_default();
            Failure::new(Exit::Interrupted, anyhow!("interrupted{when}")).hint(go_on(args))
        }
    }
}

/// How a run that was stopped goes on.
pub(super) fn go_on(args: &RunArgs) -> String {
    let Some(out) = args.folder() else {
        return "nothing was kept; with `--out DIR` a run can go on where it stopped".into();
    };
    let mut words = vec!["flare".to_owned(), "run".to_owned(), quoted(&args.job)];
    words.extend(args.changes.seed.map(|seed| format!("--seed={seed}")));
    for set in &args.changes.set {
        words.extend(["--set".to_owned(), quoted(Path::new(set))]);
    }
    words.extend(args.cohort.iter().map(|file| format!("--cohort={}", quoted(file))));
    words.extend(["--resume".to_owned(), quoted(out)]);
    format!("what is finished is kept; go on with `{}`", words.join(" "))
}

/// A word for a shell. What could steer a terminal is escaped, and must be typed by hand.
fn quoted(word: &Path) -> String {
    let word = shown(&word.to_string_lossy()).to_string();
    let plain = |c: char| c.is_alphanumeric() || "-_./=,:+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word;
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_for_a_shell_where_they_must_be() {
        let quoted = |word: &str| quoted(Path::new(word));
        assert_eq!(quoted("a/b-1.toml"), "a/b-1.toml");
        assert_eq!(quoted("my job.toml"), "'my job.toml'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted("$HOME;rm"), "'$HOME;rm'");
        assert_eq!(quoted(""), "''");
    }
}
