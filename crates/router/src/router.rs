//! The router: its parts, its deadlines, and who handles what.

use std::collections::BTreeMap;

use core::time::Duration;
use identity::{NodeId, Secret};
use machine::{Cx, Outbox, Time, Timers};
use wire::{Code, Frame};

use crate::acl::Acl;
use crate::adverts::Own;
use crate::clock::Clock;
use crate::config::Config;
use crate::event::{Input, LinkId, Output, Problem};
use crate::limits::{CLOCK_JUMP_MS, SWEEP_EVERY, SWEEP_IDLE};
use crate::links::{Link, Phase};
use crate::mail::Mail;
use crate::meeting::Meetings;
use crate::strangers::Crowd;
use crate::targets::Targets;
use crate::told::Others;

/// What a deadline is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// The link's hello must have come. Cleared by the hello.
    Hello(LinkId),
    /// The peer must have become known. Cleared when it has.
    Stranger(LinkId),
    /// What a peer that is not known has provoked is answered.
    Sorry(LinkId),
    /// The newest stranger is one too many, if the node has not said who it is.
    Crowd,
    /// The link may have been silent for too long. Lasts as long as the link.
    Ping(LinkId),
    /// A peer with two links has had the time to decide between them.
    Decide(LinkId),
    /// The next dial, or the next address of one in progress.
    Dial(NodeId),
    /// Mail for the first, on a link with the second, is to be sent (again).
    Lane(NodeId, NodeId),
    /// Receipts are to be signed.
    Receipts,
    /// A best-effort mail or an echo may be over.
    BestEffort,
    /// What is over is to be removed; the own sealing key may be due.
    Sweep,
}

/// Timers of one deadline that are handled in one turn; the rest follows in the next.
const TIMERS_PER_TURN: usize = 64;

/// The router of a node.
#[derive(Debug)]
pub struct Router {
    pub(crate) config: Config,
    pub(crate) me: NodeId,
    pub(crate) links: BTreeMap<LinkId, Link>,
    /// The link in use with each node.
    pub(crate) open: BTreeMap<NodeId, LinkId>,
    pub(crate) targets: Targets,
    pub(crate) meetings: Meetings,
    pub(crate) clock: Clock,
    pub(crate) own: Own,
    pub(crate) others: Others,
    pub(crate) mail: Mail,
    pub(crate) acl: Acl,
    pub(crate) timers: Timers<Timer>,
    confirmed: bool,
    disagreed: bool,
    /// What time and the host's clock were when it was last watched.
    watched: (Time, u64),
}

impl Router {
    /// The router over what the store holds: dials neighbours, and sends on what waits.
    #[must_use]
    pub fn open(cx: &mut Cx<'_>, config: Config, out: &mut Outbox<Output>) -> Self {
        let mut router = Self {
            me: config.secret.node_id(),
            clock: Clock::new(config.trusted_clock),
            own: Own::load(cx),
            others: Others::load(cx),
            mail: Mail::load(cx),
            acl: Acl::new(*config.secret.node_id().as_bytes()),
            config,
            links: BTreeMap::new(),
            open: BTreeMap::new(),
            targets: Targets::default(),
            meetings: Meetings::default(),
            timers: Timers::new(),
            confirmed: false,
            disagreed: false,
            watched: (cx.now, cx.wall.as_millis()),
        };
        router.timers.set(Timer::Sweep, cx.now.after(SWEEP_EVERY));
        router.load_peers(cx, out);
        router.turn_sealing_key(cx);
        router.renew_advert(cx, out);
        router.sync_mail_targets(cx, out);
        router.look_at_clock(cx, out);
        router
    }

    /// This node's id.
    #[must_use]
    pub const fn id(&self) -> NodeId {
        self.me
    }

    /// Whether the host's clock may be acted on.
    #[must_use]
    pub const fn clock_confirmed(&self) -> bool {
        self.confirmed
    }

    /// The best guess of the time, in milliseconds since 1970, for what is dated here.
    #[must_use]
    pub fn time(&self, cx: &Cx<'_>) -> u64 {
        self.clock.guess(cx)
    }

