//! Letting people in who have claimed an invite.
//!
//! Claims come from their claimers, at whatever node keeps the invite's box, and from there to all
//! who take part. Whoever may admit and is there welcomes them, with what the invite gives and no
//! more: a grant that names the claim, and an answer with the keys that it opens. The inviter does
//! so at once; others wait for a moment that each draws, so that one of them is first. As many are
//! welcomed as the invite has uses, by what is known here; beyond that it takes a person, and so it does
//! where a claim is first seen after its invite's end.
//!
//! Who came by an invite of the kind while away has the keys and writes already. It needs the grant alone, when
//! it has written much: see [`guests`](crate::guests).

use crate::command::InviteRow;
use crate::grants;
use crate::guests;
use crate::io::LinkId;
use crate::limits::{
    MAX_ASKING, MAX_GUEST_GRANTS, MAX_WELCOMES, WELCOME_AGAIN, WELCOME_NEXT, WELCOME_WITHIN_MS,
};
use crate::look::look;
use crate::node::{Inner, Turn};
use crate::timer::Timer;
use core::time::Duration;
use identity::{Form, GrantId, PublicKey};
use lace::{Lace, Over};
use machine::{Staged, Time};
use rights::{Portion, Welcomed, can_be_sealed_to, seal_answer};
use router::Standing;
use std::collections::{BTreeMap, BTreeSet};
use topic::{Draft, OpenClaim, Payload, PublishError};
use wire::limits::BOX_LEN;
use wire::{Answer, Claim, Frame, Grant, Invite, InviteKind, Item, Rights, Terms};

/// How many answers are made of one welcome, should the first not be kept.
const ANSWERS_MADE: usize = 8;

/// Who waits at this node for answers, and when this node welcomes whom nobody else has.
#[derive(Debug, Default)]
pub(crate) struct Welcoming {
    /// By claim: on which links it was asked about, with the box's locator.
    asking: BTreeMap<[u8; 32], BTreeMap<LinkId, [u8; 32]>>,
    /// When to look at a topic's claims.
    due: BTreeMap<u32, Time>,
    /// Before when not to, since many were welcomed just now.
    rests: BTreeMap<u32, Time>,
}

/// A claim that nobody has welcomed yet, and its invite.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unwelcomed {
    pub(crate) hash: [u8; 32],
    pub(crate) claim: Claim,
    invite: Invite,
    /// Whether this device gave the invite.
    is_own: bool,
    /// Whether the invite has uses left for it, by what is known here, and it came in time.
    pub(crate) is_due: bool,
}

impl Unwelcomed {
    /// What whoever made the claim is to have: what the invite gives, however much is written in all.
    fn terms(&self) -> Option<Terms> {
        let terms = self.invite.gift()?.terms;
        let budget = terms.budget.without_totals();
        Some(Terms { budget, ..terms })
    }
}

impl Inner {
    /// Somebody claims an invite here. It is answered at once, the same whatever is here.
    pub(crate) fn on_claim_put(
        &mut self,
        turn: &mut Turn<'_, '_>,
        link: LinkId,
        loc: [u8; 32],
        claim: &Claim,
    ) {
        if self.answer_claim(turn, link, (loc, claim.hash())) {
            self.with_topics(turn, |topics, env| topics.put_claim(env, &loc, claim));
        }
    }

    /// Somebody asks for the answer to a claim.
    pub(crate) fn on_claim_ask(
        &mut self,
        turn: &mut Turn<'_, '_>,
        link: LinkId,
        loc: [u8; 32],
        claim: [u8; 32],
    ) {
        self.answer_claim(turn, link, (loc, claim));
    }

    /// Answers about a claim with what is here, or with random bytes. Says whether the asker may go
    /// on.
    fn answer_claim(
        &mut self,
        turn: &mut Turn<'_, '_>,
        link: LinkId,
        (loc, claim): ([u8; 32], [u8; 32]),
    ) -> bool {
        let Some(node) = self.links.get(&link).map(|state| state.node) else {
            return false;
        };
        self.stands(turn, node, Standing::Claiming);
        if self.host.custody.may_ask(turn.cx, node).is_err() {
            self.sorry(turn, link);
            return false;
        }
        let denied = self.is_denied(link);
        // Everything is looked up and drawn whatever is found, as for boxes.
        let mut sealed = vec![0; BOX_LEN];
        turn.cx.rng.fill(&mut sealed);
        let hash: [u8; 32] = if denied { turn.cx.rng.array() } else { claim };
        let found = self.topics.answer_to(turn.cx, &hash);
        let is_answered = found.is_some();
        let sealed = found.unwrap_or(sealed);
        turn.send(link, &Frame::ClaimAnswer { loc, claim, sealed });
        if !is_answered && !denied {
            self.note_asking(link, (loc, claim));
        }
        !denied
    }

