//! Whether draws are distributed as they say. Seeds are fixed, so nothing here can fail by chance;
//! bounds leave a sound generator room (less than one seed in 10,000 would miss them).

use flare_core::random::{MAX_SHAPE, MIN_SHAPE, Stream, StreamId};

const DRAWS: usize = 20_000;

fn stream(seed: u64) -> Stream {
    StreamId::new(seed, "statistics").stream()
}

/// The largest distance between the draws' distribution and `cdf` (Kolmogorov and Smirnov) must be
/// that of a sound generator.
#[track_caller]
fn check_distribution(mut draws: Vec<f64>, cdf: impl Fn(f64) -> f64) {
    draws.sort_by(f64::total_cmp);
    let n = draws.len() as f64;
    let mut distance = 0.0_f64;
    for (i, draw) in draws.iter().enumerate() {
        let expected = cdf(*draw);
        distance = distance.max(expected - i as f64 / n).max((i as f64 + 1.0) / n - expected);
    }
    // P(√n D > 2.3) is about 5e-5.
    assert!(distance * n.sqrt() < 2.3, "the distributions are {distance} apart");
}

fn draw(mut one: impl FnMut() -> f64) -> Vec<f64> {
    (0..DRAWS).map(|_| one()).collect()
}

#[test]
fn uniform_numbers() {
    let mut stream = stream(1);
    let singles = draw(|| f64::from(stream.f32()));
    assert!(singles.iter().all(|x| (0.0..1.0).contains(x)));
    check_distribution(singles, |x| x);
    let doubles = draw(|| stream.f64());
    assert!(doubles.iter().all(|x| (0.0..1.0).contains(x)));
    check_distribution(doubles, |x| x);
}

/// With 3 x 2^62 a remainder favours the lower third of the range, and a product without rejection
/// the multiples of three: each two to one.
#[test]
fn bounded_integers_have_no_favourites() {
    let mut stream = stream(2);
    let n = 3 << 62;
    let draws: Vec<u64> = (0..DRAWS).map(|_| stream.below(n)).collect();
    assert!(draws.iter().all(|x| *x < n));
    let third = DRAWS as f64 / 3.0;
    let bound = 4.0 * (third * 2.0 / 3.0).sqrt();
    for part in 0..3 {
        let in_part = draws.iter().filter(|x| **x / (1 << 62) == part).count() as f64;
        let in_class = draws.iter().filter(|x| **x % 3 == part).count() as f64;
        assert!((in_part - third).abs() < bound, "{in_part} in part {part}");
        assert!((in_class - third).abs() < bound, "{in_class} in class {part}");
    }
}

/// Pearson's statistic of `counts` that should be equal must lie within five standard deviations.
#[track_caller]
fn check_equal(counts: &[u64]) {
    let expected = counts.iter().sum::<u64>() as f64 / counts.len() as f64;
    let statistic: f64 = counts.iter().map(|c| (*c as f64 - expected).powi(2) / expected).sum();
    let freedom = counts.len() as f64 - 1.0;
    let bound = 5.0 * (2.0 * freedom).sqrt();
    assert!((statistic - freedom).abs() < bound, "{statistic} at {freedom} degrees: {counts:?}");
}

#[test]
fn every_order_is_equally_likely() {
    let mut stream = stream(3);
    let mut counts = [0; 256];
    for _ in 0..DRAWS {
        let order = stream.permutation(4);
        counts[order.iter().fold(0, |code, x| code * 4 + x)] += 1;
    }
    let seen: Vec<u64> = counts.into_iter().filter(|count| *count > 0).collect();
    assert_eq!(seen.len(), 24);
    check_equal(&seen);
}

#[test]
fn every_sample_is_equally_likely() {
    let mut stream = stream(4);
    let mut counts = [0; 128];
    for _ in 0..DRAWS {
        let sample = stream.sample(7, 3);
        assert!(sample.is_sorted_by(|a, b| a < b), "{sample:?}");
        counts[sample.iter().fold(0, |code, x| code | 1 << x)] += 1;
    }
    let seen: Vec<u64> = counts.into_iter().filter(|count| *count > 0).collect();
    assert_eq!(seen.len(), 35);
    check_equal(&seen);
}

/// Memory for a list of 2^60 numbers there is not.
#[test]
fn a_sample_of_a_huge_range_costs_what_it_holds() {
    let sample = stream(5).sample(1 << 60, 1000);
    assert_eq!(sample.len(), 1000);
    assert!(sample.is_sorted_by(|a, b| a < b));
    assert!(sample[500] > 1 << 58 && sample[500] < 3 << 58);
}

#[test]
fn normals() {
    let mut stream = stream(6);
    let cdf = |x: f64| 0.5 * libm::erfc(-x / 2_f64.sqrt());
    check_distribution(draw(|| stream.normal()), cdf);
}

#[test]
fn gammas() {
    let mut stream = stream(7);
    check_distribution(draw(|| stream.gamma(0.5)), |x| libm::erf(x.sqrt()));
    check_distribution(draw(|| stream.gamma(1.0)), |x| 1.0 - libm::exp(-x));
    check_distribution(draw(|| stream.gamma(3.0)), |x| {
        1.0 - libm::exp(-x) * (1.0 + x + x * x / 2.0)
    });
    // Far from 0 a gamma is nearly normal.
    let near_normal = draw(|| (stream.gamma(1e8) - 1e8) / 1e4);
    check_distribution(near_normal, |x| 0.5 * libm::erfc(-x / 2_f64.sqrt()));
}

/// Nearly all draws of a small shape a are tiny, where the distribution is x^a / Γ(a + 1).
#[test]
fn small_shapes_by_their_logarithms() {
    for shape in [0.01, 0.001, 1e-200] {
        let mut stream = stream(8);
        let power = draw(|| libm::exp(shape * stream.gamma_ln(shape)));
        check_distribution(power, |p| (p / libm::tgamma(shape + 1.0)).min(1.0));
    }
}

/// A share of three with alpha .5 has the distribution Beta(.5, 1): the root of x.
#[test]
fn dirichlet_shares() {
    for place in 0..3 {
        let mut stream = stream(9);
        check_distribution(draw(|| stream.dirichlet(0.5, 3)[place]), f64::sqrt);
    }
}

#[test]
fn dirichlet_draws_are_shares_whatever_alpha() {
    let mut stream = stream(10);
    for alpha in [MIN_SHAPE, 1e-100, 0.001, 0.01, 1.0, 1e6, MAX_SHAPE] {
        for _ in 0..200 {
            let shares = stream.dirichlet(alpha, 7);
            let sum: f64 = shares.iter().sum();
            assert!((sum - 1.0).abs() < 1e-12, "{shares:?}");
            assert!(shares.iter().all(|share| *share >= 0.0), "{shares:?}");
        }
    }
}

#[test]
#[should_panic(expected = "a gamma draw of shape NaN was asked for; ask for 1e-300 to 1e12")]
fn a_shape_out_of_range_is_named() {
    stream(0).dirichlet(f64::NAN, 2);
}

#[test]
#[should_panic(expected = "a sample of 4 out of 3 was asked for; ask for 3 at most")]
fn a_sample_larger_than_its_range_is_named() {
    stream(0).sample(3, 4);
}
