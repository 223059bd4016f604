//! Numbers, times and acts as a person reads them.

use crate::plan::{Act, NodeNo, Place, Plan, Right, SiteNo};

/// A number with a comma after every three digits.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number for the end of a scale: `950`, `9,500`, `12k`, `2.5M`.
pub(crate) fn short(number: u64) -> String {
    const NAMES: [(u64, &str); 4] = [
        (1_000_000_000_000, "T"),
        (1_000_000_000, "G"),
        (1_000_000, "M"),
        (1_000, "k"),
    ];
    let name = NAMES.iter().find(|(unit, _)| number >= *unit);
    match name {
        Some((unit, name)) if number >= 10_000 => tenths(number, *unit, name),
        _ => count(number),
    }
}

/// Bytes in the unit that fits: `512 B`, `1.5 KiB`, `20 MiB`.
pub(crate) fn bytes(number: u64) -> String {
    const NAMES: [&str; 6] = [" KiB", " MiB", " GiB", " TiB", " PiB", " EiB"];
    if number < 1024 {
        return format!("{number} B");
    }
    let power = (number.ilog2() / 10).min(6);
    tenths(number, 1 << (10 * power), NAMES[power as usize - 1])
}

/// A number in a unit with one decimal, where it says anything.
fn tenths(number: u64, unit: u64, name: &str) -> String {
    let tenths = (u128::from(number) * 10 + u128::from(unit) / 2) / u128::from(unit);
    let (whole, tenth) = (tenths / 10, tenths % 10);
    if tenth == 0 || whole >= 100 {
        format!("{}{name}", (tenths + 5 * u128::from(whole >= 100)) / 10)
    } else {
        format!("{whole}.{tenth}{name}")
    }
}

/// A stretch of time, in at most two units: `850 µs`, `3.2 s`, `4 min 12 s`, `2 d 3 h`.
pub(crate) fn time(us: u64) -> String {
    const SECOND: u64 = 1_000_000;
    match us {
        0 => "0".into(),
        1..1_000 => format!("{us} µs"),
        1_000..SECOND => tenths(us, 1_000, " ms"),
        SECOND..60_000_000 => tenths(us, SECOND, " s"),
        _ => {
            let seconds = us / SECOND;
            if seconds < 3_600 {
                two(seconds / 60, "min", seconds % 60, "s")
            } else if seconds < 86_400 {
                two(seconds / 3_600, "h", seconds % 3_600 / 60, "min")
            } else {
                two(seconds / 86_400, "d", seconds % 86_400 / 3_600, "h")
            }
        }
    }
}

fn two(great: u64, great_name: &str, small: u64, small_name: &str) -> String {
    let great = count(great);
    if small == 0 {
        format!("{great} {great_name}")
    } else {
        format!("{great} {great_name} {small} {small_name}")
    }
}

/// A part of a whole in hundredths; never 100 for less than the whole, never 0 for something.
pub(crate) fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "–".into();
    }
    let tenths = (u128::from(part) * 2000 / u128::from(whole)).div_ceil(2);
    let tenths = match tenths {
        0 if part > 0 => return "< 0.1 %".into(),
        1000 if part < whole => 999,
        tenths => tenths,
    };
    if tenths.is_multiple_of(10) {
        format!("{} %", tenths / 10)
    } else {
        format!("{}.{} %", tenths / 10, tenths % 10)
    }
}

/// A number with its noun, which takes an `s` unless it is one.
pub(crate) fn nouns(number: u64, noun: &str) -> String {
    let end = if number == 1 { "" } else { "s" };
    format!("{} {noun}{end}", count(number))
}

/// The name of a node; its number where the plan has no such node.
pub(crate) fn node_name(plan: &Plan, node: NodeNo) -> String {
    let node_plan = plan.nodes.get(node as usize);
    node_plan.map_or_else(|| format!("node {node}"), |node| node.name.clone())
}

fn site_name(plan: &Plan, site: SiteNo) -> String {
    let site_plan = plan.sites.get(site as usize);
    site_plan.map_or_else(|| format!("site {site}"), |site| site.name.clone())
}

fn place(plan: &Plan, place: Place) -> String {
    match place {
        Place::Node(node) => node_name(plan, node),
        Place::Site(site) => format!("all at {}", site_name(plan, site)),
    }
}

fn topic_name(plan: &Plan, topic: u32) -> String {
    let topic_plan = plan.topics.get(topic as usize);
    topic_plan.map_or_else(|| format!("topic {topic}"), |topic| topic.name.clone())
}

