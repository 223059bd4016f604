//! The lace itself: what is in memory, and how it is read back.

use crate::author::{Author, Counts, Tail, Tip};
use crate::bound::{Applied, Target};
use crate::effect::Effect;
use crate::evidence::Seen;
use crate::fact::ViewNo;
use crate::founders::FoundersPolicy;
use crate::invite::Invitation;
use crate::issue::Issues;
use crate::limits::OPEN_PAGE;
use crate::park::Parking;
use crate::policy::{Buckets, Policy};
use crate::rows::{self, Bytes, Spot};
use crate::stand::Changed;
use crate::view::Memory;
use identity::{EnvelopeId, GrantId, PublicKey, Signature, TopicId};
use machine::Staged;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use wire::{Envelope, Genesis};

/// The graph of one topic. The envelopes are in the store that every call is handed; here are the
/// authors, the invites, the evidence of forks, what is parked, and some of the facts.
#[derive(Debug)]
pub struct Lace {
    pub(crate) local: u32,
    pub(crate) id: TopicId,
    pub(crate) genesis: Genesis,
    /// By local number.
    pub(crate) authors: Vec<Author>,
    pub(crate) by_key: BTreeMap<PublicKey, u32>,
    /// The author of each tip: most of what new envelopes name.
    pub(crate) tips: BTreeMap<EnvelopeId, u32>,
    pub(crate) invites: BTreeMap<(GrantId, EnvelopeId), Invitation>,
    pub(crate) issues: Issues,
    pub(crate) seen: BTreeMap<PublicKey, Seen>,
    /// The bounds of authors that have any, by the effect and evidence that were looked at last.
    pub(crate) targets: BTreeMap<u32, Arc<Target>>,
    /// How far bounds have been applied.
    pub(crate) bounds: BTreeMap<u32, Applied>,
    /// Those that have not been applied to the end.
    pub(crate) moving: BTreeSet<u32>,
    /// Carriers of what is pinned that are not kept yet.
    pub(crate) pins: VecDeque<Spot>,
    /// Whether there may be envelopes that lost what held them up.
    pub(crate) queued: bool,
    /// The effect that bounds come from; nothing until the first time after opening.
    pub(crate) applied: Option<Arc<Effect>>,
    /// Facts with lower numbers were known then.
    pub(crate) judged: u32,
    /// Whether facts or evidence have changed since then.
    pub(crate) stale: bool,
    /// Whether anything is left to do: in a row too.
    pub(crate) unsettled: bool,
    pub(crate) changes: Vec<Changed>,
    pub(crate) park: Parking,
    /// The highest place ever given.
    pub(crate) last: u64,
    pub(crate) totals: Counts,
    /// The hash of the cut while nothing has changed since it was computed.
    pub(crate) cut_hash: Cell<Option<[u8; 32]>>,
    pub(crate) policy: &'static dyn Policy,
    /// The numbers that the next fact and the next view get.
    pub(crate) next_fact: u32,
    pub(crate) next_view: u32,
    pub(crate) memory: RefCell<Memory>,
}

/// Where an admitted envelope is, and what its successors need to know of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node {
    pub(crate) author: u32,
    pub(crate) number: u64,
    pub(crate) generation: u64,
    pub(crate) created: u64,
    /// Which of its author's branches it is on.
    pub(crate) branch: u32,
    /// The facts in its past, its own included.
    pub(crate) view: ViewNo,
    /// What the policy keeps with it.
    pub(crate) buckets: Buckets,
}

impl Node {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(28 + Tail::MAX_LEN);
        out.extend_from_slice(&self.author.to_be_bytes());
        let numbers = [self.number, self.generation, self.created];
        out.extend_from_slice(numbers.map(u64::to_be_bytes).as_flattened());
        self.tail().write(&mut out);
        out
    }

    pub(crate) const fn tail(&self) -> Tail {
        Tail {
            branch: self.branch,
            view: self.view,
            buckets: self.buckets,
        }
    }

    fn decode(row: &[u8]) -> Option<Self> {
        let mut bytes = Bytes(row);
        let (author, number) = (bytes.u32()?, bytes.u64()?);
        let (generation, created) = (bytes.u64()?, bytes.u64()?);
        let tail = Tail::read(&mut bytes)?;
        Some(Self {
            author,
            number,
            generation,
            created,
            branch: tail.branch,
            view: tail.view,
            buckets: tail.buckets,
        })
    }
}

/// The row of an envelope.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    /// Its place, or 0.
    pub(crate) place: u64,
    pub(crate) envelope: Envelope,
}

impl Stored {
    pub(crate) fn encode(place: u64, envelope: &Envelope) -> Vec<u8> {
        let mut out = Vec::with_capacity(72 + envelope.header_bytes.len());
        out.extend_from_slice(&place.to_be_bytes());
        out.extend_from_slice(envelope.proof.as_bytes());
        out.extend_from_slice(&envelope.header_bytes);
        out
    }

