//! Random worlds: people and cores that come, go, crash and lose one another, and what must be true
//! of them all the same.

use crate::story::{found, invite, use_core};
use crate::witness::{graph, pasts, watch_receipts};
use crate::world::{Commits, World};
use identity::TopicId;
use machine::Rng;
use node::Input;
use node::command::{Command, LineKind, ReadFrom, Reply, RequestId};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What one person's screen has shown: the program remembers the last line it printed.
#[derive(Default)]
struct Screen {
    last: u64,
    shown: Vec<(u64, String, String)>,
    /// The question that is not answered yet.
    asked: Option<RequestId>,
}

/// What is under way in one world.
struct Run {
    world: World,
    rng: Rng,
    people: Vec<usize>,
    topic: TopicId,
    link: String,
    member: Vec<bool>,
    screens: Vec<Screen>,
    /// Sends that are not answered yet: who, request, text; to whom, for a unicast.
    asked: Vec<(usize, RequestId, String, Option<usize>)>,
    joins: Vec<(usize, RequestId)>,
    /// Texts that a node has said are stored.
    stored: BTreeSet<String>,
    mails: Vec<(usize, String)>,
    /// Every text ever given to a node.
    written: BTreeSet<String>,
    texts: u32,
    requests: u64,
}

/// Things that happen in one world.
const STEPS: u32 = 100;

const NAMES: [&str; 6] = ["Ada", "Ben", "Cleo", "Dan", "Eve", "Finn"];

impl Run {
    fn new(seed: u64) -> Self {
        let mut bytes = [7; 32];
        bytes[..8].copy_from_slice(&seed.to_be_bytes());
        let mut rng = Rng::from_seed(bytes);
        let mut world = World::seeded(rng.array());
        let cores: Vec<usize> = (0..=rng.below(3))
            .map(|n| world.add(&format!("core {n}"), true))
            .collect();
        let count = usize::try_from(3 + rng.below(4)).expect("small");
        let people: Vec<usize> = NAMES[..count]
            .iter()
            .map(|name| world.add(name, false))
            .collect();
        for person in &people {
            // The founder has a core, so that the others can come while nobody is there.
            if *person == people[0] || rng.below(2) == 0 {
                use_core(
                    &mut world,
                    *person,
                    cores[rng.below(cores.len() as u64) as usize],
                );
            }
        }
        let topic = found(&mut world, people[0], "tea").parse().expect("an id");
        world.pass(Duration::from_secs(1));
        let link = invite(&mut world, people[0], "tea", 8);
        world.pass(Duration::from_secs(1));
        world.delay = Duration::from_millis(rng.below(60));
        for node in 0..world.nodes.len() {
            if rng.below(2) == 0 {
                let late = Duration::from_millis(rng.below(2) * 40 + rng.below(800));
                world.nodes[node].commits = Commits::After(late);
            }
        }
        watch_receipts(&mut world);
        let mut member = vec![false; people.len()];
        member[0] = true;
        Self {
            screens: people.iter().map(|_| Screen::default()).collect(),
            world,
            rng,
            people,
            topic,
            link,
            member,
            asked: Vec::new(),
            joins: Vec::new(),
            stored: BTreeSet::new(),
            mails: Vec::new(),
            written: BTreeSet::new(),
            texts: 0,
            requests: 1 << 40,
        }
    }

    /// In most worlds everybody is there at the beginning.
    fn gather(&mut self) {
        if self.rng.below(4) > 0 {
            for who in 0..self.people.len() {
                self.join(who);
            }
            self.world.pass(Duration::from_secs(10));
            self.answers();
        }
    }

    fn any(&mut self, of: usize) -> usize {
        usize::try_from(self.rng.below(of as u64)).expect("small")
    }

    fn command(&mut self, node: usize, command: Command) -> RequestId {
        self.requests += 1;
        let request = RequestId(self.requests);
        self.world.input(node, Input::Command { request, command });
        request
    }

