//! Cuts: how far the kept set goes, and how it differs from a peer's.

use crate::author::Author;
use crate::lace::Lace;
use crate::limits::{FORK_WINDOW, MAX_COMPARED, MAX_CUT_IDS};
use identity::seal::kdf;
use identity::{EnvelopeId, PublicKey};
use machine::Staged;
use machine::planted::{Bug, is};
use std::collections::BTreeMap;
use wire::{CutEntry, Range};

/// How a peer's cut differs from one's own.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Comparison {
    /// What the peer has and this lace lacks.
    pub wants: Vec<Range>,
    /// What this lace has and the peer lacks.
    pub lacks: Vec<Range>,
}

/// Whether an entry of somebody's cut covers this lace's chain up to its number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Coverage {
    /// The chain here has that envelope: the entry covers it and its ancestors on the chain.
    Covers,
    /// The number lies beyond what is here: to be judged later.
    Ahead,
    /// Here is another envelope with that number: the entry is about another branch.
    OtherBranch,
}

impl Lace {
    /// The cut of the kept set, in the order of authors, numbers and ids: one entry an author, and
    /// for a forked author one for each branch that stands, at most [`MAX_CUT_IDS`].
    pub fn cut(&self) -> impl Iterator<Item = CutEntry> + '_ {
        self.authors()
            .flat_map(|author| entries(author, MAX_CUT_IDS))
    }

    /// About `limit` entries of the cut about authors whose keys follow `after`; an author's
    /// entries are never parted. The flag says whether more follow.
    #[must_use]
    pub fn cut_page(&self, after: Option<&PublicKey>, limit: usize) -> (Vec<CutEntry>, bool) {
        let mut page = Vec::new();
        let from = after.map_or(core::ops::Bound::Unbounded, core::ops::Bound::Excluded);
        let authors = self.by_key.range((from, core::ops::Bound::Unbounded));
        for author in authors.filter_map(|(_, no)| self.by_no(*no)) {
            let entries = entries(author, MAX_CUT_IDS);
            if !page.is_empty() && page.len().saturating_add(entries.len()) > limit {
                return (page, true);
            }
            page.extend(entries);
        }
        (page, false)
    }

    /// Two replicas with equal hashes, and equal [`Lace::evidence_hash`], have the same kept set.
    #[must_use]
    pub fn cut_hash(&self) -> [u8; 32] {
        if let Some(hash) = self.cut_hash.get() {
            return hash;
        }
        let mut bytes = Vec::with_capacity(self.authors.len().saturating_mul(72));
        for entry in self
            .authors()
            .flat_map(|author| entries(author, usize::MAX))
        {
            bytes.extend_from_slice(entry.author.as_bytes());
            bytes.extend_from_slice(&entry.number.to_be_bytes());
            bytes.extend_from_slice(entry.id.as_bytes());
        }
        let hash = kdf("cut", &[&bytes]);
        self.cut_hash.set(Some(hash));
        hash
    }

    /// Compares with a page of a peer's cut: its entries about the authors after `after` (nothing
    /// on the first page) and up to the last entry's author, or up to the end on the `last` page.
    pub fn compare(
        &self,
        store: &mut Staged<'_>,
        page: &[CutEntry],
        after: Option<&PublicKey>,
        last: bool,
    ) -> Comparison {
        let mut theirs: BTreeMap<PublicKey, Vec<(u64, EnvelopeId)>> = BTreeMap::new();
        for entry in page {
            theirs
                .entry(entry.author)
                .or_default()
                .push((entry.number, entry.id));
        }
        let end = page.iter().map(|entry| entry.author).max();
        let mut found = Comparison::default();
        for author in self.authors() {
            let key = &author.key;
            let covered = after.is_none_or(|after| key > after)
                && (last || end.is_some_and(|end| *key <= end));
            if covered && !theirs.contains_key(key) {
                lacks_all(author, &mut found.lacks);
            }
        }
        for (key, entries) in theirs {
            match self.author(&key) {
                Some(author) => self.compare_author(store, author, &entries, &mut found),
                None => {
                    let to = entries.iter().map(|(number, _)| *number).max().unwrap_or(0);
                    push(&mut found.wants, key, 1, to);
                }
            }
        }
        found.wants.truncate(MAX_COMPARED);
        found.lacks.truncate(MAX_COMPARED);
        found
    }

    fn compare_author(
        &self,
        store: &mut Staged<'_>,
        author: &Author,
        theirs: &[(u64, EnvelopeId)],
        found: &mut Comparison,
    ) {
        let key = author.key;
        let mine = author.tip.map_or(0, |tip| tip.number);
        let fork = author.closed.unwrap_or(u64::MAX);
        // How far their chain below the fork goes, and the entry that says so.
        let below = theirs.iter().filter(|(number, _)| *number < fork).max();
        let beyond = theirs.iter().any(|(number, _)| *number >= fork);
        let base = match below {
            _ if beyond => fork.saturating_sub(1),
            Some((number, _)) => *number,
            None => 0,
        };
        if base > mine {
            let base = base - u64::from(is(Bug::SyncOffByOne));
            push(&mut found.wants, key, mine.saturating_add(1), base);
        }
        match below {
            Some((number, id)) if *number <= mine && !self.has(store, author, *number, id) => {
                // The chains part somewhere at or below this number.
                let from = number.saturating_sub(self.window(author, *number));
                push(&mut found.wants, key, from.saturating_add(1), *number);
            }
            _ if base < mine => push(&mut found.lacks, key, base.saturating_add(1), mine),
            _ => {}
        }
        for (number, id) in theirs.iter().filter(|(number, _)| *number >= fork) {
            if !self.has(store, author, *number, id) {
                push(&mut found.wants, key, fork, *number);
            }
        }
        // A full list may leave branches out. What is missing of those shows as parked.
        let full = theirs.len() >= MAX_CUT_IDS;
        if full && self.park.len() > 0 {
            push(&mut found.wants, key, fork, wire::limits::MAX_NUMBER);
        }
        let listed = theirs.iter().min().filter(|_| full);
        for end in &author.ends {
            if !theirs.contains(end) && listed.is_none_or(|lowest| end > lowest) {
                push(&mut found.lacks, key, fork, end.0);
            }
        }
    }

    /// How far below a difference to ask: further with every answer that still differs.
    fn window(&self, author: &Author, number: u64) -> u64 {
        let parked = self
            .park
            .spans()
            .get(&author.key)
            .map_or(0, |(_, high)| *high);
        let above = author.top.max(parked).saturating_sub(number);
        FORK_WINDOW.max(above.saturating_mul(2))
    }

    /// Ranges that would bring the past of parked envelopes along their own chains. Ask for them
    /// whoever sent those envelopes, if they do not come by themselves.
    #[must_use]
    pub fn parked_wants(&self) -> Vec<Range> {
        let mut wants = Vec::new();
        for (key, (low, _)) in self.park.spans() {
            let Some(before) = low.checked_sub(1).filter(|before| *before > 0) else {
                continue;
            };
            if !self.park.lacks_previous(&key, low) {
                continue;
            }
            match self.author(&key) {
                Some(author) if author.top >= before => {
                    let from = before.saturating_sub(self.window(author, before));
                    push(&mut wants, key, from.saturating_add(1), before);
                }
                Some(author) => push(&mut wants, key, author.top.saturating_add(1), before),
                None => push(&mut wants, key, 1, before),
            }
        }
        wants
    }

    /// Whether an entry of a receipt's or peer's cut covers the author's chain here.
    pub fn covers(&self, store: &mut Staged<'_>, entry: &CutEntry) -> Coverage {
        let Some(author) = self.author(&entry.author) else {
            return Coverage::Ahead;
        };
        if self.has(store, author, entry.number, &entry.id) {
            Coverage::Covers
        } else if entry.number > author.top {
            Coverage::Ahead
        } else {
            Coverage::OtherBranch
        }
    }

    /// Whether an entry covers one envelope: it is the entry's, or an ancestor of it on the chain.
    pub fn covers_envelope(
        &self,
        store: &mut Staged<'_>,
        entry: &CutEntry,
        id: &EnvelopeId,
    ) -> bool {
        let Some(node) = self.node(store, id) else {
            return false;
        };
        let Some(author) = self.author(&entry.author) else {
            return false;
        };
        if node.author != author.no
            || node.number > entry.number
            || !self.has(store, author, entry.number, &entry.id)
        {
            return false;
        }
        // Below the fork there is one chain only.
        if !author.is_closed_at(node.number) {
            return true;
        }
        self.node(store, &entry.id)
            .is_some_and(|end| self.is_on_chain(store, &node, &end))
    }

    /// Whether this envelope of the author is admitted here.
    fn has(&self, store: &mut Staged<'_>, author: &Author, number: u64, id: &EnvelopeId) -> bool {
        if is(Bug::CutsByNumber) {
            return number <= author.top;
        }
        self.node(store, id)
            .is_some_and(|node| node.author == author.no && node.number == number)
    }
}

