//! The person before a node, or the operator of a core node: what they ask their node, and what they
//! have seen.

mod changing;
mod devices;
mod fetching;
mod reading;

use super::contents::shared_path;
use super::host::{Around, Happening, Host, Note};
use crate::check::facts::Message;
use crate::check::holdings::genesis;
use crate::plan::{Act, NodeNo, Plan, Right, Role, TopicNo};
use devices::Pairing;
use fetching::Wishes;
use identity::TopicId;
use machine::Time;
use node::command::files::FilesCommand;
use node::command::public::PublicCommand;
use node::command::{
    AskedRight, Code, Command, ReadFrom, Reply, RequestId, Right as NamedRight, UNWELCOMED,
};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// What a request was about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Allow,
    Use(NodeNo),
    Found(usize),
    Invite(usize),
    Device(NodeNo),
    Pair,
    Unpair { step: u32 },
    Link(usize),
    Join(usize),
    Leave,
    Send { step: u32 },
    Part { step: u32 },
    Get { step: u32 },
    Cores,
    Mail { step: u32 },
    Rights { step: u32 },
    Read(usize),
    Inbox,
}

/// How far somebody has got with something that takes an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Wanted,
    Asked,
    Done,
}

/// What a person knows of a topic.
#[derive(Debug)]
struct Seat {
    topic: TopicNo,
    founds: bool,
    /// Whether this person reads what is public, and is not let in.
    reads: bool,
    /// A member may join from when the plan says so, and a reader look for the topic.
    may_join: bool,
    taking_part: Stage,
    invite: Stage,
    /// Of who founds a topic that has readers: where it is found is to be told.
    link: Stage,
    /// When a reader looked for the topic last, and how often it did.
    looked: (Time, u32),
    /// How many members have been given an invite of their own.
    invited: usize,
    /// Its id in text.
    id: Option<TopicId>,
    /// The last line on the screen.
    last: u64,
    /// A look at it is in the queue, or asked for.
    looking: bool,
    left: bool,
}

/// The person before a node.
#[derive(Debug)]
pub(crate) struct App {
    /// What was asked and is not answered, and since when.
    requests: BTreeMap<RequestId, (Asked, Time)>,
    next: u64,
    seats: Vec<Seat>,
    cores: Vec<(NodeNo, Stage)>,
    allowed: bool,
    pairing: Pairing,
    wishes: Wishes,
    /// Steps of the plan that wait until they can be done.
    waiting: VecDeque<u32>,
    inbox: u64,
    looking: bool,
    trying: bool,
    /// The node went off, or its home was set back, before mails were looked at.
    mail_missed: bool,
}

impl App {
    pub(crate) fn new(no: NodeNo, plan: &Plan) -> Self {
        let mut seats = Vec::new();
        for (at, topic) in (0..).zip(&plan.topics) {
            let founds = topic.founder == no;
            let person = plan.nodes[no as usize].device_of.unwrap_or(no);
            let reads = topic.readers.contains(&person);
            // Another device may be given whatever its person has.
            let given = person != no && topic.founder == person;
            if founds || reads || given || topic.members.contains(&person) {
                let tells = founds && !topic.readers.is_empty();
                seats.push(Seat {
                    topic: at,
                    founds,
                    reads,
                    may_join: false,
                    taking_part: Stage::Wanted,
                    invite: Stage::Wanted,
                    link: if tells { Stage::Wanted } else { Stage::Done },
                    looked: (Time::ZERO, 0),
                    invited: 0,
                    id: None,
                    last: 0,
                    looking: false,
                    left: false,
                });
            }
        }
        let uses = &plan.nodes[no as usize].uses;
        Self {
            requests: BTreeMap::new(),
            next: 0,
            seats,
            cores: uses.iter().map(|core| (*core, Stage::Wanted)).collect(),
            allowed: false,
            pairing: Pairing::new(no, plan),
            wishes: Wishes::default(),
            waiting: VecDeque::new(),
            inbox: 0,
            looking: false,
            trying: false,
            mail_missed: false,
        }
    }