    fn send(&mut self, who: usize, to: Option<usize>) {
        let node = self.people[who];
        if !self.world.is_up(node) || !self.member[who] {
            return;
        }
        self.texts += 1;
        let text = format!("{} {}", NAMES[who], self.texts);
        let target = match to {
            Some(to) => self.world.id(self.people[to]).to_string(),
            None => "tea".to_owned(),
        };
        let command = Command::Send {
            to: target,
            messages: vec![text.clone().into_bytes()],
            expires: None,
            best_effort: false,
        };
        self.written.insert(text.clone());
        let request = self.command(node, command);
        self.asked.push((who, request, text, to));
    }

    fn join(&mut self, who: usize) {
        let node = self.people[who];
        if self.member[who] || !self.world.is_up(node) {
            return;
        }
        let command = Command::Join {
            link: self.link.clone(),
            name: None,
            timeout_ms: 30_000,
        };
        let request = self.command(node, command);
        self.joins.push((who, request));
    }

    /// Looks at the answers that have come.
    fn answers(&mut self) {
        let asked = std::mem::take(&mut self.asked);
        for (who, request, text, to) in asked {
            match (
                self.world.nodes[self.people[who]].replies.remove(&request),
                to,
            ) {
                (Some(Reply::Sent { .. }), None) => {
                    self.stored.insert(text);
                }
                (Some(Reply::Sent { .. }), Some(to)) => self.mails.push((to, text)),
                (Some(_), _) => {}
                (None, to) => self.asked.push((who, request, text, to)),
            }
        }
        let joins = std::mem::take(&mut self.joins);
        for (who, request) in joins {
            match self.world.nodes[self.people[who]].replies.remove(&request) {
                Some(Reply::Topic { .. }) => self.member[who] = true,
                Some(_) => {}
                None => self.joins.push((who, request)),
            }
        }
    }

    /// One person reads on after the last line on its screen.
    fn read(&mut self, who: usize) {
        let node = self.people[who];
        if !self.world.is_up(node) || !self.member[who] || self.screens[who].asked.is_some() {
            return;
        }
        let from = ReadFrom::After(self.screens[who].last);
        let topic = "tea".to_owned();
        let request = self.command(
            node,
            Command::Read {
                topic,
                from,
                limit: 3,
            },
        );
        self.screens[who].asked = Some(request);
    }

    /// The answers to readers; says whether anybody may read on.
    fn lines(&mut self) -> bool {
        let mut some = false;
        for (who, screen) in self.screens.iter_mut().enumerate() {
            let node = self.people[who];
            let Some(request) = screen.asked else {
                continue;
            };
            if !self.world.is_up(node) {
                screen.asked = None;
                continue;
            }
            let Some(reply) = self.world.nodes[node].replies.remove(&request) else {
                continue;
            };
            screen.asked = None;
            let Reply::Lines {
                lines, last, more, ..
            } = reply
            else {
                panic!("{reply:?}")
            };
            screen.last = last;
            some |= more;
            for line in lines {
                if line.kind == LineKind::Text {
                    screen
                        .shown
                        .push((line.n, line.id.envelope.to_string(), line.text));
                }
            }
        }
        some
    }

    fn crash(&mut self) {
        let up: Vec<usize> = (0..self.world.nodes.len())
            .filter(|node| self.world.is_up(*node))
            .collect();
        if up.is_empty() {
            return;
        }
        let node = up[self.any(up.len())];
        self.world.down(node);
        // Whoever asked the life that ended is not answered by the next.
        if let Some(who) = self.people.iter().position(|person| *person == node) {
            self.screens[who].asked = None;
        }
    }

    fn start(&mut self) {
        let down: Vec<usize> = (0..self.world.nodes.len())
            .filter(|node| !self.world.is_up(*node))
            .collect();
        if !down.is_empty() {
            let node = down[self.any(down.len())];
            self.world.up(node);
        }
    }

