//! Integers and bools.

use flare_core::pool::Serial;
use flare_core::sums::{Error, ExactSum, Values, ValuesMut, Weight};
use flare_core::tensor::DType;
use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One, ToPrimitive};

use super::Random;
use super::oracle::{self, Float, rational};

macro_rules! integers {
    ($($name:ident($type:ty, $dtype:ident),)*) => {
        $(#[test]
        fn $name() {
            for seed in 0..12 {
                let mut random = Random(seed);
                let count = 1 + random.below(6) as usize;
                let value = |random: &mut Random| match random.below(5) {
                    0 => <$type>::MIN,
                    1 => <$type>::MAX,
                    2 => random.below(3) as $type,
                    _ => random.next() as $type,
                };
                let inputs: Vec<Vec<$type>> =
                    (0..count).map(|_| (0..40).map(|_| value(&mut random)).collect()).collect();
                let weights = weights(seed, count, &mut random);
                let mut sum = ExactSum::new(DType::$dtype, 40);
                for (weight, input) in weights.iter().zip(&inputs) {
                    let mut part = ExactSum::new(DType::$dtype, 40);
                    part.fold(&[(*weight, Values::from(input.as_slice()))], &Serial).unwrap();
                    let sent = ExactSum::decode(&part.encode(), DType::$dtype, 40).unwrap();
                    sum.merge(&sent, &Serial).unwrap();
                }
                let mut flat = ExactSum::new(DType::$dtype, 40);
                let pairs: Vec<_> =
                    weights.iter().zip(&inputs).map(|(w, x)| (*w, x.as_slice().into())).collect();
                flat.fold(&pairs, &Serial).unwrap();
                assert_eq!(flat.encode(), sum.encode(), "seed {seed}");
                let mut means: [$type; 40] = [0; 40];
                sum.mean_into(ValuesMut::from(means.as_mut_slice()), &Serial).unwrap();
                let mut wide = [0.0; 40];
                sum.mean_into_f64(&mut wide, &Serial).unwrap();
                let mut differences = [0.0; 40];
                let base = inputs[0].as_slice();
                sum.mean_minus_into_f64(base.into(), &mut differences, &Serial).unwrap();
                for at in 0..40 {
                    let column: Vec<BigInt> = inputs.iter().map(|x| x[at].into()).collect();
                    let real = mean(&weights, &column);
                    let expected = nearest(&real).to_i128().unwrap();
                    assert_eq!(i128::from(means[at]), expected, "seed {seed}: {column:?}");
                    assert_eq!(wide[at], oracle::round(&real, f64::FORMAT), "seed {seed}");
                    let difference = real - BigRational::from(column[0].clone());
                    let expected = oracle::round(&difference, f64::FORMAT);
                    assert_eq!(differences[at], expected, "seed {seed}: {column:?}");
                }
            }
        })*
    };
}

integers! {
    means_of_i8(i8, I8),
    means_of_i16(i16, I16),
    means_of_i32(i32, I32),
    means_of_i64(i64, I64),
    means_of_u8(u8, U8),
    means_of_u16(u16, U16),
    means_of_u32(u32, U32),
    means_of_u64(u64, U64),
}

fn weights(seed: u64, count: usize, random: &mut Random) -> Vec<Weight> {
    (0..count)
        .map(|_| match seed % 4 {
            0 => Weight::Count(1),
            1 => Weight::Count(u64::MAX - random.below(9)),
            2 => Weight::Count(1 + random.below(1000)),
            _ => Weight::real(f64::from_bits(random.next() >> 2 | 1 << 52)).unwrap(),
        })
        .collect()
}

fn mean(weights: &[Weight], column: &[BigInt]) -> BigRational {
    let weight = |weight: &Weight| match weight {
        Weight::Count(count) => BigRational::from(BigInt::from(*count)),
        Weight::Real(real) => rational(real.get()),
    };
    let sum: BigRational = weights.iter().zip(column).map(|(w, x)| weight(w) * x).sum();
    sum / weights.iter().map(weight).sum::<BigRational>()
}

/// The nearest whole number, the even one of two.
fn nearest(real: &BigRational) -> BigInt {
    let below = real.floor().to_integer();
    let rest = real - BigRational::from(below.clone());
    let half = BigRational::new(1.into(), 2.into());
    let odd = &below % BigInt::from(2) != BigInt::from(0);
    if rest > half || rest == half && odd { below + BigInt::one() } else { below }
}

#[test]
fn a_sum_that_does_not_fit_is_an_error_that_names_it() {
    let values: &[i8] = &[1, -64, 64];
    let mut sum = ExactSum::new(DType::I8, 3);
    sum.fold(&[(Weight::Count(2), values.into())], &Serial).unwrap();
    let mut out = [0i8; 3];
    let error = sum.sum_into(out.as_mut_slice().into(), &Serial).unwrap_err();
    assert_eq!(error, Error::SumTooLarge { index: 2, dtype: DType::I8 });
    assert_eq!(error.to_string(), "the sum at element 2 does not fit I8: ask for it as f64");
    let fits: &[u64] = &[u64::MAX];
    let mut sum = ExactSum::new(DType::U64, 1);
    sum.fold(&[(Weight::Count(1), fits.into())], &Serial).unwrap();
    let mut out = [0u64];
    sum.sum_into(out.as_mut_slice().into(), &Serial).unwrap();
    assert_eq!(out, [u64::MAX]);
}

#[test]
fn bools_must_be_equal() {
    let (one, other): (&[bool], &[bool]) = (&[true, false, true], &[true, true, true]);
    let mut sum = ExactSum::new(DType::Bool, 3);
    sum.fold(&[(Weight::Count(1), one.into()), (Weight::Count(2), one.into())], &Serial).unwrap();
    // Without weight nothing is compared.
    sum.fold(&[(Weight::Count(0), other.into())], &Serial).unwrap();
    let before = sum.encode();
    let error = sum.fold(&[(Weight::Count(1), other.into())], &Serial).unwrap_err();
    assert_eq!(error, Error::BoolsDiffer { index: 1 });
    let mut part = ExactSum::new(DType::Bool, 3);
    part.fold(&[(Weight::Count(1), other.into())], &Serial).unwrap();
    assert_eq!(sum.merge(&part, &Serial).unwrap_err(), Error::BoolsDiffer { index: 1 });
    assert_eq!(sum.encode(), before, "what was refused changed nothing");
    let mut out = [false; 3];
    sum.mean_into(out.as_mut_slice().into(), &Serial).unwrap();
    assert_eq!(out, one);
    let mut wide = [0.5; 3];
    sum.mean_minus_into_f64(other.into(), &mut wide, &Serial).unwrap();
    assert_eq!(wide, [0.0, -1.0, 0.0]);
}
