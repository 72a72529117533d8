//! Axes: which numbers stand beside a chart, and how they are written.

/// What an axis measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Measure {
    /// A number.
    Plain,
    /// A share, shown in per cent.
    Share,
    /// Seconds, shown in the unit that fits.
    Seconds,
    /// Bytes, shown in the decimal unit that fits.
    Bytes,
}

/// The range of an axis and where its marks are, in the measure's own unit.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scale {
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) ticks: Vec<f64>,
    step: f64,
    divisor: f64,
    unit: &'static str,
}

/// About so many marks on an axis.
const TICKS: f64 = 4.0;

impl Measure {
    /// By what to divide, and the unit then, for values up to `most`.
    fn unit(self, most: f64) -> (f64, &'static str) {
        match self {
            Self::Plain => (1.0, ""),
            Self::Share => (0.01, " %"),
            Self::Seconds if most < 1.0 => (1e-3, " ms"),
            Self::Seconds => (1.0, " s"),
            Self::Bytes if most < 1e3 => (1.0, " B"),
            Self::Bytes if most < 1e6 => (1e3, " kB"),
            Self::Bytes if most < 1e9 => (1e6, " MB"),
            Self::Bytes => (1e9, " GB"),
        }
    }

    /// A value for a table or a tooltip, four digits or so.
    pub(super) fn shown(self, value: f64) -> String {
        let (divisor, unit) = self.unit(value.abs());
        format!("{}{unit}", digits(value / divisor))
    }
}

/// A number in about four digits.
fn digits(value: f64) -> String {
    match value.abs() {
        0.0 => "0".into(),
        size if !size.is_finite() => value.to_string(),
        size if !(1e-3..1e7).contains(&size) => format!("{value:.3e}"),
        size if size < 1.0 => format!("{value:.4}"),
        size if size < 10.0 => format!("{value:.3}"),
        size if size < 100.0 => format!("{value:.2}"),
        size if size < 1000.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

impl Scale {
    /// An axis over `low..=high`, which need be neither finite nor ordered, with marks at round numbers.
    pub(super) fn new(measure: Measure, low: f64, high: f64) -> Self {
        let (low, high) = ordered(low, high);
        let (divisor, unit) = measure.unit(low.abs().max(high.abs()));
        let step = round_step((high - low) / divisor / TICKS) * divisor;
        let (first, last) = ((low / step).floor(), (high / step).ceil());
        let count = (last - first).clamp(1.0, 4.0 * TICKS) as u32;
        let ticks: Vec<f64> = (0..=count).map(|at| (first + f64::from(at)) * step).collect();
        Self { low: ticks[0], high: ticks[count as usize], ticks, step, divisor, unit }
    }

    /// Where a value lies on the axis, from 0 at its low end to 1 at its high end.
    pub(super) fn place(&self, value: f64) -> f64 {
        ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }

    /// A mark's text.
    pub(super) fn label(&self, tick: f64) -> String {
        let (value, step) = (tick / self.divisor, self.step / self.divisor);
        if !(1e-5..1e6).contains(&step) {
            return if value == 0.0 { "0".into() } else { format!("{value:.1e}{}", self.unit) };
        }
        let mut decimals = 0;
        let mut fine = step;
        while decimals < 6 && (fine - fine.round()).abs() > 1e-6 * step.max(1e-3) {
            fine *= 10.0;
            decimals += 1;
        }
        let value = if value == 0.0 { 0.0 } else { value };
        format!("{value:.decimals$}{}", self.unit)
    }
}

/// A range that has a length and can be divided.
fn ordered(low: f64, high: f64) -> (f64, f64) {
    const MOST: f64 = 1e300;
    if !low.is_finite() || !high.is_finite() {
        return (0.0, 1.0);
    }
    let (low, high) = (low.clamp(-MOST, MOST), high.clamp(-MOST, MOST));
    let least = low.abs().max(high.abs()).max(1e-12) * 1e-6;
    if high - low < least { (low - least, low + least) } else { (low, high) }
}

/// The least of 1, 2, 2.5, 5 times a power of ten that is at least `raw`, which is positive.
fn round_step(raw: f64) -> f64 {
    let mut unit = 1.0;
    while unit * 10.0 <= raw {
        unit *= 10.0;
    }
    while unit > raw {
        unit /= 10.0;
    }
    let fits = |factor: &&f64| unit * **factor >= raw;
    unit * [1.0, 2.0, 2.5, 5.0].iter().find(fits).unwrap_or(&10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(measure: Measure, low: f64, high: f64) -> Vec<String> {
        let scale = Scale::new(measure, low, high);
        scale.ticks.iter().map(|tick| scale.label(*tick)).collect()
    }

    #[test]
    fn marks_are_round_numbers_around_the_values() {
        assert_eq!(labels(Measure::Plain, 0.0, 2.3), ["0", "1", "2", "3"]);
        assert_eq!(labels(Measure::Share, 0.62, 0.971), ["60 %", "70 %", "80 %", "90 %", "100 %"]);
        assert_eq!(
            labels(Measure::Bytes, 0.0, 8_400_000.0),
            ["0.0 MB", "2.5 MB", "5.0 MB", "7.5 MB", "10.0 MB"]
        );
        assert_eq!(labels(Measure::Seconds, 0.0, 0.004), ["0 ms", "1 ms", "2 ms", "3 ms", "4 ms"]);
    }

    #[test]
    fn any_range_gives_a_few_marks_in_order() {
        let odd = [0.0, -0.0, 1.0, -1.0, 1e-300, 5e-324, 1e300, f64::MAX, f64::INFINITY, f64::NAN];
        for low in odd {
            for high in odd {
                for measure in [Measure::Plain, Measure::Share, Measure::Seconds, Measure::Bytes] {
                    let scale = Scale::new(measure, low, high);
                    assert!((2..=17).contains(&scale.ticks.len()), "{low} {high} {scale:?}");
                    assert!(scale.ticks.is_sorted(), "{low} {high} {scale:?}");
                    assert!((0.0..=1.0).contains(&scale.place(0.5)), "{low} {high} {scale:?}");
                }
            }
        }
    }

    #[test]
    fn values_are_shown_in_a_unit_that_fits() {
        assert_eq!(Measure::Share.shown(0.9416), "94.16 %");
        assert_eq!(Measure::Seconds.shown(0.0123), "12.30 ms");
        assert_eq!(Measure::Bytes.shown(2_600.0), "2.600 kB");
        assert_eq!(Measure::Plain.shown(f64::NAN), "NaN");
        assert_eq!(Measure::Plain.shown(1e-9), "1.000e-9");
    }
}
