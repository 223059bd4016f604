//! Turns, queues and memory stay within their limits, and what is done leaves nothing behind.
//!
//! What a turn may use is in `machine`. The rows of obligations are counted from the
//! batches, and must not outnumber what they are obligations about. What is in memory is asked of
//! the node from time to time, and at the end, when everything is silent, the queues are empty.

use super::Scene;
use super::excuse::Excused;
use super::mirror::Mirror;
use machine::{
    Base, Batch, MAX_BATCHES_IN_FLIGHT, MAX_OUTPUTS_PER_TURN, MAX_READS_PER_TURN,
    MAX_STAGED_PER_TURN, Table, TurnUse,
};
use node::Figures;
use node::limits::{MAX_JOINS, MAX_PENDING_SHOWS, MAX_WAITS};
use router::limits::MAX_LINKS_PER_NODE;
use transport::limits::INITIAL_CREDIT;

/// The name of this promise.
pub(crate) const BOUNDS: &str = "bounds";
/// The name of the promise that a node without work has nothing in its queues.
pub(crate) const LEAKS: &str = "leaks";

/// The tables whose rows are counted.
const COUNTED: [Table; 17] = [
    lace::rows::MISSING,
    topic::rows::TOPIC,
    topic::rows::SLOT,
    topic::rows::BOX,
    topic::rows::BOXES,
    topic::rows::WAITS,
    Table::new(84, "router_queue"),
    Table::new(85, "router_queue_payloads"),
    Table::new(86, "router_queue_sealed"),
    Table::new(87, "router_queue_order"),
    Table::new(88, "router_queue_all"),
    Table::new(90, "router_queue_ends"),
    Table::new(91, "router_inbox"),
    Table::new(92, "router_windows"),
    Table::new(93, "router_window_ends"),
    Table::new(108, "custody_mail_marks"),
    Table::new(110, "custody_mail_ends"),
];

/// Where a table is in [`COUNTED`], by its number; beyond the end: nowhere.
const PLACES: [u8; 256] = {
    let mut places = [u8::MAX; 256];
    let mut at = 0;
    while at < COUNTED.len() {
        places[COUNTED[at].id() as usize] = at as u8;
        at += 1;
    }
    places
};

/// Rows read at once.
const PAGE: usize = 256;

/// How many rows there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rows([u32; COUNTED.len()]);

impl Default for Rows {
    fn default() -> Self {
        Self([0; COUNTED.len()])
    }
}

impl Rows {
    fn of(&self, table: u8) -> u64 {
        let place = usize::from(PLACES[usize::from(table)]);
        self.0.get(place).copied().map_or(0, u64::from)
    }

    /// What there is more of than there may be: what, how many, and the most.
    fn excess(&self, mirror: &Mirror) -> Option<(&'static str, u64, u64)> {
        let topics = self.of(60);
        let lacking: usize = mirror
            .topics
            .values()
            .map(|topic| topic.lacking.len())
            .sum();
        let waiting = self.of(87);
        let bounds = [
            (46, lacking as u64),
            (
                70,
                topics.saturating_mul(topic::limits::MAX_WAITING as u64 + 1),
            ),
            (63, topics.saturating_mul(topic::limits::MAX_SLOTS as u64)),
            (67, topics.saturating_mul(topic::limits::MAX_BOXES as u64)),
            (68, self.of(67)),
            (85, waiting),
            (86, waiting),
            (90, waiting),
            (87, router::limits::MAX_QUEUED),
            (88, self.of(84)),
            (91, router::limits::MAX_INBOX),
            (93, self.of(92)),
            (110, self.of(108)),
        ];
        let (table, most) = bounds
            .into_iter()
            .find(|(table, most)| self.of(*table) > *most)?;
        let place = usize::from(PLACES[usize::from(table)]);
        Some((COUNTED[place].name(), self.of(table), most))
    }
}

/// What is counted at one node.
#[derive(Debug, Default)]
pub(crate) struct Bounds {
    rows: Rows,
    /// The rows are those of the disk.
    counted: bool,
    /// Tables of which too much was found are named once.
    named: Option<&'static str>,
}

impl Bounds {
    /// The disk is another than before.
    pub(crate) fn set_back(&mut self) {
        *self = Self::default();
    }

