//! The exact fold and the division: every variant gives the portable one's bits, and those are right.

use flare_kernels::Variant;
use flare_kernels::exact::{
    BLOCK, Divisor, Element, Fold, Magnitude, Narrow, Span, Term, divide_narrow, divide_wide,
};
use half::{bf16, f16};

use crate::random::{Random, power, seeds};

#[test]
fn folds_are_the_same_in_every_variant() {
    for seed in 0..seeds(40) {
        let mut random = Random(seed);
        fold::<f32, 1, 2>(seed, &mut random, |bits| f32::from_bits(bits as u32));
        fold::<bf16, 1, 2>(seed, &mut random, |bits| bf16::from_bits(bits as u16));
        fold::<f16, 1, 2>(seed, &mut random, |bits| f16::from_bits(bits as u16));
        fold::<f64, 2, 3>(seed, &mut random, f64::from_bits);
    }
}

/// Any bits at all: what is exact and what is not must be the same, too.
fn fold<E: Element + std::fmt::Debug, const FEW: usize, const MANY: usize>(
    seed: u64,
    random: &mut Random,
    value: fn(u64) -> E,
) {
    let len = (random.next() % 70) as usize;
    let inputs: Vec<Vec<E>> =
        (0..random.next() % 5).map(|_| (0..len).map(|_| value(random.next())).collect()).collect();
    let terms: Vec<_> = inputs.iter().map(|values| Term { values, factor: 3.0 }).collect();
    let old: Vec<f64> = (0..len).map(|_| f64::from(random.wild())).collect();
    let with_old = [old.as_slice()];
    let fold = Fold::<E, FEW, MANY> {
        components: if seed.is_multiple_of(2) { &with_old } else { &[] },
        old: Span { bound: f64::from_bits(random.next() >> 1), unit: -200 },
        terms: &terms,
        first: 0,
        factors: Span { bound: 3.0 * terms.len() as f64, unit: 0 },
    };
    let run = |variant| {
        let mut out = vec![vec![0.0; len]; MANY];
        let mut rows = out.iter_mut();
        let seen = fold.run(variant, std::array::from_fn(|_| rows.next().unwrap().as_mut_slice()));
        (format!("{seen:?}"), bits(&out.concat(), seen.exact))
    };
    let portable = run(Variant::PORTABLE);
    for variant in Variant::available() {
        assert_eq!(run(variant), portable, "seed {seed}, {variant}");
    }
}

/// The bits, with any NaN for any other where sums are void.
fn bits(values: &[f64], exact: bool) -> Vec<u64> {
    let bits = |value: &f64| if value.is_nan() && !exact { 0 } else { value.to_bits() };
    values.iter().map(bits).collect()
}

/// Multiples of 2^-40 below 2^20, whose sums a 128-bit integer holds: few of them reach as far as one
/// level, and only some columns of a block.
#[test]
fn folds_are_exact() {
    let mut levels = [0; 3];
    for seed in 0..seeds(60) {
        let mut random = Random(seed);
        let bits = 1 + random.next() % 27;
        let factors: Vec<u64> = (0..4).map(|_| 1 + random.next() % (1 << bits)).collect();
        let wholes: Vec<Vec<i128>> = (0..4)
            .map(|_| (0..50).map(|column| whole(&mut random, 4 * (column % 9))).collect())
            .collect();
        for variant in Variant::available() {
            levels[check(seed, variant, &factors, &wholes)] += 1;
        }
    }
    assert!(cfg!(miri) || levels[1] > 0 && levels[2] > 0, "{levels:?}");
}

/// Folds and compares with the sum of whole numbers; returns how many components that took.
fn check(seed: u64, variant: Variant, factors: &[u64], wholes: &[Vec<i128>]) -> usize {
    let unit = power(-40);
    let narrow = |whole: &i128| (*whole as f64 * unit) as f32;
    let inputs: Vec<Vec<f32>> =
        wholes.iter().map(|column| column.iter().map(narrow).collect()).collect();
    let terms: Vec<_> = inputs
        .iter()
        .zip(factors)
        .map(|(values, factor)| Term { values: values.as_slice(), factor: *factor as f64 })
        .collect();
    let fold = Fold::<f32, 1, 2> {
        components: &[],
        old: Span::NOTHING,
        terms: &terms,
        first: 0,
        factors: Span { bound: factors.iter().sum::<u64>() as f64, unit: 0 },
    };
    let mut out = [vec![0.0; 50], vec![f64::NAN; 50]];
    let [first, second] = &mut out;
    let seen = fold.run(variant, [first, second]);
    assert!(seen.exact, "seed {seed}, {variant}: {seen:?}");
    for column in 0..50 {
        let expected: i128 =
            wholes.iter().zip(factors).map(|(x, w)| x[column] * i128::from(*w)).sum();
        let rest = if seen.components == 1 { 0.0 } else { out[1][column] };
        let parts = [out[0][column] / unit, rest / unit];
        assert_eq!(parts[0], expected as f64, "rounded once: seed {seed}, {variant}");
        let found = parts[0] as i128 + parts[1] as i128;
        assert_eq!(found, expected, "seed {seed}, {variant}, column {column}");
    }
    seen.components
}