    fn note_asking(&mut self, link: LinkId, (loc, claim): ([u8; 32], [u8; 32])) {
        let links = &self.links;
        let asking = &mut self.welcoming.asking;
        asking.retain(|_, on| {
            on.retain(|link, _| links.contains_key(link));
            !on.is_empty()
        });
        let all: usize = asking.values().map(BTreeMap::len).sum();
        if all < MAX_ASKING {
            asking.entry(claim).or_default().insert(link, loc);
        }
    }

    /// Claims or answers have come, or who may admit has changed.
    pub(crate) fn claims_changed(&mut self, turn: &mut Turn<'_, '_>, local: u32) {
        self.tell_asking(turn);
        let open = self.unwelcomed(turn, local);
        let mut due = open.iter().filter(|open| open.is_due).peekable();
        if due.peek().is_none() {
            self.welcoming.due.remove(&local);
            return;
        }
        let now = turn.cx.now;
        let at = if due.any(|open| open.is_own) {
            now
        } else {
            let wait = turn.cx.rng.below(WELCOME_WITHIN_MS);
            now.after(Duration::from_millis(wait))
        };
        let rests = self.welcoming.rests.get(&local);
        let at = rests.map_or(at, |until| at.max(*until));
        let known = self.welcoming.due.entry(local).or_insert(at);
        *known = at.min(*known);
        self.timers.set_earlier(Timer::Welcome, *known);
    }

    /// A life begins: claims that came in an earlier one may not have been welcomed.
    pub(crate) fn open_claims(&mut self, turn: &mut Turn<'_, '_>) {
        let topics: Vec<u32> = self.host.keys.topics().map(|(local, _)| local).collect();
        for local in topics {
            self.load_guests(turn, local);
            self.look_at_guests(turn, local);
            let start = local.to_be_bytes();
            let any = turn.cx.store.prefix(topic::rows::CLAIMS, &start, 1);
            if !any.is_empty() {
                self.claims_changed(turn, local);
            }
        }
    }

    /// Answers go to whoever has asked for them on a link that is open.
    fn tell_asking(&mut self, turn: &mut Turn<'_, '_>) {
        let asked: Vec<[u8; 32]> = self.welcoming.asking.keys().copied().collect();
        for claim in asked {
            let Some(sealed) = self.topics.answer_to(turn.cx, &claim) else {
                continue;
            };
            let on = self.welcoming.asking.remove(&claim).unwrap_or_default();
            for (link, loc) in on {
                let sealed = sealed.clone();
                turn.send(link, &Frame::ClaimAnswer { loc, claim, sealed });
            }
        }
    }

    /// It is time to welcome whom nobody else has welcomed.
    pub(crate) fn welcome_due(&mut self, turn: &mut Turn<'_, '_>) {
        let now = turn.cx.now;
        let due = self.welcoming.due.iter().filter(|(_, at)| **at <= now);
        let due: Vec<u32> = due.map(|(local, _)| *local).collect();
        for local in due {
            self.welcoming.due.remove(&local);
            let mut more = MAX_WELCOMES;
            // One after the other: each uses up one of its invite's uses.
            while let Some(open) = self
                .unwelcomed(turn, local)
                .into_iter()
                .find(|open| open.is_due)
            {
                if more == 0 {
                    let rests = now.after(WELCOME_NEXT);
                    self.welcoming.rests.insert(local, rests);
                    self.welcoming.due.insert(local, rests);
                    break;
                }
                more -= 1;
                let Some(terms) = open.terms() else {
                    break;
                };
                if let Err(why) = self.welcome(turn, local, &open, terms) {
                    let text = format!("somebody who has claimed an invite waits: {why}");
                    let hint = "it is tried again; `way topic info` shows who waits";
                    self.problems.note("welcome", text, hint);
                    // The rate may allow it later; so may a grant that comes.
                    self.welcoming.due.insert(local, now.after(WELCOME_AGAIN));
                    break;
                }
            }
        }
        if let Some(next) = self.welcoming.due.values().min() {
            self.timers.set_earlier(Timer::Welcome, *next);
        }
    }

