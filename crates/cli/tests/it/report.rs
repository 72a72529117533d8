//! The report of a run, as a browser without a network would show it.

use crate::place::{FIXED, Place};

#[test]
fn the_report_shows_the_run_and_loads_nothing() {
    let place = Place::with_job(FIXED);
    let ended = place.flare(&["run", "job.toml", "--quiet", "--out", "out"]).well();
    let page = place.read("out/report.html");
    let hash = ended.figure("model hash");
    for shown in [hash.as_str(), "75.00 %", "1.250", "<svg", "accuracy", "loss", "time of a round"]
    {
        assert!(page.contains(shown), "{shown}");
    }
    for loads in ["://", "src=", "href=", "url(", "@import", "<script"] {
        assert!(!page.contains(loads), "{loads}");
    }
    assert_eq!(page.matches("<title>round 3").count(), 4, "a tip for each chart");
    let bands = page.matches("clients, least to most").count();
    assert_eq!(bands, 2 * (1 + 3), "accuracy and loss, each with a legend and three tips");
    assert!(!page.contains("not finished"));
}

#[test]
fn a_metrics_name_brings_no_markup() {
    let wild = FIXED.replace("name = \"loss\"", "name = \"<script>alert(1)</script>&\"");
    let place = Place::with_job(&wild);
    place.flare(&["run", "job.toml", "--quiet", "--out", "out"]).well().figure("rounds");
    let page = place.read("out/report.html");
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;&amp;"), "the name is shown");
    assert!(!page.contains("<script"));
}