/// An act in words: its kind, one word that is always the same, and who does what. Joined by a
/// colon they are the text of a fault.
#[must_use]
pub fn act_words(plan: &Plan, act: &Act) -> (&'static str, String) {
    let name = |node: &NodeNo| node_name(plan, *node);
    if !act.is_fault() {
        return people_words(plan, act);
    }
    match act {
        Act::Crash { node, effects } => {
            ("crash", format!("{} after {effects} effects", name(node)))
        }
        Act::FailCommit { node } => ("failed commit", name(node)),
        Act::TearTail { node, batches } => (
            "torn tail",
            format!(
                "{} loses {}",
                name(node),
                nouns(u64::from(*batches), "commit")
            ),
        ),
        Act::Backup { node } => ("backup", name(node)),
        Act::Restore { node, noticed } => (
            "restore",
            format!("{} is set back{}", name(node), unnoticed(*noticed)),
        ),
        Act::Clone {
            node,
            twin,
            noticed,
        } => (
            "clone",
            format!(
                "{} runs twice, as {}{}",
                name(node),
                name(twin),
                unnoticed(*noticed)
            ),
        ),
        Act::Clock { node, skew_ms } => ("clock", clock_words(&name(node), *skew_ms)),
        Act::Disk { node, bytes: 0 } => ("disk", format!("{} has room again", name(node))),
        Act::Disk { node, bytes: room } => ("disk", format!("{} has {}", name(node), bytes(*room))),
        Act::Cut { from, to, both } => {
            let arrow = if *both { "↮" } else { "↛" };
            (
                "cut",
                format!("{} {arrow} {}", place(plan, *from), place(plan, *to)),
            )
        }
        Act::Mend { from, to } => (
            "mend",
            format!("{} ↔ {}", place(plan, *from), place(plan, *to)),
        ),
        Act::Move { node, site } => (
            "move",
            format!("{} to {}", name(node), site_name(plan, *site)),
        ),
        Act::Weather { site, .. } => ("weather", site_name(plan, *site)),
        Act::Tear { a, b } => ("tear", format!("{} and {}", name(a), name(b))),
        Act::Raid { node, on, .. } => ("raid", format!("{} on {}", name(node), name(on))),
        _ => ("other", String::new()),
    }
}

/// Whether an act is trouble: a fault, and neither the end of one nor a copy put aside.
#[must_use]
pub const fn is_trouble(act: &Act) -> bool {
    act.is_fault()
        && !matches!(
            act,
            Act::Mend { .. }
                | Act::Backup { .. }
                | Act::Clock { skew_ms: 0, .. }
                | Act::Disk { bytes: 0, .. }
        )
}

/// What [`Metrics::fault`](crate::metrics::Metrics::fault) takes for an act: at which node, and the
/// text; nothing if it is no trouble.
#[must_use]
pub fn fault_of(plan: &Plan, act: &Act) -> Option<(Option<NodeNo>, String)> {
    if !is_trouble(act) {
        return None;
    }
    let node = match act {
        Act::Crash { node, .. }
        | Act::FailCommit { node }
        | Act::TearTail { node, .. }
        | Act::Restore { node, .. }
        | Act::Clone { node, .. }
        | Act::Clock { node, .. }
        | Act::Disk { node, .. }
        | Act::Move { node, .. }
        | Act::Raid { on: node, .. } => Some(*node),
        _ => None,
    };
    let (kind, what) = act_words(plan, act);
    Some((node, format!("{kind}: {what}")))
}

