//! The plots that are not over time: how long it took, what travelled, who holds what.

use super::plot::{BELOW, LEFT, RIGHT, Unit, scale};
use super::svg::{Anchor, Area, Size, Svg, fit};
use super::{Report, words};
use crate::metrics::{Frames, Held, Histogram, Holdings, frame_name};
use crate::plan::{NodeNo, TopicNo};
use std::collections::BTreeMap;

/// Times at which a scale of latencies may have a line, in microseconds.
const TIMES: [u64; 17] = [
    1,
    10,
    100,
    1_000,
    10_000,
    100_000,
    1_000_000,
    10_000_000,
    60_000_000,
    600_000_000,
    3_600_000_000,
    21_600_000_000,
    86_400_000_000,
    864_000_000_000,
    8_640_000_000_000,
    86_400_000_000_000,
    864_000_000_000_000,
];
/// The same where less than three of those would be seen.
const CLOSE_TIMES: [u64; 34] = [
    1,
    2,
    5,
    10,
    20,
    50,
    100,
    200,
    500,
    1_000,
    2_000,
    5_000,
    10_000,
    20_000,
    50_000,
    100_000,
    200_000,
    500_000,
    1_000_000,
    2_000_000,
    5_000_000,
    10_000_000,
    30_000_000,
    60_000_000,
    120_000_000,
    300_000_000,
    600_000_000,
    1_800_000_000,
    3_600_000_000,
    7_200_000_000,
    21_600_000_000,
    43_200_000_000,
    86_400_000_000,
    172_800_000_000,
];
/// Kinds of frames that have a bar of their own; the others share one.
const KINDS: usize = 14;

/// The percentiles that are marked: name, thousandths.
pub(crate) const MARKED: [(&str, u64); 4] = [
    ("50 %", 500),
    ("90 %", 900),
    ("99 %", 990),
    ("longest", 1000),
];

/// A scale on which each step is a doubling, for times.
struct LogAxis {
    left: f64,
    room: f64,
    low: f64,
    high: f64,
}

fn log(us: u64) -> f64 {
    (us.max(1) as f64).log2()
}

impl LogAxis {
    fn new(histogram: &Histogram, left: f64, room: f64) -> Self {
        let low = log(histogram.min_us()).floor();
        let high = log(histogram.max_us().saturating_add(1))
            .ceil()
            .max(low + 3.0);
        Self {
            left,
            room,
            low,
            high,
        }
    }

    fn x(&self, us: u64) -> f64 {
        let part = (log(us) - self.low) / (self.high - self.low);
        self.left + self.room * part.clamp(0.0, 1.0)
    }

    fn ticks(&self) -> Vec<u64> {
        let seen = |us: &u64| (self.low..=self.high).contains(&log(*us));
        let ticks: Vec<u64> = TIMES.into_iter().filter(seen).collect();
        if ticks.len() >= 3 {
            return ticks;
        }
        CLOSE_TIMES.into_iter().filter(seen).collect()
    }

    fn draw(&self, svg: &mut Svg, base: f64) {
        let (mut free, end) = (0.0, self.left + self.room);
        for us in self.ticks() {
            let at = self.x(us);
            if at < free {
                continue;
            }
            svg.line("tick", (at, base), (at, base + 4.0));
            let (anchor, text_at) = if at > end - 20.0 {
                (Anchor::End, end + 12.0)
            } else {
                (Anchor::Middle, at)
            };
            svg.text("scale", anchor, (text_at, base + 18.0), &words::time(us));
            free = at + 52.0;
        }
        svg.line("axis", (self.left, base), (end, base));
    }

    /// The percentiles, each with a row of its own so that no two names meet.
    fn mark(&self, svg: &mut Svg, histogram: &Histogram, base: f64) {
        let level = |row: usize| 14.0 + 16.0 * row as f64;
        let place = |permille| self.x(histogram.permille_us(permille));
        for (row, (_, permille)) in MARKED.into_iter().enumerate() {
            let at = place(permille);
            svg.line("centile", (at, level(row) - 10.0), (at, base));
        }
        // Names stand upon the lines.
        for (row, (name, permille)) in MARKED.into_iter().enumerate() {
            let at = place(permille);
            let text = format!("{name} {}", words::time(histogram.permille_us(permille)));
            let (anchor, text_at) = if at > self.left + self.room * 0.6 {
                (Anchor::End, at - 6.0)
            } else {
                (Anchor::Start, at + 6.0)
            };
            svg.text("centile-name", anchor, (text_at, level(row)), &text);
        }
    }
}

