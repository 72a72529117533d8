//! What the journal knows of the run's past, and what is kept of it in memory.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::hash::Hash;
use crate::journal::{Entry, Failures, Run, wrote};
use crate::names::Rank;
use crate::operation::{Key, OperationId, SpecDigest};
use crate::operations::{Error, Opened};
use crate::outcome::{ClientEnd, End, Gathered, Record};
use crate::value::Value;

use super::Home;
use super::heads::{Heads, Releases};
use super::used::UsedLabels;

/// The run's memory: everything goes to the journal first.
pub(super) struct Ledger {
    home: Home,
    /// Of this process.
    epoch: u64,
    /// Operations that ended in an earlier process and may be asked for again.
    ended: BTreeMap<Key, Arc<Record>>,
    /// Operations that an earlier process began and did not end.
    begun: BTreeMap<Key, Begun>,
    /// Labels used by this process.
    used: UsedLabels,
    /// What closures made of the replies of operations since the last checkpoint.
    concluded: BTreeMap<OperationId, Hash>,
    values: BTreeMap<String, Value>,
    /// The head of each client's state.
    pub(super) heads: Heads,
    next_operation: u64,
    next_ordinal: u64,
    /// Blobs kept since each of the last checkpoints, the newest at the back.
    generations: VecDeque<BTreeSet<Hash>>,
    broken: Option<Error>,
}

/// An operation that an earlier process began.
#[derive(Debug, Clone)]
pub(super) struct Begun {
    pub(super) operation: OperationId,
    /// What it asked.
    pub(super) digest: SpecDigest,
    /// A relay's stops that ended, in order.
    pub(super) stops: Vec<ClientEnd>,
}

impl Ledger {
    /// Opens the journal as the run's one writer.
    pub(super) fn open(
        run: Run,
        home: Home,
        accept_units: bool,
    ) -> Result<(Self, Opened, Releases), Error> {
        let entries = home.journal.entries()?;
        let mut past = Past::default();
        entries.into_iter().for_each(|entry| past.take(entry));
        let run = past.same_run(run, accept_units)?;
        let changed = past.run.as_ref() != Some(&run);
        let epoch = past.epoch + 1;
        let mut first = Vec::new();
        if changed {
            first.push(Entry::Run(run.clone()));
        }
        first.push(Entry::Opened { epoch });
        home.journal.append(epoch, &first, true)?;
        let unreleased = past.unreleased();
        let checkpoint = past.checkpoint.take();
        let ledger = Self {
            home,
            epoch,
            ended: past.answerable(),
            begun: past.begun,
            used: UsedLabels::default(),
            concluded: past.concluded,
            values: past.values,
            heads: past.heads,
            // A power cut may have taken the last numbers that were given out, and clients still hold what
            // they did under them: each process numbers from a range of its own.
            next_operation: past.next_operation.max((epoch - 1) << 32),
            next_ordinal: past.ordinals,
            generations: VecDeque::from([past.blobs]),
            broken: None,
        };
        let opened = Opened { run: Arc::new(run), epoch, checkpoint };
        Ok((ledger, opened, unreleased))
    }

    pub(super) fn home(&self) -> &Home {
        &self.home
    }

    /// The key of an operation, which is used up by asking.
    pub(super) fn key(&mut self, label: Option<crate::names::Name>) -> Result<Key, Error> {
        let Some(label) = label else {
            self.next_ordinal += 1;
            return Ok(Key::Ordinal(self.next_ordinal - 1));
        };
        let is_new = self.used.insert(&label);
        let key = Key::Label(label);
        if is_new { Ok(key) } else { Err(Error::Again { key }) }
    }

    /// How an operation ended in an earlier process; asked once.
    pub(super) fn answer(&mut self, key: &Key) -> Option<Arc<Record>> {
        self.ended.remove(key)
    }

    /// What an earlier process began of an operation; asked once.
    pub(super) fn begun(&mut self, key: &Key) -> Option<Begun> {
        self.begun.remove(key)
    }

    /// Whether an earlier process began this operation, and this one was not asked for it yet.
    pub(super) fn is_awaited(&self, operation: OperationId) -> bool {
        self.begun.values().any(|begun| begun.operation == operation)
    }

    pub(super) fn next_operation(&mut self) -> OperationId {
        let operation = OperationId(self.next_operation);
        self.next_operation += 1;
        operation
    }

