//! What goes wrong, as plain data: drawn from a seed, or written down.

use flare_core::random::Stream;

/// One thing that goes wrong, and when. Numbers are clamped to what there is, so that a plan stays a
/// plan whatever is dropped from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Op {
    /// Milliseconds after the simulation's beginning.
    pub at: u64,
    /// The client it happens to, modulo the number of clients.
    pub client: u32,
    /// What happens.
    pub fault: Fault,
}

/// What can go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The client's next announcement is lost on the way; it comes again 50 ms later.
    DropAnnouncement,
    /// The client's next announcement comes twice.
    DuplicateAnnouncement,
    /// The client's next announcement takes so many milliseconds longer.
    Delay(u16),
    /// The client's next attempt fails, and its surroundings are to blame.
    FailAttempt,
    /// A reply that the client holds is no longer there; its next one, if it holds none.
    LoseReply,
    /// So many times, the bytes of the client's next reply come damaged: riding along, or when they are
    /// fetched. The transport finds out, or hands other bytes over.
    CorruptReply(u8),
    /// The client is away for so many milliseconds.
    Leave(u16),
    /// The client's process dies and starts again.
    RestartClient {
        /// Whether what it held is still there.
        keeps: bool,
    },
    /// The runtime's process dies; whoever drives the simulation starts it again.
    RestartRuntime,
}

/// Draws a plan of up to `most` faults within `millis` for `clients`.
pub fn draw(stream: &mut Stream, clients: u32, millis: u64, most: u64) -> Vec<Op> {
    let mut ops: Vec<Op> = (0..stream.below(most + 1))
        .map(|_| Op {
            at: stream.below(millis),
            client: stream.below(u64::from(clients)) as u32,
            fault: fault(stream),
        })
        .collect();
    ops.sort_by_key(|op| op.at);
    ops
}

fn fault(stream: &mut Stream) -> Fault {
    let millis = 1 + stream.below(120) as u16;
    match stream.below(10) {
        0 => Fault::DropAnnouncement,
        1 => Fault::DuplicateAnnouncement,
        2 => Fault::Delay(millis),
        3 => Fault::FailAttempt,
        4 => Fault::LoseReply,
        5 => Fault::CorruptReply(1 + stream.below(7) as u8),
        6 => Fault::Leave(millis),
        7 => Fault::RestartClient { keeps: true },
        8 => Fault::RestartClient { keeps: false },
        _ => Fault::RestartRuntime,
    }
}