    /// The node went off: what was asked is not answered any more.
    pub(crate) fn forget_life(&mut self) {
        self.requests.clear();
        self.trying = false;
        self.pairing.forget_life();
        self.wishes.forget_life();
        self.mail_missed |= std::mem::take(&mut self.looking);
        let back = |stage: &mut Stage| {
            if *stage == Stage::Asked {
                *stage = Stage::Wanted;
            }
        };
        for (_, stage) in &mut self.cores {
            back(stage);
        }
        for seat in &mut self.seats {
            seat.looking = false;
            back(&mut seat.taking_part);
            back(&mut seat.invite);
            back(&mut seat.link);
        }
    }

    /// The home is older than before: it may not know what it had learnt.
    pub(crate) fn was_set_back(&mut self) {
        self.allowed = false;
        self.inbox = 0;
        self.mail_missed = true;
        self.wishes.was_set_back();
        for (_, stage) in &mut self.cores {
            *stage = Stage::Wanted;
        }
        for seat in &mut self.seats {
            seat.last = 0;
            // What was invited to may be forgotten, and so may the invite.
            seat.invite = Stage::Wanted;
            seat.invited = 0;
            if !seat.founds && !self.pairing.is_device() {
                seat.taking_part = Stage::Wanted;
            }
        }
    }

    fn ask(&mut self, lives: u32, asked: Asked, now: Time) -> RequestId {
        self.next += 1;
        let request = RequestId(u64::from(lives) << 40 | self.next);
        self.requests.insert(request, (asked, now));
        request
    }

    /// Asks for something that nobody answers.
    #[cfg(test)]
    pub(crate) fn asks_in_vain(&mut self, now: Time) {
        self.ask(0, Asked::Leave, now);
    }

    fn seat(&self, topic: TopicNo) -> Option<usize> {
        self.seats.iter().position(|seat| seat.topic == topic)
    }
}

impl Host {
    fn give(&mut self, around: &mut Around<'_>, asked: Asked, command: Command) {
        let request = self.app.ask(self.lives, asked, around.now);
        self.command(around, request, command);
    }

    /// The person looks again at what is to be done, soon.
    fn try_again(&mut self, around: &mut Around<'_>, after: Duration) {
        if self.life.is_some() && !self.app.trying {
            self.app.trying = true;
            let life = self.lives;
            self.soon(around, after, Happening::Person { life });
        }
    }

    /// The addresses in the invites of this person lead nowhere any more: there are new ones.
    pub(crate) fn invite_again(&mut self, around: &mut Around<'_>) {
        for seat in &mut self.app.seats {
            if seat.founds && seat.invite == Stage::Done {
                seat.invite = Stage::Wanted;
                seat.invited = 0;
                if !around.plan.topics[seat.topic as usize].readers.is_empty() {
                    seat.link = Stage::Wanted;
                }
            }
        }
        self.try_again(around, SOON);
    }

    /// The plan has something for this person.
    pub(crate) fn person_step(&mut self, around: &mut Around<'_>, step: u32) {
        let Some(planned) = around.plan.steps.get(step as usize) else {
            return;
        };
        if let Act::Join { topic, .. } = planned.act {
            if let Some(seat) = self.app.seat(topic) {
                self.app.seats[seat].may_join = true;
            }
        } else if let Act::Pair { device, .. } = planned.act {
            self.app.pairing.begin(device);
        } else if self.app.waiting.len() < MAX_WAITING {
            self.app.waiting.push_back(step);
        }
        if self.life.is_some() {
            self.person(around);
        }
    }

    /// Does whatever can be done now.
    pub(crate) fn person(&mut self, around: &mut Around<'_>) {
        self.app.trying = false;
        match self.role(around) {
            Role::Core => self.allow_clients(around),
            Role::Person => {
                self.use_cores(around);
                self.take_seats(around);
                self.read_seats(around);
                self.pair_devices(around);
                self.fetch_files(around);
            }
        }
        self.do_steps(around);
        self.look_again(around);
        if self.is_waiting() || self.pairs(around) || self.wishes() {
            self.try_again(around, TRY_AGAIN);
        }
    }

