//! Claims of attended invites and the answers to them, kept beside the boxes by every member and
//! custodian of a topic: so that whoever may admit hears of a claim, and the claimer of its
//! welcome.
//!
//! Of an invite so many claims are kept as it has uses, and a few more. A claim that waits takes
//! another's place only where the topic is full, and then that of an inviter with more of them; one
//! that has been welcomed always finds room among those that wait. A claim stays for a while after its
//! invite's end, for those who come later to welcome it.

use crate::answers::Answers;
use crate::check::{Job, Work};
use crate::draft::OpenClaim;
use crate::event::{LinkId, Output};
use crate::host::Local;
use crate::limits::{
    CLAIM_GRACE_MS, MAX_CLAIMED_USES, MAX_CLAIMS, MAX_EARLY_CLAIMS, MAX_FRAMES_PER_TURN,
    SPARE_CLAIMS,
};
use crate::rows::{self, Bytes};
use crate::state::{Shared, Topic};
use crate::topics::{Env, Topics};
use crate::welcomes::{Invited, Place, Welcomes};
use identity::{GrantId, PublicKey};
use machine::Cx;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use wire::{Checked, Claim, Item, TopicFrame};

/// Bytes of a claim that is checked, about.
const CLAIM_BYTES: usize = 256;

/// Names an answer: the claim, and the device that welcomes.
pub(crate) type AnswerNo = ([u8; 32], PublicKey);

/// What is here of claims and answers.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    /// By its hash.
    open: BTreeMap<[u8; 32], Open>,
    pub(crate) answers: Answers,
    /// Claims that came before their invite.
    early: VecDeque<(LinkId, Claim)>,
    /// What the graph last said of welcomes.
    pub(crate) welcomes: Option<Arc<Welcomes>>,
}

/// A claim that is here.
#[derive(Clone, Copy, Debug)]
struct Open {
    /// Whose invite it is of, and who gave that.
    grant: GrantId,
    inviter: PublicKey,
    /// How many claims of the invite are kept.
    most: usize,
    seen: Seen,
    /// Whether somebody has welcomed it who could, as far as was known when that last changed.
    welcomed: bool,
}

/// When a claim was first seen here.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Seen {
    /// Milliseconds since 1970.
    at: u64,
    /// Whether the clock has been confirmed, then or since.
    confirmed: bool,
}

impl Seen {
    fn encode(self) -> Vec<u8> {
        let mut row = self.at.to_be_bytes().to_vec();
        row.push(u8::from(self.confirmed));
        row
    }

    /// What is not told of a claim counts as long ago.
    fn decode(row: &[u8]) -> Self {
        let mut bytes = Bytes(row);
        Self {
            at: bytes.u64().unwrap_or(0),
            confirmed: bytes.rest() == [1],
        }
    }
}

/// Where a claim finds room.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Room {
    Free,
    /// In the place of another one.
    Of([u8; 32]),
}

/// What a peer is to be sent of them.
#[derive(Debug, Default)]
pub(crate) struct ClaimsDue {
    claims: BTreeSet<[u8; 32]>,
    answers: BTreeSet<AnswerNo>,
}

impl ClaimsDue {
    pub(crate) fn is_empty(&self) -> bool {
        self.claims.is_empty() && self.answers.is_empty()
    }
}

impl Claims {
    /// Two replicas that could give one another nothing more that is kept say the same. Where there is
    /// no room for another claim, those that wait are not compared: which came first differs, and
    /// would differ for ever.
    pub(crate) fn digest(&self) -> Vec<u8> {
        let full = self.open.len() >= MAX_CLAIMS;
        let mut of: BTreeMap<GrantId, usize> = BTreeMap::new();
        for open in self.open.values() {
            let count = of.entry(open.grant).or_default();
            *count = count.saturating_add(1);
        }
        let mut digest = Vec::new();
        for (hash, open) in &self.open {
            let over = of.get(&open.grant).is_some_and(|of| *of >= open.most);
            if open.welcomed || !(full || over) {
                digest.extend_from_slice(hash);
            }
        }
        if full {
            // Whoever has few of them takes another's place.
            for (inviter, count) in self.by_inviter() {
                digest.extend_from_slice(inviter.as_bytes());
                digest.extend_from_slice(&count.to_be_bytes());
            }
        } else {
            let full = self
                .open
                .values()
                .filter(|open| of.get(&open.grant).is_some_and(|count| *count >= open.most));
            let full: BTreeSet<GrantId> = full.map(|open| open.grant).collect();
            for grant in full {
                digest.extend_from_slice(grant.as_bytes());
            }
        }
        digest.extend(self.answers.digest());
        digest
    }

