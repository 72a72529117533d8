//! A chart as SVG: lines and bands over rounds.

use super::markup::Page;
use super::scale::{Measure, Scale};

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 260.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 30.0;
/// The most marks along the rounds.
const ROUND_TICKS: usize = 8;

/// Which of the two colours a line has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    First,
    Second,
}

/// A value by round; a gap where there is none.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) name: String,
    pub(super) tone: Tone,
    pub(super) values: Vec<Option<f64>>,
}

/// A range by round; a gap where there is none.
#[derive(Debug, Clone)]
pub(super) struct Band {
    pub(super) name: String,
    pub(super) edges: Vec<Option<(f64, f64)>>,
}

/// Lines and bands with one axis.
#[derive(Debug, Clone)]
pub(super) struct Chart {
    title: String,
    measure: Measure,
    rounds: Vec<u64>,
    zero: bool,
    lines: Vec<Line>,
    pub(super) bands: Vec<Band>,
}

/// Where things are in the drawing.
struct Frame<'a> {
    rounds: &'a [u64],
    scale: Scale,
}

impl Chart {
    /// An empty chart over these rounds, which ascend.
    pub(super) fn new(
        title: &str,
        measure: Measure,
        rounds: impl IntoIterator<Item = u64>,
    ) -> Self {
        Self {
            title: title.into(),
            measure,
            rounds: rounds.into_iter().collect(),
            zero: false,
            lines: Vec::new(),
            bands: Vec::new(),
        }
    }

    /// Its axis begins at zero.
    pub(super) fn starting_at_zero(mut self) -> Self {
        self.zero = true;
        self
    }

    /// Adds a line that has any value.
    pub(super) fn push(&mut self, line: Line) {
        if line.values.iter().flatten().any(|value| value.is_finite()) {
            self.lines.push(line);
        }
    }

    /// Draws it.
    pub(super) fn draw(&self, page: &mut Page) {
        page.raw("<figure>\n<figcaption>").text(&self.title);
        self.legend(page);
        page.raw("</figcaption>\n");
        page.raw("<svg role=\"img\" viewBox=\"0 0 ").number(WIDTH).raw(" ").number(HEIGHT);
        page.raw("\" aria-label=\"").text(&self.title).raw(" by round\">\n");
        let (low, high) = self.range();
        let frame = Frame { rounds: &self.rounds, scale: Scale::new(self.measure, low, high) };
        frame.axes(page);
        for band in &self.bands {
            frame.band(page, band);
        }
        for line in &self.lines {
            frame.line(page, line);
        }
        self.tips(page, &frame);
        page.raw("</svg>\n</figure>\n");
    }

    fn range(&self) -> (f64, f64) {
        let lines = self.lines.iter().flat_map(|line| line.values.iter().flatten().copied());
        let edges = self.bands.iter().flat_map(|band| band.edges.iter().flatten());
        let values = lines.chain(edges.flat_map(|(low, high)| [*low, *high]));
        let start = if self.zero { (0.0, 0.0) } else { (f64::INFINITY, f64::NEG_INFINITY) };
        let finite = values.filter(|value| value.is_finite());
        finite.fold(start, |(low, high), value| (low.min(value), high.max(value)))
    }

    fn legend(&self, page: &mut Page) {
        if self.lines.len() + self.bands.len() < 2 {
            return;
        }
        page.raw("<span class=\"legend\">");
        for line in self.lines.iter().rev() {
            page.raw("<span><i class=\"").raw(line.tone.class()).raw("\"></i>");
            page.text(&line.name).raw("</span>");
        }
        for (at, band) in self.bands.iter().enumerate() {
            page.raw("<span><i class=\"band\"></i>");
            page.raw(if at == 0 { "" } else { "<i class=\"band over\"></i>" });
            page.text(&band.name).raw("</span>");
        }
        page.raw("</span>");
    }

    /// What a pointer that rests on a round is told.
    fn tips(&self, page: &mut Page, frame: &Frame<'_>) {
        page.raw("<g class=\"tips\">\n");
        for (at, round) in self.rounds.iter().enumerate() {
            let (from, to) = frame.column(at);
            page.raw("<rect x=\"").number(from).raw("\" y=\"").number(TOP);
            page.raw("\" width=\"").number(to - from);
            page.raw("\" height=\"").number(HEIGHT - TOP - BOTTOM).raw("\"><title>");
            page.text(&self.tip(at, *round)).raw("</title></rect>\n");
        }
        page.raw("</g>\n");
    }

