//! How progress is shown: not at all, as lines, or as bars on a terminal.

use std::env::var_os;
use std::io::{IsTerminal, stderr, stdout};

use flare::run::Phase;

use super::plain::Plain;
use super::rich::Rich;
use super::round::Round;

/// One of the ways.
pub(super) enum Display {
    /// Nothing is shown.
    Quiet,
    /// A line for each round and each failure.
    Plain(Plain),
    /// Bars that change in place.
    Rich(Rich),
}

/// Bars need this many columns to say anything.
const LEAST_COLUMNS: u16 = 20;

/// Whether standard error is a terminal on which things can be changed in place.
pub(crate) fn is_rich() -> bool {
    let set = |name| var_os(name).is_some_and(|value| !value.is_empty());
    let dumb = var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
    stderr().is_terminal() && !dumb && !set("NO_COLOR") && columns() >= LEAST_COLUMNS
}

/// The terminal's width; 0 where it does not tell.
fn columns() -> u16 {
    rustix::termios::tcgetwinsize(stderr()).map_or(0, |size| size.ws_col)
}

impl Display {
    /// The way that fits: events as JSON on a terminal are progress enough.
    pub(super) fn choose(quiet: bool, json: bool) -> Self {
        if quiet || (json && stdout().is_terminal()) {
            Self::Quiet
        } else if is_rich() {
            Self::Rich(Rich::new(columns()))
        } else {
            Self::Plain(Plain::default())
        }
    }

    /// The run, in these words, began or goes on; it has so many rounds, if that is known.
    pub(super) fn began(&mut self, words: &str, rounds: Option<u64>) {
        match self {
            Self::Quiet => {}
            Self::Plain(plain) => plain.began(words, rounds),
            Self::Rich(rich) => rich.began(words, rounds),
        }
    }

    /// So many clients are asked.
    pub(super) fn asked(&mut self, label: &str, clients: usize) {
        if let Self::Rich(rich) = self {
            rich.asked(label, clients);
        }
    }

    /// A client answered.
    pub(super) fn answered(&mut self) {
        if let Self::Rich(rich) = self {
            rich.answered();
        }
    }

    /// Something that people should know of.
    pub(super) fn note(&mut self, text: &str) {
        match self {
            Self::Quiet => {}
            Self::Plain(plain) => plain.note(text),
            Self::Rich(rich) => rich.note(text),
        }
    }

    /// A round ended.
    pub(super) fn round_ended(&mut self, round: &Round) {
        match self {
            Self::Quiet => {}
            Self::Plain(plain) => plain.round_ended(round),
            Self::Rich(rich) => rich.round_ended(round),
        }
    }

    /// The run is busy with something else.
    pub(super) fn phase(&mut self, phase: Phase) {
        match self {
            Self::Quiet => {}
            Self::Plain(plain) => plain.phase(phase),
            Self::Rich(rich) => rich.phase(phase),
        }
    }

    /// Takes away what must not stay on the terminal.
    pub(super) fn clear(&mut self) {
        if let Self::Rich(rich) = self {
            rich.clear();
        }
    }
}
