//! The simplest transport there can be: it answers inside `dispatch`.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use flare_core::Hash;
use flare_core::executor::Task;
use flare_core::journal;
use flare_core::metric::Metric;
use flare_core::names::Rank;
use flare_core::operation::{OperationId, StateAccess};
use flare_core::outcome::{Cause, Weight};
use flare_core::transport::{Announcement, Assignment, Event, FetchError, TaskId, Transport};
use futures::channel::mpsc;
use futures::stream::{BoxStream, StreamExt};

use crate::world::scalar;

type Answer = dyn Fn(&Task, Rank) -> Result<f32, Cause> + Send + Sync;

/// Answers each task with one number, in the order of its ranks turned round.
pub(crate) struct Direct {
    answer: Box<Answer>,
    weigh: Box<dyn Fn(Rank) -> Weight + Send + Sync>,
    measure: Box<dyn Fn(Rank) -> Vec<Metric> + Send + Sync>,
    /// What a client sends instead of a file of tensors.
    forged: BTreeMap<Rank, Bytes>,
    is_silent: bool,
    /// Answers that are held back until they are asked for.
    held_back: Option<Mutex<Vec<Vec<Event>>>>,
    /// So many fetches find nothing.
    losses: Mutex<u32>,
    /// Replies ride in their announcements: they are checked one by one, in the order in which they come.
    is_inline: bool,
    sender: mpsc::UnboundedSender<Vec<Event>>,
    receiver: Mutex<Option<mpsc::UnboundedReceiver<Vec<Event>>>>,
    pub(crate) held: Mutex<BTreeMap<TaskId, Bytes>>,
    pub(crate) dispatched: Mutex<Vec<(String, Rank)>>,
    pub(crate) released: Mutex<Vec<(OperationId, Vec<Rank>)>>,
    pub(crate) started_from: Mutex<Vec<Option<OperationId>>>,
}

