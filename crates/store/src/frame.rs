//! The journal as bytes: a header, then one frame for each commit. No I/O here.
//!
//! | bytes | of a frame |
//! |---|---|
//! | 4 | a mark, so that frames behind damage are found |
//! | 8 | length of the payload, little-endian as all numbers |
//! | 8 | up to which byte the journal was synced when this was written |
//! | 16 | checksum over the frame's offset, the two numbers and the payload |
//! | … | the payload: the commit's entries in postcard |
//!
//! A checksum covers its frame's offset: a frame counts only where it was written.

use flare_core::journal::Entry;

use crate::checksum;
use crate::header::{self, Format};

/// The journal's format. Its version is raised when the frames or the encoding of an entry change.
pub(crate) const FORMAT: Format =
    Format { magic: *b"flarejournal", version: 1, what: "a journal of Flare" };

const MARK: [u8; 4] = *b"\xf1fr\xa5";
const HEAD: usize = 4 + 8 + 8 + checksum::BYTES;
const CONTEXT: &str = "flare journal frame v1";

/// A frame for a commit that begins at byte `offset`, in a journal that is synced up to byte `synced`.
pub(crate) fn encode(entries: &[Entry], offset: u64, synced: u64) -> postcard::Result<Vec<u8>> {
    let mut frame = postcard::to_extend(entries, vec![0; HEAD])?;
    let payload = &frame[HEAD..];
    let length = (payload.len() as u64).to_le_bytes();
    let synced = synced.to_le_bytes();
    let sum = sum(offset, &length, &synced, payload);
    let head = MARK.iter().chain(&length).chain(&synced).chain(&sum);
    frame.iter_mut().zip(head).for_each(|(slot, byte)| *slot = *byte);
    Ok(frame)
}

/// The entries of a commit.
pub(crate) fn decode(payload: &[u8]) -> postcard::Result<Vec<Entry>> {
    match postcard::take_from_bytes(payload)? {
        (entries, []) => Ok(entries),
        _ => Err(postcard::Error::DeserializeBadEncoding),
    }
}

/// The commits of a journal.
#[derive(Debug, PartialEq)]
pub(crate) struct Commits<'a> {
    /// The payload of each.
    pub(crate) payloads: Vec<&'a [u8]>,
    /// Where the last one ends; what comes after it is a commit that was cut short.
    pub(crate) end: u64,
}

/// Damage before what is known to have been kept.
#[derive(Debug, PartialEq)]
pub(crate) struct Damage {
    /// The first byte that is not as written, or one in its frame.
    pub(crate) offset: u64,
}

/// Reads a journal, header included.
///
/// What does not end in a whole frame is a commit that was cut short, unless a frame further on says
/// that the journal had been synced past this place: then it is damage.
pub(crate) fn read(journal: &[u8]) -> Result<Commits<'_>, Damage> {
    let mut payloads = Vec::new();
    let mut at = header::BYTES;
    while let Some(frame) = frame_at(journal, at) {
        payloads.push(frame.payload);
        at += HEAD + frame.payload.len();
    }
    let end = at as u64;
    let is_past = |later: usize| frame_at(journal, later).is_some_and(|frame| frame.synced > end);
    match marks_after(journal, at).any(is_past) {
        true => Err(Damage { offset: end }),
        false => Ok(Commits { payloads, end }),
    }
}

struct Frame<'a> {
    synced: u64,
    payload: &'a [u8],
}

fn frame_at(journal: &[u8], at: usize) -> Option<Frame<'_>> {
    let rest = journal.get(at..)?.strip_prefix(&MARK)?;
    let (length, rest) = rest.split_first_chunk::<8>()?;
    let (synced, rest) = rest.split_first_chunk::<8>()?;
    let (kept, rest) = rest.split_first_chunk::<{ checksum::BYTES }>()?;
    let payload = rest.get(..usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
    let same = *kept == sum(at as u64, length, synced, payload);
    same.then(|| Frame { synced: u64::from_le_bytes(*synced), payload })
}

fn marks_after(journal: &[u8], at: usize) -> impl Iterator<Item = usize> + '_ {
    let rest = journal.get(at..).unwrap_or_default();
    let marks = rest.windows(MARK.len()).enumerate().filter(|(_, bytes)| **bytes == MARK);
    marks.map(move |(index, _)| at + index)
}

fn sum(offset: u64, length: &[u8; 8], synced: &[u8; 8], payload: &[u8]) -> [u8; checksum::BYTES] {
    checksum::of(CONTEXT, &[&offset.to_le_bytes(), length, synced, payload])
}
