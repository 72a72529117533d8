//! The report of a run: one page that works offline, without scripts and without anything from elsewhere.
//!
//! [`render`] makes text of plain data, and nothing else: whoever has the data writes the file. Names
//! and texts come from strangers, so each is escaped on its way in, by the one function that writes text.

mod chart;
mod markup;
#[cfg(feature = "local")]
mod of_run;
mod scale;
mod tables;

use std::collections::{BTreeMap, BTreeSet};

use chart::{Band, Chart, Line, Tone};
use markup::Page;
#[cfg(feature = "local")]
pub use of_run::figures;
use scale::Measure;

/// The most charts of metrics that a page has; the others are in the table of rounds.
const MAX_METRICS: usize = 8;
/// The most rounds that are drawn or listed one by one; of more, every n-th is.
pub const MAX_ROUNDS_SHOWN: usize = 500;

const STYLE: &str = include_str!("report/page.css");

/// What a report shows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    /// The job's name.
    pub job: String,
    /// The seed of the run.
    pub seed: u64,
    /// The number of clients on the roster.
    pub clients: u64,
    /// Whether no clock decided about the result.
    pub exact: bool,
    /// Whether the run came to its end.
    pub finished: bool,
    /// The closing table: what, and its value as it is to be shown.
    pub figures: Vec<(String, String)>,
    /// The rounds, in order.
    pub rounds: Vec<Round>,
    /// The receipt, as text.
    pub receipt: String,
}

/// One round of a run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Round {
    /// Its number, from 1.
    pub round: u64,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// The size of the replies that counted, in bytes.
    pub bytes: u64,
    /// Clients that were asked to train.
    pub asked: u64,
    /// Clients whose update counts.
    pub counted: u64,
    /// Metrics of the round's model, by name.
    pub metrics: BTreeMap<String, f64>,
    /// How these metrics lie over the clients, by name.
    pub clients: BTreeMap<String, Spread>,
}

/// How the values of a metric lie over clients.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Spread {
    /// The least.
    pub min: f64,
    /// A quarter is below.
    pub lower: f64,
    /// Half is below.
    pub median: f64,
    /// Three quarters are below.
    pub upper: f64,
    /// The greatest.
    pub max: f64,
}

/// The page of a report.
pub fn render(report: &Report) -> String {
    let mut page = Page::new();
    page.raw("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    page.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    // No page can load or run anything, whatever gets into it.
    page.raw("<meta http-equiv=\"Content-Security-Policy\" ");
    page.raw("content=\"default-src 'none'; style-src 'unsafe-inline'\">\n");
    page.within("title", |page| page.text(&format!("{}: report", report.job)));
    page.raw("<style>\n").raw(STYLE).raw("</style>\n</head>\n<body>\n<main>\n");
    heading(&mut page, report);
    tables::figures(&mut page, &report.figures);
    let shown = thinned(&report.rounds);
    charts(&mut page, &shown, report.rounds.len());
    tables::rounds(&mut page, &shown);
    tables::receipt(&mut page, &report.receipt);
    page.raw("</main>\n</body>\n</html>\n");
    page.finish()
}

fn heading(page: &mut Page, report: &Report) {
    page.raw("<header>\n");
    page.within("h1", |page| page.text(&report.job));
    let rounds = report.rounds.last().map_or(0, |round| round.round);
    let kind = if report.exact { "exact" } else { "timed: the clock decided who counted" };
    let mut words = format!(
        "{} · {} · seed {} · {kind}",
        counted(report.clients, "client"),
        counted(rounds, "round"),
        report.seed
    );
    if !report.finished {
        words.push_str(" · not finished");
    }
    page.raw("<p class=\"what\">").text(&words).raw("</p>\n</header>\n");
}

/// `1 round`, `2 rounds`.
fn counted(number: u64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// At most [`MAX_ROUNDS_SHOWN`] rounds and the last one.
fn thinned(rounds: &[Round]) -> Vec<&Round> {
    let step = rounds.len().div_ceil(MAX_ROUNDS_SHOWN).max(1);
    let last = rounds.len().saturating_sub(1);
    let picked = rounds.iter().enumerate().filter(|(at, _)| at % step == 0 || *at == last);
    picked.map(|(_, round)| round).collect()
}

fn charts(page: &mut Page, rounds: &[&Round], all: usize) {
    if rounds.is_empty() {
        page.raw("<p class=\"note\">No round was finished.</p>\n");
        return;
    }
    page.raw("<section class=\"charts\">\n");
    for name in metric_names(rounds).into_iter().take(MAX_METRICS) {
        metric_chart(name, rounds).draw(page);
    }
    time_chart(rounds).draw(page);
    bytes_chart(rounds).draw(page);
    page.raw("</section>\n");
    if rounds.len() < all {
        let note = format!("{} of {all} rounds are shown.", rounds.len());
        page.raw("<p class=\"note\">").text(&note).raw("</p>\n");
    }
}

/// Accuracy and loss come first, then the others by name.
fn metric_names<'a>(rounds: &[&'a Round]) -> Vec<&'a str> {
    let names = rounds.iter().flat_map(|round| round.metrics.keys().chain(round.clients.keys()));
    let names: BTreeSet<&str> = names.map(String::as_str).collect();
    let mut names: Vec<&str> = names.into_iter().collect();
    names.sort_by_key(|name| match *name {
        "accuracy" => 0,
        "loss" => 1,
        _ => 2,
    });
    names
}

fn metric_chart(name: &str, rounds: &[&Round]) -> Chart {
    let measure = if name == "accuracy" { Measure::Share } else { Measure::Plain };
    let mut chart = Chart::new(name, measure, rounds.iter().map(|round| round.round));
    let spreads: Vec<_> = rounds.iter().map(|round| round.clients.get(name)).collect();
    let edges = |of: fn(&Spread) -> (f64, f64)| spreads.iter().map(|at| at.map(of)).collect();
    if spreads.iter().any(Option::is_some) {
        let all = edges(|spread| (spread.min, spread.max));
        chart.bands.push(Band { name: "clients, least to most".into(), edges: all });
        let middle = edges(|spread| (spread.lower, spread.upper));
        chart.bands.push(Band { name: "middle half".into(), edges: middle });
    }
    let median = spreads.iter().map(|at| at.map(|spread| spread.median)).collect();
    chart.push(Line { name: "clients' median".into(), tone: Tone::Second, values: median });
    let model = rounds.iter().map(|round| round.metrics.get(name).copied()).collect();
    chart.push(Line { name: "model".into(), tone: Tone::First, values: model });
    chart
}

fn time_chart(rounds: &[&Round]) -> Chart {
    let mut chart =
        Chart::new("time of a round", Measure::Seconds, rounds.iter().map(|round| round.round));
    let values = rounds.iter().map(|round| Some(round.seconds)).collect();
    chart.push(Line { name: "time".into(), tone: Tone::First, values });
    chart.starting_at_zero()
}

fn bytes_chart(rounds: &[&Round]) -> Chart {
    let mut chart =
        Chart::new("replies of a round", Measure::Bytes, rounds.iter().map(|round| round.round));
    let values = rounds.iter().map(|round| Some(round.bytes as f64)).collect();
    chart.push(Line { name: "bytes".into(), tone: Tone::First, values });
    chart.starting_at_zero()
}

#[cfg(test)]
mod tests;
