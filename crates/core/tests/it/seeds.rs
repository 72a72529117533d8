//! Random tests: many seeds, and the one that fails is printed.

/// Runs `check` with `count` generators; if it panics, the seed stands on standard error.
pub(crate) fn each(count: u64, mut check: impl FnMut(&mut Random)) {
    for seed in 0..count {
        let notice = Notice { seed };
        check(&mut Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        std::mem::forget(notice);
    }
}

/// Prints its seed when a panic drops it.
struct Notice {
    seed: u64,
}

impl Drop for Notice {
    fn drop(&mut self) {
        eprintln!("the failing seed is {}", self.seed);
    }
}

/// SplitMix64: small, and nothing of what is tested here.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// From 0 to `end` - 1; the bias does not matter here.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.bits() % end as u64) as usize
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// Text with characters that need escapes, or more than one byte.
    pub(crate) fn text(&mut self, longest: usize) -> String {
        let length = self.below(longest + 1);
        (0..length)
            .map(|_| self.pick(&['a', 'b', '.', '/', '"', '\\', ' ', 'é', '層', '𝄞']))
            .collect()
    }
}
