//! Failure injection: shares of clients that drop out, fail or come late, drawn from the seed.

use std::time::Duration;

use flare_core::executor::Task;
use flare_core::names::Name;
use flare_core::random::StreamId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What goes wrong with which share of the clients. Whom it hits is drawn anew in each operation, from
/// a stream named by operation and client: the same at any number of workers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Faults {
    /// Clients that are gone before they begin.
    pub drop_out: Option<Share>,
    /// Clients whose learner fails.
    pub fail: Option<Share>,
    /// Clients that begin late, and hence answer late. It occupies no worker.
    pub delay: Option<Delay>,
}

/// A share of the clients, in some or all rounds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Share {
    /// The probability with which a client is hit, 0 to 1.
    #[schemars(range(min = 0, max = 1))]
    pub share: f64,
    /// The first round in which it happens; the first of all if left out.
    #[serde(default)]
    pub from: Option<u64>,
    /// The last round in which it happens; the last of all if left out.
    #[serde(default)]
    pub to: Option<u64>,
}

/// A share of the clients, and how late they are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Delay {
    /// The probability with which a client is hit, 0 to 1.
    #[schemars(range(min = 0, max = 1))]
    pub share: f64,
    /// The least and the greatest delay in seconds; between them all are equally likely.
    pub seconds: (f64, f64),
    /// The first round in which it happens; the first of all if left out.
    #[serde(default)]
    pub from: Option<u64>,
    /// The last round in which it happens; the last of all if left out.
    #[serde(default)]
    pub to: Option<u64>,
}

/// What becomes of one client in one operation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Fate {
    Healthy,
    DropsOut,
    Fails,
    Late(Duration),
}

/// The longest delay, in seconds: a year.
const MAX_SECONDS: f64 = 365.0 * 24.0 * 3600.0;

impl Faults {
    /// Every fault of the configuration, as path and text.
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        let shares = [
            ("drop_out.share", self.drop_out.as_ref().map(|share| share.share)),
            ("fail.share", self.fail.as_ref().map(|share| share.share)),
            ("delay.share", self.delay.as_ref().map(|delay| delay.share)),
        ];
        for (path, share) in shares {
            if let Some(share) = share.filter(|share| !(0.0..=1.0).contains(share)) {
                found.push((path, format!("expected a share of 0 to 1, got {share}")));
            }
        }
        if let Some(Delay { seconds: (least, most), .. }) = self.delay
            && !(0.0 <= least && least <= most && most <= MAX_SECONDS)
        {
            let wanted = format!("expected two numbers of 0 to {MAX_SECONDS}, the larger one last");
            found.push(("delay.seconds", format!("{wanted}, got {least} and {most}")));
        }
        found
    }

    /// Whether nothing goes wrong.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Whether clients come late.
    pub fn has_delays(&self) -> bool {
        self.delay.is_some()
    }

    /// What becomes of a client. Each of the draws is made whatever the others give, so that a change
    /// of one share moves no other.
    pub(crate) fn fate(&self, seed: u64, task: &Task, client: &Name) -> Fate {
        let id = StreamId::new(seed, "faults").operation(&task.key).stop(task.stop);
        let mut stream = id.client(client.as_str()).stream();
        let [drops_out, fails, is_late, how_late] = std::array::from_fn(|_| stream.f64());
        let hits = |draw: f64, share: f64, from: Option<u64>, to: Option<u64>| {
            draw < share && is_within(task.round, from, to)
        };
        let hit = |draw: f64, share: &Option<Share>| {
            share.as_ref().is_some_and(|share| hits(draw, share.share, share.from, share.to))
        };
        if hit(drops_out, &self.drop_out) {
            return Fate::DropsOut;
        }
        if hit(fails, &self.fail) {
            return Fate::Fails;
        }
        match &self.delay {
            Some(delay) if hits(is_late, delay.share, delay.from, delay.to) => {
                let (least, most) = delay.seconds;
                let seconds = least + how_late * (most - least);
                Fate::Late(Duration::try_from_secs_f64(seconds).unwrap_or_default())
            }
            _ => Fate::Healthy,
        }
    }
}

/// A task without a round is hit only where no rounds are named.
fn is_within(round: Option<u64>, from: Option<u64>, to: Option<u64>) -> bool {
    let Some(round) = round else { return from.is_none() && to.is_none() };
    from.is_none_or(|from| from <= round) && to.is_none_or(|to| round <= to)
}
