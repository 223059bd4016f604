//! Topics: create, list, look at, invite to, leave, forget.

use crate::command::{
    Claimant, Code, Failure, InviteRow, MemberRow, Reply, TopicInfo, TopicRow as Row,
};
use crate::keychain::TopicKeys;
use crate::limits::MAX_ADDRESSES;
use crate::look::look;
use crate::node::{Inner, Turn};
use crate::rows::{self, TopicRow};
use crate::tidings::MAX_KEPT_MEMBERS;
use block::swap::Swap;
use identity::{GrantId, PublicKey};
use lace::{Lace, Rule};
use rights::found_with;
use router::Reach;
use std::collections::{BTreeMap, BTreeSet};
use topic::Role;
use wire::plain::CoreEntry;
use wire::{Budget, NodeAddress, Parameters, TopicPolicy};

/// What topics are founded with: content is kept for thirty days unless its author says otherwise, and
/// the keys of ninety days of history (docs/spec/secrecy.md).
const PARAMETERS: Parameters = Parameters {
    history_days: 90,
    lifespan: 30 * 24 * 3600 * 1000,
};

/// Nodes that an invite's link names: a longer link would not fit into a small QR code.
const MAX_LINK_NODES: usize = 2;

impl Inner {
    pub(super) fn topic_create(
        &mut self,
        turn: &mut Turn<'_, '_>,
        name: &str,
        (public, messages): (bool, Option<u32>),
    ) -> Result<Reply, Failure> {
        if name.is_empty() || name.len() > wire::limits::MAX_NAME || !wire::is_shown_text(name) {
            return Err(Failure::new(
                Code::Usage,
                format!(
                    "a topic's name has 1 to {} bytes of text",
                    wire::limits::MAX_NAME
                ),
                "choose another",
            ));
        }
        if self
            .host
            .keys
            .topics()
            .any(|(_, keys)| keys.row.name == name)
        {
            return Err(Failure::new(
                Code::Failed,
                format!("there is a topic called {name:?} already"),
                "choose another name, or `way topic forget` the old one",
            ));
        }
        let device = &self.host.keys.config.device;
        if messages == Some(0) {
            let text = "a rate is one message a minute at least";
            return Err(Failure::new(Code::Usage, text, "such as --rate 10/min"));
        }
        let budget = Budget {
            messages,
            ..Budget::default()
        };
        let policy = TopicPolicy { public, budget };
        let founded = found_with(device, turn.cx.wall, (PARAMETERS, policy), turn.cx.rng)
            .map_err(|why| Failure::new(Code::Failed, why.to_string(), ""))?;
        let row = TopicRow {
            name: name.to_owned(),
            custodian: false,
            grant: *founded.topic.as_bytes(),
            ..TopicRow::custodian(founded.topic, founded.genesis.encode())
        };
        let local = self
            .host
            .keys
            .add(turn.cx, row, founded.ring)
            .ok_or_else(|| Failure::new(Code::Failed, "the topic could not be made", ""))?;
        self.topics
            .create(turn.cx, local, &founded.genesis, Role::Member);
        self.open_author(turn, local).map_err(from_publish)?;
        self.want_served(turn, local);
        self.begin_rounds_soon(turn);
        Ok(Reply::Topic {
            id: founded.topic,
            name: name.to_owned(),
        })
    }

    pub(super) fn topic_list(&mut self, turn: &mut Turn<'_, '_>) -> Reply {
        let locals: Vec<u32> = self.host.keys.topics().map(|(local, _)| local).collect();
        Reply::Topics(
            locals
                .into_iter()
                .filter_map(|local| self.row(turn, local))
                .collect(),
        )
    }

