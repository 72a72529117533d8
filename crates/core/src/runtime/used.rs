//! Which labels were used: exactly, and in little memory where they count up as `train-1`, `train-2` …

use std::collections::{BTreeMap, BTreeSet};

use crate::names::Name;

/// A set of labels. Numbered ones are kept as ranges by what stands before the number, so that ten
/// thousand rounds take no more memory than one.
#[derive(Debug, Default)]
pub(super) struct UsedLabels {
    /// First number to last of each range, by prefix; no two ranges touch.
    numbered: BTreeMap<String, BTreeMap<u64, u64>>,
    others: BTreeSet<Name>,
}

impl UsedLabels {
    /// Adds a label; false if it is there already.
    pub(super) fn insert(&mut self, label: &Name) -> bool {
        match split(label.as_str()) {
            Some((prefix, number)) => {
                insert(self.numbered.entry(prefix.into()).or_default(), number)
            }
            None => self.others.insert(label.clone()),
        }
    }
}

/// The text before the number at a label's end, and the number, if it is written without leading zeros.
fn split(label: &str) -> Option<(&str, u64)> {
    let prefix = label.trim_end_matches(|byte: char| byte.is_ascii_digit());
    let digits = &label[prefix.len()..];
    let number: u64 = digits.parse().ok()?;
    (number < u64::MAX && (digits == "0" || !digits.starts_with('0'))).then_some((prefix, number))
}

fn insert(ranges: &mut BTreeMap<u64, u64>, number: u64) -> bool {
    let before = ranges.range(..=number).next_back().map(|(first, last)| (*first, *last));
    if before.is_some_and(|(_, last)| number <= last) {
        return false;
    }
    let first = match before {
        Some((first, last)) if last + 1 == number => first,
        _ => number,
    };
    let last = ranges.remove(&(number + 1)).unwrap_or(number);
    ranges.insert(first, last);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::new(text).unwrap()
    }

    #[test]
    fn a_label_is_new_once_in_whatever_order_they_come() {
        let labels =
            ["train-3", "train-1", "train-2", "train-02", "train", "train-0", "7", "evaluate-3"];
        let mut used = UsedLabels::default();
        for label in labels {
            assert!(used.insert(&name(label)), "{label} is new");
        }
        for label in labels {
            assert!(!used.insert(&name(label)), "{label} is known");
        }
        assert!(used.insert(&name("train-4")) && used.insert(&name("train-18446744073709551615")));
    }

    #[test]
    fn labels_that_count_up_take_one_range() {
        let mut used = UsedLabels::default();
        for round in (0..500).rev().chain(500..1000) {
            assert!(used.insert(&name(&format!("train-{round}"))));
        }
        assert_eq!(used.numbered["train-"], BTreeMap::from([(0, 999)]));
    }
}
