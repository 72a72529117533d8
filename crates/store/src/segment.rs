//! One operation's state versions in one file.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use flare_core::journal::Error;
use flare_core::names::Rank;
use flare_core::operation::OperationId;

use crate::blobs;
use crate::disk::{self, Doing, damaged};
use crate::file::{Durability, Points, Replace};
use crate::header;
use crate::point::{Steps, WritePoint};
use crate::record::{FORMAT, HEAD, Head, Kind, padding};

/// Records up to this size are written, and read, in one go; larger ones are mapped.
const SMALL: u64 = 64 * 1024;
/// Files below this are not worth rewriting.
const COMPACT_FROM: u64 = 64 * 1024;
/// A file is rewritten when less than one part in so many is live.
const COMPACT_BELOW: u64 = 4;

const COMPACT: Points = Points {
    half: WritePoint::CompactHalf,
    written: WritePoint::CompactWritten,
    synced: WritePoint::CompactSynced,
    renamed: WritePoint::CompactRenamed,
    name_synced: WritePoint::CompactNameSynced,
};

/// A file of state versions, and where in it which is.
pub(crate) struct Segment {
    operation: OperationId,
    path: PathBuf,
    /// The live versions.
    places: BTreeMap<Rank, Place>,
    /// Bytes of the records of live versions.
    live: u64,
    /// Where the last whole record ends; 0 before there is a header.
    end: u64,
    /// Whether something may come after `end`.
    is_torn: bool,
    /// Where something stands that was not written so; what came after it is lost.
    fault: Option<u64>,
    /// Whether older versions of the clients in it are dropped.
    is_released: bool,
    /// Open while versions are being put.
    file: Option<Arc<File>>,
    is_name_synced: bool,
}

/// Where a version is.
#[derive(Debug, Clone, Copy)]
struct Place {
    offset: u64,
    head: Head,
}

/// A version about to be read; it stays readable whatever becomes of its segment.
pub(crate) struct Reading {
    file: File,
    path: PathBuf,
    place: Place,
    operation: OperationId,
}

impl Segment {
    /// A segment that has no file yet.
    pub(crate) fn new(path: PathBuf, operation: OperationId) -> Self {
        Self {
            operation,
            path,
            places: BTreeMap::new(),
            live: 0,
            end: 0,
            is_torn: true,
            fault: None,
            is_released: false,
            file: None,
            is_name_synced: false,
        }
    }

    /// The segment in the file at `path`. Only heads are read.
    pub(crate) fn open(path: PathBuf, operation: OperationId) -> Result<Self, Error> {
        let file = File::open(&path).doing("opening", &path)?;
        let length = file.metadata().doing("reading", &path)?.len();
        let mut reader = BufReader::new(file);
        let mut start = Vec::new();
        let limit = header::BYTES as u64;
        reader.by_ref().take(limit).read_to_end(&mut start).doing("reading", &path)?;
        let mut segment = Self::new(path, operation);
        if FORMAT.is_unfinished(&start) {
            return Ok(segment);
        }
        if !FORMAT.is_begun_by(&start) {
            segment.fault = Some(0);
            return Ok(segment);
        }
        FORMAT.check(&start, &segment.path)?;
        segment.end = limit;
        segment.scan(&mut reader, length).doing("reading", &segment.path)?;
        segment.is_torn = segment.end < length;
        Ok(segment)
    }

    fn scan(&mut self, reader: &mut BufReader<File>, length: u64) -> io::Result<()> {
        let mut head = [0; HEAD];
        while self.end + HEAD as u64 <= length {
            reader.read_exact(&mut head)?;
            let Some(head) = Head::decode(&head, self.operation, self.end) else {
                self.fault = Some(self.end);
                return Ok(());
            };
            let next = head.record_length().and_then(|record| self.end.checked_add(record));
            let Some(next) = next.filter(|next| *next <= length) else { return Ok(()) };
            let rest = next - self.end - HEAD as u64;
            match head.kind {
                Kind::Version(_) => reader.seek_relative(rest.cast_signed())?,
                Kind::Release => self.read_release(reader, &head, rest)?,
            }
            self.note(Place { offset: self.end, head });
            self.end = next;
        }
        Ok(())
    }

    fn read_release(&mut self, reader: &mut impl Read, head: &Head, rest: u64) -> io::Result<()> {
        let mut payload = Vec::new();
        reader.take(rest).read_to_end(&mut payload)?;
        payload.truncate(usize::try_from(head.length).unwrap_or(usize::MAX));
        if head.fits(&payload) {
            let ranks = payload.as_chunks::<4>().0.iter().map(|rank| u32::from_le_bytes(*rank));
            ranks.for_each(|rank| self.drop_version(Rank(rank)));
        }
        Ok(())
    }

