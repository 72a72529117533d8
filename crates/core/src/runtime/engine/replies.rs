//! What the client side says, and what the machine makes of it.

use std::sync::Arc;

use crate::aggregator::Contribution;
use crate::event::{Event, Kind, What};
use crate::journal::Entry;
use crate::names::Rank;
use crate::operation::{Course, OperationId, StateAccess};
use crate::outcome::{Cause, CountedReply};
use crate::pool::Pool;
use crate::shareable::Shareable;
use crate::tensor::Tensors;
use crate::transport::{self, Announcement, Assignment, TaskId, Transport};

use super::super::check::{Checked, Fetch, NotCounted};
use super::super::gathering::{FOLD_AT_ONCE, Fold, Gathering};
use super::super::machine::{Effect, Input};
use super::super::silence::Silence;
use super::{Engine, Job};

impl Engine {
    pub(in crate::runtime) fn heard(&mut self, batch: Vec<transport::Event>) {
        let last = self.run.roster.held_out();
        for event in batch {
            match event {
                transport::Event::Announced(TaskId { rank, .. }, _)
                | transport::Event::Failed { task: TaskId { rank, .. }, .. }
                | transport::Event::Progress(TaskId { rank, .. }, _)
                | transport::Event::Gone(rank, _)
                | transport::Event::Back(rank)
                    if rank > last => {}
                transport::Event::Announced(task, announcement) => {
                    self.announced(task, announcement)
                }
                transport::Event::Failed { task, attempt, cause } => {
                    self.step(Input::Failed { task, attempt, cause });
                }
                transport::Event::Progress(task, done) => self.progress(task, done),
                transport::Event::Gone(rank, why) => {
                    self.presence(Kind::Left, rank);
                    self.step(Input::Gone(rank, why));
                }
                transport::Event::Back(rank) => match self.presence.came(rank) {
                    Kind::Joined => self.tell_joined(),
                    kind => self.presence(kind, rank),
                },
            }
        }
    }

    fn announced(&mut self, task: TaskId, announcement: Announcement) {
        if self.ledger.is_awaited(task.operation) {
            // It stays held, and is announced again when the controller asks for its operation again.
            return;
        }
        let (attempt, bytes) = (announcement.attempt, announcement.bytes);
        if self.machine.expects(task)
            && let Some(gathering) = self.gatherings.get_mut(&task.operation)
        {
            gathering.replies.announce(task, announcement);
            if gathering.interest.has(Kind::Reply) && !gathering.lost.contains(&task) {
                let client = self.run.roster.name(task.rank);
                let what = What::Reply { operation: task.operation, client };
                gathering.tell(Event { replayed: false, what });
            }
        }
        self.step(Input::Announced { task, attempt, bytes });
    }

    fn progress(&mut self, task: TaskId, done: f32) {
        let Some(gathering) = self.gatherings.get_mut(&task.operation) else { return };
        if let Some(silence) = &mut gathering.silence {
            silence.hear(self.now, task);
        }
        if gathering.interest.has(Kind::Progress) {
            let client = self.run.roster.name(task.rank);
            let what = What::Progress { operation: task.operation, client, done };
            gathering.tell(Event { replayed: false, what });
        }
    }

    fn presence(&mut self, kind: Kind, rank: Rank) {
        let client = self.run.roster.name(rank);
        for gathering in self.gatherings.values_mut() {
            let client = client.clone();
            gathering.tell(Event { replayed: false, what: What::Presence { kind, client } });
        }
    }

    /// Tells who joined, if there is an operation whose events are heard; else the next one tells it.
    pub(super) fn tell_joined(&mut self) {
        let hears = |open: &Gathering| !open.over && open.interest.has(Kind::Joined);
        if self.gatherings.values().any(hears) {
            for rank in self.presence.take_untold() {
                self.presence(Kind::Joined, rank);
            }
        }
    }

    pub(in crate::runtime) fn checked(&mut self, checked: Checked) {
        let task = checked.task;
        match checked.result {
            Ok((announcement, reply)) => {
                if let Some(gathering) = self.gatherings.get_mut(&task.operation) {
                    gathering.replies.check(task, announcement, reply);
                }
                self.step(Input::Checked(task));
            }
            Err(NotCounted::Refused(cause)) => self.step(Input::Refused(task, cause)),
            Err(NotCounted::Damaged(announcement)) => self.damaged(task, *announcement),
            Err(NotCounted::Lost) => {
                if let Some(gathering) = self.gatherings.get_mut(&task.operation) {
                    gathering.lost.insert(task);
                }
                self.step(Input::Lost(task));
            }
        }
    }

    /// Other bytes came than were announced. What rode along is taken out by now: it is fetched next.
    fn damaged(&mut self, task: TaskId, announcement: Announcement) {
        if let Some(gathering) = self.gatherings.get_mut(&task.operation) {
            gathering.replies.announce(task, announcement);
            gathering.lost.insert(task);
        }
        self.step(Input::Damaged(task));
        if !self.machine.is_fetching(task)
            && let Some(gathering) = self.gatherings.get_mut(&task.operation)
        {
            gathering.replies.fetch(task);
        }
    }

