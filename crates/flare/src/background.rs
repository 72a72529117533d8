//! The thread behind a federation in this process: its clock, and whoever runs its background work.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use flare_core::clock::{Clock, Spawn, Timestamp};
use flare_core::filter::panic_text;
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::time::Instant;

/// Most threads that check and fold at the same time.
const BLOCKING_THREADS: usize = 4;
/// How long such a thread waits for more work before it ends.
const KEEP_ALIVE: Duration = Duration::from_secs(2);

/// A thread with an event loop; it ends, and what it ran is dropped, when this is dropped.
pub(crate) struct Background {
    seam: Arc<Seam>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Clock and background work for a runtime.
pub(crate) struct Seam {
    handle: Handle,
    begin: Instant,
    failed: Arc<Failed>,
}

/// What is done when background work panics: nobody would wake those who wait for it.
#[derive(Default)]
struct Failed {
    what: Mutex<Option<String>>,
    hook: Mutex<Option<Box<dyn Fn() + Send>>>,
}

impl Background {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system gives no thread or no event loop.
    pub(crate) fn start() -> std::io::Result<Self> {
        let runtime = Builder::new_current_thread()
            .enable_time()
            .max_blocking_threads(BLOCKING_THREADS)
            .thread_keep_alive(KEEP_ALIVE)
            .thread_name("flare-work")
            .build()?;
        let begin = {
            let _inside = runtime.enter();
            Instant::now()
        };
        let seam =
            Arc::new(Seam { handle: runtime.handle().clone(), begin, failed: Arc::default() });
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new().name("flare".into()).spawn(move || {
            // Both ends of the channel mean the same: the owner is gone.
            drop(runtime.block_on(stopped));
        })?;
        Ok(Self { seam, stop: Some(stop), thread: Some(thread) })
    }

    /// Its clock and background work.
    pub(crate) fn seam(&self) -> &Arc<Seam> {
        &self.seam
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // Background work catches its panics, so the thread has none to tell of.
            drop(thread.join());
        }
    }
}

impl Seam {
    /// What is called when background work panics.
    pub(crate) fn on_failure(&self, hook: impl Fn() + Send + 'static) {
        *self.failed.hook.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(hook));
    }

    /// The first panic of background work, if there was one.
    pub(crate) fn failure(&self) -> Option<String> {
        self.failed.what.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Failed {
    fn note(&self, name: &str, panic: &(dyn std::any::Any + Send)) {
        let text = format!("{name} panicked: {}", panic_text(panic));
        self.what.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(text);
        if let Some(hook) = &*self.hook.lock().unwrap_or_else(PoisonError::into_inner) {
            hook();
        }
    }
}

impl Clock for Seam {
    fn now(&self) -> Timestamp {
        Timestamp(u64::try_from(self.begin.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'static, ()> {
        let _inside = self.handle.enter();
        let Some(at) = self.begin.checked_add(Duration::from_nanos(at.0)) else {
            return Box::pin(futures::future::pending());
        };
        Box::pin(tokio::time::sleep_until(at))
    }
}

impl Spawn for Seam {
    fn spawn(&self, name: &'static str, work: BoxFuture<'static, ()>) {
        let failed = Arc::clone(&self.failed);
        let work = AssertUnwindSafe(work).catch_unwind();
        drop(self.handle.spawn(work.map(move |ended| {
            if let Err(panic) = ended {
                failed.note(name, &*panic);
            }
        })));
    }

    fn blocking(&self, name: &'static str, work: Box<dyn FnOnce() + Send>) {
        let failed = Arc::clone(&self.failed);
        drop(self.handle.spawn_blocking(move || {
            if let Err(panic) = std::panic::catch_unwind(AssertUnwindSafe(work)) {
                failed.note(name, &*panic);
            }
        }));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Longer than any of these tests takes, on any machine.
    const PATIENCE: Duration = Duration::from_secs(20);

    #[test]
    fn k1_the_clock_never_goes_back() {
        let background = Background::start().unwrap();
        let times: Vec<Timestamp> = (0..1000).map(|_| background.seam().now()).collect();
        assert!(times.is_sorted());
    }

    #[test]
    fn k2_a_sleeper_wakes_at_its_time_and_not_before() {
        let background = Background::start().unwrap();
        let at = background.seam().now().after(Duration::from_millis(20));
        futures::executor::block_on(background.seam().sleep_until(at));
        assert!(background.seam().now() >= at);
        // What lies in the past is ready at once.
        futures::executor::block_on(background.seam().sleep_until(Timestamp(0)));
    }

    #[test]
    fn s1_spawned_work_ends_or_is_dropped_with_its_owner() {
        let background = Background::start().unwrap();
        let (told, heard) = mpsc::channel();
        let held = told.clone();
        background.seam().spawn("ends", Box::pin(async move { told.send("ended").unwrap() }));
        assert_eq!(heard.recv_timeout(PATIENCE), Ok("ended"));
        let never = async move {
            futures::future::pending::<()>().await;
            drop(held);
        };
        background.seam().spawn("never", Box::pin(never));
        drop(background);
        // The sender went with the work that held it.
        assert_eq!(heard.recv_timeout(PATIENCE), Err(mpsc::RecvTimeoutError::Disconnected));
    }

    #[test]
    fn s2_work_that_blocks_holds_up_no_other() {
        let background = Background::start().unwrap();
        let (release, blocked) = mpsc::channel::<()>();
        let (told, heard) = mpsc::channel();
        let wait = move || assert!(blocked.recv_timeout(PATIENCE).is_err());
        background.seam().blocking("waits", Box::new(wait));
        background.seam().spawn("tells", Box::pin(async move { told.send(()).unwrap() }));
        assert_eq!(heard.recv_timeout(PATIENCE), Ok(()));
        drop(release);
    }
}
