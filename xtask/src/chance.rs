//! Seeded chance for the moments of kills: SplitMix64, whose whole state is one number to print.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};

/// A stream of random numbers that a printed seed repeats.
#[derive(Clone, Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    /// The seed to use: XTASK_SEED where that is set, else one from the clock.
    ///
    /// # Errors
    /// Where XTASK_SEED is no number.
    pub(crate) fn seed() -> Result<u64> {
        match std::env::var("XTASK_SEED") {
            Ok(text) => text.parse().with_context(|| format!("XTASK_SEED is {text:?}, no number")),
            Err(_) => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Ok(now.as_nanos() as u64 % 1_000_000_007)
            }
        }
    }

    /// The stream for `seed` that belongs to `name`, so that rows do not depend on which others ran.
    pub(crate) fn new(seed: u64, name: &str) -> Self {
        let mut chance = Self(seed);
        for byte in name.bytes() {
            chance.0 ^= u64::from(byte);
            chance.next();
        }
        chance
    }

    /// A number below `bound`; 0 where that is 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    /// Steele, Lea, Flood (2014), "Fast splittable pseudorandom number generators", figure 16.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_published_for_the_seed() {
        let mut chance = Chance(1_234_567);
        let first: Vec<u64> = (0..3).map(|_| chance.next()).collect();
        assert_eq!(
            first,
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }

    #[test]
    fn every_number_below_the_bound_comes_up_and_none_above() {
        let mut chance = Chance::new(1, "row");
        let mut seen = [false; 7];
        for _ in 0..200 {
            seen[chance.below(7) as usize] = true;
        }
        assert_eq!(seen, [true; 7]);
        assert_eq!(chance.below(0), 0);
    }
}
