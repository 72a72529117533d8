//! Specifications: which differences the journal names (contract 2), and which operations are timed (contract 10).

use std::sync::Arc;
use std::time::Duration;

use flare_core::component::ComponentSpec;
use flare_core::federation::{Error, Federation};
use flare_core::names::{Name, Rank};
use flare_core::operation::{
    Course, Gather, Key, OnFailure, OperationSpec, RelayFailure, ReplyPolicy, Sample, StateAccess,
    Targets,
};
use flare_core::outcome::Outcome;
use flare_core::runtime::{Cohort, Ending, Limits, Options};
use flare_core::{Hash, Shareable};
use futures::executor::block_on;

use crate::direct::Direct;
use crate::world::{World, scalar, train};

fn label(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn listed(clients: &[u32]) -> Targets {
    Targets::Listed(clients.iter().map(|client| label(&format!("client-{client}"))).collect())
}

fn mean() -> Gather {
    Gather::Aggregate(ComponentSpec::plain("weighted-mean"))
}

fn base() -> OperationSpec {
    let mut spec = OperationSpec { label: Some(label("op")), gather: mean(), ..train(1.0) };
    spec.task.round = Some(1);
    spec.task.input = Shareable::from(scalar(1.0)).with("rate", 0.5);
    spec
}

type Change = fn(&mut OperationSpec);

/// One change of a specification each, and the part that is named for it.
const CHANGES: [(&str, Change); 20] = [
    ("kind or targets", |spec| spec.course = Course::Send),
    ("kind or targets", |spec| {
        spec.gather = Gather::Replies;
        spec.course = Course::Relay { on_failure: RelayFailure::End };
    }),
    // The same clients, asked for in other words.
    ("kind or targets", |spec| spec.targets = listed(&[0, 1, 2])),
    ("kind or targets", |spec| spec.targets = listed(&[0, 2])),
    ("kind or targets", |spec| spec.targets = Targets::Sampled(Sample::Size(3))),
    ("reply policy", |spec| spec.policy.min_replies = Some(3)),
    ("reply policy", |spec| {
        (spec.policy.min_replies, spec.policy.wait_after_min) = (Some(2), Some(Duration::ZERO));
    }),
    ("reply policy", |spec| spec.policy.deadline = Some(Duration::from_secs(3600))),
    ("reply policy", |spec| spec.policy.over_select = 1),
    ("reply policy", |spec| spec.policy.on_failure = OnFailure::Fail),
    ("reply policy", |spec| spec.policy.accept_non_finite = true),
    ("aggregator", |spec| spec.gather = Gather::Replies),
    ("aggregator", |spec| spec.gather = Gather::Aggregate(ComponentSpec::plain("sum"))),
    ("aggregator", |spec| {
        let output = [("output".to_owned(), "f64".into())].into();
        let plain = ComponentSpec::plain("weighted-mean");
        spec.gather =
            Gather::Aggregate(ComponentSpec { config: flare_core::Value::Map(output), ..plain });
    }),
    ("task", |spec| spec.task.name = "evaluate".into()),
    ("task", |spec| spec.task.state = StateAccess::Read),
    ("task", |spec| spec.task.round = Some(2)),
    ("task", |spec| spec.task.round = None),
    ("task payload", |spec| spec.task.input.tensors = scalar(2.0)),
    ("task payload", |spec| {
        spec.task.input = Shareable::from(scalar(1.0)).with("rate", 0.25);
    }),
];

/// An operation that an earlier process began, or also ended.
fn known(ended: bool) -> World {
    let world = World::remembering(3);
    let transport = if ended { Direct::new(|_, _| Ok(1.0)) } else { Direct::silent() };
    let federation = world.open(&transport);
    let handle = block_on(federation.broadcast(base())).unwrap();
    if ended {
        block_on(handle.wait()).unwrap();
    }
    world
}

fn start(federation: &Federation, spec: OperationSpec) -> Result<Outcome, Error> {
    match spec.course {
        Course::Broadcast => block_on(federation.broadcast_and_wait(spec)),
        Course::Send => block_on(federation.send_and_wait(spec)),
        Course::Relay { on_failure } => block_on(federation.relay_and_wait(spec, on_failure)),
    }
}

/// Asks for `spec` where `base` is known; the part that is named, and nothing else may have happened.
#[track_caller]
fn differs(ended: bool, spec: OperationSpec, options: Options, part: &str) {
    let world = known(ended);
    let transport = Direct::new(|_, _| Ok(1.0));
    let federation = world.open_with(&transport, options).unwrap();
    let before = world.journal.entries().unwrap().len();
    let error = start(&federation, spec).expect_err(part).to_string();
    let expected = format!("operation op differs: {part}; ");
    assert!(error.starts_with(&expected), "{error}, not {part:?} (ended: {ended})");
    assert_eq!(transport.dispatched(), []);
    assert_eq!(world.journal.entries().unwrap().len(), before);
}

#[test]
fn each_part_of_a_specification_that_differs_is_named() {
    for ended in [true, false] {
        for (part, change) in CHANGES {
            let mut spec = base();
            change(&mut spec);
            differs(ended, spec, Options::default(), part);
        }
        let filters = Options { filters: Hash::of("others"), ..Options::default() };
        differs(ended, base(), filters, "filters");
        // A record that is replayed names fewer clients than were asked.
        let only = Ending::Counted(vec![Rank(0), Rank(2)]);
        let cohort = Cohort::from([(Key::Label(label("op")), only)]);
        let replayed = Options { cohort: Some(cohort), ..Options::default() };
        differs(ended, base(), replayed, "selected clients");
    }
}

#[test]
fn neither_code_nor_limits_nor_time_are_part_of_a_specification() {
    for ended in [true, false] {
        let mut world = known(ended);
        world.run.units = vec![("softmax 2".into(), Hash::of("another build"))];
        let options = Options {
            limits: Limits { reply_window: 7, max_attempts: 9, ..Limits::default() },
            hold_bytes: 1 << 20,
            accept_units: true,
            ..Options::default()
        };
        let transport = Direct::new(|_, _| Ok(1.0));
        let federation = world.open_with(&transport, options).unwrap();
        let outcome = start(&federation, base()).unwrap();
        assert_eq!(outcome.replayed, ended);
        assert_eq!(transport.dispatched().len(), if ended { 0 } else { 3 });
    }
}

/// Everything that an operation may be, and whether the clock decides who counts.
#[test]
fn the_clock_decides_where_contract_10_says_so_and_the_record_tells() {
    let hour = Some(Duration::from_secs(3600));
    let with = |policy: ReplyPolicy| OperationSpec { policy, ..base() };
    let policy = ReplyPolicy::default;
    let sampled = |size| Targets::Sampled(Sample::Size(size));
    let send = |targets| OperationSpec { course: Course::Send, targets, ..base() };
    let relay = |on_failure| {
        let (course, gather) = (Course::Relay { on_failure }, Gather::Replies);
        OperationSpec { course, gather, ..base() }
    };
    let table = [
        ("all must answer", base(), false),
        ("a sample must answer", OperationSpec { targets: sampled(2), ..base() }, false),
        ("failures end it", with(ReplyPolicy { on_failure: OnFailure::Fail, ..policy() }), false),
        ("NaN may pass", with(ReplyPolicy { accept_non_finite: true, ..policy() }), false),
        ("enough", with(ReplyPolicy { min_replies: Some(3), ..policy() }), true),
        (
            "enough, and a wait",
            with(ReplyPolicy { min_replies: Some(3), wait_after_min: hour, ..policy() }),
            true,
        ),
        ("deadline", with(ReplyPolicy { deadline: hour, ..policy() }), true),
        ("more are asked than taken", with(ReplyPolicy { over_select: 1, ..policy() }), true),
        ("to one", send(listed(&[1])), false),
        ("to one that is drawn", send(sampled(1)), false),
        ("to the first of two", send(listed(&[2, 1])), true),
        ("to the first of two that are drawn", send(sampled(2)), true),
        ("to the first of all", send(Targets::All), true),
        (
            "to one, in time",
            OperationSpec {
                policy: ReplyPolicy { deadline: hour, ..policy() },
                ..send(listed(&[1]))
            },
            true,
        ),
        ("a relay that ends", relay(RelayFailure::End), false),
        ("a relay that skips", relay(RelayFailure::Skip), true),
    ];
    for (what, spec, timed) in table {
        let world = World::remembering(3);
        let ask = |spec: OperationSpec| {
            let transport: Arc<Direct> = Direct::new(|_, _| Ok(1.0));
            start(&world.open(&transport), spec).unwrap()
        };
        let outcome = ask(spec.clone());
        assert_eq!((outcome.record.timed, outcome.replayed), (timed, false), "{what}");
        let again = ask(spec);
        assert_eq!((again.record.timed, again.replayed), (timed, true), "{what}");
    }
}
