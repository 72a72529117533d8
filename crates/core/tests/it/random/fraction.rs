//! Fractions as decimals (contract 29).

use flare_core::random::Fraction;

/// How many of `n` the fraction `value` is, with a minimum.
fn count(value: f64, n: u64, minimum: u64) -> u64 {
    Fraction::new(value).unwrap().of(n, minimum)
}

#[test]
fn counts_are_those_of_the_decimal() {
    assert_eq!(count(0.1, 10, 0), 1);
    assert_eq!(count(0.29, 100, 0), 29);
    assert_eq!([40, 39, 20, 19].map(|n| count(0.05, n, 2)), [2, 2, 2, 2]);
    assert_eq!(count(0.05, 60, 2), 3);
    assert_eq!(count(1.0, 7, 2), 7);
    assert_eq!(count(0.0, 7, 2), 2);
    assert_eq!(count(-0.0, 7, 0), 0);
    assert_eq!(count(0.9999999999999999, 10, 0), 9);
    assert_eq!(count(0.5, 0, 2), 2);
}

/// All hundredths and thousandths against integers: a float's product misses dozens of them.
#[test]
fn no_decimal_is_off_by_one() {
    let mut missed = 0;
    for parts in 0..=1000_u64 {
        let value = parts as f64 / 1000.0;
        for n in (0..=10_000).step_by(500) {
            assert_eq!(count(value, n, 0), parts * n / 1000, "{value} of {n}");
            missed += u32::from((value * n as f64).floor() as u64 != parts * n / 1000);
        }
    }
    assert!(missed > 10, "the naive product missed {missed} only, so this test shows nothing");
}

#[test]
fn the_range_of_both_factors_is_covered() {
    assert_eq!(count(1.0, u64::MAX, 0), u64::MAX);
    assert_eq!(count(0.3, u64::MAX, 0), (u128::from(u64::MAX) * 3 / 10) as u64);
    assert_eq!(count(1e-19, u64::MAX, 0), 1);
    assert_eq!(count(5e-324, u64::MAX, 0), 0);
    assert_eq!(count(1.2345678901234567e-19, u64::MAX, 0), 2);
}

#[test]
fn what_is_no_fraction_is_refused_by_value() {
    for value in [-0.1, 1.000_000_1, f64::NAN, f64::INFINITY] {
        let error = Fraction::new(value).unwrap_err().to_string();
        assert_eq!(error, format!("{value} is no fraction of a whole: write a number from 0 to 1"));
    }
}

#[test]
fn it_is_a_number_in_text() {
    let fraction: Fraction = serde_json::from_str("0.29").unwrap();
    assert_eq!(fraction.of(100, 0), 29);
    assert_eq!(serde_json::to_string(&fraction).unwrap(), "0.29");
    assert_eq!(fraction.to_string(), "0.29");
    let refused = serde_json::from_str::<Fraction>("1.5").unwrap_err().to_string();
    assert!(refused.contains("1.5 is no fraction"), "{refused}");
}
