//! Partitioners: every row to one client, the shape they promise, and the same for one seed.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::sync::Arc;

use flare_data::{
    Dataset, HeldOut, MAX_DIRICHLET_DRAWS, Options, Partition, PartitionError, Source, View, deal,
    held_out,
};

use crate::csv;

/// `rows` rows whose labels are their numbers mod `classes`.
fn view(rows: u32, classes: u32) -> View {
    View::all(Arc::new(Dataset {
        features: (0..rows).map(|i| i as f32).collect(),
        labels: (0..rows).map(|i| i % classes).collect(),
        columns: 1,
        classes: classes as usize,
        feature_names: vec!["a".to_owned()],
    }))
}

fn dirichlet(alpha: f64, min_size: u32) -> Partition {
    Partition::Dirichlet { alpha, min_size: NonZeroU32::new(min_size).unwrap() }
}

fn shards(per_client: u32) -> Partition {
    Partition::Shards { per_client: NonZeroU32::new(per_client).unwrap() }
}

/// The parts, after checking that each row of the view is in one, once, and in rising order.
#[track_caller]
fn parts(partition: &Partition, view: &View, clients: usize, seed: u64) -> Vec<Arc<[u32]>> {
    let parts = deal(partition, view, &[], clients, seed).unwrap();
    assert_eq!(parts.len(), clients);
    let mut all: Vec<u32> = parts.iter().flat_map(|part| part.iter().copied()).collect();
    all.sort_unstable();
    let mut expected: Vec<u32> = view.numbers().collect();
    expected.sort_unstable();
    assert_eq!(all, expected);
    for part in &parts {
        assert!(part.is_sorted_by(|a, b| a < b) && !part.is_empty(), "{part:?}");
    }
    assert_eq!(deal(partition, view, &[], clients, seed).unwrap(), parts);
    assert_ne!(deal(partition, view, &[], clients, seed + 1).unwrap(), parts);
    parts
}

/// What seed 0 deals of 40 rows with 4 classes to 4 clients.
fn dealt(partition: &Partition) -> Vec<Vec<u32>> {
    let parts = deal(partition, &view(40, 4), &[], 4, 0).unwrap();
    parts.iter().map(|part| part.to_vec()).collect()
}

#[test]
fn iid_sizes_differ_by_one_at_most() {
    let parts = parts(&Partition::Iid {}, &view(103, 3), 10, 5);
    assert!(parts.iter().all(|part| (10..=11).contains(&part.len())));
    // By chance, not in order: a client's rows come from everywhere.
    assert!(parts.iter().all(|part| part[0] < 40 && part[part.len() - 1] > 60), "{parts:?}");
}

#[test]
fn only_the_rows_of_the_view_are_dealt_out() {
    let all = view(100, 4);
    let some: Arc<[u32]> = (0..100).filter(|i| i % 3 != 0).collect();
    let view = View::new(all.dataset().clone(), Some(some)).unwrap();
    for partition in [Partition::Iid {}, shards(2), dirichlet(1.0, 3)] {
        parts(&partition, &view, 5, 0);
    }
}

#[test]
fn shards_give_few_classes() {
    let view = view(1000, 10);
    let parts = parts(&shards(2), &view, 20, 3);
    for part in &parts {
        assert_eq!(part.len(), 50);
        let classes: BTreeSet<u32> = part.iter().map(|row| row % 10).collect();
        assert!(classes.len() <= 2, "{classes:?}");
    }
    let classes: BTreeSet<Vec<u32>> = parts
        .iter()
        .map(|part| part.iter().map(|row| row % 10).collect::<BTreeSet<_>>().into_iter().collect())
        .collect();
    assert!(classes.len() > 10, "clients differ in which they have: {classes:?}");
}

/// The larger alpha is, the more even are the classes at each client.
#[test]
fn alpha_says_how_uneven_classes_are() {
    let view = view(4000, 4);
    let spread = |alpha: f64| {
        let parts = parts(&dirichlet(alpha, 1), &view, 8, 1);
        let share = |part: &Arc<[u32]>| {
            let counts = [0, 1, 2, 3].map(|c| part.iter().filter(|row| *row % 4 == c).count());
            *counts.iter().max().unwrap() as f64 / part.len() as f64
        };
        parts.iter().map(share).sum::<f64>() / 8.0
    };
    let spreads = [0.1, 1.0, 100.0].map(spread);
    assert!(spreads[0] > 0.75 && spreads[2] < 0.35, "{spreads:?}");
    assert!((0.4..0.75).contains(&spreads[1]), "{spreads:?}");
}

