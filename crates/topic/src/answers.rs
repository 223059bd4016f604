//! Answers to claims: one of each device that has welcomed the claimer, few in all.
//!
//! An answer is kept once its claim is here, and a grant by which its device has welcomed the
//! claimer. Until then it waits in memory, unchecked: anybody who may let people in could answer claims that
//! it never welcomes.

use crate::check::{Job, Work};
use crate::claims::{AnswerNo, claim_at};
use crate::draft::PutAnswerError;
use crate::event::LinkId;
use crate::host::Local;
use crate::limits::{
    MAX_ANSWER_CHANGES, MAX_ANSWERS, MAX_EARLY_ANSWERS, MAX_EARLY_ANSWERS_OF_LINK,
    MAX_FRAMES_PER_TURN,
};
use crate::rows;
use crate::state::{Shared, Topic};
use crate::topics::{Env, Topics};
use crate::welcomes::Place;
use identity::PublicKey;
use machine::{Cx, Rng};
use std::collections::{BTreeMap, VecDeque};
use wire::{Answer, Checked};

/// The answers that are here.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    kept: BTreeMap<AnswerNo, Kept>,
    /// Those that came before their claim, or before the grant that makes them one.
    early: VecDeque<(LinkId, Answer)>,
}

#[derive(Clone, Copy, Debug)]
struct Kept {
    hash: [u8; 32],
    /// How often its device has replaced it.
    changes: u32,
    /// Whether its device has welcomed the claimer, as far as was known when that last changed.
    stands: bool,
}

/// What is to be done with an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Judged {
    /// It is kept, in the place of another device's if one is named.
    Kept(Option<PublicKey>),
    /// Others are kept rather.
    NotKept,
    /// Its claim is not here, or nothing says that its device has welcomed the claimer.
    Early,
}

impl Answers {
    /// Two replicas with the same answers of those who have welcomed claimers say the same.
    pub(crate) fn digest(&self) -> impl Iterator<Item = u8> + '_ {
        let standing = self.kept.iter().filter(|(_, kept)| kept.stands);
        standing
            .flat_map(|((claim, device), kept)| [*claim, *device.as_bytes(), kept.hash].concat())
    }

    /// All that are kept.
    pub(crate) fn all(&self) -> impl Iterator<Item = AnswerNo> + '_ {
        self.kept.keys().copied()
    }

    /// Notes which answers to a claim come from those who have welcomed it.
    pub(crate) fn stand(&mut self, claim: &[u8; 32], by: &[Place]) {
        for ((of, device), kept) in &mut self.kept {
            if of == claim {
                kept.stands = by.iter().any(|place| place.giver == *device);
            }
        }
    }

    fn to(&self, claim: &[u8; 32]) -> Vec<PublicKey> {
        let to = self.kept.keys().filter(|(of, _)| of == claim);
        to.map(|(_, device)| *device).collect()
    }

    /// Keeps an answer in memory for a while. No link has more than its part.
    fn wait(&mut self, link: LinkId, answer: Answer) {
        if self.early.iter().any(|(_, early)| *early == answer) {
            return;
        }
        let own = |(of, _): &&(LinkId, Answer)| *of == link;
        if self.early.iter().filter(own).count() >= MAX_EARLY_ANSWERS_OF_LINK {
            let oldest = self.early.iter().position(|(of, _)| *of == link);
            oldest.and_then(|at| self.early.remove(at));
        } else if self.early.len() >= MAX_EARLY_ANSWERS {
            self.early.pop_front();
        }
        self.early.push_back((link, answer));
    }
}

fn answer_key((claim, device): &AnswerNo) -> Vec<u8> {
    [claim.as_slice(), device.as_bytes()].concat()
}

