//! A reply is checked whole before anything of it counts.

use std::sync::Arc;

use bytes::Bytes;

use crate::filter::{self, Chain, Passage, Point};
use crate::hash::Hash;
use crate::metric;
use crate::names::Name;
use crate::outcome::Cause;
use crate::shareable::Shareable;
use crate::tensor::Tensors;
use crate::transport::{Announcement, FetchError, TaskId};

/// What replies to one task are checked against.
#[derive(Clone)]
pub(super) struct Rules {
    pub(super) task: Tensors,
    pub(super) accept_non_finite: bool,
    pub(super) reply_in: Chain,
}

/// A reply to be fetched and checked.
pub(crate) struct Fetch {
    pub(crate) task: TaskId,
    pub(crate) announcement: Announcement,
    /// Known where a filter may ask for it.
    pub(super) client: Option<Name>,
    /// What it answers, where that is what an earlier stop of a relay passed on.
    pub(super) answers: Option<Tensors>,
    pub(super) rules: Arc<Rules>,
}

/// What came of it.
pub(crate) struct Checked {
    pub(super) task: TaskId,
    pub(super) result: Result<(Announcement, Shareable), NotCounted>,
}

/// Why a fetched reply does not count.
pub(super) enum NotCounted {
    /// The learner sent what cannot count (contract 15).
    Refused(Cause),
    /// These are not the bytes of this announcement (contract 19).
    Damaged(Box<Announcement>),
    /// They are nowhere any more.
    Lost,
}

impl Fetch {
    pub(crate) fn check(self, fetched: Result<Bytes, FetchError>) -> Checked {
        let task = self.task;
        let result = match fetched {
            Ok(bytes) if Hash::of(&bytes) == self.announcement.tensors => self
                .check_bytes(bytes)
                .map(|shareable| (self.announcement, shareable))
                .map_err(|fault| NotCounted::Refused(Cause::Refused(fault.into()))),
            Ok(_) | Err(FetchError::Corrupt | FetchError::Range { .. }) => {
                Err(NotCounted::Damaged(Box::new(self.announcement)))
            }
            Err(FetchError::Lost) => Err(NotCounted::Lost),
        };
        Checked { task, result }
    }

    /// `bytes` are those that were announced: whatever is wrong with them is the learner's doing.
    fn check_bytes(&self, bytes: Bytes) -> Result<Shareable, String> {
        let Announcement { metrics, headers, .. } = &self.announcement;
        metric::check(metrics).map_err(|error| error.to_string())?;
        let tensors = Tensors::decode_like(bytes, self.rules.task.layout())
            .map_err(|error| error.to_string())?;
        let shareable = Shareable::decode(headers, tensors).map_err(|error| error.to_string())?;
        let passage = Passage {
            point: Point::ReplyIn,
            client: self.client.as_ref(),
            task: Some(self.answers.as_ref().unwrap_or(&self.rules.task)),
        };
        let filtered = filter::pass(&self.rules.reply_in, shareable, passage);
        let shareable = filtered.map_err(|error| error.to_string())?;
        self.rules.check_tensors(&shareable.tensors)?;
        Ok(shareable)
    }
}

impl Rules {
    /// Shapes and dtypes as the task has them, and nothing but finite numbers.
    fn check_tensors(&self, tensors: &Tensors) -> Result<(), String> {
        if tensors.layout() != self.task.layout() {
            for asked in self.task.iter() {
                let Some(got) = tensors.get(asked.name) else { continue };
                if got.dtype != asked.dtype || got.shape != asked.shape {
                    let (name, (was, is)) = (asked.name, (described(&asked), described(&got)));
                    return Err(format!("tensor {name:?} is {is}, where the task has {was}"));
                }
            }
        }
        if self.accept_non_finite {
            return Ok(());
        }
        match tensors.first_non_finite() {
            Some((name, index)) => Err(format!(
                "tensor {name:?} holds a NaN or an infinity at element {index}; \
                 accept_non_finite = true would let it through"
            )),
            None => Ok(()),
        }
    }
}

fn described(tensor: &crate::tensor::TensorRef<'_>) -> String {
    format!("{} of shape {:?}", tensor.dtype, tensor.shape)
}
