//! What a task costs when it does nothing, and what many clients cost in memory.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use flare_core::event::Kind;
use flare_core::federation::Federation;
use flare_core::names::Name;
use flare_core::operation::{Sample, Targets};
use flare_core::tensor::Tensors;
use futures::executor::block_on;

use crate::measure::{Row, peak_resident, resident, timed};
use crate::world::{Answer, federation, mean_of, model};

/// So many empty tasks are measured at either number of clients.
const EMPTY_TASKS: u32 = 2_000_000;

/// Rounds of an empty task at so many clients.
struct EmptyRounds {
    federation: Federation,
    clients: u32,
    seconds: Vec<f64>,
}

impl EmptyRounds {
    fn new(clients: u32) -> Result<Self> {
        let federation = federation(clients, 1, Answer::Same)?;
        federation.on(Kind::Reply, |_| Ok(()));
        Ok(Self { federation, clients, seconds: Vec::new() })
    }

    /// Plays as many rounds as come to that many tasks.
    fn play(&mut self, tasks: u32) -> Result<()> {
        let nothing = Tensors::empty();
        for _ in 0..tasks / self.clients {
            let (seconds, outcome) =
                timed(|| block_on(self.federation.aggregate(mean_of(&nothing))));
            let counted = outcome?.record.counted().len();
            ensure!(counted == self.clients as usize, "a client is missing");
            block_on(self.federation.save(&0_u64, &[]))?;
            self.seconds.push(seconds);
        }
        Ok(())
    }

    /// Microseconds a client: the median of the rounds.
    fn microseconds(mut self) -> f64 {
        self.seconds.sort_by(f64::total_cmp);
        self.seconds[self.seconds.len() / 2] / f64::from(self.clients) * 1e6
    }
}

/// Microseconds a client for one round of an empty task, at 10,000 and at 100,000 clients. They take turns, so
/// that a machine that is slower for a while is so for both.
fn empty_tasks() -> Result<(f64, f64)> {
    let (mut few, mut many) = (EmptyRounds::new(10_000)?, EmptyRounds::new(100_000)?);
    const TURNS: u32 = 10;
    for _ in 0..TURNS {
        few.play(EMPTY_TASKS / TURNS)?;
        many.play(EMPTY_TASKS / TURNS)?;
    }
    Ok((few.microseconds(), many.microseconds()))
}

/// Runs a row in a process of its own, whose memory is measured, and reads the figure it prints.
fn apart(name: &str) -> Result<f64> {
    let output = Command::new(std::env::current_exe()?).arg("--child").arg(name).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?.trim().parse()?)
}

/// What the rows that need a process of their own measure there.
pub(crate) fn child(name: &str) -> Result<f64> {
    match name {
        "million-clients" => million_clients(),
        "ten-thousand-rounds" => ten_thousand_rounds(),
        "replies-64" => large_replies(64),
        "replies-256" => large_replies(256),
        _ => anyhow::bail!("no row is named {name}"),
    }
}

/// Megabytes at the peak: 1,000,000 clients, 1,000 sampled a round, 20 rounds, 10,000 floats.
fn million_clients() -> Result<f64> {
    let federation = federation(1_000_000, 2, Answer::Fresh)?;
    let mut model = model(10_000)?;
    for round in 0..20_u64 {
        let mut spec = mean_of(&model);
        spec.targets = Targets::Sampled(Sample::Size(1_000));
        let outcome = block_on(federation.aggregate(spec))?;
        ensure!(outcome.record.counted().len() == 1_000, "a sampled client is missing");
        model = outcome.aggregate.context("an aggregate was asked for")?;
        block_on(federation.save(&round, &[&model]))?;
    }
    Ok(peak_resident()? as f64 / 1e6)
}

/// By how many percent resident memory grows from round 1,000 to round 10,000.
fn ten_thousand_rounds() -> Result<f64> {
    let federation = federation(4, 2, Answer::Fresh)?;
    let mut model = model(1_000)?;
    let mut early = 0;
    for round in 0..10_000_u64 {
        let mut spec = mean_of(&model);
        spec.label = Some(Name::new(&format!("train-{round}"))?);
        let outcome = block_on(federation.aggregate(spec))?;
        model = outcome.aggregate.context("an aggregate was asked for")?;
        block_on(federation.save(&round, &[&model]))?;
        if round == 1_000 {
            early = resident()?;
        }
    }
    Ok((resident()? as f64 / early as f64 - 1.0) * 100.0)
}

/// The peak as a multiple of the model: replies of 50 MB, window 2.
fn large_replies(clients: u32) -> Result<f64> {
    let federation = federation(clients, 2, Answer::Fresh)?;
    let mut model = model(12_500_000)?;
    for round in 0..2_u64 {
        let outcome = block_on(federation.aggregate(mean_of(&model)))?;
        ensure!(outcome.record.counted().len() == clients as usize, "a client is missing");
        model = outcome.aggregate.context("an aggregate was asked for")?;
        block_on(federation.save(&round, &[&model]))?;
    }
    Ok(peak_resident()? as f64 / model.encoded().len() as f64)
}

/// All rows about the runtime.
pub(crate) fn rows() -> Result<Vec<Row>> {
    let (small, large) = empty_tasks()?;
    let million = apart("million-clients")?;
    let growth = apart("ten-thousand-rounds")?;
    let (few, many) = (apart("replies-64")?, apart("replies-256")?);
    Ok(vec![
        Row {
            name: "an empty task, everything included, 10,000 clients",
            measured: format!("{small:.2} us a client"),
            asked: "at most 3 us",
            met: small <= 3.0,
        },
        Row {
            name: "the same, 100,000 clients",
            measured: format!("{large:.2} us a client, {:+.0} %", 100.0 * (large / small - 1.0)),
            asked: "within 10 %",
            met: large <= 1.1 * small,
        },
        Row {
            name: "1,000,000 clients, 1,000 a round, 20 rounds, 10,000 floats",
            measured: format!("{million:.0} MB at the peak"),
            asked: "under 256 MB",
            met: million < 256.0,
        },
        Row {
            name: "10,000 rounds of a small model: resident memory after round 1,000",
            measured: format!("{growth:+.1} %"),
            asked: "flat to 2 %",
            met: growth <= 2.0,
        },
        Row {
            name: "64 clients x 50 MB replies, window 2",
            measured: format!("{few:.1} x the model at the peak"),
            asked: "at most 8 x",
            met: few <= 8.0,
        },
        Row {
            name: "256 clients x 50 MB replies",
            measured: format!("{many:.1} x, {:+.0} %", 100.0 * (many / few - 1.0)),
            asked: "at most 5 % more",
            met: many <= 1.05 * few,
        },
    ])
}