/// How long messages took, on a scale on which each step is a doubling.
pub(crate) fn latency(histogram: &Histogram, size: Size, label: &str) -> String {
    let (top, base) = (76.0, size.pick(270.0, 250.0));
    let end = size.width() - RIGHT;
    let axis = LogAxis::new(histogram, LEFT, end - LEFT);
    let mut svg = Svg::new(size.width(), base + BELOW, label);
    let pieces = grouped(histogram, size.pick(96, 40), axis.low, axis.high);
    let most = pieces.iter().map(|piece| piece.2).max().unwrap_or(0);
    let lines = scale(most, Unit::Count);
    let greatest = lines.last().copied().unwrap_or(1) as f64;
    let y = |count: u64| base - (base - top) * (count as f64) / greatest;
    for line in &lines {
        if *line > 0 {
            svg.line("grid", (LEFT, y(*line)), (end, y(*line)));
        }
        let at = (LEFT - 8.0, y(*line) + 4.0);
        svg.text("scale", Anchor::End, at, &words::short(*line));
    }
    for (from, to, count) in &pieces {
        let x = axis.x(*from);
        let area = Area {
            x,
            y: y(*count),
            w: (axis.x(*to) - x - 1.0).max(1.0),
            h: base - y(*count),
        };
        let (least, end) = (words::time(*from), words::time(*to));
        let part = words::percent(*count, histogram.count());
        let tip = format!("{least} to {end}\n{} ({part})", words::count(*count));
        svg.rect("bar", area, &tip);
    }
    axis.draw(&mut svg, base);
    axis.mark(&mut svg, histogram, base);
    svg.finish()
}

/// The steps of a histogram, put together to so many pieces, evenly on the scale.
fn grouped(histogram: &Histogram, pieces: u32, low: f64, high: f64) -> Vec<(u64, u64, u64)> {
    let mut groups: BTreeMap<u32, (u64, u64, u64)> = BTreeMap::new();
    let place = |us: u64| {
        let part = (log(us) - low) / (high - low);
        (part * f64::from(pieces)).clamp(0.0, f64::from(pieces - 1)) as u32
    };
    let edge = |piece: u32| {
        let part = low + (high - low) * f64::from(piece) / f64::from(pieces);
        part.exp2() as u64
    };
    for (least, end, count) in histogram.steps() {
        let middle = least + (end - least) / 2;
        let piece = place(middle);
        let group = groups.entry(piece);
        group
            .or_insert_with(|| (edge(piece), edge(piece + 1).max(edge(piece) + 1), 0))
            .2 += count;
    }
    groups.into_values().collect()
}

/// The kinds of frames by their bytes, the greatest first; what is beyond the rows put together.
fn greatest(report: &Report) -> Vec<(String, [Frames; 2])> {
    let mut kinds: Vec<(String, [Frames; 2])> = report
        .metrics
        .frames()
        .map(|(kind, both)| (frame_name(kind).to_owned(), both))
        .collect();
    kinds.sort_by_key(|(_, both)| std::cmp::Reverse(both[0].bytes + both[1].bytes));
    if kinds.len() > KINDS {
        let rest = kinds.split_off(KINDS - 1);
        let mut sum = [Frames::default(); 2];
        for (_, both) in &rest {
            for (sum, frames) in sum.iter_mut().zip(both) {
                sum.frames += frames.frames;
                sum.bytes += frames.bytes;
            }
        }
        kinds.push((format!("{} other kinds", rest.len()), sum));
    }
    kinds
}

