//! Scales, and the plot of something over time. All plots over time have the same axis, one below
//! the other, so that what happened at the same time stands in one line.

use super::svg::{Anchor, Area, Size, Svg};
use super::words;

/// Room left of a plot, for the scale.
pub(crate) const LEFT: f64 = 64.0;
/// Room right of it.
pub(crate) const RIGHT: f64 = 14.0;
/// Room below it, for the axis.
pub(crate) const BELOW: f64 = 26.0;
/// Room above it, so that the topmost number of the scale is not cut.
const ABOVE: f64 = 10.0;
/// The least room between two marks of faults in a plot of something else.
const MARKS: f64 = 3.0;

/// What a number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Count,
    Bytes,
}

impl Unit {
    fn text(self, number: u64) -> String {
        match self {
            Self::Count => words::short(number),
            Self::Bytes => words::bytes(number),
        }
    }
}

/// The lines of a scale from 0 that ends at or above `max`: at most five, and round.
pub(crate) fn scale(max: u64, unit: Unit) -> Vec<u64> {
    let max = max.max(1);
    let mut step = 1_u64;
    let mut round = 0;
    while max.div_ceil(step) > 4 {
        // 1, 2, 5, 10 …; in bytes 1, 2, 4, 8 …
        let next = match (unit, round % 3) {
            (Unit::Count, 1) => step / 2 * 5,
            _ => step.saturating_mul(2),
        };
        round += 1;
        if next <= step {
            break;
        }
        step = next;
    }
    let steps = max.div_ceil(step);
    (0..=steps).map(|n| n.saturating_mul(step)).collect()
}

/// Where times stand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TimeAxis {
    pub(crate) size: Size,
    pub(crate) end_us: u64,
    /// When faults were over, if the run came so far and went on.
    pub(crate) calm_us: Option<u64>,
}

impl TimeAxis {
    pub(crate) fn x(&self, us: u64) -> f64 {
        let room = self.size.width() - LEFT - RIGHT;
        let end = self.end_us.max(1);
        LEFT + room * (us.min(end) as f64) / (end as f64)
    }

    /// The times that are written below: round, and few enough.
    pub(crate) fn ticks(&self) -> Vec<u64> {
        const STEPS_MS: [u64; 24] = [
            1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 15_000, 30_000,
            60_000, 120_000, 300_000, 600_000, 900_000, 1_800_000, 3_600_000, 7_200_000,
            14_400_000,
        ];
        let most = self.size.pick(8, 4);
        let fits = |step: &u64| self.end_us / step <= most;
        let step = STEPS_MS.iter().map(|ms| ms * 1000).find(fits);
        let step = step.unwrap_or_else(|| {
            let mut step = 21_600_000_000_u64;
            while !fits(&step) {
                step *= 2;
            }
            step
        });
        (0..=self.end_us / step).map(|n| n * step).collect()
    }

    /// The stretch after the faults, and the axis below with its times.
    pub(crate) fn draw(&self, svg: &mut Svg, top: f64, base: f64) {
        if let Some(calm) = self.calm_us {
            let (x, end) = (self.x(calm), self.x(self.end_us));
            let area = Area {
                x,
                y: top,
                w: end - x,
                h: base - top,
            };
            svg.rect("calm", area, "");
        }
        for us in self.ticks() {
            let x = self.x(us);
            svg.line("tick", (x, base), (x, base + 4.0));
            let near_end = x > self.size.width() - 30.0;
            let (anchor, x) = match us {
                0 => (Anchor::Start, x - 3.0),
                _ if near_end => (Anchor::End, self.size.width() - 1.0),
                _ => (Anchor::Middle, x),
            };
            svg.text("scale", anchor, (x, base + 18.0), &words::time(us));
        }
        svg.line("axis", (LEFT, base), (self.size.width() - RIGHT, base));
    }
}

/// How the values of a curve are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A line.
    Line,
    /// A line, and what lies below it filled.
    Area,
}

/// What the values of a curve are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Values {
    /// Each holds for a column.
    Steps,
    /// Each is reached at the end of a column, the first column begins at 0.
    Reached,
}

/// One curve. The class gives it its colour.
pub(crate) struct Curve {
    pub(crate) class: &'static str,
    pub(crate) shape: Shape,
    pub(crate) meaning: Values,
    pub(crate) values: Vec<u64>,
}

