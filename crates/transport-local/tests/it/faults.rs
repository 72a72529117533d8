//! Faults from the seed: the same whoever works, as many as asked, and only where they are asked for.

use std::collections::BTreeMap;
use std::sync::Arc;

use flare_core::clock::{Clock, Timestamp};
use flare_core::executor::Task;
use flare_core::names::{Rank, Roster};
use flare_core::outcome::Cause;
use flare_core::transport::{Assignment, Event, Transport};
use flare_transport_local::{Delay, Faults, LocalTransport, Share};
use futures::future::BoxFuture;
use serde_json::json;

use crate::conformance::options;
use flare_testkit::conformance::stage::{Setup, Stage, floats, listen, task};

/// A clock on which every time has come.
struct Always;

impl Clock for Always {
    fn now(&self) -> Timestamp {
        Timestamp(u64::MAX)
    }

    fn sleep_until(&self, _: Timestamp) -> BoxFuture<'static, ()> {
        Box::pin(futures::future::ready(()))
    }
}

const CLIENTS: u32 = 400;

/// How each client ended: `None` is a reply.
type Ends = BTreeMap<u32, Option<Cause>>;

fn run(faults: &Faults, seed: u64, workers: usize, tasks: &[Arc<Task>]) -> Vec<Ends> {
    let stage = Arc::new(Stage::default());
    let setup = Setup {
        roster: Roster::counted(CLIENTS).unwrap(),
        unit: stage.unit(),
        states: Arc::new(flare_core::memory::MemoryStates::default()),
        reply_out: Arc::new([]),
    };
    let mut options = options(setup, workers);
    options.seed = seed;
    let transport = LocalTransport::with_faults(options, faults.clone(), Arc::new(Always)).unwrap();
    let events = listen(&transport);
    let to: Vec<Assignment> =
        (0..=CLIENTS).map(|rank| Assignment { rank: Rank(rank), state: None }).collect();
    let ends = tasks.iter().map(|task| {
        transport.dispatch(task, &to);
        let end = |_| match events.recv_timeout(std::time::Duration::from_secs(20)).unwrap() {
            Event::Announced(task, _) => (task.rank.0, None),
            Event::Failed { task, cause, attempt } => {
                assert_eq!(attempt, 1);
                (task.rank.0, Some(cause))
            }
            other => panic!("{other:?}"),
        };
        (0..=CLIENTS).map(end).collect()
    });
    ends.collect()
}

fn rounds(count: u64) -> Vec<Arc<Task>> {
    (1..=count).map(|round| task(round, "echo", floats(2))).collect()
}

fn share(share: f64, from: Option<u64>, to: Option<u64>) -> Option<Share> {
    Some(Share { share, from, to })
}

fn how_many(ends: &Ends, is_it: impl Fn(&Cause) -> bool) -> usize {
    ends.values().flatten().filter(|cause| is_it(cause)).count()
}

fn is_gone(cause: &Cause) -> bool {
    matches!(cause, Cause::Gone(_))
}

fn is_error(cause: &Cause) -> bool {
    matches!(cause, Cause::Error(_))
}

fn all_kinds() -> Faults {
    let delay = Delay { share: 0.5, seconds: (0.5, 3.0), from: None, to: None };
    let (drop_out, fail) = (share(0.2, None, None), share(0.3, None, None));
    Faults { drop_out, fail, delay: Some(delay) }
}

#[test]
fn the_same_clients_are_hit_at_any_number_of_workers() {
    let one = run(&all_kinds(), 3, 1, &rounds(4));
    for workers in [2, 7] {
        assert_eq!(run(&all_kinds(), 3, workers, &rounds(4)), one, "{workers} workers");
    }
    assert_ne!(one[0], one[1], "each operation draws anew");
    assert_ne!(run(&all_kinds(), 4, 1, &rounds(1))[0], one[0], "each seed draws its own");
}

