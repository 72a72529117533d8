//! How a schedule is played to the machine and to the reference side by side.

use std::time::Duration;

use flare_core::clock::Timestamp;
use flare_core::names::Rank;
use flare_core::operation::{OnFailure, OperationId, ReplyPolicy};
use flare_core::outcome::Cause;
use flare_core::runtime::Limits;
use flare_core::runtime::machine::{Effect, Input, Kept, Machine, Start};

use super::facts::{Consequences, Course, Fact, Rules, Stand, Task, View, Why};
use super::reference;
use super::schedule::{Op, Policy};
use super::translated::{cause, id, machine_course, note, task_of, why};

const MILLI: u64 = 1_000_000;

/// The machine, its history, and what is under way.
pub(crate) struct Play {
    machine: Machine,
    limits: Limits,
    now: u64,
    pub(crate) history: Vec<(u64, Fact)>,
    pub(crate) view: View,
    operations: Vec<u64>,
    fetches: Vec<Task>,
    folding: Vec<Task>,
    stops: Vec<u64>,
}

/// Plays a schedule, and after it answers all that is still asked: every operation must then end.
pub(crate) fn play(limits: Limits, ops: &[Op]) -> Play {
    let mut play = Play {
        machine: Machine::new(limits),
        limits,
        now: 0,
        history: Vec::new(),
        view: View::default(),
        operations: Vec::new(),
        fetches: Vec::new(),
        folding: Vec::new(),
        stops: Vec::new(),
    };
    ops.iter().for_each(|op| play.op(op));
    play.finish();
    play
}

impl Play {
    fn op(&mut self, op: &Op) {
        match op.clone() {
            Op::Start { course, clients, policy } => self.start(course, clients, policy, vec![]),
            Op::Resume { course, clients, kept, failed } => {
                let kept = usize::from(kept) % (clients.len() + 1);
                let mut stops = vec![(1, None); kept];
                if let Some(last) = stops.last_mut().filter(|_| failed) {
                    last.1 = Some(Why::Learner);
                }
                self.start(course, clients, Policy::default(), stops);
            }
            Op::Announce { operation, seat, bytes, repeats } => {
                let Some((task, attempt)) = self.pick(operation, seat) else { return };
                let attempt = if repeats { attempt.max(1) } else { attempt + 1 };
                self.announce(task, attempt, u64::from(bytes));
            }
            Op::Fail { operation, seat, why, stale } => {
                let Some((task, attempt)) = self.pick(operation, seat) else { return };
                let attempt = if stale { attempt } else { attempt + 1 };
                let input = Input::Failed { task: id(task), attempt, cause: cause(why) };
                self.step(Fact::Failed { task, attempt, why }, input);
            }
            Op::Gone { client } => {
                self.step(Fact::Gone(client), Input::Gone(Rank(client), "test".into()));
            }
            Op::Arrive { fetch } => {
                let Some(task) = take(&mut self.fetches, fetch) else { return };
                self.step(Fact::Arrived(task), Input::Checked(id(task)));
            }
            Op::Refuse { fetch } => {
                let Some(task) = take(&mut self.fetches, fetch) else { return };
                let cause = Cause::Refused("test".into());
                self.step(Fact::Refused(task), Input::Refused(id(task), cause));
            }
            Op::Damage { fetch } => {
                let Some(task) = take(&mut self.fetches, fetch) else { return };
                self.step(Fact::Damaged(task), Input::Damaged(id(task)));
            }
            Op::Lose { fetch } => {
                let Some(task) = take(&mut self.fetches, fetch) else { return };
                self.step(Fact::Lost(task), Input::Lost(id(task)));
            }
            Op::GiveBack { reply } => {
                let Some(task) = take(&mut self.folding, reply) else { return };
                self.step(Fact::GivenBack(task), Input::GivenBack(id(task)));
            }
            Op::KeepStop { stop } => {
                let Some(operation) = take(&mut self.stops, stop) else { return };
                self.step(Fact::StopKept(operation), Input::StopKept(OperationId(operation)));
            }
            Op::Hopeless { operation } => {
                let Some(operation) = self.operation(operation) else { return };
                let input = Input::Hopeless(OperationId(operation), "test".into());
                self.step(Fact::Hopeless(operation), input);
            }
            Op::Cancel { operation } => {
                let Some(operation) = self.operation(operation) else { return };
                self.step(Fact::Cancelled(operation), Input::Cancel(OperationId(operation)));
            }
            Op::Forget { operation } => self.forget(operation),
            Op::Wait { millis, prompt } => self.wait(u64::from(millis) * MILLI, prompt),
        }
    }

