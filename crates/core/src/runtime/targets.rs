//! Whom an operation asks: resolved from the roster, never from who is connected.

use crate::names::{Rank, Roster};
use crate::operation::{Course, Gather, Key, OperationSpec, ReplyPolicy, Sample, Targets};
use crate::random::{Fraction, StreamId};

/// The ranks of an operation's targets, in the order of its course.
///
/// # Errors
/// What is wrong with them, in words.
pub(super) fn resolve(
    spec: &OperationSpec,
    key: &Key,
    seed: u64,
    roster: &Roster,
) -> Result<Vec<Rank>, String> {
    let selected = match &spec.targets {
        Targets::All => roster.ranks().collect(),
        Targets::HeldOut => vec![roster.held_out()],
        Targets::Listed(names) => {
            let rank = |name: &crate::names::Name| {
                roster
                    .rank(name.as_str())
                    .ok_or_else(|| format!("client {name} is not on the roster"))
            };
            names.iter().map(rank).collect::<Result<Vec<_>, _>>()?
        }
        Targets::Sampled(sample) => sampled(*sample, spec, key, seed, roster)?,
    };
    if selected.is_empty() {
        return Err("it asks nobody: list at least one client".into());
    }
    if spec.course == Course::Broadcast {
        let mut sorted = selected.clone();
        sorted.sort_unstable();
        if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(format!("client {} is listed twice", roster.name(pair[0])));
        }
    }
    if matches!((spec.course, &spec.gather), (Course::Relay { .. }, Gather::Aggregate(_))) {
        return Err("a relay hands back what its last stop replied: it takes no aggregator".into());
    }
    check_policy(&spec.policy, selected.len())?;
    Ok(selected)
}

fn sampled(
    sample: Sample,
    spec: &OperationSpec,
    key: &Key,
    seed: u64,
    roster: &Roster,
) -> Result<Vec<Rank>, String> {
    let everybody = roster.len() as u64;
    let wanted = match sample {
        Sample::Size(size) => u64::from(size),
        Sample::Fraction { fraction, minimum } => {
            let fraction = Fraction::new(fraction).map_err(|error| error.to_string())?;
            fraction.of(everybody, u64::from(minimum))
        }
    };
    let wanted = wanted + u64::from(spec.policy.over_select);
    if wanted == 0 || wanted > everybody {
        return Err(format!("it samples {wanted} clients of a roster of {everybody}"));
    }
    let mut stream = StreamId::new(seed, "sample").operation(key).stream();
    let drawn = stream.sample(roster.len(), wanted as usize);
    Ok(drawn.into_iter().map(|rank| Rank(u32::try_from(rank).unwrap_or(u32::MAX))).collect())
}

fn check_policy(policy: &ReplyPolicy, selected: usize) -> Result<(), String> {
    if let Some(min) = policy.min_replies {
        if min == 0 {
            return Err("min_replies is 0: a round needs at least one reply".into());
        }
        if min as usize > selected {
            return Err(format!("min_replies is {min}, but only {selected} clients are asked"));
        }
    }
    if policy.wait_after_min.is_some() && policy.min_replies.is_none() {
        return Err("wait_after_min needs min_replies: it begins when they have come".into());
    }
    if policy.over_select as usize >= selected {
        let over = policy.over_select;
        return Err(format!(
            "over_select is {over} of {selected} clients asked: none would be taken"
        ));
    }
    Ok(())
}
