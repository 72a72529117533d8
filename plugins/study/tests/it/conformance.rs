//! The learners through the suite of learners, by the names that a job gives them.

use flare_core::component::Role;
use flare_testkit::conformance::learner::{Nowhere, Subject};

use crate::work::tensors;
use crate::world::learner;

/// Each learner, with settings under which its reply depends on what it is given.
const LEARNERS: [(&str, &str); 4] = [
    ("echo", "examples = 3\nreport_input = true"),
    (
        "fixed",
        "scale = 0.5\noffset = 1.0\nreport_input = true\n[[metrics]]\nname = \"loss\"\nvalues = [2.0, 1.0]",
    ),
    ("sleepy", "jitter = 0.002\n[reply]\nscale = -1.0\nreport_input = true"),
    ("failing", "rounds = [2]\n[reply]\noffset = 3.0\nreport_input = true"),
];

flare_testkit::learner_conforms! { |test: fn(&Subject<'_>)| {
    for (kind, settings) in LEARNERS {
        let models = [tensors([1.0, 2.0], 3), tensors([-5.0, 9.0], 4)];
        // The others compute nothing that could take long.
        let long: &[&str] = if kind == "sleepy" { &["train", "evaluate"] } else { &[] };
        test(&Subject { unit: learner(kind, settings), models, around: &Nowhere, long });
    }
} }

/// A learner that is added is tried as well.
#[test]
fn every_learner_is_tried() {
    let all = flare_plugin_study::components().into_iter();
    let learners = all.filter(|component| component.role == Role::Executor);
    let kinds: Vec<String> = learners.map(|component| component.kind.to_string()).collect();
    assert_eq!(kinds, LEARNERS.map(|(kind, _)| kind));
}