impl Direct {
    pub(crate) fn new(
        answer: impl Fn(&Task, Rank) -> Result<f32, Cause> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self::made(answer))
    }

    fn made(answer: impl Fn(&Task, Rank) -> Result<f32, Cause> + Send + Sync + 'static) -> Self {
        let (sender, receiver) = mpsc::unbounded();
        Self {
            answer: Box::new(answer),
            weigh: Box::new(|_| Weight::Count(1)),
            measure: Box::new(|_| Vec::new()),
            forged: BTreeMap::new(),
            is_silent: false,
            held_back: None,
            losses: Mutex::default(),
            is_inline: false,
            sender,
            receiver: Mutex::new(Some(receiver)),
            held: Mutex::default(),
            dispatched: Mutex::default(),
            released: Mutex::default(),
            started_from: Mutex::default(),
        }
    }

    /// Everybody answers with 1, but the first reply that is fetched is lost.
    pub(crate) fn losing_one() -> Arc<Self> {
        let direct = Self::made(|_, _| Ok(1.0));
        *direct.losses.lock().unwrap() = 1;
        Arc::new(direct)
    }

    /// Nobody ever answers.
    pub(crate) fn silent() -> Arc<Self> {
        let mut direct = Self::made(|_, _| Ok(0.0));
        direct.is_silent = true;
        Arc::new(direct)
    }

    /// Everybody answers with 1, but not before [`Direct::answer`]; then in the order of the tasks.
    pub(crate) fn waiting() -> Arc<Self> {
        let mut direct = Self::made(|_, _| Ok(1.0));
        direct.held_back = Some(Mutex::default());
        direct.is_inline = true;
        Arc::new(direct)
    }

    /// As [`Direct::new`], but nothing comes before [`Direct::answer`].
    pub(crate) fn holding_back(
        answer: impl Fn(&Task, Rank) -> Result<f32, Cause> + Send + Sync + 'static,
    ) -> Arc<Self> {
        let mut direct = Self::made(answer);
        direct.held_back = Some(Mutex::default());
        Arc::new(direct)
    }

    /// Sends the answers that were held back.
    pub(crate) fn answer(&self) {
        let held_back =
            self.held_back.iter().flat_map(|it| std::mem::take(&mut *it.lock().unwrap()));
        held_back.for_each(|events| self.sender.unbounded_send(events).unwrap());
    }

    /// Each client answers with this number or error, and replies are checked in the order in which they come:
    /// the last client's first.
    pub(crate) fn in_order(
        answer: impl Fn(Rank) -> Result<f32, &'static str> + Send + Sync + 'static,
    ) -> Arc<Self> {
        let answer = move |_: &Task, rank| answer(rank).map_err(|why| Cause::Error(why.into()));
        Arc::new(Self { is_inline: true, ..Self::made(answer) })
    }

    /// One client sends these bytes as its tensors, and everybody else answers with 1; the last client
    /// first.
    pub(crate) fn forging_in_order(rank: Rank, bytes: Bytes) -> Arc<Self> {
        let mut direct = Self::made(|_, _| Ok(1.0));
        direct.forged.insert(rank, bytes);
        direct.is_inline = true;
        Arc::new(direct)
    }

    /// Client 1 sends these bytes as its tensors; everybody else answers with 1.
    pub(crate) fn forging(bytes: Bytes) -> Arc<Self> {
        let mut direct = Self::made(|_, _| Ok(1.0));
        direct.forged.insert(Rank(1), bytes);
        Arc::new(direct)
    }

    /// Everybody answers with 1, weighed so; the last client first.
    pub(crate) fn weighing(weigh: impl Fn(Rank) -> Weight + Send + Sync + 'static) -> Arc<Self> {
        let mut direct = Self::made(|_, _| Ok(1.0));
        direct.weigh = Box::new(weigh);
        direct.is_inline = true;
        Arc::new(direct)
    }

    /// The first so many clients answer with 1 and report these metrics, the others fail; client 0 weighs 100.
    pub(crate) fn measuring(
        answering: u32,
        measure: impl Fn(Rank) -> Vec<Metric> + Send + Sync + 'static,
    ) -> Arc<Self> {
        let mut direct = Self::made(move |_, rank| match rank.0 < answering {
            true => Ok(1.0),
            false => Err(Cause::Error("down".into())),
        });
        direct.weigh = Box::new(|rank| Weight::Count(if rank.0 == 0 { 100 } else { 1 }));
        direct.measure = Box::new(measure);
        Arc::new(direct)
    }

    /// Operation and client of each task, in the order in which they were asked.
    pub(crate) fn dispatched(&self) -> Vec<(String, Rank)> {
        self.dispatched.lock().unwrap().clone()
    }

    fn event(&self, task: &Task, rank: Rank) -> Event {
        let id = TaskId { operation: task.operation, stop: task.stop, rank };
        let value = match (self.answer)(task, rank) {
            Ok(value) => value,
            Err(cause) => return Event::Failed { task: id, attempt: 1, cause },
        };
        let honest = || scalar(value).encoded().clone();
        let encoded = self.forged.get(&rank).cloned().unwrap_or_else(honest);
        self.held.lock().unwrap().insert(id, encoded.clone());
        let announcement = Announcement {
            attempt: 1,
            weight: (self.weigh)(rank),
            metrics: (self.measure)(rank).into(),
            headers: Box::default(),
            tensors: Hash::of(&encoded),
            bytes: encoded.len() as u64,
            inline: self.is_inline.then_some(encoded),
            wrote_state: task.state == StateAccess::Write,
        };
        Event::Announced(id, announcement)
    }
}

#[async_trait]
impl Transport for Direct {
    fn present(&self) -> Vec<Rank> {
        Vec::new()
    }

    fn dispatch(&self, task: &Arc<Task>, to: &[Assignment]) {
        if self.is_silent {
            return;
        }
        let events = to.iter().rev().map(|to| self.event(task, to.rank)).collect();
        self.started_from.lock().unwrap().extend(to.iter().map(|to| to.state));
        let mut dispatched = self.dispatched.lock().unwrap();
        dispatched.extend(to.iter().map(|to| (task.key.to_string(), to.rank)));
        match &self.held_back {
            Some(held_back) => held_back.lock().unwrap().push(events),
            None => self.sender.unbounded_send(events).unwrap(),
        }
    }

    fn cancel(&self, _: OperationId, _: &[Rank]) {}

    async fn fetch(&self, task: TaskId, range: Range<u64>) -> Result<Bytes, FetchError> {
        {
            let mut losses = self.losses.lock().unwrap();
            if *losses > 0 {
                *losses -= 1;
                return Err(FetchError::Lost);
            }
        }
        let held = self.held.lock().unwrap().get(&task).cloned().ok_or(FetchError::Lost)?;
        Ok(held.slice(range.start as usize..range.end as usize))
    }

    fn let_go(&self, task: TaskId) {
        self.held.lock().unwrap().remove(&task);
    }

    fn settle(&self, _: OperationId) -> Result<(), journal::Error> {
        Ok(())
    }

    fn release(&self, operation: OperationId, counted: &[Rank]) {
        self.released.lock().unwrap().push((operation, counted.to_vec()));
    }

    fn events(&self) -> BoxStream<'static, Vec<Event>> {
        self.receiver.lock().unwrap().take().unwrap().boxed()
    }
}
