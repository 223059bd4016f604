//! The node as one machine: dispatch, and the order in which its engines are asked.

use crate::auditing::Auditing;
use crate::closing::Closing;
use crate::commands::Pending;
use crate::config::Config;
use crate::epochs::Announcing;
use crate::files::Files;
use crate::guests::Guests;
use crate::host::Host;
use crate::io::{Advisory, Held, Input, LinkId, Out, Verbatim};
use crate::joining::Joining;
use crate::keychain::Keychain;
use crate::limits::MAX_SETTLE;
use crate::pairing::Pairing;
use crate::problems::Problems;
use crate::proof::{Link, Tokens};
use crate::proposals::Proposals;
use crate::reading::Seeking;
use crate::rendezvous::Rendezvous;
use crate::rows::{NODE, RETIRES};
use crate::tidings::Tidings;
use crate::timer::Timer;
use crate::waiting::Waiting;
use crate::welcomed::Answers;
use crate::welcoming::Welcoming;
use block::swap::Swap;
use custody::{Custody, MyCores, MyCoresOutput};
use identity::NodeId;
use lace::Policy;
use machine::{Cx, Effect, Machine, Outbox, Time, Timers};
use router::{Reach, Router};
use std::collections::{BTreeMap, BTreeSet};
use topic::{Env, Topics};
use wire::Frame;

/// A node: a deterministic machine. Its first turn opens what the store holds.
#[derive(Debug)]
pub struct Node(State);

#[derive(Debug)]
enum State {
    Asleep(Box<Config>, &'static dyn Policy),
    Awake(Box<Inner>),
}

/// The engines and what lies between them.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) id: NodeId,
    pub(crate) host: Host,
    pub(crate) router: Router,
    pub(crate) topics: Topics,
    pub(crate) mine: MyCores,
    pub(crate) swap: Swap,
    pub(crate) files: Files,
    pub(crate) links: BTreeMap<LinkId, Link>,
    pub(crate) tokens: Tokens,
    pub(crate) joining: Joining,
    pub(crate) seeking: Seeking,
    pub(crate) answers: Answers,
    pub(crate) welcoming: Welcoming,
    pub(crate) auditing: Auditing,
    /// Core nodes of this node that are being left.
    pub(crate) leaving: BTreeSet<NodeId>,
    pub(crate) guests: Guests,
    pub(crate) pairing: Pairing,
    pub(crate) closing: Closing,
    pub(crate) proposals: Proposals,
    pub(crate) pending: Pending,
    pub(crate) tidings: Tidings,
    pub(crate) rendezvous: Rendezvous,
    pub(crate) announcing: Announcing,
    /// What the rules of all topics are.
    pub(crate) rules: &'static dyn Policy,
    pub(crate) waiting: Waiting,
    pub(crate) problems: Problems,
    pub(crate) timers: Timers<Timer>,
    /// Bytes read from a link and not yet granted again.
    pub(crate) owed: BTreeMap<LinkId, u64>,
    pub(crate) store_bytes: u64,
    pub(crate) listening: Vec<String>,
}

/// One turn: what may be used, and where outputs go before they are translated.
pub(crate) struct Turn<'t, 'c> {
    pub(crate) cx: &'t mut Cx<'c>,
    pub(crate) out: &'t mut Outbox<Effect<Out>>,
    pub(crate) router: Outbox<router::Output>,
    pub(crate) topics: Outbox<topic::Output>,
    pub(crate) custody: Outbox<custody::Output>,
    pub(crate) mine: Outbox<MyCoresOutput>,
    pub(crate) swap: Outbox<block::swap::Output>,
}

impl<'t, 'c> Turn<'t, 'c> {
    fn new(cx: &'t mut Cx<'c>, out: &'t mut Outbox<Effect<Out>>) -> Self {
        Self {
            cx,
            out,
            router: Outbox::new(),
            topics: Outbox::new(),
            custody: Outbox::new(),
            mine: Outbox::new(),
            swap: Outbox::new(),
        }
    }

    pub(crate) fn held(&mut self, held: Held) {
        self.out.push(Effect::Held(held));
    }

    pub(crate) fn advise(&mut self, advisory: Advisory) {
        self.out.push(Effect::Advisory(advisory));
    }

    pub(crate) fn send(&mut self, link: LinkId, frame: &Frame) {
        self.held(Held::Frame {
            link,
            bytes: frame.encode(),
        });
    }