    /// All of it, for a peer that may lack some.
    pub(crate) fn all(&self) -> ClaimsDue {
        ClaimsDue {
            claims: self.open.keys().copied().collect(),
            answers: self.answers.all().collect(),
        }
    }

    /// Whether a claim is kept.
    pub(crate) fn has(&self, hash: &[u8; 32]) -> bool {
        self.open.contains_key(hash)
    }

    fn by_inviter(&self) -> BTreeMap<PublicKey, u64> {
        let mut count: BTreeMap<PublicKey, u64> = BTreeMap::new();
        for open in self.open.values() {
            let count = count.entry(open.inviter).or_default();
            *count = count.saturating_add(1);
        }
        count
    }

    /// Of those that wait the one that came last.
    fn last(&self, of: impl Fn(&Open) -> bool) -> Option<[u8; 32]> {
        let waiting = self.open.iter();
        let waiting = waiting.filter(|(_, open)| !open.welcomed && of(open));
        let last = waiting.max_by_key(|(hash, open)| (open.seen.at, **hash));
        last.map(|(hash, _)| *hash)
    }

    /// Whether there is room for a claim of an invite: of the invite itself, and in the topic beside
    /// the claims of other inviters, none of whom fills it for the others.
    fn room(&self, grant: &GrantId, of: &Invited, welcomed: bool) -> Option<Room> {
        let own = self.open.values().filter(|open| open.grant == *grant);
        if own.count() >= most(of) {
            if !welcomed {
                return None;
            }
            if let Some(last) = self.last(|open| open.grant == *grant) {
                return Some(Room::Of(last));
            }
        }
        if self.open.len() < MAX_CLAIMS {
            return Some(Room::Free);
        }
        let count = self.by_inviter();
        let own = count.get(&of.inviter).copied().unwrap_or(0);
        let (most, others) = count.into_iter().max_by_key(|(_, count)| *count)?;
        if others <= own.saturating_add(1) {
            return None;
        }
        let last = self.last(|open| open.inviter == most)?;
        Some(Room::Of(last))
    }
}

/// How many claims of an invite are kept.
fn most(of: &Invited) -> usize {
    let uses = usize::try_from(of.invite.uses).unwrap_or(usize::MAX);
    uses.min(MAX_CLAIMED_USES).saturating_add(SPARE_CLAIMS)
}

/// The claim of a row, and its topic.
fn decode(row: &[u8]) -> Option<(Local, Claim)> {
    let mut bytes = Bytes(row);
    let topic = bytes.u32()?;
    match Item::decode(bytes.rest()) {
        Ok(Item::Claim(claim)) => Some((topic, claim)),
        _ => None,
    }
}

pub(crate) fn claim_at(cx: &mut Cx<'_>, hash: &[u8; 32]) -> Option<(Local, Claim)> {
    let row = cx.store.get(rows::CLAIM, hash)?;
    decode(&row)
}

impl Topic {
    pub(crate) fn load_claims(&mut self, cx: &mut Cx<'_>) {
        let rows = cx
            .store
            .prefix(rows::CLAIMS, &rows::key(self.local), MAX_CLAIMS);
        for (key, row) in rows {
            let hash = key.get(4..).and_then(|hash| hash.try_into().ok());
            let Some((hash, (_, claim))) = hash.and_then(|hash| Some((hash, claim_at(cx, &hash)?)))
            else {
                continue;
            };
            if let Some(of) = self.attended(cx, &claim.grant) {
                let open = Open {
                    grant: claim.grant,
                    inviter: of.inviter,
                    most: most(&of),
                    seen: Seen::decode(&row),
                    welcomed: false,
                };
                self.claims.open.insert(hash, open);
                self.load_answers(cx, &hash);
            }
        }
        self.look_who_is_welcome(cx);
    }

    /// Notes whose claims somebody has welcomed, and which answers come from those who have.
    fn look_who_is_welcome(&mut self, cx: &mut Cx<'_>) {
        let all: Vec<[u8; 32]> = self.claims.open.keys().copied().collect();
        for hash in all {
            let Some((_, claim)) = claim_at(cx, &hash) else {
                continue;
            };
            let by = self.welcomed_by(cx, (&hash, &claim));
            if let Some(open) = self.claims.open.get_mut(&hash) {
                open.welcomed = by.iter().any(Place::counts);
            }
            self.claims.answers.stand(&hash, &by);
        }
    }

