//! The exact weighted mean of large replies at hand, beside plain reading of the same bytes.

use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result, ensure};
use flare_core::aggregator::{Aggregator, Contribution};
use flare_core::component::{ComponentSpec, Registry};
use flare_core::pool::Pool;
use flare_core::sums::Weight;
use flare_core::tensor::{DType, Layout, Tensors};
use num_rational::BigRational;
use num_traits::{FromPrimitive, Signed};

use crate::measure::{Payload, Row, best_of};

/// Elements of one reply: 100 MB of f32.
const ELEMENTS: usize = 25_000_000;
const REPLIES: usize = 10;
const RUNS: usize = 5;
const SAMPLED: usize = 10_000;
/// Of so many elements one block is adversarial in every fifty.
const BLOCK: usize = 512;

/// How the replies reach the aggregator.
#[derive(Clone, Copy)]
pub(crate) enum Arrival {
    AllAtHand,
    TwoByTwo,
}

/// What the replies hold.
#[derive(Clone, Copy)]
pub(crate) enum Content {
    Plain,
    /// One block in fifty spans the whole range of exponents.
    Adversarial,
}

fn replies(content: Content) -> Result<Vec<Contribution>> {
    let layout = Layout::new([("w", DType::F32, vec![ELEMENTS])])?;
    let mut payload = Payload::fresh();
    let mut reply = |index: usize| -> Result<Contribution> {
        let mut tensors = Tensors::builder(&layout);
        let values = tensors.slice_mut::<f32>("w")?;
        for (block, values) in values.chunks_mut(BLOCK).enumerate() {
            let wild = matches!(content, Content::Adversarial) && block % 50 == 0;
            for value in values {
                *value = payload.weight();
                if wild {
                    *value *= [1e-38, 1e38, 1.0, 1e-20][(payload.next() & 3) as usize];
                }
            }
        }
        let weight = Weight::Count(100 + 37 * index as u64);
        Ok(Contribution { weight, tensors: tensors.finish() })
    };
    (0..REPLIES).map(&mut reply).collect()
}

fn fold(arrival: Arrival, replies: &[Contribution], pool: &dyn Pool) -> Result<Tensors> {
    let spec = ComponentSpec::plain("weighted-mean");
    let mut mean: Box<dyn Aggregator> = Registry::new().aggregator(&spec)?;
    let failed = |error: flare_core::executor::Error| anyhow::anyhow!("{error}");
    mean.begin(&replies[0].tensors).map_err(failed)?;
    let group = match arrival {
        Arrival::AllAtHand => replies.len(),
        Arrival::TwoByTwo => 2,
    };
    let (before, last) = replies.split_at(replies.len() - group);
    for group in before.chunks(group) {
        mean.fold(group, pool).map_err(failed)?;
    }
    mean.finish(last, pool).map_err(failed)
}

/// Reads every byte of the replies once, with as many threads as the pool has.
fn read(replies: &[Contribution], pool: &dyn Pool) -> u64 {
    let total = AtomicU64::new(0);
    let jobs = pool.threads() * 8;
    pool.for_each(jobs, &|job| {
        for reply in replies {
            let words: &[u64] =
                bytemuck::cast_slice(reply.tensors.get("w").expect("w is there").bytes);
            let share = words.len().div_ceil(jobs);
            let part = words.chunks(share).nth(job).unwrap_or_default();
            let sum = part.iter().fold(0_u64, |sum, word| sum.wrapping_add(*word));
            total.fetch_add(sum, Ordering::Relaxed);
        }
    });
    total.into_inner()
}

