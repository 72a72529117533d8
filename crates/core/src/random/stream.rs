//! Uniform draws from a stream: words, bounded integers, floats, shuffles and samples.

use std::collections::BTreeSet;
use std::fmt;

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// The keystream of one [`StreamId`](super::StreamId), used up from its beginning.
///
/// Every draw takes the next words and skips none; what a draw costs is written beside it. A clone
/// goes on from the same place. Not for secrets: whoever knows the seed knows the stream.
#[derive(Clone)]
pub struct Stream {
    words: ChaCha12Rng,
}

impl Stream {
    /// The stream under a key of 32 bytes; [`StreamId::stream`](super::StreamId::stream) makes it.
    pub(super) fn from_key(key: [u8; 32]) -> Self {
        Self { words: ChaCha12Rng::from_seed(key) }
    }

    /// 32 random bits: the next word.
    pub fn u32(&mut self) -> u32 {
        self.words.next_u32()
    }

    /// 64 random bits: the next two words, the low one first.
    pub fn u64(&mut self) -> u64 {
        self.words.next_u64()
    }

    /// A number of [0, 1): the high 24 bits of the next word, over 2^24.
    pub fn f32(&mut self) -> f32 {
        const SCALE: f32 = 1.0 / (1_u32 << 24) as f32;
        (self.u32() >> 8) as f32 * SCALE
    }

    /// A number of [0, 1): the high 53 bits of the next [`u64`](Self::u64), over 2^53.
    pub fn f64(&mut self) -> f64 {
        const SCALE: f64 = 1.0 / (1_u64 << 53) as f64;
        (self.u64() >> 11) as f64 * SCALE
    }

    /// An integer of 0..n, each exactly as likely as any other.
    ///
    /// The product of `n` and the next [`u64`](Self::u64) has 128 bits; its high half is the result.
    /// A draw whose low half is below 2^64 mod n is thrown away and the next one taken, so that each
    /// result has the same number of draws behind it (Lemire, "Fast random integer generation in an
    /// interval", 2019).
    ///
    /// # Panics
    /// When `n` is 0: there is nothing to choose from.
    pub fn below(&mut self, n: u64) -> u64 {
        assert!(n > 0, "an integer below 0 was asked for; ask for one below 1 or more");
        let refused = n.wrapping_neg() % n;
        loop {
            let product = u128::from(self.u64()) * u128::from(n);
            if product as u64 >= refused {
                return (product >> 64) as u64;
            }
        }
    }

    /// Puts `items` into a random order, each order as likely as any other (Fisher and Yates).
    ///
    /// For i from the last index down to 1, item i changes places with item
    /// [`below`](Self::below)(i + 1).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i as u64 + 1) as usize);
        }
    }

    /// The numbers 0..n in a random order: [`shuffle`](Self::shuffle) of 0, 1, …, n - 1.
    pub fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        self.shuffle(&mut order);
        order
    }

    /// `k` different numbers of 0..n in rising order, each set as likely as any other, in memory for
    /// k of them (Floyd; Bentley, "Programming pearls: a sample of brilliance", 1987).
    ///
    /// For j from n - k to n - 1, t is [`below`](Self::below)(j + 1), and t is taken, or j where t has
    /// been taken already.
    ///
    /// # Panics
    /// When `k` is larger than `n`.
    pub fn sample(&mut self, n: usize, k: usize) -> Vec<usize> {
        assert!(k <= n, "a sample of {k} out of {n} was asked for; ask for {n} at most");
        let mut taken = BTreeSet::new();
        for j in n - k..n {
            let t = self.below(j as u64 + 1) as usize;
            if !taken.insert(t) {
                taken.insert(j);
            }
        }
        taken.into_iter().collect()
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("words_used", &self.words.get_word_pos()).finish()
    }
}
