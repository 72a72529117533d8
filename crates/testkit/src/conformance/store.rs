//! What every implementation of a run's memory owes, by the numbers of its contract.
//!
//! A suite makes no stores itself: it is given how to make a fresh place, and how to open that place again.

use std::sync::Arc;

/// A place for a store. Opened again it has what it had; whoever opens it has dropped it before. What
/// lives in memory gives the same store each time.
pub type Place<T> = Box<dyn Fn() -> Arc<T>>;

/// How a fresh, empty place is made.
pub type Fresh<'a, T> = &'a dyn Fn() -> Place<T>;

/// Numbers for a test that wants many cases: the same for the same seed.
pub struct Dice(pub u64);

impl Dice {
    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    /// So many bytes.
    pub fn bytes(&mut self, count: usize) -> bytes::Bytes {
        (0..count).map(|_| self.below(256) as u8).collect()
    }
}
