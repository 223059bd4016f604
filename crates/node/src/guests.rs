//! Guests: who came by an invite of the kind while away, and has no grant of its own yet.
//!
//! A guest writes at once, under the invite, and so much in all: that is what a leaked link costs. So whoever
//! may admit gives it a grant without that bound, in time. Its claim stands in the graph; it is noted when it is
//! first seen here, since a claim's own time is its claimer's word. Once its author has written half of what it
//! may, it counts as a claim that waits, and all else is as for attended invites: see
//! [`welcoming`](crate::welcoming). Who writes little costs the topic no grant.
//!
//! Whether a claim came in time is decided as for claims of attended invites: by when it was first seen, which is
//! kept, as soon as somebody has confirmed the clock; nobody is late before that.

use crate::grants;
use crate::limits::MAX_GUESTS;
use crate::look::look;
use crate::node::{Inner, Turn};
use crate::rows::{self, NODE};
use identity::{Form, GrantId, Id, PublicKey};
use lace::{Author, Effect, Lace};
use machine::Staged;
use rights::limits::UNWELCOMED_INCARNATIONS;
use std::collections::{BTreeMap, BTreeSet};
use topic::OpenClaim;
use topic::limits::{MAX_CLAIMED_USES, SPARE_CLAIMS};
use wire::{Budget, Claim, Grant, Invite, InviteKind, Item, Terms};

/// Fewer bytes than this are not worth an envelope: its header and proof alone are longer.
const SMALLEST: u64 = 512;

/// Author keys of one device under one invite that are noted: as many as it may number.
const MAX_KEYS: u64 = UNWELCOMED_INCARNATIONS + 1;

/// The guests of each topic that were noted, by the key that they write with.
#[derive(Debug, Default)]
pub(crate) struct Guests(BTreeMap<u32, BTreeMap<PublicKey, Guest>>);

#[derive(Clone, Copy, Debug)]
struct Guest {
    claim: Claim,
    invite: Invite,
    seen: Seen,
    /// Whether it has written so much that it should be welcomed.
    busy: bool,
}

/// When a claim was first seen here.
#[derive(Clone, Copy, Debug)]
struct Seen {
    /// Milliseconds since 1970, by whatever clock there was.
    at: u64,
    /// Whether somebody has confirmed the clock, then or later.
    confirmed: bool,
}

impl Seen {
    fn encode(self, claim: &Claim) -> Vec<u8> {
        let claim = Item::Claim(*claim).encode();
        let confirmed = [u8::from(self.confirmed)];
        [self.at.to_be_bytes().as_slice(), &confirmed, &claim].concat()
    }

    fn decode(row: &[u8]) -> Option<(Self, Claim)> {
        let (at, row) = row.split_first_chunk()?;
        let (confirmed, claim) = row.split_first()?;
        let Ok(Item::Claim(claim)) = Item::decode(claim) else {
            return None;
        };
        let (at, confirmed) = (u64::from_be_bytes(*at), *confirmed != 0);
        Some((Self { at, confirmed }, claim))
    }

    /// Whether it came after its invite's end.
    const fn is_late(self, invite: &Invite) -> bool {
        self.confirmed && self.at > invite.until
    }
}

impl Guests {
    pub(crate) fn forget(&mut self, local: u32) {
        self.0.remove(&local);
    }
}

impl Inner {
    /// Reads back who was noted in earlier lives.
    pub(crate) fn load_guests(&mut self, turn: &mut Turn<'_, '_>, local: u32) {
        let rows = rows::guests(&mut turn.cx.store, local);
        if rows.is_empty() {
            return;
        }
        let noted = look(&mut self.topics, turn.cx, local, |lace, store| {
            let read = |(author, row): (PublicKey, Vec<u8>)| {
                let (seen, claim) = Seen::decode(&row)?;
                let invite = counting(lace, store, &claim.grant)?;
                let busy = false;
                let guest = Guest {
                    claim,
                    invite,
                    seen,
                    busy,
                };
                Some((author, guest))
            };
            rows.into_iter().filter_map(read).collect()
        });
        self.guests.0.insert(local, noted.unwrap_or_default());
    }

