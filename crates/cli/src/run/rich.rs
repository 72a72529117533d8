//! Progress as bars on a terminal: one for rounds, one for the clients of the operation in flight.

use flare::run::Phase;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::round::Round;
use super::words;
use crate::out;

/// From so many columns on there is room for bars beside the words.
const ROOM_FOR_BARS: u16 = 60;

/// Draws bars on standard error.
pub(super) struct Rich {
    all: MultiProgress,
    rounds: ProgressBar,
    clients: ProgressBar,
}

impl Rich {
    /// Bars for a terminal of so many columns.
    pub(super) fn new(columns: u16) -> Self {
        let all = MultiProgress::new();
        let bar = |template: &str| {
            let style = ProgressStyle::with_template(template)
                .expect("the two templates below are well-formed");
            all.add(ProgressBar::new(0).with_style(style.progress_chars("━╸ ")))
        };
        let template = if columns >= ROOM_FOR_BARS {
            "{prefix:<9} {bar:24} {pos:>5}/{len:<5} {msg}"
        } else {
            "{prefix:<9} {pos}/{len}"
        };
        let (rounds, clients) = (bar(template), bar(template));
        Self { all, rounds, clients }
    }

    pub(super) fn began(&self, words: &str, rounds: Option<u64>) {
        self.note(words);
        self.rounds.set_prefix("rounds");
        self.rounds.set_length(rounds.unwrap_or(0));
    }

    pub(super) fn asked(&self, label: &str, clients: usize) {
        self.clients.set_prefix("clients");
        self.clients.set_length(clients as u64);
        self.clients.set_position(0);
        self.clients.set_message(label.to_owned());
    }

    pub(super) fn answered(&self) {
        self.clients.inc(1);
    }

    pub(super) fn round_ended(&self, round: &Round) {
        if self.rounds.length().is_none_or(|length| length < round.round) {
            self.rounds.set_length(round.round);
        }
        self.rounds.set_position(round.round);
        self.rounds.set_message(words::round(round));
    }

    pub(super) fn phase(&self, phase: Phase) {
        let (Phase::Central { done, of } | Phase::Alone { done, of }) = phase else { return };
        self.clients.set_prefix("compare");
        self.clients.set_length(of);
        self.clients.set_position(done);
        self.clients.set_message(words::phase(phase).unwrap_or_default());
    }

    /// A line above the bars.
    pub(super) fn note(&self, text: &str) {
        if self.all.println(text).is_err() {
            out::note(&format!("{text}\n"));
        }
    }

    pub(super) fn clear(&self) {
        self.rounds.finish_and_clear();
        self.clients.finish_and_clear();
    }
}
