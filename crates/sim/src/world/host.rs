//! One simulated machine: a node, its disk, its clock, and the person before it.

use super::app::App;
use super::ends::Ends;
use super::lies::Liar;
use super::net::Net;
use super::queue::Key;
use super::trace::{Digest, Trace};
use crate::check::excuse::Said;
use crate::check::{Broken, Ended, Facts, Scene, Watch};
use crate::disk::Disk;
use crate::metrics::{Metrics, TurnKind};
use crate::plan::{NodeNo, NodePlan, Plan, Role, START_MS, TopicNo};
use machine::{Batch, ContentEffect, Event, Exempt, Fault, Kernel, Rng, Time, WallTime};
use node::command::{Command, RequestId};
use node::{Advisory, Config, FileJob, Held, Input, LinkId, Node, Out};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// Something that happens to a node.
#[derive(Debug)]
pub(crate) enum Happening {
    /// A deadline of its own may have come.
    Deadline { life: u32 },
    /// The oldest batch in flight is durable.
    Durable { life: u32 },
    /// The disk has done this with a content.
    Content {
        life: u32,
        effect: Box<ContentEffect>,
    },
    /// The disk has done this with files.
    File {
        life: u32,
        job: u64,
        what: Box<FileJob>,
    },
    /// The result of a check, or another input of its own.
    Input { life: u32, input: Box<Input> },
    /// A dial arrives: the other's end of the link, and the secret of both.
    Dialled {
        from: NodeNo,
        end: u64,
        exporter: [u8; 32],
    },
    /// A dial was answered: the other's end, or nothing.
    Answered { end: u64, far: Option<u64> },
    /// A frame arrives at an end of a link.
    Frame { end: u64, bytes: Vec<u8> },
    /// The node lets more be read of what has arrived at an end.
    Readable { end: u64 },
    /// The other end has taken so many bytes.
    Taken { end: u64, bytes: u64 },
    /// The other end closed the link, or was never heard of again.
    Gone { end: u64, reason: &'static str },
    /// It is time to see whether a link has been silent for too long.
    Silence { end: u64 },
    /// A person does, or tries again, what is to be done.
    Person { life: u32 },
    /// A person looks at a topic; without one, at the inbox.
    Read { life: u32, topic: Option<TopicNo> },
    /// It starts, if it is down and meant to be up.
    Start,
    /// It has said goodbye and stops.
    Stop { life: u32 },
    /// A step of the plan.
    Act(u32),
}

/// What a node's person tells others by other means than the network.
#[derive(Clone, Debug)]
pub(crate) enum Note {
    /// The invite of a topic.
    Invited {
        topic: TopicNo,
        to: Option<NodeNo>,
        link: String,
    },
    /// Where a public topic is found.
    Public { topic: TopicNo, link: String },
    /// What makes a node a device of its person; without a link, that it is one.
    Device {
        device: NodeNo,
        link: Option<String>,
    },
}

/// What may be used while something happens to a node.
pub(crate) struct Around<'a> {
    pub(crate) now: Time,
    pub(crate) plan: &'a Plan,
    pub(crate) net: &'a Net,
    pub(crate) facts: &'a Facts,
    pub(crate) out: &'a mut Vec<(Key, Happening)>,
    pub(crate) notes: &'a mut Vec<(Key, Note)>,
    pub(crate) metrics: &'a mut Metrics,
    pub(crate) broken: &'a mut Vec<Broken>,
    pub(crate) trace: Option<&'a mut Trace>,
}

impl Around<'_> {
    pub(crate) fn wall(&self) -> WallTime {
        right(self.now)
    }
}

/// The right time.
pub(crate) fn right(now: Time) -> WallTime {
    WallTime::from_millis(START_MS + now.as_micros() / 1_000)
}

/// A disk, and what the state folder outside the home says of it.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    pub(crate) disk: Disk,
    /// How many commits the disk has had, as far as was noted outside.
    pub(crate) marker: u64,
}

/// A machine that is on.
#[derive(Debug)]
pub(crate) struct Life {
    pub(crate) kernel: Kernel<Node, Out, Disk>,
    /// The world's time at its start.
    pub(crate) born: Time,
    /// For when the next deadline is in the queue.
    armed: Option<Time>,
    pub(crate) in_flight: VecDeque<Arc<Batch>>,
    /// When the disk has done what it was asked so far.
    pub(super) disk_free: Time,
    /// It has said goodbye.
    pub(crate) closing: bool,
    /// Inputs that a lying disk or a full one brings about.
    pub(super) full: bool,
}