    fn row(&mut self, turn: &mut Turn<'_, '_>, local: u32) -> Option<Row> {
        let summary = self.topics.summary(turn.cx, local).ok()?;
        let members = summary.members;
        let ended = self.has_ended_here(turn, local);
        let keys = self.host.keys.topic(local)?;
        let role = if keys.row.custodian {
            "held"
        } else if keys.row.left {
            "left"
        } else if keys.is_reader() {
            "reader"
        } else if ended {
            "ended"
        } else if keys.row.opened || keys.is_granted() {
            "member"
        } else {
            "joining"
        };
        Some(Row {
            id: keys.id,
            name: keys.row.name.clone(),
            role: role.to_owned(),
            members: u32::try_from(members).unwrap_or(u32::MAX),
            unread: summary.last_line.saturating_sub(summary.confirmed),
            lines: summary.last_line,
        })
    }

    pub(super) fn topic_info(
        &mut self,
        turn: &mut Turn<'_, '_>,
        topic: &str,
    ) -> Result<Reply, Failure> {
        let local = self.find_topic(topic)?;
        let gone = || Failure::new(Code::NotFound, "the topic is being forgotten", "");
        let row = self.row(turn, local).ok_or_else(gone)?;
        let keys = self.host.keys.topic(local);
        let public = keys.is_some_and(TopicKeys::is_public);
        let own = keys.and_then(|keys| Some(keys.device.as_ref()?.public()));
        let seen =
            look(&mut self.topics, turn.cx, local, |lace, _| Seen::of(lace)).ok_or_else(gone)?;
        let devices: Vec<PublicKey> = seen.devices.keys().copied().collect();
        let names = self.device_names(turn, local, &devices);
        let mut members = Vec::new();
        for (device, envelopes) in seen.devices {
            members.push(MemberRow {
                name: names.get(&device).cloned().unwrap_or_default(),
                own: Some(device) == own,
                left: self.has_left(turn.cx, local, &device),
                device: device.to_string(),
                envelopes,
            });
        }
        let cores = self.cores_of(local);
        let cores = cores
            .into_iter()
            .map(|(node, addresses)| (node, addresses.into_iter().next().unwrap_or_default()))
            .collect();
        let summary = self.topics.summary(turn.cx, local).map_err(|_| gone())?;
        let waiting = self.unwelcomed(turn, local).into_iter();
        let waiting = waiting.map(|open| Claimant {
            device: open.claim.device.to_string(),
            invite: open.claim.grant.to_string(),
            claim: GrantId::from_bytes(open.hash).to_string(),
            at: open.claim.time,
            beyond: !open.is_due,
        });
        let waiting = waiting.collect();
        let mut invites = seen.invites;
        self.count_welcomed(turn, local, &mut invites);
        Ok(Reply::TopicInfo(Box::new(TopicInfo {
            row,
            members,
            cores,
            envelopes: seen.envelopes,
            bytes: seen.bytes,
            files: Swap::room(turn.cx, local),
            invites,
            forked: seen.forked,
            peers: u32::try_from(summary.links).unwrap_or(u32::MAX),
            waiting,
            waits_for: self.waits_for(turn, local),
            releases: self.releases(turn, local),
            public,
            device: own.map(|own| own.to_string()),
        })))
    }

    pub(super) fn topic_leave(
        &mut self,
        turn: &mut Turn<'_, '_>,
        topic: &str,
    ) -> Result<Reply, Failure> {
        let local = self.find_topic(topic)?;
        let keys = self.member(local)?;
        let id = keys.id;
        self.with_topics(turn, |topics, env| topics.leave(env, local))
            .map_err(from_publish)?;
        self.host.keys.update(turn.cx, local, |row| {
            row.left = true;
            // Others have to hear so, and what was written before, also when nobody is linked now.
            row.leaving = row.opened;
        });
        if !self.member(local)?.row.leaving {
            self.mine.unwant(turn.cx, id, &mut turn.mine);
            self.leave_members(turn, local);
            self.leave_ways(turn, local);
        }
        Ok(Reply::Done)
    }