    fn is_waiting(&self) -> bool {
        let app = &self.app;
        let seats = app.seats.iter().any(|seat| {
            let wants = seat.founds || seat.may_join;
            wants && seat.taking_part == Stage::Wanted
                || seat.founds && [seat.invite, seat.link].contains(&Stage::Wanted)
                || self.looks_on(seat)
        });
        seats
            || app.pairing.wants()
            || !app.waiting.is_empty()
            || app.cores.iter().any(|(_, stage)| *stage == Stage::Wanted)
    }

    fn allow_clients(&mut self, around: &mut Around<'_>) {
        if self.app.allowed {
            return;
        }
        self.app.allowed = true;
        let quota = match self.plan(around.plan).quota {
            0 => custody::limits::DEFAULT_QUOTA,
            quota => quota.max(custody::limits::MIN_QUOTA),
        };
        for client in around.plan.clients_of(self.no) {
            let node = around.net.id(client).to_string();
            self.give(around, Asked::Allow, Command::CoreAllow { node, quota });
        }
    }

    fn use_cores(&mut self, around: &mut Around<'_>) {
        for at in 0..self.app.cores.len() {
            let (core, stage) = self.app.cores[at];
            if stage == Stage::Wanted {
                self.app.cores[at].1 = Stage::Asked;
                let link = format!("{}@{}", around.net.id(core), around.net.address(core));
                self.give(around, Asked::Use(core), Command::CoreUse { link });
            }
        }
    }

    fn take_seats(&mut self, around: &mut Around<'_>) {
        let agreed = self
            .app
            .cores
            .iter()
            .all(|(_, stage)| *stage == Stage::Done);
        for at in 0..self.app.seats.len() {
            let seat = &mut self.app.seats[at];
            let topic = seat.topic;
            let planned = &around.plan.topics[topic as usize];
            if seat.founds && seat.taking_part == Stage::Wanted {
                seat.taking_part = Stage::Asked;
                let name = planned.name.clone();
                let messages = None;
                let create = if planned.public {
                    Command::Public(PublicCommand::Create { name, messages })
                } else {
                    Command::TopicCreate { name, messages }
                };
                self.give(around, Asked::Found(at), create);
            } else if let (true, Stage::Done, Stage::Wanted, true, Some(id)) =
                (seat.founds, seat.taking_part, seat.invite, agreed, seat.id)
            {
                seat.invite = Stage::Asked;
                let all = if planned.personal {
                    1
                } else {
                    planned.members.len()
                };
                let uses = u32::try_from(all).unwrap_or(u32::MAX);
                let invite = Command::Invite {
                    rights: Vec::new(),
                    messages: None,
                    while_away: true,
                    topic: id.to_string(),
                    // One who was set back comes again.
                    uses: uses
                        .saturating_add(SPARE_USES)
                        .min(wire::limits::MAX_INVITE_USES),
                    until: None,
                };
                self.give(around, Asked::Invite(at), invite);
            } else if let (true, Stage::Wanted, Some(link)) = (
                seat.may_join && !seat.founds && !seat.reads,
                seat.taking_part,
                link_for(around, topic, self.no),
            ) {
                seat.taking_part = Stage::Asked;
                let join = Command::Join {
                    link: link.clone(),
                    name: None,
                    timeout_ms: 30_000,
                };
                self.give(around, Asked::Join(at), join);
            }
        }
    }

    fn do_steps(&mut self, around: &mut Around<'_>) {
        for _ in 0..self.app.waiting.len() {
            let Some(step) = self.app.waiting.pop_front() else {
                return;
            };
            let Some(act) = around.plan.steps.get(step as usize).map(|step| &step.act) else {
                continue;
            };
            if !self.do_step(around, step, act) {
                self.app.waiting.push_back(step);
            }
            if self.life.is_none() {
                return;
            }
        }
    }

