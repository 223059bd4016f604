//! The checkers that look at one node and its disk alone, and in which order they are fed.

use super::bounds::{Bounds, Rest};
use super::delivery::Delivery;
use super::durability::Durability;
use super::mirror::{Mirror, Spot};
use super::peek::{Outline, outline, short};
use super::release::Release;
use super::written::Mailed;
use super::{Ended, Scene};
use crate::disk::Disk;
use identity::{EnvelopeId, NodeId, seal};
use machine::{Base, Batch, TurnUse};
use node::Figures;
use node::command::Reply;
use wire::{Class, Header};

/// What is watched at one node and its disk.
#[derive(Debug, Default)]
pub(crate) struct Home {
    mirror: Mirror,
    durability: Durability,
    release: Release,
    pub(crate) delivery: Delivery,
    bounds: Bounds,
}

impl Home {
    pub(crate) fn started(&mut self, scene: &Scene<'_>, disk: &Disk) {
        self.mirror.load(disk, scene.facts);
        self.bounds.started(disk);
    }

    pub(crate) fn turned(&mut self, scene: &mut Scene<'_>, used: TurnUse, waiting: usize) {
        self.bounds.turned(scene, used, waiting);
        self.release.turned(&mut self.mirror, scene, waiting);
    }

    pub(crate) fn commits(&mut self, scene: &mut Scene<'_>, batch: &Batch, disk: &Disk) {
        self.release.commits(scene, batch);
        self.durability
            .commits(&mut self.mirror, scene, batch, disk);
        self.bounds.commits(&self.mirror, scene, batch, disk);
    }

    pub(crate) fn leaves(&mut self, scene: &mut Scene<'_>, frame: &[u8], disk: &dyn Base) {
        let mirror = &mut self.mirror;
        match outline(frame) {
            Some(Outline::Envelopes(topic, items)) => {
                self.release.envelopes(mirror, scene, (topic, items));
            }
            Some(Outline::Receipts(topic, items)) => {
                self.durability
                    .receipts(mirror, scene, (topic, items), disk);
            }
            Some(Outline::Differences(topic, items)) => {
                self.durability
                    .differences(mirror, scene, (topic, items), disk);
            }
            Some(Outline::Cut(topic, items)) => self.release.cut(mirror, scene, (topic, items)),
            Some(Outline::Serving(topic)) => self.release.serving(mirror, scene, topic),
            Some(Outline::Mail(header)) => mailed(scene, header),
            Some(Outline::MailReceipt(statement)) => {
                self.durability.mail_receipt(mirror, scene, statement, disk);
            }
            None => {}
        }
    }

    /// The envelopes that the node has just said it holds, and until when (ms).
    pub(crate) fn take_promised(&mut self) -> Vec<(Spot, u64)> {
        std::mem::take(&mut self.durability.promised)
    }

    pub(crate) fn answered(&mut self, scene: &mut Scene<'_>, reply: &Reply, disk: &Disk) {
        let of = (&mut self.mirror, &mut self.durability);
        self.release.answered(of, scene, reply, disk);
        self.delivery.answered(scene, reply, disk);
    }

    pub(crate) fn figures(&self, scene: &mut Scene<'_>, figures: &Figures) {
        self.bounds.figures(scene, figures);
    }

    pub(crate) fn at_rest(&self, scene: &mut Scene<'_>, figures: &Figures, rest: Rest) {
        self.bounds.at_rest(scene, figures, rest);
    }

    pub(crate) fn ended(&mut self, how: Ended) {
        self.release.ended();
        if let Ended::SetBack { .. } = how {
            self.mirror.forget();
            self.bounds.set_back();
            self.durability.set_back();
            self.delivery.set_back();
        }
    }
}

/// A unicast envelope leaves: if it is this node's own, the world notes which mail it carries.
fn mailed(scene: &Scene<'_>, header_bytes: &[u8]) {
    let Ok(header) = wire::decode_header(header_bytes) else {
        return;
    };
    let source = header.author.node_id();
    let Some(to) = NodeId::from_id(&header.destination) else {
        return;
    };
    if scene.facts.node_no(&source) == Some(scene.no) {
        let mail = Mailed {
            name: short(name(&source, &to, header.number).as_bytes()),
            live: header.class == Class::Live,
        };
        scene
            .facts
            .written
            .mailed(Header::id_of(header_bytes), mail);
    }
}

/// The name of a mail, as the router makes it.
pub(crate) fn name(source: &NodeId, to: &NodeId, number: u64) -> EnvelopeId {
    let number = number.to_be_bytes();
    let fields = [&source.as_bytes()[..], &to.as_bytes()[..], &number[..]];
    EnvelopeId::from_bytes(seal::kdf("mail", &fields))
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod worlds;
