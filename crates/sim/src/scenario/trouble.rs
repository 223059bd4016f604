//! What goes wrong in a scenario, as it is written.

use super::form::{number, path, within};
use super::limits::{
    MAX_BATCHES, MAX_DISK, MAX_EFFECTS, MAX_LENGTH_MS, MAX_LIES, MAX_NODES, MAX_PER_DAY,
    MAX_RAID_FRAMES, MAX_RAID_LINKS, MAX_WRITTEN, MIN_DISK, MIN_RAID_MS, MIN_REPEAT_MS,
};
use super::quantity::{self, Moment, Span};
use super::source::{Named, Section, meant};
use crate::plan::{LieKind, Path};

/// Everything that goes wrong.
#[derive(Clone, Debug)]
pub(crate) struct Trouble {
    pub(crate) mishaps: Vec<Mishap>,
    pub(crate) backups: Vec<BackupForm>,
    pub(crate) clones: Vec<CloneForm>,
    pub(crate) clocks: Vec<ClockForm>,
    pub(crate) cuts: Vec<CutForm>,
    pub(crate) tears: Vec<TearForm>,
    pub(crate) weather: Vec<WeatherForm>,
    pub(crate) travels: Vec<TravelForm>,
    pub(crate) liars: Vec<LiarForm>,
    pub(crate) raids: Vec<RaidForm>,
}

/// To whom something happens.
#[derive(Clone, Debug)]
pub(crate) struct Victims {
    pub(crate) who: Vec<Named>,
    /// Which part of them, in millionths.
    pub(crate) share: u32,
    pub(crate) line: u32,
}

/// When something happens.
#[derive(Clone, Debug)]
pub(crate) struct Times {
    /// At these times.
    pub(crate) at: Vec<Moment>,
    /// And so many thousandths a day and node, at times that are drawn.
    pub(crate) per_day: u64,
}

/// What happens to a node that is up, or to its disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MishapKind {
    /// `[[crash]]`: it stops dead after so many effects.
    Crash(Span),
    /// `[[torn]]`: and its disk has lost so many commits.
    Torn(Span),
    /// `[[failed-commit]]`.
    FailedCommit,
    /// `[[disk]]`: it gets this size.
    Disk(u64),
}

/// One of the tables of [`MishapKind`].
#[derive(Clone, Debug)]
pub(crate) struct Mishap {
    pub(crate) kind: MishapKind,
    pub(crate) victims: Victims,
    pub(crate) times: Times,
    /// After how long it is over.
    pub(crate) lasts: Span,
}

/// `[[backup]]`.
#[derive(Clone, Debug)]
pub(crate) struct BackupForm {
    pub(crate) victims: Victims,
    pub(crate) at: Moment,
    pub(crate) restored: Moment,
    pub(crate) down: Span,
    pub(crate) noticed: bool,
}

/// `[[clone]]`.
#[derive(Clone, Debug)]
pub(crate) struct CloneForm {
    pub(crate) victims: Victims,
    pub(crate) at: Moment,
    pub(crate) noticed: bool,
}

/// `[[clock]]`.
#[derive(Clone, Debug)]
pub(crate) struct ClockForm {
    pub(crate) victims: Victims,
    pub(crate) at: Option<Moment>,
    pub(crate) until: Option<Moment>,
    pub(crate) skew: i64,
    pub(crate) drift: i32,
}

/// `[[cut]]`.
#[derive(Clone, Debug)]
pub(crate) struct CutForm {
    pub(crate) from: Named,
    pub(crate) to: Option<Named>,
    pub(crate) both: bool,
    pub(crate) times: Times,
    pub(crate) lasts: Span,
    pub(crate) line: u32,
}

/// `[[tear]]`.
#[derive(Clone, Debug)]
pub(crate) struct TearForm {
    pub(crate) a: Named,
    pub(crate) b: Named,
    pub(crate) times: Times,
    pub(crate) line: u32,
}

