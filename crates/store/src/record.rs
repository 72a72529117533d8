//! The state versions of one operation as bytes of one file: a header, then records. No I/O here.
//!
//! | bytes | of a record |
//! |---|---|
//! | 4 | kind: a version, or the note of who counted |
//! | 4 | rank of the client (0 in a note) |
//! | 8 | length of the payload, little-endian as all numbers |
//! | 16 | checksum of the payload |
//! | 8 | checksum of these numbers, the operation and the offset |
//! | … | the payload, and zeros up to a multiple of 8 |
//!
//! Payloads begin at multiples of 8, so that tensors in them need not be copied to be aligned.

use flare_core::names::Rank;
use flare_core::operation::OperationId;

use crate::checksum;
use crate::header::Format;

/// The format of a segment. Its version is raised when the records change.
pub(crate) const FORMAT: Format =
    Format { magic: *b"flare-states", version: 1, what: "a file of client states of Flare" };

/// Bytes before a payload.
pub(crate) const HEAD: usize = NUMBERS + 8;
const NUMBERS: usize = 4 + 4 + 8 + checksum::BYTES;
const ALIGN: u64 = 8;
const OF_PAYLOAD: &str = "flare state payload v1";
const OF_NUMBERS: &str = "flare state record v1";

/// What a record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The payload is this client's state.
    Version(Rank),
    /// The operation was released; the payload lists, as 4 bytes each, those whose version went.
    Release,
}

/// The head of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) kind: Kind,
    /// Length of the payload in bytes.
    pub(crate) length: u64,
    sum: [u8; checksum::BYTES],
}

impl Head {
    pub(crate) fn new(kind: Kind, payload: &[u8]) -> Self {
        let sum = checksum::of(OF_PAYLOAD, &[payload]);
        Self { kind, length: payload.len() as u64, sum }
    }

    /// The bytes of this head at byte `offset` of the segment of `operation`.
    pub(crate) fn encode(&self, operation: OperationId, offset: u64) -> [u8; HEAD] {
        let (kind, rank) = match self.kind {
            Kind::Version(rank) => (0_u32, rank.0),
            Kind::Release => (1, 0),
        };
        let mut head = [0; HEAD];
        head[..4].copy_from_slice(&kind.to_le_bytes());
        head[4..8].copy_from_slice(&rank.to_le_bytes());
        head[8..16].copy_from_slice(&self.length.to_le_bytes());
        head[16..NUMBERS].copy_from_slice(&self.sum);
        let seal = seal(&head[..NUMBERS], operation, offset);
        head[NUMBERS..].copy_from_slice(&seal);
        head
    }

    /// The head that was written at byte `offset` of the segment of `operation`, if these are its bytes.
    pub(crate) fn decode(head: &[u8; HEAD], operation: OperationId, offset: u64) -> Option<Self> {
        let (numbers, kept) = head.split_at(NUMBERS);
        if kept != seal(numbers, operation, offset) {
            return None;
        }
        let (kind, rest) = numbers.split_first_chunk::<4>()?;
        let (rank, rest) = rest.split_first_chunk::<4>()?;
        let (length, sum) = rest.split_first_chunk::<8>()?;
        let kind = match u32::from_le_bytes(*kind) {
            0 => Kind::Version(Rank(u32::from_le_bytes(*rank))),
            1 => Kind::Release,
            _ => return None,
        };
        Some(Self { kind, length: u64::from_le_bytes(*length), sum: sum.try_into().ok()? })
    }

    /// Whether this is the payload that was written.
    pub(crate) fn fits(&self, payload: &[u8]) -> bool {
        payload.len() as u64 == self.length && checksum::of(OF_PAYLOAD, &[payload]) == self.sum
    }

    /// Bytes of the whole record; nothing if no file is so large.
    pub(crate) fn record_length(&self) -> Option<u64> {
        self.length.checked_next_multiple_of(ALIGN)?.checked_add(HEAD as u64)
    }
}

/// Zeros that a payload of this length is followed by.
pub(crate) fn padding(payload: &[u8]) -> &'static [u8] {
    let over = payload.len() % ALIGN as usize;
    &[0; ALIGN as usize][..(ALIGN as usize - over) % ALIGN as usize]
}

fn seal(numbers: &[u8], operation: OperationId, offset: u64) -> [u8; 8] {
    let (operation, offset) = (operation.0.to_le_bytes(), offset.to_le_bytes());
    let [a, b, c, d, e, f, g, h, ..] = checksum::of(OF_NUMBERS, &[numbers, &operation, &offset]);
    [a, b, c, d, e, f, g, h]
}