    fn note(&mut self, place: Place) {
        match place.head.kind {
            Kind::Release => self.is_released = true,
            Kind::Version(rank) => {
                self.drop_version(rank);
                self.live += place.head.record_length().unwrap_or(0);
                self.places.insert(rank, place);
            }
        }
    }

    /// The clients of which it has a version, ascending.
    pub(crate) fn ranks(&self) -> impl Iterator<Item = Rank> + '_ {
        self.places.keys().copied()
    }

    /// Whether older versions of its clients are dropped.
    pub(crate) fn is_released(&self) -> bool {
        self.is_released
    }

    /// Whether nothing in it is of use, not even to a person who looks for a fault.
    pub(crate) fn is_done(&self) -> bool {
        self.places.is_empty() && self.fault.is_none()
    }

    /// Keeps a client's version.
    pub(crate) fn put(&mut self, rank: Rank, state: &[u8], steps: &Steps) -> Result<(), Error> {
        self.append(Kind::Version(rank), state, steps, WritePoint::StateHalf)?;
        steps.reach(WritePoint::StateWritten);
        Ok(())
    }

    /// Notes that the operation is over, and that the versions of `strays` went.
    pub(crate) fn release(&mut self, strays: &[Rank], steps: &Steps) -> Result<(), Error> {
        let payload: Vec<u8> = strays.iter().flat_map(|rank| rank.0.to_le_bytes()).collect();
        self.append(Kind::Release, &payload, steps, WritePoint::ReleaseHalf)?;
        self.file = None;
        steps.reach(WritePoint::ReleaseWritten);
        Ok(())
    }

    /// Forgets a client's version; its bytes stay until the file is removed or rewritten.
    pub(crate) fn drop_version(&mut self, rank: Rank) {
        if let Some(place) = self.places.remove(&rank) {
            self.live -= place.head.record_length().unwrap_or(0);
        }
    }

    /// Opens the file for a version to be read.
    pub(crate) fn reading(&self, rank: Rank) -> Result<Option<Reading>, Error> {
        let Some(place) = self.places.get(&rank).copied() else {
            return self.fault.map_or(Ok(None), |offset| {
                let fault = format!("its record at byte {offset} is not as it was written");
                Err(damaged(&self.path, fault))
            });
        };
        match File::open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            other => {
                let file = other.doing("opening", &self.path)?;
                let (path, operation) = (self.path.clone(), self.operation);
                Ok(Some(Reading { file, path, place, operation }))
            }
        }
    }

    /// The file, to sync what was put; and whether its name is to be synced as well.
    pub(crate) fn settling(&mut self, steps: &Steps) -> Result<(Arc<File>, bool), Error> {
        let file = self.writable(steps)?;
        Ok((file, !self.is_name_synced))
    }

    /// Everything that was put is synced.
    pub(crate) fn settled(&mut self) {
        self.is_name_synced = true;
        self.file = None;
    }

    /// Rewrites the file without its dropped versions, if they are most of it.
    pub(crate) fn compact(&mut self, steps: &Steps) -> Result<(), Error> {
        let is_small = self.end < COMPACT_FROM;
        if is_small || self.fault.is_some() || self.live >= self.end / COMPACT_BELOW {
            return Ok(());
        }
        let mut compact = Self::new(self.path.clone(), self.operation);
        let mut parts: Vec<Bytes> = Vec::new();
        compact.end = header::BYTES as u64;
        parts.push(FORMAT.header().to_vec().into());
        let release = (Kind::Release, Bytes::new());
        let mut records: Vec<_> = self.is_released.then_some(release).into_iter().collect();
        for rank in self.ranks() {
            let Some(reading) = self.reading(rank)? else { return Ok(()) };
            // Damage is for who asks for the version: its file stays as it is.
            let Ok(state) = reading.state() else { return Ok(()) };
            records.push((Kind::Version(rank), state));
        }
        for (kind, payload) in records {
            let (place, next) = compact.place(kind, &payload)?;
            parts.push(place.head.encode(self.operation, place.offset).to_vec().into());
            let zeros = Bytes::from_static(padding(&payload));
            parts.extend([payload, zeros]);
            compact.note(place);
            compact.end = next;
        }
        let parts: Vec<&[u8]> = parts.iter().map(|part| &part[..]).collect();
        // Client states are synced whatever the durability is (contract 13).
        let durability = Durability::Power;
        Replace { durability, steps, points: &COMPACT }.write(&self.path, &parts)?;
        compact.is_torn = false;
        compact.is_name_synced = true;
        *self = compact;
        Ok(())
    }

    /// Removes the file.
    pub(crate) fn remove(&self, steps: &Steps) -> Result<(), Error> {
        steps.reach(WritePoint::SegmentDropped);
        disk::remove(&self.path)
    }

    fn append(
        &mut self,
        kind: Kind,
        payload: &[u8],
        steps: &Steps,
        half: WritePoint,
    ) -> Result<(), Error> {
        let file = self.writable(steps)?;
        let (place, next) = self.place(kind, payload)?;
        let head = place.head.encode(self.operation, place.offset);
        let written = write_record(&file, &head, payload, place.offset, steps, half);
        if written.is_err() {
            // The first error is the one to tell; the next to write cuts again.
            self.is_torn = true;
            drop(file.set_len(self.end));
        }
        written.doing("writing", &self.path)?;
        self.note(place);
        self.end = next;
        Ok(())
    }

    /// Where the next record goes, and where it ends.
    fn place(&self, kind: Kind, payload: &[u8]) -> Result<(Place, u64), Error> {
        let head = Head::new(kind, payload);
        let next = head.record_length().and_then(|length| self.end.checked_add(length));
        let next = next.ok_or_else(|| io::Error::from(io::ErrorKind::FileTooLarge));
        Ok((Place { offset: self.end, head }, next.doing("writing", &self.path)?))
    }

    /// The file, open for writing behind its last whole record.
    fn writable(&mut self, steps: &Steps) -> Result<Arc<File>, Error> {
        let file = match &self.file {
            Some(file) => Arc::clone(file),
            None => {
                let options =
                    File::options().write(true).create(true).truncate(false).open(&self.path);
                Arc::new(options.doing("opening", &self.path)?)
            }
        };
        if self.is_torn {
            if self.end > 0 || self.fault.is_some() {
                steps.reach(WritePoint::SegmentTornFound);
            }
            self.mend(&file, steps).doing("writing", &self.path)?;
        }
        self.file = Some(Arc::clone(&file));
        Ok(file)
    }

    fn mend(&mut self, file: &File, steps: &Steps) -> io::Result<()> {
        file.set_len(self.end)?;
        if self.end == 0 {
            let half = WritePoint::SegmentHeaderHalf;
            disk::write_at(file, &FORMAT.header(), 0, steps, half)?;
            self.end = header::BYTES as u64;
            steps.reach(WritePoint::SegmentHeaderWritten);
        }
        self.is_torn = false;
        self.fault = None;
        Ok(())
    }
}