    fn start(
        &mut self,
        course: Course,
        clients: Vec<u32>,
        policy: Policy,
        kept: Vec<(u32, Option<Why>)>,
    ) {
        let operation = self.operations.len() as u64;
        let millis = |millis: u16| u64::from(millis) * MILLI;
        let Policy { min, over, strict, .. } = policy;
        let (wait, deadline) = (policy.wait.map(millis), policy.deadline.map(millis));
        let Limits { max_attempts, max_fetches, .. } = self.limits;
        let start = Start {
            operation: OperationId(operation),
            course: machine_course(course),
            selected: clients.iter().copied().map(Rank).collect(),
            policy: ReplyPolicy {
                min_replies: min,
                wait_after_min: wait.map(Duration::from_nanos),
                deadline: deadline.map(Duration::from_nanos),
                over_select: over,
                on_failure: if strict { OnFailure::Fail } else { OnFailure::Exclude },
                accept_non_finite: false,
            },
            timed: min.is_some() || deadline.is_some() || over > 0,
            kept: kept
                .iter()
                .map(|(attempts, why)| Kept { attempts: *attempts, cause: why.map(cause) })
                .collect(),
        };
        let rules = Rules {
            course,
            clients,
            min,
            wait,
            deadline,
            over,
            strict,
            max_attempts,
            max_fetches,
            kept,
        };
        self.operations.push(operation);
        self.step(Fact::Started(operation, rules), Input::Start(start));
    }

    fn announce(&mut self, task: Task, attempt: u32, bytes: u64) {
        let input = Input::Announced { task: id(task), attempt, bytes };
        self.step(Fact::Announced { task, attempt, bytes }, input);
    }

    fn forget(&mut self, operation: u8) {
        let Some(operation) = self.operation(operation) else { return };
        let story = &self.view.stories[&operation];
        let folds = self.folding.iter().any(|task| task.operation == operation);
        if story.decided.is_some() && !story.forgotten && !folds {
            self.stops.retain(|stop| *stop != operation);
            self.step(Fact::Forgotten(operation), Input::Forget(OperationId(operation)));
        }
    }

    fn wait(&mut self, nanos: u64, prompt: bool) {
        let until = self.now + nanos;
        while let Some(next) = self.machine.next_tick().filter(|next| prompt && next.0 <= until) {
            let before = self.now;
            self.now = self.now.max(next.0);
            self.step(Fact::Ticked, Input::Tick);
            let moved = self.machine.next_tick() != Some(next);
            assert!(moved || before != self.now, "a tick at {next:?} changed nothing");
        }
        self.now = until;
        if prompt {
            self.step(Fact::Ticked, Input::Tick);
        }
    }

    /// Takes one step on both sides, and compares all that can be compared.
    fn step(&mut self, fact: Fact, input: Input) {
        let mut effects = Vec::new();
        self.machine.step(Timestamp(self.now), input, &mut effects);
        let damaged = if let Fact::Damaged(task) = fact { Some(task) } else { None };
        self.history.push((self.now, fact));
        let mut expected = reference::tell(&self.history).last;
        let mut fetched = Vec::new();
        let mut got = Consequences::default();
        for effect in effects {
            match effect {
                Effect::Fetch(task) => fetched.push(task_of(task)),
                other => note(&mut got, other),
            }
        }
        let again = |task: &&Task| Some(**task) == damaged;
        got.fetched_again.extend(fetched.iter().filter(again));
        for task in &fetched {
            self.history.push((self.now, Fact::Fetching(*task)));
        }
        self.view = reference::tell(&self.history);
        got.sort();
        // A cancel names clients, not stops.
        expected.cancelled.iter_mut().for_each(|task| task.stop = 0);
        expected.sort();
        assert_eq!(got, expected, "what the step makes happen (left: the machine)");
        self.folding.extend(&got.counted);
        self.stops.extend(got.stops.iter().map(|(operation, _)| *operation));
        self.fetches.extend(&fetched);
        self.compare_window();
        self.compare_seats();
        let counters = self.machine.counters();
        assert_eq!((counters.late, counters.duplicates), (self.view.late, self.view.duplicates));
        let next = self.machine.next_tick().map(|next| next.0);
        assert_eq!(next, self.view.next_deadline, "the next tick");
    }

