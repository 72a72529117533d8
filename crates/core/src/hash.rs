//! BLAKE3 hashes: how blobs, models and specifications are named by their bytes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A BLAKE3 hash of 32 bytes, shown as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hash([u8; 32]);

/// A text that is no hash.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("reading a hash: expected 64 hexadecimal digits, got \"{}\"", crate::shown(.text))]
pub struct ParseHashError {
    text: String,
}

impl Hash {
    /// The hash of `bytes`.
    pub fn of(bytes: impl AsRef<[u8]>) -> Self {
        Self(*blake3::hash(bytes.as_ref()).as_bytes())
    }

    /// The hash of `bytes` as something of the kind `context`: the same bytes as something else have
    /// another one.
    pub fn derive(context: &str, bytes: impl AsRef<[u8]>) -> Self {
        Self(blake3::derive_key(context, bytes.as_ref()))
    }

    /// A hash that was computed elsewhere.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<blake3::Hash> for Hash {
    fn from(hash: blake3::Hash) -> Self {
        Self(*hash.as_bytes())
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The first eight digits: enough to tell hashes apart in a failing test.
impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0[..4].iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str("…")
    }
}

impl FromStr for Hash {
    type Err = ParseHashError;

    /// Reads 64 hexadecimal digits, of either case.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        digits(text).map(Self).ok_or_else(|| ParseHashError { text: text.to_owned() })
    }
}

fn digits(text: &str) -> Option<[u8; 32]> {
    let text = text.as_bytes();
    if text.len() != 64 {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = (digit(pair[0])? << 4) | digit(pair[1])?;
    }
    Some(bytes)
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_nothing_is_the_published_value_and_reads_back() {
        let hex = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";
        assert_eq!(Hash::of(b"").to_string(), hex);
        assert_eq!(hex.parse::<Hash>(), Ok(Hash::of(b"")));
        assert_eq!(hex.to_uppercase().parse::<Hash>(), Ok(Hash::of(b"")));
        assert_eq!(format!("{:?}", Hash::of(b"")), "af1349b9…");
    }

    #[test]
    fn what_is_no_hash_is_refused_and_shown_escaped() {
        let error = "\u{1b}[31m".parse::<Hash>().unwrap_err();
        assert!(error.to_string().ends_with(r#"got "\u{1b}[31m""#), "{error}");
        assert!("+".repeat(64).parse::<Hash>().is_err());
        assert!("é".repeat(32).parse::<Hash>().is_err());
        assert!("0".repeat(63).parse::<Hash>().is_err());
    }
}