    /// A life begins.
    pub(crate) fn started(&mut self, disk: &dyn Base) {
        if self.counted {
            return;
        }
        self.counted = true;
        for (place, table) in COUNTED.into_iter().enumerate() {
            let (mut from, to) = (vec![0], [u8::MAX; 80]);
            while let Ok(page) = disk.scan(table, (&from, &to), PAGE, false) {
                let Some((last, _)) = page.last() else { break };
                from.clone_from(last);
                from.push(0);
                let more = u32::try_from(page.len()).unwrap_or(0);
                self.rows.0[place] = self.rows.0[place].saturating_add(more);
            }
        }
    }

    /// A turn has ended.
    pub(crate) fn turned(&self, scene: &mut Scene<'_>, used: TurnUse, in_flight: usize) {
        let outputs = used.outputs as u64;
        for (what, used, most) in [
            ("reads", used.reads, MAX_READS_PER_TURN),
            ("bytes staged", used.staged, MAX_STAGED_PER_TURN),
            ("outputs", outputs, MAX_OUTPUTS_PER_TURN as u64),
            (
                "batches in flight",
                in_flight as u64,
                MAX_BATCHES_IN_FLIGHT as u64,
            ),
        ] {
            if used > most {
                scene.broken(BOUNDS, format!("a turn with {used} {what}; at most {most}"));
            }
        }
    }

    /// A batch becomes durable; `disk` is as it was before.
    pub(crate) fn commits(
        &mut self,
        mirror: &Mirror,
        scene: &mut Scene<'_>,
        batch: &Batch,
        disk: &dyn Base,
    ) {
        let mut changed = false;
        for (table, key, value) in &batch.writes {
            let place = usize::from(PLACES[usize::from(table.id())]);
            let Some(rows) = self.rows.0.get_mut(place) else {
                continue;
            };
            let before = matches!(disk.get(*table, key), Ok(Some(_)));
            match (before, value.is_some()) {
                (false, true) => *rows = rows.saturating_add(1),
                (true, false) => *rows = rows.saturating_sub(1),
                _ => continue,
            }
            changed = true;
        }
        if !changed {
            return;
        }
        if let Some((table, rows, most)) = self.rows.excess(mirror)
            && self.named.replace(table) != Some(table)
        {
            scene.broken(BOUNDS, format!("{rows} rows in {table}; at most {most}"));
        }
    }

    /// Looks at what the node has in memory.
    pub(crate) fn figures(&self, scene: &mut Scene<'_>, figures: &Figures) {
        let others = scene.plan.nodes.len().saturating_sub(1);
        let limited = of_topics(&figures.topics, figures.router.links)
            .into_iter()
            .chain(of_links(figures, others))
            .chain(of_commands(figures));
        for (what, count, most) in limited {
            if count > most {
                scene.broken(BOUNDS, format!("{count} {what} in memory; at most {most}"));
            }
        }
        let checking = figures.topics.checking;
        if figures.owed_links > 0 && checking <= node::limits::MAX_CHECKING {
            let what = format!(
                "{} links are not read on, though no more than {checking} bytes are out for \
                 checking on any",
                figures.owed_links
            );
            scene.broken(BOUNDS, what);
        }
    }

    /// Nothing has happened for long, nothing is wrong with any network, and everybody has
    /// everything: the queues of a node that is up are empty, but for what `rest` excuses.
    pub(crate) fn at_rest(&self, scene: &mut Scene<'_>, figures: &Figures, rest: Rest) {
        self.figures(scene, figures);
        let liars = scene.plan.nodes.iter().any(|node| !node.is_honest());
        for (what, count) in queues(figures, rest, liars) {
            if count > 0 {
                scene.broken(LEAKS, format!("{count} {what}, though all is silent"));
            }
        }
        let (waits, missing) = (self.rows.of(70), self.rows.of(46));
        if waits > 0 && missing == 0 {
            let what = format!("{waits} envelopes wait for their lines, and no body is missing");
            scene.broken(LEAKS, what);
        }
        let (memory, disk) = (figures.router.queued, self.rows.of(87));
        if memory != disk {
            let what = format!("{memory} mails wait in memory, {disk} on the disk");
            scene.broken(LEAKS, what);
        }
    }
}