    pub(crate) fn forward(&mut self, link: LinkId, frame: &Frame) {
        self.out.push(Effect::Verbatim(Verbatim {
            link,
            bytes: frame.encode(),
            bulk: false,
        }));
    }
}

impl Node {
    /// A node that will open itself over whatever the store holds.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self::ruled_by(config, &rights::Law)
    }

    /// The same with other rules for its topics. A home must always have the same.
    #[must_use]
    pub fn ruled_by(config: Config, rules: &'static dyn Policy) -> Self {
        Self(State::Asleep(Box::new(config), rules))
    }

    fn wake(&mut self, turn: &mut Turn<'_, '_>) -> &mut Inner {
        if let State::Asleep(config, rules) = &self.0 {
            self.0 = State::Awake(Box::new(Inner::open(turn, config, *rules)));
        }
        match &mut self.0 {
            State::Awake(inner) => inner,
            State::Asleep(..) => unreachable!("it was just woken"),
        }
    }
}

impl Node {
    /// The engines, once it has had its first turn.
    pub(crate) const fn inner(&self) -> Option<&Inner> {
        match &self.0 {
            State::Awake(inner) => Some(inner),
            State::Asleep(..) => None,
        }
    }

    /// What the next deadline is for: the engine and its own word for it. For those who measure
    /// what an idle node does.
    #[must_use]
    pub fn awaits(&self) -> Option<String> {
        let State::Awake(inner) = &self.0 else {
            return Some("waking".to_owned());
        };
        let named = |engine: &str, (at, word): (Time, String)| {
            // A word may name what it is about: `Ping(LinkId(3))`.
            let word = word.split('(').next().unwrap_or_default().to_lowercase();
            (at, format!("{engine} {word}"))
        };
        let quiet = |engine: &str, at: Time| (at, engine.to_owned());
        [
            inner.router.awaits().map(|due| named("router", due)),
            inner.topics.awaits().map(|due| named("topic", due)),
            inner.host.custody.deadline().map(|at| quiet("custody", at)),
            inner.mine.deadline().map(|at| quiet("client", at)),
            inner.swap.awaits().map(|due| named("block", due)),
            inner
                .timers
                .first()
                .map(|(at, timer)| named("node", (at, format!("{timer:?}")))),
        ]
        .into_iter()
        .flatten()
        .min()
        .map(|(_, word)| word)
    }
}

impl Machine for Node {
    type Input = Input;
    type Output = Effect<Out>;

    fn handle(&mut self, cx: &mut Cx<'_>, input: Input, out: &mut Outbox<Effect<Out>>) {
        let mut turn = Turn::new(cx, out);
        let inner = self.wake(&mut turn);
        inner.router.watch_clock(turn.cx, &mut turn.router);
        inner.settle(&mut turn);
        #[cfg(test)]
        crate::epochs::tests::done_in(inner, &mut turn);
        inner.take(&mut turn, input);
        inner.settle(&mut turn);
    }

    fn on_deadline(&mut self, cx: &mut Cx<'_>, out: &mut Outbox<Effect<Out>>) {
        let mut turn = Turn::new(cx, out);
        let inner = self.wake(&mut turn);
        inner.due(&mut turn);
        inner.settle(&mut turn);
    }

    fn deadline(&self) -> Option<Time> {
        match &self.0 {
            State::Asleep(..) => Some(Time::ZERO),
            State::Awake(inner) => inner.deadline(),
        }
    }
}

