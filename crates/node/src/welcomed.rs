//! Waiting to be let in by an attended invite: the claim is put where the invite's box is, and
//! again, until somebody who may admit has answered it.
//!
//! An answer says by which grant this device is welcome and hands keys over. Until the topic has
//! come and shows who gave that grant, the keys only recognise members: whoever keeps the claim
//! could have sealed others. Then those that the giver has signed are taken, and the device writes
//! its first envelope.

use crate::io::LinkId;
use crate::keychain::{Promised, TopicKeys};
use crate::limits::{MAX_ANSWER_TURNS, MAX_ANSWERERS, MAX_ANSWERS_OF_NODE};
use crate::look::look;
use crate::node::{Inner, Turn};
use crate::rows::epoch_key;
use identity::{Form, GrantId, NodeId, PublicKey};
use lace::Lace;
use machine::Staged;
use rights::{Welcomed, open_answer};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use wire::{Claim, Frame, Item};

/// Answers to claims of this device, by topic and by the node that gave them.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    got: BTreeMap<u32, BTreeMap<NodeId, Given>>,
    /// Whether claims were put when it was last time to: then they are only asked about the next
    /// time.
    asks: bool,
}

/// What one node has given as answers to a claim.
#[derive(Debug, Default)]
struct Given {
    /// The last ones that name different grants.
    answers: VecDeque<Welcomed>,
    /// How often another one has come.
    turns: usize,
}

impl Given {
    /// Takes an answer of the node; says whether it is another one than those that are here.
    fn take(&mut self, welcomed: Welcomed) -> bool {
        let mut known = self.answers.iter_mut();
        if let Some(known) = known.find(|known| known.grant == welcomed.grant) {
            *known = welcomed;
            return false;
        }
        if self.turns >= MAX_ANSWER_TURNS {
            return false;
        }
        self.turns = self.turns.saturating_add(1);
        if self.answers.len() >= MAX_ANSWERS_OF_NODE {
            self.answers.pop_front();
        }
        self.answers.push_back(welcomed);
        true
    }
}

/// A claim of this device that waits: the box's locator, and the claim.
struct Waiting {
    loc: [u8; 32],
    claim: Claim,
}

fn waiting(keys: &TopicKeys) -> Option<Waiting> {
    let claim = keys.joined_by()?;
    (keys.waits() && !keys.row.left).then_some(Waiting {
        loc: keys.row.waits,
        claim,
    })
}

impl Inner {
    /// Whether any topic waits for a welcome.
    pub(crate) fn waits_for_welcome(&self) -> bool {
        self.host
            .keys
            .topics()
            .any(|(_, keys)| waiting(keys).is_some())
    }

    /// Puts the claims of this device at the other end of a link, if it may keep their boxes:
    /// whoever the invite's link names, and the core nodes that this node knows of.
    pub(crate) fn put_claims(&self, turn: &mut Turn<'_, '_>, link: LinkId) {
        let Some(node) = self.links.get(&link).map(|state| state.node) else {
            return;
        };
        let mut frames = Vec::new();
        for (local, keys) in self.host.keys.topics() {
            let Some(Waiting { loc, claim }) = waiting(keys) else {
                continue;
            };
            if !self.is_asked(turn, local, &node) {
                continue;
            }
            let hash = claim.hash();
            frames.push(if self.answers.asks {
                Frame::ClaimAsk { loc, claim: hash }
            } else {
                Frame::ClaimPut { loc, claim }
            });
        }
        for frame in frames {
            turn.send(link, &frame);
        }
    }

    /// Whether a claim in a topic is put at a node, and its answers are looked at: the link or the
    /// box names it, or it is a core node of this home.
    fn is_asked(&self, turn: &mut Turn<'_, '_>, local: u32, node: &NodeId) -> bool {
        let named = self.ways_of(local).iter().any(|way| way.node == *node);
        let cores = self.host.cores.get(&local);
        named
            || cores.is_some_and(|cores| cores.contains_key(node))
            || self.mine.uses(turn.cx, node)
    }

    /// It is time to ask again: what was put may have got lost, and what was not kept may be now.
    pub(crate) fn ask_claims_again(&mut self) {
        self.answers.asks = !self.answers.asks;
    }

    /// A node answers a claim of this device, or says nothing with random bytes.
    pub(crate) fn on_claim_answer(
        &mut self,
        turn: &mut Turn<'_, '_>,
        link: LinkId,
        (loc, hash): ([u8; 32], [u8; 32]),
        sealed: &[u8],
    ) {
        let Some(node) = self.links.get(&link).map(|state| state.node) else {
            return;
        };
        let found = self.host.keys.topics().find_map(|(local, keys)| {
            let own = waiting(keys)?;
            let sealing = keys.sealing.as_ref()?;
            if own.loc != loc || own.claim.hash() != hash {
                return None;
            }
            let opened = sealing
                .secrets()
                .find_map(|secret| open_answer((keys.id, hash), secret, sealed).ok())?;
            Some((local, opened))
        });
        let Some((local, welcomed)) = found else {
            return;
        };
        if !self.is_asked(turn, local, &node) {
            return;
        }
        let got = self.answers.got.entry(local).or_default();
        if !got.contains_key(&node) && got.len() >= MAX_ANSWERERS {
            return;
        }
        // Another answer takes the place of one by the same node alone.
        let news = got.entry(node).or_default().take(welcomed);
        let answers = got.values().flat_map(|given| &given.answers);
        let promised = answers.map(|welcomed| Promised {
            grant: welcomed.grant,
            keys: welcomed
                .keys
                .iter()
                .map(|(_, access)| access.clone())
                .collect(),
        });
        let promised = promised.collect();
        if let Some(keys) = self.host.keys.topics.get_mut(&local) {
            keys.promised = promised;
        }
        if news {
            self.identify_anew(local);
            self.begin_rounds_soon(turn);
            self.show_promised(turn, local, node);
        }
        self.join_progress(turn, local);
    }