/// A plot of something over time.
pub(crate) struct TimePlot<'a> {
    /// What is read out instead of it.
    pub(crate) label: &'a str,
    pub(crate) axis: TimeAxis,
    pub(crate) height: f64,
    pub(crate) unit: Unit,
    /// The width of a column, in microseconds.
    pub(crate) column_us: u64,
    pub(crate) curves: Vec<Curve>,
    /// When faults happened.
    pub(crate) faults: &'a [u64],
    /// What is shown to who points at a column.
    pub(crate) tips: &'a [String],
}

impl TimePlot<'_> {
    pub(crate) fn draw(&self) -> String {
        let width = self.axis.size.width();
        let base = self.height - BELOW;
        let mut svg = Svg::new(width, self.height, self.label);
        self.axis.draw(&mut svg, ABOVE, base);
        let highest = self.curves.iter().flat_map(|curve| &curve.values).max();
        let lines = scale(highest.copied().unwrap_or(0), self.unit);
        let top = lines.last().copied().unwrap_or(1).max(1) as f64;
        let y = |value: u64| base - (base - ABOVE) * (value as f64) / top;
        for line in &lines {
            let at = y(*line);
            if *line > 0 {
                svg.line("grid", (LEFT, at), (width - RIGHT, at));
            }
            svg.text(
                "scale",
                Anchor::End,
                (LEFT - 8.0, at + 4.0),
                &self.unit.text(*line),
            );
        }
        let mut free = 0.0;
        for at in self.faults {
            let x = self.axis.x(*at);
            if x >= free {
                svg.line("mark", (x, base), (x, base - 6.0));
                free = x + MARKS;
            }
        }
        for curve in &self.curves {
            self.curve(&mut svg, curve, base, y);
        }
        if !self.axis.size.is_narrow() {
            self.tips(&mut svg, base);
        }
        svg.finish()
    }

    fn curve(&self, svg: &mut Svg, curve: &Curve, base: f64, y: impl Fn(u64) -> f64) {
        let edge = |at: usize| self.axis.x((at as u64).saturating_mul(self.column_us));
        let mut points = Vec::with_capacity(2 * curve.values.len() + 1);
        if curve.meaning == Values::Reached {
            points.push((edge(0), y(0)));
        }
        for (at, value) in curve.values.iter().enumerate() {
            if curve.meaning == Values::Steps {
                points.push((edge(at), y(*value)));
            }
            points.push((edge(at + 1), y(*value)));
        }
        if curve.shape == Shape::Area {
            svg.path(&format!("area {}", curve.class), &points, Some(base));
        }
        svg.path(&format!("line {}", curve.class), &points, None);
    }

    fn tips(&self, svg: &mut Svg, base: f64) {
        for (at, tip) in self.tips.iter().enumerate() {
            let from = (at as u64).saturating_mul(self.column_us);
            let (x, end) = (
                self.axis.x(from),
                self.axis.x(from.saturating_add(self.column_us)),
            );
            let area = Area {
                x,
                y: ABOVE,
                w: end - x,
                h: base - ABOVE,
            };
            svg.rect("tip", area, tip);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{TimeAxis, Unit, scale};
    use crate::report::svg::Size;

    #[test]
    fn scales_are_round_short_and_high_enough() {
        assert_eq!(scale(0, Unit::Count), [0, 1]);
        assert_eq!(scale(17, Unit::Count), [0, 5, 10, 15, 20]);
        assert_eq!(scale(3 << 20, Unit::Bytes), [0, 1 << 20, 2 << 20, 3 << 20]);
        for max in [1, 4, 5, 99, 1_234, 987_654_321, u64::MAX / 4] {
            for unit in [Unit::Count, Unit::Bytes] {
                let lines = scale(max, unit);
                assert!(
                    lines.len() <= 5 && *lines.last().unwrap() >= max,
                    "{max}: {lines:?}"
                );
            }
        }
        assert!(!scale(u64::MAX, Unit::Bytes).is_empty());
    }

    #[test]
    fn an_axis_has_few_times_at_any_length() {
        for end_us in [
            0,
            1,
            999,
            1_000_000,
            90_000_000,
            86_400_000_000,
            u64::MAX / 2,
        ] {
            for size in [Size::Wide, Size::Narrow] {
                let axis = TimeAxis {
                    size,
                    end_us,
                    calm_us: None,
                };
                let ticks = axis.ticks();
                assert!((1..=9).contains(&ticks.len()), "{end_us}: {ticks:?}");
                assert!(ticks.iter().all(|tick| axis.x(*tick) <= size.width()));
            }
        }
    }
}
