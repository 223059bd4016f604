//! A scenario as it is written, read table by table: people, what they do, and where they are. What
//! goes wrong is in `trouble`.

use super::giving::GivingForm;
use super::limits::{
    BURST_GAP_MS, MAX_BATCH, MAX_BYTES, MAX_COMMIT_US, MAX_CORES_USED, MAX_DISK, MAX_FILE,
    MAX_LATENCY_US, MAX_LENGTH_MS, MAX_MEMBERS, MAX_NODES, MAX_PER_DAY, MAX_SITES, MAX_TOPICS,
    MAX_WINDOWS, MIN_DISK, MIN_REPEAT_MS,
};
use super::quantity::{self, Moment, Span, Wrong};
use super::source::{Named, Section};
use super::trouble::Trouble;
use crate::plan::Path;

/// The whole scenario.
#[derive(Clone, Debug)]
pub(crate) struct Form {
    pub(crate) about: String,
    pub(crate) length: u64,
    pub(crate) begins: u64,
    pub(crate) converge: u64,
    pub(crate) sites: Vec<SiteForm>,
    pub(crate) cores: Vec<CoreForm>,
    pub(crate) people: Vec<PeopleForm>,
    pub(crate) topics: Vec<TopicForm>,
    pub(crate) messages: Vec<MessagesForm>,
    pub(crate) files: Vec<MessagesForm>,
    pub(crate) mails: Vec<MailForm>,
    pub(crate) leaves: Vec<LeaveForm>,
    pub(crate) changes: Vec<ChangeForm>,
    pub(crate) devices: Vec<DeviceForm>,
    pub(crate) giving: Vec<GivingForm>,
    pub(crate) trouble: Trouble,
}

/// `[[site]]`.
#[derive(Clone, Debug)]
pub(crate) struct SiteForm {
    pub(crate) name: Named,
    pub(crate) copies: usize,
    pub(crate) inside: Path,
    pub(crate) uplink: Option<Path>,
    pub(crate) open: bool,
    /// Whether everybody in it is behind a router of their own.
    pub(crate) apart: bool,
}

/// What every node has.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    pub(crate) name: Named,
    pub(crate) count: usize,
    pub(crate) site: Named,
    pub(crate) disk: u64,
    pub(crate) commit: Span,
    pub(crate) trusts_clock: bool,
}

/// `[[core]]`.
#[derive(Clone, Debug)]
pub(crate) struct CoreForm {
    pub(crate) machine: Machine,
    pub(crate) quota: u64,
}

/// `[[people]]`.
#[derive(Clone, Debug)]
pub(crate) struct PeopleForm {
    pub(crate) machine: Machine,
    pub(crate) cores: Vec<Named>,
    pub(crate) uses: Option<usize>,
    pub(crate) online: Online,
    pub(crate) starts: Span,
    pub(crate) reads_after: Span,
}

/// When somebody is online.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Online {
    /// From its start to the end.
    Always,
    /// Every day in these parts of it.
    Daily(Vec<(u64, u64)>),
    /// So much of every day, in so many sessions (thousandths) within a part of the day.
    Share {
        ppm: u32,
        sessions: u64,
        awake: (u64, u64),
    },
}

/// `[[topic]]`.
#[derive(Clone, Debug)]
pub(crate) struct TopicForm {
    pub(crate) name: Named,
    pub(crate) count: usize,
    pub(crate) founder: Option<Named>,
    pub(crate) members: Vec<Named>,
    /// How many members are drawn, the founder included; nothing for all.
    pub(crate) size: Option<usize>,
    /// Members are drawn from the people of so many core nodes; 0 for anybody.
    pub(crate) circle: usize,
    pub(crate) joins: Span,
    /// Whether each member is given an invite of its own.
    pub(crate) personal: bool,
    pub(crate) public: bool,
    /// Who reads it without being let in.
    pub(crate) readers: Vec<Named>,
    pub(crate) line: u32,
}

/// How often something is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// So many thousandths a day, at times that are drawn.
    PerDay(u64),
    /// Again after so many milliseconds.
    Every(u64),
}

/// `[[messages]]` and `[[files]]`.
#[derive(Clone, Debug)]
pub(crate) struct MessagesForm {
    pub(crate) who: Vec<Named>,
    pub(crate) topics: Vec<Named>,
    pub(crate) pace: Pace,
    pub(crate) bytes: Span,
    pub(crate) batch: Span,
    pub(crate) burst: u64,
    pub(crate) expires: Span,
    pub(crate) from: Moment,
    pub(crate) until: Option<Moment>,
    pub(crate) line: u32,
}

/// `[[mail]]`.
#[derive(Clone, Debug)]
pub(crate) struct MailForm {
    pub(crate) who: Vec<Named>,
    pub(crate) to: Vec<Named>,
    pub(crate) pace: Pace,
    pub(crate) bytes: Span,
    pub(crate) best_effort: bool,
    pub(crate) line: u32,
}