    /// Appends to the journal. The first failure is final: nothing is written after it.
    pub(super) fn append(&mut self, entries: &[Entry], sync: bool) -> Result<(), Error> {
        if let Some(error) = &self.broken {
            return Err(error.clone());
        }
        self.home.journal.append(self.epoch, entries, sync).map_err(|error| {
            let error = Error::Journal(error);
            self.broken = Some(error.clone());
            error
        })
    }

    /// Nothing is written any more.
    pub(super) fn close(&mut self, error: &Error) {
        self.broken.get_or_insert_with(|| error.clone());
    }

    pub(super) fn broken(&self) -> Option<&Error> {
        self.broken.as_ref()
    }

    /// Keeps a blob at least until the next checkpoint.
    pub(super) fn put(&mut self, hash: Hash, bytes: &bytes::Bytes) -> Result<(), Error> {
        self.home.blobs.put(hash, bytes)?;
        self.note(hash);
        Ok(())
    }

    fn note(&mut self, hash: Hash) {
        if self.generations.is_empty() {
            self.generations.push_back(BTreeSet::new());
        }
        if let Some(newest) = self.generations.back_mut() {
            newest.insert(hash);
        }
    }

    /// Commits an operation's end; hands back the releases that waited for it.
    pub(super) fn end(&mut self, record: &Arc<Record>) -> Result<Releases, Error> {
        self.append(&[Entry::Ended(Arc::clone(record))], true)?;
        Ok(self.heads.end(record.operation))
    }

    /// Notes an operation's release, with which state heads move; hands back the releases that the client
    /// side may be told of.
    pub(super) fn release(&mut self, record: &Record) -> Result<Releases, Error> {
        self.append(&[Entry::Released { operation: record.operation }], false)?;
        Ok(self.heads.release(record, counted_ranks(record)))
    }

    /// Says what a closure made of an operation's replies.
    pub(super) fn conclude(&mut self, operation: OperationId, value: Hash) -> Result<(), Error> {
        self.append(&[Entry::Concluded { operation, value }], true)?;
        self.concluded.insert(operation, value);
        Ok(())
    }

    pub(super) fn concluded(&self, operation: OperationId) -> Option<Hash> {
        self.concluded.get(&operation).copied()
    }

    /// Keeps the controller's state, and drops what is older than the checkpoints that are kept.
    pub(super) fn checkpoint(
        &mut self,
        state: &Value,
        pins: Vec<Hash>,
        in_use: impl Iterator<Item = Hash>,
    ) -> Result<(), Error> {
        pins.iter().for_each(|pin| self.note(*pin));
        let ordinals = self.next_ordinal;
        let entry = Entry::Checkpoint { state: state.encode(), pins: pins.clone(), ordinals };
        self.append(&[entry], true)?;
        self.concluded.clear();
        while self.generations.len() > self.home.keep_checkpoints {
            self.generations.pop_front();
        }
        if self.home.keep_checkpoints == 1 {
            // In memory nothing is answered again: only what the checkpoint names is needed.
            self.generations.clear();
            self.generations.push_back(pins.into_iter().collect());
        }
        let keep: BTreeSet<Hash> =
            self.generations.iter().flatten().copied().chain(in_use).collect();
        self.home.blobs.retain(&keep)?;
        self.generations.push_back(BTreeSet::new());
        Ok(())
    }

    /// The value under a name: the one that is kept, or else `fresh`.
    pub(super) fn value(&mut self, name: &str, fresh: Value) -> Result<Value, Error> {
        if let Some(kept) = self.values.get(name) {
            return Ok(kept.clone());
        }
        let entry = Entry::Value { name: name.into(), value: fresh.encode() };
        self.append(&[entry], true)?;
        self.values.insert(name.into(), fresh.clone());
        Ok(fresh)
    }
}

/// What a journal's entries add up to.
#[derive(Default)]
struct Past {
    run: Option<Run>,
    epoch: u64,
    ended: BTreeMap<Key, Arc<Record>>,
    failures: Failures,
    unreleased: BTreeMap<OperationId, Arc<Record>>,
    begun: BTreeMap<Key, Begun>,
    concluded: BTreeMap<OperationId, Hash>,
    values: BTreeMap<String, Value>,
    heads: Heads,
    checkpoint: Option<Value>,
    ordinals: u64,
    next_operation: u64,
    blobs: BTreeSet<Hash>,
}