    fn step(&mut self) {
        let people = self.people.len();
        let who = self.any(people);
        match self.rng.below(26) {
            0..=7 => self.send(who, None),
            8 => {
                for _ in 0..5 {
                    self.send(who, None);
                }
            }
            9 | 10 => self.join(who),
            11 | 12 => {
                let to = self.any(people);
                if to != who && self.member[to] {
                    self.send(who, Some(to));
                }
            }
            13..=15 => self.read(who),
            16 | 17 => self.crash(),
            18 | 19 => self.start(),
            20 => {
                let nodes = self.world.nodes.len();
                let (a, b) = (self.any(nodes), self.any(nodes));
                if a != b {
                    self.world.cut_off(a, b);
                }
            }
            21 => self.world.cut.clear(),
            22 => {
                let links = self.world.links();
                if !links.is_empty() {
                    let (link, ..) = links[self.any(links.len())];
                    self.world.tear(link);
                }
            }
            _ => {
                let long = self.rng.below(60);
                self.world.pass(Duration::from_secs(long));
            }
        }
        // Often so short that what has just begun is not over when the next thing happens.
        let most = [1, 10, 100, 1_000][self.any(4)];
        let short = self.rng.below(most);
        self.world.pass(Duration::from_millis(short));
        self.answers();
        self.lines();
    }

    /// Everything up and connected.
    fn calm(&mut self) {
        self.world.cut.clear();
        for node in 0..self.world.nodes.len() {
            self.world.nodes[node].commits = Commits::Now;
            if self.world.is_up(node) {
                self.world.commit(node, usize::MAX);
            } else {
                self.world.up(node);
            }
        }
        for who in 0..self.people.len() {
            self.join(who);
        }
        // The longest wait between two attempts to dial.
        self.world.pass(Duration::from_secs(700));
        self.answers();
        for who in 0..self.people.len() {
            self.join(who);
        }
        self.world.pass(Duration::from_secs(60));
        self.answers();
        self.lines();
        loop {
            for who in 0..self.people.len() {
                self.read(who);
            }
            self.world.pass(Duration::from_millis(100));
            if !self.lines() {
                return;
            }
        }
    }

    fn check(&mut self) {
        for (who, member) in self.member.iter().enumerate() {
            assert!(member, "{} has not joined", NAMES[who]);
        }
        let mut all: Vec<BTreeSet<String>> = Vec::new();
        for (who, screen) in self.screens.iter().enumerate() {
            let name = NAMES[who];
            let texts: BTreeSet<String> = screen.shown.iter().map(|line| line.2.clone()).collect();
            let numbers: BTreeSet<u64> = screen.shown.iter().map(|line| line.0).collect();
            assert_eq!(
                numbers.len(),
                screen.shown.len(),
                "{name}: a line number twice"
            );
            assert_eq!(texts.len(), screen.shown.len(), "{name}: a message twice");
            assert!(texts.is_subset(&self.written), "{name}: what nobody wrote");
            let lost: Vec<_> = self.stored.difference(&texts).collect();
            assert!(lost.is_empty(), "{name} lacks {lost:?}");
            let pasts = pasts(&graph(self.world.disk(self.people[who]), &self.topic));
            let mut before = BTreeSet::new();
            let ids: BTreeSet<_> = screen.shown.iter().map(|line| line.1.clone()).collect();
            for (_, id, text) in &screen.shown {
                let id: identity::EnvelopeId = id.parse().expect("an id");
                for past in pasts
                    .get(&id)
                    .into_iter()
                    .flatten()
                    .map(ToString::to_string)
                {
                    assert!(
                        before.contains(&past) || !ids.contains(&past),
                        "{name}: {text:?} came before what it follows"
                    );
                }
                before.insert(id.to_string());
            }
            all.push(texts);
        }
        assert!(
            all.windows(2).all(|pair| pair[0] == pair[1]),
            "members differ: {all:?}"
        );
        self.check_mails();
    }

    fn check_mails(&mut self) {
        let mut inboxes: BTreeMap<usize, Vec<String>> = BTreeMap::new();
        for (who, node) in self.people.clone().into_iter().enumerate() {
            let reply = self.world.ask(
                node,
                Command::Inbox {
                    after: 0,
                    limit: 500,
                },
            );
            let Reply::Inbox { mails, .. } = reply else {
                panic!("{reply:?}")
            };
            let texts: Vec<String> = mails.into_iter().map(|mail| mail.text).collect();
            let once: BTreeSet<&String> = texts.iter().collect();
            assert_eq!(
                once.len(),
                texts.len(),
                "{}: a mail twice: {texts:?}",
                NAMES[who]
            );
            inboxes.insert(who, texts);
        }
        for (to, text) in &self.mails {
            assert!(
                inboxes[to].contains(text),
                "{} has not got {text:?}",
                NAMES[*to]
            );
        }
    }

