//! Checksums: BLAKE3, cut to what finds damage.

/// Bytes of a checksum: 128 bits.
pub(crate) const BYTES: usize = 16;

/// A checksum of `parts`, one after the other, as something of the kind `context`.
pub(crate) fn of(context: &'static str, parts: &[&[u8]]) -> [u8; BYTES] {
    let mut hasher = blake3::Hasher::new_derive_key(context);
    parts.iter().for_each(|part| {
        hasher.update(part);
    });
    let mut sum = [0; BYTES];
    hasher.finalize_xof().fill(&mut sum);
    sum
}