/// `[[weather]]`.
#[derive(Clone, Debug)]
pub(crate) struct WeatherForm {
    pub(crate) site: Named,
    pub(crate) at: Moment,
    pub(crate) until: Option<Moment>,
    pub(crate) inside: Option<Path>,
    /// Nothing: as before. Some(None): there is none.
    pub(crate) uplink: Option<Option<Path>>,
    pub(crate) line: u32,
}

/// `[[travel]]`.
#[derive(Clone, Debug)]
pub(crate) struct TravelForm {
    pub(crate) who: Vec<Named>,
    pub(crate) stops: Vec<(Moment, Named)>,
    /// The timetable begins again after so long; 0 for never.
    pub(crate) repeat: u64,
    /// How long it is on its way, asleep.
    pub(crate) takes: u64,
    pub(crate) line: u32,
}

/// `[[liar]]`.
#[derive(Clone, Debug)]
pub(crate) struct LiarForm {
    pub(crate) victims: Victims,
    pub(crate) kinds: Vec<LieKind>,
    pub(crate) one_in: u32,
    pub(crate) most: u32,
}

/// `[[raid]]`.
#[derive(Clone, Debug)]
pub(crate) struct RaidForm {
    pub(crate) who: Vec<Named>,
    pub(crate) on: Vec<Named>,
    pub(crate) at: Moment,
    pub(crate) until: Option<Moment>,
    /// How often, in milliseconds.
    pub(crate) every: u64,
    pub(crate) links: u32,
    pub(crate) frames: u32,
    pub(crate) line: u32,
}

const WHO: [&str; 2] = ["who", "share"];
const WHEN: [&str; 2] = ["at", "per-day"];

fn keys<'a>(parts: &[&[&'a str]]) -> Vec<&'a str> {
    parts.concat()
}

impl Trouble {
    /// Reads all tables of trouble.
    pub(crate) fn read(all: &Section<'_>) -> Self {
        let each = |key| all.sections(key);
        let mut mishaps = Vec::new();
        for key in ["crash", "torn", "failed-commit", "disk"] {
            mishaps.extend(each(key).iter().map(|section| Mishap::read(key, section)));
        }
        Self {
            mishaps,
            backups: each("backup").iter().map(BackupForm::read).collect(),
            clones: each("clone").iter().map(CloneForm::read).collect(),
            clocks: each("clock").iter().map(ClockForm::read).collect(),
            cuts: each("cut").iter().map(CutForm::read).collect(),
            tears: each("tear").iter().filter_map(TearForm::read).collect(),
            weather: each("weather")
                .iter()
                .filter_map(WeatherForm::read)
                .collect(),
            travels: each("travel").iter().map(TravelForm::read).collect(),
            liars: each("liar").iter().map(LiarForm::read).collect(),
            raids: each("raid").iter().map(RaidForm::read).collect(),
        }
    }
}

impl Victims {
    fn read(section: &Section<'_>) -> Self {
        Self {
            who: section.must_names("who"),
            share: section
                .maybe("share", quantity::some_share)
                .unwrap_or(1_000_000),
            line: section.line(),
        }
    }
}

impl Times {
    fn read(section: &Section<'_>) -> Self {
        if !section.has("at") && !section.has("per-day") {
            section.wrong(
                "when it happens is missing",
                "add `at = \"2h\"` or `per-day = 0.5`",
            );
        }
        Self {
            at: section.list("at", |text| section.moment(text)),
            per_day: section
                .maybe("per-day", quantity::some_often(MAX_PER_DAY))
                .unwrap_or(0),
        }
    }
}

fn moment(section: &Section<'_>, key: &str) -> Moment {
    section.must(key, Moment::After(0), |text| section.moment(text))
}

/// For how long something lasts.
fn lasting(section: &Section<'_>, key: &str) -> Option<Span> {
    section.maybe(key, quantity::millis_span_within(0, MAX_LENGTH_MS))
}

