//! Progress as lines: for logs, pipes, and terminals that cannot change what they show.

use flare::run::Phase;

use super::round::Round;
use super::words;
use crate::out;

/// Writes lines to standard error.
#[derive(Default)]
pub(super) struct Plain {
    rounds: Option<u64>,
    /// What was said last of what the run is busy with.
    phase: Option<&'static str>,
}

impl Plain {
    pub(super) fn began(&mut self, words: &str, rounds: Option<u64>) {
        self.rounds = rounds;
        self.note(words);
    }

    pub(super) fn round_ended(&self, round: &Round) {
        let of = self.rounds.map(|rounds| format!("/{rounds}")).unwrap_or_default();
        self.note(&format!("round {}{of}: {}", round.round, words::round(round)));
    }

    pub(super) fn phase(&mut self, phase: Phase) {
        let words = words::phase(phase);
        if let Some(words) = words.filter(|words| self.phase != Some(words)) {
            self.note(words);
        }
        self.phase = words;
    }

    pub(super) fn note(&self, text: &str) {
        out::note(&format!("{text}\n"));
    }
}