    /// After everybody has everything only keep-alives are left.
    fn silence(&mut self) {
        let count = std::rc::Rc::new(std::cell::RefCell::new(BTreeMap::<String, u32>::new()));
        let seen = std::rc::Rc::clone(&count);
        self.world.watch = Some(Box::new(move |machine, _, bytes| {
            let frame = wire::Frame::decode(bytes).expect("an honest frame");
            let kind = frame.kind();
            if !matches!(kind, 2 | 3) {
                let mut text = format!("{frame:?}");
                text.truncate(60);
                let mut seen = seen.borrow_mut();
                *seen
                    .entry(format!("{}: {text}", machine.config.name))
                    .or_default() += 1;
            }
        }));
        self.world.pass(Duration::from_secs(900));
        let count = count.borrow();
        let frames: u32 = count.values().sum();
        let links = u32::try_from(self.world.links().len()).expect("few");
        assert!(
            frames <= 8 * links,
            "no silence with {links} ends of links: {count:#?}"
        );
    }
}

pub(crate) fn run(seed: u64) {
    live(Run::new(seed));
}

fn live(mut run: Run) {
    run.gather();
    for _ in 0..STEPS {
        run.step();
    }
    let early = run.member.iter().filter(|member| **member).count();
    run.calm();
    run.check();
    run.silence();
    if set("WORLD_STATS").is_some() {
        let (people, texts) = (run.people.len(), run.stored.len());
        eprintln!(
            "{early} of {people} joined, {texts} texts, {} mails",
            run.mails.len()
        );
    }
}

/// How many worlds a normal run tries; `WORLDS` sets another number, `WORLD` one seed,
/// `WORLDS_FROM` the first.
const WORLDS: u64 = 300;

#[test]
fn whatever_happens_everybody_ends_with_the_same() {
    if let Some(seed) = set("WORLD") {
        return run(seed);
    }
    let first = set("WORLDS_FROM").unwrap_or(0);
    many(first..first + set("WORLDS").unwrap_or(WORLDS), run);
}

/// Worlds in which one person's program is broken: it changes, repeats and swallows what it says.
/// The others do not suffer, and when it is mended all is as it should be.
fn run_with_a_broken_program(seed: u64) {
    let mut run = Run::new(seed);
    let broken = run.people[usize::try_from(seed).expect("small") % run.people.len()];
    let mut rng = run.rng.fork();
    run.world.tamper = Some(Box::new(move |from, _, mut bytes| {
        if from != broken {
            return vec![bytes];
        }
        match rng.below(12) {
            0 => vec![],
            1 => vec![bytes.clone(), bytes],
            2 | 3 => {
                let at = usize::try_from(rng.below(bytes.len() as u64)).expect("short");
                bytes[at] ^= 1 << rng.below(8);
                vec![bytes]
            }
            _ => vec![bytes],
        }
    }));
    run.gather();
    for _ in 0..STEPS {
        run.step();
    }
    run.world.tamper = None;
    for (link, ..) in run.world.links() {
        run.world.tear(link);
    }
    run.calm();
    run.check();
}

#[test]
fn one_broken_program_harms_nobody() {
    if let Some(seed) = set("BROKEN") {
        return run_with_a_broken_program(seed);
    }
    many(0..set("BROKENS").unwrap_or(60), run_with_a_broken_program);
}

#[expect(
    clippy::disallowed_methods,
    reason = "a person chooses which worlds to try"
)]
fn set(name: &str) -> Option<u64> {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse::<u64>().ok())
}

