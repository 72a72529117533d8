//! The README's commands, as they stand, in the fresh copy of the checkout.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::expected::{Constants, Expected};
use super::program::Checkout;
use super::summary::Accuracies;
use super::{Passed, accuracy};
use crate::call::Call;

const README: &str = "README.md";
/// What the line before a block says: that it is run, that it is run and shows the closing table of a job,
/// or why it is not run.
const MARKS: &str = "`<!-- run -->`, `<!-- run: JOB -->` or `<!-- not run: REASON -->`";

/// A block of commands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Block {
    line: usize,
    commands: String,
    /// The job of `e2e/expected.toml` whose closing table it shows.
    shows: Option<String>,
}

/// The blocks of the README that are to be run.
///
/// # Errors
/// Where there is none, or a block of `sh` does not say whether it is run.
pub(super) fn blocks(root: &Path) -> Result<Vec<Block>> {
    let text =
        fs::read_to_string(root.join(README)).with_context(|| format!("reading {README}"))?;
    let blocks = parse(&text).with_context(|| format!("reading {README}"))?;
    if !blocks.iter().any(|block| block.shows.is_some()) {
        bail!("no block of {README} shows a job");
    }
    Ok(blocks)
}

/// Runs a block in the copy. What it builds goes into the target folder in which the program of the
/// other rows was built, from the same files.
///
/// # Errors
/// Where a command of it fails, or shows another table than it should.
pub(super) fn run(checkout: &Checkout, expected: &Expected, block: &Block) -> Result<Passed> {
    let shown = Call::new(&checkout.copy, "sh")
        .args(["-euc", &block.commands])
        .env("CARGO_TARGET_DIR", &checkout.target)
        .output()?;
    match &block.shows {
        Some(job) => check_table(&shown, expected.of(job)?).map(Passed::With),
        None => Ok(Passed::With("ended well".into())),
    }
}

/// The closing table must show the constants, and these must hold what the README claims.
fn check_table(shown: &str, constants: &Constants) -> Result<String> {
    let figure = |what: &str| {
        let row = shown.lines().find_map(|line| line.strip_prefix(what));
        row.map(str::trim).with_context(|| format!("the closing table has no row {what:?}"))
    };
    let percent = |share: Option<f64>| share.map(|share| format!("{:.2} %", 100.0 * share));
    let Accuracies { federation, central, alone } = constants.accuracies;
    for (what, expected) in [
        ("accuracy of the federation", percent(federation)),
        ("accuracy with all data in one place", percent(central)),
        ("mean accuracy of the clients' own models", percent(alone)),
        ("rounds", Some(constants.rounds.to_string())),
        ("model hash", constants.model_hash.clone()),
    ] {
        let shown = figure(what)?;
        if Some(shown) != expected.as_deref() {
            bail!("the closing table shows {what}: {shown}, not {expected:?}");
        }
    }
    accuracy::check(constants.accuracies)
}

impl Block {
    /// The row's name.
    pub(super) fn name(&self) -> String {
        let first = self.commands.lines().next().unwrap_or_default();
        format!("{README}:{:<4} {first:<46}", self.line)
    }
}

fn parse(text: &str) -> Result<Vec<Block>> {
    let mut blocks = Vec::new();
    let mut lines = text.lines().zip(1..);
    let mut before = "";
    while let Some((line, number)) = lines.next() {
        let mark = std::mem::replace(&mut before, line);
        if line.trim_start() != "```sh" {
            if is_mark(mark) {
                bail!("line {number}: {mark:?} is not followed by a block of `sh`");
            }
            continue;
        }
        let body: Vec<&str> =
            lines.by_ref().map(|(line, _)| line).take_while(|line| line.trim() != "```").collect();
        let shows = match marked(mark) {
            Some(Mark::Run(shows)) => shows,
            Some(Mark::Not) => continue,
            None => bail!("line {number}: a block of `sh` comes after none of {MARKS}"),
        };
        if body.is_empty() {
            bail!("line {number}: the block is empty");
        }
        blocks.push(Block { line: number + 1, commands: body.join("\n"), shows });
    }
    if is_mark(before) {
        bail!("{before:?} is the last line");
    }
    Ok(blocks)
}