/// `[[leave]]`.
#[derive(Clone, Debug)]
pub(crate) struct LeaveForm {
    pub(crate) who: Vec<Named>,
    pub(crate) topic: Named,
    pub(crate) at: Moment,
    pub(crate) line: u32,
}

/// `[[change]]`.
#[derive(Clone, Debug)]
pub(crate) struct ChangeForm {
    pub(crate) who: Vec<Named>,
    pub(crate) to: Vec<Named>,
    pub(crate) every: u64,
    /// How long the old core node is used beside the new one.
    pub(crate) both: u64,
    pub(crate) line: u32,
}

/// `[[device]]`.
#[derive(Clone, Debug)]
pub(crate) struct DeviceForm {
    pub(crate) who: Vec<Named>,
    pub(crate) at: Moment,
    /// When they remove it.
    pub(crate) removed: Option<Moment>,
    pub(crate) line: u32,
}

/// A number of things, from 1 to this.
pub(crate) fn number(most: usize) -> impl Fn(&str) -> Result<usize, Wrong> {
    move |text| match usize::try_from(quantity::some(text)?) {
        Ok(value) if value <= most => Ok(value),
        _ => Err(format!("at most {most}")),
    }
}

/// A span within these bounds.
pub(crate) fn within(
    least: u64,
    most: u64,
    parse: impl Fn(&str) -> Result<Span, Wrong>,
) -> impl Fn(&str) -> Result<Span, Wrong> {
    move |text| match parse(text)? {
        span if span.low < least => Err(format!("at least {least}")),
        span if span.high > most => Err(format!("at most {most}")),
        span => Ok(span),
    }
}

const KEYS: &[&str] = &[
    "about",
    "length",
    "begins",
    "converge",
    "site",
    "core",
    "people",
    "topic",
    "messages",
    "files",
    "mail",
    "leave",
    "change",
    "device",
    "grant",
    "revoke",
    "crash",
    "torn",
    "failed-commit",
    "disk",
    "backup",
    "clone",
    "clock",
    "cut",
    "tear",
    "weather",
    "travel",
    "liar",
    "raid",
];

impl Form {
    /// Reads the whole.
    pub(crate) fn read(all: &Section<'_>) -> Self {
        all.known(KEYS);
        for key in ["site", "people", "topic"] {
            if !all.has(key) {
                all.wrong(
                    &format!("there is no [[{key}]]"),
                    "every scenario needs one",
                );
            }
        }
        let length = quantity::millis_within(1_000, MAX_LENGTH_MS);
        let length = all.must("length", 0, length);
        let begins = all.maybe("begins", quantity::clock).unwrap_or(0);
        if length > 0 {
            all.lasts(length, begins);
        }
        let each = |key| all.sections(key);
        Self {
            about: all.text("about").unwrap_or_default(),
            length,
            begins,
            converge: all
                .maybe("converge", quantity::millis_within(0, MAX_LENGTH_MS))
                .unwrap_or(600_000),
            sites: each("site").iter().map(SiteForm::read).collect(),
            cores: each("core").iter().map(CoreForm::read).collect(),
            people: each("people").iter().map(PeopleForm::read).collect(),
            topics: each("topic").iter().map(TopicForm::read).collect(),
            messages: each("messages").iter().map(MessagesForm::read).collect(),
            files: each("files").iter().map(MessagesForm::read_files).collect(),
            mails: each("mail").iter().map(MailForm::read).collect(),
            leaves: each("leave").iter().map(LeaveForm::read).collect(),
            changes: each("change").iter().map(ChangeForm::read).collect(),
            devices: each("device").iter().map(DeviceForm::read).collect(),
            giving: GivingForm::read_all(all),
            trouble: Trouble::read(all),
        }
    }
}

/// Reads the quality of a network.
pub(crate) fn path(section: &Section<'_>) -> Path {
    section.known(&["latency", "jitter", "loss", "duplicate", "reorder", "rate"]);
    let micros = quantity::micros_within(0, MAX_LATENCY_US);
    let share = |key| section.maybe(key, quantity::share).unwrap_or(0);
    Path {
        latency_us: section.maybe("latency", &micros).unwrap_or(1_000),
        jitter_us: section.maybe("jitter", &micros).unwrap_or(0),
        loss_ppm: section.maybe("loss", quantity::loss).unwrap_or(0),
        duplicate_ppm: share("duplicate"),
        reorder_ppm: share("reorder"),
        kbit: section.maybe("rate", quantity::rate).unwrap_or(0),
    }
}