pub(crate) fn answer_at(cx: &mut Cx<'_>, no: &AnswerNo) -> Option<Answer> {
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
    pub(crate) fn load_answers(&mut self, cx: &mut Cx<'_>, claim: &[u8; 32]) {
        for answer in answers_to(cx, claim) {
            let kept = Kept {
                hash: answer.hash(),
                changes: 0,
                stands: false,
            };
            let no = (*claim, answer.device);
            self.claims.answers.kept.insert(no, kept);
        }
    }

    /// Whether an answer would be kept: a better one than those that are, if there is no more room.
    fn judge_answer(&mut self, cx: &mut Cx<'_>, answer: &Answer) -> Judged {
        let claim = &answer.claim;
        let Some((_, of)) = claim_at(cx, claim).filter(|_| self.claims.has(claim)) else {
            return Judged::Early;
        };
        let by = self.welcomed_by(cx, (claim, &of));
        let place = |device: &PublicKey| by.iter().find(|place| place.giver == *device);
        let Some(own) = place(&answer.device) else {
            return Judged::Early;
        };
        let answers = &self.claims.answers;
        if let Some(known) = answers.kept.get(&(*claim, answer.device)) {
            let newer = answer.hash() > known.hash && known.changes < MAX_ANSWER_CHANGES;
            return if newer {
                Judged::Kept(None)
            } else {
                Judged::NotKept
            };
        }
        let others = answers.to(claim);
        if others.len() < MAX_ANSWERS {
            return Judged::Kept(None);
        }
        let worst = others.into_iter().max_by_key(|device| {
            let place = place(device);
            (place.is_none(), place.copied(), *device)
        });
        let worst = worst.filter(|device| place(device).is_none_or(|place| place > own));
        worst.map_or(Judged::NotKept, |device| Judged::Kept(Some(device)))
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
        match self.judge_answer(env.cx, &answer) {
            Judged::NotKept => {}
            Judged::Early => self.claims.answers.wait(link, answer),
            Judged::Kept(_) => {
                if self.may_check(shared, env.cx.now, (link, bytes)) {
                    let work = Work::Answer(self.id, answer);
                    self.send_job(shared, env, link, Job::new(work, bytes, false));
                }
            }
        }
    }

    /// A claim or a grant has come: answers may have waited for it.
    pub(crate) fn look_at_early_answers(&mut self, shared: &mut Shared, env: &mut Env<'_, '_>) {
        for (link, answer) in core::mem::take(&mut self.claims.answers.early) {
            if self.peers.contains_key(&link) {
                self.on_answer(shared, env, link, answer);
            }
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
        let Judged::Kept(displaced) = self.judge_answer(env.cx, &answer) else {
            return;
        };
        if let Some(device) = displaced {
            self.remove_answer(env.cx, &(answer.claim, device));
        }
        let no = (answer.claim, answer.device);
        let before = self.claims.answers.kept.get(&no);
        let kept = Kept {
            hash: answer.hash(),
            changes: before.map_or(0, |kept| kept.changes.saturating_add(1)),
            stands: true,
        };
        let (key, row) = (answer_key(&no), answer.encode());
        env.cx.store.put(rows::ANSWER, key, row);
        self.claims.answers.kept.insert(no, kept);
        self.pass_answer(env, giver, no);
    }

    fn remove_answer(&mut self, cx: &mut Cx<'_>, no: &AnswerNo) {
        self.claims.answers.kept.remove(no);
        cx.store.delete(rows::ANSWER, answer_key(no));
    }

    pub(crate) fn remove_answers(&mut self, cx: &mut Cx<'_>, claim: &[u8; 32]) {
        for device in self.claims.answers.to(claim) {
            self.remove_answer(cx, &(*claim, device));
        }
    }
}

impl Topics {
    /// The answer to a claim that is kept here; of several one at random, so that none hides
    /// another.
    pub fn answer_to(&mut self, cx: &mut Cx<'_>, claim: &[u8; 32]) -> Option<Vec<u8>> {
        let mut all = answers_to(cx, claim);
        let at = pick(cx.rng, all.len())?;
        Some(all.swap_remove(at).sealed)
    }

    /// Puts an answer to a claim that is kept here, signed by this device, which has welcomed the
    /// claimer.
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
        let Judged::Kept(_) = topic.judge_answer(env.cx, &answer) else {
            return Err(PutAnswerError::NotKept);
        };
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
