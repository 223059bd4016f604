//! Claims of attended invites and the answers to them, kept beside the boxes by every member and
//! custodian of a topic: so that whoever may admit hears of a claim, and the claimer of its
//! welcome.
//!
//! Of an invite so many claims are kept as it has uses, and a few more; nobody's claim takes
//! another's place. A claim stays for a while after its invite's end, for those who come later to
//! welcome it.

use crate::check::{Job, Work};
use crate::draft::{OpenClaim, PutAnswerError};
use crate::event::{LinkId, Output};
use crate::host::Local;
use crate::limits::{
    CLAIM_GRACE_MS, MAX_ANSWERS, MAX_CLAIMED_USES, MAX_CLAIMS, MAX_EARLY_CLAIMS,
    MAX_FRAMES_PER_TURN, SPARE_CLAIMS,
};
use crate::rows::{self, Bytes};
use crate::state::{Shared, Topic};
use crate::topics::{Env, Topics};
use identity::{GrantId, PublicKey};
use machine::{Cx, Rng};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use wire::{Answer, Checked, Claim, Invite, InviteKind, Item, TopicFrame};

/// Bytes of a claim that is checked, about.
const CLAIM_BYTES: usize = 256;

/// Names an answer: the claim, and the device that welcomes.
pub(crate) type AnswerNo = ([u8; 32], PublicKey);

/// What is here of claims and answers.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    /// Whose invite each is of, by its hash.
    open: BTreeMap<[u8; 32], GrantId>,
    /// The hash of each answer.
    answers: BTreeMap<AnswerNo, [u8; 32]>,
    /// Claims that came before their invite.
    early: VecDeque<(LinkId, Claim)>,
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
    /// Two replicas with the same claims and answers say the same.
    pub(crate) fn digest(&self) -> Vec<u8> {
        let claims = self.open.keys().flatten().copied();
        let answers = self.answers.iter();
        let answers = answers
            .flat_map(|((claim, device), hash)| [*claim, *device.as_bytes(), *hash].concat());
        claims.chain(answers).collect()
    }

    /// All of it, for a peer that may lack some.
    pub(crate) fn all(&self) -> ClaimsDue {
        ClaimsDue {
            claims: self.open.keys().copied().collect(),
            answers: self.answers.keys().copied().collect(),
        }
    }

    fn of(&self, grant: &GrantId) -> usize {
        self.open.values().filter(|of| *of == grant).count()
    }

    fn answered(&self, claim: &[u8; 32]) -> usize {
        self.answers.keys().filter(|(of, _)| of == claim).count()
    }
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

fn claim_at(cx: &mut Cx<'_>, hash: &[u8; 32]) -> Option<(Local, Claim)> {
    let row = cx.store.get(rows::CLAIM, hash)?;
    decode(&row)
}

fn answer_key((claim, device): &AnswerNo) -> Vec<u8> {
    [claim.as_slice(), device.as_bytes()].concat()
}

fn answer_at(cx: &mut Cx<'_>, no: &AnswerNo) -> Option<Answer> {
    let row = cx.store.get(rows::ANSWER, &answer_key(no))?;
    Answer::decode(&row).ok()
}

fn answers_to(cx: &mut Cx<'_>, claim: &[u8; 32]) -> Vec<Answer> {
    let rows = cx.store.prefix(rows::ANSWER, claim, MAX_ANSWERS);
    let rows = rows.into_iter();
    rows.filter_map(|(_, row)| Answer::decode(&row).ok())
        .collect()
}

impl Topic {
    pub(crate) fn load_claims(&mut self, cx: &mut Cx<'_>) {
        let rows = cx
            .store
            .prefix(rows::CLAIMS, &rows::key(self.local), MAX_CLAIMS);
        for (key, _) in rows {
            let hash = key.get(4..).and_then(|hash| hash.try_into().ok());
            let Some((hash, (_, claim))) = hash.and_then(|hash| Some((hash, claim_at(cx, &hash)?)))
            else {
                continue;
            };
            self.claims.open.insert(hash, claim.grant);
            for answer in answers_to(cx, &hash) {
                let no = (hash, answer.device);
                self.claims.answers.insert(no, answer.hash());
            }
        }
    }

