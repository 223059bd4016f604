//! Only subscribers, and core nodes that a subscriber uses, carry a topic.
//!
//! Nothing of a topic lies on the disk of any other node, and no frame about it leaves an honest
//! node for one: from an outsider not even the topic's id is to be had. Of a public topic whoever reads
//! it is a subscriber too, and anybody may be told of it.

use super::holdings::Holdings;
use super::readers::reads;
use super::{Facts, Scene};
use crate::plan::{NodeNo, Plan, TopicNo};
use identity::{PublicKey, TopicId};
use machine::Base;
use std::collections::BTreeSet;
use wire::{Frame, TopicFrame};

/// The name of the promise.
pub(crate) const PROMISE: &str = "carriage";

/// Pairs of a peer and a topic that were found right and need not be looked at again. When there
/// are more, all are forgotten.
const REMEMBERED: usize = 4096;

/// The inner kind of a frame that refuses an envelope.
const REFUSED: u8 = 11;

/// What is remembered at one node.
#[derive(Debug, Default)]
pub(crate) struct Carriage {
    /// Peer, and the beginning of a topic's id.
    told: BTreeSet<(NodeNo, u64)>,
}

impl Carriage {
    /// A batch has been counted among the holdings.
    pub(crate) fn commits(scene: &mut Scene<'_>, holdings: &mut Holdings) {
        if holdings.unjudged == 0 {
            return;
        }
        let (mut waits, mut wrong) = (0, Vec::new());
        for held in holdings.iter_mut().filter(|held| !held.judged) {
            // Of a topic that is being founded the world hears when its founder does.
            let Some(no) = held.number(scene.facts) else {
                waits += 1;
                continue;
            };
            held.judged = true;
            if !may_carry(scene.plan, scene.facts, scene.no, no) {
                wrong.push(no);
            }
        }
        holdings.unjudged = waits;
        for no in wrong {
            let (node, topic) = (&scene.node().name, &scene.plan.topics[no as usize].name);
            let what = format!("{topic} lies on the disk of {node}, who has nothing to do with it");
            scene.broken(PROMISE, what);
        }
    }

    /// A frame leaves for another node.
    pub(crate) fn leaves(
        &mut self,
        scene: &mut Scene<'_>,
        holdings: &mut Holdings,
        (to, frame): (NodeNo, &[u8]),
    ) {
        let Some((kind, id)) = about(frame) else {
            return;
        };
        if let Some((author, number)) = refusal(frame)
            && let Some(held) = holdings.id(&id)
        {
            held.refuses(author, number, scene.now.as_micros());
        }
        let key = (to, beginning(&id));
        if self.told.contains(&key) || !scene.node().is_honest() {
            return;
        }
        let no = match holdings.id(&id) {
            Some(held) => held.number(scene.facts),
            None => scene.facts.topic_no(&id),
        };
        let Some(no) = no else {
            return;
        };
        let public = scene.plan.topics[no as usize].public;
        if public || may_carry(scene.plan, scene.facts, to, no) {
            if self.told.len() >= REMEMBERED {
                self.told.clear();
            }
            self.told.insert(key);
            return;
        }
        let (plan, from) = (scene.plan, &scene.node().name);
        let (to, topic) = (
            &plan.nodes[to as usize].name,
            &plan.topics[no as usize].name,
        );
        let what = format!("{from} sends {to} a frame of kind {kind} about {topic}, an outsider");
        scene.broken(PROMISE, what);
    }
}

/// Whose home a node runs over: its own, or that of which it is a copy.
pub(crate) fn home(plan: &Plan, no: NodeNo) -> NodeNo {
    plan.nodes[no as usize].twin_of.unwrap_or(no)
}

/// Whose device a node is: its own person's, or that whose other device it is to be.
pub(crate) fn person(plan: &Plan, no: NodeNo) -> NodeNo {
    let home = home(plan, no);
    plan.nodes[home as usize].device_of.unwrap_or(home)
}

/// Whether a node was let into a topic, whether or not it has come already, or is another device of somebody
/// who was.
pub(crate) fn is_invited(plan: &Plan, facts: &Facts, no: NodeNo, topic: TopicNo) -> bool {
    let (own, who) = (home(plan, no), person(plan, no));
    if own != who && !facts.may_be_device(own) {
        return false;
    }
    plan.topics[topic as usize].founder == who
        || facts.topic(topic, |topic| {
            topic.invited.contains(&who) || topic.members.contains_key(&who)
        })
}

/// Whether a node may have a topic: it was let in, or reads what is public, or somebody who does uses it as
/// a core node.
pub(crate) fn may_carry(plan: &Plan, facts: &Facts, no: NodeNo, topic: TopicNo) -> bool {
    if is_invited(plan, facts, no, topic) || reads(plan, no, topic) {
        return true;
    }
    let uses = |client: &NodeNo| {
        let later = facts.later_clients.get(&no);
        plan.nodes[*client as usize].uses.contains(&no)
            || later.is_some_and(|clients| clients.contains(client))
    };
    uses(&plan.topics[topic as usize].founder)
        || plan.topics[topic as usize].readers.iter().any(uses)
        || facts.topic(topic, |topic| {
            topic.invited.iter().any(uses) || topic.members.keys().any(uses)
        })
}

/// The topic that a frame speaks of, read from its first bytes: of kind 17 to 21, or the proof of a
/// grant. The kind comes with it.
pub(crate) fn about(frame: &[u8]) -> Option<(u8, TopicId)> {
    match frame {
        // A pair of a kind and a map, whose key 0 is 32 bytes.
        [0x82, kind @ 17..=21, _, 0, 0x58, 0x20, rest @ ..] => {
            Some((*kind, TopicId::from_bytes(*rest.first_chunk()?)))
        }
        [0x82, 9, ..] => match Frame::decode(frame).ok()? {
            Frame::GrantProof { envelopes, .. } => {
                let header = wire::decode_header(&envelopes.first()?.header_bytes).ok()?;
                Some((9, header.topic()?))
            }
            _ => None,
        },
        _ => None,
    }
}

/// What a frame about a topic says: the kind of its inner frame.
pub(crate) fn inner_kind(frame: &[u8]) -> Option<u8> {
    match frame {
        [0x82, 21, _, 0, 0x58, 0x20, rest @ ..] => match rest.get(32..35)? {
            [1, 0x82, kind] => Some(*kind),
            _ => None,
        },
        _ => None,
    }
}

/// Of whom, and from which number on, a frame says that envelopes are not taken, which nodes do for
/// want of room.
fn refusal(frame: &[u8]) -> Option<(PublicKey, u64)> {
    if inner_kind(frame) != Some(REFUSED) {
        return None;
    }
    match Frame::decode(frame).ok()? {
        Frame::Topic {
            frame: TopicFrame::Refused { author, number, .. },
            ..
        } => Some((author, number)),
        _ => None,
    }
}

fn beginning(id: &TopicId) -> u64 {
    let first = id.as_bytes().first_chunk();
    first.map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

/// Looks at what a disk holds when it was replaced: as [`Carriage::commits`].
pub(crate) fn started(scene: &mut Scene<'_>, holdings: &mut Holdings, disk: &dyn Base) {
    holdings.started(disk);
    Carriage::commits(scene, holdings);
}
