//! A topic that is in use, and what all topics share.

use crate::boxes::Kept;
use crate::claims::Claims;
use crate::delivery::Waiting;
use crate::event::{LinkId, Output, Rule};
use crate::host::Local;
use crate::limits::{
    EXPIRE_INTERVAL, MAX_BYTES_PER_FRAME, MAX_HOLLOW_ANSWERS, MAX_INADMISSIBLE,
    MAX_INADMISSIBLE_TOLD, MAX_WRONG_DIFFERENCES, MIN_ROOM, RESERVE,
};
use crate::parked::Parked;
use crate::peer::PeerState;
use crate::receipts::Slots;
use crate::rows::{self, Role, TopicRow};
use crate::topics::Env;
use core::time::Duration;
use identity::{EnvelopeId, PublicKey, TopicId};
use lace::Lace;
use machine::planted::{Bug, Memory, is};
use machine::{Cx, Time, Timers};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use wire::TopicBox;

/// What can be due, and for which topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// A topic has something to do as soon as a turn comes.
    Work(Local),
    /// A receipt of this home is due. Armed by news, cleared when it is issued.
    Receipt(Local),
    /// Receipts of others have waited for company on their way to whom they concern.
    Soon(Local),
    /// Receipts go to all others.
    Later(Local),
    /// What core nodes may have from one another has been held back long enough.
    Back(Local),
    /// A promise has to be renewed.
    Promise(Local),
    /// Parked envelopes have not got their past by themselves.
    Parked(Local),
    /// A missing body has been waited for long enough.
    Patience(Local),
    /// A peer owes an answer.
    Answer(Local, LinkId),
    /// A peer that did not answer is asked again, or another cut may be sent.
    Again(Local, LinkId),
    /// A custodian owes what it was asked for to see whether it holds it.
    Audit(Local, LinkId),
    /// A time that somebody gave in a refusal.
    Retry(Local),
    /// A topic without peers may leave memory.
    Idle(Local),
    /// Expired bodies are looked for.
    Expire,
    /// A topic is being forgotten.
    Forget(Local),
}

/// A link, as far as topics are concerned.
#[derive(Debug, Default)]
pub(crate) struct Link {
    /// Cost of the frames that it takes. Small frames may exceed it, so it may be below zero.
    pub(crate) credit: i64,
    /// What it took at first, which the credit never exceeds: other frames of the link may give
    /// back more than was spent here.
    pub(crate) window: Option<i64>,
    /// Bytes out for checking.
    pub(crate) checking: usize,
    /// Topics that are proven on it.
    pub(crate) topics: BTreeSet<Local>,
    /// Topics that have something to send as soon as there is credit.
    pub(crate) blocked: BTreeSet<Local>,
    inadmissible: u32,
    hollow: u32,
    wrong_differences: u32,
}

/// What all topics share.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub(crate) links: BTreeMap<LinkId, Link>,
    pub(crate) timers: Timers<Timer>,
    /// Whether the clock may be relied upon to delete.
    pub(crate) clock_confirmed: bool,
    /// Frames that this turn may still send.
    pub(crate) frames_left: usize,
}

impl Shared {
    pub(crate) fn soon(&mut self, timer: Timer, now: Time, after: Duration) {
        self.timers.set_earlier(timer, now.after(after));
    }

    /// Something expires at this time (milliseconds since 1970): it is removed then, or a little
    /// later.
    pub(crate) fn expire_by(&mut self, cx: &Cx<'_>, at: u64) {
        if self.clock_confirmed {
            let wait = Duration::from_millis(at.saturating_sub(cx.wall.as_millis()));
            self.soon(Timer::Expire, cx.now, wait.max(EXPIRE_INTERVAL));
        }
    }

    pub(crate) fn work(&mut self, local: Local, now: Time) {
        self.timers.set_earlier(Timer::Work(local), now);
    }

    /// Bytes that a large frame on this link may have in this turn, if there may be one.
    pub(crate) fn room(&self, link: LinkId) -> Option<usize> {
        let credit = self.links.get(&link).map_or(0, |link| link.credit);
        let room = usize::try_from(credit.saturating_sub(RESERVE)).unwrap_or(0);
        (self.frames_left > 0 && credit >= MIN_ROOM).then_some(room.min(MAX_BYTES_PER_FRAME))
    }