    /// Where a claim, if its signature holds, is kept: its invite stands, is not over, and there is
    /// room.
    fn keeps(
        &mut self,
        shared: &Shared,
        cx: &mut Cx<'_>,
        (hash, claim): (&[u8; 32], &Claim),
        of: &Invited,
    ) -> Option<Room> {
        let invite = &of.invite;
        let fits = claim.invite == invite.key && claim.time <= invite.until;
        let stands = self.lace.held_effect(&mut cx.store);
        let stands = stands.grants.contains_key(&claim.grant);
        if !fits || !stands || Self::is_past(shared, cx, invite.until) {
            return None;
        }
        let by = self.welcomed_by(cx, (hash, claim));
        let welcomed = by.iter().any(Place::counts);
        self.claims.room(&claim.grant, of, welcomed)
    }

    /// Whether an invite's claims are not kept any more.
    fn is_past(shared: &Shared, cx: &Cx<'_>, until: u64) -> bool {
        shared.clock_confirmed && until.saturating_add(CLAIM_GRACE_MS) <= cx.wall.as_millis()
    }

    /// A claim from a peer. Its signature is checked only if it would be kept.
    pub(crate) fn on_claim(
        &mut self,
        shared: &mut Shared,
        env: &mut Env<'_, '_>,
        link: LinkId,
        claim: Claim,
    ) {
        let hash = claim.hash();
        if self.claims.has(&hash) {
            return;
        }
        let Some(of) = self.attended(env.cx, &claim.grant) else {
            // Its invite may be on its way.
            if self.claims.early.len() >= MAX_EARLY_CLAIMS {
                self.claims.early.pop_front();
            }
            self.claims.early.push_back((link, claim));
            return;
        };
        let room = self.keeps(shared, env.cx, (&hash, &claim), &of);
        if room.is_some() && self.may_check(shared, env.cx.now, (link, CLAIM_BYTES)) {
            let work = Work::Claim(self.id, Box::new(claim));
            self.send_job(shared, env, link, Job::new(work, CLAIM_BYTES, false));
        }
    }

    /// Takes a claim that the invite's key has signed.
    pub(crate) fn take_claim(
        &mut self,
        shared: &mut Shared,
        env: &mut Env<'_, '_>,
        giver: Option<LinkId>,
        claim: Checked<Claim>,
    ) {
        let claim = claim.into_inner();
        let hash = claim.hash();
        let Some(of) = self.attended(env.cx, &claim.grant) else {
            return;
        };
        if env.cx.store.has(rows::CLAIM, &hash) {
            return;
        }
        match self.keeps(shared, env.cx, (&hash, &claim), &of) {
            None => return,
            Some(Room::Of(last)) => self.remove_claim(env.cx, &last),
            Some(Room::Free) => {}
        }
        let open = Open {
            grant: claim.grant,
            inviter: of.inviter,
            most: most(&of),
            seen: Seen {
                at: env.cx.wall.as_millis(),
                confirmed: shared.clock_confirmed,
            },
            welcomed: false,
        };
        let mut row = self.local.to_be_bytes().to_vec();
        row.extend_from_slice(&claim.encode());
        env.cx.store.put(rows::CLAIM, hash, row);
        let key = rows::key_bytes(self.local, &[&hash]);
        env.cx.store.put(rows::CLAIMS, key, open.seen.encode());
        self.claims.open.insert(hash, open);
        let by = self.welcomed_by(env.cx, (&hash, &claim));
        if let Some(open) = self.claims.open.get_mut(&hash) {
            open.welcomed = by.iter().any(Place::counts);
        }
        for (link, peer) in &mut self.peers {
            if Some(*link) != giver {
                peer.claims_due.claims.insert(hash);
            }
        }
        self.look_at_early_answers(shared, env);
        env.out.push(Output::Claims { topic: self.local });
    }

    /// Tells the peers of an answer, but for whoever gave it.
    pub(crate) fn pass_answer(
        &mut self,
        env: &mut Env<'_, '_>,
        giver: Option<LinkId>,
        no: AnswerNo,
    ) {
        for (link, peer) in &mut self.peers {
            if Some(*link) != giver {
                peer.claims_due.answers.insert(no);
            }
        }
        env.out.push(Output::Claims { topic: self.local });
    }