impl Reading {
    /// The version's bytes, checked.
    pub(crate) fn state(&self) -> Result<Bytes, Error> {
        let damaged = || {
            let offset = self.place.offset;
            damaged(&self.path, format!("its record at byte {offset} is not as it was written"))
        };
        let length = HEAD as u64 + self.place.head.length;
        let there = self.file.metadata().doing("reading", &self.path)?.len();
        if there.checked_sub(self.place.offset).is_none_or(|there| there < length) {
            return Err(damaged());
        }
        let bytes = self.bytes(length).doing("reading", &self.path)?;
        let head = bytes.first_chunk().and_then(|head| {
            let head = Head::decode(head, self.operation, self.place.offset)?;
            (head == self.place.head && head.fits(&bytes[HEAD..])).then_some(head)
        });
        head.map(|_| bytes.slice(HEAD..)).ok_or_else(damaged)
    }

    fn bytes(&self, length: u64) -> io::Result<Bytes> {
        if length > SMALL {
            return blobs::map(&self.file, self.place.offset, length);
        }
        let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        self.file.read_exact_at(&mut bytes, self.place.offset)?;
        Ok(bytes.into())
    }
}

fn write_record(
    file: &File,
    head: &[u8],
    payload: &[u8],
    offset: u64,
    steps: &Steps,
    half: WritePoint,
) -> io::Result<()> {
    if payload.len() as u64 <= SMALL {
        let record = [head, payload, padding(payload)].concat();
        return disk::write_at(file, &record, offset, steps, half);
    }
    let mut at = offset;
    for part in [head, payload, padding(payload)] {
        disk::write_at(file, part, at, steps, half)?;
        at += part.len() as u64;
    }
    Ok(())
}

/// The name of an operation's segment.
pub(crate) fn name(operation: OperationId) -> String {
    format!("op-{operation}")
}

/// The operation whose segment has this name.
pub(crate) fn operation(path: &Path) -> Option<OperationId> {
    let number = path.file_name()?.to_str()?.strip_prefix("op-")?;
    let operation = number.parse().ok().map(OperationId)?;
    (name(operation).strip_prefix("op-") == Some(number)).then_some(operation)
}
