//! Prints the speed of the matrix products for each variant.
#![allow(clippy::disallowed_methods, clippy::print_stdout)] // measures by the wall clock, for people

use std::time::Instant;

use flare_kernels::Variant;
use flare_kernels::product::{Sizes, accumulate_outer_with, accumulate_rows_with};

fn main() {
    let digits = Sizes { batch: 32, features: 64, outputs: 10 };
    let wide = Sizes { batch: 64, features: 784, outputs: 128 };
    for sizes in [digits, wide] {
        for variant in Variant::available() {
            measure(variant, sizes);
        }
    }
}

fn measure(variant: Variant, sizes: Sizes) {
    let Sizes { batch, features, outputs } = sizes;
    let rows = vec![0.5; batch * features];
    let mut weights = vec![0.25; features * outputs];
    let mut logits = vec![0.0; batch * outputs];
    let operations = 2.0 * (batch * features * outputs) as f64;
    let times = (4e8 / operations) as usize;
    let start = Instant::now();
    for _ in 0..times {
        accumulate_rows_with(variant, sizes, &rows, &weights, &mut logits);
    }
    let forward = start.elapsed().as_secs_f64();
    logits.fill(1e-9);
    let start = Instant::now();
    for _ in 0..times {
        accumulate_outer_with(variant, sizes, &rows, &logits, &mut weights);
    }
    let backward = start.elapsed().as_secs_f64();
    let rate = |seconds: f64| operations * times as f64 / seconds / 1e9;
    println!(
        "{sizes:?} {variant}: forward {:.1}, backward {:.1} GFLOP/s",
        rate(forward),
        rate(backward)
    );
}
