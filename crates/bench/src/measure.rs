//! Clocks, memory, random payload, and the table that is printed.

use std::time::Instant;

use anyhow::{Context, Result};

/// Seconds that `work` takes, and what it gives.
pub(crate) fn timed<T>(work: impl FnOnce() -> T) -> (f64, T) {
    let start = Instant::now();
    let result = work();
    (start.elapsed().as_secs_f64(), result)
}

/// The best of `runs` timings: the one that other work on the machine disturbed least.
pub(crate) fn best_of(runs: usize, mut work: impl FnMut()) -> f64 {
    (0..runs).map(|_| timed(&mut work).0).fold(f64::INFINITY, f64::min)
}

fn status(field: &str) -> Result<u64> {
    let text = std::fs::read_to_string("/proc/self/status").context("reading memory use")?;
    let line = text.lines().find_map(|line| line.strip_prefix(field));
    let kilobytes = line.and_then(|rest| rest.split_whitespace().next());
    Ok(kilobytes.context("memory use is not told")?.parse::<u64>()? * 1024)
}

/// The most memory that this process had resident, in bytes.
pub(crate) fn peak_resident() -> Result<u64> {
    status("VmHWM:")
}

/// The memory that this process has resident now, in bytes.
pub(crate) fn resident() -> Result<u64> {
    status("VmRSS:")
}

/// A fast generator for payload (SplitMix64 by Steele, Lea and Flood): no two runs get the same.
pub(crate) struct Payload(u64);

impl Payload {
    /// Seeded by the operating system.
    pub(crate) fn fresh() -> Self {
        use std::hash::{BuildHasher, Hasher};
        Self(std::hash::RandomState::new().build_hasher().finish())
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// A number like a trained weight: either sign, most of them between 1e-4 and 1.
    pub(crate) fn weight(&mut self) -> f32 {
        let word = self.next();
        let mantissa = (word >> 40) as f32 / (1_u32 << 24) as f32 - 0.5;
        let scale = [1.0, 0.1, 0.01, 0.001][(word & 3) as usize];
        mantissa * scale
    }
}

/// One line of the table.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) measured: String,
    pub(crate) asked: &'static str,
    pub(crate) met: bool,
}

/// The head of the table, in Markdown.
pub(crate) const HEAD: &str = "| what | measured | asked | met |\n|---|---|---|---|\n";

/// Rows as lines of the table.
pub(crate) fn lines(rows: &[Row]) -> String {
    let mut text = String::new();
    for Row { name, measured, asked, met } in rows {
        let met = if *met { "yes" } else { "no" };
        text.push_str(&format!("| {name} | {measured} | {asked} | {met} |\n"));
    }
    text
}