/// The reach of one level ends where it must: a sum that needs 53 bits is taken, one of 54 is not.
#[test]
fn one_level_holds_fifty_three_bits() {
    let components = |small: f32| {
        let inputs = [[1.0f32; 3], [1.0, small, 1.0]];
        let terms = inputs.each_ref().map(|values| Term { values: values.as_slice(), factor: 1.0 });
        let fold = Fold::<f32, 1, 2> {
            components: &[],
            old: Span::NOTHING,
            terms: &terms,
            first: 0,
            factors: Span { bound: 2.0, unit: 0 },
        };
        Variant::available()
            .map(|variant| {
                let mut out = [[0.0; 3]; 2];
                let [first, second] = &mut out;
                fold.run(variant, [first, second]).components
            })
            .collect::<Vec<_>>()
    };
    // The last place of 2^-29 is 2^-52, of which 2^53 make 2, more than a mass of 1 with all that roundings
    // may have taken from it; half as many do not.
    assert!(components(power(-29) as f32).iter().all(|components| *components == 1));
    assert!(components((power(-29) as f32).next_down()).iter().all(|components| *components == 2));
    // Zeros have no last place.
    assert!(components(0.0).iter().all(|components| *components == 1));
}

#[test]
fn infinities_and_more_than_a_block_are_not_summed() {
    let inputs = [[1.0f32, f32::INFINITY], [1.0, f32::NAN]];
    for input in &inputs {
        let fold = Fold::<f32, 1, 2> {
            components: &[],
            old: Span::NOTHING,
            terms: &[Term { values: input, factor: 1.0 }],
            first: 0,
            factors: Span { bound: 1.0, unit: 0 },
        };
        for variant in Variant::available() {
            let mut out = [[0.0; 2]; 2];
            let [first, second] = &mut out;
            assert!(!fold.run(variant, [first, second]).exact, "{input:?}, {variant}");
        }
    }
    let long = std::panic::catch_unwind(|| {
        let mut out = [vec![0.0; BLOCK + 1], vec![0.0; BLOCK + 1]];
        let [first, second] = &mut out;
        let nothing = Span::NOTHING;
        Fold::<f32, 1, 2> { components: &[], old: nothing, terms: &[], first: 0, factors: nothing }
            .run(Variant::PORTABLE, [first, second])
            .exact
    });
    assert!(long.is_err());
}

/// 24 bits somewhere below 2^60, of either sign, but of the lowest `spread` places.
fn whole(random: &mut Random, spread: u64) -> i128 {
    let bits = random.next();
    let magnitude = i128::from(bits >> 40) << (36 - bits % (spread + 1));
    if bits & 64 == 0 { magnitude } else { -magnitude }
}

#[test]
fn magnitudes_know_their_last_places() {
    for bits in [0u32, 1, 0x7F_FFFF, 0x80_0000, 0x100_0000, 0x3F80_0001, 0x7F7F_FFFF] {
        let place = f32::last_place(bits);
        let unit = f64::from(f32::from_bits(0x7F7F_FFFF.min(bits | 1))) / power(place);
        assert_eq!(unit.fract(), 0.0, "{bits:x} is a multiple of 2^{place}");
    }
    assert_eq!(u32::MIN.less_one().more_by_one(), None);
    assert!(f16::bound(0x7C00).is_infinite() && f16::bound(0x7BFF) == 65504.0);
}

#[test]
fn divisions_are_the_same_in_every_variant() {
    for seed in 0..seeds(40) {
        let mut random = Random(seed);
        let len = (random.next() % 70) as usize;
        let sums: Vec<f64> = (0..len).map(|_| f64::from(random.wild())).collect();
        let rests: Vec<f64> = sums.iter().map(|sum| sum * power(-54)).collect();
        let high = 1.0 + (random.next() >> 12) as f64;
        let divisor = Divisor::new(high, if seed.is_multiple_of(2) { 0.0 } else { 0.25 }).unwrap();
        narrow::<f32>(seed, &divisor, &sums, &rests, |value| value.to_bits());
        narrow::<f16>(seed, &divisor, &sums, &rests, |value| value.to_bits().into());
        narrow::<bf16>(seed, &divisor, &sums, &rests, |value| value.to_bits().into());
        let wide = |variant| {
            let mut out = vec![0.0; len];
            let certain = divide_wide(variant, &divisor, &sums, &rests, &mut out);
            (certain, out.iter().map(|value| value.to_bits()).collect::<Vec<_>>())
        };
        for variant in Variant::available() {
            assert_eq!(wide(variant), wide(Variant::PORTABLE), "seed {seed}, {variant}");
        }
    }
}

fn narrow<T: Narrow + Default>(
    seed: u64,
    divisor: &Divisor,
    sums: &[f64],
    rests: &[f64],
    bits: fn(&T) -> u32,
) {
    let run = |variant| {
        let mut out = vec![T::default(); sums.len()];
        let certain = divide_narrow(variant, divisor, sums, rests, &mut out);
        (certain, out.iter().map(bits).collect::<Vec<_>>())
    };
    for variant in Variant::available() {
        assert_eq!(run(variant), run(Variant::PORTABLE), "seed {seed}, {variant}");
    }
}

#[test]
fn divisors_know_their_limits() {
    assert!(Divisor::new(0.0, 0.0).is_none());
    assert!(Divisor::new(f64::NAN, 0.0).is_none());
    assert!(Divisor::new(power(301), 0.0).is_none());
    // 1 / 2^300 is far from what f64 arithmetic could not see, 2^-700 / 2^300 is not.
    let divisor = Divisor::new(power(300), 0.0).unwrap();
    assert_eq!(divisor.nearest(1.0, 0.0), Some(power(-300)));
    assert_eq!(divisor.nearest(power(-700), 0.0), None);
    // A midpoint is left to others.
    assert_eq!(Divisor::new(1.0, 0.0).unwrap().nearest(1.0, f64::EPSILON / 2.0), None);
}