pub(super) fn must_name(section: &Section<'_>, key: &str) -> Named {
    if !section.has(key) {
        section.wrong(
            &format!("`{key}` is missing"),
            &format!("add `{key} = \"…\"`"),
        );
    }
    if section.says(key, "") {
        section.wrong(&format!("`{key}` is empty"), "expected: a name");
    }
    section.name(key).unwrap_or(Named {
        name: String::new(),
        line: section.line(),
    })
}

impl SiteForm {
    fn read(section: &Section<'_>) -> Self {
        section.known(&["name", "copies", "inside", "uplink", "open", "apart"]);
        let form = Self {
            name: must_name(section, "name"),
            copies: section.maybe("copies", number(MAX_SITES)).unwrap_or(1),
            inside: section
                .section("inside")
                .map_or_else(Path::default, |s| path(&s)),
            uplink: section.section("uplink").map(|s| path(&s)),
            open: section.flag("open", false),
            apart: section.flag("apart", false),
        };
        if form.open && form.uplink.is_none() {
            section.wrong(
                "`open` without `uplink`",
                "add `uplink = { latency = \"20ms\" }`",
            );
        }
        form
    }
}

const MACHINE: [&str; 6] = ["name", "count", "site", "disk", "commit", "trusts-clock"];

impl Machine {
    fn read(section: &Section<'_>, own: &[&str], trusts_clock: bool) -> Self {
        let keys: Vec<&str> = MACHINE.iter().chain(own).copied().collect();
        section.known(&keys);
        Self {
            name: must_name(section, "name"),
            count: section.maybe("count", number(MAX_NODES)).unwrap_or(1),
            site: must_name(section, "site"),
            disk: section
                .maybe("disk", quantity::bytes_within(MIN_DISK, MAX_DISK))
                .unwrap_or(0),
            commit: section
                .maybe("commit", |text| {
                    let span = quantity::micros_span(text)?;
                    quantity::within_micros(span, (0, MAX_COMMIT_US))
                })
                .unwrap_or(Span::one(2_000)),
            trusts_clock: section.flag("trusts-clock", trusts_clock),
        }
    }
}

impl CoreForm {
    fn read(section: &Section<'_>) -> Self {
        Self {
            machine: Machine::read(section, &["quota"], true),
            quota: section
                .maybe("quota", quantity::bytes_within(MIN_DISK, MAX_DISK))
                .unwrap_or(0),
        }
    }
}

impl PeopleForm {
    fn read(section: &Section<'_>) -> Self {
        let own = [
            "cores",
            "uses",
            "online",
            "sessions",
            "awake",
            "starts",
            "reads-after",
        ];
        Self {
            machine: Machine::read(section, &own, false),
            cores: section.names("cores"),
            uses: section.maybe("uses", number(MAX_CORES_USED)),
            online: Online::read(section),
            starts: section
                .maybe("starts", |text| section.early(text))
                .unwrap_or(Span::one(0)),
            reads_after: section
                .maybe(
                    "reads-after",
                    quantity::millis_span_within(0, MAX_LENGTH_MS),
                )
                .unwrap_or(Span {
                    low: 1_000,
                    high: 10_000,
                }),
        }
    }
}

impl Online {
    fn read(section: &Section<'_>) -> Self {
        let texts = section.list("online", |text| Ok(text.to_owned()));
        let share = matches!(texts.as_slice(), [one] if one.contains('%'));
        for key in ["sessions", "awake"] {
            if section.has(key) && !share {
                section.wrong(
                    &format!("`{key}` has no meaning without a share"),
                    "add `online = \"30%\"`",
                );
            }
        }
        if texts.is_empty() || texts.iter().any(|text| text == "always") {
            return Self::Always;
        }
        if texts.len() > MAX_WINDOWS {
            section.wrong(
                "`online` has too many parts of the day",
                &format!("expected: at most {MAX_WINDOWS}"),
            );
            return Self::Always;
        }
        if !share {
            return Self::Daily(section.list("online", |text| {
                quantity::window(text)
                    .map_err(|wrong| format!("{wrong}; or \"30%\"; or \"always\""))
            }));
        }
        Self::Share {
            ppm: section.maybe("online", quantity::some_share).unwrap_or(0),
            sessions: section
                .maybe("sessions", |text| match quantity::often(text)? {
                    0 => Err("a number above 0".to_owned()),
                    often if often > 1_000_000 => Err("at most 1000".to_owned()),
                    often => Ok(often),
                })
                .unwrap_or(3_000),
            awake: section
                .maybe("awake", quantity::window)
                .unwrap_or((0, super::limits::DAY_MS)),
        }
    }
}

