//! A run that is killed at random moments and resumed each time, until it is done.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::Passed;
use super::expected::Constants;
use super::program::{End, Moment};
use super::run::{self, Kept, OUT, Plan};
use super::summary::Summary;
use crate::chance::Chance;

/// After the line that a kill waits for, it waits up to so many microseconds more: a few rounds
/// of a small job, so that it falls within a round, between two, and within writes.
const THEN: u64 = 40_000;
/// Parts of a run that may end before their kill comes, before the row gives up.
const TRIES: u32 = 20;

/// The run undisturbed, with whose rows those of a killed one are compared.
const WHOLE: Kept<'static> = Kept::New("whole");
/// The files that have one row for each operation.
const ROWS: [&str; 2] = ["metrics.jsonl", "cohort.jsonl"];

/// Runs the job undisturbed to learn how many lines it writes, then again with so many kills.
/// Kills that come too late (the part ended before) are tried again in a fresh run.
pub(super) fn row(
    plan: &Plan,
    constants: &Constants,
    kills: u32,
    mut chance: Chance,
) -> Result<Passed> {
    let lines = plan.program.run(&plan.folder, &plan.part(0, WHOLE), None)?.lines.len();
    for attempt in 0..TRIES {
        let out = format!("{OUT}-{attempt}");
        if let Some(summary) = killed(plan, &out, kills, lines, &mut chance)? {
            run::check_model(&plan.folder.join(&out), &summary)?;
            constants.check(&summary)?;
            let trained = plan.calls(Kept::Before(&out))?;
            constants.check_trained(trained, u64::from(kills))?;
            check_rows(plan, &out)?;
            let hash = run::short(&summary.model_hash);
            return Ok(Passed::With(format!("{hash} trained {trained}")));
        }
    }
    bail!("the program ended before {kills} kills could come, {TRIES} times")
}

/// The summary of the last process; None where one ended before its kill came.
fn killed(
    plan: &Plan,
    out: &str,
    kills: u32,
    lines: usize,
    chance: &mut Chance,
) -> Result<Option<Summary>> {
    let mut moments = Vec::new();
    for left in (1..=kills).rev() {
        // Each kill takes a share of what may be left, so that the later ones find a run, too.
        let share = lines / (left as usize + 1);
        let moment = Moment {
            lines: chance.below(share as u64) as usize,
            then: Duration::from_micros(chance.below(THEN)),
        };
        let args = part(plan, moments.len(), out);
        moments.push(moment);
        let part = plan.program.run(&plan.folder, &args, Some(moment));
        if part.with_context(|| shown(&moments))?.end == End::Well {
            return Ok(None);
        }
    }
    let last = run::to_the_end(plan, &part(plan, moments.len(), out));
    last.with_context(|| shown(&moments)).map(Some)
}

/// The first part starts a run in its folder; each later one takes up what the folder holds. A kill
/// may have come before there was a folder.
fn part(plan: &Plan, before: usize, out: &str) -> Vec<String> {
    let is_there = plan.folder.join(out).exists();
    plan.part(before, if is_there { Kept::Before(out) } else { Kept::New(out) })
}

/// A run that was killed leaves the rows of one that was not, but for the times.
fn check_rows(plan: &Plan, out: &str) -> Result<()> {
    let read = |folder: &str, file: &str| {
        let path = plan.folder.join(folder).join(file);
        fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))
    };
    for file in ROWS {
        let (whole, left) = (read(WHOLE.folder(), file)?, read(out, file)?);
        let (whole, left) = (without_times(&whole), without_times(&left));
        if left != whole {
            let at = left.lines().zip(whole.lines()).take_while(|(left, whole)| left == whole);
            bail!("row {} of {file} is not that of the run that was not killed", at.count() + 1);
        }
    }
    Ok(())
}

/// The rows without the numbers after `"seconds":`.
fn without_times(rows: &str) -> String {
    let is_of_number = |c: char| c.is_ascii_digit() || ".e-".contains(c);
    let parts = rows.split("\"seconds\":").map(|part| part.trim_start_matches(is_of_number));
    parts.collect::<Vec<_>>().join("\"seconds\":")
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
    use std::path::Path;

    use super::super::program::Program;
    use super::*;

    /// A program of ten rounds with two train calls each. STATE is done to what a resume starts from.
    const PROGRAM: &str = r#"
for arg in "$@"; do case "$arg" in
  --out=*|--resume=*) out="${arg#*=}";;
  --count-calls=*) calls="${arg#*=}";;
