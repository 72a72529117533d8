//! Learners that train nothing, and a workflow that passes a model on: for tests, cases and teaching.
//!
//! Start at [`Answer`], what all these learners reply with; [`Echo`], [`Fixed`], [`Sleepy`] and [`Failing`]
//! are settings of the learners of those names, [`Relay`] of the controller `relay`.
//!
//! *Invariant*: a learner here does what its settings say and nothing else; what it draws comes from its
//! task's own stream.
#![forbid(unsafe_code)]

mod answer;
mod learners;
mod relay;

use flare_core::component::Component;
use flare_core::executor::LearnerExecutor;

pub use answer::{Answer, Measure, Override};
pub use learners::{Echo, Failing, Fixed, How, Sleepy, Study};
pub use relay::{Relay, RelayController};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What this plugin brings: the learners `echo`, `fixed`, `sleepy` and `failing`, and the controller `relay`.
pub fn components() -> Vec<Component> {
    vec![
        Component::executor(
            "echo",
            VERSION,
            |echo: &Echo| LearnerExecutor(Study::echo(echo)),
            |echo| Study::echo(echo).check(),
        ),
        Component::executor(
            "fixed",
            VERSION,
            |fixed: &Fixed| LearnerExecutor(Study::fixed(fixed)),
            |fixed| Study::fixed(fixed).check(),
        ),
        Component::executor(
            "sleepy",
            VERSION,
            |sleepy: &Sleepy| LearnerExecutor(Study::sleepy(sleepy)),
            |sleepy| Study::sleepy(sleepy).check(),
        ),
        Component::executor(
            "failing",
            VERSION,
            |failing: &Failing| LearnerExecutor(Study::failing(failing)),
            |failing| Study::failing(failing).check(),
        ),
        Component::controller("relay", VERSION, RelayController::new),
    ]
}
