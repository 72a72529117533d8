//! The digits of `examples/digits`, as the main job has them.

use std::path::Path;
use std::sync::Arc;

use flare_data::{CsvOptions, Dataset, Options, Partition, Source, View, deal};

use crate::csv;

/// The digits as they come.
pub(crate) fn source() -> Source {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/digits/digits.csv.gz");
    Source::new(path, Options::Csv(CsvOptions { classes: Some(10), ..csv() }))
}

/// The digits in memory.
pub(crate) fn digits() -> Arc<Dataset> {
    source().load().unwrap()
}

#[test]
fn all_images_are_there() {
    let digits = digits();
    assert_eq!((digits.rows(), digits.columns, digits.classes), (1797, 64, 10));
    assert_eq!(digits.class_counts(), [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
    assert!(digits.features.iter().all(|pixel| (0.0..=16.0).contains(pixel)));
    // The sum of all pixels, and the last image, as another program finds them in the origin.
    assert_eq!(digits.features.iter().map(|pixel| f64::from(*pixel)).sum::<f64>(), 561_718.0);
    assert_eq!(digits.row(1796)[..6], [0.0, 0.0, 10.0, 14.0, 8.0, 1.0]);
    assert_eq!(digits.labels[1796], 8);
    assert_eq!(digits.feature_names[0], "p00");
    assert_eq!(digits.feature_names[63], "p63");
}

#[test]
fn ten_clients_by_dirichlet_are_uneven_and_large_enough() {
    let digits = digits();
    let partition: Partition =
        serde_json::from_str(r#"{"kind": "dirichlet", "alpha": 0.5}"#).unwrap();
    for seed in 0..5 {
        let parts = deal(&partition, &View::all(digits.clone()), &[], 10, seed).unwrap();
        assert_eq!(parts.len(), 10);
        assert_eq!(parts.iter().map(|part| part.len()).sum::<usize>(), 1797);
        assert!(parts.iter().all(|part| part.len() >= 10), "seed {seed}");
        let largest_class = |part: &Arc<[u32]>| {
            let view = View::new(digits.clone(), Some(part.clone())).unwrap();
            let mut counts = [0; 10];
            (0..view.len()).for_each(|i| counts[view.label(i) as usize] += 1);
            *counts.iter().max().unwrap() as f64 / part.len() as f64
        };
        let mean = parts.iter().map(largest_class).sum::<f64>() / 10.0;
        // Dealt out evenly it would be about a tenth and a bit.
        assert!((0.25..0.8).contains(&mean), "seed {seed}: {mean}");
    }
}