impl Past {
    fn take(&mut self, entry: Entry) {
        if let Some(again) = self.failures.take(&entry) {
            self.ended.remove(&again);
        }
        match entry {
            Entry::Run(run) => self.run = Some(run),
            Entry::Opened { epoch } => self.epoch = epoch,
            Entry::Started { operation, key, digest, selected } => {
                self.heads.begin(operation, selected.into());
                self.next_operation = self.next_operation.max(operation.0 + 1);
                let stops = Vec::new();
                self.begun.entry(key).or_insert(Begun { operation, digest, stops });
            }
            Entry::Stop { operation, stop, end } => self.stop(operation, stop, end),
            Entry::Ended(record) => {
                self.begun.remove(&record.key);
                // What may be told now was told then; so it was at a release.
                drop(self.heads.end(record.operation));
                self.blobs.extend(blobs_of(&record));
                self.unreleased.insert(record.operation, Arc::clone(&record));
                self.ended.insert(record.key.clone(), record);
            }
            Entry::Concluded { operation, value } => {
                self.blobs.insert(value);
                self.concluded.insert(operation, value);
            }
            Entry::Released { operation } => {
                if let Some(record) = self.unreleased.remove(&operation) {
                    drop(self.heads.release(&record, counted_ranks(&record)));
                }
            }
            Entry::Checkpoint { state, pins, ordinals } => {
                self.checkpoint = Value::decode(&state).ok();
                self.blobs.extend(pins);
                self.ordinals = ordinals;
            }
            Entry::Forgot { heads } => self.heads.advance(heads),
            Entry::Value { name, value } => {
                if let Ok(value) = Value::decode(&value) {
                    self.values.insert(name, value);
                }
            }
        }
    }

    fn stop(&mut self, operation: OperationId, stop: u32, end: ClientEnd) {
        let begun = self.begun.values_mut().find(|begun| begun.operation == operation);
        if let Some(begun) = begun.filter(|begun| begun.stops.len() == stop as usize) {
            if let End::Counted(reply) = &end.end {
                self.blobs.insert(reply.tensors);
            }
            begun.stops.push(end);
        }
    }

    /// Operations that ended without their client side being told, and that left no states: where one did, the
    /// heads move when the controller releases it, and the client side hears of it then.
    fn unreleased(&mut self) -> Releases {
        let unreleased = std::mem::take(&mut self.unreleased).into_iter();
        let stateless = unreleased.filter(|(_, record)| wrote(record).is_empty());
        Releases(stateless.map(|(operation, record)| (operation, counted_ranks(&record))).collect())
    }

    /// The run as it began, which must be the one that is asked for.
    fn same_run(&self, asked: Run, accept_units: bool) -> Result<Run, Error> {
        let Some(known) = &self.run else { return Ok(asked) };
        let differs = [
            (known.job != asked.job, "name"),
            (known.seed != asked.seed, "seed"),
            (known.roster != asked.roster, "roster"),
            (known.job_hash != asked.job_hash, "job"),
        ];
        match differs.into_iter().find(|(differs, _)| *differs) {
            Some((_, part)) => Err(Error::OtherRun { run: known.id, part }),
            None if known.units != asked.units && !accept_units => {
                let (old, new) =
                    (beyond(&known.units, &asked.units), beyond(&asked.units, &known.units));
                Err(Error::OtherUnits { run: known.id, old, new })
            }
            None => Ok(Run { units: asked.units, ..known.clone() }),
        }
    }

    /// Ended operations that are answered: all but the failures that are run again.
    fn answerable(&mut self) -> BTreeMap<Key, Arc<Record>> {
        let mut ended = std::mem::take(&mut self.ended);
        ended.retain(|key, _| !self.failures.contains(key));
        ended
    }
}

/// The units of one list that are not in the other, in words.
fn beyond(units: &[(String, Hash)], others: &[(String, Hash)]) -> String {
    let missing = units.iter().filter(|unit| !others.contains(unit));
    let shown: Vec<String> =
        missing.map(|(name, build)| format!("{name} (build {build:?})")).collect();
    if shown.is_empty() { "no others".into() } else { shown.join(", ") }
}

/// Those whose replies count, ascending; nobody if the operation failed.
pub(super) fn counted_ranks(record: &Record) -> Vec<Rank> {
    match record.result {
        Ok(_) => {
            let mut ranks: Vec<Rank> = record.replies().map(|(rank, _)| rank).collect();
            ranks.sort_unstable();
            ranks
        }
        Err(_) => Vec::new(),
    }
}

fn blobs_of(record: &Record) -> Vec<Hash> {
    match &record.result {
        Ok(Gathered::Aggregate { tensors }) => vec![*tensors],
        Ok(Gathered::Concluded { value }) => vec![*value],
        Ok(Gathered::Replies) => record.replies().map(|(_, reply)| reply.tensors).collect(),
        Err(_) => Vec::new(),
    }
}