    /// The node that answered, and all others that are said to hold the topic, are shown it.
    fn show_promised(&mut self, turn: &mut Turn<'_, '_>, local: u32, node: NodeId) {
        let cores = self.host.cores.get(&local).into_iter().flatten();
        let nodes: BTreeSet<NodeId> = cores.map(|(core, _)| *core).chain([node]).collect();
        for node in nodes {
            if let Some(link) = self.link_of(&node) {
                if let Some(state) = self.links.get_mut(&link) {
                    state.at_core.remove(&local);
                }
                self.show_at_core(turn, link);
            }
        }
    }

    /// Looks in the topic for the grant by which this device was welcomed. From then on it takes
    /// part.
    pub(crate) fn take_welcome(&mut self, turn: &mut Turn<'_, '_>, local: u32) {
        let Some(keys) = self.host.keys.topic(local) else {
            return;
        };
        let (Some(own), Some(device)) = (waiting(keys), keys.device.as_ref()) else {
            return;
        };
        let (id, device, hash) = (keys.id, device.public(), own.claim.hash());
        let Some(got) = self.answers.got.get(&local) else {
            return;
        };
        let got = got.values().flat_map(|given| given.answers.iter().cloned());
        let got: Vec<Welcomed> = got.collect();
        let taken = got.into_iter().find(|welcomed| {
            let giver = look(&mut self.topics, turn.cx, local, |lace, store| {
                giver(lace, store, &welcomed.grant, (&device, &hash))
            });
            let giver = giver.flatten();
            giver.is_some_and(|giver| welcomed.verify((id, hash), &giver).is_ok())
        });
        let Some(welcomed) = taken else {
            return;
        };
        self.answers.got.remove(&local);
        self.host.keys.update(turn.cx, local, |row| {
            row.grant = *welcomed.grant.as_bytes();
            row.waits = [0; 32];
        });
        for (epoch, access) in welcomed.keys {
            let known = self.host.keys.topic(local);
            let known = known.is_some_and(|keys| keys.ring.by_id(epoch).is_some());
            if known {
                self.host.keys.key_came(turn.cx, local, epoch, access);
            } else {
                // It is compared with the announcement when that is taken in.
                let key = epoch_key(local, &epoch);
                self.host
                    .keys
                    .write_vault(turn.cx, &key, &access.to_bytes());
            }
        }
        if let Some(keys) = self.host.keys.topics.get_mut(&local) {
            keys.promised = Vec::new();
        }
        self.survey_epochs(turn, local);
        self.read_control_again(turn, local);
        self.want_served(turn, local);
        self.begin_rounds_soon(turn);
    }

    /// For whom this device waits in a topic: before it may take part, or because it is a guest that has
    /// written all that it may.
    pub(crate) fn waits_for(&mut self, turn: &mut Turn<'_, '_>, local: u32) -> Option<String> {
        let joins = self.waits_to_join(local);
        joins.or_else(|| {
            let spent = self.is_spent(turn, local);
            spent.then(|| self.welcome_by(local)).flatten()
        })
    }

    /// For whom this device waits before it may take part in a topic.
    pub(crate) fn waits_to_join(&self, local: u32) -> Option<String> {
        waiting(self.host.keys.topic(local)?)?;
        self.welcome_by(local)
    }

    /// By whom this device is to be welcomed in a topic: the name of whoever invited it, and its key.
    pub(crate) fn welcome_by(&self, local: u32) -> Option<String> {
        let keys = self.host.keys.topic(local)?;
        let inviter = PublicKey::from_bytes(keys.row.inviter);
        Some(format!(
            "a welcome by {}, or by anybody else who may admit",
            inviter_label(&keys.row.inviter_name, &inviter)
        ))
    }
}

fn inviter_label(name: &str, device: &PublicKey) -> String {
    let key = device.to_string();
    let key = key.get(..16).unwrap_or_default();
    if name.is_empty() {
        format!("the device {key}…")
    } else {
        format!("{name} (device {key}…)")
    }
}

/// Which device gave a grant that welcomes this claim of this device, if it stands.
fn giver(
    lace: &Lace,
    store: &mut Staged<'_>,
    grant: &GrantId,
    (device, claim): (&PublicKey, &[u8; 32]),
) -> Option<PublicKey> {
    let form = Form::one(*device);
    let effect = lace.held_effect(store);
    if effect.grants.get(grant)?.holder != Some(form.member()) {
        return None;
    }
    let issued = lace.facts(store, |facts| facts.issued(grant));
    let fact = issued.iter().find(|fact| match &fact.what {
        Item::Grant(given) => given.welcomes == Some(*claim) && given.form.as_ref() == Some(&form),
        _ => false,
    })?;
    let author = lace.facts(store, |facts| facts.key(fact.author))?;
    Some(*lace.author(&author)?.device())
}
