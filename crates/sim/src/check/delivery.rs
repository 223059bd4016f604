//! Nothing is delivered twice, or before what it depends on and is available.
//!
//! Every home has a screen, which remembers the last line that it has shown, also when the node has
//! crashed and nothing was confirmed. A home that was set back begins anew: what it shows again is
//! what it lost.

use super::Scene;
use super::facts::{EnvelopeFacts, Facts, Message};
use super::holdings::{Holdings, look};
use super::members::is_shaky;
use super::standing::shaken;
use super::written::Bits;
use crate::plan::{Act, NodePlan, Plan, TopicNo};
use identity::{EnvelopeId, TopicId};
use machine::Base;
use node::command::{Line, LineKind, Mail, Reply};
use std::collections::BTreeSet;

/// The name of this promise.
pub(crate) const DELIVERY: &str = "delivery";

/// What a screen has shown of one topic.
#[derive(Debug)]
struct Screen {
    topic: TopicNo,
    /// The last line.
    last: u64,
    /// Messages, by their numbers in the plan.
    shown: Bits,
    /// Envelopes that have lines, by the world's numbers.
    lined: Bits,
    /// Lines were passed over, so that it is not known of which envelopes they were.
    blind: bool,
}

/// What one home has shown.
#[derive(Debug, Default)]
pub(crate) struct Delivery {
    screens: Vec<Screen>,
    fresh: Vec<Message>,
    inbox_last: u64,
    /// Steps of the plan whose mail was shown.
    mails: BTreeSet<u32>,
    names: BTreeSet<EnvelopeId>,
}

impl Delivery {
    /// The home is an older one: its screen begins anew.
    pub(crate) fn set_back(&mut self) {
        *self = Self::default();
    }

    /// Messages that were shown since this was asked last, of topics and unicast.
    pub(crate) fn newly_shown(&mut self) -> Vec<Message> {
        std::mem::take(&mut self.fresh)
    }

    /// Whether this home has shown a message of a topic, by its number among those of the topic
    /// ([`Written::number`](super::written::Written::number)).
    pub(crate) fn has(&self, topic: TopicNo, number: u32) -> bool {
        self.screen(topic)
            .is_some_and(|screen| screen.shown.has(number))
    }

    /// Whether the mail of a step has been shown.
    pub(crate) fn has_mail(&self, step: u32) -> bool {
        self.mails.contains(&step)
    }

    fn screen(&self, topic: TopicNo) -> Option<&Screen> {
        self.screens.iter().find(|screen| screen.topic == topic)
    }

    fn place(&mut self, topic: TopicNo) -> usize {
        let known = self.screens.iter().position(|screen| screen.topic == topic);
        known.unwrap_or_else(|| {
            self.screens.push(Screen {
                topic,
                last: 0,
                shown: Bits::new(),
                lined: Bits::new(),
                blind: false,
            });
            self.screens.len() - 1
        })
    }

    /// An application is answered.
    pub(crate) fn answered(&mut self, scene: &mut Scene<'_>, reply: &Reply, disk: &dyn Base) {
        match reply {
            Reply::Lines { topic, lines, .. } => self.lines(scene, (topic, disk), lines),
            Reply::Inbox { mails, .. } => mails.iter().for_each(|mail| self.mail(scene, mail)),
            _ => {}
        }
    }

    fn lines(&mut self, scene: &mut Scene<'_>, (id, disk): (&TopicId, &dyn Base), lines: &[Line]) {
        if lines.is_empty() {
            return;
        }
        let Some(topic) = scene.facts.topic_no(id) else {
            return scene.broken(DELIVERY, format!("lines of {id}, which nobody founded"));
        };
        let at = self.place(topic);
        let screen = &mut self.screens[at];
        let mut envelope = None;
        let mut before = 0;
        for line in lines {
            if line.n <= before {
                scene.broken(
                    DELIVERY,
                    format!("line {} of {id} comes after line {before}", line.n),
                );
            }
            before = line.n;
            // What the screen has shown may be asked for again, if an answer was lost on its way.
            let again = line.n <= screen.last;
            if !again {
                screen.blind |= line.n > screen.last.saturating_add(1);
                screen.last = line.n;
                if envelope.replace(line.id.envelope) != Some(line.id.envelope) {
                    screen.order(scene, (id, disk), line);
                }
            }
            if matches!(line.kind, LineKind::Text | LineKind::File { .. }) {
                self.fresh.extend(screen.text(scene, line, again));
            }
        }
    }

    fn mail(&mut self, scene: &mut Scene<'_>, mail: &Mail) {
        if mail.n <= self.inbox_last {
            if !self.names.contains(&mail.id.envelope) {
                let what = format!("mail {} is another than it was", mail.n);
                scene.broken(DELIVERY, what);
            }
            return;
        }
        self.inbox_last = mail.n;
        let Some(message) =
            Message::read(&mail.text).filter(|message| is_mail(scene, *message, mail))
        else {
            let what = format!("mail {}, which nobody wrote to this node", mail.n);
            return scene.broken(DELIVERY, what);
        };
        if !self.names.insert(mail.id.envelope) || !self.mails.insert(message.step) {
            let what = format!("mail {} is {message:?} a second time", mail.n);
            return scene.broken(DELIVERY, what);
        }
        self.fresh.push(message);
    }
}