/// Bytes of each kind of frames, by the class of the node that sent them.
pub(crate) fn kinds(report: &Report, size: Size, label: &str) -> String {
    let kinds = greatest(report);
    let total: u64 = kinds
        .iter()
        .map(|(_, both)| both[0].bytes + both[1].bytes)
        .sum();
    let most = kinds
        .first()
        .map_or(1, |(_, both)| both[0].bytes + both[1].bytes)
        .max(1);
    let row = size.pick(26.0, 40.0);
    let (left, right) = size.pick((150.0, 140.0), (0.0, 0.0));
    let room = size.width() - left - right;
    let mut svg = Svg::new(size.width(), row * kinds.len() as f64 + 4.0, label);
    for (at, (name, both)) in kinds.iter().enumerate() {
        let y = at as f64 * row;
        let sum = both[0].bytes + both[1].bytes;
        let value = format!("{} · {}", words::bytes(sum), words::percent(sum, total));
        let (bar_y, name_at, value_at) = size.pick(
            (y + 5.0, (left - 10.0, y + 18.0), (size.width(), y + 18.0)),
            (y + 20.0, (0.0, y + 14.0), (size.width(), y + 14.0)),
        );
        let name_side = size.pick(Anchor::End, Anchor::Start);
        svg.text("name", name_side, name_at, name);
        svg.text("value", Anchor::End, value_at, &value);
        let mut x = left;
        for (class, frames, who) in [
            ("core", both[1], "core nodes"),
            ("person", both[0], "persons"),
        ] {
            let w = room * frames.bytes as f64 / most as f64;
            let (number, bytes) = (words::count(frames.frames), words::bytes(frames.bytes));
            let area = Area {
                x,
                y: bar_y,
                w,
                h: 16.0,
            };
            if frames.frames > 0 {
                svg.rect(
                    &format!("fill {class}"),
                    area,
                    &format!("{name}, {who}\n{number} frames, {bytes}"),
                );
            }
            x += w;
        }
    }
    svg.finish()
}

/// Who holds what: a matrix of nodes and topics, or bars by class.
pub(crate) fn holdings(report: &Report, size: Size, label: &str) -> String {
    match report.metrics.holdings() {
        Holdings::Each(each) => matrix(report, each, size, label),
        Holdings::ByRole(roles) => roles_held(roles, size, label),
    }
}

/// The topics that anybody holds anything of, with the most envelopes that anybody holds of them.
pub(crate) fn fullest(
    each: &BTreeMap<(NodeNo, Option<TopicNo>), Held>,
) -> BTreeMap<Option<TopicNo>, Held> {
    let mut fullest: BTreeMap<Option<TopicNo>, Held> = BTreeMap::new();
    for ((_, topic), held) in each {
        let most = fullest.entry(*topic).or_default();
        most.envelopes = most.envelopes.max(held.envelopes);
        most.bodies = most.bodies.max(held.bodies);
    }
    fullest
}

fn matrix(
    report: &Report,
    each: &BTreeMap<(NodeNo, Option<TopicNo>), Held>,
    size: Size,
    label: &str,
) -> String {
    let topics = fullest(each);
    let mut nodes: Vec<NodeNo> = each.keys().map(|(node, _)| *node).collect();
    nodes.dedup();
    let names = size.pick(120.0, 92.0);
    let room = size.width() - names - 8.0;
    let cell_w = (room / topics.len().max(1) as f64).min(size.pick(110.0, 120.0));
    let row = if cell_w < 12.0 { 14.0 } else { 20.0 };
    let level = topics
        .keys()
        .all(|topic| report.topic_name(*topic).chars().count() as f64 * 7.0 + 6.0 <= cell_w);
    let head = match (level, cell_w >= 11.0) {
        (true, _) => 22.0,
        (false, true) => 92.0,
        (false, false) => 6.0,
    };
    let mut svg = Svg::new(size.width(), head + row * nodes.len() as f64 + 4.0, label);
    for (at, topic) in topics.keys().enumerate() {
        let x = names + cell_w * at as f64;
        let name = report.topic_name(*topic);
        if level {
            svg.text(
                "name",
                Anchor::Middle,
                (x + cell_w / 2.0, head - 8.0),
                &name,
            );
        } else if cell_w >= 11.0 {
            let at = (x + cell_w / 2.0 + 4.0, head - 6.0);
            svg.upright("name", at, &fit(&name, head - 8.0, 7.8));
        }
    }
    for (at, node) in nodes.iter().enumerate() {
        let y = head + row * at as f64;
        let name = fit(&report.node_name(*node), names - 10.0, 7.6);
        svg.text(
            "name",
            Anchor::End,
            (names - 8.0, y + row / 2.0 + 4.0),
            &name,
        );
        for (column, (topic, most)) in topics.iter().enumerate() {
            let held = each.get(&(*node, *topic)).copied().unwrap_or_default();
            let area = Area {
                x: names + cell_w * column as f64 + 1.0,
                y: y + 1.0,
                w: cell_w - 2.0,
                h: row - 2.0,
            };
            let what = format!("{}: {}", report.node_name(*node), report.topic_name(*topic));
            cell(&mut svg, area, held, *most, &what);
        }
    }
    svg.finish()
}