    fn compare_window(&self) {
        let (flight, limits) = (&self.view.in_flight, self.limits);
        let bytes: u64 = flight.values().sum();
        assert_eq!(self.machine.bytes_in_flight(), bytes, "bytes in flight");
        let fits = |count: usize, bytes: u64| {
            count <= limits.reply_window as usize || bytes <= limits.window_bytes
        };
        assert!(fits(flight.len(), bytes), "{flight:?} is more than the window");
        let waiting: Vec<u64> = self.open_seats(|stand| match stand {
            Stand::Answered { bytes, fetching: false } => Some(bytes),
            _ => None,
        });
        let starved = waiting.iter().all(|more| fits(flight.len() + 1, bytes + more));
        assert!(waiting.is_empty() || !starved, "replies wait, and the window has room");
    }

    fn compare_seats(&self) {
        for (operation, story) in &self.view.stories {
            let seats = self.machine.seats(OperationId(*operation));
            assert_eq!(seats.is_none(), story.forgotten, "operation {operation} is forgotten");
            let Some((seats, order)) = seats else { continue };
            let order: Vec<usize> = order.iter().map(|at| *at as usize).collect();
            assert_eq!(order, story.order, "the order of ends in operation {operation}");
            for (seat, known) in seats.iter().zip(&story.seats) {
                let got = (seat.rank.0, seat.counts(), seat.cause().map(why), seat.attempts);
                let counts = known.stand == Stand::Counts;
                let out = match known.stand {
                    Stand::Out(why) => Some(why),
                    _ => None,
                };
                assert_eq!(
                    got,
                    (known.client, counts, out, known.attempts),
                    "operation {operation}"
                );
                assert_eq!(seat.after.as_nanos(), u128::from(known.after));
            }
        }
    }

    /// Answers whatever is asked until nothing is: then every operation is decided, and nothing is out.
    fn finish(&mut self) {
        for _ in 0..1000 {
            let busy = self.step_of_the_end();
            if !busy {
                break;
            }
        }
        for (operation, story) in &self.view.stories {
            assert!(story.is_closed(), "operation {operation} never ends: {story:?}");
        }
        assert_eq!(self.machine.bytes_in_flight(), 0, "permits are still out");
        assert_eq!(self.machine.next_tick(), None);
    }

    fn step_of_the_end(&mut self) -> bool {
        if !self.folding.is_empty() {
            self.op(&Op::GiveBack { reply: 0 });
        } else if !self.stops.is_empty() {
            self.op(&Op::KeepStop { stop: 0 });
        } else if !self.fetches.is_empty() {
            self.op(&Op::Arrive { fetch: 0 });
        } else {
            let asked = self.open_tasks();
            let Some((task, attempt)) = asked.first() else { return false };
            self.announce(*task, *attempt + 1, 1);
        }
        true
    }

    fn open_tasks(&self) -> Vec<(Task, u32)> {
        let open = self.view.stories.values().filter(|story| !story.is_closed());
        let asked = open.flat_map(|story| {
            let seats = story.seats.iter().enumerate();
            let asked = seats.filter(|(_, seat)| seat.stand == Stand::Asked);
            asked.map(|(at, seat)| (story.task(at), seat.attempts))
        });
        asked.collect()
    }

    fn open_seats<T>(&self, of: impl Fn(Stand) -> Option<T>) -> Vec<T> {
        let open = self.view.stories.values().filter(|story| !story.is_closed());
        open.flat_map(|story| story.seats.iter().filter_map(|seat| of(seat.stand))).collect()
    }

    fn operation(&self, choice: u8) -> Option<u64> {
        let count = self.operations.len();
        (count > 0).then(|| self.operations[usize::from(choice) % count])
    }

    /// A task, and the number of its last attempt.
    fn pick(&self, operation: u8, seat: u8) -> Option<(Task, u32)> {
        let story = &self.view.stories[&self.operation(operation)?];
        let at = usize::from(seat) % story.seats.len();
        Some((story.task(at), story.seats[at].attempts))
    }
}

fn take<T>(from: &mut Vec<T>, choice: u8) -> Option<T> {
    let count = from.len();
    (count > 0).then(|| from.remove(usize::from(choice) % count))
}