    /// An author has begun under an invite: if that counts what is written in all, it is a guest. Of each
    /// invite so many devices are noted as it is for, and a few more, those that were seen first; and of each
    /// device as many keys as it may number.
    pub(crate) fn note_guest(
        &mut self,
        turn: &mut Turn<'_, '_>,
        (local, author): (u32, &PublicKey),
        claim: &Claim,
    ) {
        let keys = self.host.keys.topic(local);
        let own = keys.and_then(|keys| Some(keys.device.as_ref()?.public()));
        if own.is_none_or(|own| own == claim.device) {
            return;
        }
        let invite = look(&mut self.topics, turn.cx, local, |lace, store| {
            counting(lace, store, &claim.grant)
        });
        let Some(invite) = invite.flatten() else {
            return;
        };
        let noted = self.guests.0.entry(local).or_default();
        if noted.len() >= MAX_GUESTS || noted.contains_key(author) {
            return;
        }
        let of = noted.values().filter(|of| of.claim.grant == claim.grant);
        let (same, others): (Vec<&Guest>, Vec<&Guest>) =
            of.partition(|of| of.claim.device == claim.device);
        let others: BTreeSet<PublicKey> = others.iter().map(|of| of.claim.device).collect();
        let uses = usize::try_from(invite.uses).unwrap_or(usize::MAX);
        let most = uses.min(MAX_CLAIMED_USES).saturating_add(SPARE_CLAIMS);
        if others.len() >= most || same.len() as u64 >= MAX_KEYS {
            return;
        }
        // Another key of a device that was seen before comes no later than the first.
        let known = same.into_iter().map(|of| of.seen);
        let seen = known.min_by_key(|seen| seen.at).unwrap_or_else(|| {
            let (at, confirmed) = (turn.cx.wall.as_millis(), self.router.clock_confirmed());
            Seen { at, confirmed }
        });
        let key = rows::guest_key(local, author);
        turn.cx.store.put(NODE, key, seen.encode(claim));
        let guest = Guest {
            claim: *claim,
            invite,
            seen,
            busy: false,
        };
        noted.insert(*author, guest);
    }

    /// The clock has been confirmed: of those who came before that it is decided whether they came in time.
    pub(crate) fn decide_guests(&mut self, turn: &mut Turn<'_, '_>) {
        let mut decided = Vec::new();
        for (local, noted) in &mut self.guests.0 {
            let mut any = false;
            for (author, guest) in noted {
                if !core::mem::replace(&mut guest.seen.confirmed, true) {
                    let key = rows::guest_key(*local, author);
                    let row = guest.seen.encode(&guest.claim);
                    turn.cx.store.put(NODE, key, row);
                    any = true;
                }
            }
            if any {
                decided.push(*local);
            }
        }
        for local in decided {
            self.guests_changed(turn, local);
        }
    }

    /// Something has come: a guest may have written so much that it should be welcomed.
    pub(crate) fn look_at_guests(&mut self, turn: &mut Turn<'_, '_>, local: u32) {
        let Some(noted) = self.guests.0.get_mut(&local) else {
            return;
        };
        let mut quiet = noted.iter_mut().filter(|(_, guest)| !guest.busy).peekable();
        if quiet.peek().is_none() {
            return;
        }
        let newly = look(&mut self.topics, turn.cx, local, |lace, _| {
            let mut newly = false;
            for (author, guest) in quiet {
                guest.busy = lace.author(author).is_some_and(|of| is_busy(of, guest));
                newly |= guest.busy;
            }
            newly
        });
        if newly == Some(true) {
            self.claims_changed(turn, local);
        }
    }

    /// Who has which rights has changed: who is no guest any more is forgotten, and of those who should be
    /// welcomed this device may be able to now.
    pub(crate) fn guests_changed(&mut self, turn: &mut Turn<'_, '_>, local: u32) {
        self.settle_guests(turn, local);
        let noted = self.guests.0.get(&local);
        if noted.is_some_and(|noted| noted.values().any(|guest| guest.busy)) {
            self.claims_changed(turn, local);
        }
    }