    pub(in crate::runtime) fn folded(&mut self, fold: Fold) {
        let operation = fold.operation;
        let Some(gathering) = self.gatherings.get_mut(&operation) else { return };
        let (tasks, fault) = gathering.folded(fold);
        tasks.into_iter().for_each(|task| self.give_back(task));
        if let Some(fault) = fault {
            self.step(Input::Hopeless(operation, fault));
        }
    }

    /// A reply's bytes are no longer needed.
    pub(super) fn give_back(&mut self, task: TaskId) {
        self.step(Input::GivenBack(task));
        self.effects.push(Effect::Drop(task));
    }

    pub(in crate::runtime) fn carry_out(&mut self, transport: &dyn Transport, pool: &dyn Pool) {
        loop {
            if let Some(error) = self.ledger.broken().cloned() {
                self.halt(&error);
            }
            let effects = std::mem::take(&mut self.effects);
            for effect in effects {
                self.effect(effect, transport);
            }
            self.tell_silences(transport);
            self.fold_what_is_ready(pool);
            if self.effects.is_empty() {
                self.commit_what_is_due(transport);
            }
            if self.effects.is_empty() {
                return;
            }
        }
    }

    /// Tells which running clients nothing was heard of for too long.
    fn tell_silences(&mut self, transport: &dyn Transport) {
        for (operation, gathering) in &mut self.gatherings {
            let due = |silence: &&mut Silence| silence.next().is_some_and(|at| at <= self.now);
            let Some(silence) = gathering.silence.as_mut().filter(due) else { continue };
            let is_running =
                |task: TaskId| task.operation == *operation && self.machine.expects(task);
            let all = || self.machine.tasks(*operation);
            let silent = silence.silent(self.now, is_running, all, transport.at_work());
            for task in silent {
                let (client, idle) = (self.run.roster.name(task.rank), self.options.idle);
                let what = What::Stalled { operation: *operation, client, idle };
                gathering.tell(Event { replayed: false, what });
            }
        }
    }

    fn effect(&mut self, effect: Effect, transport: &dyn Transport) {
        match effect {
            Effect::Cancel { operation, ranks } => transport.cancel(operation, &ranks),
            _ if self.stopped.is_some() => {}
            Effect::Dispatch { operation, stop, ranks } => {
                self.dispatch(operation, stop, &ranks, transport);
            }
            Effect::Fetch(task) => self.fetch(task),
            Effect::Count(task) => self.count(task),
            Effect::Drop(task) => {
                if let Some(gathering) = self.gatherings.get_mut(&task.operation) {
                    gathering.replies.take_checked(task);
                }
                transport.let_go(task);
            }
            Effect::KeepStop { operation, stop } => self.keep_stop(operation, stop),
            Effect::Decide(operation, verdict) => {
                if let Some(gathering) = self.gatherings.get_mut(&operation) {
                    gathering.verdict = Some(verdict);
                }
            }
        }
    }

    fn dispatch(
        &mut self,
        operation: OperationId,
        stop: u32,
        ranks: &[Rank],
        transport: &dyn Transport,
    ) {
        let Some(gathering) = self.gatherings.get_mut(&operation) else { return };
        // Of those who are asked first, the silence begins with the operation.
        if let Some(silence) = gathering.silence.as_mut().filter(|_| gathering.started < self.now) {
            let asked = ranks.iter().map(|rank| TaskId { operation, stop, rank: *rank });
            asked.for_each(|task| silence.hear(self.now, task));
        }
        let Some(gathering) = self.gatherings.get(&operation) else { return };
        let mut task = Arc::clone(&gathering.task);
        if stop > 0 {
            // What went out before was filtered then.
            let before = || Ok(task.input.clone());
            let input = gathering.passed_on.clone();
            let input = match input.map_or_else(before, |input| self.filtered(input)) {
                Ok(input) => input,
                Err(fault) => return self.not_given(operation, stop, ranks, &fault),
            };
            let (key, spec, digest) = (&gathering.key, &gathering.spec, &gathering.digest);
            task = self.task(operation, key, spec, digest, stop, input);
        }
        let stateful = task.state != StateAccess::None;
        let assignment = |rank: &Rank| Assignment {
            rank: *rank,
            state: stateful.then(|| self.ledger.heads.version(operation, *rank)).flatten(),
        };
        let assignments: Vec<Assignment> = ranks.iter().map(assignment).collect();
        transport.dispatch(&task, &assignments);
    }

    /// A filter lets nothing through of what a stop of a relay would be given: it fails unasked (F1).
    fn not_given(&mut self, operation: OperationId, stop: u32, ranks: &[Rank], fault: &str) {
        for rank in ranks {
            let task = TaskId { operation, stop, rank: *rank };
            self.step(Input::Refused(task, Cause::Refused(fault.into())));
        }
    }

