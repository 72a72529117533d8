//! The identity of a stream, and how it becomes a key.

use super::Stream;

/// The context string with which BLAKE3 derives a stream's key (contract 27).
pub const CONTEXT: &str = "flare stream v1";

/// What identifies the operation for which a stream is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OperationKey<'a> {
    /// The stream belongs to no operation, such as the one that partitions the data.
    #[default]
    None,
    /// The operation's label, such as `train-3`.
    Label(&'a str),
    /// The how-manieth operation without a label it is, from 0.
    Ordinal(u64),
}

/// Who draws, and what for: the whole identity of a [`Stream`].
///
/// # From identity to stream
///
/// Five fields are written one after the other. Each is its length in bytes as a `u64`, little-endian,
/// and then its bytes:
///
/// | field | bytes |
/// |---|---|
/// | seed | 8: the `u64`, little-endian |
/// | purpose | its UTF-8 |
/// | operation | none: the one byte 0; a label: the byte 1 and its UTF-8; an ordinal: the byte 2 and the `u64`, little-endian |
/// | stop | 4: the `u32`, little-endian |
/// | client | its UTF-8, so no bytes where there is no client |
///
/// The key is the 32 bytes of BLAKE3's `derive_key` with the context [`CONTEXT`] over them. The
/// stream is the ChaCha keystream of 12 rounds under that key, with a 64-bit block counter that starts
/// at 0 and a 64-bit nonce of 0, read as 32-bit little-endian words in their order.
///
/// Since every field carries its length, no two identities give the same bytes.
///
/// ```
/// use flare_core::random::{OperationKey, StreamId};
///
/// let id = StreamId::new(7, "shuffle").operation(OperationKey::Label("train-3")).client("client-04");
/// let (mut first, mut again) = (id.stream(), id.stream());
/// assert_eq!(first.u64(), again.u64());
/// assert_ne!(id.stream().u64(), id.client("client-05").stream().u64());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamId<'a> {
    /// The seed of the run; a job's default is 0.
    pub seed: u64,
    /// What is drawn, such as `shuffle` or `partition`.
    pub purpose: &'a str,
    /// The operation in which it is drawn.
    pub operation: OperationKey<'a>,
    /// The stop of a relay, from 0; 0 elsewhere.
    pub stop: u32,
    /// The name of the client that draws; empty where none does.
    pub client: &'a str,
}

impl<'a> StreamId<'a> {
    /// A stream of the run itself: no operation, stop 0, no client.
    pub fn new(seed: u64, purpose: &'a str) -> Self {
        Self { seed, purpose, operation: OperationKey::None, stop: 0, client: "" }
    }

    /// The same for one operation.
    #[must_use]
    pub fn operation(self, operation: impl Into<OperationKey<'a>>) -> Self {
        Self { operation: operation.into(), ..self }
    }

    /// The same for one stop of a relay, from 0.
    #[must_use]
    pub fn stop(self, stop: u32) -> Self {
        Self { stop, ..self }
    }

    /// The same for one client.
    #[must_use]
    pub fn client(self, client: &'a str) -> Self {
        Self { client, ..self }
    }

    /// The stream, from its beginning.
    pub fn stream(&self) -> Stream {
        Stream::from_key(blake3::derive_key(CONTEXT, &self.encode()))
    }

    /// The bytes from which the key is derived, as [`StreamId`] documents them.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        write_field(&mut bytes, &[&self.seed.to_le_bytes()]);
        write_field(&mut bytes, &[self.purpose.as_bytes()]);
        match self.operation {
            OperationKey::None => write_field(&mut bytes, &[&[0]]),
            OperationKey::Label(label) => write_field(&mut bytes, &[&[1], label.as_bytes()]),
            OperationKey::Ordinal(n) => write_field(&mut bytes, &[&[2], &n.to_le_bytes()]),
        }
        write_field(&mut bytes, &[&self.stop.to_le_bytes()]);
        write_field(&mut bytes, &[self.client.as_bytes()]);
        bytes
    }
}

/// Writes one field: the length of all `parts` together, then the parts.
fn write_field(bytes: &mut Vec<u8>, parts: &[&[u8]]) {
    let length: u64 = parts.iter().map(|part| part.len() as u64).sum();
    bytes.extend(length.to_le_bytes());
    for part in parts {
        bytes.extend(*part);
    }
}