impl TopicForm {
    fn read(section: &Section<'_>) -> Self {
        section.known(&[
            "name", "count", "founder", "members", "size", "circle", "joins", "personal", "public",
            "readers",
        ]);
        let public = section.flag("public", false);
        if section.has("readers") && !public {
            let hint = "add `public = true`, or make them `members`";
            section.wrong("there are `readers` of what is not public", hint);
        }
        Self {
            name: must_name(section, "name"),
            count: section.maybe("count", number(MAX_TOPICS)).unwrap_or(1),
            founder: section.name("founder"),
            members: section.must_names("members"),
            size: section.maybe("size", number(MAX_MEMBERS)),
            circle: section.maybe("circle", number(MAX_NODES)).unwrap_or(0),
            joins: section
                .maybe("joins", |text| section.early(text))
                .unwrap_or(Span {
                    low: 5_000,
                    high: 30_000,
                }),
            personal: section.flag("personal", false),
            public,
            readers: section.names("readers"),
            line: section.line(),
        }
    }
}

impl Pace {
    /// Reads `per-day` or `every`, of which there has to be one.
    fn read(section: &Section<'_>) -> Self {
        if section.has("per-day") == section.has("every") {
            section.wrong(
                "how often is not said in one way",
                "add either `per-day = 20` or `every = \"10s\"`",
            );
        }
        let every = section.maybe("every", quantity::millis_within(1, MAX_LENGTH_MS));
        let per_day = quantity::some_often(MAX_PER_DAY);
        match every {
            Some(every) => Self::Every(every),
            None => Self::PerDay(section.maybe("per-day", per_day).unwrap_or(0)),
        }
    }
}

impl MessagesForm {
    fn read(section: &Section<'_>) -> Self {
        section.known(&[
            "who", "topics", "per-day", "every", "bytes", "batch", "burst", "expires", "from",
            "until",
        ]);
        Self::read_rest(section, (MAX_BYTES, Span { low: 20, high: 400 }))
    }

    fn read_files(section: &Section<'_>) -> Self {
        section.known(&[
            "who", "topics", "per-day", "every", "bytes", "expires", "from", "until",
        ]);
        let (low, high) = (1 << 10, 1 << 20);
        Self::read_rest(section, (MAX_FILE, Span { low, high }))
    }

    fn read_rest(section: &Section<'_>, (most, usual): (u64, Span)) -> Self {
        Self {
            who: section.names("who"),
            topics: section.names("topics"),
            pace: Pace::read(section),
            bytes: section
                .maybe("bytes", within(1, most, quantity::bytes_span))
                .unwrap_or(usual),
            batch: section
                .maybe("batch", within(1, MAX_BATCH, quantity::count_span))
                .unwrap_or(Span::one(1)),
            burst: section.maybe("burst", number(1_000)).unwrap_or(1) as u64,
            expires: section
                .maybe(
                    "expires",
                    quantity::millis_span_within(BURST_GAP_MS, MAX_LENGTH_MS),
                )
                .unwrap_or(Span::one(0)),
            from: section
                .maybe("from", |text| section.moment(text))
                .unwrap_or(Moment::After(0)),
            until: section.maybe("until", quantity::moment),
            line: section.line(),
        }
    }
}

impl MailForm {
    fn read(section: &Section<'_>) -> Self {
        section.known(&["who", "to", "per-day", "every", "bytes", "best-effort"]);
        Self {
            who: section.must_names("who"),
            to: section.must_names("to"),
            pace: Pace::read(section),
            bytes: section
                .maybe("bytes", within(1, MAX_BYTES, quantity::bytes_span))
                .unwrap_or(Span { low: 20, high: 400 }),
            best_effort: section.flag("best-effort", false),
            line: section.line(),
        }
    }
}

impl DeviceForm {
    fn read(section: &Section<'_>) -> Self {
        section.known(&["who", "at", "removed"]);
        Self {
            who: section.must_names("who"),
            at: section.must("at", Moment::After(0), |text| section.moment(text)),
            removed: section.maybe("removed", |text| section.moment(text)),
            line: section.line(),
        }
    }
}

impl ChangeForm {
    fn read(section: &Section<'_>) -> Self {
        section.known(&["who", "to", "every", "both"]);
        let form = Self {
            who: section.must_names("who"),
            to: section.must_names("to"),
            every: section.must(
                "every",
                1,
                quantity::millis_within(MIN_REPEAT_MS, MAX_LENGTH_MS),
            ),
            both: section
                .maybe("both", quantity::millis_within(0, MAX_LENGTH_MS))
                .unwrap_or(600_000),
            line: section.line(),
        };
        if form.both >= form.every {
            section.wrong(
                "`both` is as long as `every`",
                "leave the old core node before the next change",
            );
        }
        form
    }
}

impl LeaveForm {
    fn read(section: &Section<'_>) -> Self {
        section.known(&["who", "topic", "at"]);
        Self {
            who: section.must_names("who"),
            topic: must_name(section, "topic"),
            at: section.must("at", Moment::After(0), |text| section.moment(text)),
            line: section.line(),
        }
    }
}