impl Inner {
    fn open(turn: &mut Turn<'_, '_>, config: &Config, rules: &'static dyn Policy) -> Self {
        let id = config.node_key.node_id();
        let keys = Keychain::open(turn.cx, config.clone());
        let host = Host {
            keys,
            custody: Custody::open(config.custody),
            peers: BTreeMap::new(),
            cores: BTreeMap::new(),
            acl: router::Acl::default(),
            broken: BTreeSet::new(),
            full: false,
        };
        let settings = router::Config {
            trusted_clock: config.trust_clock,
            restored: config.stale,
            // A core node must not learn the names of those whom it serves: members read them in
            // the topic.
            public_name: config.core,
            // It serves whoever has its address.
            reach: if config.core {
                Reach::Any
            } else {
                config.reach
            },
            operator: config.custody.operator,
            ..router::Config::new(config.node_key.clone(), &config.name, &config.software)
        };
        let router = Router::open(turn.cx, settings, &mut turn.router);
        let mut inner = Self {
            id,
            host,
            router,
            topics: Topics::open(turn.cx).ruled_by(rules),
            mine: MyCores::open(turn.cx, &mut turn.mine),
            swap: Swap::open(&mut block::swap::Env {
                cx: turn.cx,
                out: &mut turn.swap,
            }),
            files: Files::default(),
            links: BTreeMap::new(),
            tokens: Tokens::default(),
            joining: Joining::default(),
            seeking: Seeking::default(),
            answers: Answers::default(),
            welcoming: Welcoming::default(),
            auditing: Auditing::default(),
            leaving: BTreeSet::new(),
            guests: Guests::default(),
            pairing: Pairing::default(),
            closing: Closing::default(),
            proposals: Proposals::default(),
            pending: Pending::default(),
            tidings: Tidings::default(),
            rendezvous: Rendezvous::default(),
            announcing: Announcing::default(),
            rules,
            waiting: Waiting::default(),
            problems: Problems::default(),
            timers: Timers::new(),
            owed: BTreeMap::new(),
            store_bytes: 0,
            listening: Vec::new(),
        };
        for name in inner.host.keys.locked() {
            let text =
                format!("the secrets of the topic {name:?} do not open with this home's keys");
            inner.problems.note(
                "locked",
                text,
                "restore the key file that belongs to this home",
            );
        }
        inner.list_contents(turn, None);
        let retires = turn.cx.store.get(NODE, RETIRES);
        let retires = retires.and_then(|at| Some(u64::from_be_bytes(at.try_into().ok()?)));
        inner.host.custody.set_retires(retires);
        inner.mine.start(turn.cx);
        inner.look_at_cores(turn);
        inner.forget_strays(turn);
        if !Swap::topics(turn.cx).is_empty() {
            inner.scrub_later(turn);
        }
        inner.open_tokens(turn);
        inner.open_tidings(turn);
        inner.open_joins(turn);
        inner.open_sought(turn);
        inner.open_claims(turn);
        inner.open_pairs(turn);
        inner.open_proposals(turn);
        inner.survey_all(turn);
        let confirmed = inner.router.clock_confirmed();
        inner.set_clock(turn, confirmed);
        inner
    }

    fn take(&mut self, turn: &mut Turn<'_, '_>, input: Input) {
        match input {
            Input::LinkUp {
                link,
                node,
                dialled,
                exporter,
                remote,
            } => {
                let link = router::LinkId(link.0);
                let up = router::Input::Up {
                    link,
                    node,
                    dialled,
                    exporter,
                    address: remote,
                };
                self.router.handle(turn.cx, up, &mut turn.router);
            }
            Input::Frame { link, bytes, cost } => self.take_frame(turn, link, &bytes, cost),
            Input::Writable { link, bytes } => {
                // What comes before the link is open belongs to the greeting.
                if self.links.contains_key(&link) {
                    let link = topic::LinkId(link.0);
                    self.topic(turn, topic::Input::Writable { link, bytes });
                }
            }
            Input::LinkDown { link, reason } => {
                self.owed.remove(&link);
                let link = router::LinkId(link.0);
                let down = router::Input::Down { link, reason };
                self.router.handle(turn.cx, down, &mut turn.router);
            }
            Input::DialFailed { token, reason } => {
                let failed = router::Input::DialFailed { token, reason };
                self.router.handle(turn.cx, failed, &mut turn.router);
            }
            Input::Checked(done) => self.take_checked(turn, done),
            Input::Command { request, command } => self.command(turn, request, command),
            Input::Listening { addresses } => self.set_listening(turn, addresses),
            Input::Store { bytes, free, full } => {
                self.store_bytes = bytes;
                let room_again = std::mem::replace(&mut self.host.full, full) && !full;
                self.host.custody.set_disk(if full { 0 } else { free });
                self.swap(turn, block::swap::Input::Room { full });
                if room_again {
                    self.topics.room_again(turn.cx.now, None);
                }
            }
            Input::Content(done) => self.content_done(turn, done),
            Input::BlocksSent { link, frames } => {
                let link = block::swap::LinkId(link.0);
                self.swap(turn, block::swap::Input::Sent { link, frames });
            }
            Input::Filed { job, done } => self.filed(turn, job, done),
            Input::Closing => self.say_goodbye(turn),
            Input::Rules { rules, wrong } => self.set_rules(turn, rules, wrong),
        }
    }