esac; done
mkdir -p "$out"
round=$(cat "$out/round" 2>/dev/null || echo 0)
STATE
head -n "$round" "$out/metrics.jsonl" 2>/dev/null > "$out/next"
mv "$out/next" "$out/metrics.jsonl"; : > "$out/cohort.jsonl"
while [ "$round" -lt 10 ]; do
  round=$((round + 1)); printf .. >> "$calls"
  sleep 0.01
  echo "{\"round\":$round,\"seconds\":$$,\"more\":ROWS}" >> "$out/metrics.jsonl"
  echo "$round" > "$out/next"; mv "$out/next" "$out/round"
  echo "{\"event\":\"round\"}"
done
printf MODEL > "$out/model.safetensors"
echo "{\"model_hash\":\"HASH\",\"accuracy\":null,\"central_accuracy\":null,\"clients_alone_accuracy\":null,\"rounds\":10,\"trained\":0,\"seconds\":0,\"peak_rss_bytes\":0,\"exact\":true}"
"#;

    fn plan(folder: &Path, state: &str, model: &str, rows: &str) -> Plan {
        let hash = hash();
        let script = PROGRAM.replace("STATE", state).replace("HASH", &hash);
        let script = script.replace("MODEL", model).replace("ROWS", rows);
        let path = folder.join("program.sh");
        fs::write(&path, script).unwrap();
        let program = Program::script(&path);
        Plan { program, folder: folder.to_path_buf(), args: vec!["run".into()], workers: &[1, 2] }
    }

    fn constants() -> Constants {
        let model_hash = Some(hash());
        Constants { model_hash, rounds: 10, tasks: 2, trained: 20, ..Constants::default() }
    }

    fn hash() -> String {
        blake3::hash(b"model").to_hex().to_string()
    }

    fn two_kills(state: &str, model: &str, rows: &str) -> Result<Passed> {
        let folder = tempfile::tempdir().unwrap();
        let plan = plan(folder.path(), state, model, rows);
        row(&plan, &constants(), 2, Chance::new(1, "test"))
    }

    /// The error of a program that does this at each resume and is killed once, after so many lines.
    fn killed_after(lines: usize, state: &str) -> Result<()> {
        let folder = tempfile::tempdir().unwrap();
        let plan = plan(folder.path(), state, "model", "1");
        let kill = Moment { lines, then: Duration::ZERO };
        plan.program.run(&plan.folder, &part(&plan, 0, OUT), Some(kill)).unwrap();
        run::to_the_end(&plan, &part(&plan, 1, OUT)).unwrap();
        constants().check_trained(plan.calls(Kept::Before(OUT)).unwrap(), 1)
    }

    #[test]
    fn a_program_that_resumes_passes() {
        two_kills("", "model", "1").map(drop).unwrap();
        killed_after(6, "").unwrap();
    }

    #[test]
    fn a_program_that_trains_two_rounds_again_or_leaves_one_out_fails_by_its_train_calls() {
        let goes_on = "[ \"$round\" -gt 0 ] && round=";
        assert!(killed_after(6, &format!("{goes_on}0")).is_err());
        assert!(killed_after(6, &format!("{goes_on}$((round - 2))")).is_err());
        assert!(killed_after(6, &format!("{goes_on}$((round + 2))")).is_err());
    }

    #[test]
    fn a_model_that_is_not_the_one_of_the_summary_fails() {
        let error = format!("{:#}", two_kills("", "another", "1").err().unwrap());
        assert!(error.contains("the summary says"), "{error}");
    }

    #[test]
    fn rows_that_tell_of_the_kill_fail() {
        let error = format!("{:#}", two_kills("", "model", "$2").err().unwrap());
        assert!(error.contains("of metrics.jsonl is not that of"), "{error}");
    }

    #[test]
    fn only_times_are_left_out_of_a_comparison() {
        let row = |seconds: &str, round: u32| {
            format!("{{\"seconds\":{seconds},\"round\":{round}}}\n{{\"seconds\":{seconds}}}\n")
        };
        assert_eq!(without_times(&row("1.5e-7", 1)), without_times(&row("12", 1)));
        assert_ne!(without_times(&row("1", 1)), without_times(&row("1", 2)));
    }

    #[test]
    fn a_resume_that_fails_tells_the_moments_of_its_kills() {
        let state = "if [ \"$round\" -gt 0 ]; then exit 4; fi";
        let error = format!("{:#}", two_kills(state, "model", "1").err().unwrap());
        assert!(error.contains("killed ") && error.contains("after line"), "{error}");
    }
}
