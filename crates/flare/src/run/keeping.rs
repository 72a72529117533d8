//! Operations that leave the model of each checkpoint in the run's folder.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use flare_core::clock::Timestamp;
use flare_core::event::{Event, Interest};
use flare_core::hash::Hash;
use flare_core::journal::{self, Entry};
use flare_core::operation::{Key, OperationId, OperationSpec};
use flare_core::operations::{Error, Opened, Operations};
use flare_core::value::Value;
use flare_store::Folder;
use futures::StreamExt;
use futures::stream::BoxStream;

use super::{BEST_FILE, MODEL_FILE};

/// Passes everything on, and exports what a checkpoint pins: the first blob is the model, the third the
/// best one, as controllers in rounds pin them.
pub(super) struct Keeping {
    inner: Arc<dyn Operations>,
    folder: Option<Arc<Folder>>,
    kept: Arc<Mutex<Kept>>,
}

#[derive(Default)]
struct Kept {
    /// What was put since the last checkpoint.
    put: BTreeMap<Hash, Bytes>,
    model: Option<Hash>,
    best: Option<Hash>,
    broken: Option<journal::Error>,
}

impl Keeping {
    pub(super) fn new(inner: Arc<dyn Operations>, folder: Option<Arc<Folder>>) -> Self {
        Self { inner, folder, kept: Arc::default() }
    }

    /// The first error of the run's memory, if there was one.
    pub(super) fn broken(&self) -> Option<journal::Error> {
        self.lock().broken.clone()
    }

    /// Notes an error of the run's memory.
    pub(super) fn note(&self, error: &journal::Error) {
        self.lock().broken.get_or_insert_with(|| error.clone());
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn noted<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        if let Err(Error::Journal(error)) = &result {
            self.note(error);
        }
        result
    }

    /// Leaves in the folder what the last checkpoint of the run pins: a process may have ended between the checkpoint
    /// and its files.
    ///
    /// # Errors
    /// When they cannot be read or written.
    pub(super) async fn catch_up(&self, past: &[Entry]) -> Result<(), Error> {
        let pinned = past.iter().rev().find_map(|entry| match entry {
            Entry::Checkpoint { pins, .. } => Some(pins),
            _ => None,
        });
        match (&self.folder, pinned) {
            (Some(folder), Some(pins)) => self.noted(self.export(folder, pins).await),
            _ => Ok(()),
        }
    }

    async fn export(&self, folder: &Folder, pins: &[Hash]) -> Result<(), Error> {
        let put = std::mem::take(&mut self.lock().put);
        for (index, name) in [(0, MODEL_FILE), (2, BEST_FILE)] {
            let Some(hash) = pins.get(index).copied() else { continue };
            let written = if index == 0 { self.lock().model } else { self.lock().best };
            if written == Some(hash) {
                continue;
            }
            let bytes = match put.get(&hash) {
                Some(bytes) => bytes.clone(),
                None => self.inner.fetch(hash).await?,
            };
            folder.export(name, &bytes)?;
            let mut kept = self.lock();
            *(if index == 0 { &mut kept.model } else { &mut kept.best }) = Some(hash);
        }
        Ok(())
    }
}

#[async_trait]
impl Operations for Keeping {
    fn opened(&self) -> &Opened {
        self.inner.opened()
    }

    fn now(&self) -> Timestamp {
        self.inner.now()
    }

    async fn start(
        &self,
        spec: OperationSpec,
        interest: Interest,
    ) -> Result<(OperationId, Key), Error> {
        self.noted(self.inner.start(spec, interest).await)
    }

    fn events(&self, operation: OperationId) -> BoxStream<'static, Result<Event, Error>> {
        let kept = Arc::clone(&self.kept);
        Box::pin(self.inner.events(operation).inspect(move |event| {
            if let Err(Error::Journal(error)) = event {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.broken.get_or_insert_with(|| error.clone());
            }
        }))
    }

    async fn fetch(&self, blob: Hash) -> Result<Bytes, Error> {
        self.noted(self.inner.fetch(blob).await)
    }

    async fn put(&self, bytes: Bytes) -> Result<Hash, Error> {
        let hash = self.noted(self.inner.put(bytes.clone()).await)?;
        if self.folder.is_some() {
            self.lock().put.insert(hash, bytes);
        }
        Ok(hash)
    }

    async fn conclude(&self, operation: OperationId, value: Bytes) -> Result<(), Error> {
        self.noted(self.inner.conclude(operation, value).await)
    }

    async fn concluded(&self, operation: OperationId) -> Result<Option<Bytes>, Error> {
        self.noted(self.inner.concluded(operation).await)
    }

    async fn checkpoint(&self, state: Value, pins: Vec<Hash>) -> Result<(), Error> {
        self.noted(self.inner.checkpoint(state, pins.clone()).await)?;
        match &self.folder {
            Some(folder) => self.noted(self.export(folder, &pins).await),
            None => Ok(()),
        }
    }

    async fn value(&self, name: &str, fresh: Value) -> Result<Value, Error> {
        self.noted(self.inner.value(name, fresh).await)
    }

    async fn cancel(&self, operation: OperationId) -> Result<(), Error> {
        self.noted(self.inner.cancel(operation).await)
    }

    async fn release(&self, operation: OperationId) -> Result<(), Error> {
        self.noted(self.inner.release(operation).await)
    }
}