    /// Does one step; says whether it is done with.
    fn do_step(&mut self, around: &mut Around<'_>, step: u32, act: &Act) -> bool {
        match act {
            Act::Send {
                topic,
                bytes,
                count,
                expires_ms,
                file,
                ..
            } => {
                let Some(id) = self.topic_id(*topic) else {
                    return false;
                };
                let text = |index| Message { step, index }.text(*bytes).into_bytes();
                let expires = (*expires_ms > 0).then(|| around.wall().as_millis() + expires_ms);
                let send = if *file > 0 {
                    Command::Files(FilesCommand::Share {
                        topic: id.to_string(),
                        path: shared_path(Message { step, index: 0 }),
                        expires,
                    })
                } else {
                    Command::Send {
                        to: id.to_string(),
                        messages: (0..*count).map(text).collect(),
                        expires,
                        best_effort: false,
                    }
                };
                self.give(around, Asked::Send { step }, send);
                true
            }
            Act::Mail {
                to,
                bytes,
                best_effort,
                ..
            } => {
                let send = Command::Send {
                    to: around.net.id(*to).to_string(),
                    messages: vec![Message { step, index: 0 }.text(*bytes).into_bytes()],
                    expires: None,
                    best_effort: *best_effort,
                };
                self.give(around, Asked::Mail { step }, send);
                true
            }
            Act::Leave { topic, .. } => {
                let Some(id) = self.topic_id(*topic) else {
                    return false;
                };
                if let Some(seat) = self.app.seat(*topic) {
                    self.app.seats[seat].left = true;
                }
                around
                    .facts
                    .change_topic(*topic, |facts| facts.left.insert(self.no));
                let topic = id.to_string();
                self.give(around, Asked::Leave, Command::TopicLeave { topic });
                true
            }
            Act::Unpair { device, .. } => self.remove_device(around, step, *device),
            Act::UseCore { core, .. } => self.begins_with(around, *core),
            Act::LeaveCore { core, .. } => self.parts_with(around, step, *core),
            Act::Grant {
                topic, to: other, ..
            }
            | Act::Revoke {
                topic, whom: other, ..
            } => {
                let Some(id) = self.topic_id(*topic) else {
                    return false;
                };
                // A topic that a home has lost is joined again before anything is done in it.
                let Some(member) = self.member(around, *topic, *other) else {
                    return false;
                };
                let public = around.plan.topics[*topic as usize].public;
                if let Some(command) = rights_command(act, (id, public), member) {
                    around.facts.change_topic(*topic, |facts| {
                        facts.rights.insert(step);
                    });
                    self.give(around, Asked::Rights { step }, command);
                }
                true
            }
            _ => true,
        }
    }

    /// The device of somebody in a topic, in text: what a member's own program shows to others.
    fn member(&self, around: &Around<'_>, topic: TopicNo, other: NodeNo) -> Option<String> {
        let local = self.watch.holdings.topic(topic)?.local;
        let genesis = genesis(self.disk(), None, local)?;
        let key = around.facts.devices.key(&genesis, other)?;
        Some(key.to_string())
    }

    /// The id of a topic in which this person takes part now.
    fn topic_id(&self, topic: TopicNo) -> Option<TopicId> {
        let seat = &self.app.seats[self.app.seat(topic)?];
        seat.id
            .filter(|_| seat.taking_part == Stage::Done && !seat.left)
    }