impl Mishap {
    fn read(key: &str, section: &Section<'_>) -> Self {
        let (own, lasts, kind) = match key {
            "crash" => {
                let effects =
                    section.maybe("effects", within(0, MAX_EFFECTS, quantity::count_span));
                let effects = effects.unwrap_or(Span { low: 1, high: 40 });
                ("effects", "down", MishapKind::Crash(effects))
            }
            "torn" => {
                let batches =
                    section.maybe("batches", within(1, MAX_BATCHES, quantity::count_span));
                let batches = batches.unwrap_or(Span { low: 1, high: 5 });
                ("batches", "down", MishapKind::Torn(batches))
            }
            "disk" => {
                let bytes = section.must("bytes", 0, quantity::bytes_within(MIN_DISK, MAX_DISK));
                ("bytes", "for", MishapKind::Disk(bytes))
            }
            _ => ("down", "down", MishapKind::FailedCommit),
        };
        section.known(&keys(&[&WHO, &WHEN, &[own, lasts]]));
        Self {
            kind,
            victims: Victims::read(section),
            times: Times::read(section),
            lasts: lasting(section, lasts).unwrap_or(Span {
                low: 10_000,
                high: 120_000,
            }),
        }
    }
}

impl BackupForm {
    fn read(section: &Section<'_>) -> Self {
        section.known(&keys(&[&WHO, &["at", "restored", "down", "noticed"]]));
        Self {
            victims: Victims::read(section),
            at: moment(section, "at"),
            restored: moment(section, "restored"),
            down: lasting(section, "down").unwrap_or(Span::one(10_000)),
            noticed: section.flag("noticed", true),
        }
    }
}

impl CloneForm {
    fn read(section: &Section<'_>) -> Self {
        section.known(&keys(&[&WHO, &["at", "noticed"]]));
        Self {
            victims: Victims::read(section),
            at: moment(section, "at"),
            noticed: section.flag("noticed", true),
        }
    }
}

impl ClockForm {
    fn read(section: &Section<'_>) -> Self {
        section.known(&keys(&[&WHO, &["at", "until", "skew", "drift"]]));
        if !section.has("skew") && !section.has("drift") {
            section.wrong(
                "the clock is right",
                "add `skew = \"-3h\"` or `drift = \"200ppm\"`",
            );
        }
        if section.has("drift") && section.has("at") {
            section.wrong("a drift is there from the beginning", "remove `at`");
        }
        Self {
            victims: Victims::read(section),
            at: section.maybe("at", |text| section.moment(text)),
            until: section.maybe("until", quantity::moment),
            skew: section.maybe("skew", quantity::skew).unwrap_or(0),
            drift: section.maybe("drift", quantity::drift).unwrap_or(0),
        }
    }
}

impl CutForm {
    fn read(section: &Section<'_>) -> Self {
        section.known(&keys(&[&["from", "to", "both", "for"], &WHEN]));
        let from = section.must_names("from").into_iter().next();
        Self {
            from: from.unwrap_or(Named {
                name: String::new(),
                line: section.line(),
            }),
            to: section.name("to"),
            both: section.flag("both", true),
            times: Times::read(section),
            lasts: lasting(section, "for").unwrap_or(Span {
                low: 60_000,
                high: 600_000,
            }),
            line: section.line(),
        }
    }
}

impl TearForm {
    fn read(section: &Section<'_>) -> Option<Self> {
        section.known(&keys(&[&["between"], &WHEN]));
        let times = Times::read(section);
        match section.must_names("between").as_slice() {
            [a, b] => Some(Self {
                a: a.clone(),
                b: b.clone(),
                times,
                line: section.line(),
            }),
            _ => {
                section.wrong(
                    "`between` does not name two",
                    "expected: [\"ana\", \"ben\"]",
                );
                None
            }
        }
    }
}

