//! Nothing is asserted before what justifies it is durable: the release rule, seen from outside.
//!
//! What a node says that it has is looked at in `durability`. Here is what it says besides: its cut,
//! its own envelopes, lines and mails that an application reads, that it takes part in a topic or
//! holds it, that a message is stored. And what it passes on for others, which may leave before it
//! is durable here, must turn out to have been admitted: what is only parked is never passed on.

use super::Scene;
use super::durability::{Durability, Stored};
use super::mirror::Mirror;
use super::peek::{Items, author_of, entry_of, short};
use crate::disk::Disk;
use crate::plan::Act;
use identity::{EnvelopeId, PublicKey, TopicId};
use machine::{Base, Batch};
use node::command::Reply;
use std::collections::BTreeSet;

/// The name of this promise.
pub(crate) const RELEASE: &str = "release";
/// The name of the promise that what waits for its past is not passed on.
pub(crate) const PARKED: &str = "parked";
/// The name of the promise that no two mails have one name.
pub(crate) const NUMBERS: &str = "numbers";

/// Messages that an application was told are stored and that nobody has seen on the disk: as many
/// are remembered while they may be best-effort mails.
const MAX_UNSEEN: usize = 64;

/// What one node has let out.
#[derive(Debug, Default)]
pub(crate) struct Release {
    /// Passed on before it was durable: topic, author, number.
    passed_on: Vec<(TopicId, [u8; 32], u64)>,
    /// See [`MAX_UNSEEN`].
    unseen: Vec<EnvelopeId>,
    /// The beginnings of the names of all mails that were ever sent from this home, also before it
    /// was set back.
    mails: BTreeSet<u64>,
    /// Whether this node's person sends best-effort mail, once that was asked.
    best_effort: Option<bool>,
}

impl Release {
    /// A turn has ended. With nothing on its way to the disk, all that earlier turns admitted is
    /// durable.
    pub(crate) fn turned(&mut self, mirror: &mut Mirror, scene: &mut Scene<'_>, waiting: usize) {
        if waiting > 0 || self.passed_on.is_empty() {
            return;
        }
        for (id, author, number) in std::mem::take(&mut self.passed_on) {
            if let Some((_, topic)) = mirror.topic(&id)
                && !topic.going
                && topic.top(&author) < number
            {
                let author = PublicKey::from_bytes(author);
                let what =
                    format!("number {number} of {author} in {id} was passed on, and is not here");
                scene.broken(PARKED, what);
            }
        }
    }

    /// A life has ended, and with it what it had not made durable.
    pub(crate) fn ended(&mut self) {
        self.passed_on.clear();
        self.unseen.clear();
    }

