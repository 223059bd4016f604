//! Guests: who came by an invite of the kind while away, and has no grant of its own yet.
//!
//! A guest writes at once, under the invite, and so much in all: that is what a leaked link costs. So whoever
//! may admit gives it a grant without that bound, in time. Its claim stands in the graph; it is noted when it is
//! first seen here, since a claim's own time is its claimer's word. Once its author has written half of what it
//! may, it counts as a claim that waits, and all else is as for attended invites: see
//! [`welcoming`](crate::welcoming). Who writes little costs the topic no grant.

use crate::limits::MAX_GUESTS;
use crate::look::look;
use crate::node::{Inner, Turn};
use crate::rows::{self, NODE};
use identity::{GrantId, PublicKey};
use lace::{Author, Lace};
use machine::{Cx, Staged};
use rights::limits::UNWELCOMED_INCARNATIONS;
use std::collections::{BTreeMap, BTreeSet};
use topic::OpenClaim;
use topic::limits::SPARE_CLAIMS;
use wire::{Budget, Claim, Invite, InviteKind, Item};

/// Fewer bytes than this are not worth an envelope: its header and proof alone are longer.
const SMALLEST: u64 = 512;

/// The guests of each topic that were noted, by the key that they write with.
#[derive(Debug, Default)]
pub(crate) struct Guests(BTreeMap<u32, BTreeMap<PublicKey, Guest>>);

#[derive(Clone, Copy, Debug)]
struct Guest {
    claim: Claim,
    /// When the claim was first seen here, milliseconds since 1970.
    seen: u64,
    /// Whether somebody has welcomed it since, by what was known when that was last looked at.
    welcomed: bool,
}

impl Guest {
    fn encode(&self) -> Vec<u8> {
        let claim = Item::Claim(self.claim).encode();
        [self.seen.to_be_bytes().as_slice(), &claim].concat()
    }

    fn decode(row: &[u8]) -> Option<Self> {
        let (seen, claim) = row.split_first_chunk()?;
        let Ok(Item::Claim(claim)) = Item::decode(claim) else {
            return None;
        };
        Some(Self {
            claim,
            seen: u64::from_be_bytes(*seen),
            welcomed: false,
        })
    }
}

impl Guests {
    /// Reads back who was noted in earlier lives.
    pub(crate) fn load(cx: &mut Cx<'_>, topics: &[u32]) -> Self {
        let of = |local: &u32| {
            let noted = rows::guests(&mut cx.store, *local).into_iter();
            let noted = noted.filter_map(|(author, row)| Some((author, Guest::decode(&row)?)));
            (*local, noted.collect::<BTreeMap<_, _>>())
        };
        Self(topics.iter().map(of).collect())
    }

    pub(crate) fn forget(&mut self, local: u32) {
        self.0.remove(&local);
    }
}

impl Inner {
    /// An author has begun under an invite: if that counts what is written in all, it is a guest. Of each
    /// invite so many devices are noted as it is for, and a few more, those that were seen first.
    pub(crate) fn note_guest(
        &mut self,
        turn: &mut Turn<'_, '_>,
        (local, author): (u32, &PublicKey),
        claim: &Claim,
    ) {
        let takes_part = self.host.keys.topic(local);
        if takes_part.is_none_or(|keys| keys.device.is_none()) {
            return;
        }
        let invite = look(&mut self.topics, turn.cx, local, |lace, store| {
            counting(lace, store, &claim.grant)
        });
        let Some(invite) = invite.flatten() else {
            return;
        };
        let noted = self.guests.0.entry(local).or_default();
        let others = noted.values().map(|guest| &guest.claim);
        let others = others.filter(|other| other.grant == claim.grant && *other != claim);
        let others: BTreeSet<PublicKey> = others.map(|other| other.device).collect();
        let uses = usize::try_from(invite.uses).unwrap_or(usize::MAX);
        let most = uses.saturating_add(SPARE_CLAIMS);
        if noted.contains_key(author) || noted.len() >= MAX_GUESTS || others.len() >= most {
            return;
        }
        let guest = Guest {
            claim: *claim,
            seen: turn.cx.wall.as_millis(),
            welcomed: false,
        };
        let key = rows::guest_key(local, author);
        turn.cx.store.put(NODE, key, guest.encode());
        noted.insert(*author, guest);
    }

    /// Something has come: a guest may have written so much that it should be welcomed.
    pub(crate) fn look_at_guests(&mut self, turn: &mut Turn<'_, '_>, local: u32) {
        if !self.welcoming.has_due(local) && self.has_busy_guest(turn, local) {
            self.claims_changed(turn, local);
        }
    }

