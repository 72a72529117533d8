//! Metrics of an operation, over the clients that count (contract 26).

use flare_core::federation;
use flare_core::metric::{Direction, Metric};
use flare_core::names::Rank;
use flare_core::operation::{OperationSpec, RelayFailure};
use flare_core::outcome::Outcome;
use futures::executor::block_on;

use crate::direct::Direct;
use crate::world::{World, train};

const HIGHER: Direction = Direction::HigherIsBetter;
const LOWER: Direction = Direction::LowerIsBetter;

fn metric(name: &str, value: f64, weight: f64, direction: Direction) -> Metric {
    Metric::new(name, value, weight, direction).unwrap()
}

#[test]
fn a_client_without_a_metric_does_not_count_for_it() {
    // Client 0 weighs most in the model, and measured nothing at all.
    let transport = Direct::measuring(3, |rank| match rank.0 {
        0 => Vec::new(),
        1 => vec![metric("loss", 0.25, 3.0, LOWER), metric("accuracy", 0.5, 2.0, HIGHER)],
        _ => vec![metric("loss", 1.0, 1.0, LOWER), metric("unweighed", 7.0, 0.0, HIGHER)],
    });
    let federation = World::new(3).open(&transport);
    let outcome = block_on(federation.broadcast_and_wait(train(0.0))).unwrap();
    assert_eq!(outcome.record.total_weight, 102.0);
    let metrics = outcome.record.metrics.iter();
    let metrics: Vec<_> =
        metrics.map(|(name, mean)| (&**name, mean.value, mean.weight, mean.direction)).collect();
    assert_eq!(metrics, [("accuracy", 0.5, 2.0, HIGHER), ("loss", 0.4375, 4.0, LOWER)]);
}

/// To whom of three clients less is better, and how many of them answer.
fn asked(
    lower: &'static [u32],
    answering: u32,
    ask: impl FnOnce(&federation::Federation, OperationSpec) -> Result<Outcome, federation::Error>,
) -> Result<Outcome, String> {
    let measure = move |rank: Rank| {
        let direction = if lower.contains(&rank.0) { LOWER } else { HIGHER };
        vec![metric("fit", f64::from(rank.0), 1.0, direction), metric("z", 1.0, 1.0, LOWER)]
    };
    let federation = World::new(3).open(&Direct::measuring(answering, measure));
    ask(&federation, train(0.0)).map_err(|error| error.to_string())
}

#[test]
fn clients_to_whom_a_metric_is_better_the_other_way_fail_the_operation_and_are_named() {
    let broadcast =
        |federation: &federation::Federation, spec| block_on(federation.broadcast_and_wait(spec));
    let relay = |federation: &federation::Federation, spec| {
        block_on(federation.relay_and_wait(spec, RelayFailure::Skip))
    };
    let opposed = |higher: u32, lower: u32| {
        format!(
            "operation 0: its replies cannot be combined: to client-{higher} more of metric \"fit\" is better, \
             to client-{lower} less: give it another name at one of them"
        )
    };
    for (lower, first) in [(&[0][..], [1, 0]), (&[1], [0, 1]), (&[2], [0, 2]), (&[1, 2], [0, 1])] {
        let [higher, lowest] = first;
        assert_eq!(asked(lower, 3, broadcast).unwrap_err(), opposed(higher, lowest));
        assert_eq!(asked(lower, 3, relay).unwrap_err(), opposed(higher, lowest));
    }
    // All agree; and one that does not count has no say.
    for outcome in [asked(&[0, 1, 2], 3, broadcast), asked(&[0, 1], 2, broadcast)] {
        let metrics = outcome.unwrap().record.metrics.clone();
        assert_eq!(metrics["fit"].direction, LOWER);
    }
}
