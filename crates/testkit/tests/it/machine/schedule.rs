//! Schedules as plain data.

use super::facts::{Course, Why};

/// One thing that a schedule makes happen. Numbers choose among what there is: whatever they are, the
/// schedule can be played.
#[derive(Debug, Clone)]
pub(crate) enum Op {
    Start {
        course: Course,
        clients: Vec<u32>,
        policy: Policy,
    },
    /// A relay that an earlier process left after some stops; `failed` says whether the last of them did.
    Resume {
        course: Course,
        clients: Vec<u32>,
        kept: u8,
        failed: bool,
    },
    /// `repeats` has the number of the attempt before: its client side kept the reply.
    Announce {
        operation: u8,
        seat: u8,
        bytes: u16,
        repeats: bool,
    },
    /// `stale` repeats the number of an attempt that is known.
    Fail {
        operation: u8,
        seat: u8,
        why: Why,
        stale: bool,
    },
    Gone {
        client: u32,
    },
    Arrive {
        fetch: u8,
    },
    Refuse {
        fetch: u8,
    },
    Damage {
        fetch: u8,
    },
    Lose {
        fetch: u8,
    },
    GiveBack {
        reply: u8,
    },
    KeepStop {
        stop: u8,
    },
    Hopeless {
        operation: u8,
    },
    Cancel {
        operation: u8,
    },
    Forget {
        operation: u8,
    },
    /// Time goes on; `prompt` ticks at each moment that the machine asked for.
    Wait {
        millis: u16,
        prompt: bool,
    },
}

/// The part of a reply policy that varies.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Policy {
    pub(crate) min: Option<u32>,
    pub(crate) wait: Option<u16>,
    pub(crate) deadline: Option<u16>,
    pub(crate) over: u32,
    pub(crate) strict: bool,
}