/// Checks sampled elements against rational arithmetic: nearest, ties to even.
fn check(replies: &[Contribution], mean: &Tensors) -> Result<()> {
    let mean = mean.slice::<f32>("w")?;
    let inputs: Vec<(BigRational, &[f32])> = replies
        .iter()
        .map(|reply| {
            let Weight::Count(count) = reply.weight else { anyhow::bail!("weights are counts") };
            Ok((BigRational::from_integer(count.into()), reply.tensors.slice::<f32>("w")?))
        })
        .collect::<Result<_>>()?;
    let total: BigRational = inputs.iter().map(|(weight, _)| weight.clone()).sum();
    let exact = |value: f32| BigRational::from_f32(value).context("a finite number is a rational");
    let mut payload = Payload::fresh();
    for _ in 0..SAMPLED {
        let at = (payload.next() % ELEMENTS as u64) as usize;
        let mut sum = BigRational::from_integer(0.into());
        for (weight, values) in &inputs {
            sum += weight * exact(values[at])?;
        }
        let wanted = sum / &total;
        let got = mean[at];
        let off = |value: f32| Ok::<_, anyhow::Error>((exact(value)? - &wanted).abs());
        let (here, up, down) = (off(got)?, off(got.next_up())?, off(got.next_down())?);
        let even = got.to_bits() % 2 == 0;
        let nearest =
            (here < up || (here == up && even)) && (here < down || (here == down && even));
        ensure!(nearest, "element {at} is {got:e}, which is not nearest to the mean");
    }
    Ok(())
}

/// Gigabytes of input per second.
fn speed(seconds: f64) -> f64 {
    (REPLIES * ELEMENTS * 4) as f64 / seconds / 1e9
}

/// Speed of the mean over speed of reading.
pub(crate) fn ratio(arrival: Arrival, content: Content, pool: &dyn Pool) -> Result<(f64, f64)> {
    let replies = replies(content)?;
    check(&replies, &fold(arrival, &replies, pool)?)?;
    let mut failed = None;
    let mean = best_of(RUNS, || failed = fold(arrival, &replies, pool).err().or(failed.take()));
    if let Some(error) = failed {
        return Err(error);
    }
    let reading = best_of(RUNS, || {
        std::hint::black_box(read(&replies, pool));
    });
    Ok((speed(mean), speed(reading)))
}

/// NumPy's blocked in-place form on fresh numbers of the same size, in gigabytes per second.
pub(crate) fn numpy() -> Result<f64> {
    let python = std::env::var("FLARE_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
    let script = include_str!("numpy_mean.py");
    let arguments = [ELEMENTS.to_string(), REPLIES.to_string(), RUNS.to_string()];
    let output = Command::new(python).arg("-c").arg(script).args(arguments).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(speed(String::from_utf8(output.stdout)?.trim().parse()?))
}

/// All rows about the mean.
pub(crate) fn rows(one: &dyn Pool, all: &dyn Pool) -> Result<Vec<Row>> {
    let (mean, reading) = ratio(Arrival::AllAtHand, Content::Plain, one)?;
    let (mean_all, reading_all) = ratio(Arrival::AllAtHand, Content::Plain, all)?;
    let (window, window_reading) = ratio(Arrival::TwoByTwo, Content::Plain, all)?;
    let (wild, wild_reading) = ratio(Arrival::AllAtHand, Content::Adversarial, all)?;
    let of = |mean: f64, reading: f64| {
        format!("{:.0} % of reading ({mean:.1} of {reading:.1} GB/s)", 100.0 * mean / reading)
    };
    let numpy = numpy();
    let beside = match &numpy {
        Ok(speed) => format!("{mean_all:.1} GB/s beside NumPy's {speed:.1}"),
        Err(error) => format!("{mean_all:.1} GB/s; NumPy was not measured: {error}"),
    };
    Ok(vec![
        Row {
            name: "exact mean of ten 100 MB replies, one thread",
            measured: of(mean, reading),
            asked: "at least 60 %",
            met: mean >= 0.6 * reading,
        },
        Row {
            name: "the same, all cores",
            measured: of(mean_all, reading_all),
            asked: "at least 60 %",
            met: mean_all >= 0.6 * reading_all,
        },
        Row {
            name: "the same, beside NumPy in place by blocks",
            measured: beside,
            asked: "faster",
            met: numpy.is_ok_and(|speed| mean_all > speed),
        },
        Row {
            name: "the same, two replies at a time",
            measured: of(window, window_reading),
            asked: "reported",
            met: true,
        },
        Row {
            name: "the same, one block in 50 adversarial",
            measured: of(wild, wild_reading),
            asked: "reported",
            met: true,
        },
    ])
}
