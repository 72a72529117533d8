//! Uneven classes: each class divided in shares drawn from a Dirichlet distribution.

use flare_core::random::Stream;

use super::{Error, check_rows};
use crate::dataset::View;

/// After so many draws without one that gives each client its minimum, it is an error.
pub const MAX_DIRICHLET_DRAWS: usize = 1000;

/// Deals the rows of `view` out (Hsu, Qi and Brown, "Measuring the effects of non-identical data
/// distribution for federated visual classification", 2019; the minimum as Flower draws for it).
///
/// For each class that has rows, from the lowest, shares p are drawn from the symmetric Dirichlet
/// distribution with `alpha`; the class's rows, in the order of the view, are cut at the whole parts of
/// n (p_0 + … + p_i), where n is their number, and client i gets piece i. All is drawn again while a
/// client has fewer than `min_size` rows.
pub(super) fn deal(
    view: &View,
    clients: usize,
    alpha: f64,
    min_size: usize,
    stream: &mut Stream,
) -> Result<Vec<Vec<u32>>, Error> {
    check_rows(view, clients, min_size, "min_size")?;
    let classes = rows_by_class(view);
    let mut best = 0;
    for _ in 0..MAX_DIRICHLET_DRAWS {
        let cuts: Vec<Vec<usize>> = classes
            .iter()
            .map(|rows| cuts(&stream.dirichlet(alpha, clients), rows.len()))
            .collect();
        let smallest =
            (0..clients).map(|i| cuts.iter().map(|cuts| cuts[i + 1] - cuts[i]).sum()).min();
        if smallest >= Some(min_size) {
            return Ok(pieces(&classes, &cuts, clients));
        }
        best = best.max(smallest.unwrap_or(0));
    }
    let (draws, rows) = (MAX_DIRICHLET_DRAWS, view.len());
    Err(Error::Improbable { draws, alpha, clients, min_size, rows, best })
}

/// The rows of each class that has some, from the lowest class, in the order of the view.
fn rows_by_class(view: &View) -> Vec<Vec<u32>> {
    let mut classes = vec![Vec::new(); view.dataset().classes];
    for i in 0..view.len() {
        classes[view.label(i) as usize].push(view.number(i) as u32);
    }
    classes.retain(|rows| !rows.is_empty());
    classes
}

/// Where `n` rows are cut, from 0 to `n`: client i gets those from cut i to cut i + 1.
fn cuts(shares: &[f64], n: usize) -> Vec<usize> {
    let mut cuts = vec![0];
    let mut sum = 0.0;
    for share in shares {
        sum += share;
        cuts.push(((sum * n as f64) as usize).min(n));
    }
    // The sum may be a little less than 1.
    cuts.pop();
    cuts.push(n);
    cuts
}

/// Each client's piece of each class.
fn pieces(classes: &[Vec<u32>], cuts: &[Vec<usize>], clients: usize) -> Vec<Vec<u32>> {
    let piece =
        |i| classes.iter().zip(cuts).flat_map(move |(rows, cuts)| &rows[cuts[i]..cuts[i + 1]]);
    (0..clients).map(|i| piece(i).copied().collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use flare_core::random::StreamId;
    use std::sync::Arc;

    /// C026: the work is bounded by draws, and so many are made: the stream stands behind them.
    #[test]
    fn c026_an_improbable_minimum_takes_so_many_draws_and_no_more() {
        let (rows, classes, clients, alpha) = (60, 3, 20, 0.001);
        let view = View::all(Arc::new(crate::Dataset {
            features: vec![0.0; rows],
            labels: (0..rows as u32).map(|row| row % classes).collect(),
            columns: 1,
            classes: classes as usize,
            feature_names: vec!["a".to_owned()],
        }));
        let stream = || StreamId::new(0, "deal").stream();
        let (mut dealt, mut counted) = (stream(), stream());
        let error = deal(&view, clients, alpha, 3, &mut dealt).expect_err("3 each is all there is");
        assert!(matches!(error, Error::Improbable { draws: MAX_DIRICHLET_DRAWS, .. }), "{error}");
        for _ in 0..MAX_DIRICHLET_DRAWS * classes as usize {
            counted.dirichlet(alpha, clients);
        }
        assert_eq!(dealt.below(1 << 62), counted.below(1 << 62));
    }
}