/// Each class is cut in order: client i's rows of a class lie before client i + 1's.
#[test]
fn dirichlet_cuts_each_class_in_order() {
    let parts = parts(&dirichlet(0.5, 2), &view(400, 4), 6, 2);
    for class in 0..4 {
        let in_order: Vec<u32> = parts
            .iter()
            .flat_map(|part| part.iter().copied().filter(|row| row % 4 == class))
            .collect();
        assert!(in_order.is_sorted(), "{in_order:?}");
    }
}

#[test]
fn the_minimum_is_kept() {
    // Without it seeds 0 to 4 give a client fewer.
    for seed in 0..5 {
        let least = |min| {
            let parts = parts(&dirichlet(0.3, min), &view(1000, 5), 10, seed);
            parts.iter().map(|part| part.len()).min().unwrap()
        };
        assert!(least(1) < 30, "seed {seed} shows nothing");
        assert!(least(30) >= 30, "seed {seed}");
    }
}

#[test]
fn rows_that_do_not_suffice_are_refused_at_once() {
    let message = |partition, clients| {
        let error = deal(&partition, &view(20, 2), &[], clients, 0).unwrap_err();
        assert!(matches!(error, PartitionError::TooFewRows { .. }), "{error}");
        error.to_string()
    };
    assert_eq!(
        message(Partition::Iid {}, 21),
        "partition: 21 clients with at least 1 each take 21, but there are only 20 rows: ask for fewer \
         clients"
    );
    assert_eq!(
        message(shards(3), 7),
        "partition: 7 clients with at least 3 each take 21, but there are only 20 rows: ask for fewer \
         clients, or for less than 3 (per_client)"
    );
    assert!(message(dirichlet(0.5, 11), 2).contains("(min_size)"));
    assert!(message(shards(u32::MAX), usize::MAX).contains("each take 79228162495817593515"));
    parts(&shards(2), &view(20, 2), 10, 0);
}

#[test]
fn numbers_that_can_hold_for_no_data_are_refused() {
    for alpha in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e-301, 1e13] {
        let error = deal(&dirichlet(alpha, 1), &view(20, 2), &[], 2, 0).unwrap_err().to_string();
        let expected =
            format!("partition: alpha = {alpha:?} cannot be: write a number from 1e-300 to 1e12");
        assert_eq!(error, expected);
    }
    let error = deal(&Partition::Iid {}, &view(20, 2), &[], 0, 0).unwrap_err().to_string();
    assert_eq!(error, "partition: clients = 0 cannot be: there must be at least 1");
}

#[test]
fn the_smallest_alpha_gives_each_class_to_one_client() {
    let view = view(1000, 10);
    let parts = deal(&dirichlet(1e-300, 1), &view, &[], 2, 0).unwrap();
    let classes = |part: &[u32]| part.iter().map(|row| row % 10).collect::<BTreeSet<_>>();
    assert!(classes(&parts[0]).is_disjoint(&classes(&parts[1])));
}

/// One seed deals the same for ever; `reference.py` beside this file computes it independently.
#[test]
fn deals_are_frozen() {
    assert_eq!(
        dealt(&Partition::Iid {}),
        [
            vec![1, 11, 13, 14, 17, 21, 22, 35, 37, 38],
            vec![7, 8, 9, 16, 23, 25, 27, 31, 34, 36],
            vec![0, 3, 6, 10, 12, 18, 19, 24, 29, 39],
            vec![2, 4, 5, 15, 20, 26, 28, 30, 32, 33]
        ]
    );
    assert_eq!(
        dealt(&shards(2)),
        [
            vec![20, 22, 24, 26, 28, 30, 32, 34, 36, 38],
            vec![1, 5, 9, 13, 17, 21, 25, 29, 33, 37],
            vec![3, 7, 11, 15, 19, 23, 27, 31, 35, 39],
            vec![0, 2, 4, 6, 8, 10, 12, 14, 16, 18]
        ]
    );
    assert_eq!(
        dealt(&dirichlet(0.5, 5)),
        [
            vec![0, 3, 4, 7, 11, 15],
            vec![1, 2, 6, 8, 10, 12, 16, 19, 20, 24, 28, 32],
            vec![5, 9, 13, 14, 18, 22, 23, 26, 27],
            vec![17, 21, 25, 29, 30, 31, 33, 34, 35, 36, 37, 38, 39]
        ]
    );
    let (_, test) = held_out(&view(100, 4), HeldOut::Count(20), 0).unwrap();
    assert_eq!(
        test,
        [2, 8, 21, 26, 32, 35, 37, 40, 44, 47, 49, 51, 58, 59, 63, 67, 80, 90, 92, 95]
    );
}

