//! A run that is killed at random moments and resumed each time, until it is done.

use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::Passed;
use super::expected::Constants;
use super::program::{End, Moment};
use super::run::{self, OUT, Plan};
use super::summary::{self, Summary};
use crate::chance::Chance;

/// After the line that a kill waits for, it waits up to so many microseconds more: a few rounds
/// of a small job, so that it falls within a round, between two, and within writes.
const THEN: u64 = 40_000;
/// Parts of a run that may end before their kill comes, before the row gives up.
const TRIES: u32 = 20;

/// Runs the job undisturbed to learn how many lines it writes, then again with so many kills.
/// Kills that come too late (the part ended before) are tried again in a fresh run.
pub(super) fn row(
    plan: &Plan,
    constants: &Constants,
    kills: u32,
    mut chance: Chance,
) -> Result<Passed> {
    let lines = undisturbed_lines(plan)?;
    for attempt in 0..TRIES {
        let out = format!("{OUT}-{attempt}");
        if let Some(run) = killed(plan, &out, kills, lines, &mut chance)? {
            run::check_model(&plan.folder.join(&out), &run.summary)?;
            constants.check(&run.summary)?;
            constants.check_trained(run.trained, u64::from(kills))?;
            let hash = run::short(&run.summary.model_hash);
            return Ok(Passed::With(format!("{hash} trained {}", run.trained)));
        }
    }
    bail!("the program ended before {kills} kills could come, {TRIES} times")
}

/// A run in parts that came to its end.
struct Parts {
    summary: Summary,
    /// Train calls over all parts.
    trained: u64,
}

fn undisturbed_lines(plan: &Plan) -> Result<usize> {
    let ended = plan.program.run(&plan.folder, &plan.args, None)?;
    Ok(ended.lines.len())
}

/// None where a part ended before its kill came.
fn killed(
    plan: &Plan,
    out: &str,
    kills: u32,
    lines: usize,
    chance: &mut Chance,
) -> Result<Option<Parts>> {
    let mut trained = 0;
    let mut moments = Vec::new();
    for left in (1..=kills).rev() {
        // Each kill takes a share of what may be left, so that the later ones find a run, too.
        let share = lines / (left as usize + 1);
        let moment = Moment {
            lines: chance.below(share as u64) as usize,
            then: Duration::from_micros(chance.below(THEN)),
        };
        moments.push(moment);
        let part = plan.program.run(&plan.folder, &part_args(plan, out), Some(moment));
        let part = part.with_context(|| shown(&moments))?;
        if part.end == End::Well {
            return Ok(None);
        }
        trained += summary::reported_trained(&part.lines);
    }
    let last = run::to_the_end(plan, &part_args(plan, out)).with_context(|| shown(&moments))?;
    trained += last.trained;
    Ok(Some(Parts { summary: last, trained }))
}

/// The first part starts a run in its folder; each later one takes up what the folder holds. A kill
/// may have come before there was a folder.
fn part_args(plan: &Plan, out: &str) -> Vec<String> {
    let flag = if plan.folder.join(out).exists() { "--resume" } else { "--out" };
    plan.and(format!("{flag}={out}"))
}

fn shown(moments: &[Moment]) -> String {
    let moments: Vec<String> = moments
        .iter()
        .map(|moment| format!("{:?} after line {}", moment.then, moment.lines))
        .collect();
    format!("killed {}", moments.join(", then "))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::super::program::Program;
    use super::*;

    /// A program of ten rounds with two train calls each. `$KEEP` says what a resume starts from.
    const PROGRAM: &str = r#"
for arg in "$@"; do case "$arg" in --out=*|--resume=*) out="${arg#*=}";; esac; done
out="${out:-memory}"; mkdir -p "$out"
round=$(cat "$out/round" 2>/dev/null || echo 0)
STATE
trained=0
while [ "$round" -lt 10 ]; do
  round=$((round + 1)); trained=$((trained + 2))
  sleep 0.01
  echo "$round" > "$out/next"; mv "$out/next" "$out/round"
  echo "{\"event\":\"round\",\"trained\":$trained}"
done
rm -f memory/round
printf MODEL > "$out/model.safetensors"
echo "{\"model_hash\":\"HASH\",\"accuracy\":null,\"central_accuracy\":null,\"clients_alone_accuracy\":null,\"rounds\":10,\"trained\":$trained,\"seconds\":0,\"peak_rss_bytes\":0,\"exact\":true}"
"#;

    fn plan(folder: &Path, state: &str, model: &str) -> Plan {
        let hash = hash();
        let script = PROGRAM.replace("STATE", state).replace("HASH", &hash).replace("MODEL", model);
        let path = folder.join("program.sh");
        fs::write(&path, script).unwrap();
        let program = Program::script(&path);
        Plan { program, folder: folder.to_path_buf(), args: vec!["run".into()] }
    }

    fn constants() -> Constants {
        Constants { model_hash: Some(hash()), rounds: 10, tasks: 2, trained: 20 }
    }

    fn hash() -> String {
        blake3::hash(b"model").to_hex().to_string()
    }

    fn two_kills(state: &str, model: &str) -> Result<Passed> {
        let folder = tempfile::tempdir().unwrap();
        row(&plan(folder.path(), state, model), &constants(), 2, Chance::new(1, "test"))
    }

    #[test]
    fn a_program_that_resumes_passes() {
        two_kills("", "model").map(drop).unwrap();
    }

    #[test]
    fn a_program_that_starts_anew_each_time_fails_by_its_train_calls() {
        let folder = tempfile::tempdir().unwrap();
        let plan = plan(folder.path(), "round=0", "model");
        let kill = Moment { lines: 6, then: Duration::ZERO };
        let part = plan.program.run(&plan.folder, &part_args(&plan, OUT), Some(kill)).unwrap();
        let last = run::to_the_end(&plan, &part_args(&plan, OUT)).unwrap();
        let trained = summary::reported_trained(&part.lines) + last.trained;
        assert!(trained >= 32, "{trained}");
        assert!(constants().check_trained(trained, 1).is_err());
    }

    #[test]
    fn a_model_that_is_not_the_one_of_the_summary_fails() {
        let error = format!("{:#}", two_kills("", "another").err().unwrap());
        assert!(error.contains("the summary says"), "{error}");
    }

    #[test]
    fn a_resume_that_fails_tells_the_moments_of_its_kills() {
        let state = "if [ \"$round\" -gt 0 ]; then exit 4; fi";
        let error = format!("{:#}", two_kills(state, "model").err().unwrap());
        assert!(error.contains("killed ") && error.contains("after line"), "{error}");
    }
}
