//! Random schedules.

use flare_core::random::Stream;
use flare_core::runtime::Limits;

use super::facts::{Course, Why};
use super::schedule::{Op, Policy};

/// Windows from one reply to a few, and one to three attempts and fetches.
pub(crate) fn limits(stream: &mut Stream) -> Limits {
    Limits {
        reply_window: 1 + below(stream, 3),
        window_bytes: [0, 100, 1000][stream.below(3) as usize],
        max_attempts: 1 + below(stream, 3),
        max_fetches: 1 + below(stream, 3),
    }
}

/// A schedule of up to four operations.
pub(crate) fn ops(stream: &mut Stream) -> Vec<Op> {
    let mut ops = vec![start(stream)];
    for _ in 0..20 + stream.below(50) {
        ops.push(op(stream));
    }
    ops
}

fn op(stream: &mut Stream) -> Op {
    let (operation, seat, fetch) = (byte(stream), byte(stream), byte(stream));
    match stream.below(100) {
        0..4 => start(stream),
        4..34 => {
            let (bytes, repeats) = (below(stream, 300) as u16, stream.below(4) == 0);
            Op::Announce { operation, seat, bytes, repeats }
        }
        34..44 => {
            let all = [Why::Learner, Why::Surroundings, Why::Surroundings, Why::Cancelled];
            let why = all[stream.below(4) as usize];
            Op::Fail { operation, seat, why, stale: stream.below(4) == 0 }
        }
        44..48 => Op::Gone { client: below(stream, 6) },
        48..60 => Op::Arrive { fetch },
        60..66 => Op::Damage { fetch },
        66..70 => Op::Refuse { fetch },
        70..75 => Op::Lose { fetch },
        75..84 => Op::GiveBack { reply: fetch },
        84..88 => Op::KeepStop { stop: fetch },
        88..89 => Op::Hopeless { operation },
        89..91 => Op::Cancel { operation },
        91..94 => Op::Forget { operation },
        _ => Op::Wait { millis: below(stream, 60) as u16, prompt: stream.below(3) > 0 },
    }
}

fn start(stream: &mut Stream) -> Op {
    let courses = [Course::Broadcast, Course::Send, Course::RelayEnd, Course::RelaySkip];
    let course = courses[stream.below(8).saturating_sub(4) as usize];
    let mut clients: Vec<u32> = (0..6).collect();
    stream.shuffle(&mut clients);
    clients.truncate(1 + stream.below(5) as usize);
    if matches!(course, Course::RelayEnd | Course::RelaySkip) && stream.below(2) == 0 {
        clients.extend_from_within(..1);
    }
    if matches!(course, Course::RelayEnd | Course::RelaySkip) && stream.below(3) == 0 {
        let (kept, failed) = (byte(stream), stream.below(2) == 0);
        return Op::Resume { course, clients, kept, failed };
    }
    let policy = policy(stream, course, clients.len() as u32);
    Op::Start { course, clients, policy }
}

fn policy(stream: &mut Stream, course: Course, clients: u32) -> Policy {
    let strict = stream.below(3) == 0;
    let mut policy = Policy { strict, ..Policy::default() };
    if stream.below(3) == 0 {
        policy.deadline = Some(below(stream, 200) as u16);
    }
    if course == Course::Broadcast && stream.below(2) == 0 {
        policy.min = Some(1 + below(stream, clients));
        policy.wait = (stream.below(2) == 0).then(|| below(stream, 50) as u16);
    }
    if course == Course::Broadcast && stream.below(4) == 0 {
        policy.over = below(stream, clients);
    }
    policy
}

fn below(stream: &mut Stream, n: u32) -> u32 {
    stream.below(u64::from(n)) as u32
}

fn byte(stream: &mut Stream) -> u8 {
    stream.below(256) as u8
}
