//! A clock that stands still until it is moved.

use std::sync::{Mutex, MutexGuard, PoisonError};

use flare_core::clock::{Clock, Timestamp};
use futures::FutureExt;
use futures::channel::oneshot;
use futures::future::BoxFuture;

/// Time as the simulation has it.
#[derive(Debug, Default)]
pub struct ManualClock {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    now: Timestamp,
    sleepers: Vec<(Timestamp, oneshot::Sender<()>)>,
}

impl ManualClock {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When the next sleeper wakes.
    pub fn next(&self) -> Option<Timestamp> {
        let mut state = self.state();
        state.sleepers.retain(|(_, sleeper)| !sleeper.is_canceled());
        state.sleepers.iter().map(|(at, _)| *at).min()
    }

    /// Moves time on, and wakes those whose time has come; never back.
    pub fn advance_to(&self, to: Timestamp) {
        let mut state = self.state();
        state.now = state.now.max(to);
        let now = state.now;
        let (due, later) =
            std::mem::take(&mut state.sleepers).into_iter().partition(|(at, _)| *at <= now);
        state.sleepers = later;
        drop(state);
        let due: Vec<(Timestamp, oneshot::Sender<()>)> = due;
        for (_, sleeper) in due {
            // Nobody sleeps there any more: then nobody is woken.
            sleeper.send(()).unwrap_or(());
        }
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        self.state().now
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'static, ()> {
        let mut state = self.state();
        if at <= state.now {
            return futures::future::ready(()).boxed();
        }
        let (sender, receiver) = oneshot::channel();
        state.sleepers.push((at, sender));
        receiver.map(drop).boxed()
    }
}
