//! Metrics of an operation, over the clients that count (contract 26).

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::metric::{Direction, MeanMetric, Metrics};
use crate::names::{Rank, Roster};
use crate::outcome::{CountedReply, Weight};
use crate::sums::ScalarSum;

/// The exact mean of each metric over the clients that report it, rounded once; without those of total weight 0,
/// and those that are [`opposed`].
pub(super) fn means<'a>(replies: impl Iterator<Item = &'a CountedReply>) -> Metrics {
    let mut sums: BTreeMap<Arc<str>, (Option<Direction>, ScalarSum)> = BTreeMap::new();
    for metric in replies.flat_map(|reply| reply.metrics.iter()) {
        let fresh = || (Some(metric.direction), ScalarSum::new());
        let (direction, sum) = sums.entry(Arc::clone(&metric.name)).or_insert_with(fresh);
        *direction = direction.filter(|known| *known == metric.direction);
        let weight = Weight::real(metric.weight).expect("metrics were checked on arrival");
        sum.add(weight, metric.value).expect("all weights of metrics are real");
    }
    let mean = |(name, (direction, sum)): (_, (Option<Direction>, ScalarSum))| {
        let (direction, value) = (direction?, sum.mean()?);
        Some((name, MeanMetric { value, weight: sum.total(), direction }))
    };
    sums.into_iter().filter_map(mean).collect()
}

/// Two clients that do not agree which way a metric is better, in words: of both nothing could be said. The first
/// such metric by name, and of each side the first client by rank, whoever answered first.
pub(super) fn opposed<'a>(
    replies: impl Iterator<Item = &'a (Rank, CountedReply)>,
    roster: &Roster,
) -> Option<String> {
    let mut sides: BTreeMap<&str, [Option<Rank>; 2]> = BTreeMap::new();
    for (rank, reply) in replies {
        for metric in &reply.metrics {
            let side = usize::from(metric.direction == Direction::LowerIsBetter);
            let first = &mut sides.entry(&metric.name).or_default()[side];
            *first = Some(first.map_or(*rank, |known| known.min(*rank)));
        }
    }
    let of_both = |(name, [higher, lower]): (&str, [Option<Rank>; 2])| {
        let (higher, lower) = (roster.name(higher?), roster.name(lower?));
        let name = crate::shown(name);
        Some(format!(
            "to {higher} more of metric \"{name}\" is better, to {lower} less: give it another name at one of them"
        ))
    };
    sides.into_iter().find_map(of_both)
}