    /// The open link with a node.
    #[must_use]
    pub fn link_of(&self, node: &NodeId) -> Option<LinkId> {
        self.open.get(node).copied()
    }

    /// Whether who is at the other end of a link is on a network of this node's own, as far as the address tells
    /// at which it was dialled. Of who dialled it tells nothing: it may be that of a translator.
    #[must_use]
    pub fn is_near(&self, link: LinkId) -> bool {
        let link = self.links.get(&link);
        link.is_some_and(|link| link.dialled && crate::meeting::is_near(&link.address))
    }

    /// The rate rules in force. After a change [`Router::allowed_anew`] is due.
    pub const fn acl(&mut self) -> &mut Acl {
        &mut self.acl
    }

    /// The rate rules have changed: what waits to be sent is looked at again.
    pub fn allowed_anew(&mut self, cx: &Cx<'_>) {
        self.wake_all_lanes(cx.now);
        self.timers.set_earlier(Timer::BestEffort, cx.now);
    }

    /// Takes one input.
    pub fn handle(&mut self, cx: &mut Cx<'_>, input: Input, out: &mut Outbox<Output>) {
        match input {
            Input::Up {
                link,
                node,
                dialled,
                exporter,
                address,
            } => {
                if let Some(token) = dialled {
                    self.dial_answered(cx, node, token, &address, out);
                }
                let target = self.targets.get(&node);
                let fresh = Link {
                    node,
                    dialled: dialled.is_some(),
                    exporter: Secret::from_bytes(exporter),
                    address,
                    by: target.and_then(|target| target.meeting.arranged_by(cx.now)),
                    up: cx.now,
                    up_wall_ms: cx.wall.as_millis(),
                    phase: Phase::Greeting,
                    trust: crate::links::Trust::Stranger(0),
                    greeted: None,
                    heard: cx.now,
                    used: cx.now,
                    ping: None,
                    unanswered: 0,
                    interval: crate::limits::PING_FIRST,
                    round_trip: None,
                    opened: false,
                    unwanted: false,
                    asked: false,
                    shown: false,
                    denied: false,
                    sorry: Vec::new(),
                };
                self.link_up(cx, link, fresh, out);
            }
            Input::Down { link, reason } => {
                self.link_down(cx, link, reason, out);
                self.forget_untold(cx);
            }
            Input::DialFailed { token, reason } => self.dial_failed(cx, token, reason, out),
            Input::Frame { link, frame, len } => self.frame(cx, link, frame, len, out),
            Input::Garbage { link, why } => {
                self.close(cx, link, Code::MALFORMED, &why.to_string(), out);
            }
            Input::Checked { link, id, result } => self.mail_checked(cx, link, id, result, out),
            Input::Standing { node, standing } => self.standing(cx, node, standing, out),
            Input::Keep {
                node,
                why,
                addresses,
            } => {
                self.keep(cx, node, why, addresses, out);
            }
            Input::Release { node, why } => {
                self.targets.release(&node, why);
                self.look_at_need(cx.now, &node);
                self.forget_untold(cx);
            }
            Input::Listening { addresses } => {
                if self.own.listening.as_ref() != Some(&addresses) {
                    self.urge_shortcuts();
                }
                self.own.listening = Some(addresses);
                self.renew_advert(cx, out);
            }
            Input::MyCores { cores } => {
                self.own.cores = Some(cores);
                self.renew_advert(cx, out);
            }
        }
        self.dial_queued(cx, out);
    }