    fn fetch(&mut self, task: TaskId) {
        let Some(gathering) = self.gatherings.get_mut(&task.operation) else { return };
        let Some(mut announcement) = gathering.replies.fetch(task) else { return };
        let inline = announcement.inline.take();
        let fetch = Fetch {
            task,
            announcement,
            client: (!gathering.rules.reply_in.is_empty()).then(|| self.run.roster.name(task.rank)),
            answers: gathering.passed_on.as_ref().map(|input| input.tensors.clone()),
            rules: Arc::clone(&gathering.rules),
        };
        match inline {
            Some(bytes) => {
                let checked = fetch.check(Ok(bytes));
                self.checked(checked);
            }
            None => self.jobs.push(Job::Fetch(fetch)),
        }
    }

    /// A reply counts: it goes into the fold, or to the run's home.
    fn count(&mut self, task: TaskId) {
        let Some(gathering) = self.gatherings.get_mut(&task.operation) else { return };
        let Some((announcement, shareable)) = gathering.replies.take_checked(task) else { return };
        let (tensors, weight) = (shareable.tensors.clone(), announcement.weight);
        let mut summary = summary(announcement, &shareable);
        summary.wrote_state &= gathering.spec.task.state == StateAccess::Write;
        gathering.replies.count(task.rank, summary);
        let folds = gathering.folds();
        if gathering.spec.course == Course::Broadcast
            && let Err(fault) = gathering.agrees(task.rank, &tensors, weight, &self.run.roster)
        {
            // The machine may have decided with this very reply: the fault stays with the operation.
            gathering.fault.get_or_insert_with(|| fault.clone());
            self.give_back(task);
            return self.step(Input::Hopeless(task.operation, fault));
        }
        match gathering.spec.course {
            Course::Broadcast | Course::Send if folds => {
                gathering.ready.push((task, Contribution { weight, tensors }));
            }
            Course::Relay { .. } => {
                if self.keep(task, &tensors) {
                    self.pass_on(task);
                }
            }
            Course::Broadcast | Course::Send => {
                self.keep(task, &tensors);
            }
        }
    }

    /// The next stop gets what the run's home has, not the bytes that were fetched: those are given back.
    fn pass_on(&mut self, task: TaskId) {
        let gathering = self.gatherings.get(&task.operation);
        let Some((_, reply)) = gathering.and_then(|it| it.replies.last_counted()) else { return };
        match self.passed_on(reply) {
            Ok(shareable) => {
                if let Some(gathering) = self.gatherings.get_mut(&task.operation) {
                    gathering.passed_on = Some(shareable);
                }
            }
            Err(error) => self.halt(&error),
        }
    }

    /// Keeps a counted reply at the run's home, and says whether it is there.
    fn keep(&mut self, task: TaskId, tensors: &Tensors) -> bool {
        if let Err(limit) = self.hold(task.operation, tensors.encoded().len() as u64) {
            self.overfilled(task, limit);
            return false;
        }
        let kept = self.ledger.put(tensors.hash(), tensors.encoded());
        self.step(Input::GivenBack(task));
        match &kept {
            Ok(()) => self.effects.push(Effect::Drop(task)),
            Err(error) => self.halt(error),
        }
        kept.is_ok()
    }

    /// The hold cannot take a reply: its operation fails as a limit.
    fn overfilled(&mut self, task: TaskId, limit: String) {
        if let Some(gathering) = self.gatherings.get_mut(&task.operation) {
            // The machine may have decided with this very reply: the limit stays with the operation.
            gathering.over_limit.get_or_insert_with(|| limit.clone());
        }
        self.give_back(task);
        self.step(Input::Hopeless(task.operation, limit));
    }

    fn keep_stop(&mut self, operation: OperationId, stop: u32) {
        let Some(end) = self.end_of_stop(operation, stop) else { return };
        match self.ledger.append(&[Entry::Stop { operation, stop, end }], true) {
            Ok(()) => self.step(Input::StopKept(operation)),
            Err(error) => self.halt(&error),
        }
    }

    fn fold_what_is_ready(&mut self, pool: &dyn Pool) {
        let folds: Vec<Fold> = self
            .gatherings
            .iter_mut()
            .filter_map(|(operation, gathering)| gathering.next_fold(*operation))
            .collect();
        for mut fold in folds {
            if fold.bytes > FOLD_AT_ONCE {
                self.jobs.push(Job::Fold(fold));
            } else {
                fold.run(pool);
                self.folded(fold);
            }
        }
    }
}

fn summary(announcement: Announcement, shareable: &Shareable) -> CountedReply {
    CountedReply {
        weight: announcement.weight,
        metrics: announcement.metrics,
        tensors: shareable.tensors.hash(),
        bytes: shareable.tensors.encoded().len() as u64,
        headers: shareable.encode_headers().into(),
        wrote_state: announcement.wrote_state,
    }
}
