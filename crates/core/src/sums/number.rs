//! Exact numbers of any size: a sign, a whole number in limbs of 64 bits, and a power of two.

/// `± mantissa · 2^exponent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Factor {
    pub(super) negative: bool,
    pub(super) mantissa: u64,
    pub(super) exponent: i32,
}

impl Factor {
    pub(super) const ONE: Self = Self { negative: false, mantissa: 1, exponent: 0 };

    /// A whole number.
    pub(super) fn whole(value: i128) -> [Self; 2] {
        let magnitude = value.unsigned_abs();
        let negative = value < 0;
        [
            Self { negative, mantissa: magnitude as u64, exponent: 0 },
            Self { negative, mantissa: (magnitude >> 64) as u64, exponent: 64 },
        ]
    }
}

/// The exact value of a finite `f64`.
pub(super) fn decompose(value: f64) -> Factor {
    let bits = value.to_bits();
    let field = ((bits >> 52) & 0x7FF) as i32;
    let fraction = bits & 0xF_FFFF_FFFF_FFFF;
    let mantissa = if field == 0 { fraction } else { fraction | 1 << 52 };
    Factor { negative: value.is_sign_negative(), mantissa, exponent: field.max(1) - 1075 }
}

/// `± (Σ limbs[i] · 2^(64 i)) · 2^exponent`; no limb for zero, and the last limb is never zero.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Number {
    pub(super) negative: bool,
    pub(super) limbs: Vec<u64>,
    pub(super) exponent: i32,
}

impl Number {
    pub(super) fn is_zero(&self) -> bool {
        self.limbs.is_empty()
    }

    /// Drops leading zero limbs.
    pub(super) fn trim(&mut self) {
        trim(&mut self.limbs);
    }

    /// Factors that add up to this number.
    pub(super) fn factors(&self) -> impl Iterator<Item = Factor> + '_ {
        self.limbs.iter().enumerate().map(|(index, limb)| Factor {
            negative: self.negative,
            mantissa: *limb,
            exponent: self.exponent + 64 * index as i32,
        })
    }

    /// The power of two of the lowest set bit; 0 for zero.
    pub(super) fn lowest_bit(&self) -> i32 {
        let zeros = self.limbs.iter().position(|limb| *limb != 0);
        zeros
            .map_or(0, |at| self.exponent + 64 * at as i32 + self.limbs[at].trailing_zeros() as i32)
    }
}

/// The bits up to the highest that is set.
pub(super) fn bit_length(limbs: &[u64]) -> usize {
    limbs.last().map_or(0, |top| limbs.len() * 64 - top.leading_zeros() as usize)
}

/// `out = limbs · 2^bits`, without leading zero limbs.
pub(super) fn shift_left(limbs: &[u64], bits: usize, out: &mut Vec<u64>) {
    out.clear();
    out.resize(bits / 64, 0);
    let bits = bits % 64;
    let mut carry = 0;
    for limb in limbs {
        out.push(limb << bits | carry);
        carry = if bits == 0 { 0 } else { limb >> (64 - bits) };
    }
    out.push(carry);
    trim(out);
}

pub(super) fn trim(limbs: &mut Vec<u64>) {
    while limbs.last() == Some(&0) {
        limbs.pop();
    }
}