#[test]
fn one_client_for_each_value_of_a_column() {
    let folder = tempfile::tempdir().unwrap();
    let text = "a,site,label\n1,b,0\n2,a,1\n3,b,0\n4,c,1\n5,a,0\n";
    std::fs::write(folder.path().join("data.csv"), text).unwrap();
    let options = flare_data::CsvOptions { exclude: vec!["site".to_owned()], ..csv() };
    let source = Source::new(folder.path(), Options::Csv(options));
    let view = View::all(source.load().unwrap());
    let column = |column: &str| Partition::Column { column: column.to_owned() };
    let parts = source.partition(&column("site"), &view, 3, 0).unwrap();
    assert_eq!(
        parts.iter().map(|part| part.to_vec()).collect::<Vec<_>>(),
        [vec![1, 4], vec![0, 2], vec![3]]
    );
    assert_eq!(
        source.partition(&column("site"), &view, 4, 0).unwrap_err().to_string(),
        "partition: column 'site' has 3 values, but there are 4 clients: it takes one client for each value"
    );
    let error = source.partition(&column("ward"), &view, 3, 0).unwrap_err().to_string();
    assert!(
        error.ends_with("there is no column 'ward'; the columns are 'a', 'site', 'label'"),
        "{error}"
    );
    // Only the values in the view count.
    let some = View::new(view.dataset().clone(), Some(Arc::new([1, 3]))).unwrap();
    assert_eq!(source.partition(&column("site"), &some, 2, 0).unwrap().len(), 2);
}

#[test]
fn partitions_are_typed_text() {
    let read = |text: &str| serde_json::from_str::<Partition>(text);
    assert_eq!(read(r#"{"kind": "iid"}"#).unwrap(), Partition::Iid {});
    assert_eq!(read(r#"{"kind": "dirichlet", "alpha": 0.5}"#).unwrap(), dirichlet(0.5, 10));
    assert_eq!(read(r#"{"kind": "shards"}"#).unwrap(), shards(2));
    let column = Partition::Column { column: "site".to_owned() };
    assert_eq!(read(r#"{"kind": "column", "column": "site"}"#).unwrap(), column);
    for (text, fault) in [
        (r#"{"kind": "iid", "alpha": 1}"#, "unknown field `alpha`"),
        (r#"{"kind": "dirichlet"}"#, "missing field `alpha`"),
        (r#"{"kind": "dirichlet", "alpha": 1, "min": 3}"#, "unknown field `min`"),
        (r#"{"kind": "dirichlet", "alpha": 1, "min_size": 0}"#, "nonzero"),
        (r#"{"kind": "uneven"}"#, "unknown variant `uneven`"),
    ] {
        let error = read(text).unwrap_err().to_string();
        assert!(error.contains(fault), "{text}: {error}");
    }
    let schema = serde_json::to_string(&schemars::schema_for!(Partition)).unwrap();
    assert!(schema.contains("The concentration"), "{schema}");
    assert_eq!(MAX_DIRICHLET_DRAWS, 1000);
}

#[test]
fn held_out_rows_are_drawn_and_the_rest_trains() {
    let view = view(100, 4);
    let (train, test) = held_out(&view, HeldOut::Count(20), 0).unwrap();
    assert_eq!((train.len(), test.len()), (80, 20));
    let all: BTreeSet<u32> = train.iter().chain(&test).copied().collect();
    assert_eq!(all.len(), 100);
    assert!(train.is_sorted() && test.is_sorted());
    assert!(test[0] < 30 && test[19] > 70, "{test:?}");
    assert_eq!(held_out(&view, HeldOut::Count(20), 0).unwrap(), (train, test.clone()));
    assert_ne!(held_out(&view, HeldOut::Count(20), 1).unwrap().1, test);
    let fraction: HeldOut = serde_json::from_str(r#"{"fraction": 0.29}"#).unwrap();
    assert_eq!(held_out(&view, fraction, 0).unwrap().1.len(), 29);
    let count: HeldOut = serde_json::from_str(r#"{"count": 0}"#).unwrap();
    assert!(held_out(&view, count, 0).unwrap().1.is_empty());
    assert_eq!(
        held_out(&view, HeldOut::Count(100), 0).unwrap_err().to_string(),
        "partition: held_out = 100 cannot be: of 100 rows at least one must be left for training"
    );
}

/// Rows that are held out of a view are numbers of the data set, not of the view.
#[test]
fn held_out_rows_of_a_part() {
    let all = view(100, 4);
    let odd: Arc<[u32]> = (0..100).filter(|i| i % 2 == 1).collect();
    let view = View::new(all.dataset().clone(), Some(odd)).unwrap();
    let (train, test) = held_out(&view, HeldOut::Count(10), 0).unwrap();
    assert!(train.iter().chain(&test).all(|row| row % 2 == 1));
    assert_eq!(train.len() + test.len(), 50);
}
