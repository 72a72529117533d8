//! The products against the definition, one output at a time.

use flare_kernels::Variant;
use flare_kernels::product::{Sizes, accumulate_outer_with, accumulate_rows_with};

use crate::random::{Random, seeds};

#[test]
fn every_variant_keeps_the_promised_order() {
    for seed in 0..seeds(60) {
        let mut random = Random(seed);
        let sizes = Sizes {
            batch: (random.next() % 11) as usize,
            features: (random.next() % 67) as usize,
            outputs: (random.next() % 40) as usize,
        };
        check_rows(seed, sizes, &mut random);
        check_outer(seed, sizes, &mut random);
    }
}

#[test]
fn a_product_and_a_sum_are_rounded_apart() {
    // 1 + 2^-12 squared is 1 + 2^-11 + 2^-24: rounded to f32 it loses 2^-24; fused it would not.
    let x = 1.0 + 1.0 / 4096.0;
    let sizes = Sizes { batch: 4, features: 1, outputs: 16 };
    for variant in Variant::available() {
        let mut out = [-1.0f32; 64];
        accumulate_rows_with(variant, sizes, &[x; 4], &[x; 16], &mut out);
        assert_eq!(out, [1.0 / 2048.0; 64], "{variant}");
    }
}

#[test]
#[should_panic(expected = "weights must be features × outputs")]
fn a_wrong_length_is_refused() {
    let sizes = Sizes { batch: 1, features: 2, outputs: 2 };
    accumulate_rows_with(Variant::PORTABLE, sizes, &[0.0; 2], &[0.0; 3], &mut [0.0; 2]);
}

fn check_rows(seed: u64, sizes: Sizes, random: &mut Random) {
    let Sizes { batch, features, outputs } = sizes;
    let rows = wild(batch * features, random);
    let weights = wild(features * outputs, random);
    let start = wild(batch * outputs, random);
    let mut expected = start.clone();
    for b in 0..batch {
        for c in 0..outputs {
            for k in 0..features {
                let product = rows[b * features + k] * weights[k * outputs + c];
                expected[b * outputs + c] += product;
            }
        }
    }
    for variant in Variant::available() {
        let mut out = start.clone();
        accumulate_rows_with(variant, sizes, &rows, &weights, &mut out);
        assert_eq!(bits(&out), bits(&expected), "seed {seed}, {variant}, {sizes:?}");
    }
}

fn check_outer(seed: u64, sizes: Sizes, random: &mut Random) {
    let Sizes { batch, features, outputs } = sizes;
    let rows = wild(batch * features, random);
    let errors = wild(batch * outputs, random);
    let start = wild(features * outputs, random);
    let mut expected = start.clone();
    for k in 0..features {
        for c in 0..outputs {
            for b in 0..batch {
                let product = rows[b * features + k] * errors[b * outputs + c];
                expected[k * outputs + c] += product;
            }
        }
    }
    for variant in Variant::available() {
        let mut gradient = start.clone();
        accumulate_outer_with(variant, sizes, &rows, &errors, &mut gradient);
        assert_eq!(bits(&gradient), bits(&expected), "seed {seed}, {variant}, {sizes:?}");
    }
}

fn wild(len: usize, random: &mut Random) -> Vec<f32> {
    (0..len).map(|_| random.wild()).collect()
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}
