//! What a liar has in a topic, read from its disk: its keys, its chains, and what it knows of grants.

use super::{EnvelopeId, Header, Item, Raw, Rng, SecretKey, TopicId, sign};
use crate::check::holdings::look;
use crate::world::host::Host;
use identity::{GrantId, PublicKey};
use lace::{Admission, Body};
use machine::Base;
use wire::{Class, Envelope};

/// Author keys of a liar that are looked through.
const MAX_KEYS: usize = 256;
/// Newest envelopes of a chain that a liar goes back to.
const MAX_BACK: u64 = 24;

/// A chain of its own: the newest envelopes of it, the oldest first.
pub(super) struct Chain {
    pub(super) key: SecretKey,
    /// Under which it is written.
    pub(super) grant: GrantId,
    /// What that gives; nothing under the topic's own.
    pub(super) terms: Option<Item>,
    pub(super) envelopes: Vec<Envelope>,
    /// Its number 1, with its body.
    first: Option<(Header, Vec<u8>)>,
}

/// What a liar has in a topic.
pub(super) struct Own {
    pub(super) topic: TopicId,
    pub(super) local: u32,
    /// Its chains, the newest last.
    pub(super) chains: Vec<Chain>,
    /// The grants and invites that stand, but for the topic's own.
    pub(super) grants: Vec<GrantId>,
}

/// The author keys of a node, from its own disk.
pub(super) fn keys(host: &Host) -> Vec<SecretKey> {
    let vault = host.config.device.vault();
    let range = (&[node::rows::AUTHOR][..], &[node::rows::AUTHOR + 1][..]);
    let rows = host.disk().scan(node::rows::VAULT, range, MAX_KEYS, false);
    let open = |(key, row): (Vec<u8>, Vec<u8>)| {
        let name = [b"vault ".as_slice(), &key].concat();
        let seed = vault.open(&name, &row).ok()?;
        Some(SecretKey::from_seed(seed.as_slice().try_into().ok()?))
    };
    rows.into_iter().flatten().filter_map(open).collect()
}

impl Own {
    /// What a node has in a topic; nothing where it has written nothing.
    pub(super) fn read(host: &Host, topic: TopicId) -> Option<Self> {
        let local = host.watch.holdings.iter().find(|held| held.id == topic)?;
        let (local, keys) = (local.local, keys(host));
        let own = look(host.disk(), local, |lace, store| {
            let mut chains = Vec::new();
            for key in keys {
                let Some(author) = lace.author(&key.public()) else {
                    continue;
                };
                let Some(tip) = author.tip() else { continue };
                let (grant, index, number) = (*author.grant(), author.index(), tip.number);
                let mut at = |number| lace.at(store, &key.public(), number, 1).pop();
                let ids: Vec<EnvelopeId> = (number.saturating_sub(MAX_BACK).max(1)..=number)
                    .filter_map(&mut at)
                    .collect();
                let first = at(1).and_then(|id| lace.envelope(store, &id));
                let issued = lace.facts(store, |facts| facts.issued(&grant));
                let chain = Chain {
                    grant,
                    terms: issued.first().map(|fact| fact.what.clone()),
                    envelopes: ids.iter().filter_map(|id| lace.header(store, id)).collect(),
                    first: first.and_then(|held| match held.body {
                        Body::Here(body) => Some((held.envelope.header, body)),
                        Body::Missing | Body::Gone => None,
                    }),
                    key,
                };
                chains.push((index, chain));
            }
            chains.sort_by_key(|(index, chain)| (*index, chain.key.public()));
            let effect = lace.held_effect(store);
            let given = effect.grants.iter().filter(|(_, it)| it.depth > 0);
            Self {
                topic,
                local,
                chains: chains.into_iter().map(|(_, chain)| chain).collect(),
                grants: given.map(|(grant, _)| *grant).collect(),
            }
        });
        own.filter(|own| !own.chains.is_empty())
    }

    /// A second number 1 of its newest chain that says what the first does, and an envelope after it.
    pub(super) fn second_first(&self, rng: &mut Rng) -> Option<Vec<Raw>> {
        let chain = self.chains.last()?;
        let (mut header, body) = chain.first.clone()?;
        header.created += 1 + rng.below(1_000);
        let first = sign(&mut header, &chain.key, body);
        let mut next = after(&header, Header::id_of(&first.header_bytes));
        let said = says(&mut next, rng);
        Some(vec![first, sign(&mut next, &chain.key, said)])
    }

    /// The next envelope of its newest chain, which names what nothing is called.
    pub(super) fn names_nothing(&self, rng: &mut Rng) -> Option<Raw> {
        let chain = self.chains.last()?;
        let tip = chain.envelopes.last()?;
        let mut header = after(&tip.header, tip.id);
        let said = says(&mut header, rng);
        header.deps = vec![EnvelopeId::from_bytes(rng.array())];
        header.generation += rng.below(3);
        Some(sign(&mut header, &chain.key, said))
    }

    /// Whether the node's own rules would admit these, one after the other.
    pub(super) fn would_admit(&self, host: &Host, raws: &[Raw]) -> bool {
        let admitted = look(host.disk(), self.local, |lace, store| {
            raws.iter().all(|raw| {
                let id = Header::id_of(&raw.header_bytes);
                let checked = wire::check(raw.clone());
                let report = checked.map(|checked| lace.admit(store, checked));
                let mut own = report.iter().flatten().filter(|(other, _)| *other == id);
                own.all(|(_, it)| matches!(it, Admission::Admitted { .. } | Admission::Void))
            })
        });
        admitted == Some(true)
    }

    /// The chain that may do most: one under a grant of its own, or the newest.
    pub(super) fn strongest(&self) -> Option<&Chain> {
        let given = |chain: &&Chain| matches!(chain.terms, Some(Item::Grant(_)));
        let mut newest = self.chains.iter().rev();
        newest.find(given).or_else(|| self.chains.last())
    }

    /// The device of another's first envelope under a grant.
    pub(super) fn begins(&self, (device, author): (&SecretKey, PublicKey)) -> Item {
        Item::Certificate(wire::Certificate::sign(self.topic, device, author, 0))
    }
}

/// The header of what follows an envelope, with the same date and nothing else named.
pub(super) fn after(header: &Header, id: EnvelopeId) -> Header {
    let mut next = header.clone();
    next.number += 1;
    next.previous = *id.as_bytes();
    next.generation += 1;
    next.deps = Vec::new();
    next.manifest = None;
    next
}

/// Makes a header one of a message, which nobody can read; gives its body.
pub(super) fn says(header: &mut Header, rng: &mut Rng) -> Vec<u8> {
    header.class = Class::Content;
    header.expires = header.created + wire::limits::DAY_MS;
    header.count = 1;
    rng.array::<64>().to_vec()
}

/// Makes a header one of these items; gives its body.
pub(super) fn carries(header: &mut Header, items: &[Item]) -> Vec<u8> {
    header.class = Class::Control;
    header.expires = 0;
    header.count = u16::try_from(items.len()).unwrap_or(u16::MAX);
    wire::encode_items(items)
}