    pub(crate) fn has_room(&self, link: LinkId) -> bool {
        self.room(link).is_some()
    }

    /// Whether a small frame fits. The largest is a want of all its ranges.
    pub(crate) fn has_little_room(&self, link: LinkId) -> bool {
        self.links
            .get(&link)
            .is_some_and(|link| link.credit >= RESERVE)
    }

    pub(crate) fn spend(&mut self, link: LinkId, bytes: usize) {
        if let Some(link) = self.links.get_mut(&link) {
            link.credit = link
                .credit
                .saturating_sub(i64::try_from(bytes).unwrap_or(i64::MAX));
        }
    }

    /// Counts an envelope that no rule admits; says whether it was one too many.
    pub(crate) fn note_inadmissible(&mut self, link: LinkId) -> bool {
        let Some(link) = self.links.get_mut(&link) else {
            return false;
        };
        link.inadmissible = link.inadmissible.saturating_add(1);
        link.inadmissible == MAX_INADMISSIBLE
    }

    /// Whether a link is told why an envelope is not admitted: the first so many times.
    pub(crate) fn answers_inadmissible(&self, link: LinkId) -> bool {
        let link = self.links.get(&link);
        link.is_some_and(|link| link.inadmissible <= MAX_INADMISSIBLE_TOLD)
    }

    /// This much more is to be checked, or waits for checks.
    pub(crate) fn checks(&mut self, link: LinkId, bytes: usize) {
        if let Some(link) = self.links.get_mut(&link) {
            link.checking = link.checking.saturating_add(bytes);
        }
    }

    /// This much less is.
    pub(crate) fn checked(&mut self, link: LinkId, bytes: usize) {
        if let Some(link) = self.links.get_mut(&link) {
            link.checking = link.checking.saturating_sub(bytes);
        }
    }

    /// Counts a rebuilt receipt that did not hold.
    pub(crate) fn note_wrong_difference(&mut self, link: LinkId) {
        if let Some(link) = self.links.get_mut(&link) {
            link.wrong_differences = link.wrong_differences.saturating_add(1);
        }
    }

    /// Whether receipts are still rebuilt of what this link gives.
    pub(crate) fn takes_differences(&self, link: LinkId) -> bool {
        let link = self.links.get(&link);
        link.is_some_and(|link| link.wrong_differences < MAX_WRONG_DIFFERENCES)
    }

    /// Counts an answer without what it was asked for; says whether it was one too many.
    pub(crate) fn note_hollow(&mut self, link: LinkId) -> bool {
        let Some(link) = self.links.get_mut(&link) else {
            return false;
        };
        link.hollow = link.hollow.saturating_add(1);
        link.hollow == MAX_HOLLOW_ANSWERS
    }
}

/// A topic in use.
#[derive(Debug)]
pub(crate) struct Topic {
    pub(crate) local: Local,
    pub(crate) id: TopicId,
    pub(crate) row: TopicRow,
    pub(crate) lace: Lace,
    pub(crate) peers: BTreeMap<LinkId, PeerState>,
    pub(crate) waiting: Waiting,
    pub(crate) slots: Slots,
    /// Who gave the newest envelope of each author: the way back to it for receipts.
    pub(crate) ways: BTreeMap<PublicKey, LinkId>,
    /// When this home last issued a receipt.
    pub(crate) issued: Option<Time>,
    /// The invite boxes that are here, by locator.
    pub(crate) boxes: BTreeMap<[u8; 32], Kept>,
    /// Boxes that came before it was known here that their devices let people in.
    pub(crate) early_boxes: VecDeque<(LinkId, TopicBox)>,
    /// Claims of its invites, and answers to them.
    pub(crate) claims: Claims,
    /// From whom each author's envelopes are being fetched.
    pub(crate) asked: BTreeMap<PublicKey, LinkId>,
    /// Bodies that are being fetched from some peer.
    pub(crate) asked_bodies: BTreeSet<EnvelopeId>,
    /// No body is missing beyond this place.
    pub(crate) missing_to: u64,
    /// Who gave what is parked: asked for its past when patience ends.
    pub(crate) parked_by: BTreeSet<LinkId>,
    /// What is parked, by id: the link that gave it, and its bytes.
    pub(crate) parked: Parked,
    /// What is parked beyond a fork, and until when its past is waited for.
    pub(crate) beyond_forks: BTreeMap<EnvelopeId, Time>,
    /// Chains that this node does not take now, and until when (milliseconds since 1970).
    pub(crate) declined: BTreeMap<PublicKey, u64>,
    /// Of these, those that are taken as soon as something waits for its past.
    pub(crate) unwanted: BTreeSet<PublicKey>,
    /// Bodies that this node does not take now: not asked for before this time.
    pub(crate) bodies_declined: u64,
    /// Somebody has newer envelopes of this home's own author.
    pub(crate) stale: bool,
    /// Ids whose check has failed: a planted defect alone remembers any.
    pub(crate) bad: Memory,
    /// Who takes part may have changed in this turn.
    pub(crate) rights_changed: bool,
    /// Lines were added in this turn.
    pub(crate) new_lines: bool,
    /// Evidence about own envelopes changed in this turn.
    pub(crate) new_receipts: bool,
}