/// One simulated machine.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) no: NodeNo,
    pub(crate) config: Config,
    /// What is on the disk while the machine is off.
    pub(super) home: Option<Disk>,
    pub(crate) marker: u64,
    pub(crate) life: Option<Box<Life>>,
    pub(crate) lives: u32,
    /// Whether it is meant to be on: a machine that failed starts again by itself.
    pub(crate) wanted: bool,
    clock: Clock,
    /// Bytes of the disk; 0 without end.
    pub(crate) capacity: u64,
    /// The next commit fails.
    pub(crate) fail_commit: bool,
    /// It stops dead after so many further effects.
    pub(crate) crash_after: Option<u32>,
    pub(crate) backup: Option<Home>,
    /// The disk as it was before each of the last commits, if the plan loses some.
    pub(crate) before: VecDeque<Disk>,
    pub(super) keeps_before: bool,
    pub(crate) ends: Ends,
    pub(crate) app: App,
    pub(crate) liar: Option<Box<Liar>>,
    pub(crate) watch: Watch,
    pub(crate) rng: Rng,
    number: u64,
    pub(crate) digest: Digest,
    pub(crate) turns: u64,
    /// Failed lives in a row, for the wait before the next.
    pub(super) failures: u32,
}

/// A clock that may be wrong.
#[derive(Clone, Copy, Debug)]
struct Clock {
    skew_ms: i64,
    drift_ppm: i32,
    since: Time,
}

impl Clock {
    fn skew(&self, now: Time) -> i64 {
        let micros = i64::try_from(now.since(self.since).as_micros()).unwrap_or(i64::MAX);
        let drift = micros / 1_000 * i64::from(self.drift_ppm) / 1_000_000;
        self.skew_ms.saturating_add(drift)
    }
}

impl Host {
    pub(crate) fn new(
        no: NodeNo,
        plan: &Plan,
        (config, disk): (Config, Disk),
        rng: Rng,
        tears: bool,
    ) -> Self {
        let own = &plan.nodes[no as usize];
        Self {
            no,
            config,
            home: Some(disk),
            marker: 0,
            life: None,
            lives: 0,
            wanted: false,
            clock: Clock {
                skew_ms: own.skew_ms,
                drift_ppm: own.drift_ppm,
                since: Time::ZERO,
            },
            capacity: own.disk,
            fail_commit: false,
            crash_after: None,
            backup: None,
            before: VecDeque::new(),
            keeps_before: tears,
            ends: Ends::default(),
            app: App::new(no, plan),
            liar: Liar::new(own),
            watch: Watch::default(),
            rng,
            number: 0,
            digest: Digest::default(),
            turns: 0,
            failures: 0,
        }
    }