    /// A device has left: it waits for nothing.
    pub(crate) fn guest_left(&mut self, turn: &mut Turn<'_, '_>, local: u32, device: &PublicKey) {
        self.drop_guests(turn, local, |_, guest| guest.claim.device == *device);
    }

    /// The claims of guests of a topic who have written so much that they should be welcomed, those that were
    /// seen first before others.
    pub(crate) fn claims_of_guests(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
    ) -> Vec<OpenClaim> {
        self.settle_guests(turn, local);
        let noted = self.guests.0.get(&local).into_iter();
        let mut busy: Vec<Guest> = noted
            .flat_map(BTreeMap::values)
            .filter(|guest| guest.busy)
            .copied()
            .collect();
        busy.sort_by_key(|guest| (guest.seen.at, guest.claim.hash()));
        let mut devices: BTreeSet<(GrantId, PublicKey)> = BTreeSet::new();
        busy.retain(|guest| devices.insert((guest.claim.grant, guest.claim.device)));
        let open = busy.into_iter().map(|guest| OpenClaim {
            hash: guest.claim.hash(),
            claim: guest.claim,
            is_late: guest.seen.is_late(&guest.invite),
            is_welcomed: false,
            givers: self.topics.welcomers(turn.cx, local, &guest.claim),
        });
        open.collect()
    }

    /// Forgets who is no guest any more: who was welcomed, has been given as much otherwise, or has no seat.
    fn settle_guests(&mut self, turn: &mut Turn<'_, '_>, local: u32) {
        let Some(noted) = self.guests.0.get(&local).filter(|noted| !noted.is_empty()) else {
            return;
        };
        let invites: BTreeSet<GrantId> = noted.values().map(|guest| guest.claim.grant).collect();
        let mut welcomed: BTreeSet<(GrantId, PublicKey)> = BTreeSet::new();
        for invite in invites {
            let devices = self.topics.welcomed_under(turn.cx, local, &invite);
            welcomed.extend(devices.into_iter().map(|device| (invite, device)));
        }
        let settled = look(&mut self.topics, turn.cx, local, |lace, store| {
            let effect = lace.held_effect(store);
            let held = Held::of(&effect);
            let settled = noted.iter().filter(|(_, guest)| {
                let claim = &guest.claim;
                welcomed.contains(&(claim.grant, claim.device))
                    || held.has_enough(lace, store, (&effect, guest))
            });
            settled.map(|(author, _)| *author).collect::<BTreeSet<_>>()
        });
        let settled = settled.unwrap_or_default();
        if !settled.is_empty() {
            self.drop_guests(turn, local, |author, _| settled.contains(author));
        }
    }

    fn drop_guests(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        is_one: impl Fn(&PublicKey, &Guest) -> bool,
    ) {
        if let Some(noted) = self.guests.0.get_mut(&local) {
            noted.retain(|author, guest| {
                let goes = is_one(author, guest);
                if goes {
                    let key = rows::guest_key(local, author);
                    turn.cx.store.delete(NODE, key);
                }
                !goes
            });
        }
    }

    /// Whether this device is a guest that has written all that it may: it waits for a welcome.
    pub(crate) fn is_spent(&mut self, turn: &mut Turn<'_, '_>, local: u32) -> bool {
        let own = self.own_in_all(turn, local);
        own.is_some_and(|((number, bytes), budget)| {
            let all = budget.total_envelopes.is_some_and(|most| number >= most);
            let most = budget.total_bytes;
            all || most.is_some_and(|most| bytes.saturating_add(SMALLEST) > most)
        })
    }

    /// Whether this device is a guest that has written half of what it may: what is left is for what the person
    /// writes.
    pub(crate) fn is_scarce(&mut self, turn: &mut Turn<'_, '_>, local: u32) -> bool {
        let own = self.own_in_all(turn, local);
        own.is_some_and(|(written, budget)| is_half(written, &budget))
    }

