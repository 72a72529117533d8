//! Ctrl-C, and requests to end: the first stops the run, a second one the program.

use std::process;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use flare::run::Interrupt;
use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;

use super::failure::go_on;
use super::observer::Watcher;
use crate::args::RunArgs;
use crate::exit::{Exit, Failure, Result};
use crate::out;

/// How long the run may take to stop. Training code that does not look at `cancelled()` cannot be
/// stopped, so the program then ends all the same; what is finished is on disk already.
const GRACE: Duration = Duration::from_millis(900);

/// Tells the listener that the run has ended by itself.
pub(super) struct Listening {
    ended: Sender<()>,
}

impl Listening {
    /// The run has ended: a stop has nothing to wait for any more.
    pub(super) fn done(self) {
        // An error says that nobody waits for it: no signal came.
        self.ended.send(()).ok();
    }
}

/// Listens from now on.
pub(super) fn listen(
    interrupt: Interrupt,
    watcher: Arc<Watcher>,
    args: &RunArgs,
) -> Result<Listening> {
    let failure = |error: anyhow::Error| Failure::new(Exit::System, error);
    // A file that may grow no more shall be an error of the write, not the end of the program.
    let heard = signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)));
    heard.context("listening for signals").map_err(failure)?;
    let signals = Signals::new([SIGINT, SIGTERM]).context("listening for signals");
    let mut signals = signals.map_err(failure)?;
    let (ended, end) = channel();
    let hint = go_on(args);
    let listener = move || {
        let mut signals = signals.forever();
        if signals.next().is_none() {
            return;
        }
        interrupt.set();
        watcher.note("stopping; once more ends it at once");
        // This thread must stay free to hear a second signal.
        thread::spawn(move || wait(&end, &watcher, &hint));
        signals.next();
        process::exit(Exit::Interrupted.code().into());
    };
    thread::Builder::new().name("signals".into()).spawn(listener).map_err(|e| failure(e.into()))?;
    Ok(Listening { ended })
}

fn wait(end: &Receiver<()>, watcher: &Watcher, hint: &str) {
    if end.recv_timeout(GRACE) != Err(RecvTimeoutError::Timeout) {
        return;
    }
    watcher.clear();
    out::note("error: interrupted, in the middle of training code that cannot be stopped\n");
    out::note(&format!("hint: {hint}\n"));
    process::exit(Exit::Interrupted.code().into());
}