impl WeatherForm {
    fn read(section: &Section<'_>) -> Option<Self> {
        section.known(&["site", "at", "until", "inside", "uplink"]);
        let uplink = if section.says("uplink", "none") {
            Some(None)
        } else {
            section
                .section("uplink")
                .map(|section| Some(path(&section)))
        };
        if !section.has("inside") && !section.has("uplink") {
            section.wrong(
                "nothing changes",
                "add `inside = { … }`, `uplink = { … }` or \"none\"",
            );
        }
        Some(Self {
            site: section.must_names("site").into_iter().next()?,
            at: moment(section, "at"),
            until: section.maybe("until", quantity::moment),
            inside: section.section("inside").map(|section| path(&section)),
            uplink,
            line: section.line(),
        })
    }
}

impl TravelForm {
    fn read(section: &Section<'_>) -> Self {
        section.known(&["who", "stops", "repeat", "takes"]);
        let mut stops = Vec::new();
        for stop in section.sections("stops") {
            stop.known(&["at", "to"]);
            let to = stop.must_names("to").into_iter().next();
            stops.extend(to.map(|to| (moment(&stop, "at"), to)));
        }
        if stops.is_empty() {
            section.wrong(
                "there are no stops",
                "add `stops = [{ at = \"1h\", to = \"…\" }]`",
            );
        }
        Self {
            who: section.must_names("who"),
            stops,
            repeat: section
                .maybe(
                    "repeat",
                    quantity::millis_within(MIN_REPEAT_MS, MAX_LENGTH_MS),
                )
                .unwrap_or(0),
            takes: section
                .maybe("takes", quantity::millis_within(0, MAX_LENGTH_MS))
                .unwrap_or(0),
            line: section.line(),
        }
    }
}

impl LiarForm {
    fn read(section: &Section<'_>) -> Self {
        section.known(&keys(&[&WHO, &["kinds", "one-in", "most"]]));
        let kinds = section.list("kinds", |text| {
            let found = LieKind::ALL.iter().find(|(name, _)| *name == text);
            let known = LieKind::ALL.iter().map(|(name, _)| *name);
            found
                .map(|(_, kind)| *kind)
                .ok_or_else(|| format!("a kind of lie; {}", meant(text, known)))
        });
        if !section.has("kinds") {
            section.wrong("`kinds` is missing", "add `kinds = [\"fork\", \"replay\"]`");
        }
        if kinds.len() > MAX_LIES {
            section.wrong(
                "`kinds` names too many lies",
                &format!("expected: at most {MAX_LIES}"),
            );
        }
        let one_in = section.maybe("one-in", number(MAX_NODES)).unwrap_or(20);
        let most = section.maybe("most", number(MAX_WRITTEN as usize));
        Self {
            victims: Victims::read(section),
            kinds,
            one_in: u32::try_from(one_in).unwrap_or(u32::MAX),
            most: most.map_or(MAX_WRITTEN, |most| {
                u32::try_from(most).unwrap_or(MAX_WRITTEN)
            }),
        }
    }
}

impl RaidForm {
    fn read(section: &Section<'_>) -> Self {
        section.known(&["who", "on", "at", "until", "every", "links", "frames"]);
        let count = |key: &str, most: u32, usual: u32| {
            let most = usize::try_from(most).unwrap_or(usize::MAX);
            let count = section.maybe(key, number(most));
            count.map_or(usual, |count| u32::try_from(count).unwrap_or(u32::MAX))
        };
        let every = quantity::millis_within(MIN_RAID_MS, MAX_LENGTH_MS);
        Self {
            who: section.must_names("who"),
            on: section.must_names("on"),
            at: moment(section, "at"),
            until: section.maybe("until", quantity::moment),
            every: section.maybe("every", every).unwrap_or(1_000),
            links: count("links", MAX_RAID_LINKS, 10),
            frames: count("frames", MAX_RAID_FRAMES, 5),
            line: section.line(),
        }
    }
}
