//! Hears what happens in a run, and shows it: to people on standard error, to programs on standard output.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use flare::event::{Event, Kind, What};
use flare::job::Loaded;
use flare::names::{Name, Roster};
use flare::operation::OperationId;
use flare::outcome::{Cause, Record};
use flare::run::{Interrupt, Observer, Phase, SoFar};
use flare::shown;
use serde_json::Value;

use super::display::Display;
use super::round::Round;
use super::{events, words};
use crate::args::RunArgs;
use crate::exit::Failure;
use crate::out;

/// Shows a run while it goes on.
pub(super) struct Watcher {
    job: Loaded,
    out: Option<PathBuf>,
    /// Whether events go to standard output.
    json: bool,
    interrupt: Interrupt,
    state: Mutex<State>,
}

struct State {
    display: Display,
    roster: Option<Roster>,
    round: Option<Round>,
    /// The keys of the operations in flight.
    keys: BTreeMap<OperationId, String>,
    /// Why standard output takes no more.
    broken: Option<Failure>,
}

impl Watcher {
    /// Shows progress by `display`, and events as JSON if the arguments say so. When nobody reads
    /// them, it stops the run: what is finished is kept.
    pub(super) fn new(
        job: &Loaded,
        args: &RunArgs,
        display: Display,
        interrupt: Interrupt,
    ) -> Self {
        let state =
            State { display, roster: None, round: None, keys: BTreeMap::new(), broken: None };
        Self {
            job: job.clone(),
            out: args.folder().cloned(),
            json: args.json,
            interrupt,
            state: Mutex::new(state),
        }
    }

    /// Takes what must not stay off the terminal.
    pub(super) fn clear(&self) {
        self.lock().display.clear();
    }

    /// Tells people something.
    pub(super) fn note(&self, text: &str) {
        self.lock().display.note(text);
    }

    /// The round that was last heard of.
    pub(super) fn round(&self) -> Option<u64> {
        self.lock().round.as_ref().map(|round| round.round)
    }

    /// Why standard output takes no more, if it does not.
    pub(super) fn broken(&self) -> Option<Failure> {
        self.lock().broken.take()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn emit(&self, state: &mut State, event: impl FnOnce() -> Value) {
        if !self.json || state.broken.is_some() {
            return;
        }
        if let Err(failure) = out::line(&event().to_string()) {
            state.broken = Some(failure);
            self.interrupt.set();
        }
    }

    fn started(&self, state: &mut State, round: u64) {
        state.round = Some(Round::new(round));
        self.emit(state, || events::round_started(round));
    }

    fn ended(&self, state: &mut State, number: u64, so_far: &SoFar) {
        let round = state.round.clone().filter(|known| known.round == number);
        let round = round.unwrap_or_else(|| Round::new(number));
        self.emit(state, || events::round_ended(&round, so_far));
        state.display.round_ended(&round);
    }

    fn operation_ended(&self, state: &mut State, record: &Record, replayed: bool, so_far: &SoFar) {
        let Some(roster) = state.roster.clone() else { return };
        self.emit(state, || events::operation_ended(record, &roster, replayed, so_far));
        if let Some(round) = record.round {
            if state.round.as_ref().is_none_or(|known| known.round != round) {
                state.round = Some(Round::new(round));
            }
            state.round.iter_mut().for_each(|known| known.take(record, &roster));
        }
    }

    /// A failure is told as it happens: the others may be at work for long.
    fn failed(&self, state: &mut State, key: &str, client: &Name, cause: &Cause, replayed: bool) {
        self.emit(state, || events::client_failed(key, client, cause, replayed));
        state.display.answered();
        if !replayed {
            state.display.note(&shown(&format!("{key}: {client}: {cause}")).to_string());
        }
    }

    fn stalled(&self, state: &mut State, key: &str, client: &Name, idle: Duration) {
        self.emit(state, || events::stalled(key, client, idle));
        state.display.note(&shown(&words::stalled(key, client, idle)).to_string());
    }
}

impl Observer for Watcher {
    fn opened(&self, roster: &Roster, resumed: bool) {
        let mut state = self.lock();
        let out = self.out.as_deref();
        self.emit(&mut state, || events::began(&self.job, roster.len(), resumed, out));
        let words = words::began(&self.job, roster.len(), resumed, out);
        state.display.began(&words, words::rounds(&self.job));
        state.roster = Some(roster.clone());
    }

    fn event(&self, event: &Event, so_far: &SoFar) {
        let mut state = self.lock();
        let state = &mut *state;
        match &event.what {
            What::Round { kind: Kind::RoundStarted, round } => self.started(state, *round),
            What::Round { round, .. } => self.ended(state, *round, so_far),
            What::OperationStarted { operation, key, selected } => {
                state.keys.insert(*operation, key.to_string());
                self.emit(state, || events::operation_started(key, selected, event.replayed));
                state.display.asked(&key.to_string(), selected.len());
            }
            What::OperationEnded { record } => {
                state.keys.remove(&record.operation);
                self.operation_ended(state, record, event.replayed, so_far);
            }
            What::Reply { .. } => state.display.answered(),
            What::Failure { operation, client, cause } => {
                let key = state.key(*operation);
                self.failed(state, &key, client, cause, event.replayed);
            }
            What::Stalled { operation, client, idle } => {
                let key = state.key(*operation);
                self.stalled(state, &key, client, *idle);
            }
            What::Progress { .. } | What::Presence { .. } => {}
        }
    }

    fn phase(&self, phase: Phase, _so_far: &SoFar) {
        let mut state = self.lock();
        if let Some(event) = events::phase(phase) {
            self.emit(&mut state, || event);
        }
        state.display.phase(phase);
    }
}

impl State {
    fn key(&self, operation: OperationId) -> String {
        self.keys.get(&operation).cloned().unwrap_or_default()
    }
}
