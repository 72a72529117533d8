//! What the contracts say of a schedule: told anew from the whole history at every step.
//!
//! It shares no code with the runtime, and keeps nothing between two steps.

use std::collections::BTreeMap;

use super::facts::{
    Consequences, Course, Fact, Rules, Seat, Stand, Story, Task, Verdict, View, Why,
};

/// Tells a history from its beginning.
pub(crate) fn tell(history: &[(u64, Fact)]) -> View {
    let mut view = View::default();
    for (index, (now, fact)) in history.iter().enumerate() {
        if let Fact::Started(operation, rules) = fact {
            let story = Story::tell(*operation, rules, *now, &history[index..]);
            view.late += story.late;
            view.duplicates += story.duplicates;
            view.next_deadline = view.next_deadline.into_iter().chain(story.next()).min();
            view.last.add(&story.last);
            view.stories.insert(*operation, story);
        }
    }
    view.in_flight = in_flight(history);
    view.last.sort();
    view
}

/// Permits are out from the fetch until the bytes are given back, or will never be folded.
fn in_flight(history: &[(u64, Fact)]) -> BTreeMap<Task, u64> {
    let mut out = BTreeMap::new();
    for (index, (_, fact)) in history.iter().enumerate() {
        match fact {
            Fact::Fetching(task) => {
                let story = tell_of(&history[..index], task.operation).unwrap();
                let stand = story.seats[story.at(*task).unwrap()].stand;
                let Stand::Answered { bytes, .. } = stand else { panic!("{task:?} is {stand:?}") };
                out.insert(*task, bytes);
            }
            Fact::Refused(task) | Fact::Lost(task) | Fact::GivenBack(task) => {
                out.remove(task);
            }
            Fact::Damaged(task) => {
                let story = tell_of(&history[..=index], task.operation).unwrap();
                if !story.last.fetched_again.contains(task) {
                    out.remove(task);
                }
            }
            Fact::Arrived(task) => {
                let story = tell_of(&history[..=index], task.operation).unwrap();
                if !story.last.counted.contains(task) {
                    out.remove(task);
                }
            }
            _ => {}
        }
    }
    out
}

fn tell_of(history: &[(u64, Fact)], wanted: u64) -> Option<Story> {
    let start = |fact: &Fact| matches!(fact, Fact::Started(operation, _) if *operation == wanted);
    let index = history.iter().position(|(_, fact)| start(fact))?;
    let (now, Fact::Started(_, rules)) = &history[index] else { return None };
    Some(Story::tell(wanted, rules, *now, &history[index..]))
}

impl Story {
    fn tell(operation: u64, rules: &Rules, started: u64, history: &[(u64, Fact)]) -> Self {
        let seat = |client: &u32| Seat {
            client: *client,
            stand: Stand::Unasked,
            attempts: 0,
            failed: 0,
            damaged: 0,
            lost: 0,
            after: 0,
        };
        let mut story = Self {
            operation,
            started,
            seats: rules.clients.iter().map(seat).collect(),
            rules: rules.clone(),
            order: Vec::new(),
            enough: None,
            keeping: false,
            decided: None,
            forgotten: false,
            late: 0,
            duplicates: 0,
            last: Consequences::default(),
        };
        for (now, fact) in history {
            story.last = Consequences::default();
            story.hear(*now, fact);
        }
        story
    }

    fn hear(&mut self, now: u64, fact: &Fact) {
        match fact {
            Fact::Started(operation, _) if *operation == self.operation => self.begin(now),
            Fact::Announced { task, attempt, bytes } if task.operation == self.operation => {
                self.announced(*task, *attempt, *bytes);
            }
            Fact::Failed { task, attempt, why } if task.operation == self.operation => {
                self.failed(now, *task, *attempt, *why);
            }
            Fact::Gone(client) if !self.is_closed() => {
                let busy =
                    |seat: &Seat| matches!(seat.stand, Stand::Asked | Stand::Answered { .. });
                let gone = |seat: &Seat| seat.client == *client && busy(seat);
                if let Some(at) = self.seats.iter().position(gone) {
                    if matches!(self.seats[at].stand, Stand::Answered { fetching: false, .. }) {
                        self.last.dropped.push(self.task(at));
                    }
                    self.out(now, at, Why::Gone);
                }
            }
            Fact::Fetching(task) if task.operation == self.operation => {
                let at = self.at(*task).expect("only what was asked for is fetched");
                let Stand::Answered { fetching, .. } = &mut self.seats[at].stand else {
                    panic!("{task:?} is fetched, and is {:?}", self.seats[at].stand);
                };
                assert!(!std::mem::replace(fetching, true), "{task:?} is fetched twice at once");
                assert!(!self.is_closed(), "{task:?} is fetched after the decision");
            }
            Fact::Arrived(task) | Fact::Refused(task) | Fact::Damaged(task) | Fact::Lost(task)
                if task.operation == self.operation =>
            {
                self.fetched(now, *task, fact);
            }
            Fact::StopKept(operation) if *operation == self.operation => {
                self.keeping = false;
                if self.verdict(now).is_none() && !self.is_closed() {
                    self.ask_next();
                }
                self.settle(now);
            }
            Fact::Hopeless(operation) if *operation == self.operation => {
                self.close(now, Verdict::Hopeless);
            }
            Fact::Cancelled(operation) if *operation == self.operation => {
                self.close(now, Verdict::Cancelled);
            }
            Fact::Forgotten(operation) if *operation == self.operation => self.forgotten = true,
            Fact::Ticked => self.settle(now),
            _ => {}
        }
    }