    pub(crate) fn decode(row: &[u8]) -> Option<Self> {
        let mut bytes = Bytes(row);
        let place = bytes.u64()?;
        let proof = Signature::from_bytes(bytes.array()?);
        let envelope = Envelope::from_stored(bytes.0.to_vec(), proof).ok()?;
        Some(Self { place, envelope })
    }
}

impl Lace {
    /// Begins the graph of a topic under a local number that no other topic has.
    pub fn create(store: &mut Staged<'_>, local: u32, genesis: &Genesis) -> Self {
        let mut row = vec![rows::LAYOUT];
        row.extend_from_slice(&genesis.encode());
        store.put(rows::LACE, rows::key(local, &[b"g"]), row);
        Self::empty(local, genesis.clone())
    }

    /// Reads the graph back: the same as it was, but for what was parked. Nothing when there is
    /// none under this number, or it is being forgotten. Reads rows of authors, never of envelopes.
    pub fn open(store: &mut Staged<'_>, local: u32) -> Option<Self> {
        if Self::is_forgetting(store, local) {
            return None;
        }
        let row = store.get(rows::LACE, &rows::key(local, &[b"g"]))?;
        let (layout, genesis) = row.split_first()?;
        if *layout != rows::LAYOUT {
            return None;
        }
        let mut lace = Self::empty(local, Genesis::decode(genesis).ok()?);
        lace.load_authors(store)?;
        lace.load_invites(store)?;
        lace.load_issues(store)?;
        lace.load_evidence(store)?;
        lace.load_last(store);
        lace.load_views(store)?;
        lace.load_bounds(store)?;
        Some(lace)
    }

    fn empty(local: u32, genesis: Genesis) -> Self {
        Self {
            local,
            id: genesis.topic_id(),
            genesis,
            authors: Vec::new(),
            by_key: BTreeMap::new(),
            tips: BTreeMap::new(),
            invites: BTreeMap::new(),
            issues: Issues::default(),
            seen: BTreeMap::new(),
            targets: BTreeMap::new(),
            bounds: BTreeMap::new(),
            moving: BTreeSet::new(),
            pins: VecDeque::new(),
            queued: false,
            applied: None,
            judged: 0,
            stale: false,
            unsettled: false,
            changes: Vec::new(),
            park: Parking::default(),
            last: 0,
            totals: Counts::default(),
            cut_hash: Cell::new(None),
            policy: &FoundersPolicy,
            next_fact: 0,
            next_view: 1,
            memory: RefCell::default(),
        }
    }

    /// The node's number of the topic.
    #[must_use]
    pub const fn local(&self) -> u32 {
        self.local
    }

    /// The topic.
    #[must_use]
    pub const fn id(&self) -> TopicId {
        self.id
    }

    /// Its genesis.
    #[must_use]
    pub const fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    /// Authors of whom at least one envelope is admitted, in the order of their keys.
    pub fn authors(&self) -> impl Iterator<Item = &Author> {
        self.by_key.values().filter_map(|no| self.by_no(*no))
    }

    /// One of them.
    #[must_use]
    pub fn author(&self, key: &PublicKey) -> Option<&Author> {
        self.by_no(*self.by_key.get(key)?)
    }

    /// Invites, by grant. One item in two envelopes is listed twice.
    pub fn invites(&self) -> impl Iterator<Item = &Invitation> {
        self.invites.values()
    }

    /// The invites with this grant.
    pub fn invites_of(&self, grant: &GrantId) -> impl Iterator<Item = &Invitation> {
        let from = (*grant, EnvelopeId::from_bytes([0; 32]));
        let to = (*grant, EnvelopeId::from_bytes([u8::MAX; 32]));
        self.invites.range(from..=to).map(|(_, invite)| invite)
    }

    /// How many devices have claimed a grant. More than the invite's uses is no reason to refuse
    /// any of them, since they could not know of one another; it is shown to people.
    #[must_use]
    pub fn claimed(&self, grant: &GrantId) -> usize {
        let devices: BTreeSet<&PublicKey> = self
            .authors
            .iter()
            .filter(|author| author.grant() == grant)
            .map(Author::device)
            .collect();
        devices.len()
    }

    /// What is stored in the whole topic, kept or void; parked envelopes are not counted.
    #[must_use]
    pub const fn totals(&self) -> &Counts {
        &self.totals
    }

    pub(crate) fn by_no(&self, no: u32) -> Option<&Author> {
        self.authors.get(usize::try_from(no).ok()?)
    }

    pub(crate) fn by_no_mut(&mut self, no: u32) -> Option<&mut Author> {
        self.authors.get_mut(usize::try_from(no).ok()?)
    }

    pub(crate) fn is_closed_at(&self, no: u32, number: u64) -> bool {
        self.by_no(no)
            .is_some_and(|author| author.is_closed_at(number))
    }

