//! The plots over time: what was delivered, who was there, what went wrong, what waited, what
//! travelled.

use super::plot::{BELOW, Curve, LEFT, RIGHT, Shape, TimeAxis, TimePlot, Unit, Values};
use super::svg::{Anchor, Area, Size, Svg, fit};
use super::{Report, words};
use crate::metrics::Column;

/// Kinds of faults that have a row of their own; the others share the last.
const LANES: usize = 12;
/// The height of such a row.
const LANE: f64 = 34.0;

/// What the plots over time of one report share.
pub(crate) struct Charts<'a> {
    report: &'a Report,
    end_us: u64,
    calm_us: Option<u64>,
    column_us: u64,
    columns: &'a [Column],
    faults: Vec<u64>,
}

impl<'a> Charts<'a> {
    pub(crate) fn new(report: &'a Report) -> Self {
        let series = report.metrics.series();
        let end_us = report.run.simulated.as_micros().max(1);
        let calm_us = report.summary.length_ms.saturating_mul(1000);
        let mut faults: Vec<u64> = report.metrics.faults().map(|fault| fault.at_us).collect();
        let listed = faults.last().copied().unwrap_or(0);
        // Those that are not listed are known by their columns.
        for (at, column) in (0_u64..).zip(series.columns()) {
            let begin = series.width_us().saturating_mul(at);
            if begin > listed && column.faults > 0 {
                faults.push(begin);
            }
        }
        Self {
            report,
            end_us,
            calm_us: (calm_us < end_us).then_some(calm_us),
            column_us: series.width_us(),
            columns: series.columns(),
            faults,
        }
    }

    fn axis(&self, size: Size) -> TimeAxis {
        TimeAxis {
            size,
            end_us: self.end_us,
            calm_us: self.calm_us,
        }
    }

    /// `8 h to 9 h`, for a column.
    fn stretch(&self, at: usize) -> String {
        self.stretch_of(at, at)
    }

    /// The same for columns from one to another.
    pub(crate) fn stretch_of(&self, first: usize, last: usize) -> String {
        let from = (first as u64).saturating_mul(self.column_us);
        let to = (last as u64 + 1)
            .saturating_mul(self.column_us)
            .min(self.end_us.max(from));
        format!("{} to {}", words::time(from), words::time(to))
    }

    /// A sum that grows from column to column.
    fn sums(&self, of: impl Fn(&Column) -> u64) -> Vec<u64> {
        let mut sum = 0;
        let mut sums = Vec::with_capacity(self.columns.len());
        for column in self.columns {
            sum += of(column);
            sums.push(sum);
        }
        sums
    }

    /// Draws curves over time with their tips, as high on a wide page and on a narrow one.
    fn plot(
        &self,
        (size, label): (Size, &str),
        (wide, narrow): (f64, f64),
        unit: Unit,
        (curves, tips): (Vec<Curve>, &[String]),
    ) -> String {
        let plot = TimePlot {
            label,
            axis: self.axis(size),
            height: size.pick(wide, narrow),
            unit,
            column_us: self.column_us,
            curves,
            faults: &self.faults,
            tips,
        };
        plot.draw()
    }

    /// Deliveries that there should be, and those that there were, added up.
    pub(crate) fn delivery(&self, size: Size, label: &str) -> String {
        let expected = self.sums(|column| column.expected);
        let shown = self.sums(|column| column.shown);
        let tips: Vec<String> = (0..shown.len())
            .map(|at| {
                let (shown, expected) = (words::count(shown[at]), words::count(expected[at]));
                format!("{}\n{shown} shown of {expected} expected", self.stretch(at))
            })
            .collect();
        let curve = |class, shape, values| Curve {
            class,
            shape,
            meaning: Values::Reached,
            values,
        };
        let curves = vec![
            curve("shown", Shape::Area, shown),
            curve("expected", Shape::Line, expected),
        ];
        self.plot((size, label), (280.0, 230.0), Unit::Count, (curves, &tips))
    }

    /// People online, the mean of each column.
    pub(crate) fn online(&self, size: Size, label: &str) -> String {
        let means = self.report.metrics.series().online_permille();
        let values: Vec<u64> = means.iter().map(|mean| (mean + 500) / 1000).collect();
        let tips: Vec<String> = means
            .iter()
            .enumerate()
            .map(|(at, mean)| {
                let (whole, tenth) = (mean / 1000, mean % 1000 / 100);
                format!(
                    "{}\n{}.{tenth} online",
                    self.stretch(at),
                    words::count(whole)
                )
            })
            .collect();
        let curves = vec![Curve {
            class: "person",
            shape: Shape::Area,
            meaning: Values::Steps,
            values,
        }];
        self.plot((size, label), (150.0, 140.0), Unit::Count, (curves, &tips))
    }

    /// The most that waited on the links of a node, by class, and the mean.
    pub(crate) fn queue(&self, size: Size, label: &str) -> String {
        let tips: Vec<String> = (0..self.columns.len())
            .map(|at| {
                let [persons, cores] = &self.columns[at].queue;
                let line = |depth: &crate::metrics::Depth| {
                    let (max, mean) = (words::bytes(depth.max), words::bytes(depth.mean()));
                    format!("at most {max}, {mean} on average")
                };
                let stretch = self.stretch(at);
                format!(
                    "{stretch}\npersons {}\ncore nodes {}",
                    line(persons),
                    line(cores)
                )
            })
            .collect();
        let curve = |class, shape, of: fn(&Column) -> u64| Curve {
            class,
            shape,
            meaning: Values::Steps,
            values: self.columns.iter().map(of).collect(),
        };
        let curves = vec![
            curve("core", Shape::Area, |column| column.queue[1].mean()),
            curve("person", Shape::Area, |column| column.queue[0].mean()),
            curve("core most", Shape::Line, |column| column.queue[1].max),
            curve("person most", Shape::Line, |column| column.queue[0].max),
        ];
        self.plot((size, label), (190.0, 170.0), Unit::Bytes, (curves, &tips))
    }