impl Topic {
    pub(crate) fn load(
        cx: &mut Cx<'_>,
        local: Local,
        mut row: TopicRow,
        law: &'static dyn lace::Policy,
    ) -> Option<Self> {
        let lace = Lace::open(&mut cx.store, local)?.ruled_by(law);
        row.delivered -= u64::from(is(Bug::DeliverAgain) && row.delivered > 0);
        Some(Self::with_lace(cx, local, row, lace))
    }

    pub(crate) fn with_lace(cx: &mut Cx<'_>, local: Local, row: TopicRow, lace: Lace) -> Self {
        let mut topic = Self {
            local,
            id: row.id,
            row,
            lace,
            peers: BTreeMap::new(),
            waiting: Waiting::default(),
            slots: Slots::default(),
            ways: BTreeMap::new(),
            issued: None,
            boxes: BTreeMap::new(),
            early_boxes: VecDeque::new(),
            claims: Claims::default(),
            asked: BTreeMap::new(),
            asked_bodies: BTreeSet::new(),
            missing_to: 0,
            parked_by: BTreeSet::new(),
            parked: Parked::default(),
            beyond_forks: BTreeMap::new(),
            declined: BTreeMap::new(),
            unwanted: BTreeSet::new(),
            bodies_declined: 0,
            stale: false,
            bad: Memory::default(),
            rights_changed: false,
            new_lines: false,
            new_receipts: false,
        };
        topic.missing_to = topic.lace.last_place();
        topic.load_slots(cx);
        topic.load_boxes(cx);
        topic.load_claims(cx);
        topic.load_waiting(cx);
        topic
    }

    pub(crate) fn save(&self, cx: &mut Cx<'_>) {
        cx.store
            .put(rows::TOPIC, rows::key(self.local), self.row.encode());
    }

    pub(crate) fn is_member(&self) -> bool {
        self.row.role == Role::Member
    }

    pub(crate) fn misbehaved(&self, env: &mut Env<'_, '_>, link: LinkId, rule: Rule) {
        env.out.push(Output::Misbehaved {
            link,
            topic: self.local,
            rule,
        });
    }

    /// Whether a time (milliseconds since 1970; 0 is never) is over by a clock that may be relied
    /// upon.
    pub(crate) fn is_over(shared: &Shared, cx: &Cx<'_>, time: u64) -> bool {
        shared.clock_confirmed && time != 0 && time <= cx.wall.as_millis()
    }

    /// What this home says when it says when: its clock's time, if that may be relied upon, else
    /// that of the newest envelope here (milliseconds since 1970).
    pub(crate) fn time(&self, shared: &Shared, cx: &Cx<'_>) -> u64 {
        if shared.clock_confirmed {
            return cx.wall.as_millis();
        }
        let tips = self.lace.authors().filter_map(lace::Author::tip);
        tips.map(|tip| tip.created).max().unwrap_or(0)
    }
}