    fn tip(&self, at: usize, round: u64) -> String {
        let mut words = format!("round {round}");
        for line in self.lines.iter().rev() {
            if let Some(value) = line.values[at] {
                words.push_str(&format!("; {}: {}", line.name, self.measure.shown(value)));
            }
        }
        for band in &self.bands {
            if let Some((low, high)) = band.edges[at] {
                let (low, high) = (self.measure.shown(low), self.measure.shown(high));
                words.push_str(&format!("; {}: {low} to {high}", band.name));
            }
        }
        words
    }
}

impl Tone {
    fn class(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Second => "second",
        }
    }
}

impl Frame<'_> {
    fn x(&self, at: usize) -> f64 {
        let (first, last) = (self.rounds[0], self.rounds[self.rounds.len() - 1]);
        let share = if last > first {
            (self.rounds[at] - first) as f64 / (last - first) as f64
        } else {
            0.5
        };
        LEFT + share * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, value: f64) -> f64 {
        HEIGHT - BOTTOM - self.scale.place(value) * (HEIGHT - TOP - BOTTOM)
    }

    /// From half way to the round before to half way to the round after.
    fn column(&self, at: usize) -> (f64, f64) {
        let here = self.x(at);
        let from = if at == 0 { LEFT } else { f64::midpoint(self.x(at - 1), here) };
        let end = at + 1 == self.rounds.len();
        let to = if end { WIDTH - RIGHT } else { f64::midpoint(here, self.x(at + 1)) };
        (from, to)
    }

    fn axes(&self, page: &mut Page) {
        page.raw("<g class=\"axes\">\n");
        for tick in &self.scale.ticks {
            let y = self.y(*tick);
            page.raw("<path d=\"M").number(LEFT).raw(" ").number(y).raw("H");
            page.number(WIDTH - RIGHT).raw("\"/><text class=\"y\" x=\"").number(LEFT - 8.0);
            page.raw("\" y=\"").number(y + 4.0).raw("\">").text(&self.scale.label(*tick));
            page.raw("</text>\n");
        }
        for at in self.round_ticks() {
            page.raw("<text class=\"x\" x=\"").number(self.x(at)).raw("\" y=\"");
            page.number(HEIGHT - 8.0).raw("\">").text(&self.rounds[at].to_string());
            page.raw("</text>\n");
        }
        page.raw("</g>\n");
    }

    /// Evenly spread rounds, the first and the last among them.
    fn round_ticks(&self) -> Vec<usize> {
        let last = self.rounds.len() - 1;
        let spaces = last.min(ROUND_TICKS - 1);
        let mut ticks: Vec<usize> = (0..=spaces).map(|n| n * last / spaces.max(1)).collect();
        ticks.dedup();
        ticks
    }

    fn line(&self, page: &mut Page, line: &Line) {
        let points = line.values.iter().enumerate().map(|(at, value)| {
            let value = value.filter(|value| value.is_finite());
            value.map(|value| (self.x(at), self.y(value)))
        });
        let points: Vec<_> = points.collect();
        for part in points.split(Option::is_none).filter(|part| !part.is_empty()) {
            let part: Vec<(f64, f64)> = part.iter().flatten().copied().collect();
            if let [(x, y)] = part[..] {
                page.raw("<circle class=\"").raw(line.tone.class()).raw("\" cx=\"").number(x);
                page.raw("\" cy=\"").number(y).raw("\" r=\"3\"/>\n");
            } else {
                page.raw("<path class=\"").raw(line.tone.class()).raw("\" d=\"");
                path(page, part.into_iter()).raw("\"/>\n");
            }
        }
    }

    fn band(&self, page: &mut Page, band: &Band) {
        let edges: Vec<_> = band.edges.iter().enumerate().collect();
        for part in edges.split(|(_, edge)| edge.is_none()).filter(|part| part.len() > 1) {
            let edge = |(at, edge): &(usize, &Option<(f64, f64)>)| edge.map(|edge| (*at, edge));
            let upper =
                part.iter().filter_map(edge).map(|(at, (_, high))| (self.x(at), self.y(high)));
            let lower = part.iter().rev().filter_map(edge);
            let lower = lower.map(|(at, (low, _))| (self.x(at), self.y(low)));
            page.raw("<path class=\"band\" d=\"");
            path(page, upper.chain(lower)).raw("Z\"/>\n");
        }
    }
}

fn path(page: &mut Page, points: impl Iterator<Item = (f64, f64)>) -> &mut Page {
    for (at, (x, y)) in points.enumerate() {
        page.raw(if at == 0 { "M" } else { "L" }).number(x).raw(" ").number(y);
    }
    page
}
