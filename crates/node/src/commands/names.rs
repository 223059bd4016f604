//! From what a person types to what is meant, and back.

use crate::command::{Code, Failure};
use crate::look::look;
use crate::node::{Inner, Turn};
use crate::rows::members;
use identity::{NodeId, PublicKey, TopicId};
use router::{Labels, LookAlikes};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

/// Shortest prefix of an id that stands for it, beyond the part that all ids of a kind share.
const MIN_PREFIX: usize = 4;

/// Members of one topic whose names are looked at for naming nodes.
const MAX_NAMED: usize = 256;

impl Inner {
    /// The topic that a person means: a local name, an id, or a unique prefix of one.
    pub(crate) fn find_topic(&self, text: &str) -> Result<u32, Failure> {
        if let Ok(id) = text.parse::<TopicId>()
            && let Some(local) = self.host.keys.local(&id)
        {
            return Ok(local);
        }
        let all = || self.host.keys.topics();
        let named: Vec<u32> = all()
            .filter(|(_, keys)| !keys.row.name.is_empty() && keys.row.name == text)
            .map(|(local, _)| local)
            .collect();
        let found = if named.is_empty() {
            all()
                .filter(|(_, keys)| is_prefix(text, &keys.id))
                .map(|(local, _)| local)
                .collect()
        } else {
            named
        };
        let shown = found.iter().filter_map(|local| {
            let keys = self.host.keys.topic(*local)?;
            Some(format!("{} {}", keys.id, keys.row.name))
        });
        one(
            &found,
            shown.collect(),
            &format!("no topic is called {text:?}"),
            "`way topic list`",
        )
    }

    /// The node that a person means: an id, a unique prefix of one, or a name.
    pub(crate) fn find_node(
        &mut self,
        turn: &mut Turn<'_, '_>,
        text: &str,
    ) -> Result<NodeId, Failure> {
        if let Ok(id) = text.parse::<NodeId>() {
            return Ok(id);
        }
        let names = self.node_names(turn);
        let mut nodes: BTreeSet<NodeId> = names.keys().copied().collect();
        nodes.extend(self.router.peers(turn.cx).iter().map(|peer| peer.node));
        nodes.extend(
            self.host
                .custody
                .clients(turn.cx)
                .iter()
                .map(|client| client.node),
        );
        let labels = Labels::new(names);
        let known: BTreeMap<NodeId, String> = nodes
            .into_iter()
            .map(|node| (node, labels.show(&node)))
            .collect();
        let named = |meant: &dyn Fn(&str) -> bool| -> Vec<NodeId> {
            let fits = |name: &String| !name.is_empty() && meant(name);
            known
                .iter()
                .filter(|(_, name)| fits(name))
                .map(|(node, _)| *node)
                .collect()
        };
        let mut found = named(&|name| name == text);
        if found.is_empty() {
            // As it was given, before a piece of the key was added to tell it from others.
            found = named(&|name| {
                name.rsplit_once('·')
                    .is_some_and(|(given, _)| given == text)
            });
        }
        let named = found;
        let found = if named.is_empty() {
            known
                .keys()
                .filter(|node| is_prefix(text, *node))
                .copied()
                .collect()
        } else {
            named
        };
        let shown = found
            .iter()
            .map(|node| format!("{node} {}", known.get(node).map_or("", String::as_str)));
        one(
            &found,
            shown.collect(),
            &format!("no node is called {text:?}"),
            "`way peers`",
        )
    }

    /// What nodes call themselves: in their advert, or to the readers of a common topic.
    fn node_names(&mut self, turn: &mut Turn<'_, '_>) -> BTreeMap<NodeId, String> {
        let locals: Vec<u32> = self.host.keys.topics().map(|(local, _)| local).collect();
        let mut names: BTreeMap<NodeId, String> = BTreeMap::new();
        for local in locals {
            for (_, member) in members(&mut turn.cx.store, local, MAX_NAMED) {
                names.insert(member.node(), member.name);
            }
        }
        for peer in self.router.peers(turn.cx) {
            let advert = self.router.advert(turn.cx, &peer.node);
            if let Some(advert) = advert.filter(|advert| !advert.name.is_empty()) {
                names.insert(peer.node, advert.name);
            }
        }
        names
    }

    /// Names of nodes as people see them, each told from the others.
    pub(crate) fn node_labels(&mut self, turn: &mut Turn<'_, '_>) -> Labels {
        Labels::new(self.node_names(turn))
    }

    /// A local name that no topic has yet: this one, or this one with a number.
    pub(crate) fn free_name(&self, wanted: &str) -> String {
        let wanted = if wanted.is_empty() { "topic" } else { wanted };
        let taken = |name: &str| {
            self.host
                .keys
                .topics()
                .any(|(_, keys)| keys.row.name == name)
        };
        if !taken(wanted) {
            return wanted.to_owned();
        }
        (2_u32..)
            .map(|number| format!("{wanted}-{number}"))
            .find(|name| !taken(name))
            .unwrap_or_else(|| wanted.to_owned())
    }

    /// What to show for the devices of a topic: names as they were given, with four characters of
    /// the key where two look alike or there is none.
    pub(crate) fn device_names(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        devices: &[PublicKey],
    ) -> BTreeMap<PublicKey, String> {
        let own = self
            .host
            .keys
            .topic(local)
            .and_then(|keys| Some(keys.device.as_ref()?.public()));
        let all: Vec<PublicKey> = look(&mut self.topics, turn.cx, local, |lace, _| {
            lace.authors().map(|author| *author.device()).collect()
        })
        .unwrap_or_default();
        let mut given: BTreeMap<PublicKey, String> = BTreeMap::new();
        for device in all.iter().chain(devices) {
            let name = if Some(*device) == own {
                Some(self.router.name().to_owned())
            } else {
                self.topics.name(turn.cx, local, device)
            };
            given.insert(*device, name.unwrap_or_default());
        }
        let alike = LookAlikes::among(given.values().map(String::as_str));
        let shown = |device: &PublicKey| {
            let name = given.get(device).map_or("", String::as_str);
            if name.is_empty() || alike.has(name) {
                let key: String = device.to_string().chars().take(4).collect();
                if name.is_empty() {
                    format!("device·{key}")
                } else {
                    format!("{name}·{key}")
                }
            } else {
                name.to_owned()
            }
        };
        devices
            .iter()
            .map(|device| (*device, shown(device)))
            .collect()
    }
}

pub(super) fn is_prefix(text: &str, id: &impl Display) -> bool {
    let id = id.to_string();
    let shared = id.find('1').map_or(0, |at| at + 3);
    let text = text.to_ascii_lowercase();
    text.len() >= shared + MIN_PREFIX && id.starts_with(&text)
}

pub(super) fn one<T: Copy>(
    found: &[T],
    shown: Vec<String>,
    none: &str,
    list: &str,
) -> Result<T, Failure> {
    match found {
        [one] => Ok(*one),
        [] => Err(Failure::new(
            Code::NotFound,
            none,
            format!("{list} lists those known here"),
        )),
        _ => Err(Failure {
            candidates: shown,
            ..Failure::new(Code::Ambiguous, "that fits several", "say more of the id")
        }),
    }
}
