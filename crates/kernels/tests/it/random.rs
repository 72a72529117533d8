//! A small generator, so that a failure is repeated from the seed that it prints.

/// SplitMix64.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A value of either sign whose magnitude spans many powers of two, so that order shows.
    pub(crate) fn wild(&mut self) -> f32 {
        let bits = self.next();
        let mantissa = (bits >> 40) as f32 / 8_388_608.0 - 1.0;
        mantissa * power((bits % 24) as i32 - 12) as f32
    }
}

/// Two to this power, of a normal number: exactly, also where `powi` is not (under Miri).
pub(crate) fn power(exponent: i32) -> f64 {
    f64::from_bits(((1023 + exponent) as u64) << 52)
}

/// How many seeds are tried. Miri, which looks for undefined behaviour, is a thousand times slower.
pub(crate) fn seeds(usual: u64) -> u64 {
    if cfg!(miri) { 2 } else { usual }
}