    fn begin(&mut self, now: u64) {
        for (at, (attempts, why)) in self.rules.kept.clone().into_iter().enumerate() {
            self.seats[at].attempts = attempts;
            self.end(now, at, why.map_or(Stand::Counts, Stand::Out));
        }
        if self.verdict(now).is_none() {
            self.ask_next();
        }
        self.settle(now);
    }

    fn announced(&mut self, task: Task, attempt: u32, bytes: u64) {
        let at = self.at(task).filter(|_| !self.is_closed());
        match at.map(|at| self.seats[at].stand) {
            Some(Stand::Asked) => {
                let seat = &mut self.seats[at.unwrap()];
                seat.stand = Stand::Answered { bytes, fetching: false };
                seat.attempts = seat.attempts.max(attempt);
                seat.damaged = 0;
            }
            Some(Stand::Answered { .. } | Stand::Counts) => self.duplicates += 1,
            None | Some(Stand::Unasked | Stand::Out(_)) => {
                self.late += 1;
                self.last.dropped.push(task);
            }
        }
    }

    fn failed(&mut self, now: u64, task: Task, attempt: u32, why: Why) {
        let Some(at) = self.at(task).filter(|_| !self.is_closed()) else { return };
        let seat = &mut self.seats[at];
        if seat.stand != Stand::Asked || attempt <= seat.failed {
            return;
        }
        seat.failed = attempt;
        seat.attempts = seat.attempts.max(attempt);
        if why == Why::Surroundings && seat.executions() < self.rules.max_attempts {
            self.last.dispatched.push(task);
        } else {
            self.out(now, at, why);
        }
    }

    /// A fetch came to its end.
    fn fetched(&mut self, now: u64, task: Task, fact: &Fact) {
        let at = self.at(task).filter(|_| !self.is_closed());
        let wanted =
            |at: &usize| matches!(self.seats[*at].stand, Stand::Answered { fetching: true, .. });
        let at = at.filter(wanted);
        if let (Some(at), Fact::Damaged(_)) = (at, fact)
            && self.fetched_again(at)
        {
            return self.last.fetched_again.push(task);
        }
        if at.is_none() || !matches!(fact, Fact::Arrived(_)) {
            self.last.dropped.push(task);
        }
        match (at, fact) {
            (None, _) => {}
            (Some(at), Fact::Arrived(_)) => {
                self.last.counted.push(task);
                self.end(now, at, Stand::Counts);
                self.go_on(now, at);
                self.settle(now);
            }
            (Some(at), Fact::Refused(_)) => self.out(now, at, Why::Refused),
            (Some(at), _) if self.seats[at].executions() < self.rules.max_attempts => {
                self.seats[at].stand = Stand::Asked;
                self.last.dispatched.push(task);
            }
            (Some(at), _) => self.out(now, at, Why::Surroundings),
        }
    }

    /// Other bytes came than were announced: whether they are fetched once more, or the reply is lost.
    fn fetched_again(&mut self, at: usize) -> bool {
        let (seat, most) = (&mut self.seats[at], self.rules.max_fetches);
        let Stand::Answered { bytes, .. } = seat.stand else { panic!("seat {at} is not fetched") };
        seat.damaged += 1;
        let again = seat.damaged < most;
        if again {
            seat.stand = Stand::Answered { bytes, fetching: false };
        }
        seat.lost += u32::from(!again);
        again
    }

    fn out(&mut self, now: u64, at: usize, why: Why) {
        self.end(now, at, Stand::Out(why));
        self.go_on(now, at);
        self.settle(now);
    }

    fn end(&mut self, now: u64, at: usize, stand: Stand) {
        assert!(!self.seats[at].is_over(), "seat {at} ends twice");
        self.seats[at].stand = stand;
        self.seats[at].after = now - self.started;
        self.order.push(at);
        if self.rules.min.is_some_and(|min| self.counted() >= min) {
            self.enough = self.enough.or(Some(now));
        }
    }

    fn go_on(&mut self, now: u64, at: usize) {
        match self.rules.course {
            Course::Broadcast => {}
            Course::Send if self.verdict(now).is_none() => self.ask_next(),
            Course::Send => {}
            Course::RelayEnd | Course::RelaySkip => {
                self.keeping = true;
                self.last.stops.push((self.operation, at as u32));
            }
        }
    }

