//! The exact fold and the division: every variant gives the portable one's bits, and those are right.

use flare_kernels::Variant;
use flare_kernels::exact::{
    Divisor, Element, Fold, Magnitude, Narrow, Scale, Seen, Term, divide_narrow, divide_wide,
};
use half::{bf16, f16};

use crate::random::Random;

#[test]
fn folds_are_the_same_in_every_variant() {
    for seed in 0..40 {
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
    let bound = f64::from_bits(random.next() >> 1);
    let scale = Scale::new(bound, 20).unwrap_or_default();
    let fold = Fold::<E, FEW, MANY> {
        components: &[&old],
        terms: &terms,
        few: Scale::new(bound, 20).unwrap_or_default(),
        many: scale,
        largest: value(random.next()).magnitude(),
        smallest_few: E::with_last_place(-30),
        smallest_many: E::with_last_place(-80),
        try_few: seed.is_multiple_of(2),
    };
    let run = |variant| {
        let mut out = vec![vec![0.0; len]; MANY];
        let mut rows = out.iter_mut();
        let seen = fold.run(variant, std::array::from_fn(|_| rows.next().unwrap().as_mut_slice()));
        (shown(&seen), bits(&out.concat(), seen.exact))
    };
    let portable = run(Variant::PORTABLE);
    for variant in Variant::available() {
        assert_eq!(run(variant), portable, "seed {seed}, {variant}");
    }
}

fn shown<M: std::fmt::Debug>(seen: &Seen<M>) -> String {
    format!("{seen:?}")
}

/// The bits, with any NaN for any other where sums are void.
fn bits(values: &[f64], exact: bool) -> Vec<u64> {
    let bits = |value: &f64| if value.is_nan() && !exact { 0 } else { value.to_bits() };
    values.iter().map(bits).collect()
}

/// Multiples of 2^-40 below 2^20, whose sums a 128-bit integer holds.
#[test]
fn folds_are_exact() {
    let unit = 2f64.powi(-40);
    for seed in 0..60 {
        let mut random = Random(seed);
        let factors: Vec<f64> = (0..4).map(|_| (1 + random.next() % (1 << 27)) as f64).collect();
        let wholes: Vec<Vec<i128>> =
            (0..4).map(|_| (0..50).map(|_| whole(&mut random)).collect()).collect();
        let inputs: Vec<Vec<f32>> = wholes
            .iter()
            .map(|column| column.iter().map(|whole| (*whole as f64 * unit) as f32).collect())
            .collect();
        let terms: Vec<_> = inputs
            .iter()
            .zip(&factors)
            .map(|(values, factor)| Term { values: values.as_slice(), factor: *factor })
            .collect();
        let bound = 2f64.powi(20 + 29);
        let (few, many) = (Scale::<1>::new(bound, 4).unwrap(), Scale::<2>::new(bound, 4).unwrap());
        assert!(many.unit() <= -40, "two levels hold these numbers");
        let fold = Fold::<f32, 1, 2> {
            components: &[],
            terms: &terms,
            few,
            many,
            largest: 2f32.powi(20).magnitude(),
            smallest_few: f32::with_last_place(few.unit()),
            smallest_many: f32::with_last_place(many.unit()),
            try_few: true,
        };
        for variant in Variant::available() {
            let mut out = [vec![0.0; 50], vec![0.0; 50]];
            let [first, second] = &mut out;
            let seen = fold.run(variant, [first, second]);
            assert!(seen.exact, "seed {seed}, {variant}: {seen:?}");
            for column in 0..50 {
                let expected: i128 =
                    wholes.iter().zip(&factors).map(|(x, w)| x[column] * *w as i128).sum();
                let parts = [out[0][column] / unit, out[1][column] / unit];
                assert_eq!(parts[0], expected as f64, "rounded once: seed {seed}, {variant}");
                let found = parts[0] as i128 + parts[1] as i128;
                assert_eq!(found, expected, "seed {seed}, {variant}");
            }
        }
    }
}

/// 24 bits somewhere below 2^60, of either sign.
fn whole(random: &mut Random) -> i128 {
    let bits = random.next();
    let magnitude = i128::from(bits >> 40) << (bits % 36);
    if bits & 64 == 0 { magnitude } else { -magnitude }
}

#[test]
fn scales_know_their_limits() {
    assert!(Scale::<2>::new(f64::NAN, 1).is_none());
    assert!(Scale::<2>::new(f64::INFINITY, 1).is_none());
    assert!(Scale::<2>::new(2f64.powi(1000), 1).is_some());
    assert!(Scale::<2>::new(2f64.powi(1000).next_up(), 1).is_none());
    // One level holds 53 bits.
    assert_eq!(Scale::<1>::new(1.0, 1).unwrap().unit(), -53);
    assert_eq!(Scale::<1>::new(1.0f64.next_up(), 1).unwrap().unit(), -52);
    assert_eq!(Scale::<3>::new(0.0, 1).unwrap().unit(), -1074);
    // Each further level adds 53 bits, less one for its start and those for counting.
    assert_eq!(Scale::<2>::new(1.0, 7).unwrap().unit(), -53 - 53 + 1 + 3);
}

#[test]
fn magnitudes_know_their_last_places() {
    for bits in [0u32, 1, 0x7F_FFFF, 0x80_0000, 0x100_0000, 0x3F80_0001, 0x7F7F_FFFF] {
        let place = f32::last_place(bits);
        let unit = f64::from(f32::from_bits(0x7F7F_FFFF.min(bits | 1))) / 2f64.powi(place);
        assert_eq!(unit.fract(), 0.0, "{bits:x} is a multiple of 2^{place}");
        let least = f32::with_last_place(place);
        assert!(least <= bits.max(1) && f32::last_place(least) == place, "{bits:x}");
    }
    assert_eq!(f32::with_last_place(105), u32::MAX);
    assert_eq!(f64::with_last_place(-5000), 1);
    assert_eq!(u32::MIN.less_one().more_by_one(), None);
    assert!(f16::bound(0x7C00).is_infinite() && f16::bound(0x7BFF) == 65504.0);
}

#[test]
fn divisions_are_the_same_in_every_variant() {
    for seed in 0..40 {
        let mut random = Random(seed);
        let len = (random.next() % 70) as usize;
        let sums: Vec<f64> = (0..len).map(|_| f64::from(random.wild())).collect();
        let rests: Vec<f64> = sums.iter().map(|sum| sum * 2f64.powi(-54)).collect();
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
    assert!(Divisor::new(2f64.powi(301), 0.0).is_none());
    // 1 / 2^300 is far from what f64 arithmetic could not see, 2^-700 / 2^300 is not.
    let divisor = Divisor::new(2f64.powi(300), 0.0).unwrap();
    assert_eq!(divisor.nearest(1.0, 0.0), Some(2f64.powi(-300)));
    assert_eq!(divisor.nearest(2f64.powi(-700), 0.0), None);
    // A midpoint is left to others.
    assert_eq!(Divisor::new(1.0, 0.0).unwrap().nearest(1.0, f64::EPSILON / 2.0), None);
}
