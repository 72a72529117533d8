//! Filters change or stop a shareable on its way.

use crate::executor::Error;
use crate::names::Name;
use crate::shareable::Shareable;
use crate::tensor::Tensors;

/// Where a shareable is on its way.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Point {
    /// A task leaves the controller's side.
    TaskOut,
    /// A task arrives at the client.
    TaskIn,
    /// A reply leaves the client.
    ReplyOut,
    /// A reply arrives at the controller's side.
    ReplyIn,
}

/// What a filter may look at besides the shareable.
#[derive(Debug, Clone, Copy)]
pub struct Passage<'a> {
    /// Where it is.
    pub point: Point,
    /// The client; `None` where the shareable is for all.
    pub client: Option<&'a Name>,
    /// The tensors of the task that a reply answers.
    pub task: Option<&'a Tensors>,
}

/// Changes or stops a shareable on its way.
///
/// F1. An error, or a panic, lets nothing through: the client fails with the cause `Refused`; where the task is
/// the same for all, the operation is refused before anybody is asked.
/// F2. The same input gives the same output; there is no state from one call to the next.
pub trait Filter: Send + Sync {
    /// What goes on instead of `shareable`.
    ///
    /// # Errors
    /// When nothing may go on.
    fn apply(&self, shareable: Shareable, passage: Passage<'_>) -> Result<Shareable, Error>;
}

/// Filters in the job's order, all for one point.
pub type Chain = std::sync::Arc<[std::sync::Arc<dyn Filter>]>;

/// Runs a shareable through filters in order; a panic is an error like any other.
///
/// # Errors
/// When one of them lets nothing through.
pub fn pass(
    filters: &[std::sync::Arc<dyn Filter>],
    shareable: Shareable,
    passage: Passage<'_>,
) -> Result<Shareable, Error> {
    filters.iter().try_fold(shareable, |shareable, filter| {
        let call = std::panic::AssertUnwindSafe(|| filter.apply(shareable, passage));
        std::panic::catch_unwind(call).unwrap_or_else(|panic| {
            Err(format!("a filter panicked: {}", panic_text(&*panic)).into())
        })
    })
}

/// The message of a caught panic.
pub fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "a panic without a message".into())
}
