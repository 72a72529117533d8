//! The README's commands, as they stand, in the fresh copy of the checkout.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::Passed;
use super::program::Checkout;
use crate::call::Call;

const README: &str = "README.md";
/// The line before a block that is to be run.
const MARK: &str = "<!-- run -->";

/// A block of commands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Block {
    line: usize,
    commands: String,
}

/// The marked blocks of the README.
///
/// # Errors
/// Where there is none, or one that is marked is no block of `sh`.
pub(super) fn blocks(root: &Path) -> Result<Vec<Block>> {
    let text =
        fs::read_to_string(root.join(README)).with_context(|| format!("reading {README}"))?;
    let blocks = parse(&text).with_context(|| format!("reading {README}"))?;
    if blocks.is_empty() {
        bail!("no block of {README} is marked `{MARK}`");
    }
    Ok(blocks)
}

/// Runs a block in the copy. What it builds goes into the target folder in which the program of the
/// other rows was built, from the same files.
///
/// # Errors
/// Where a command of it fails.
pub(super) fn run(checkout: &Checkout, block: &Block) -> Result<Passed> {
    Call::new(&checkout.copy, "sh")
        .args(["-euc", &block.commands])
        .env("CARGO_TARGET_DIR", &checkout.target)
        .output()?;
    Ok(Passed::With("ended well".into()))
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
    while let Some((line, number)) = lines.next() {
        if line.trim() != MARK {
            continue;
        }
        match lines.next() {
            Some(("```sh", _)) => {}
            _ => bail!("line {number}: `{MARK}` is not followed by a block of `sh`"),
        }
        let body: Vec<&str> =
            lines.by_ref().map(|(line, _)| line).take_while(|l| *l != "```").collect();
        if body.is_empty() {
            bail!("line {number}: the block is empty");
        }
        blocks.push(Block { line: number + 2, commands: body.join("\n") });
    }
    Ok(blocks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marked_blocks_are_found_and_others_are_not() {
        let text = "# A\n<!-- run -->\n```sh\na b\nc\n```\n```sh\nnot me\n```\n<!-- run -->\n```sh\nd\n```\n";
        let blocks = parse(text).unwrap();
        let found: Vec<_> = blocks.iter().map(|b| (b.line, b.commands.as_str())).collect();
        assert_eq!(found, [(4, "a b\nc"), (12, "d")]);
        assert!(parse("<!-- run -->\n\n```sh\na\n```\n").is_err());
        assert!(parse("<!-- run -->\n```sh\n```\n").is_err());
    }

    #[test]
    fn a_block_runs_in_a_copy_and_its_first_failing_command_fails_it() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("a"), "1").unwrap();
        let checkout = Checkout::fresh(root.path()).unwrap();
        let block = |commands: &str| Block { line: 1, commands: commands.into() };
        run(&checkout, &block("test -f a\ntouch b")).unwrap();
        assert!(!root.path().join("b").exists());
        assert!(run(&checkout, &block("false\ntrue")).is_err());
    }
}