    pub(crate) fn plan<'p>(&self, plan: &'p Plan) -> &'p NodePlan {
        &plan.nodes[self.no as usize]
    }

    pub(crate) const fn is_up(&self) -> bool {
        self.life.is_some()
    }

    /// What is durable.
    pub(crate) fn disk(&self) -> &Disk {
        match (&self.life, &self.home) {
            (Some(life), _) => life.kernel.base(),
            (None, Some(disk)) => disk,
            (None, None) => unreachable!("a machine that is off has its disk"),
        }
    }

    /// Puts another disk into a machine that is off.
    pub(crate) fn put_disk(&mut self, home: Home) {
        self.home = Some(home.disk);
        self.marker = home.marker;
    }

    pub(crate) fn set_clock(&mut self, now: Time, skew_ms: i64) {
        self.clock = Clock {
            skew_ms,
            drift_ppm: self.clock.drift_ppm,
            since: now,
        };
    }

    /// Makes the clock right for good.
    pub(crate) fn mend_clock(&mut self, now: Time) {
        self.clock = Clock {
            skew_ms: 0,
            drift_ppm: 0,
            since: now,
        };
    }

    pub(crate) fn role(&self, around: &Around<'_>) -> Role {
        self.plan(around.plan).role
    }

    /// Something will happen to a node, this or another.
    pub(crate) fn later(&mut self, around: &mut Around<'_>, at: Time, to: NodeNo, what: Happening) {
        self.number += 1;
        let key = Key {
            at,
            node: to,
            cause: self.no,
            number: self.number,
        };
        around.out.push((key, what));
    }

    pub(crate) fn soon(&mut self, around: &mut Around<'_>, after: Duration, what: Happening) {
        let at = around.now.after(after);
        self.later(around, at, self.no, what);
    }

    pub(crate) fn note(&mut self, around: &mut Around<'_>, note: Note) {
        self.number += 1;
        let key = Key {
            at: around.now,
            node: self.no,
            cause: self.no,
            number: self.number,
        };
        around.notes.push((key, note));
    }

    pub(crate) fn scene<'a>(no: NodeNo, around: &'a mut Around<'_>) -> Scene<'a> {
        Scene {
            now: around.now,
            wall: right(around.now),
            no,
            plan: around.plan,
            facts: around.facts,
            broken: around.broken,
        }
    }

    /// Starts the machine, if it is off and meant to be on.
    pub(crate) fn start(&mut self, around: &mut Around<'_>) {
        if self.life.is_some() || !self.wanted {
            return;
        }
        let Some(disk) = self.home.take() else { return };
        self.lives += 1;
        let seed = self.rng.array();
        let stale = disk.commits() < self.marker;
        let config = Config {
            stale,
            ..self.config.clone()
        };
        self.watch.started(&mut Self::scene(self.no, around), &disk);
        let full = self.is_full(&disk);
        self.life = Some(Box::new(Life {
            kernel: Kernel::new(Node::new(config), disk, Rng::from_seed(seed)),
            born: around.now,
            armed: None,
            in_flight: VecDeque::new(),
            disk_free: around.now,
            closing: false,
            full,
        }));
        self.count_up(around, 1);
        self.trace(around, || {
            format!("starts{}", if stale { ", stale" } else { "" })
        });
        self.turn(around, Event::Deadline, TurnKind::Deadline);
        let addresses = vec![around.net.address(self.no)];
        self.input(around, Input::Listening { addresses }, TurnKind::Other);
        if self.capacity > 0 {
            self.tell_space(around);
        }
        let life = self.lives;
        self.soon(around, Duration::from_millis(1), Happening::Person { life });
    }

    /// Says goodbye; the machine goes off when its disk has done everything.
    pub(crate) fn close(&mut self, around: &mut Around<'_>) {
        self.wanted = false;
        if self.life.is_none() {
            return;
        }
        self.input(around, Input::Closing, TurnKind::Other);
        if let Some(life) = &mut self.life {
            life.closing = true;
            let life = self.lives;
            self.soon(around, CLOSE_LINGER, Happening::Stop { life });
        }
    }

    /// The machine goes off, having said goodbye.
    pub(crate) fn stop(&mut self, around: &mut Around<'_>) {
        if self
            .life
            .as_ref()
            .is_some_and(|life| !life.kernel.is_settled())
        {
            let life = self.lives;
            return self.soon(around, CLOSE_LINGER, Happening::Stop { life });
        }
        self.close_ends(around);
        self.end_life(around, Ended::Stopped);
        if self.wanted {
            // Somebody wanted it back before it was off.
            self.soon(around, CLOSE_LINGER, Happening::Start);
        }
    }

    /// The machine stops dead. What is in flight to the disk may or may not have got there.
    pub(crate) fn crash(&mut self, around: &mut Around<'_>) {
        self.crash_after = None;
        let Some(life) = &mut self.life else { return };
        let in_flight = std::mem::take(&mut life.in_flight);
        for batch in in_flight {
            if self.rng.below(2) == 0 {
                break;
            }
            self.write(around, &batch);
        }
        self.lose_ends(around);
        self.end_life(around, Ended::Crashed);
    }

    fn end_life(&mut self, around: &mut Around<'_>, how: Ended) {
        let Some(life) = self.life.take() else { return };
        let disk = life.kernel.into_base();
        self.trace(around, || format!("is off: {how:?}"));
        self.watch
            .ended(&mut Self::scene(self.no, around), how, &disk);
        self.home = Some(disk);
        self.count_up(around, -1);
        self.app.forget_life();
    }

    fn count_up(&self, around: &mut Around<'_>, change: i32) {
        let own = self.plan(around.plan);
        // A copy of a home has no person.
        if own.role == Role::Person && own.twin_of.is_none() {
            around.metrics.up(around.now, change);
        }
    }

    /// Tells the checkers that the disk was set back while the machine was off.
    pub(crate) fn was_set_back(&mut self, around: &mut Around<'_>, noticed: bool) {
        if let Some(disk) = &self.home {
            let how = Ended::SetBack { noticed };
            self.watch
                .ended(&mut Self::scene(self.no, around), how, disk);
        }
        self.app.was_set_back();
    }

    /// A life that ended by a fault is followed by another, later each time.
    pub(super) fn fail(&mut self, around: &mut Around<'_>, why: &str) {
        self.trace(around, || format!("fails: {why}"));
        self.lose_ends(around);
        self.end_life(around, Ended::Crashed);
        let wait = Duration::from_millis(100 << self.failures.min(7));
        self.failures += 1;
        self.soon(around, wait, Happening::Start);
    }

    pub(crate) fn command(
        &mut self,
        around: &mut Around<'_>,
        request: RequestId,
        command: Command,
    ) {
        self.trace(around, || format!("is asked {command:?}"));
        self.input(
            around,
            Input::Command { request, command },
            TurnKind::Command,
        );
    }

    pub(crate) fn input(&mut self, around: &mut Around<'_>, input: Input, kind: TurnKind) {
        self.turn(around, Event::Input(input), kind);
    }

    /// One turn of the node, and everything that leaves after it.
    fn turn(&mut self, around: &mut Around<'_>, event: Event<Input>, kind: TurnKind) {
        let wall = {
            let skew = self.clock.skew(around.now);
            WallTime::from_millis(around.wall().as_millis().saturating_add_signed(skew))
        };
        let role = self.role(around);
        self.turns += 1;
        around.metrics.turn(role, kind);
        if self.turns.is_multiple_of(TURNS_PER_SAMPLE) {
            around.metrics.queue(around.now, role, self.ends.waiting());
        }
        let Some(life) = &mut self.life else { return };
        let own = Time::ZERO.after(around.now.since(life.born));
        if let Err(fault) = life.kernel.turn(own, wall, event) {
            let why = match fault {
                Fault::Read(why) => why.to_string(),
                Fault::Commit(why) => why,
            };
            return self.fail(around, &why);
        }
        let (used, waiting) = (life.kernel.last_use(), life.in_flight.len());
        let mut exempt = Vec::new();
        while let Some(output) = life.kernel.exempt() {
            exempt.push(output);
        }
        self.watch
            .turned(&mut Self::scene(self.no, around), used, waiting);
        if self.turns.is_multiple_of(TURNS_PER_FIGURES) {
            self.figures(around);
        }
        self.batches(around);
        for output in exempt {
            if self.effect(around) {
                return;
            }
            self.exempt(around, output);
        }
        self.release(around);
        self.arm(around);
    }

    /// Shows the checkers what the node has in memory.
    fn figures(&self, around: &mut Around<'_>) {
        let Some(life) = &self.life else { return };
        let figures = life.kernel.machine().figures();
        let mut scene = Self::scene(self.no, around);
        self.watch.figures(&mut scene, &figures);
    }

    /// As [`Host::figures`], when all is silent and everybody has everything. `near` is what its
    /// neighbours have refused.
    pub(crate) fn at_rest(&self, around: &mut Around<'_>, near: &Said) {
        let Some(life) = &self.life else { return };
        let machine = life.kernel.machine();
        let of = (&machine.figures(), &machine.undone());
        let mut scene = Self::scene(self.no, around);
        let (asks, disk) = (!self.is_done(), life.kernel.base());
        self.watch.at_rest(&mut scene, of, asks, (disk, near));
    }

    /// Counts an effect; says whether the machine has just stopped dead, or is off.
    pub(super) fn effect(&mut self, around: &mut Around<'_>) -> bool {
        match &mut self.crash_after {
            Some(0) => {
                self.trace(around, || "stops dead".to_owned());
                self.crash(around);
                if self.wanted {
                    // It took so long that it was to be back by now.
                    self.soon(around, CLOSE_LINGER, Happening::Start);
                }
                true
            }
            Some(left) => {
                *left -= 1;
                self.life.is_none()
            }
            None => self.life.is_none(),
        }
    }

    /// Sees to it that the next deadline is in the queue.
    pub(crate) fn arm(&mut self, around: &mut Around<'_>) {
        let lives = self.lives;
        let Some(life) = &mut self.life else { return };
        let Some(own) = life.kernel.deadline() else {
            return;
        };
        let at = life.born.after(own.since(Time::ZERO)).max(around.now);
        if life.armed.is_none_or(|armed| armed > at) {
            life.armed = Some(at);
            self.later(around, at, self.no, Happening::Deadline { life: lives });
        }
    }

    /// A deadline that was in the queue has come; it may have moved meanwhile.
    pub(crate) fn deadline(&mut self, around: &mut Around<'_>) {
        let Some(life) = &mut self.life else { return };
        if life.armed != Some(around.now) {
            // An earlier one has taken its place.
            return;
        }
        life.armed = None;
        let own = Time::ZERO.after(around.now.since(life.born));
        if life.kernel.deadline().is_some_and(|at| at <= own) {
            self.turn(around, Event::Deadline, TurnKind::Deadline);
        } else {
            self.arm(around);
        }
    }

    /// Lets out whatever has become true.
    pub(crate) fn release(&mut self, around: &mut Around<'_>) {
        loop {
            let Some(life) = &mut self.life else { return };
            let Some(output) = life.kernel.release() else {
                return;
            };
            if self.effect(around) {
                return;
            }
            match output {
                Held::Frame { link, bytes } => self.send(around, link, bytes),
                Held::Reply { request, reply } => self.replied(around, request, reply),
                Held::Changed { topic, last } => self.changed(around, topic, last),
                Held::Mail { last } => self.mailed(around, last),
                Held::Delete(name) => self.content(around, ContentEffect::Delete(name)),
            }
        }
    }

    fn exempt(&mut self, around: &mut Around<'_>, output: Exempt<Out>) {
        match output {
            Exempt::Verbatim(verbatim) => {
                let (link, bulk) = (verbatim.link(), verbatim.is_bulk());
                self.send(around, link, verbatim.into_bytes());
                if bulk {
                    let input = Box::new(Input::BlocksSent { link, frames: 1 });
                    let life = self.lives;
                    self.soon(around, CHECK_TIME, Happening::Input { life, input });
                }
            }
            Exempt::Advisory(Advisory::Courtesy { link, bytes }) => self.send(around, link, bytes),
            Exempt::Advisory(Advisory::Dial {
                token,
                node,
                address,
            }) => self.dial(around, token, node, &address),
            Exempt::Advisory(Advisory::Close { link, text, .. }) => {
                self.trace(around, || format!("closes link {}: {text}", link.0));
                self.close_end(around, link.0);
            }
            Exempt::Advisory(Advisory::Grant { link, bytes }) => {
                self.granted(around, link.0, bytes);
            }
            Exempt::Advisory(Advisory::Check(check)) => {
                let input = Box::new(Input::Checked(check.run()));
                let life = self.lives;
                self.soon(around, CHECK_TIME, Happening::Input { life, input });
            }
            Exempt::Advisory(Advisory::Log { event, text }) => {
                self.trace(around, || format!("notes {event}: {text}"));
            }
            Exempt::Advisory(Advisory::File { job, what }) => self.file(around, job, what),
            Exempt::Content(effect) => self.content(around, effect),
        }
    }

    /// Sends a frame, the way this node sends frames.
    fn send(&mut self, around: &mut Around<'_>, link: LinkId, bytes: Vec<u8>) {
        let Some(to) = self.ends.far_node(link.0) else {
            return;
        };
        if let Some(life) = &self.life {
            let mut scene = Self::scene(self.no, around);
            self.watch
                .leaves(&mut scene, to, &bytes, life.kernel.base());
        }
        match self.liar.take() {
            Some(mut liar) if around.net.lies => {
                for (end, bytes) in liar.say(self, around, link.0, bytes) {
                    self.put_on_wire(around, end, bytes);
                }
                self.liar = Some(liar);
            }
            liar => {
                self.liar = liar;
                self.put_on_wire(around, link.0, bytes);
            }
        }
    }

    /// Notes a line for people who follow the run.
    pub(crate) fn trace(&self, around: &mut Around<'_>, text: impl FnOnce() -> String) {
        if let Some(trace) = around.trace.as_deref_mut() {
            trace.line(around.now, &self.plan(around.plan).name, &text());
        }
    }
}

/// How long a worker takes for a check.
const CHECK_TIME: Duration = Duration::from_micros(80);
/// How long a machine that goes off waits for its last frames and commits.
const CLOSE_LINGER: Duration = Duration::from_millis(50);
/// Turns between two looks at what a node has in memory.
const TURNS_PER_FIGURES: u64 = 16;
/// Turns between two looks at how much waits on a node's links.
const TURNS_PER_SAMPLE: u64 = 64;
