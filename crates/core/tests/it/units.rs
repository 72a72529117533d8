//! The code that operations run with (contract 8): refused when it changed, accepted, and told in the record.

use flare_core::Hash;
use flare_core::names::Name;
use flare_core::operation::OperationSpec;
use flare_core::outcome::Outcome;
use flare_core::runtime::Options;
use futures::executor::block_on;

use crate::direct::Direct;
use crate::world::{World, train};

#[test]
fn a_run_of_other_code_goes_on_only_if_that_is_accepted_and_each_operation_names_its_own() {
    let mut world = World::new(1);
    let unit = |build: &str| vec![("softmax 1".to_owned(), Hash::of(build))];
    world.run.units = unit("old");
    let ask = |world: &World, options: Options, label: &str| -> Result<Outcome, String> {
        let federation = world
            .open_with(&Direct::new(|_, _| Ok(1.0)), options)
            .map_err(|error| error.to_string())?;
        let label = Some(Name::new(label).unwrap());
        let asked = block_on(federation.broadcast_and_wait(OperationSpec { label, ..train(0.0) }));
        Ok(asked.unwrap())
    };
    let accept = || Options { accept_units: true, ..Options::default() };
    let first = ask(&world, Options::default(), "train-1").unwrap();
    let old = world.run.unit();
    assert_eq!((first.replayed, first.record.unit), (false, old));

    world.run.units = unit("new");
    let refused = ask(&world, Options::default(), "train-1").unwrap_err();
    let [was, is] = ["old", "new"].map(|build| format!("softmax 1 (build {:?})", Hash::of(build)));
    assert!(refused.contains(&format!("with {was}, and this is {is};")), "{refused}");
    let again = ask(&world, accept(), "train-1").unwrap();
    assert_eq!((again.replayed, again.record.unit), (true, old));
    let second = ask(&world, accept(), "train-2").unwrap();
    assert_eq!((second.replayed, second.record.unit), (false, world.run.unit()));
    assert_ne!(world.run.unit(), old);
    // From now on this is the run's code.
    let third = ask(&world, Options::default(), "train-3").unwrap();
    assert_eq!((third.replayed, third.record.unit), (false, world.run.unit()));
}