/// What may be in the queues of a node although all is silent.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rest {
    /// Its person still asks to be let in somewhere: the command waits until its time is over.
    pub(crate) asks: bool,
    /// What of its work is about chains that it has refused for want of room, and what rests on
    /// them.
    pub(crate) excused: Excused,
}

/// The queues of a node that may hold nothing, and what is in them.
fn queues(figures: &Figures, rest: Rest, liars: bool) -> [(&'static str, usize); 10] {
    let Figures { router, topics, .. } = figures;
    // What a liar gave may wait for ever for what the liar keeps.
    let unless = |excused: bool, count: usize| if excused { 0 } else { count };
    // Nor does what a node of little room has declined until a time come to it before.
    let excused = rest.excused;
    let honest = |count: usize, excused: usize| unless(liars, count.saturating_sub(excused));
    [
        (
            "peers in topics with something to do",
            topics.busy.saturating_sub(excused.busy),
        ),
        ("peers that were asked", honest(topics.asked, excused.asked)),
        (
            "bodies that are fetched",
            honest(topics.bodies, excused.bodies),
        ),
        ("bytes out for checking", topics.checking),
        (
            "parked envelopes",
            honest(topics.parked_in_all, excused.parked),
        ),
        ("best-effort mails", router.best_effort),
        ("links with receipts to sign", router.receipts),
        ("links that are owed something", figures.owed_links),
        ("commands that wait", unless(rest.asks, figures.commands)),
        (
            "commands whose messages are not published",
            figures.publishing,
        ),
    ]
}

/// What is in memory, how much of it, and how much there may be.
type Limited = (&'static str, u64, u64);

const fn limited(what: &'static str, count: usize, most: usize) -> Limited {
    (what, count as u64, most as u64)
}

fn of_topics(topics: &topic::Figures, links: usize) -> [Limited; 6] {
    use lace::limits::{MAX_PARKED, MAX_PARKED_BYTES};
    use topic::limits::{MAX_CHECKING, MAX_WAITING};
    let (checking, parked_bytes) = (topics.checking, topics.parked_bytes);
    let pairs = topics.loaded.saturating_mul(topics.links);
    [
        limited("bytes out for checking on one link", checking, MAX_CHECKING),
        limited("parked envelopes of one topic", topics.parked, MAX_PARKED),
        limited("parked bytes of one topic", parked_bytes, MAX_PARKED_BYTES),
        limited("envelopes whose lines wait", topics.waiting, MAX_WAITING),
        limited("links in topics", topics.links, links),
        limited("peers in topics", topics.peers, pairs),
    ]
}

/// Links, of which the transport gives a node only so many with each other node, and what a node
/// keeps for each. Of a link that is not read on, no more comes than its first window.
fn of_links(figures: &Figures, others: usize) -> [Limited; 7] {
    let (router, links) = (&figures.router, figures.router.links);
    let owed = (INITIAL_CREDIT).saturating_mul(figures.owed_links as u64);
    [
        limited("links", links, others.saturating_mul(MAX_LINKS_PER_NODE)),
        limited("links in use", router.open, links),
        limited("links with receipts to sign", router.receipts, links),
        limited("links with proofs", figures.links, links),
        limited("links that are owed something", figures.owed_links, links),
        ("bytes that are owed to links", figures.owed_bytes, owed),
        limited("shows on one link", figures.shows, MAX_PENDING_SHOWS),
    ]
}

fn of_commands(figures: &Figures) -> [Limited; 7] {
    use router::limits::{MAX_BEST_EFFORT, MAX_DESTINATIONS, MAX_DIALS, MAX_QUEUED, MAX_TARGETS};
    let router = &figures.router;
    [
        limited("nodes that are dialled", router.targets, MAX_TARGETS),
        limited("dials", router.dials, MAX_DIALS),
        limited("nodes with mail", router.destinations, MAX_DESTINATIONS),
        limited("best-effort mails", router.best_effort, MAX_BEST_EFFORT),
        ("mails that wait", router.queued, MAX_QUEUED),
        limited("commands that wait", figures.commands, MAX_WAITS),
        limited("invites taken up", figures.joining, MAX_JOINS),
    ]
}

#[cfg(test)]
mod tests;
