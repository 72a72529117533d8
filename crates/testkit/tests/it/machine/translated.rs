//! The machine's words as the reference's, and the other way.

use flare_core::names::Rank;
use flare_core::operation::{self, OperationId, RelayFailure};
use flare_core::outcome::Cause;
use flare_core::runtime::machine::{self, Effect};
use flare_core::transport::TaskId;

use super::facts::{self, Consequences, Course, Task, Why};

pub(super) fn id(task: Task) -> TaskId {
    TaskId { operation: OperationId(task.operation), stop: task.stop, rank: Rank(task.client) }
}

pub(super) fn task_of(task: TaskId) -> Task {
    Task { operation: task.operation.0, stop: task.stop, client: task.rank.0 }
}

pub(super) fn machine_course(course: Course) -> operation::Course {
    let relay = |on_failure| operation::Course::Relay { on_failure };
    match course {
        Course::Broadcast => operation::Course::Broadcast,
        Course::Send => operation::Course::Send,
        Course::RelayEnd => relay(RelayFailure::End),
        Course::RelaySkip => relay(RelayFailure::Skip),
    }
}

pub(super) fn cause(why: Why) -> Cause {
    let text = || "test".into();
    match why {
        Why::Learner => Cause::Error(text()),
        Why::Refused => Cause::Refused(text()),
        Why::Surroundings => Cause::Environment(text()),
        Why::Gone => Cause::Gone(text()),
        Why::TimedOut => Cause::TimedOut,
        Why::NotNeeded => Cause::NotNeeded,
        Why::Cancelled => Cause::Cancelled,
        Why::NotReached => Cause::NotReached,
    }
}

pub(super) fn why(cause: &Cause) -> Why {
    match cause {
        Cause::Error(_) | Cause::Panic(_) => Why::Learner,
        Cause::Refused(_) => Why::Refused,
        Cause::Environment(_) => Why::Surroundings,
        Cause::Gone(_) => Why::Gone,
        Cause::TimedOut => Why::TimedOut,
        Cause::NotNeeded => Why::NotNeeded,
        Cause::Cancelled => Why::Cancelled,
        Cause::NotReached => Why::NotReached,
    }
}

pub(super) fn note(got: &mut Consequences, effect: Effect) {
    let task = |operation: OperationId, stop, rank: &Rank| Task {
        operation: operation.0,
        stop,
        client: rank.0,
    };
    match effect {
        Effect::Dispatch { operation, stop, ranks } => {
            got.dispatched.extend(ranks.iter().map(|rank| task(operation, stop, rank)));
        }
        Effect::Cancel { operation, ranks } => {
            got.cancelled.extend(ranks.iter().map(|rank| task(operation, 0, rank)));
        }
        Effect::Count(task) => {
            let decided = got.decided.iter().any(|(operation, _)| *operation == task.operation.0);
            assert!(!decided, "{task:?} counts after the decision");
            got.counted.push(task_of(task));
        }
        Effect::Drop(task) => got.dropped.push(task_of(task)),
        Effect::KeepStop { operation, stop } => got.stops.push((operation.0, stop)),
        Effect::Decide(operation, verdict) => got.decided.push((operation.0, verdict_of(verdict))),
        Effect::Fetch(_) => unreachable!("fetches are noted apart"),
    }
}

fn verdict_of(verdict: machine::Verdict) -> facts::Verdict {
    match verdict {
        machine::Verdict::Closed { left_out } => facts::Verdict::Closed(why(&left_out)),
        machine::Verdict::TooFew { needed } => facts::Verdict::TooFew(needed),
        machine::Verdict::Client(rank) => facts::Verdict::Client(rank.0),
        machine::Verdict::Stop(stop) => facts::Verdict::Stop(stop),
        machine::Verdict::Hopeless(_) => facts::Verdict::Hopeless,
        machine::Verdict::Cancelled => facts::Verdict::Cancelled,
    }
}