    /// The node has answered.
    pub(crate) fn replied(&mut self, around: &mut Around<'_>, request: RequestId, reply: Reply) {
        if let Some(life) = &self.life {
            let mut scene = Self::scene(self.no, around);
            self.watch.answered(&mut scene, &reply, life.kernel.base());
        }
        let Some((asked, _)) = self.app.requests.remove(&request) else {
            return;
        };
        if let Reply::Failed(failure) = &reply {
            self.trace(around, || format!("cannot: {asked:?}: {}", failure.message));
        }
        let done = !matches!(reply, Reply::Failed(_));
        let stage = if done { Stage::Done } else { Stage::Wanted };
        match (asked, reply) {
            (Asked::Use(core), _) => {
                for (_, known) in self.app.cores.iter_mut().filter(|(no, _)| *no == core) {
                    *known = stage;
                }
                self.try_again(around, if done { SOON } else { TRY_AGAIN });
            }
            (Asked::Found(at) | Asked::Join(at), reply) => {
                self.app.seats[at].taking_part = stage;
                if let Reply::Topic { id, .. } = reply {
                    self.takes_seat(around, at, id);
                }
                self.try_again(around, if done { SOON } else { TRY_AGAIN });
            }
            (Asked::Invite(at), reply) => {
                self.app.seats[at].invite = stage;
                if let Reply::Invited { link, .. } = reply {
                    self.tells(around, at, link);
                }
            }
            (Asked::Device(device), reply) => self.tells_device(around, device, reply),
            (Asked::Pair, _) => self.is_paired(around, done),
            (Asked::Unpair { step }, Reply::Failed(_)) => self.keeps_device(around, step),
            (Asked::Part { step }, reply) => self.has_parted(around, step, &reply),
            (Asked::Get { step }, _) => self.has_fetched(around, step, done),
            (Asked::Cores, reply) => self.judges_cores(around, &reply),
            (Asked::Link(at), reply) => {
                self.app.seats[at].link = stage;
                self.tells_all(around, at, reply);
            }
            (Asked::Send { step }, Reply::Sent { ids, .. }) => {
                for _ in &ids {
                    around.metrics.wrote(around.now);
                }
                let envelopes = ids.iter().map(|id| id.envelope);
                around.facts.sent(step, around.now, envelopes);
                if let Some(Act::Send { topic, .. }) =
                    around.plan.steps.get(step as usize).map(|s| &s.act)
                {
                    let others = around.plan.topics[*topic as usize].audience() - 1;
                    let expected = others as u64 * ids.len() as u64;
                    around.metrics.expected(around.now, expected);
                }
            }
            (Asked::Mail { step }, Reply::Sent { .. }) => {
                around.metrics.mail_sent(around.now);
                around.facts.sent(step, around.now, std::iter::empty());
            }
            (Asked::Send { step }, Reply::Failed(failure)) => {
                if failure.code == Code::NotYet && failure.message.contains(UNWELCOMED) {
                    around.facts.lacks_welcome(step);
                } else if failure.code == Code::NotYet {
                    around.facts.lacks_keys(step);
                }
                around.metrics.refused(around.now);
            }
            (Asked::Rights { step }, Reply::Failed(_)) => self.declined(around, step),
            (Asked::Rights { step }, Reply::Revoked { .. }) => self.has_revoked(around, step),
            (
                Asked::Read(at),
                Reply::Lines {
                    last, more, lines, ..
                },
            ) => {
                self.has_read(around, at, last, more);
                self.reads_of_files(around, at, &lines);
            }
            (Asked::Read(at), _) => self.app.seats[at].looking = false,
            (Asked::Inbox, Reply::Inbox { last, more, .. }) => {
                self.app.looking = false;
                self.app.inbox = self.app.inbox.max(last);
                self.count_shown(around);
                if more {
                    self.look(around, None, SOON);
                }
            }
            (Asked::Inbox, _) => self.app.looking = false,
            (
                Asked::Allow
                | Asked::Unpair { .. }
                | Asked::Leave
                | Asked::Mail { .. }
                | Asked::Send { .. }
                | Asked::Rights { .. },
                _,
            ) => {}
        }
    }

    /// This person has an invite, and tells it to all others, or to the next of them.
    fn tells(&mut self, around: &mut Around<'_>, at: usize, link: String) {
        let seat = &mut self.app.seats[at];
        let topic = seat.topic;
        let planned = &around.plan.topics[topic as usize];
        let to = planned.members.get(seat.invited).copied();
        let to = to.filter(|_| planned.personal);
        if to.is_some() {
            seat.invited += 1;
            if seat.invited < planned.members.len() {
                seat.invite = Stage::Wanted;
            }
        }
        let again = seat.invite == Stage::Wanted;
        self.note(around, Note::Invited { topic, to, link });
        if again {
            self.try_again(around, SOON);
        }
    }

