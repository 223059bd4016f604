//! What is known of a peer in one topic, and what is due to it.

use crate::claims::ClaimsDue;
use crate::differences::{Coming, Has};
use crate::event::Peer;
use crate::limits::{MAX_GONE, MAX_STRANGE_AUTHORS, MAX_WANTED};
use crate::listing::Listing;
use crate::passing::Due;
use identity::{EnvelopeId, NodeId, PublicKey};
use lace::{Cursor, CutEntry, Lace};
use machine::Time;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// How far the exchange of cuts with a peer has got.
#[derive(Clone, Debug, Default)]
pub(crate) struct CutState {
    /// Pages are to be sent, those after this author next; `Some(None)` begins at the first.
    pub(crate) sending: Option<Option<PublicKey>>,
    /// A cut was sent since the peer's last hello.
    pub(crate) sent: bool,
    /// Not before this time.
    pub(crate) not_before: Option<Time>,
    /// A cut of the peer is coming; its pages so far end with this author.
    pub(crate) coming: Option<Option<PublicKey>>,
}

/// What was asked of a peer and is not yet answered.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// For each author up to which number.
    pub(crate) ranges: BTreeMap<PublicKey, u64>,
    /// The last frame of the answer has come.
    pub(crate) ended: bool,
    /// Something of what was asked for has come, whatever became of it.
    pub(crate) got: bool,
    /// Something of it was news.
    pub(crate) news: bool,
}

/// A range to ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) from: u64,
    pub(crate) to: u64,
    /// It looks for another branch of what is here, and is asked for as it is.
    pub(crate) hunt: bool,
}

/// A question for what a custodian says it holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Audit {
    pub(crate) id: EnvelopeId,
    pub(crate) node: NodeId,
    /// When it has kept silent for too long.
    pub(crate) at: Time,
    /// How often it may still say that it may not give anything now.
    pub(crate) waits: u8,
}

/// Of a chain that a peer does not take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refuses {
    /// Until when (milliseconds since 1970).
    pub(crate) until: u64,
    /// What it offered breaks a rule: room changes nothing.
    pub(crate) by_rule: bool,
}

/// A peer in one topic.
#[derive(Debug)]
pub(crate) struct PeerState {
    pub(crate) who: Peer,
    pub(crate) hello_due: bool,
    /// Its hello has come.
    pub(crate) greeted: bool,
    /// Not before this time is another hello sent on this link.
    pub(crate) hello_again: Option<Time>,
    /// Not before this time does a hello bring evidence, receipts and boxes once more.
    pub(crate) beside_again: Option<Time>,
    /// Something that it sent was dropped here for want of room.
    pub(crate) lost: bool,
    /// Its cut is known as a whole.
    compared: bool,
    /// Up to which number it has a chain, or will have it with what is on its way.
    knows: BTreeMap<PublicKey, u64>,
    strange: usize,
    pub(crate) cut: CutState,
    /// Entries of its cut that were beyond what is here, or about another branch: compared again
    /// when more is here.
    pub(crate) claims: BTreeMap<PublicKey, Vec<CutEntry>>,
    /// What it has and this node lacks.
    pub(crate) wants: BTreeMap<PublicKey, Wanted>,
    pub(crate) asked: Option<Asked>,
    /// Jobs out for checking.
    pub(crate) jobs: u32,
    /// It did not answer and is left alone.
    pub(crate) muted: bool,
    /// The answer to its want.
    pub(crate) answering: Option<Cursor>,
    /// What is being pushed.
    pub(crate) pushing: Option<Cursor>,
    /// What is to be pushed next: first and last number.
    pub(crate) due: BTreeMap<PublicKey, (u64, u64)>,
    /// Authors whose entries have changed and cannot be pushed.
    pub(crate) announce: BTreeSet<PublicKey>,
    /// Authors of whom it has the newest from somebody else, as a rule: announced a little later.
    pub(crate) held_back: BTreeSet<PublicKey>,
    /// When it was last told that an answer goes on later.
    pub(crate) patience: Option<Time>,
    /// Nothing is taken of it until then (milliseconds since 1970); 0: it is.
    pub(crate) declined: u64,
    /// Chains that it does not take.
    pub(crate) refuses: BTreeMap<PublicKey, Refuses>,
    /// When it last said something in the topic.
    pub(crate) heard: Option<Time>,
    /// It was told of some chain that this node does not take it now: it is to hear when that is over.
    pub(crate) turned_away: bool,
    /// Bodies that it has asked for.
    pub(crate) owed: VecDeque<EnvelopeId>,
    /// Bodies that it was told are not here.
    pub(crate) told_gone: BTreeSet<EnvelopeId>,
    /// Bodies that it was asked for.
    pub(crate) bodies: BTreeSet<EnvelopeId>,
    /// Missing bodies up to this place have been looked at for it.
    pub(crate) body_from: u64,
    /// Bodies that it gave before their headers had been checked: they are asked for once more.
    pub(crate) early: BTreeSet<EnvelopeId>,
    /// Bodies that it said are gone.
    pub(crate) gone: BTreeSet<EnvelopeId>,
    /// What it was asked for to see whether it holds it.
    pub(crate) audit: Option<Audit>,
    pub(crate) receipts: Due,
    /// Which receipts it has.
    pub(crate) has: Has,
    /// The differences that it gives.
    pub(crate) coming: Coming,
    /// The lists of receipts, both ways.
    pub(crate) listing: Listing,
    pub(crate) evidence: BTreeSet<PublicKey>,
    pub(crate) boxes: BTreeSet<[u8; 32]>,
    /// Claims and answers that it is to be sent.
    pub(crate) claims_due: ClaimsDue,
}

