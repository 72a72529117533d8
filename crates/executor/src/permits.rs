//! Permits: how many bytes of replies may be in the making, held or fetched at once (contract 17).

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

/// At once at most the larger of so many replies, however large, and so many bytes of them.
#[derive(Debug)]
pub struct Permits {
    replies: usize,
    bytes: u64,
    taken: Mutex<Taken>,
    freed: Condvar,
}

#[derive(Debug, Default)]
struct Taken {
    replies: usize,
    bytes: u64,
    waiting: usize,
    has_said_so: bool,
}

/// A share of [`Permits`]; given back when it is dropped, or before by [`Permit::give_back`].
#[derive(Debug)]
pub struct Permit {
    of: Arc<Permits>,
    bytes: AtomicU64,
}

/// In the place of a size: nothing is left to give back.
const GIVEN_BACK: u64 = u64::MAX;

impl Permits {
    /// Permits for `replies` replies (at least one) or `bytes` bytes, whichever is more.
    pub fn new(replies: u32, bytes: u64) -> Arc<Self> {
        let replies = replies.max(1) as usize;
        Arc::new(Self { replies, bytes, taken: Mutex::default(), freed: Condvar::new() })
    }

    /// Takes a permit for a reply of `bytes`; waits until it fits, or gives up when `gives_up` says so:
    /// it is asked at the start and after each [`Permits::wake`].
    pub fn take(self: &Arc<Self>, bytes: u64, gives_up: impl Fn() -> bool) -> Option<Permit> {
        let mut taken = self.lock();
        loop {
            if gives_up() {
                return None;
            }
            if self.fits(&taken, bytes) {
                return Some(self.give(taken, bytes));
            }
            self.say_so_once(&mut taken, bytes);
            taken.waiting += 1;
            taken = self.freed.wait(taken).unwrap_or_else(PoisonError::into_inner);
            taken.waiting -= 1;
        }
    }

    /// A permit for a reply that is there already, whether it fits or not.
    pub fn force(self: &Arc<Self>, bytes: u64) -> Permit {
        self.give(self.lock(), bytes)
    }

    /// Lets those who wait look again whether they give up.
    pub fn wake(&self) {
        drop(self.lock());
        self.freed.notify_all();
    }

    /// How many replies and bytes are taken.
    pub fn in_use(&self) -> (usize, u64) {
        let taken = self.lock();
        (taken.replies, taken.bytes)
    }

    fn give(self: &Arc<Self>, mut taken: MutexGuard<'_, Taken>, bytes: u64) -> Permit {
        taken.replies += 1;
        taken.bytes += bytes;
        Permit { of: Arc::clone(self), bytes: AtomicU64::new(bytes) }
    }

    fn fits(&self, taken: &Taken, bytes: u64) -> bool {
        taken.replies < self.replies || taken.bytes.saturating_add(bytes) <= self.bytes
    }

    fn say_so_once(&self, taken: &mut Taken, bytes: u64) {
        if !std::mem::replace(&mut taken.has_said_so, true) {
            tracing::warn!(
                reply_bytes = bytes,
                at_once = taken.replies,
                window_replies = self.replies,
                window_bytes = self.bytes,
                "replies are so large that fewer clients train at once than there are workers"
            );
        }
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit {
    /// Corrects the size to what the reply has become. A reply that is larger than was thought does not
    /// wait: its bytes are there already.
    pub fn resize(&self, bytes: u64) {
        let mut taken = self.of.lock();
        let before = self.bytes.load(Ordering::Relaxed);
        if before != GIVEN_BACK {
            self.bytes.store(bytes, Ordering::Relaxed);
            taken.bytes = taken.bytes - before + bytes;
            self.of.tell(&taken);
        }
    }

    /// Gives the share back now, whoever still has bytes of the reply.
    pub fn give_back(&self) {
        let mut taken = self.of.lock();
        let bytes = self.bytes.swap(GIVEN_BACK, Ordering::Relaxed);
        if bytes != GIVEN_BACK {
            taken.replies -= 1;
            taken.bytes -= bytes;
            self.of.tell(&taken);
        }
    }

    /// Bytes that keep `permit` until the last clone of them is dropped.
    pub(crate) fn guard(bytes: Bytes, permit: Arc<Self>) -> Bytes {
        Bytes::from_owner(Guarded { bytes, _permit: permit })
    }
}

impl Permits {
    fn tell(&self, taken: &Taken) {
        if taken.waiting > 0 {
            self.freed.notify_all();
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.give_back();
    }
}

struct Guarded {
    bytes: Bytes,
    _permit: Arc<Permit>,
}

impl AsRef<[u8]> for Guarded {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}
