//! What the digits job must reach, for each of five seeds: the claims of the README.

use std::path::Path;

use anyhow::{Context, Result, bail};

use super::Passed;
use super::expected::Expected;
use super::program::Programs;
use super::rows::DIGITS;
use super::run::{self, Kept, Plan};
use super::summary::Accuracies;

/// The seeds for which the claims hold.
pub(super) const SEEDS: std::ops::RangeInclusive<u64> = 1..=5;

/// The federation's model is right at least this often.
const LEAST: f64 = 0.94;
/// It is not further than this below the same learner on all the data.
const BELOW_CENTRAL: f64 = 0.04;
/// Clients' own models are right less often than this, on average.
const ALONE: f64 = 0.75;

/// The row's name.
pub(super) fn name(seed: u64) -> String {
    format!("local    digits accuracy, seed {seed}{:30}", "")
}

/// Runs the job with this seed and compares its accuracies with the constants and with the claims.
pub(super) fn row(
    root: &Path,
    programs: &Programs,
    expected: &Expected,
    seed: u64,
) -> Result<Passed> {
    let folder = tempfile::tempdir().context("making a folder for the row")?;
    let plan = Plan::new(root, &programs.plain, folder.path(), &DIGITS, &[2]);
    let plan = plan.with(&[format!("--seed={seed}")]);
    let summary = run::to_the_end(&plan, &plan.part(0, Kept::Not))?;
    expected.of(&format!("digits-seed-{seed}"))?.check(&summary)?;
    check(summary.accuracies).map(Passed::With)
}

/// Compares accuracies with the claims.
pub(super) fn check(accuracies: Accuracies) -> Result<String> {
    let Accuracies { federation: Some(federation), central: Some(central), alone: Some(alone) } =
        accuracies
    else {
        bail!("an accuracy is null: {accuracies:?}");
    };
    let text = format!("federation {federation:.3}, all data {central:.3}, alone {alone:.3}");
    if federation < LEAST || central - federation > BELOW_CENTRAL || alone >= ALONE {
        bail!(
            "{text}: claimed are {LEAST}, within {BELOW_CENTRAL} of all data, alone below {ALONE}"
        );
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_claim_can_fail() {
        for (federation, central, alone, good) in [
            (Some(0.95), Some(0.96), Some(0.6), true),
            (Some(0.93), Some(0.93), Some(0.6), false),
            (Some(0.94), Some(0.99), Some(0.6), false),
            (Some(0.95), Some(0.96), Some(0.75), false),
            (Some(0.95), None, Some(0.6), false),
        ] {
            let accuracies = Accuracies { federation, central, alone };
            assert_eq!(check(accuracies).is_ok(), good, "{accuracies:?}");
        }
    }
}