    /// With somebody's rights the invite was taken back by which they had come: there is a new one for
    /// all others.
    fn has_revoked(&mut self, around: &mut Around<'_>, step: u32) {
        let act = around.plan.steps.get(step as usize).map(|step| &step.act);
        let Some(Act::Revoke { topic, .. }) = act else {
            return;
        };
        let personal = around.plan.topics[*topic as usize].personal;
        if let Some(seat) = self.app.seat(*topic).filter(|_| !personal) {
            let seat = &mut self.app.seats[seat];
            if seat.founds && seat.invite == Stage::Done {
                seat.invite = Stage::Wanted;
                self.try_again(around, SOON);
            }
        }
    }

    /// What this person wanted to give or to take back was not done.
    fn declined(&self, around: &mut Around<'_>, step: u32) {
        around.metrics.refused(around.now);
        let act = around.plan.steps.get(step as usize).map(|step| &step.act);
        if let Some(Act::Grant { topic, .. } | Act::Revoke { topic, .. }) = act {
            around.facts.change_topic(*topic, |facts| {
                facts.rights.remove(&step);
            });
        }
    }

    fn takes_seat(&mut self, around: &mut Around<'_>, at: usize, id: TopicId) {
        let seat = &mut self.app.seats[at];
        seat.id = Some(id);
        let (no, now, reads) = (self.no, around.now.as_micros(), seat.reads);
        around.facts.change_topic(seat.topic, |facts| {
            facts.id.get_or_insert(id);
            if reads {
                facts.readers.insert(no);
            } else {
                facts.members.entry(no).or_insert(now);
            }
        });
    }

    fn has_read(&mut self, around: &mut Around<'_>, at: usize, last: u64, more: bool) {
        let seat = &mut self.app.seats[at];
        seat.looking = false;
        seat.last = seat.last.max(last);
        let topic = seat.topic;
        self.count_shown(around);
        if more {
            self.look(around, Some(topic), SOON);
        }
    }

    /// Counts what the last look has shown for the first time.
    fn count_shown(&mut self, around: &mut Around<'_>) {
        for message in self.watch.newly_shown() {
            if is_own(around.plan, self.no, message) || self.app.pairing.is_device() {
                continue;
            }
            let Some(since) = around.facts.sent_at(message.step) else {
                continue;
            };
            let shown = (message.step, message.index);
            if !around.metrics.is_delivery(self.no, shown) {
                continue;
            }
            let took = around.now.since(since);
            match around
                .plan
                .steps
                .get(message.step as usize)
                .map(|step| &step.act)
            {
                Some(Act::Mail { .. }) => around.metrics.mail_arrived(around.now, took),
                _ => around.metrics.shown(around.now, took),
            }
        }
    }

    /// The person will look at a topic, or at the inbox.
    fn look(&mut self, around: &mut Around<'_>, topic: Option<TopicNo>, after: Duration) {
        let looking = match topic.and_then(|topic| self.app.seat(topic)) {
            Some(seat) => &mut self.app.seats[seat].looking,
            None => &mut self.app.looking,
        };
        if !std::mem::replace(looking, true) {
            let life = self.lives;
            self.soon(around, after, Happening::Read { life, topic });
        }
    }

    /// After a start there may be lines and mails that nobody has looked at.
    fn look_again(&mut self, around: &mut Around<'_>) {
        let seats = self.app.seats.iter();
        let taken: Vec<TopicNo> = seats
            .filter(|seat| seat.taking_part == Stage::Done && !seat.looking && seat.last == 0)
            .map(|seat| seat.topic)
            .collect();
        let after = self.patience(around);
        for topic in taken {
            self.look(around, Some(topic), after);
        }
        if std::mem::take(&mut self.app.mail_missed) && self.role(around) == Role::Person {
            self.look(around, None, after);
        }
    }

    fn patience(&self, around: &Around<'_>) -> Duration {
        if !around.net.lies {
            // Faults have stopped: everybody looks at once.
            return SOON;
        }
        Duration::from_millis(self.plan(around.plan).reads_after_ms).max(SOON)
    }

    /// A topic has new lines.
    pub(crate) fn changed(&mut self, around: &mut Around<'_>, topic: TopicId, last: u64) {
        self.is_given(around, topic);
        let seat = self.app.seats.iter().find(|seat| seat.id == Some(topic));
        let Some(topic) = seat.filter(|seat| seat.last < last).map(|seat| seat.topic) else {
            return;
        };
        let after = self.patience(around);
        self.look(around, Some(topic), after);
    }