impl Screen {
    /// Looks at what an envelope depends on when its first line comes.
    fn order(&mut self, scene: &mut Scene<'_>, (id, disk): (&TopicId, &dyn Base), line: &Line) {
        let Some(facts) = scene.facts.envelope(&line.id.envelope) else {
            return;
        };
        if facts.topic != self.topic {
            let what = format!("line {} is of another topic", line.n);
            return scene.broken(DELIVERY, what);
        }
        let missed = facts.before.iter().find(|serial| !self.lined.has(**serial));
        let missed = missed.filter(|missed| {
            let named = named(scene.facts, &facts, **missed);
            // What was void when the line was made, and stands again, has its line later.
            let missing = named.is_none_or(|it| !is_void((id, disk), &it) && is_safe(scene, &it));
            !self.blind && missing
        });
        if let Some(missed) = missed {
            let what = format!(
                "line {} comes before what it depends on, envelope {missed} of the topic",
                line.n
            );
            scene.broken(DELIVERY, what);
        }
        self.lined.add(facts.serial);
    }

    /// Looks at a message; gives it back if it is new.
    fn text(&mut self, scene: &mut Scene<'_>, line: &Line, again: bool) -> Option<Message> {
        let written = &scene.facts.written;
        let message = Message::read(&line.text);
        let known = message.and_then(|message| {
            let (topic, number) = written.number(scene.plan, message)?;
            is_text(scene.plan, message, &line.text).then_some((message, topic, number))
        });
        let Some((message, topic, number)) = known else {
            scene.broken(DELIVERY, format!("line {} is what nobody wrote", line.n));
            return None;
        };
        if topic != self.topic {
            let what = format!("line {} is {message:?} of another topic", line.n);
            scene.broken(DELIVERY, what);
            return None;
        }
        let writer = writer(scene.plan, message);
        if writer.is_some_and(|node| !written.is_writer(topic, node, &line.from)) {
            let what = format!("line {} is {message:?} under another name", line.n);
            scene.broken(DELIVERY, what);
        }
        let new = self.shown.add(number);
        // A liar may say a thing twice.
        let honest = writer.is_none_or(|node| scene.plan.nodes[node as usize].is_honest());
        if new == again && honest {
            let what = if again {
                "in place of another line"
            } else {
                "a second time"
            };
            scene.broken(
                DELIVERY,
                format!("line {} shows {message:?} {what}", line.n),
            );
        }
        new.then_some(message)
    }
}

/// What an envelope depends on, by the number that the world gave it.
fn named(facts: &Facts, envelope: &EnvelopeFacts, serial: u32) -> Option<EnvelopeId> {
    let mut todo: Vec<EnvelopeId> = envelope.named.clone();
    let mut seen = BTreeSet::new();
    while let Some(id) = todo.pop() {
        let Some(known) = facts.envelope(&id).filter(|_| seen.insert(id)) else {
            continue;
        };
        if known.serial == serial {
            return Some(id);
        }
        if !known.content {
            todo.extend(&known.named);
        }
    }
    None
}

/// Whether an envelope is void on this disk: no line is made of it.
fn is_void((id, disk): (&TopicId, &dyn Base), envelope: &EnvelopeId) -> bool {
    let holdings = Holdings::count(disk);
    let held = holdings.iter().find(|held| held.id == *id);
    let void = held.and_then(|held| {
        look(disk, held.local, |lace, store| {
            !lace.effective(store, envelope)
        })
    });
    void.unwrap_or(false)
}

/// Whether an envelope was never void anywhere: nobody took rights from who wrote it, whose machine is sound.
fn is_safe(scene: &Scene<'_>, envelope: &EnvelopeId) -> bool {
    let (plan, facts) = (scene.plan, scene.facts);
    let Some(known) = facts.envelope(envelope) else {
        return true;
    };
    match facts.devices.author(&known.author) {
        Some(no) => !is_shaky(plan, facts, no) && !shaken(plan, facts, known.topic).contains(&no),
        // Devices that are nobody's are made up by liars.
        None => plan.nodes.iter().all(NodePlan::is_honest),
    }
}

fn writer(plan: &Plan, message: Message) -> Option<crate::plan::NodeNo> {
    match plan.steps.get(message.step as usize)?.act {
        Act::Send { node, .. } => Some(node),
        _ => None,
    }
}

/// Whether a text is, to its end, what the person wrote.
fn is_text(plan: &Plan, message: Message, text: &str) -> bool {
    let bytes = match plan.steps.get(message.step as usize).map(|step| &step.act) {
        Some(Act::Send { file: 1.., .. }) => return text == message.name(),
        Some(Act::Send { bytes, .. } | Act::Mail { bytes, .. }) => *bytes,
        _ => return false,
    };
    let word = text.split(' ').next().unwrap_or_default().len() + 1;
    let filler = text.as_bytes().get(word..);
    text.len() == word.max(bytes as usize)
        && filler.is_some_and(|filler| filler.iter().all(|byte| *byte == b'x'))
}

fn is_mail(scene: &Scene<'_>, message: Message, mail: &Mail) -> bool {
    match scene
        .plan
        .steps
        .get(message.step as usize)
        .map(|step| &step.act)
    {
        Some(Act::Mail { node, to, .. }) => {
            // A copy of a home reads its mail.
            (*to == scene.no || scene.node().twin_of == Some(*to))
                && message.index == 0
                && scene
                    .facts
                    .node_no(&mail.from)
                    .is_none_or(|from| from == *node)
                && is_text(scene.plan, message, &mail.text)
        }
        _ => false,
    }
}