    /// When [`Router::on_deadline`] is wanted.
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        self.timers.next()
    }

    /// What [`Router::deadline`] is for, in a word of this crate: for those who measure.
    #[must_use]
    pub fn awaits(&self) -> Option<(Time, String)> {
        let (at, timer) = self.timers.first()?;
        Some((at, format!("{timer:?}")))
    }

    /// Does what is due.
    pub fn on_deadline(&mut self, cx: &mut Cx<'_>, out: &mut Outbox<Output>) {
        for _ in 0..TIMERS_PER_TURN {
            let Some(timer) = self.timers.expired(cx.now) else {
                break;
            };
            match timer {
                Timer::Hello(link) => {
                    self.close(cx, link, Code::MISBEHAVED, "no hello came in time", out);
                }
                Timer::Stranger(link) => self.stranger_late(cx, link, out),
                Timer::Sorry(link) => self.say_sorry(cx, link, out),
                Timer::Crowd => self.thin_out(cx, Crowd::Strangers, out),
                Timer::Ping(link) => self.look_at_silence(cx, link, out),
                Timer::Decide(link) => self.decide(cx, link, out),
                Timer::Dial(node) => self.dial(cx, node, out),
                Timer::Lane(to, target) => self.pump(cx, to, target, out),
                Timer::Receipts => self.sign_receipts(cx, out),
                Timer::BestEffort => self.end_best_effort(cx, out),
                Timer::Sweep => self.sweep(cx, out),
            }
        }
        self.dial_queued(cx, out);
    }

    /// Looks at the clock if the host's has not gone as time has. To be asked at the beginning of
    /// every turn: what the clock is taken for must not be older than what it says.
    pub fn watch_clock(&mut self, cx: &Cx<'_>, out: &mut Outbox<Output>) {
        let (at, wall_ms) = self.watched;
        let passed = u64::try_from(cx.now.since(at).as_millis()).unwrap_or(u64::MAX);
        let wall = cx.wall.as_millis();
        self.watched = (cx.now, wall);
        if wall.abs_diff(wall_ms.saturating_add(passed)) > CLOCK_JUMP_MS {
            self.look_at_clock(cx, out);
        }
    }

    /// Says once when the clock becomes confirmed, or no longer is, or others disagree with it. To
    /// be asked before anything is deleted: a host's clock may jump at any time.
    pub fn look_at_clock(&mut self, cx: &Cx<'_>, out: &mut Outbox<Output>) {
        let confirmed = self.clock.confirmed(cx);
        if confirmed != self.confirmed {
            self.confirmed = confirmed;
            out.push(Output::Clock { confirmed });
        }
        let disagreement = if confirmed {
            None
        } else {
            self.clock.disagreement(cx)
        };
        if let Some(ahead_ms) = disagreement
            && !self.disagreed
        {
            out.push(Output::Problem(Problem::Clock { ahead_ms }));
        }
        self.disagreed = disagreement.is_some();
    }

    fn sweep(&mut self, cx: &mut Cx<'_>, out: &mut Outbox<Output>) {
        self.clock.forget(cx.now);
        self.look_at_clock(cx, out);
        self.turn_sealing_key(cx);
        self.renew_advert(cx, out);
        let more = self.sweep_mail(cx, out) | self.forget_untold(cx);
        let next = if more {
            Duration::ZERO
        } else if self.has_ends(cx) {
            SWEEP_EVERY
        } else {
            SWEEP_IDLE
        };
        self.timers.set(Timer::Sweep, cx.now.after(next));
    }

    /// Mail was stored that is over one day.
    pub(crate) fn sweep_soon(&mut self, cx: &Cx<'_>) {
        let at = cx.now.after(SWEEP_EVERY);
        self.timers.set_earlier(Timer::Sweep, at);
    }

    /// Sends a frame to a node over its open link; says whether there is one.
    pub(crate) fn send_to(&self, node: &NodeId, frame: Frame, out: &mut Outbox<Output>) -> bool {
        let Some(link) = self.open.get(node).copied() else {
            return false;
        };
        out.push(Output::Send { link, frame });
        true
    }

    /// Checks what must always hold; for tests and the simulator.
    ///
    /// # Panics
    /// When it does not hold: a bug of this crate.
    pub fn check_invariants(&self) {
        for (node, link) in &self.open {
            let link = self.links.get(link).expect("an open link is known");
            assert_eq!(link.node, *node, "an open link is that node's");
            assert_eq!(link.phase, Phase::Open, "an open link is open");
        }
        for (id, link) in &self.links {
            let in_use = self.open.get(&link.node) == Some(id);
            assert_eq!(
                link.phase == Phase::Open,
                in_use,
                "one open link with a node"
            );
        }
        self.check_crowds();
        self.mail.check_invariants();
    }
}