    /// Bytes that left nodes in each second, persons' upon core nodes'.
    pub(crate) fn traffic(&self, size: Size, label: &str) -> String {
        let each_second = |bytes: u64| {
            let bytes = u128::from(bytes) * 1_000_000 / u128::from(self.column_us.max(1));
            u64::try_from(bytes).unwrap_or(u64::MAX)
        };
        let rate = |of: fn(&Column) -> u64| -> Vec<u64> {
            self.columns
                .iter()
                .map(|column| each_second(of(column)))
                .collect()
        };
        let cores = rate(|column| column.bytes[1]);
        let both = rate(|column| column.bytes[0] + column.bytes[1]);
        let tips: Vec<String> = (0..both.len())
            .map(|at| {
                let (core, person) = (words::bytes(cores[at]), words::bytes(both[at] - cores[at]));
                let stretch = self.stretch(at);
                format!("{stretch}\npersons {person}/s\ncore nodes {core}/s")
            })
            .collect();
        let curve = |class, values| Curve {
            class,
            shape: Shape::Area,
            meaning: Values::Steps,
            values,
        };
        let curves = vec![curve("person stacked", both), curve("core stacked", cores)];
        self.plot((size, label), (190.0, 170.0), Unit::Bytes, (curves, &tips))
    }

    /// The kinds of faults in the order of their first, each with a row.
    fn lanes(&self) -> Vec<&str> {
        let mut lanes: Vec<&str> = Vec::new();
        for fault in self.report.metrics.faults() {
            let kind = fault.kind();
            if lanes.len() < LANES && !lanes.contains(&kind) {
                lanes.push(kind);
            }
        }
        lanes
    }

    /// What went wrong when: a row for each kind, a mark for each fault, a bar for what lasts.
    pub(crate) fn faults(&self, size: Size, label: &str) -> String {
        let lanes = self.lanes();
        let base = LANE * lanes.len() as f64 + 4.0;
        let mut svg = Svg::new(size.width(), base + BELOW, label);
        let axis = self.axis(size);
        axis.draw(&mut svg, 0.0, base);
        let lane = |kind: &str| {
            let own = lanes.iter().position(|lane| *lane == kind);
            own.unwrap_or(lanes.len() - 1) as f64 * LANE
        };
        for (at, kind) in lanes.iter().enumerate() {
            let y = at as f64 * LANE;
            let others = at + 1 == LANES
                && self
                    .report
                    .metrics
                    .faults()
                    .any(|fault| !lanes.contains(&fault.kind()));
            let name = if others { "and others" } else { kind };
            let name = fit(name, size.width() - LEFT - RIGHT, 7.0);
            svg.text("lane", Anchor::Start, (LEFT, y + 13.0), &name);
            svg.line("grid", (LEFT, y + 25.0), (size.width() - RIGHT, y + 25.0));
        }
        let known = |kind: &str| lanes.contains(&kind);
        for span in self.report.spans.iter().filter(|span| known(span.kind)) {
            if span.from_us > self.end_us {
                continue;
            }
            let (x, end) = (axis.x(span.from_us), axis.x(span.to_us));
            let area = Area {
                x,
                y: lane(span.kind) + 21.0,
                w: (end - x).max(2.0),
                h: 8.0,
            };
            let (from, to) = (words::time(span.from_us), words::time(span.to_us));
            svg.rect(
                "span",
                area,
                &format!("{}: {}\n{from} to {to}", span.kind, span.what),
            );
        }
        self.unlisted(&mut svg, &axis, base);
        for fault in self.report.metrics.faults() {
            let area = Area {
                x: axis.x(fault.at_us) - 1.5,
                y: lane(fault.kind()) + 18.0,
                w: 3.0,
                h: 14.0,
            };
            let when = words::time(fault.at_us);
            svg.rect(
                "fault",
                area,
                &format!("{}\nafter {when}", self.report.fault_words(fault)),
            );
        }
        svg.finish()
    }
}

impl Charts<'_> {
    /// Says from where on faults are counted and no longer listed.
    fn unlisted(&self, svg: &mut Svg, axis: &TimeAxis, base: f64) {
        let metrics = &self.report.metrics;
        let kept = metrics.faults().count() as u64;
        let Some(last) = metrics
            .faults()
            .last()
            .filter(|_| metrics.faults_all() > kept)
        else {
            return;
        };
        let (x, end) = (axis.x(last.at_us) + 3.0, axis.x(self.end_us));
        svg.line("centile", (x, 0.0), (x, base));
        let text = format!("{} later", words::count(metrics.faults_all() - kept));
        let (anchor, x) = if end - x > 80.0 {
            (Anchor::Start, x + 6.0)
        } else {
            (Anchor::End, x - 6.0)
        };
        svg.text("centile-name", anchor, (x, 13.0), &text);
    }
}