    /// Invites may have come, or stand no more.
    pub(crate) fn look_at_claims(&mut self, shared: &mut Shared, env: &mut Env<'_, '_>) {
        for (link, claim) in core::mem::take(&mut self.claims.early) {
            let here = self.attended(env.cx, &claim.grant).is_some();
            if here && self.peers.contains_key(&link) {
                self.on_claim(shared, env, link, claim);
            }
        }
        self.sweep_claims(shared, env.cx);
        if !self.claims.open.is_empty() {
            self.look_who_is_welcome(env.cx);
            self.look_at_early_answers(shared, env);
            env.out.push(Output::Claims { topic: self.local });
        }
    }

    /// Removes what is kept no longer: claims of invites that are long over, and those that nobody
    /// has welcomed of invites that stand no more.
    pub(crate) fn sweep_claims(&mut self, shared: &Shared, cx: &mut Cx<'_>) {
        if self.claims.open.is_empty() {
            return;
        }
        let stands = self.lace.held_effect(&mut cx.store);
        let grants = self.claims.open.values().map(|open| open.grant);
        let grants: BTreeSet<GrantId> = grants.collect();
        for grant in grants {
            let of = self.attended(cx, &grant);
            let past = of.is_none_or(|of| Self::is_past(shared, cx, of.invite.until));
            let ended = !stands.grants.contains_key(&grant);
            if !past && !ended {
                continue;
            }
            let of = self.claims.open.iter();
            let of = of.filter(|(_, open)| open.grant == grant && (past || !open.welcomed));
            let of: Vec<([u8; 32], bool)> = of.map(|(hash, open)| (*hash, open.welcomed)).collect();
            let welcomed = of.iter().filter(|(_, welcomed)| *welcomed).count();
            self.note_claimed(cx, &grant, welcomed);
            for (hash, _) in of {
                self.remove_claim(cx, &hash);
            }
        }
    }

    /// Whether a claim was first seen here after its invite's end. What was seen while nobody had
    /// confirmed the clock counts as soon as somebody does.
    fn is_late(
        &mut self,
        shared: &Shared,
        cx: &mut Cx<'_>,
        hash: &[u8; 32],
        claim: &Claim,
    ) -> bool {
        let until = self.attended(cx, &claim.grant).map(|of| of.invite.until);
        let Some(open) = self.claims.open.get_mut(hash) else {
            return false;
        };
        if shared.clock_confirmed && !open.seen.confirmed {
            open.seen.confirmed = true;
            let key = rows::key_bytes(self.local, &[hash]);
            cx.store.put(rows::CLAIMS, key, open.seen.encode());
        }
        open.seen.confirmed && until.is_some_and(|until| open.seen.at > until)
    }

    /// Counts those who were welcomed by an invite and whose claims are not kept any longer.
    fn note_claimed(&self, cx: &mut Cx<'_>, grant: &GrantId, more: usize) {
        let more = u32::try_from(more).unwrap_or(u32::MAX);
        if more > 0 {
            let key = rows::key_bytes(self.local, &[grant.as_bytes()]);
            let known = claimed_before(cx, self.local, grant);
            let count = known.saturating_add(more).to_be_bytes();
            cx.store.put(rows::CLAIMED, key, count);
        }
    }

    fn remove_claim(&mut self, cx: &mut Cx<'_>, hash: &[u8; 32]) {
        self.claims.open.remove(hash);
        cx.store.delete(rows::CLAIM, *hash);
        cx.store
            .delete(rows::CLAIMS, rows::key_bytes(self.local, &[hash]));
        self.remove_answers(cx, hash);
    }

    pub(crate) fn has_claims(&self) -> bool {
        !self.claims.open.is_empty()
    }

    pub(crate) fn forget_claims(&mut self, cx: &mut Cx<'_>) {
        let all: Vec<[u8; 32]> = self.claims.open.keys().copied().collect();
        for hash in all {
            self.remove_claim(cx, &hash);
        }
    }

