//! The tables of a report: closing figures, rounds, receipt.

use super::markup::Page;
use super::scale::Measure;
use super::{MAX_METRICS, Round, metric_names};

/// The closing table.
pub(super) fn figures(page: &mut Page, figures: &[(String, String)]) {
    if figures.is_empty() {
        return;
    }
    page.raw("<table class=\"figures\">\n");
    for (what, value) in figures {
        page.raw("<tr><th scope=\"row\">").text(what).raw("</th><td>").text(value);
        page.raw("</td></tr>\n");
    }
    page.raw("</table>\n");
}

/// One row a round, folded away.
pub(super) fn rounds(page: &mut Page, rounds: &[&Round]) {
    if rounds.is_empty() {
        return;
    }
    let names = metric_names(rounds);
    let names = &names[..names.len().min(4 * MAX_METRICS)];
    page.raw("<details>\n<summary>Rounds</summary>\n<div class=\"wide\"><table>\n<thead><tr>");
    page.raw("<th scope=\"col\">round</th>");
    for name in names {
        for whose in ["model", "clients' median"] {
            page.raw("<th scope=\"col\">").text(name).raw("<br><small>").text(whose);
            page.raw("</small></th>");
        }
    }
    page.raw("<th scope=\"col\">clients</th><th scope=\"col\">time</th>");
    page.raw("<th scope=\"col\">replies</th></tr></thead>\n<tbody>\n");
    for round in rounds {
        row(page, round, names);
    }
    page.raw("</tbody>\n</table></div>\n</details>\n");
}

fn row(page: &mut Page, round: &Round, names: &[&str]) {
    page.raw("<tr><th scope=\"row\">").text(&round.round.to_string()).raw("</th>");
    for name in names {
        let measure = if *name == "accuracy" { Measure::Share } else { Measure::Plain };
        let median = round.clients.get(*name).map(|spread| spread.median);
        for value in [round.metrics.get(*name).copied(), median] {
            cell(page, &value.map(|value| measure.shown(value)).unwrap_or_default());
        }
    }
    cell(page, &format!("{} of {}", round.counted, round.asked));
    cell(page, &Measure::Seconds.shown(round.seconds));
    cell(page, &Measure::Bytes.shown(round.bytes as f64));
    page.raw("</tr>\n");
}

fn cell(page: &mut Page, text: &str) {
    page.raw("<td>").text(text).raw("</td>");
}

/// The receipt, folded away.
pub(super) fn receipt(page: &mut Page, receipt: &str) {
    if receipt.is_empty() {
        return;
    }
    page.raw("<details>\n<summary>Receipt</summary>\n<pre>").lines(receipt);
    page.raw("</pre>\n</details>\n");
}