    /// The inbox has new mails.
    pub(crate) fn mailed(&mut self, around: &mut Around<'_>, last: u64) {
        if last > self.app.inbox && self.role(around) == Role::Person {
            let after = self.patience(around);
            self.look(around, None, after);
        }
    }

    /// The person looks.
    pub(crate) fn read(&mut self, around: &mut Around<'_>, topic: Option<TopicNo>) {
        let Some(topic) = topic else {
            let inbox = Command::Inbox {
                after: self.app.inbox,
                limit: PAGE,
            };
            return self.give(around, Asked::Inbox, inbox);
        };
        let Some(at) = self.app.seat(topic) else {
            return;
        };
        let seat = &mut self.app.seats[at];
        let Some(id) = seat.id else {
            seat.looking = false;
            return;
        };
        let read = Command::Read {
            topic: id.to_string(),
            from: ReadFrom::After(seat.last),
            limit: PAGE,
        };
        self.give(around, Asked::Read(at), read);
    }

    /// Whether the person has done everything.
    pub(crate) fn is_done(&self) -> bool {
        !self.is_waiting() && self.app.requests.is_empty()
    }

    /// What has waited longest for an answer, and since when.
    pub(crate) fn oldest_request(&self) -> Option<(String, Time)> {
        let (asked, since) = self.app.requests.values().min_by_key(|(_, since)| *since)?;
        Some((format!("{asked:?}"), *since))
    }
}

/// Whether a person wrote a message.
fn is_own(plan: &Plan, no: NodeNo, message: Message) -> bool {
    let step = plan.steps.get(message.step as usize).map(|step| &step.act);
    let person = |no: NodeNo| plan.nodes[no as usize].device_of.unwrap_or(no);
    matches!(step, Some(Act::Send { node, .. }) if person(*node) == no)
}

/// The invite that somebody was told, but for those whom the founder has taken their rights from: nobody
/// tells them a new one.
fn link_for<'a>(around: &Around<'a>, topic: TopicNo, no: NodeNo) -> Option<&'a String> {
    let out = around.facts.is_revoked(around.plan, topic, no);
    around.net.links.of(topic, no).filter(|_| !out)
}

/// What a person says to give rights, or to take them back.
fn rights_command(act: &Act, (topic, public): (TopicId, bool), member: String) -> Option<Command> {
    let topic = topic.to_string();
    // Nobody needs a right to read what is public.
    let speaks_of = |right: &&Right| !public || **right != Right::Read;
    match act {
        Act::Grant { rights, .. } | Act::Revoke { rights, .. }
            if !rights.is_empty() && !rights.iter().any(|right| speaks_of(&right)) =>
        {
            None
        }
        Act::Grant {
            rights, per_minute, ..
        } => {
            let asked = rights.iter().filter(speaks_of).map(|right| AskedRight {
                right: named(*right),
                from: 0,
                until: None,
            });
            Some(Command::Grant {
                topic,
                member,
                rights: asked.collect(),
                messages: (*per_minute > 0).then_some(*per_minute),
                bytes: None,
                at: None,
            })
        }
        Act::Revoke {
            rights, cascade, ..
        } => Some(Command::Revoke {
            topic,
            member,
            only: rights
                .iter()
                .filter(speaks_of)
                .copied()
                .map(named)
                .collect(),
            cut: None,
            cascade: *cascade,
        }),
        _ => None,
    }
}

const fn named(right: Right) -> NamedRight {
    match right {
        Right::Publish => NamedRight::Publish,
        Right::Read => NamedRight::Read,
        Right::Admit => NamedRight::Admit,
    }
}

/// Lines of one look.
const PAGE: u32 = 200;
/// How long a person takes to look at what has come at the earliest.
const SOON: Duration = Duration::from_millis(1);
/// How long after something could not be done it is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(20);
/// Steps that wait for one person; a further one is not done.
const MAX_WAITING: usize = 10_000;
/// Uses of an invite beyond the members: who was set back may come again.
const SPARE_USES: u32 = 8;
