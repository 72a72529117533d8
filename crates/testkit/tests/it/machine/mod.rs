//! The machine alone, by plain function calls: random schedules against a reference.

mod draw;
mod facts;
mod found;
mod play;
mod reference;
mod schedule;
mod translated;

use flare_core::random::StreamId;
use flare_core::runtime::Limits;

use play::play;
use schedule::Op;

const SCHEDULES: u64 = 4_000;

#[test]
fn any_schedule_goes_as_the_reference_tells_it() {
    (0..crate::schedules(SCHEDULES)).for_each(check);
}

/// Draws and plays the schedule of a seed; a failure is made smaller and printed.
fn check(seed: u64) {
    let mut stream = StreamId::new(seed, "machine").stream();
    let limits = draw::limits(&mut stream);
    let ops = draw::ops(&mut stream);
    if let Some(fault) = fault(limits, &ops) {
        let (ops, fault) = smaller(limits, ops, fault);
        panic!("seed {seed}, {limits:?}, ops: {ops:#?}\n{fault}");
    }
}

fn fault(limits: Limits, ops: &[Op]) -> Option<String> {
    let play = std::panic::catch_unwind(|| drop(play(limits, ops)));
    play.err().map(|panic| flare_core::filter::panic_text(&*panic))
}

/// Drops ops for as long as the rest still fails.
fn smaller(limits: Limits, mut ops: Vec<Op>, mut last: String) -> (Vec<Op>, String) {
    let mut index = ops.len();
    while index > 0 {
        index -= 1;
        let mut fewer = ops.clone();
        fewer.remove(index);
        if let Some(found) = fault(limits, &fewer) {
            (ops, last) = (fewer, found);
            index = index.min(ops.len());
        }
    }
    (ops, last)
}
