//! Several devices of one person: the first makes a link, the other uses it, and is given what the person
//! has. The first may remove it.

use super::super::host::{Around, Host, Note};
use super::{Asked, Stage};
use crate::plan::{NodeNo, Plan, TopicNo};
use identity::TopicId;
use machine::Time;
use node::command::devices::{DeviceCommand, DeviceReply};
use node::command::{Command, Reply};
use std::time::Duration;

/// How long after a link that nobody has used a person makes another one. It stands for ten minutes.
const LINK_AGAIN: Duration = Duration::from_secs(300);

/// What a person does about devices.
#[derive(Debug)]
pub(super) struct Pairing {
    /// This is another device of somebody.
    is_device: bool,
    stage: Stage,
    /// The link that was used last.
    used: Option<String>,
    /// Devices that are to be, and since when they have a link.
    wanted: Vec<(NodeNo, Option<Time>)>,
}

impl Pairing {
    pub(super) fn new(no: NodeNo, plan: &Plan) -> Self {
        Self {
            is_device: plan.nodes[no as usize].device_of.is_some(),
            stage: Stage::Wanted,
            used: None,
            wanted: Vec::new(),
        }
    }

    pub(super) const fn is_device(&self) -> bool {
        self.is_device
    }

    /// The plan has this node become a device.
    pub(super) fn begin(&mut self, device: NodeNo) {
        self.wanted.push((device, None));
    }

    /// Links are in memory alone.
    pub(super) fn forget_life(&mut self) {
        for (_, since) in &mut self.wanted {
            *since = None;
        }
        if self.stage == Stage::Asked {
            self.stage = Stage::Wanted;
        }
    }

    /// Whether somebody is to become a device of this person, or has the link to.
    pub(super) const fn wants(&self) -> bool {
        !self.wanted.is_empty() || (self.used.is_some() && !matches!(self.stage, Stage::Done))
    }
}

impl Host {
    /// Whether this is a device that was told a link and has used none with success.
    pub(super) fn pairs(&self, around: &Around<'_>) -> bool {
        let pairing = &self.app.pairing;
        pairing.is_device
            && pairing.stage == Stage::Wanted
            && around.net.links.device(self.no).is_some()
    }

    /// Makes links for other devices, or uses the one that was made for this.
    pub(super) fn pair_devices(&mut self, around: &mut Around<'_>) {
        let net = around.net;
        self.app
            .pairing
            .wanted
            .retain(|(device, _)| !net.links.is_device(*device));
        for at in 0..self.app.pairing.wanted.len() {
            let (device, since) = self.app.pairing.wanted[at];
            if since.is_none_or(|since| around.now.since(since) >= LINK_AGAIN) {
                self.app.pairing.wanted[at].1 = Some(around.now);
                let invite = Command::Device(DeviceCommand::Invite);
                self.give(around, Asked::Device(device), invite);
            }
        }
        let Some(link) = net.links.device(self.no).filter(|_| self.pairs(around)) else {
            return;
        };
        // One that was used in vain may be used up.
        if self.app.pairing.used.as_ref() != Some(link) {
            self.app.pairing.used = Some(link.clone());
            self.app.pairing.stage = Stage::Asked;
            around.facts.pairs(self.no);
            let join = DeviceCommand::Join {
                link: link.clone(),
                timeout_ms: 30_000,
            };
            self.give(around, Asked::Pair, Command::Device(join));
        }
    }

    /// This person has a link for a device, and tells it.
    pub(super) fn tells_device(&mut self, around: &mut Around<'_>, device: NodeNo, reply: Reply) {
        if let Reply::Device(DeviceReply::Invited { link, .. }) = reply {
            let link = Some(link);
            self.note(around, Note::Device { device, link });
        }
    }

    /// This device has used its link, with success or without.
    pub(super) fn is_paired(&mut self, around: &mut Around<'_>, done: bool) {
        self.app.pairing.stage = if done { Stage::Done } else { Stage::Wanted };
        if done {
            let (device, link) = (self.no, None);
            around.facts.paired(device);
            self.note(around, Note::Device { device, link });
        }
    }

    /// A topic has lines: this device was given it.
    pub(super) fn is_given(&mut self, around: &mut Around<'_>, topic: TopicId) {
        if !self.app.pairing.is_device {
            return;
        }
        let no = around.facts.topic_no(&topic);
        if let Some(at) = no.and_then(|no| self.app.seat(no))
            && self.app.seats[at].taking_part != Stage::Done
        {
            self.app.seats[at].taking_part = Stage::Done;
            self.takes_seat(around, at, topic);
        }
    }

    /// Removes a device from all topics; says whether that is done with.
    pub(super) fn remove_device(
        &mut self,
        around: &mut Around<'_>,
        step: u32,
        device: NodeNo,
    ) -> bool {
        if !around.net.links.is_device(device) {
            return false;
        }
        for topic in self.topics_of_person() {
            around
                .facts
                .change_topic(topic, |facts| facts.rights.insert(step));
        }
        let remove = DeviceCommand::Remove {
            device: around.net.id(device).to_string(),
            topic: None,
        };
        self.give(around, Asked::Unpair { step }, Command::Device(remove));
        true
    }

    /// The device was not removed.
    pub(super) fn keeps_device(&mut self, around: &mut Around<'_>, step: u32) {
        around.metrics.refused(around.now);
        for topic in self.topics_of_person() {
            around
                .facts
                .change_topic(topic, |facts| facts.rights.remove(&step));
        }
    }

    fn topics_of_person(&self) -> Vec<TopicNo> {
        self.app.seats.iter().map(|seat| seat.topic).collect()
    }
}
