//! What is said of a run, in words, whether on a line or beside a bar.

use std::path::Path;
use std::time::Duration;

use flare::job::Loaded;
use flare::names::Name;
use flare::run::Phase;
use flare::shown;

use super::round::Round;

/// What begins, or goes on.
pub(super) fn began(job: &Loaded, clients: usize, resumed: bool, out: Option<&Path>) -> String {
    let mut words = format!("{}: {}", job.job.name, counted(clients as u64, "client"));
    if let Some(rounds) = rounds(job) {
        words.push_str(&format!(", {}", counted(rounds, "round")));
    }
    words.push_str(&format!(", seed {}", job.job.seed));
    if let Some(out) = out {
        let verb = if resumed { "going on" } else { "kept" };
        words.push_str(&format!(", {verb} in {}", shown(&out.to_string_lossy())));
    }
    words
}

/// How many rounds a job has, where its controller says so.
pub(super) fn rounds(job: &Loaded) -> Option<u64> {
    job.job.controller.config.get("rounds")?.as_u64()
}

/// How a round ended.
pub(super) fn round(round: &Round) -> String {
    let mut parts = Vec::new();
    if let Some(accuracy) = round.accuracy() {
        parts.push(format!("accuracy {}", share(accuracy)));
    }
    if let Some(loss) = round.loss() {
        parts.push(format!("loss {loss:.4}"));
    }
    parts.push(format!("{} of {}", round.counted, counted(round.asked, "client")));
    parts.push(seconds(round.duration));
    parts.join(", ")
}

/// Nothing is heard of a client.
pub(super) fn stalled(operation: &str, client: &Name, idle: Duration) -> String {
    let silent = seconds(idle);
    format!(
        "{operation}: {client}: nothing heard of it for {silent}; only a deadline of the job would end it"
    )
}

/// What the run is busy with besides its rounds.
pub(super) fn phase(phase: Phase) -> Option<&'static str> {
    match phase {
        Phase::Federation | Phase::Writing => None,
        Phase::Central { .. } => Some("training on all data in one place, to compare"),
        Phase::Alone { .. } => Some("training each client alone, to compare"),
    }
}

/// A share in per cent.
pub(super) fn share(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

/// A time in about three digits.
pub(super) fn seconds(duration: Duration) -> String {
    match duration.as_secs_f64() {
        time if time < 0.001 => format!("{:.0} µs", time * 1e6),
        time if time < 1.0 => format!("{:.0} ms", time * 1e3),
        time if time < 100.0 => format!("{time:.2} s"),
        time => format!("{time:.0} s"),
    }
}

/// `1 round`, `2 rounds`.
pub(super) fn counted(number: u64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silence_is_told_with_operation_client_and_time() {
        let client = Name::new("client-3").expect("a name");
        let told = stalled("train-2", &client, Duration::from_secs(30));
        assert!(told.starts_with("train-2: client-3: nothing heard of it for 30.00 s;"), "{told}");
        let event = super::super::events::stalled("train-2", &client, Duration::from_secs(30));
        let fields =
            r#"{"client":"client-3","event":"stalled","operation":"train-2","seconds":30.0}"#;
        assert_eq!(event.to_string(), fields);
    }

    #[test]
    fn numbers_have_a_unit_that_fits() {
        assert_eq!(share(0.94166), "94.17 %");
        let times = [12e-6, 0.0124, 1.234, 250.0].map(Duration::from_secs_f64).map(seconds);
        assert_eq!(times, ["12 µs", "12 ms", "1.23 s", "250 s"]);
    }
}