    pub(super) fn topic_forget(
        &mut self,
        turn: &mut Turn<'_, '_>,
        topic: &str,
    ) -> Result<Reply, Failure> {
        let local = self.find_topic(topic)?;
        let keys = self.member(local)?;
        if !keys.row.left {
            return Err(Failure::new(
                Code::Refused,
                "this device still takes part in the topic",
                "`way topic leave` it first",
            ));
        }
        self.drop_topic(turn, local);
        Ok(Reply::Done)
    }

    /// What is held of a topic in which this device takes part, or took part.
    pub(crate) fn member(&self, local: u32) -> Result<&TopicKeys, Failure> {
        self.host
            .keys
            .topic(local)
            .filter(|keys| keys.device.is_some())
            .ok_or_else(|| {
                Failure::new(
                    Code::Refused,
                    "this node holds the topic for others and does not take part in it",
                    "",
                )
            })
    }

    /// Where a joiner finds the box and the topic: at most two nodes for the link, an own core
    /// first, since it is always on; all of them for the box.
    pub(super) fn ways(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
    ) -> Result<(Vec<NodeAddress>, Vec<CoreEntry>), Failure> {
        let id = self.member(local)?.id;
        let serving = self.mine.serving(turn.cx, &id);
        let mut entries: Vec<CoreEntry> = self
            .mine
            .list(turn.cx)
            .into_iter()
            // One that has agreed and does not serve the topic yet is about to.
            .filter(|core| {
                core.standing == custody::CoreStanding::Agreed || serving.contains(&core.core)
            })
            .map(|core| CoreEntry {
                node: core.core,
                addresses: core.addresses,
                name: String::new(),
            })
            .collect();
        entries.extend(
            self.cores_of(local)
                .into_iter()
                .filter_map(|(node, addresses)| {
                    let new = !serving.contains(&node) && !addresses.is_empty();
                    new.then(|| CoreEntry {
                        node,
                        addresses,
                        name: String::new(),
                    })
                }),
        );
        // Whoever invited this device may have been reached where it now wants to be reached no more.
        entries.retain(|entry| !self.router.is_reached_by_cores_alone(turn.cx, &entry.node));
        let own: Vec<String> = self.own_addresses();
        if !own.is_empty() {
            entries.push(CoreEntry {
                node: self.id,
                addresses: own.into_iter().take(MAX_ADDRESSES).collect(),
                name: self.router.name().to_owned(),
            });
        }
        // This node last in the list, but always in the link.
        let last = entries.last().filter(|entry| entry.node == self.id);
        let mut others: Vec<CoreEntry> = entries
            .iter()
            .take(1)
            .filter(|entry| entry.node != self.id)
            .cloned()
            .collect();
        if others.is_empty() {
            // Without a core node a member lets joiners in while this node is away.
            others = self.members_with_addresses(turn, local);
        }
        let mut at: Vec<NodeAddress> = others
            .iter()
            .filter_map(|entry| entry.addresses.iter().find_map(|text| parse(entry, text)))
            .take(MAX_LINK_NODES - usize::from(last.is_some()))
            .collect();
        at.extend(
            last.and_then(|entry| entry.addresses.iter().find_map(|text| parse(entry, text))),
        );
        if at.is_empty() {
            return Err(Failure::new(
                Code::Failed,
                "neither this node nor a core of it has an address that others could reach",
                nowhere_to_go(self.router.reach()),
            ));
        }
        entries.truncate(wire::limits::MAX_CORES);
        Ok((at, entries))
    }

    /// Members who told where they can be reached, those who are linked now first.
    fn members_with_addresses(&self, turn: &mut Turn<'_, '_>, local: u32) -> Vec<CoreEntry> {
        let mut members: Vec<CoreEntry> = Vec::new();
        for (device, member) in rows::members(&mut turn.cx.store, local, MAX_KEPT_MEMBERS) {
            let node = member.node();
            let addresses = self.addresses_told(turn.cx, local, &device, &node);
            let here = node != self.id && !addresses.is_empty();
            if here && !self.has_left(turn.cx, local, &device) {
                members.push(CoreEntry {
                    node,
                    addresses,
                    name: member.name,
                });
            }
        }
        members.sort_by_key(|member| self.link_of(&member.node).is_none());
        members
    }
}