/// What a mark says of the block after it.
enum Mark {
    Run(Option<String>),
    Not,
}

fn is_mark(line: &str) -> bool {
    line.starts_with("<!-- run") || line.starts_with("<!-- not run")
}

fn marked(line: &str) -> Option<Mark> {
    let says = line.strip_prefix("<!-- ")?.strip_suffix(" -->")?;
    match says.split_once(": ") {
        None if says == "run" => Some(Mark::Run(None)),
        Some(("run", job)) => Some(Mark::Run(Some(job.to_owned()))),
        Some(("not run", reason)) if !reason.trim().is_empty() => Some(Mark::Not),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_block_of_sh_says_whether_it_is_run() {
        let text = "# A\n<!-- run -->\n```sh\na b\nc\n```\n```toml\nx\n```\n<!-- not run: long -->\n```sh\nnot me\n```\n<!-- run: digits -->\n```sh\nd\n```\n";
        let blocks = parse(text).unwrap();
        let found: Vec<_> =
            blocks.iter().map(|b| (b.line, b.commands.as_str(), b.shows.as_deref())).collect();
        assert_eq!(found, [(4, "a b\nc", None), (16, "d", Some("digits"))]);
        for wrong in [
            "```sh\na\n```\n",
            "<!-- run -->\n\n```sh\na\n```\n",
            "<!-- run -->\n```\na\n```\n",
            "<!-- run -->\n",
            "<!-- run -->\n```sh\n```\n",
            "<!-- not run -->\n```sh\na\n```\n",
            "<!-- not run:  -->\n```sh\na\n```\n",
            "- an item\n  ```sh\n  a\n  ```\n",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_readme_of_the_repository_runs_a_job_and_leaves_one_block_to_its_reader() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let blocks = blocks(root).unwrap();
        let first = &blocks[0];
        assert_eq!(first.shows.as_deref(), Some("digits"));
        assert!(first.commands.ends_with("run examples/digits/job.toml"), "{first:?}");
        let all = fs::read_to_string(root.join(README)).unwrap().matches("```sh").count();
        assert_eq!(all - blocks.len(), 1);
    }

    #[test]
    fn a_block_runs_in_a_copy_and_its_first_failing_command_fails_it() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("a"), "1").unwrap();
        let checkout = Checkout::fresh(root.path()).unwrap();
        let none = Expected::default();
        let block = |commands: &str| Block { line: 1, commands: commands.into(), shows: None };
        run(&checkout, &none, &block("test -f a\ntouch b")).unwrap();
        assert!(!root.path().join("b").exists());
        assert!(run(&checkout, &none, &block("false\ntrue")).is_err());
    }

    #[test]
    fn a_table_must_show_the_constants_and_they_the_claims() {
        let constants = |federation| Constants {
            model_hash: Some("ab".into()),
            rounds: 3,
            accuracies: Accuracies {
                federation: Some(federation),
                central: Some(0.96),
                alone: Some(0.5),
            },
            ..Constants::default()
        };
        let table = "accuracy of the federation 95.00 %\naccuracy with all data in one place 96.00 %\nmean accuracy of the clients' own models 50.00 %\nrounds 3\nmodel hash ab\n";
        let good = constants(0.95);
        check_table(table, &good).unwrap();
        for (right, wrong) in [
            ("95", "20"),
            ("96.00", "96.01"),
            ("50", "-"),
            ("hash ab", "hash abc"),
            ("rounds 3", ""),
        ] {
            assert!(check_table(&table.replace(right, wrong), &good).is_err(), "{wrong}");
        }
        assert!(check_table(&table.replace("95.00", "90.00"), &constants(0.9)).is_err());
    }
}