    fn has_busy_guest(&mut self, turn: &mut Turn<'_, '_>, local: u32) -> bool {
        let guests = self.guests.0.get(&local);
        let Some(guests) = guests.filter(|guests| !guests.is_empty()) else {
            return false;
        };
        let mut waiting = guests.iter().filter(|(_, guest)| !guest.welcomed);
        let busy = look(&mut self.topics, turn.cx, local, |lace, store| {
            waiting.any(|(author, guest)| is_busy(lace, store, author, guest))
        });
        busy == Some(true)
    }

    /// The claims of guests of a topic: who has been welcomed, and who has written so much that it should
    /// be. Nothing as long as nobody has.
    pub(crate) fn claims_of_guests(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
    ) -> Vec<OpenClaim> {
        if !self.has_busy_guest(turn, local) {
            return Vec::new();
        }
        let confirmed = self.router.clock_confirmed();
        let mut noted = self.guests.0.remove(&local).unwrap_or_default();
        let mut found: BTreeMap<[u8; 32], OpenClaim> = BTreeMap::new();
        for (author, guest) in &mut noted {
            let looked = look(&mut self.topics, turn.cx, local, |lace, store| {
                let late = counting(lace, store, &guest.claim.grant)
                    .is_some_and(|invite| confirmed && guest.seen > invite.until);
                (late, is_busy(lace, store, author, guest))
            });
            let Some((late, busy)) = looked else { continue };
            let claim = (guest.claim, late);
            let Some(open) = self.topics.claim_of_guest(turn.cx, local, claim) else {
                continue;
            };
            guest.welcomed = open.is_welcomed;
            if busy || guest.welcomed {
                found.insert(open.hash, open);
            }
        }
        self.guests.0.insert(local, noted);
        found.into_values().collect()
    }

    /// Whether this device is a guest that has written all that it may: it waits for a welcome.
    pub(crate) fn is_spent(&mut self, turn: &mut Turn<'_, '_>, local: u32) -> bool {
        let own = self.host.keys.topic(local);
        let own = own.filter(|keys| !keys.row.left);
        let Some(own) = own.and_then(|keys| Some(keys.certificate()?.author)) else {
            return false;
        };
        let spent = look(&mut self.topics, turn.cx, local, |lace, store| {
            let author = lace.author(&own)?;
            let (number, bytes) = written(author);
            let budget = budget(&counting(lace, store, author.grant())?);
            let all = budget.total_envelopes.is_some_and(|most| number >= most);
            let most = budget.total_bytes;
            Some(all || most.is_some_and(|most| bytes.saturating_add(SMALLEST) > most))
        });
        spent.flatten() == Some(true)
    }
}

/// The invite with this id, if it counts what is written under it in all.
fn counting(lace: &Lace, store: &mut Staged<'_>, grant: &GrantId) -> Option<Invite> {
    let issued = lace.facts(store, |facts| facts.issued(grant));
    let Item::Invite(invite) = issued.first()?.what else {
        return None;
    };
    budget(&invite).has_totals().then_some(invite)
}

fn budget(invite: &Invite) -> Budget {
    match invite.kind {
        InviteKind::WhileAway(gift) => gift.terms.budget,
        InviteKind::Attended(_) | InviteKind::Device => Budget::default(),
    }
}

/// Number of the last envelope of an author, and bytes of what it wrote.
fn written(author: &Author) -> (u64, u64) {
    let number = author.tip().map_or(0, |tip| tip.number);
    let counts = author.counts();
    let bytes = counts.header_bytes.saturating_add(counts.body_bytes);
    (number, bytes)
}

/// Whether a guest has written half of what it may, or has begun its last author key: it should be welcomed
/// before it has to stop.
fn is_busy(lace: &Lace, store: &mut Staged<'_>, author: &PublicKey, guest: &Guest) -> bool {
    let Some(author) = lace.author(author) else {
        return false;
    };
    let Some(invite) = counting(lace, store, &guest.claim.grant) else {
        return false;
    };
    let budget = budget(&invite);
    let (number, bytes) = written(author);
    let half = |most: Option<u64>, has: u64| most.is_some_and(|most| has >= most / 2);
    half(budget.total_envelopes, number)
        || half(budget.total_bytes, bytes)
        || u64::from(author.index()) >= UNWELCOMED_INCARNATIONS
}