/// What of a kept author a cut lists: the ends of the branches that stand beyond the fork, the
/// highest first if there are too many, or else the tip.
fn entries(author: &Author, limit: usize) -> Vec<CutEntry> {
    let entry = |number, id| CutEntry {
        author: author.key,
        number,
        id,
    };
    if author.ends.is_empty() {
        return author
            .tip
            .iter()
            .map(|tip| entry(tip.number, tip.id))
            .collect();
    }
    let skipped = author.ends.len().saturating_sub(limit);
    author
        .ends
        .iter()
        .skip(skipped)
        .map(|(number, id)| entry(*number, *id))
        .collect()
}

fn lacks_all(author: &Author, lacks: &mut Vec<Range>) {
    let ends = author.ends.last().map(|(number, _)| *number);
    let top = ends.or(author.tip.map(|tip| tip.number)).unwrap_or(0);
    push(lacks, author.key, 1, top);
}

fn push(ranges: &mut Vec<Range>, author: PublicKey, from: u64, to: u64) {
    let from = from.max(1);
    if from > to {
        return;
    }
    // Ranges of one author that meet become one.
    if let Some(last) = ranges.last_mut()
        && last.author == author
        && from <= last.to.saturating_add(1)
        && last.from <= to.saturating_add(1)
    {
        last.from = last.from.min(from);
        last.to = last.to.max(to);
        return;
    }
    ranges.push(Range { author, from, to });
}
