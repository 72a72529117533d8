//! What lies between a runtime and its clients, and can be told to be late, to say things twice, to damage.

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

/// Passes on what clients tell and send, as it is told to.
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
    /// Whose bytes come damaged, and so many times more.
    damages: Option<(Rank, u32)>,
    /// How often that client's replies were fetched.
    fetched: u32,
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

    /// The bytes of this client's replies come with one other bit, so many times: where they ride along, and
    /// where they are fetched. Counts its fetches from here.
    pub fn damages(&self, client: Rank, times: u32) {
        let mut state = self.state();
        (state.damages, state.fetched) = (Some((client, times)), 0);
    }

    /// How often the replies of the client were fetched whose bytes come damaged, or did.
    pub fn fetched(&self) -> u32 {
        self.state().fetched
    }

    /// The batches that go out for one that comes.
    fn pass(&self, batch: Vec<Event>) -> Vec<Vec<Event>> {
        let mut state = self.state();
        let mut out = std::mem::take(&mut state.due);
        for mut event in batch {
            if let Event::Announced(task, announcement) = &mut event {
                let rider = announcement.inline.take();
                announcement.inline = rider.map(|bytes| state.pass_bytes(task.rank, bytes));
            }
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

impl State {
    fn pass_bytes(&mut self, client: Rank, bytes: Bytes) -> Bytes {
        match &mut self.damages {
            Some((damaged, times)) if *damaged == client && *times > 0 => {
                *times -= 1;
                let mut bytes = bytes.to_vec();
                bytes.iter_mut().rev().take(1).for_each(|last| *last ^= 1);
                bytes.into()
            }
            _ => bytes,
        }
    }
}

/// A transport whose events and bytes go by way of a post.
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
        let bytes = self.inner.fetch(task, range).await?;
        let mut state = self.post.state();
        state.fetched += u32::from(state.damages.is_some_and(|(client, _)| client == task.rank));
        Ok(state.pass_bytes(task.rank, bytes))
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