/// Tries many seeds on all processors, and names those that fail.
fn many(seeds: std::ops::Range<u64>, run: fn(u64)) {
    let seeds: Vec<u64> = seeds.collect();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let failed: Vec<u64> = std::thread::scope(|scope| {
        let halves: Vec<_> = (0..threads)
            .map(|half| {
                let mine: Vec<u64> = seeds.iter().copied().skip(half).step_by(threads).collect();
                scope.spawn(move || {
                    let fails = |seed: &u64| std::panic::catch_unwind(|| run(*seed)).is_err();
                    mine.into_iter().filter(fails).collect::<Vec<u64>>()
                })
            })
            .collect();
        halves
            .into_iter()
            .flat_map(|half| half.join().expect("it catches"))
            .collect()
    });
    assert!(failed.is_empty(), "worlds that failed: {failed:?}");
}

/// The same worlds with the release rule switched off: what is told before it is durable does not
/// stay hidden.
#[cfg(feature = "planted")]
#[test]
fn without_the_release_rule_worlds_fail() {
    let fails = |seed: u64| {
        let planted = move || {
            let mut run = Run::new(seed);
            run.world.plant = true;
            for node in 0..run.world.nodes.len() {
                run.world.nodes[node].commits = Commits::After(Duration::from_millis(800));
                run.world.down(node);
                run.world.up(node);
            }
            live(run);
        };
        std::panic::catch_unwind(planted).is_err()
    };
    let failed = (0..20).filter(|seed| fails(*seed)).count();
    assert!(failed >= 10, "only {failed} of 20 worlds noticed");
}

/// Worlds in which homes are set back, sometimes without anybody noticing: what only the lost part
/// held is lost, nothing else is; everybody ends with the same, and everybody can still write.
fn run_with_set_backs(seed: u64) {
    let mut run = Run::new(seed);
    run.world.watch = None;
    run.gather();
    let mut copies: Vec<(usize, machine::MemoryBase)> = Vec::new();
    for _ in 0..STEPS {
        run.step();
        if run.rng.below(8) == 0 {
            let node = run.any(run.world.nodes.len());
            copies.push((node, run.world.disk(node).clone()));
        }
        if run.rng.below(20) == 0 && !copies.is_empty() {
            let (node, disk) = copies.swap_remove(run.any(copies.len()));
            if run.world.is_up(node) {
                run.world.down(node);
            }
            run.world.set_disk(node, disk);
            run.world.nodes[node].config.stale = run.rng.below(2) == 0;
            run.world.up(node);
            run.world.nodes[node].config.stale = false;
            for screen in &mut run.screens {
                screen.asked = None;
            }
            // It may be from before it joined; to join again does no harm.
            if let Some(who) = run.people.iter().position(|person| *person == node) {
                run.member[who] = who == 0;
            }
        }
    }
    run.calm();
    // Whoever was set back to before it joined has joined again by now.
    let mut last = BTreeSet::new();
    for (who, node) in run.people.clone().into_iter().enumerate() {
        let text = format!("{} at last", NAMES[who]);
        crate::story::send(&mut run.world, node, "tea", &text);
        last.insert(text);
    }
    run.world.pass(Duration::from_secs(700));
    let mut all: Vec<BTreeSet<String>> = Vec::new();
    for (who, node) in run.people.clone().into_iter().enumerate() {
        let texts = crate::story::texts(&mut run.world, node, "tea");
        let once: BTreeSet<String> = texts.iter().cloned().collect();
        assert_eq!(once.len(), texts.len(), "{}: a message twice", NAMES[who]);
        let lost: Vec<_> = last.difference(&once).collect();
        assert!(lost.is_empty(), "{} lacks {lost:?}", NAMES[who]);
        assert_eq!(
            crate::restored::info(&mut run.world, node).members.len(),
            run.people.len(),
            "nobody is banned"
        );
        all.push(once);
    }
    for (who, pair) in all.windows(2).enumerate() {
        let differ: Vec<_> = pair[0].symmetric_difference(&pair[1]).collect();
        assert!(
            differ.is_empty(),
            "{} and {} differ in {differ:?}",
            NAMES[who],
            NAMES[who + 1]
        );
    }
}

#[test]
fn homes_that_are_set_back_end_like_all_others() {
    if let Some(seed) = set("SET_BACK") {
        return run_with_set_backs(seed);
    }
    many(0..set("SET_BACKS").unwrap_or(60), run_with_set_backs);
}
