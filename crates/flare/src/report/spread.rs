//! The spread of values over clients.

/// Least, lower quartile, median, upper quartile and most of the values that are numbers; None where
/// there are none. Quartiles lie on the straight line between the two values around them.
pub(super) fn quartiles(values: &[f64]) -> Option<[f64; 5]> {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().checked_sub(1)?;
    Some([0.0, 0.25, 0.5, 0.75, 1.0].map(|share| {
        let at = share * last as f64;
        let below = at.floor() as usize;
        let above = (below + 1).min(last);
        let part = at - below as f64;
        sorted[below] * (1.0 - part) + sorted[above] * part
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_lie_between_their_neighbours() {
        assert_eq!(quartiles(&[4.0, 1.0, 2.0, 3.0]), Some([1.0, 1.75, 2.5, 3.25, 4.0]));
        assert_eq!(quartiles(&[7.0]), Some([7.0; 5]));
        assert_eq!(
            quartiles(&[f64::NAN, 1.0, f64::INFINITY, 3.0]),
            Some([1.0, 1.5, 2.0, 2.5, 3.0])
        );
        assert_eq!(quartiles(&[]), None);
        assert_eq!(quartiles(&[f64::NAN]), None);
    }
}
