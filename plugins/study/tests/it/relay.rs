//! The relay, over real workers.

use std::collections::BTreeMap;

use flare_core::names::Name;
use flare_core::operation::RelayFailure;
use flare_core::tensor::{TensorData, Tensors};
use flare_plugin_study::{Answer, Failing, Override, Relay, RelayController, Study};

use crate::world::{World, unit};

fn name(rank: usize) -> Name {
    Name::new(&format!("client-{rank}")).unwrap()
}

fn scalar(x: f64) -> Tensors {
    let x = [x];
    Tensors::from_slices([("x", [].as_slice(), TensorData::from(x.as_slice()))]).unwrap()
}

/// Clients of which each makes 2 x + its rank of x, and those at `failing` fail.
fn world(clients: u32, failing: &[usize]) -> World {
    let offset = |rank: u32| Override { offset: Some(f64::from(rank)), ..Override::default() };
    let clients_by_name: BTreeMap<Name, Override> =
        (0..clients).map(|rank| (name(rank as usize), offset(rank))).collect();
    let reply = Answer { scale: 2.0, clients: clients_by_name, ..Answer::default() };
    let never = [u64::MAX].to_vec();
    let failing = Failing {
        rounds: if failing.is_empty() { never } else { Vec::new() },
        clients: failing.iter().map(|rank| name(*rank)).collect(),
        reply,
        ..Failing::default()
    };
    World::new(clients, scalar(1.0), unit(move || Study::failing(&failing)))
}

fn run(world: &World, relay: Relay) -> Result<f64, String> {
    let finished = world.run(RelayController::new(relay).unwrap());
    let finished = finished.map_err(|error| error.to_string())?;
    Ok(finished.model.slice::<f64>("x").unwrap()[0])
}

fn on_failure(on_failure: RelayFailure) -> Relay {
    Relay { on_failure, ..Relay::default() }
}

#[test]
fn c017_a_relay_ends_or_skips_and_never_passes_on_what_failed() {
    let (end, skip) = (RelayFailure::End, RelayFailure::Skip);
    assert_eq!(run(&world(3, &[]), on_failure(end)), Ok(12.0));
    assert_eq!(run(&world(3, &[1]), on_failure(skip)), Ok(6.0));

    let ending = world(3, &[1]);
    let fault = run(&ending, on_failure(end)).unwrap_err();
    assert!(fault.contains("round 1") && fault.contains("client-1"), "{fault}");
    assert_eq!(ending.kept_model(), scalar(1.0));

    let none = world(3, &[0, 1, 2]);
    let fault = run(&none, on_failure(skip)).unwrap_err();
    assert!((0..3).all(|rank| fault.contains(name(rank).as_str())), "{fault}");
    assert_eq!(none.kept_model(), scalar(1.0));

    assert_eq!(run(&world(1, &[]), on_failure(end)), Ok(2.0));
}

#[test]
fn the_order_is_the_one_that_is_asked_for_and_rounds_go_on_from_the_last_stop() {
    let order = Some([2, 0].map(name).to_vec());
    // 2 x + 2, then 2 x: from 1 to 8, and from 8 to 36.
    assert_eq!(run(&world(3, &[]), Relay { rounds: 2, order, ..Relay::default() }), Ok(36.0));
}

#[test]
fn a_relay_killed_at_any_write_goes_on_to_the_same_model() {
    for steps in 3..12 {
        let mut world = world(3, &[]);
        let relay = || RelayController::new(Relay { rounds: 2, ..Relay::default() }).unwrap();
        let (finished, pieces) = world.run_in_pieces(steps, relay);
        assert_eq!(finished.model.slice::<f64>("x").unwrap(), [100.0], "{steps} writes a piece");
        assert!(pieces > 1);
    }
}