#[test]
fn as_many_are_hit_as_asked_for() {
    // 4 x 400 draws: 1,600 x 0.2 = 320 drop out, with a standard deviation of 16; of the other 1,280
    // three in ten fail: 384, with one of 17. Six of them are allowed.
    let ends = run(&all_kinds(), 3, 2, &rounds(4));
    let gone: usize = ends.iter().map(|ends| how_many(ends, is_gone)).sum();
    let failed: usize = ends.iter().map(|ends| how_many(ends, is_error)).sum();
    assert!(gone.abs_diff(320) < 96, "{gone}");
    assert!(failed.abs_diff(384) < 102, "{failed}");
    assert!(ends.iter().all(|ends| ends[&CLIENTS].is_none()), "the held-out seat is no client");
}

#[test]
fn rounds_are_from_and_to_with_both_ends() {
    let faults = Faults { drop_out: share(1.0, Some(2), Some(3)), ..Faults::default() };
    let ends = run(&faults, 0, 2, &rounds(4));
    let gone: Vec<usize> = ends.iter().map(|ends| how_many(ends, is_gone)).collect();
    assert_eq!(gone, [0, CLIENTS as usize, CLIENTS as usize, 0]);
    let without_round = Arc::new(Task { round: None, ..Task::clone(&rounds(1)[0]) });
    let ends = run(&faults, 0, 2, std::slice::from_ref(&without_round));
    assert_eq!(how_many(&ends[0], is_gone), 0);
    let always = Faults { drop_out: share(1.0, None, None), ..Faults::default() };
    let ends = run(&always, 0, 2, &[without_round]);
    assert_eq!(how_many(&ends[0], is_gone), CLIENTS as usize);
}

#[test]
fn a_larger_share_hits_the_same_clients_and_more() {
    let with = |drop_out, fail| Faults {
        drop_out: share(drop_out, None, None),
        fail: share(fail, None, None),
        delay: None,
    };
    let few = &run(&with(0.1, 0.3), 9, 2, &rounds(1))[0];
    let many = &run(&with(0.2, 0.3), 9, 2, &rounds(1))[0];
    for (rank, end) in few {
        match end {
            Some(Cause::Gone(_)) => assert_eq!(end, &many[rank]),
            Some(_) => assert!(many[rank].is_some(), "the draw of failures has moved"),
            None => {}
        }
    }
    assert!(how_many(many, is_gone) > how_many(few, is_gone));
}

#[test]
fn a_configuration_is_read_strictly_and_its_faults_are_named() {
    let good = json!({
        "drop_out": { "share": 0.1 },
        "delay": { "share": 1.0, "seconds": [0.0, 2.5], "from": 2, "to": 4 },
    });
    let faults: Faults = serde_json::from_value(good.clone()).unwrap();
    assert_eq!(faults.drop_out, share(0.1, None, None));
    assert!(faults.fail.is_none() && faults.faults().is_empty() && !faults.is_none());
    assert!(serde_json::from_value::<Faults>(json!({})).unwrap().is_none());
    for unknown in [
        json!({ "dropout": { "share": 0.1 } }),
        json!({ "fail": { "share": 0.1, "round": 1 } }),
        json!({ "delay": { "share": 0.1 } }),
    ] {
        assert!(serde_json::from_value::<Faults>(unknown.clone()).is_err(), "{unknown}");
    }
    for (path, wrong) in [
        ("drop_out.share", json!({ "drop_out": { "share": 1.01 } })),
        ("fail.share", json!({ "fail": { "share": -0.1 } })),
        ("delay.share", json!({ "delay": { "share": 2, "seconds": [0, 1] } })),
        ("delay.seconds", json!({ "delay": { "share": 0.5, "seconds": [2, 1] } })),
        ("delay.seconds", json!({ "delay": { "share": 0.5, "seconds": [-1, 1] } })),
        ("delay.seconds", json!({ "delay": { "share": 0.5, "seconds": [0, 1e300] } })),
    ] {
        let faults: Faults = serde_json::from_value(wrong.clone()).unwrap();
        let paths: Vec<&str> = faults.faults().into_iter().map(|(path, _)| path).collect();
        assert_eq!(paths, [path], "{wrong}");
    }
    let schema = schemars::schema_for!(Faults);
    assert_eq!(schema.get("additionalProperties"), Some(&json!(false)));
}