fn people_words(plan: &Plan, act: &Act) -> (&'static str, String) {
    let name = |node: &NodeNo| node_name(plan, *node);
    match act {
        Act::Join { node, topic } => (
            "join",
            format!("{} joins {}", name(node), topic_name(plan, *topic)),
        ),
        Act::Send {
            node, topic, file, ..
        } if *file > 0 => (
            "share",
            format!(
                "{} shares a file of {file} bytes in {}",
                name(node),
                topic_name(plan, *topic)
            ),
        ),
        Act::Send {
            node, topic, count, ..
        } => {
            let messages = nouns(u64::from(*count), "message");
            let topic = topic_name(plan, *topic);
            (
                "send",
                format!("{} sends {messages} to {topic}", name(node)),
            )
        }
        Act::Mail { node, to, .. } => ("mail", format!("{} to {}", name(node), name(to))),
        Act::Leave { node, topic } => (
            "leave",
            format!("{} leaves {}", name(node), topic_name(plan, *topic)),
        ),
        Act::Grant {
            node,
            topic,
            to,
            rights,
            ..
        } => {
            let (to, topic) = (name(to), topic_name(plan, *topic));
            let rights = rights_words(rights);
            (
                "grant",
                format!("{} gives {to} {rights} in {topic}", name(node)),
            )
        }
        Act::Revoke {
            node,
            topic,
            whom,
            rights,
            cascade,
        } => {
            let (whom, topic) = (name(whom), topic_name(plan, *topic));
            let (rights, node) = (rights_words(rights), name(node));
            let below = if *cascade { ", and what it gave" } else { "" };
            (
                "revoke",
                format!("{node} takes {rights} from {whom} in {topic}{below}"),
            )
        }
        Act::Pair { node, device } => (
            "pair",
            format!("{} is made a device of {}", name(device), name(node)),
        ),
        Act::Unpair { node, device } => (
            "unpair",
            format!("{} removes its device {}", name(node), name(device)),
        ),
        Act::UseCore { node, core } => (
            "use",
            format!("{} uses {} from now on", name(node), name(core)),
        ),
        Act::LeaveCore { node, core } => ("part", format!("{} leaves {}", name(node), name(core))),
        Act::Away { node } => ("away", name(node)),
        Act::Back { node } => ("back", name(node)),
        _ => ("other", String::new()),
    }
}

fn rights_words(rights: &[Right]) -> String {
    if rights.is_empty() {
        return "all rights".to_owned();
    }
    let words: Vec<&str> = rights.iter().map(|right| right.word()).collect();
    words.join(", ")
}

const fn unnoticed(noticed: bool) -> &'static str {
    if noticed { "" } else { ", unnoticed" }
}

fn clock_words(name: &str, skew_ms: i64) -> String {
    let off = time(skew_ms.unsigned_abs().saturating_mul(1000));
    match skew_ms {
        0 => format!("{name} is right"),
        1.. => format!("{name} is {off} fast"),
        _ => format!("{name} is {off} slow"),
    }
}

#[cfg(test)]
mod tests {
    use super::{act_words, bytes, count, percent, short, time};
    use crate::plan::{Act, Place};
    use crate::report::sample;

    #[test]
    fn numbers_are_read_by_people() {
        let counts = [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (12_345_678, "12,345,678"),
        ];
        for (number, text) in counts {
            assert_eq!(count(number), text);
        }
        let shorts = [
            (9_500, "9,500"),
            (12_000, "12k"),
            (12_500, "12.5k"),
            (2_000_000, "2M"),
        ];
        for (number, text) in shorts {
            assert_eq!(short(number), text);
        }
        let sizes = [
            (1_023, "1023 B"),
            (1_024, "1 KiB"),
            (1_536, "1.5 KiB"),
            (200 << 20, "200 MiB"),
            (u64::MAX, "16 EiB"),
        ];
        for (number, text) in sizes {
            assert_eq!(bytes(number), text);
        }
    }

    #[test]
    fn times_have_at_most_two_units() {
        let times = [
            (0, "0"),
            (850, "850 µs"),
            (12_340, "12.3 ms"),
            (3_200_000, "3.2 s"),
            (252_000_000, "4 min 12 s"),
            (3_600_000_000, "1 h"),
            (183_600_000_000, "2 d 3 h"),
        ];
        for (us, text) in times {
            assert_eq!(time(us), text);
        }
    }

    #[test]
    fn a_hundred_of_a_hundred_means_all() {
        assert_eq!(percent(999_999, 1_000_000), "99.9 %");
        assert_eq!(percent(1_000_000, 1_000_000), "100 %");
        assert_eq!(percent(1, 1_000_000), "< 0.1 %");
        assert_eq!(percent(0, 10), "0 %");
        assert_eq!(percent(1, 0), "–");
        assert_eq!(percent(1, 3), "33.3 %");
    }

    #[test]
    fn acts_have_words() {
        let plan = sample::plan();
        for step in &plan.steps {
            let (kind, what) = act_words(&plan, &step.act);
            assert_ne!(kind, "other");
            assert!(!kind.contains(':') && !what.is_empty());
        }
        let act = Act::Cut {
            from: Place::Node(99),
            to: Place::Site(99),
            both: false,
        };
        let words = act_words(&plan, &act);
        assert_eq!(words, ("cut", "node 99 ↛ all at site 99".into()));
    }
}