/// One cell: the fuller, the darker; a line below as long as the part whose bodies are there.
fn cell(svg: &mut Svg, area: Area, held: Held, most: Held, what: &str) {
    if held.shares == 0 {
        // A frame around each of many small cells would be all that one sees.
        let class = if area.w < 10.0 { "tip" } else { "cell none" };
        svg.rect(class, area, &format!("{what}\nnothing"));
        return;
    }
    let shade = match most.envelopes {
        0 => 4,
        most if held.envelopes == most => 4,
        most => (held.envelopes * 4 / most).min(3),
    };
    let (envelopes, bodies) = (words::count(held.envelopes), words::count(held.bodies));
    let tip = format!(
        "{what}\n{envelopes} envelopes of {}, {bodies} bodies, {}",
        words::count(most.envelopes),
        words::bytes(held.bytes)
    );
    svg.rect(&format!("cell h{shade}"), area, &tip);
    let text = words::short(held.envelopes);
    if area.w >= text.len() as f64 * 7.0 + 4.0 && area.h >= 16.0 {
        let class = match shade {
            4 => "in dark",
            3 => "in mid",
            _ => "in",
        };
        let at = (area.x + area.w / 2.0, area.y + area.h / 2.0 + 3.0);
        svg.text(class, Anchor::Middle, at, &text);
    }
    if held.envelopes > 0 && held.bodies < most.bodies {
        let part = held.bodies as f64 / most.bodies.max(1) as f64;
        let missing = Area {
            x: area.x + area.w * part,
            y: area.y + area.h - 2.5,
            w: area.w * (1.0 - part),
            h: 2.5,
        };
        svg.rect("missing", missing, "");
    }
}

fn roles_held(roles: &[Held; 2], size: Size, label: &str) -> String {
    let row = size.pick(26.0, 40.0);
    let (left, right) = size.pick((150.0, 140.0), (0.0, 0.0));
    let room = size.width() - left - right;
    let mut svg = Svg::new(size.width(), row * 4.0 + 22.0, label);
    let envelopes = roles.map(|held| held.envelopes);
    let bytes = roles.map(|held| held.bytes);
    for (group, (what, numbers)) in [("envelopes", envelopes), ("bytes", bytes)]
        .into_iter()
        .enumerate()
    {
        let most = numbers[0].max(numbers[1]).max(1);
        let classes = [("person", "persons"), ("core", "cores")];
        for (at, (class, who)) in classes.iter().enumerate() {
            let y = (group * 2 + at) as f64 * row + group as f64 * 16.0;
            let number = numbers[at];
            let value = match what {
                "bytes" => words::bytes(number),
                _ => words::count(number),
            };
            let (bar_y, name_at, value_at) = size.pick(
                (y + 5.0, (left - 10.0, y + 18.0), (size.width(), y + 18.0)),
                (y + 20.0, (0.0, y + 14.0), (size.width(), y + 14.0)),
            );
            let side = size.pick(Anchor::End, Anchor::Start);
            svg.text("name", side, name_at, &format!("{what}, {who}"));
            svg.text("value", Anchor::End, value_at, &value);
            let area = Area {
                x: left,
                y: bar_y,
                w: room * number as f64 / most as f64,
                h: 16.0,
            };
            svg.rect(&format!("fill {class}"), area, "");
        }
    }
    svg.finish()
}