    /// The attended invite that a claim is of, if it is here.
    fn attended(&self, cx: &mut Cx<'_>, grant: &GrantId) -> Option<Invite> {
        let issued = self.lace.facts(&mut cx.store, |facts| facts.issued(grant));
        match &issued.first()?.what {
            Item::Invite(invite) if matches!(invite.kind, InviteKind::Attended(_)) => Some(*invite),
            _ => None,
        }
    }

    /// Whether a claim, if its signature holds, is kept: its invite stands, is not over, and has
    /// not been claimed by too many.
    fn keeps(&self, shared: &Shared, cx: &mut Cx<'_>, claim: &Claim, invite: &Invite) -> bool {
        let uses = usize::try_from(invite.uses).unwrap_or(usize::MAX);
        let most = uses.min(MAX_CLAIMED_USES).saturating_add(SPARE_CLAIMS);
        let fits = claim.invite == invite.key && claim.time <= invite.until;
        let room = self.claims.of(&claim.grant) < most && self.claims.open.len() < MAX_CLAIMS;
        let stands = self.lace.held_effect(&mut cx.store);
        let stands = stands.grants.contains_key(&claim.grant);
        fits && room && stands && !Self::is_past(shared, cx, invite.until)
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
        if self.claims.open.contains_key(&claim.hash()) {
            return;
        }
        let Some(invite) = self.attended(env.cx, &claim.grant) else {
            // Its invite may be on its way.
            if self.claims.early.len() >= MAX_EARLY_CLAIMS {
                self.claims.early.pop_front();
            }
            self.claims.early.push_back((link, claim));
            return;
        };
        if self.keeps(shared, env.cx, &claim, &invite)
            && self.may_check(shared, env.cx.now, (link, CLAIM_BYTES))
        {
            let work = Work::Claim(self.id, Box::new(claim));
            self.send_job(shared, env, link, Job::new(work, CLAIM_BYTES, false));
        }
    }

    /// Takes a claim that the invite's key has signed.
    pub(crate) fn take_claim(
        &mut self,
        shared: &Shared,
        env: &mut Env<'_, '_>,
        giver: Option<LinkId>,
        claim: Checked<Claim>,
    ) {
        let claim = claim.into_inner();
        let hash = claim.hash();
        let Some(invite) = self.attended(env.cx, &claim.grant) else {
            return;
        };
        if env.cx.store.has(rows::CLAIM, &hash) || !self.keeps(shared, env.cx, &claim, &invite) {
            return;
        }
        let mut row = self.local.to_be_bytes().to_vec();
        row.extend_from_slice(&claim.encode());
        env.cx.store.put(rows::CLAIM, hash, row);
        let key = rows::key_bytes(self.local, &[&hash]);
        env.cx.store.put(rows::CLAIMS, key, []);
        self.claims.open.insert(hash, claim.grant);
        for (link, peer) in &mut self.peers {
            if Some(*link) != giver {
                peer.claims_due.claims.insert(hash);
            }
        }
        env.out.push(Output::Claims { topic: self.local });
    }

    /// Whether an answer would be kept: to a claim that is here, one of each device, few in all.
    fn keeps_answer(&self, answer: &Answer) -> bool {
        let no = (answer.claim, answer.device);
        match self.claims.answers.get(&no) {
            Some(known) => answer.hash() > *known,
            None => {
                self.claims.open.contains_key(&answer.claim)
                    && self.claims.answered(&answer.claim) < MAX_ANSWERS
            }
        }
    }

    /// An answer from a peer, who need not be the one that welcomes.
    pub(crate) fn on_answer(
        &mut self,
        shared: &mut Shared,
        env: &mut Env<'_, '_>,
        link: LinkId,
        answer: Answer,
    ) {
        let bytes = answer.sealed.len();
        if self.keeps_answer(&answer)
            && self.lets_in(env.cx, &answer.device)
            && self.may_check(shared, env.cx.now, (link, bytes))
        {
            let work = Work::Answer(self.id, answer);
            self.send_job(shared, env, link, Job::new(work, bytes, false));
        }
    }