    fn ask_next(&mut self) {
        let unasked = |seat: &Seat| seat.stand == Stand::Unasked;
        let at_once = if self.rules.course == Course::Broadcast { usize::MAX } else { 1 };
        let next: Vec<usize> =
            (0..self.seats.len()).filter(|at| unasked(&self.seats[*at])).take(at_once).collect();
        for at in next {
            self.seats[at].stand = Stand::Asked;
            self.last.dispatched.push(self.task(at));
        }
    }

    fn settle(&mut self, now: u64) {
        if let Some(verdict) = self.verdict(now).filter(|_| !self.is_closed()) {
            self.close(now, verdict);
        }
    }

    fn close(&mut self, now: u64, verdict: Verdict) {
        if self.is_closed() {
            return;
        }
        let left_out = match &verdict {
            Verdict::Closed(why) => *why,
            Verdict::Cancelled => Why::Cancelled,
            _ => Why::NotReached,
        };
        for at in 0..self.seats.len() {
            let (stand, task) = (self.seats[at].stand, self.task(at));
            let why = if stand == Stand::Unasked { Why::NotReached } else { left_out };
            match stand {
                Stand::Asked => self.last.cancelled.push(task),
                Stand::Answered { fetching: false, .. } => self.last.dropped.push(task),
                _ => {}
            }
            if !self.seats[at].is_over() {
                self.end(now, at, Stand::Out(why));
            }
        }
        self.last.decided.push((self.operation, verdict.clone()));
        self.decided = Some(verdict);
    }

    /// What the reply policy says of the seats as they are.
    fn verdict(&self, now: u64) -> Option<Verdict> {
        let (asked, counted) = (self.seats.len() as u32, self.counted());
        let open = self.seats.iter().filter(|seat| !seat.is_over()).count() as u32;
        let is_past = |at: Option<u64>| at.is_some_and(|at| at <= now);
        let late = is_past(self.deadline());
        match self.rules.course {
            Course::Broadcast => {}
            Course::Send if counted > 0 => return Some(Verdict::Closed(Why::NotNeeded)),
            Course::Send => return (open == 0 || late).then_some(Verdict::TooFew(1)),
            _ if self.keeping => return None,
            course => {
                let out = |at: &&usize| matches!(self.seats[**at].stand, Stand::Out(_));
                let failed = self.order.iter().find(out).filter(|_| course == Course::RelayEnd);
                return match (failed, open) {
                    (Some(at), _) => Some(Verdict::Stop(*at as u32)),
                    (None, _) if late => Some(Verdict::TooFew(asked)),
                    (None, 0) if counted == 0 => Some(Verdict::TooFew(1)),
                    (None, 0) => Some(Verdict::Closed(Why::NotNeeded)),
                    _ => None,
                };
            }
        }
        if let Some(at) = self.order.iter().find(|at| self.is_unforgiven(self.seats[**at].stand)) {
            return Some(Verdict::Client(self.seats[*at].client));
        }
        let take = asked - self.rules.over;
        let least = self.rules.min.unwrap_or(if self.rules.over > 0 { take } else { 1 });
        if self.rules.over > 0 && counted >= take {
            return Some(Verdict::Closed(Why::NotNeeded));
        }
        if counted + open < least {
            return Some(Verdict::TooFew(least));
        }
        if open == 0 {
            return Some(Verdict::Closed(Why::NotNeeded));
        }
        if is_past(self.patience()) || (late && counted >= least) {
            return Some(Verdict::Closed(Why::TimedOut));
        }
        late.then_some(Verdict::TooFew(least))
    }

    /// Whether a broadcast cannot do without this client.
    fn is_unforgiven(&self, stand: Stand) -> bool {
        match stand {
            Stand::Out(Why::Learner | Why::Refused) => self.rules.strict,
            Stand::Out(_) => !self.is_timed(),
            _ => false,
        }
    }

    fn is_timed(&self) -> bool {
        self.rules.min.is_some() || self.rules.deadline.is_some() || self.rules.over > 0
    }

    pub(crate) fn counted(&self) -> u32 {
        self.seats.iter().filter(|seat| seat.stand == Stand::Counts).count() as u32
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.decided.is_some() || self.forgotten
    }

    fn deadline(&self) -> Option<u64> {
        self.rules.deadline.map(|deadline| self.started + deadline)
    }

    fn patience(&self) -> Option<u64> {
        Some(self.enough? + self.rules.wait?)
    }

    /// When the clock alone can end it.
    fn next(&self) -> Option<u64> {
        let open = !self.is_closed() && !self.keeping;
        self.deadline().into_iter().chain(self.patience()).min().filter(|_| open)
    }

    /// The task at a seat.
    pub(crate) fn task(&self, at: usize) -> Task {
        let stop = if self.rules.course == Course::Broadcast { 0 } else { at as u32 };
        Task { operation: self.operation, stop, client: self.seats[at].client }
    }

    fn at(&self, task: Task) -> Option<usize> {
        (0..self.seats.len()).find(|at| self.task(*at) == task)
    }
}
