//! The learner through the suite of learners, with momentum, so that it has something to forget.

use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;

use flare_core::executor::{Executor, LearnerExecutor};
use flare_plugin_softmax::{Config, Learner};
use flare_testkit::conformance::learner::Subject;

use crate::client::{Client, model, start};

flare_testkit::learner_conforms! { |test: fn(&Subject<'_>)| {
    let create = || -> Box<dyn Executor> {
        Box::new(LearnerExecutor(Learner::new(Config {
            momentum: 0.9,
            batch_size: NonZeroUsize::new(2).unwrap(),
            epochs: NonZeroU32::new(2).unwrap(),
            ..Config::default()
        })))
    };
    let models = [start(), model(&[1.0, 0.0, -1.0, 0.5, 0.5, 0.5], &[0.0, 0.25, 0.5])];
    let (around, long) = (&Client::new(None), &["train", "evaluate"]);
    test(&Subject { unit: Arc::new(create), models, around, long });
} }