/// What helps a node whose links for people would lead nowhere.
pub(super) const fn nowhere_to_go(reach: Reach) -> &'static str {
    match reach {
        Reach::Any => "use a core node, or name an address with `way up --public HOST:PORT`",
        Reach::Core => {
            "use a core node (`way core use`): this node's own addresses are told to nobody (reach = core)"
        }
    }
}

fn parse(entry: &CoreEntry, text: &str) -> Option<NodeAddress> {
    NodeAddress::of(&entry.node, text).ok()
}

/// The devices that take part, with the envelopes of all their incarnations.
pub(super) fn devices(lace: &Lace) -> BTreeMap<PublicKey, u64> {
    let mut devices = BTreeMap::new();
    for author in lace.authors() {
        *devices.entry(*author.device()).or_default() += author.counts().envelopes;
    }
    devices
}

/// What the graph of a topic tells about it.
struct Seen {
    devices: BTreeMap<PublicKey, u64>,
    invites: Vec<InviteRow>,
    forked: Vec<String>,
    envelopes: u64,
    bytes: u64,
}

impl Seen {
    fn of(lace: &Lace) -> Self {
        let totals = lace.totals();
        let mut listed = BTreeSet::new();
        let invites = lace
            .invites()
            .filter(|invite| listed.insert(invite.grant))
            .map(|invite| InviteRow {
                grant: invite.grant.to_string(),
                uses: invite.uses,
                used: u32::try_from(lace.claimed(&invite.grant)).unwrap_or(u32::MAX),
                until: invite.until,
            })
            .collect();
        let forked = lace.authors().filter(|author| author.closed().is_some());
        Self {
            devices: devices(lace),
            invites,
            forked: forked.map(|author| author.key().to_string()).collect(),
            envelopes: totals.envelopes,
            bytes: totals.header_bytes.saturating_add(totals.body_bytes),
        }
    }
}

/// A failure to publish, in words.
pub(super) fn from_publish(why: topic::PublishError) -> Failure {
    let (code, hint) = match why {
        // Somebody has been removed, and this device may not begin the epoch that follows.
        topic::PublishError::NoKey => {
            let hint = "a member who may read the topic without end begins new keys within seconds of \
                        hearing of it; try again then";
            let text =
                "somebody who was removed has the topic's keys, and no new ones are here yet";
            return Failure::new(Code::NotYet, text, hint);
        }
        topic::PublishError::NotMember => (Code::Refused, ""),
        topic::PublishError::Unknown(_) => (Code::NotFound, ""),
        topic::PublishError::CutOff => (Code::Refused, ENDED),
        topic::PublishError::Refused(rule) => match rule {
            Rule::Rate => {
                let hint = "ten minutes of its rate may be written at once, and it fills as time goes by: \
                            try again in some minutes; `way members` shows the rate";
                return Failure::new(Code::NotYet, why.to_string(), hint);
            }
            Rule::Ended | Rule::Holder => (Code::Refused, ENDED),
            Rule::Time => (
                Code::Refused,
                "`way members` shows from when until when this device may",
            ),
            Rule::Right => (
                Code::Refused,
                "`way members` shows what this device may; ask somebody who may admit for more",
            ),
            Rule::Carve => (
                Code::Refused,
                "what was given to others weighs until it is over or taken back; ask for less, or for what \
                 somebody else may give",
            ),
            _ => (Code::Refused, ""),
        },
        _ => (Code::Failed, ""),
    };
    Failure::new(code, why.to_string(), hint)
}

/// What helps somebody from whom something was taken.
const ENDED: &str =
    "`way members` shows what ended and by whom; ask somebody who may admit for a grant";