    pub(crate) fn send_claims(
        &mut self,
        shared: &mut Shared,
        env: &mut Env<'_, '_>,
        link: LinkId,
    ) -> bool {
        loop {
            let Some(peer) = self.peers.get_mut(&link) else {
                return false;
            };
            if peer.claims_due.is_empty() {
                return false;
            }
            if !shared.has_room(link) {
                return true;
            }
            let frame = if let Some(hash) = peer.claims_due.claims.pop_first() {
                claim_at(env.cx, &hash).map(|(_, claim)| TopicFrame::Claim(claim))
            } else {
                let no = peer.claims_due.answers.pop_first();
                let answer = no.and_then(|no| crate::answers::answer_at(env.cx, &no));
                answer.map(TopicFrame::Answer)
            };
            if let Some(frame) = frame {
                shared.frames_left = shared.frames_left.saturating_sub(1);
                self.say(shared, env, link, frame);
            }
        }
    }
}

impl Topics {
    /// A claim from whoever asks at a node that keeps the box, member or not. Nothing happens
    /// unless the box is here and is that of the claimed invite, and the claim would be kept: then
    /// its one signature is checked. Nobody is told.
    pub fn put_claim(&mut self, env: &mut Env<'_, '_>, loc: &[u8; 32], claim: &Claim) {
        self.shared.frames_left = MAX_FRAMES_PER_TURN;
        let Some((local, held)) = crate::boxes::held_at(env.cx, loc) else {
            return;
        };
        let Ok((topic, shared)) = self.get(env.cx, local) else {
            return;
        };
        let hash = claim.hash();
        if held.grant != claim.grant || topic.claims.has(&hash) {
            return;
        }
        let over = shared.clock_confirmed && held.until <= env.cx.wall.as_millis();
        let Some(of) = topic.attended(env.cx, &claim.grant).filter(|_| !over) else {
            return;
        };
        if topic.keeps(shared, env.cx, (&hash, claim), &of).is_none() {
            return;
        }
        if let Ok(claim) = wire::check_claim(topic.id, *claim) {
            topic.take_claim(shared, env, None, claim);
            topic.work(shared, env);
        }
    }

    /// The claims that are kept of a topic's invites.
    pub fn claims(&mut self, cx: &mut Cx<'_>, topic: Local) -> Vec<OpenClaim> {
        let Ok((topic, shared)) = self.get(cx, topic) else {
            return Vec::new();
        };
        let mut claims = Vec::new();
        let all: Vec<[u8; 32]> = topic.claims.open.keys().copied().collect();
        for hash in all {
            let Some((_, claim)) = claim_at(cx, &hash) else {
                continue;
            };
            let by = topic.welcomed_by(cx, (&hash, &claim));
            claims.push(OpenClaim {
                hash,
                claim,
                is_late: topic.is_late(shared, cx, &hash, &claim),
                is_welcomed: by.iter().any(Place::counts),
                givers: by.iter().map(|place| place.giver).collect(),
            });
        }
        claims
    }

    /// The devices that began under an invite of the kind while away and have been welcomed since, by
    /// what is known here.
    pub fn welcomed_under(
        &mut self,
        cx: &mut Cx<'_>,
        topic: Local,
        invite: &GrantId,
    ) -> BTreeSet<PublicKey> {
        let found = self.get(cx, topic).ok();
        found.map_or_else(BTreeSet::new, |(topic, _)| topic.welcomed_under(cx, invite))
    }

    /// The devices that have welcomed whoever made a claim that stands in the graph, with however little.
    pub fn welcomers(
        &mut self,
        cx: &mut Cx<'_>,
        topic: Local,
        claim: &Claim,
    ) -> BTreeSet<PublicKey> {
        let Ok((topic, _)) = self.get(cx, topic) else {
            return BTreeSet::new();
        };
        let by = topic.welcomed_by(cx, (&claim.hash(), claim));
        by.into_iter().map(|place| place.giver).collect()
    }

    /// How many were welcomed by an invite whose claims are not kept any longer.
    pub fn claimed_before(&mut self, cx: &mut Cx<'_>, topic: Local, grant: &GrantId) -> u32 {
        claimed_before(cx, topic, grant)
    }
}

fn claimed_before(cx: &mut Cx<'_>, topic: Local, grant: &GrantId) -> u32 {
    let key = rows::key_bytes(topic, &[grant.as_bytes()]);
    let row = cx.store.get(rows::CLAIMED, &key);
    row.and_then(|row| Bytes(&row).u32()).unwrap_or(0)
}

#[cfg(test)]
#[path = "claims_tests.rs"]
mod tests;
