//! What a job will do, in words: who is asked, and what happens when one of five clients is slow.

use std::time::Duration;

use flare_core::job::{Asked, Job};
use flare_core::operation::{OnFailure, ReplyPolicy};
use flare_core::value::Value;

/// A few lines on what the job does, and on what happens if one of five clients is slow.
pub fn describe(job: &Job) -> String {
    let clients = job.clients.roster().map_or(0, |roster| roster.len() as u64);
    let (workflow, learner) = (&job.controller.kind, &job.learner.kind);
    let first = format!("{}: {workflow} with {learner} over {}", job.name, many(clients));
    let lines = if workflow.as_str() == "relay" { relay(job) } else { rounds(job, clients) };
    [vec![first], lines].concat().join("\n")
}

/// A workflow that asks clients at the same time, as its fields `sample` and `replies` say.
fn rounds(job: &Job, clients: u64) -> Vec<String> {
    let policy = job.replies();
    let asked = job.asked().of(clients);
    let timing = if policy.is_timed() { TIMED } else { EXACT };
    vec![whom(job.asked(), asked, clients), slow(&policy, asked), failing(&policy), timing.into()]
}

/// A workflow that asks one client after the other.
fn relay(job: &Job) -> Vec<String> {
    let skips = job.controller.config.get("on_failure").and_then(Value::as_text) == Some("skip");
    let failing = if skips {
        "A client whose learner fails is passed over, by name."
    } else {
        "A client whose learner fails ends the run."
    };
    vec![
        "Each round passes the model from one client to the next.".into(),
        "If one of five clients is slow: the model waits for it, and those after it wait, too; a round takes \
         as long as all of its stops together."
            .into(),
        failing.into(),
        if skips { TIMED } else { EXACT }.into(),
    ]
}

const TIMED: &str = "Such rounds are timed: the clock decides whose replies count. A run is the same again only when it is \
                     replayed from its record (cohort.jsonl).";
const EXACT: &str = "All rounds are exact: the model is the same at any number of workers, and after any kill and resume.";

fn whom(asked: Asked, count: u64, clients: u64) -> String {
    match asked {
        Asked::All => format!("Each round asks all {clients} clients."),
        Asked::Size(_) | Asked::Share { .. } => {
            format!("Each round asks {count} of the {clients} clients, drawn anew.")
        }
    }
}

/// What a slow client among the asked does to a round.
fn slow(policy: &ReplyPolicy, asked: u64) -> String {
    let begin = "If one of five clients is slow: ";
    let over = u64::from(policy.over_select);
    let rest = if over > 0 {
        format!(
            "{} more are asked than are needed, and the first {asked} replies count. As long as no more than \
             {over} of the {} asked are slow, no round waits for them; their replies are not used.",
            over,
            asked + over
        )
    } else if let Some(least) = policy.min_replies {
        after_minimum(policy, u64::from(least), asked)
    } else if let Some(deadline) = policy.deadline {
        format!(
            "each round waits for it, up to its deadline of {}. Then the round fails, since all {asked} replies \
             are needed; with min_replies it would go on without the slow ones.",
            seconds(deadline)
        )
    } else {
        format!(
            "each round waits for it, however long it takes, and takes as long as its slowest client. All {asked} \
             replies are needed; min_replies or a deadline in [controller.replies] would change that."
        )
    };
    format!("{begin}{rest}")
}

fn after_minimum(policy: &ReplyPolicy, least: u64, asked: u64) -> String {
    let spare = asked.saturating_sub(least);
    let begin = format!("{least} of {asked} replies are enough");
    let wait = match (policy.wait_after_min, policy.deadline) {
        (Some(wait), None) => format!("; the others are awaited {} more, then left out", seconds(wait)),
        (Some(wait), Some(deadline)) => format!(
            "; the others are awaited {} more, then left out, and no round takes longer than {}",
            seconds(wait),
            seconds(deadline)
        ),
        (None, Some(deadline)) => {
            format!("; the others are awaited until the deadline of {}, then left out", seconds(deadline))
        }
        (None, None) => {
            "; but without wait_after_min or a deadline the others are awaited all the same, however long it \
             takes"
                .into()
        }
    };
    format!("{begin}{wait}. So up to {spare} of them may be slow in a round.")
}

fn failing(policy: &ReplyPolicy) -> String {
    match policy.on_failure {
        OnFailure::Exclude => {
            "A client whose learner fails is left out of that round, by name.".into()
        }
        OnFailure::Fail => "A client whose learner fails ends the run.".into(),
    }
}

fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f64())
}

fn many(clients: u64) -> String {
    if clients == 1 { "1 client".into() } else { format!("{clients} clients") }
}
