//! `flare data split`: what a site gets is what a run gives its client.

use std::fs;

use crate::place::{FIXED, Place};

/// Ten rows of two features, two classes, and two clients.
fn job() -> (String, String) {
    let data = "[data]\npath = \"rows.csv\"\nformat = \"csv\"\nlabel = \"label\"\nclasses = 2\nheld_out = 3\n\
                [data.partition]\nkind = \"iid\"\n";
    let rows = (0..10).map(|row| format!("{row},{},{}\n", row * 2, row % 2)).collect::<String>();
    (format!("{FIXED}{data}"), format!("a,b,label\n{rows}"))
}

#[test]
fn each_client_gets_a_folder_and_every_row_is_somewhere_once() {
    let (job, rows) = job();
    let place = Place::with_job(&job);
    place.write("rows.csv", &rows);
    let split = place.flare(&["data", "split", "job.toml", "--out", "sites"]).well();
    assert_eq!(split.stdout.lines().count(), 3, "{split}");
    let mut dealt = Vec::new();
    for (client, count) in [("client-0", 4), ("client-1", 3), ("held-out", 3)] {
        let text = fs::read_to_string(place.path("sites").join(client).join("data.csv")).unwrap();
        let lines: Vec<_> = text.lines().skip(1).map(str::to_owned).collect();
        let right = lines.len() == count || client != "held-out" && (3..=4).contains(&lines.len());
        assert!(right, "{client}: {lines:?}");
        dealt.extend(lines);
    }
    dealt.sort();
    let mut all: Vec<_> = rows.lines().skip(1).map(str::to_owned).collect();
    all.sort();
    assert_eq!(dealt, all);
}

#[test]
fn another_seed_deals_otherwise_and_the_same_seed_the_same() {
    let (job, rows) = job();
    let place = Place::with_job(&job);
    place.write("rows.csv", &rows);
    let client = |seed: &str, to: &str| {
        place.flare(&["data", "split", "job.toml", "--seed", seed, "--out", to]).well().to_string();
        place.read(&format!("{to}/client-0/data.csv"))
    };
    assert_eq!(client("1", "a"), client("1", "b"));
    assert_ne!(client("1", "c"), client("2", "d"));
}

#[test]
fn nothing_that_was_there_is_overwritten() {
    let (job, rows) = job();
    let place = Place::with_job(&job);
    place.write("rows.csv", &rows);
    place.flare(&["data", "split", "job.toml", "--out", "sites"]).well().to_string();
    let again = place.flare(&["data", "split", "job.toml", "--out", "sites"]);
    assert_eq!(again.code, Some(4), "{again}");
}

#[test]
fn a_job_without_data_has_nothing_to_split() {
    let place = Place::with_job(FIXED);
    let ended = place.flare(&["data", "split", "job.toml", "--out", "sites"]);
    assert_eq!(ended.code, Some(2), "{ended}");
    assert!(ended.stderr.contains("no [data]") && !place.path("sites").exists(), "{ended}");
}