    /// What this device has written in all and the bounds of that, if it is a guest.
    fn own_in_all(&mut self, turn: &mut Turn<'_, '_>, local: u32) -> Option<((u64, u64), Budget)> {
        let own = self.host.keys.topic(local);
        let own = own.filter(|keys| !keys.row.left)?.certificate()?.author;
        let found = look(&mut self.topics, turn.cx, local, |lace, store| {
            let author = lace.author(&own)?;
            let budget = budget(&counting(lace, store, author.grant())?);
            Some((written(author), budget))
        });
        found.flatten()
    }
}

/// What members hold by what stands.
struct Held {
    /// For whom a device may act.
    seats: BTreeMap<PublicKey, Vec<Id>>,
    grants: BTreeMap<Id, Vec<GrantId>>,
}

impl Held {
    fn of(effect: &Effect) -> Self {
        let mut seats: BTreeMap<PublicKey, Vec<Id>> = BTreeMap::new();
        for (holder, device) in effect.devices.keys() {
            seats.entry(*device).or_default().push(*holder);
        }
        let mut grants: BTreeMap<Id, Vec<GrantId>> = BTreeMap::new();
        for (grant, it) in &effect.grants {
            if let Some(holder) = it.holder {
                grants.entry(holder).or_default().push(*grant);
            }
        }
        Self { seats, grants }
    }

    /// Whether a guest has no seat any more, or a grant that gives as much as its invite and does not count.
    fn has_enough(
        &self,
        lace: &Lace,
        store: &mut Staged<'_>,
        (effect, guest): (&Effect, &Guest),
    ) -> bool {
        let Some(holders) = self.seats.get(&guest.claim.device) else {
            return true;
        };
        let gift = guest.invite.gift().map(|gift| Terms {
            budget: gift.terms.budget.without_totals(),
            ..gift.terms
        });
        let gift = gift.map(|gift| grants::bounded(lace, gift));
        let held = holders.iter().filter_map(|holder| self.grants.get(holder));
        held.flatten().any(|grant| {
            let has = grants::left_of(lace, store, effect, grant);
            grants::gives_as_much(has.as_ref(), gift.as_ref())
        })
    }
}

/// How many grants of those that an author has given, and that stand, welcome guests.
pub(crate) fn welcomed_by(
    lace: &Lace,
    store: &mut Staged<'_>,
    (effect, author): (&Effect, &PublicKey),
) -> usize {
    let Some(tip) = lace.author(author).and_then(Author::tip) else {
        return 0;
    };
    let under: BTreeSet<GrantId> = lace.authors().map(|author| *author.grant()).collect();
    let under = under.into_iter();
    let under: BTreeSet<GrantId> = under
        .filter(|grant| counting(lace, store, grant).is_some())
        .collect();
    let guests = lace.authors().filter(|of| under.contains(of.grant()));
    let guests: BTreeSet<Id> = guests.map(|of| Form::one(*of.device()).member()).collect();
    lace.facts(store, |facts| {
        let Some(named) = facts.find(&tip.id) else {
            return 0;
        };
        let issued = facts.issued_by(named.author).into_iter();
        let issued = issued.filter(|fact| effect.grants.contains_key(&fact.item));
        issued
            .filter(|fact| match &fact.what {
                Item::Grant(Grant {
                    welcomes: Some(_),
                    holder,
                    ..
                }) => guests.contains(holder),
                _ => false,
            })
            .count()
    })
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

/// Number of the last envelope of an author, and bytes of what it wrote, as the law counts them.
pub(crate) fn written(author: &Author) -> (u64, u64) {
    let number = author.tip().map_or(0, |tip| tip.number);
    (number, author.spent_in_all())
}

/// Whether a guest has written half of what it may, or has begun its last author key: it should be welcomed
/// before it has to stop.
fn is_busy(author: &Author, guest: &Guest) -> bool {
    is_half(written(author), &budget(&guest.invite))
        || u64::from(author.index()) >= UNWELCOMED_INCARNATIONS
}

/// Whether so many envelopes, or so many bytes, are half of what may be written in all.
fn is_half((number, bytes): (u64, u64), budget: &Budget) -> bool {
    let half = |most: Option<u64>, has: u64| most.is_some_and(|most| has >= most / 2);
    half(budget.total_envelopes, number) || half(budget.total_bytes, bytes)
}