impl PeerState {
    pub(crate) fn new(who: Peer) -> Self {
        Self {
            who,
            hello_due: true,
            greeted: false,
            hello_again: None,
            beside_again: None,
            lost: false,
            compared: false,
            knows: BTreeMap::new(),
            strange: 0,
            cut: CutState::default(),
            claims: BTreeMap::new(),
            wants: BTreeMap::new(),
            asked: None,
            jobs: 0,
            muted: false,
            answering: None,
            pushing: None,
            due: BTreeMap::new(),
            announce: BTreeSet::new(),
            held_back: BTreeSet::new(),
            patience: None,
            declined: 0,
            refuses: BTreeMap::new(),
            heard: None,
            turned_away: false,
            owed: VecDeque::new(),
            told_gone: BTreeSet::new(),
            bodies: BTreeSet::new(),
            body_from: 0,
            early: BTreeSet::new(),
            gone: BTreeSet::new(),
            audit: None,
            receipts: Due::default(),
            has: Has::default(),
            coming: Coming::default(),
            listing: Listing::default(),
            evidence: BTreeSet::new(),
            boxes: BTreeSet::new(),
            claims_due: ClaimsDue::default(),
        }
    }

    /// Whether nothing is due to it and nothing is to be asked of it. `missing_to` is the last place
    /// at which a body may be missing.
    pub(crate) fn is_idle(&self, missing_to: u64) -> bool {
        let waits = self.asked.is_some() || self.muted;
        self.is_idle_but_for_wants(missing_to) && (waits || self.wants.is_empty())
    }

    /// As [`Self::is_idle`], but for what it has and this node lacks, which may have to wait for a
    /// time that was named.
    pub(crate) fn is_idle_but_for_wants(&self, missing_to: u64) -> bool {
        let waits = self.asked.is_some() || self.muted;
        !self.hello_due
            && self.cut.sending.is_none()
            && (waits || self.body_from >= missing_to)
            && self.answering.is_none()
            && self.pushing.is_none()
            && self.due.is_empty()
            && self.announce.is_empty()
            && self.owed.is_empty()
            && self.receipts.now.is_empty()
            && self.coming.asks.is_empty()
            && self.listing.is_idle()
            && self.evidence.is_empty()
            && self.boxes.is_empty()
            && self.claims_due.is_empty()
    }

    /// Whether it only reads.
    pub(crate) const fn is_reader(&self) -> bool {
        matches!(self.who, Peer::Reader { .. })
    }

    /// Whether its cut is known as a whole.
    pub(crate) const fn is_compared(&self) -> bool {
        self.compared
    }

    pub(crate) const fn set_compared(&mut self) {
        self.compared = true;
    }

    /// Whether it has an envelope, or will have it with what is on its way.
    pub(crate) fn has(&self, author: &PublicKey, number: u64) -> bool {
        self.knows_to(author) >= number
    }

    pub(crate) fn knows_to(&self, author: &PublicKey) -> u64 {
        self.knows.get(author).copied().unwrap_or(0)
    }

    /// It has all that this lace has.
    pub(crate) fn knows_all(&mut self, lace: &Lace) {
        for author in lace.authors() {
            if let Some(tip) = author.tip() {
                self.knows.insert(*author.key(), tip.number);
            }
        }
        self.compared = true;
        self.wants.clear();
        self.claims.clear();
        self.announce.clear();
        self.held_back.clear();
    }

    /// It has this chain at least up to here. An author that the lace does not know is remembered
    /// only while there is room.
    pub(crate) fn learn(&mut self, lace: &Lace, author: &PublicKey, number: u64) {
        if !self.knows.contains_key(author) && lace.author(author).is_none() {
            if self.strange >= MAX_STRANGE_AUTHORS {
                return;
            }
            self.strange += 1;
        }
        let known = self.knows.entry(*author).or_insert(0);
        *known = (*known).max(number);
    }

    /// Whether anything is remembered about an author.
    pub(crate) fn remembers(&self, lace: &Lace, author: &PublicKey) -> bool {
        self.knows.contains_key(author) || lace.author(author).is_some()
    }

    /// It has this chain up to here and no further.
    pub(crate) fn cap(&mut self, author: &PublicKey, number: u64) {
        self.knows.insert(*author, number);
    }

    /// It says that a body is gone. Beyond the limit it is not asked for bodies any more.
    pub(crate) fn is_gone(&mut self, id: EnvelopeId) {
        if !self.early.remove(&id) && self.gone.len() < MAX_GONE {
            self.gone.insert(id);
        }
    }

    /// Something new is here: it is pushed if the peer has all before it, else announced.
    pub(crate) fn offer(&mut self, author: &PublicKey, number: u64, closed: bool) {
        if self.refuses.contains_key(author) || (!closed && self.has(author, number)) {
            return;
        }
        let next = self.knows_to(author).saturating_add(1);
        if self.compared && !closed && next == number {
            self.knows.insert(*author, number);
            self.due.entry(*author).or_insert((number, number)).1 = number;
        } else {
            self.announce.insert(*author);
        }
    }

    /// Adds a range to what it is asked for.
    pub(crate) fn want(&mut self, author: PublicKey, wanted: Wanted) {
        if !self.wants.contains_key(&author) && self.wants.len() >= MAX_WANTED {
            return;
        }
        let known = self.wants.entry(author).or_insert(wanted);
        known.from = known.from.min(wanted.from);
        known.to = known.to.max(wanted.to);
        known.hunt |= wanted.hunt;
    }
}