    /// Finds an admitted envelope.
    pub(crate) fn node(&self, store: &mut Staged<'_>, id: &EnvelopeId) -> Option<Node> {
        if let Some(author) = self.tips.get(id).and_then(|no| self.by_no(*no))
            && let Some(tip) = author.tip
        {
            return Some(Node {
                author: author.no,
                number: tip.number,
                generation: tip.generation,
                created: tip.created,
                branch: author.tail.branch,
                view: author.tail.view,
                buckets: author.tail.buckets,
            });
        }
        let row = store.get(rows::ID, &rows::key(self.local, &[id.as_bytes()]))?;
        Node::decode(&row)
    }

    pub(crate) fn stored(&self, store: &mut Staged<'_>, spot: &Spot) -> Option<Stored> {
        Stored::decode(&store.get(rows::HEADER, &rows::at_spot(self.local, spot))?)
    }

    /// Whether an envelope is kept.
    pub(crate) fn is_kept(&self, store: &mut Staged<'_>, spot: &Spot) -> bool {
        if !self.is_closed_at(spot.author, spot.number) {
            return true;
        }
        let place = store.get(rows::HEADER, &rows::at_spot(self.local, spot));
        let place = place.and_then(|row| Bytes(&row).u64());
        place.is_some_and(|place| self.standing(store, spot, place).is_kept())
    }

    pub(crate) fn stands_key(&self, no: u32, place: u64) -> Vec<u8> {
        rows::key(self.local, &[&no.to_be_bytes(), &place.to_be_bytes()])
    }

    pub(crate) fn write_author(&self, store: &mut Staged<'_>, no: u32) {
        if let Some(author) = self.by_no(no) {
            let key = rows::key(self.local, &[b"h", &no.to_be_bytes()]);
            store.put(rows::LACE, key, author.encode_moving());
        }
    }

    fn load_authors(&mut self, store: &mut Staged<'_>) -> Option<()> {
        let fixed = all_rows(store, self.local, b"a");
        let moving = all_rows(store, self.local, b"h");
        if fixed.len() != moving.len() {
            return None;
        }
        for (no, ((_, fixed), (_, moving))) in (0_u32..).zip(fixed.iter().zip(&moving)) {
            let author = Author::decode(no, fixed, moving)?;
            self.by_key.insert(author.key, no);
            if let Some(Tip { id, .. }) = author.tip {
                self.tips.insert(id, no);
            }
            self.totals.add(&author.counts);
            self.authors.push(author);
        }
        for (key, _) in all_rows(store, self.local, b"s") {
            let mut bytes = Bytes(key.get(5..)?);
            let no = bytes.u32()?;
            let end = (bytes.u64()?, EnvelopeId::from_bytes(bytes.array()?));
            self.by_no_mut(no)?.ends.insert(end);
        }
        Some(())
    }

    fn load_invites(&mut self, store: &mut Staged<'_>) -> Option<()> {
        for (key, value) in all_rows(store, self.local, b"i") {
            let invite = Invitation::decode(key.get(5..)?, &value)?;
            self.invites.insert((invite.grant, invite.carrier), invite);
        }
        Some(())
    }

    fn load_evidence(&mut self, store: &mut Staged<'_>) -> Option<()> {
        for (key, value) in all_rows(store, self.local, b"e") {
            let author = PublicKey::from_bytes(key.get(5..)?.try_into().ok()?);
            let seen = Seen::decode(&value)?;
            self.seen.insert(author, seen);
        }
        Some(())
    }

    fn load_last(&mut self, store: &mut Staged<'_>) {
        let (from, to) = (
            rows::key(self.local, &[]),
            rows::key(self.local, &[&[u8::MAX; 9]]),
        );
        let newest = store.scan_back(rows::ORDER, &from, &to, 1);
        let newest = newest
            .first()
            .and_then(|(key, _)| Bytes(key.get(4..)?).u64());
        let given = store.get(rows::LACE, &rows::key(self.local, &[b"c"]));
        let given = given.and_then(|row| Bytes(&row).u64());
        self.last = newest.unwrap_or(0).max(given.unwrap_or(0));
    }
}

/// All rows of one kind in [`rows::LACE`], page by page.
pub(crate) fn all_rows(store: &mut Staged<'_>, local: u32, tag: &[u8]) -> Vec<machine::Row> {
    let mut from = rows::key(local, &[tag]);
    let to = rows::key(local, &[tag, &[u8::MAX; 80]]);
    let mut all = Vec::new();
    loop {
        let page = store.scan(rows::LACE, &from, &to, OPEN_PAGE);
        let Some((last, _)) = page.last() else {
            return all;
        };
        from.clone_from(last);
        from.push(0);
        let full = page.len() == OPEN_PAGE;
        all.extend(page);
        if !full {
            return all;
        }
    }
}