    fn take_frame(&mut self, turn: &mut Turn<'_, '_>, link: LinkId, bytes: &[u8], cost: u64) {
        if self.router.ignores(router::LinkId(link.0)) {
            // Nor is any more read from it.
            return;
        }
        let owed = self.owed.entry(link).or_default();
        *owed = owed.saturating_add(cost);
        let to = router::LinkId(link.0);
        let input = match Frame::decode(bytes) {
            Ok(frame) => router::Input::Frame {
                link: to,
                frame,
                len: bytes.len(),
            },
            Err(why) => router::Input::Garbage { link: to, why },
        };
        self.router.handle(turn.cx, input, &mut turn.router);
        self.settle(turn);
        self.grant(turn, link);
    }

    /// Lets the world read more from a link, unless too much of it waits to be checked.
    pub(crate) fn grant(&mut self, turn: &mut Turn<'_, '_>, link: LinkId) {
        if self.topics.checking(topic::LinkId(link.0)) > crate::limits::MAX_CHECKING {
            return;
        }
        if let Some(bytes) = self
            .owed
            .get_mut(&link)
            .map(std::mem::take)
            .filter(|owed| *owed > 0)
        {
            turn.advise(Advisory::Grant { link, bytes });
        }
    }

    /// Hands an input to the topics.
    pub(crate) fn topic(&mut self, turn: &mut Turn<'_, '_>, input: topic::Input) {
        self.with_topics(turn, |topics, env| topics.handle(env, input));
    }

    /// Runs something that needs topics and their surroundings.
    pub(crate) fn with_topics<R>(
        &mut self,
        turn: &mut Turn<'_, '_>,
        f: impl FnOnce(&mut Topics, &mut Env<'_, '_>) -> R,
    ) -> R {
        // The router's: it counts mail and envelopes together.
        std::mem::swap(&mut self.host.acl, self.router.acl());
        let mut env = Env {
            cx: turn.cx,
            host: &mut self.host,
            out: &mut turn.topics,
        };
        let result = f(&mut self.topics, &mut env);
        std::mem::swap(&mut self.host.acl, self.router.acl());
        result
    }

    fn due(&mut self, turn: &mut Turn<'_, '_>) {
        let now = turn.cx.now;
        self.router.look_at_clock(turn.cx, &mut turn.router);
        self.settle(turn);
        if is_due(self.router.deadline(), now) {
            self.router.on_deadline(turn.cx, &mut turn.router);
        }
        if is_due(self.topics.deadline(), now) {
            self.with_topics(turn, |topics, env| topics.on_deadline(env));
        }
        if is_due(self.host.custody.deadline(), now) {
            self.host.custody.on_deadline(turn.cx, &mut turn.custody);
        }
        if is_due(self.mine.deadline(), now) {
            self.mine.on_deadline(turn.cx, &mut turn.mine);
        }
        if is_due(self.swap.deadline(), now) {
            self.with_swap(turn, |swap, env| swap.on_deadline(env));
        }
        let mut done = BTreeSet::new();
        while let Some(timer) = self.timers.expired(now) {
            if !done.insert(timer) {
                // It has more to do, in a turn of its own.
                self.timers.set(timer, now);
                break;
            }
            self.on_timer(turn, timer);
        }
    }

    fn deadline(&self) -> Option<Time> {
        [
            self.router.deadline(),
            self.topics.deadline(),
            self.host.custody.deadline(),
            self.mine.deadline(),
            self.swap.deadline(),
            self.timers.next(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Translates what engines put out until none has anything left to say.
    pub(crate) fn settle(&mut self, turn: &mut Turn<'_, '_>) {
        for _ in 0..MAX_SETTLE {
            if let Some(output) = turn.router.pop() {
                self.router_said(turn, output);
            } else if let Some(output) = turn.topics.pop() {
                self.topics_said(turn, output);
            } else if let Some(output) = turn.custody.pop() {
                self.custody_said(turn, output);
            } else if let Some(output) = turn.mine.pop() {
                self.my_cores_said(turn, output);
            } else if let Some(output) = turn.swap.pop() {
                self.swap_said(turn, output);
            } else {
                return;
            }
        }
        unreachable!("engines keep answering one another: a bug of the translation");
    }
}

fn is_due(deadline: Option<Time>, now: Time) -> bool {
    deadline.is_some_and(|at| at <= now)
}