    /// The claims that wait in a topic in which this device may admit.
    pub(crate) fn unwelcomed(&mut self, turn: &mut Turn<'_, '_>, local: u32) -> Vec<Unwelcomed> {
        let keys = self.host.keys.topic(local);
        let keys = keys.filter(|keys| keys.row.opened && !keys.row.left);
        let Some((keys, device)) = keys.and_then(|keys| Some((keys, keys.device.as_ref()?))) else {
            return Vec::new();
        };
        let (own, device) = (GrantId::from_bytes(keys.row.grant), device.public());
        let author = keys.certificate().map(|certificate| certificate.author);
        let now = turn.cx.wall.as_millis();
        let mut claims = self.topics.claims(turn.cx, local);
        let of_guests = self.claims_of_guests(turn, local);
        let invites: BTreeSet<GrantId> = of_guests.iter().map(|open| open.claim.grant).collect();
        let mut welcomed = BTreeSet::new();
        for invite in invites {
            let devices = self.topics.welcomed_under(turn.cx, local, &invite);
            welcomed.extend(devices.into_iter().map(|device| (invite, device)));
        }
        let guests = Some(author).filter(|_| !of_guests.is_empty());
        claims.extend(of_guests);
        if claims.is_empty() {
            return Vec::new();
        }
        let found = look(&mut self.topics, turn.cx, local, |lace, store| {
            // Whoever has a link in too many hands keeps room for people's word.
            let room = guests.map(|author| {
                let effect = lace.held_effect(store);
                let given = author.map(|by| guests::welcomed_by(lace, store, (&effect, &by)));
                MAX_GUEST_GRANTS.saturating_sub(given.unwrap_or(0))
            });
            let known = (welcomed, room.unwrap_or(0));
            waiting(lace, store, (own, &device, now), known, &claims)
        });
        found.unwrap_or_default()
    }

    /// Adds to the uses of invites those who were welcomed.
    pub(crate) fn count_welcomed(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        invites: &mut [InviteRow],
    ) {
        let own = self.host.keys.topic(local);
        let own = own.and_then(|keys| Some(keys.device.as_ref()?.public()));
        let claims = self.topics.claims(turn.cx, local);
        let mut used: BTreeMap<GrantId, u32> = BTreeMap::new();
        for open in claims.iter().filter(|open| is_used(open, own.as_ref())) {
            let count = used.entry(open.claim.grant).or_default();
            *count = count.saturating_add(1);
        }
        for invite in invites {
            let Ok(grant) = invite.grant.parse::<GrantId>() else {
                continue;
            };
            let here = used.get(&grant).copied().unwrap_or(0);
            let before = self.topics.claimed_before(turn.cx, local, &grant);
            invite.used = invite.used.saturating_add(here).saturating_add(before);
        }
    }

    /// Welcomes a claimer: a grant, and an answer with the keys of what it opens.
    pub(crate) fn welcome(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        open: &Unwelcomed,
        terms: Terms,
    ) -> Result<GrantId, PublishError> {
        self.open_author(turn, local)?;
        let keys = self.host.keys.topic(local).ok_or(topic::Unknown)?;
        let parent = GrantId::from_bytes(keys.row.grant);
        let form = Form::one(open.claim.device);
        let item = Item::Grant(Grant {
            parent,
            holder: form.member(),
            rights: terms.rights,
            budget: terms.budget,
            welcomes: Some(open.hash),
            form: Some(form),
            joint: None,
        });
        let grant = item.id();
        let draft = Draft {
            payload: Payload::Items(vec![item]),
            lifespan: None,
            answers: Vec::new(),
            manifest: None,
        };
        self.with_topics(turn, |topics, env| topics.publish(env, local, draft))?;
        self.note_queued(turn, local);
        self.align_epoch(turn, local, &terms.rights);
        if matches!(open.invite.kind, InviteKind::Attended(_)) {
            self.hand_over_to(turn, local, open, (grant, terms.rights));
        }
        Ok(grant)
    }