    /// Envelopes leave.
    pub(crate) fn envelopes(
        &mut self,
        mirror: &mut Mirror,
        scene: &mut Scene<'_>,
        (id, items): ([u8; 32], Items<'_>),
    ) {
        let id = TopicId::from_bytes(id);
        let Some((_, topic)) = mirror.topic(&id) else {
            return;
        };
        for (author, number) in items.filter_map(author_of) {
            if number <= topic.top(&author) {
                continue;
            }
            if topic.is_own(scene.facts, scene.no, &author) {
                let what = format!("its own envelope {number} in {id} leaves before it is durable");
                scene.broken(RELEASE, what);
            } else {
                self.passed_on.push((id, author, number));
            }
        }
    }

    /// A page of this node's cut leaves.
    pub(crate) fn cut(
        &mut self,
        mirror: &mut Mirror,
        scene: &mut Scene<'_>,
        (id, items): ([u8; 32], Items<'_>),
    ) {
        let id = TopicId::from_bytes(id);
        let Some((_, topic)) = mirror.topic(&id) else {
            return scene.broken(RELEASE, format!("a cut of {id} leaves, which is not here"));
        };
        for (author, number) in items.filter_map(entry_of) {
            let top = topic.top(&author);
            if number > top {
                let author = PublicKey::from_bytes(author);
                let what = format!("its cut of {id} names {number} of {author}, and here is {top}");
                return scene.broken(RELEASE, what);
            }
        }
    }

    /// A client is told that a topic is held for it.
    pub(crate) fn serving(&mut self, mirror: &Mirror, scene: &mut Scene<'_>, id: [u8; 32]) {
        let id = TopicId::from_bytes(id);
        if !mirror.has_topic(&id) {
            let what = format!("a client is told that {id} is held, before it is durable");
            scene.broken(RELEASE, what);
        }
    }

    /// An application is answered.
    pub(crate) fn answered(
        &mut self,
        (mirror, durability): (&mut Mirror, &mut Durability),
        scene: &mut Scene<'_>,
        reply: &Reply,
        disk: &Disk,
    ) {
        match reply {
            Reply::Topic { id, .. } | Reply::Invited { topic: id, .. } if !mirror.has_topic(id) => {
                scene.broken(RELEASE, format!("{id} is given before it is durable"));
            }
            Reply::Lines {
                topic: id, lines, ..
            } => {
                let (Some(newest), Some((_, topic))) = (lines.last(), mirror.topic(id)) else {
                    return;
                };
                if newest.n >= topic.next_line && !topic.going {
                    let what = format!("line {} of {id} is shown before it is durable", newest.n);
                    scene.broken(RELEASE, what);
                }
            }
            Reply::Inbox { mails, .. } => {
                if let Some(newest) = mails.last().filter(|mail| mail.n > mirror.inbox_last) {
                    let what = format!("mail {} is shown before it is durable", newest.n);
                    scene.broken(RELEASE, what);
                }
            }
            Reply::Sent { ids, .. } => {
                let mut last = None;
                for id in ids
                    .iter()
                    .filter(|id| last.replace(id.envelope) != Some(id.envelope))
                {
                    self.sent((mirror, durability), scene, id.envelope, disk);
                }
            }
            _ => {}
        }
    }

    fn sent(
        &mut self,
        (mirror, durability): (&mut Mirror, &mut Durability),
        scene: &mut Scene<'_>,
        id: EnvelopeId,
        disk: &dyn Base,
    ) {
        let stored = durability.sent(mirror, &id, disk);
        match stored {
            Stored::Whole => {}
            Stored::Mail => self.mail(scene, &id),
            Stored::InPart => {
                let what = format!("{id} is said to be stored; the rest of it is not on the disk");
                scene.broken(RELEASE, what);
            }
            Stored::No if self.sends_best_effort(scene) => {
                self.mail(scene, &id);
                if self.unseen.len() < MAX_UNSEEN {
                    self.unseen.push(id);
                }
            }
            Stored::No => {
                scene.broken(
                    RELEASE,
                    format!("{id} is said to be stored; it is not on the disk"),
                );
            }
        }
    }

    fn mail(&mut self, scene: &mut Scene<'_>, id: &EnvelopeId) {
        if !self.mails.insert(short(id.as_bytes())) {
            let what = format!("a second mail has the name {id}, and will be taken for the first");
            scene.broken(NUMBERS, what);
        }
    }

    fn sends_best_effort(&mut self, scene: &Scene<'_>) -> bool {
        *self.best_effort.get_or_insert_with(|| {
            scene.plan.steps.iter().any(|step| {
                matches!(step.act, Act::Mail { node, best_effort: true, .. } if node == scene.no)
            })
        })
    }

    /// A batch becomes durable: what was said to be stored before may come only now.
    pub(crate) fn commits(&mut self, scene: &mut Scene<'_>, batch: &Batch) {
        if self.unseen.is_empty() {
            return;
        }
        for (table, key, value) in &batch.writes {
            let id = match table.id() {
                _ if value.is_none() => continue,
                43 => key.get(4..),
                84 => Some(key.as_slice()),
                _ => None,
            };
            let Some(id) = id else { continue };
            if let Some(at) = self
                .unseen
                .iter()
                .position(|unseen| unseen.as_bytes() == id)
            {
                let id = self.unseen.swap_remove(at);
                scene.broken(RELEASE, format!("{id} was said to be stored before it was"));
            }
        }
    }
}
