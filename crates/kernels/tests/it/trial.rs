//! Means tried in plain `f64`: what is said to be certain is right, in every variant, and most of it is.

use std::ops::Range;

use flare_kernels::Variant;
use flare_kernels::exact::{BLOCK, Divisor, Element, Narrow, Term, Trial, TrialRoom};
use half::{bf16, f16};

use crate::random::{Random, power, seeds};

/// The quotients that all variants write alike, and of which columns they are void.
fn tried<E>(inputs: &[(f64, Vec<E>)], divisor: &Divisor) -> (Vec<E>, Vec<Range<usize>>)
where
    E: Element + Narrow + Default,
{
    let terms: Vec<_> =
        inputs.iter().map(|(factor, values)| Term { values, factor: *factor }).collect();
    let trial = Trial::new(divisor, &terms).unwrap();
    let len = inputs[0].1.len();
    let run = |variant| {
        let mut out = vec![E::default(); len];
        // What a trial finds in its room must not matter.
        let mut room = TrialRoom::default();
        trial.run(variant, 0, &mut room, &mut vec![E::default(); len]);
        let doubts = trial.run(variant, 0, &mut room, &mut out);
        (out, doubts.columns().collect::<Vec<_>>())
    };
    let (out, doubts) = run(Variant::PORTABLE);
    for variant in Variant::available() {
        let (other, too) = run(variant);
        assert_eq!(too, doubts, "{variant}");
        let void = |column| doubts.iter().any(|columns| columns.contains(&column));
        let same = |column: usize| void(column) || out[column].raw() == other[column].raw();
        assert!((0..len).all(same), "{variant}");
    }
    (out, doubts)
}

/// Multiples of 2^-12 below 2^11, of which all types take some: 128-bit integers hold their sums, and the division
/// of exact sums says what is right.
#[test]
fn what_is_certain_is_right_and_most_is() {
    agrees::<f32>(0.97, |value| value as f32);
    agrees::<bf16>(0.3, bf16::from_f64);
    agrees::<f16>(0.3, f16::from_f64);
}

/// One column is tried at a time: `share` of them must be certain. Of whole numbers in types of few bits
/// many a mean is a midpoint.
fn agrees<E>(share: f64, narrow: fn(f64) -> E)
where
    E: Element + Narrow + Default + std::fmt::Debug,
{
    let (mut columns, mut certain) = (0, 0);
    for seed in 0..seeds(600) {
        let mut random = Random(seed);
        let count = 1 + random.next() % 12;
        let mut inputs = Vec::new();
        let (mut sum, mut total) = (0i128, 0u64);
        for _ in 0..count {
            let factor = 1 + random.next() % 1000;
            let whole = (random.next() % (1 << 23)) as i64 - (1 << 22);
            let value = narrow(whole as f64 * power(-12));
            let [_, piece] = value.pieces();
            sum += (piece * power(40)) as i128 * i128::from(factor);
            total += factor;
            inputs.push((factor as f64, vec![value]));
        }
        let divisor = Divisor::new(total as f64, 0.0).unwrap();
        let (out, doubts) = tried(&inputs, &divisor);
        let sure = doubts.is_empty();
        let high = sum as f64;
        let rest = (sum - high as i128) as f64;
        let exact = divisor.stand_in(high * power(-40), rest * power(-40)).unwrap();
        if sure {
            assert_eq!(out[0].raw(), E::from_stand_in(exact).raw(), "seed {seed}: {inputs:?}");
        }
        columns += 1;
        certain += usize::from(sure);
    }
    let least = share * f64::from(columns);
    assert!(cfg!(miri) || certain as f64 >= least, "{certain} of {columns} are certain");
}

/// 40 ones are lost one by one beside 2^53, so that the plain sum is 38 below a midpoint and the real one 2
/// above: the bound is that tight.
#[test]
fn the_bound_takes_the_worst_that_roundings_do() {
    let large = power(23);
    let mut inputs = vec![
        (large, vec![power(30) as f32]),
        (large, vec![64.0]),
        (1.0, vec![-36.0]),
        (1.0, vec![-2.0]),
    ];
    inputs.extend((0..40).map(|_| (1.0, vec![1.0])));
    let one = Divisor::new(1.0, 0.0).unwrap();
    assert!(!tried(&inputs, &one).1.is_empty(), "the real sum rounds up, the plain one down");
    // So far from a midpoint nothing can happen.
    inputs[1].1[0] = 16.0;
    assert_eq!(tried(&inputs, &one), (vec![power(53) as f32], vec![]));
}

#[test]
fn midpoints_and_what_is_no_number_are_left_to_others() {
    let two = Divisor::new(2.0, 0.0).unwrap();
    // One column among sound ones: in a tile, and behind the last whole one.
    let mean = |a: f32, b: f32| {
        let certain = [(100, 96..128), (BLOCK - 4, BLOCK - 32..BLOCK - 3)].map(|(at, group)| {
            let mut columns = [vec![0.25; BLOCK - 3], vec![0.5; BLOCK - 3]];
            (columns[0][at], columns[1][at]) = (a, b);
            let (out, doubts) = tried(&columns.map(|column| (1.0, column)), &two);
            let others = (0..BLOCK - 3).filter(|column| !group.contains(column));
            assert!(others.into_iter().all(|column| out[column] == 0.375));
            assert!(doubts.is_empty() || doubts == [group], "{a:e} and {b:e}: {doubts:?}");
            doubts.is_empty()
        });
        assert_eq!(certain[0], certain[1], "{a:e} and {b:e}");
        certain[0]
    };
    assert!(mean(1.0, 3.0));
    assert!(!mean(1.0, 1.0f32.next_up()), "a midpoint");
    assert!(!mean(0.1, -0.1), "whether that is zero hangs on the last bit");
    assert!(!mean(f32::from_bits(1), 0.0), "half the least value");
    assert!(!mean(f32::NAN, 1.0));
    assert!(!mean(f32::INFINITY, 1.0));
    assert!(!mean(f32::INFINITY, f32::NEG_INFINITY));
    assert!(!mean(f32::MAX, f32::MAX), "more than a mass can say");
}

#[test]
fn zeros_keep_their_sign() {
    let two = Divisor::new(2.0, 0.0).unwrap();
    let inputs = [(1.0, vec![0.0f32, -0.0, 0.0, -0.0]), (1.0, vec![0.0, 0.0, -0.0, -0.0])];
    let (out, doubts) = tried(&inputs, &two);
    assert!(doubts.is_empty());
    let bits = out.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits, [0, 0, 0, 1 << 31]);
}

#[test]
fn no_terms_are_no_trial() {
    let one = Divisor::new(1.0, 0.0).unwrap();
    assert!(Trial::<f32>::new(&one, &[]).is_none());
    let too_many = vec![Term { values: &[1.0f32][..], factor: 1.0 }; (1 << 22) + 1];
    assert!(Trial::new(&one, &too_many).is_none());
    assert!(Trial::new(&one, &too_many[1..]).is_some());
}