    fn hand_over_to(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        open: &Unwelcomed,
        (grant, rights): (GrantId, Rights),
    ) {
        let Some(keys) = self.host.keys.topic(local) else {
            return;
        };
        let Some(device) = keys.device.as_ref() else {
            return;
        };
        let of = (keys.id, open.hash);
        let portion = match rights.read {
            Some(read) => Portion::Reads {
                from: read.from,
                until: read.until,
            },
            None => Portion::Writes,
        };
        let mut epochs: Vec<_> = keys.ring.epochs().collect();
        // The greatest comes first: who has no more than that can take part.
        epochs.reverse();
        let asked: Vec<_> = epochs
            .iter()
            .map(|held| (held.epoch().id(), u32::MAX))
            .collect();
        let handed = keys.ring.hand_over(&asked, portion);
        let welcomed = Welcomed::sign(of, device, grant, handed);
        let (id, device) = (keys.id, device.clone());
        // An answer takes the place of an earlier one of this device only with a greater hash.
        for _ in 0..ANSWERS_MADE {
            let sealed = seal_answer(of, &open.claim.sealing, &welcomed, turn.cx.rng);
            let Ok(sealed) = sealed else {
                return;
            };
            let answer = Answer::sign(id, &device, open.hash, sealed);
            let put = self.with_topics(turn, |topics, env| topics.put_answer(env, local, answer));
            if put.is_ok() {
                return;
            }
        }
    }
}

/// Whether a claim waits no longer: somebody who could has welcomed it, or this device has.
fn is_used(open: &OpenClaim, own: Option<&PublicKey>) -> bool {
    open.is_welcomed || own.is_some_and(|own| open.givers.contains(own))
}

/// The claims that nobody has welcomed, of invites that this device can stand in for: it may admit
/// now, and has itself what the invite gives. Of invites of the kind while away it is told who has been
/// welcomed before, and how many more it welcomes by itself.
fn waiting(
    lace: &Lace,
    store: &mut Staged<'_>,
    (own, device, now): (GrantId, &PublicKey, u64),
    (mut let_in, mut room): (BTreeSet<(GrantId, PublicKey)>, usize),
    claims: &[OpenClaim],
) -> Vec<Unwelcomed> {
    let effect = lace.held_effect(store);
    let root = own.as_bytes() == lace.id().as_bytes();
    let terms = grants::left_of(lace, store, &effect, &own);
    let admits = terms.and_then(|terms| terms.rights.admit);
    // Nothing is given out of an invite.
    let holds = effect
        .grants
        .get(&own)
        .is_some_and(|it| it.holder.is_some());
    let may = root || (holds && admits.is_some_and(|admit| admit.holds(now)));
    if !may {
        return Vec::new();
    }
    let is_used = |open: &OpenClaim| is_used(open, Some(device));
    let mut used: BTreeMap<GrantId, u32> = BTreeMap::new();
    for (invite, _) in &let_in {
        let count = used.entry(*invite).or_default();
        *count = count.saturating_add(1);
    }
    for open in claims.iter().filter(|open| is_used(open)) {
        let count = used.entry(open.claim.grant).or_default();
        *count = count.saturating_add(1);
        let_in.insert((open.claim.grant, open.claim.device));
    }
    let mut found = Vec::new();
    for open in claims.iter().filter(|open| !is_used(open)) {
        let issued = lace.facts(store, |facts| facts.issued(&open.claim.grant));
        let Some((fact, invite)) = issued.first().and_then(|fact| match &fact.what {
            Item::Invite(invite) => Some((fact, *invite)),
            _ => None,
        }) else {
            continue;
        };
        let gift = invite.gift().map(|gift| grants::bounded(lace, gift.terms));
        let within = root || grants::gives_as_much(terms.as_ref(), gift.as_ref());
        let away = matches!(invite.kind, InviteKind::WhileAway(_));
        // What was taken back of an invite no machine gives again.
        let stands = effect.grants.get(&open.claim.grant);
        let stands = stands.is_some_and(|it| it.over == Over::default());
        let inviter = lace.facts(store, |facts| facts.key(fact.author));
        let inviter = inviter.and_then(|key| Some(*lace.author(&key)?.device()));
        let count = used.entry(open.claim.grant).or_default();
        let anew = (open.claim.grant, open.claim.device);
        let is_due = within
            && stands
            && !open.is_late
            && *count < invite.uses
            && !let_in.contains(&anew)
            && (!away || room > 0)
            && (away || can_be_sealed_to(&open.claim.sealing));
        if is_due {
            room = room.saturating_sub(usize::from(away));
            *count = count.saturating_add(1);
            let_in.insert(anew);
        }
        found.push(Unwelcomed {
            hash: open.hash,
            claim: open.claim,
            invite,
            is_own: inviter == Some(*device),
            is_due,
        });
    }
    found
}