    /// Takes an answer that its device has signed.
    pub(crate) fn take_answer(
        &mut self,
        env: &mut Env<'_, '_>,
        giver: Option<LinkId>,
        answer: Checked<Answer>,
    ) {
        let answer = answer.into_inner();
        if !self.keeps_answer(&answer) {
            return;
        }
        let no = (answer.claim, answer.device);
        let (key, row) = (answer_key(&no), answer.encode());
        env.cx.store.put(rows::ANSWER, key, row);
        self.claims.answers.insert(no, answer.hash());
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
            env.out.push(Output::Claims { topic: self.local });
        }
    }

    /// Removes what is kept no longer: claims of invites that are long over, and those that nobody
    /// has answered of invites that stand no more.
    pub(crate) fn sweep_claims(&mut self, shared: &Shared, cx: &mut Cx<'_>) {
        if self.claims.open.is_empty() {
            return;
        }
        let stands = self.lace.held_effect(&mut cx.store);
        let grants: BTreeSet<GrantId> = self.claims.open.values().copied().collect();
        for grant in grants {
            let invite = self.attended(cx, &grant);
            let past = invite.is_none_or(|invite| Self::is_past(shared, cx, invite.until));
            let ended = !stands.grants.contains_key(&grant);
            if !past && !ended {
                continue;
            }
            let of = self.claims.open.iter().filter(|(_, of)| **of == grant);
            let of: Vec<[u8; 32]> = of.map(|(hash, _)| *hash).collect();
            for hash in of {
                if past || self.claims.answered(&hash) == 0 {
                    self.remove_claim(cx, &hash);
                }
            }
        }
    }

    fn remove_claim(&mut self, cx: &mut Cx<'_>, hash: &[u8; 32]) {
        self.claims.open.remove(hash);
        cx.store.delete(rows::CLAIM, *hash);
        cx.store
            .delete(rows::CLAIMS, rows::key_bytes(self.local, &[hash]));
        for answer in answers_to(cx, hash) {
            let no = (*hash, answer.device);
            self.claims.answers.remove(&no);
            cx.store.delete(rows::ANSWER, answer_key(&no));
        }
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
                let answer = no.and_then(|no| answer_at(env.cx, &no));
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
        if held.grant != claim.grant || topic.claims.open.contains_key(&claim.hash()) {
            return;
        }
        let over = shared.clock_confirmed && held.until <= env.cx.wall.as_millis();
        let invite = topic.attended(env.cx, &claim.grant).filter(|_| !over);
        if !invite.is_some_and(|invite| topic.keeps(shared, env.cx, claim, &invite)) {
            return;
        }
        if let Ok(claim) = wire::check_claim(topic.id, *claim) {
            topic.take_claim(shared, env, None, claim);
            topic.work(shared, env);
        }
    }

    /// The answer to a claim that is kept here; of several one at random, so that none hides
    /// another.
    pub fn answer_to(&mut self, cx: &mut Cx<'_>, claim: &[u8; 32]) -> Option<Vec<u8>> {
        let mut all = answers_to(cx, claim);
        let at = pick(cx.rng, all.len())?;
        Some(all.swap_remove(at).sealed)
    }

    /// The claims that are kept of a topic's invites.
    pub fn claims(&mut self, cx: &mut Cx<'_>, topic: Local) -> Vec<OpenClaim> {
        let Ok((topic, _)) = self.get(cx, topic) else {
            return Vec::new();
        };
        let all = topic.claims.open.keys().copied();
        let all: Vec<[u8; 32]> = all.collect();
        let claims = all.into_iter().filter_map(|hash| {
            let (_, claim) = claim_at(cx, &hash)?;
            let is_answered = topic.claims.answered(&hash) > 0;
            Some(OpenClaim {
                hash,
                claim,
                is_answered,
            })
        });
        claims.collect()
    }

    /// Puts an answer to a claim that is kept here, signed by this device, which lets people in.
    ///
    /// # Errors
    /// See [`PutAnswerError`].
    pub fn put_answer(
        &mut self,
        env: &mut Env<'_, '_>,
        topic: Local,
        answer: Answer,
    ) -> Result<(), PutAnswerError> {
        self.shared.frames_left = MAX_FRAMES_PER_TURN;
        let (topic, shared) = self.get(env.cx, topic)?;
        if !topic.lets_in(env.cx, &answer.device) || !topic.keeps_answer(&answer) {
            return Err(PutAnswerError::NotKept);
        }
        let answer = wire::check_answer(topic.id, answer).map_err(|_| PutAnswerError::NotKept)?;
        topic.take_answer(env, None, answer);
        topic.work(shared, env);
        Ok(())
    }
}

fn pick(rng: &mut Rng, of: usize) -> Option<usize> {
    let of = u64::try_from(of).ok().filter(|of| *of > 0)?;
    usize::try_from(rng.below(of)).ok()
}
