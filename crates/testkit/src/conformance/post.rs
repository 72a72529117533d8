//! What lies between a runtime and its client side, and can be told to be late or to say things twice.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use flare_core::executor::Task;
use flare_core::journal;
use flare_core::names::Rank;
use flare_core::operation::OperationId;
use flare_core::transport::{Assignment, Event, FetchError, TaskId, Transport};
use futures::StreamExt;
use futures::stream::BoxStream;

/// Passes on what clients tell, as it is told to.
#[derive(Debug, Default)]
pub struct Post {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    says_twice: bool,
    held_back: Option<Rank>,
    /// Events that wait until the one held back has come.
    waiting: Vec<Event>,
    kept: Vec<Event>,
    /// What goes out before the next event.
    due: Vec<Event>,
}

impl Post {
    /// From now on each announcement goes out twice, one after the other, or no longer.
    pub fn says_twice(&self, twice: bool) {
        self.state().says_twice = twice;
    }

    /// Keeps this client's announcements here, and those of the others until the first of them has come: it
    /// is ready at its client when the others count.
    pub fn holds_back(&self, client: Rank) {
        self.state().held_back = Some(client);
    }

    /// What was kept goes out before the next event that comes, and nothing is held back any more.
    pub fn lets_out(&self) {
        let mut state = self.state();
        state.held_back = None;
        let (waiting, kept) = (std::mem::take(&mut state.waiting), std::mem::take(&mut state.kept));
        state.due.extend(waiting.into_iter().chain(kept));
    }

    /// The batches that go out for one that comes.
    fn pass(&self, batch: Vec<Event>) -> Vec<Vec<Event>> {
        let mut state = self.state();
        let mut out = std::mem::take(&mut state.due);
        for event in batch {
            match (&event, state.held_back) {
                (Event::Announced(task, _), Some(client)) if task.rank == client => {
                    state.kept.push(event);
                }
                (Event::Announced(..), Some(_)) => state.waiting.push(event),
                _ => out.push(event),
            }
        }
        if !state.kept.is_empty() {
            out.append(&mut state.waiting);
        }
        if !state.says_twice {
            return vec![out];
        }
        let times = |event: &Event| 1 + usize::from(matches!(event, Event::Announced(..)));
        let repeated = |event: Event| std::iter::repeat_n(vec![event.clone()], times(&event));
        out.into_iter().flat_map(repeated).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A transport whose events go by way of a post.
pub struct Posted<T> {
    inner: Arc<T>,
    post: Arc<Post>,
}

impl<T> Posted<T> {
    /// Puts `post` before a transport.
    pub fn new(inner: Arc<T>, post: Arc<Post>) -> Self {
        Self { inner, post }
    }
}

#[async_trait]
impl<T: Transport> Transport for Posted<T> {
    fn present(&self) -> Vec<Rank> {
        self.inner.present()
    }

    fn dispatch(&self, task: &Arc<Task>, to: &[Assignment]) {
        self.inner.dispatch(task, to);
    }

    fn cancel(&self, operation: OperationId, ranks: &[Rank]) {
        self.inner.cancel(operation, ranks);
    }

    async fn fetch(&self, task: TaskId, range: Range<u64>) -> Result<Bytes, FetchError> {
        self.inner.fetch(task, range).await
    }

    fn let_go(&self, task: TaskId) {
        self.inner.let_go(task);
    }

    fn settle(&self, operation: OperationId) -> Result<(), journal::Error> {
        self.inner.settle(operation)
    }

    fn release(&self, operation: OperationId, counted: &[Rank]) {
        self.inner.release(operation, counted);
    }

    fn events(&self) -> BoxStream<'static, Vec<Event>> {
        let post = Arc::clone(&self.post);
        let batches = move |batch| futures::stream::iter(post.pass(batch));
        self.inner.events().flat_map(batches).boxed()
    }
}
