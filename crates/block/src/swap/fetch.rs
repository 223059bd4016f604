//! Getting: what is wanted and not here, from whoever has it.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use machine::planted::{Bug, is};
use machine::{ContentEffect, ContentName, Time};
use wire::limits::{MAX_PARTS, MAX_RUN};
use wire::{Part, SlotRange, TopicFrame};

use super::bits::Bits;
use super::hold::{bits_of, put_row, row_of};
use super::limits::{
    ASK_AGAIN, ASK_BELOW, LINK_WINDOW, LOOKED_AT, MAX_BAD, MAX_FETCHES, MAX_IN_FLIGHT,
    MAX_PAGES_AT_WORK, MAX_SOURCES, PATIENCE, REST, REST_MAX,
};
use super::row::{ContentRow, PAGE, WANTED};
use super::serve::place;
use super::{Env, Key, LinkId, Output, Swap, Timer};
use crate::limits::PAGE_REFERENCES;
use crate::manifest::{CheckedManifest, Page, PageList};

/// A content that is being fetched.
#[derive(Debug)]
pub(super) struct Fetch {
    manifest: CheckedManifest,
    name: ContentName,
    /// Blocks that are here, durably.
    here: Bits,
    /// Pages that are here, durably.
    stored: Vec<bool>,
    /// The page list is here, durably.
    listed: bool,
    list: Option<PageList>,
    /// Parts that were asked for, are being read or written.
    busy: BTreeMap<Part, Busy>,
    /// Pages whose blocks are being fetched.
    work: BTreeMap<u32, Work>,
    /// Where the next page to work on is looked for.
    next: u32,
    sources: BTreeMap<LinkId, Source>,
    /// Links that gave something else than was asked for.
    bad: BTreeSet<LinkId>,
    /// When something of it was last written, or it began.
    moved: Time,
    /// When others are asked whether they have it by now, and how long after that again.
    others: (Time, Duration),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Busy {
    /// Of this link.
    Asked(LinkId),
    /// It is being read.
    Reading,
    /// It is being written.
    Writing,
}

/// A page whose blocks are being fetched.
#[derive(Debug)]
struct Work {
    /// Once it is here.
    page: Option<Page>,
    /// Blocks of it that are asked for or being written, by their place in it.
    busy: Bits,
}

/// What a link says that it has.
#[derive(Debug)]
struct Source {
    slots: Vec<SlotRange>,
    /// Pages that have something of it which was missing when it said so, and maybe still is.
    pages: BTreeSet<u32>,
}

/// What came is what was asked for, is not, or cannot be told any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taken {
    Good,
    Bad,
    Unknown,
}

impl Source {
    fn new(slots: Vec<SlotRange>, here: &Bits) -> Self {
        let missing =
            |range: &SlotRange| (range.first..range.end()).filter(|slot| !here.has(*slot));
        let pages = slots
            .iter()
            .flat_map(missing)
            .map(|slot| slot / PAGE_REFERENCES);
        let pages = pages.collect();
        Self { slots, pages }
    }

    /// How many slots from this one on it has.
    fn run(&self, slot: u32) -> u32 {
        let after = self.slots.partition_point(|range| range.first <= slot);
        let range = after.checked_sub(1).and_then(|at| self.slots.get(at));
        range.map_or(0, |range| range.end().saturating_sub(slot))
    }

    /// Whether it has all of so many slots.
    fn is_whole(&self, count: u32) -> bool {
        self.run(0) >= count
    }

    /// Whether it has any of these slots that is missing.
    fn helps(&self, mut slots: core::ops::Range<u32>, here: &Bits) -> bool {
        slots.any(|slot| !here.has(slot) && self.run(slot) > 0)
    }
}

impl Fetch {
    pub(super) const fn have(&self) -> u32 {
        self.here.count()
    }

    pub(super) fn has(&self, slot: u32) -> bool {
        self.here.has(slot)
    }

    pub(super) fn here(&self, most: usize) -> Vec<SlotRange> {
        self.here.ranges(most)
    }

    pub(super) fn sources(&self) -> usize {
        self.sources.len()
    }

    /// A link can be asked no more.
    pub(super) fn no_source(&mut self, link: LinkId) {
        self.sources.remove(&link);
    }

    /// What a part was busy with is over, if that it was: it may be asked of others. Says whether it was.
    fn free(&mut self, part: Part, was: Busy) -> bool {
        if self.busy.get(&part) != Some(&was) {
            // It belongs to an earlier time: it was given up, and is busy with something else by now.
            return false;
        }
        self.busy.remove(&part);
        if let Part::Blocks(range) = part {
            for slot in range.first..range.end() {
                if let Some(work) = self.work.get_mut(&(slot / PAGE_REFERENCES)) {
                    work.busy.clear(slot % PAGE_REFERENCES);
                }
            }
        }
        true
    }

    fn occupy(&mut self, part: Part, busy: Busy) {
        self.busy.insert(part, busy);
        if let Part::Blocks(range) = part {
            for slot in range.first..range.end() {
                if let Some(work) = self.work.get_mut(&(slot / PAGE_REFERENCES)) {
                    work.busy.set(slot % PAGE_REFERENCES);
                }
            }
        }
    }

    /// The next part to ask of a link.
    fn next_part(&mut self, link: LinkId) -> Option<Part> {
        let source = self.sources.get(&link)?;
        if self.list.is_none() {
            // Until it is here nothing can be verified; but what one link gives comes in order.
            match self.busy.get(&Part::List) {
                None => return Some(Part::List),
                Some(Busy::Asked(asked)) if *asked == link => {}
                Some(_) => return None,
            }
        }
        for (page, work) in &self.work {
            let slots = self.manifest.slots(*page);
            if work.page.is_some() {
                if let Some(run) = free_run(source, &self.here, work, slots) {
                    return Some(Part::Blocks(run));
                }
            } else if !self.busy.contains_key(&Part::Page(*page))
                && !self.stored.get(*page as usize).copied().unwrap_or(true)
                && source.helps(slots, &self.here)
            {
                return Some(Part::Page(*page));
            }
        }
        let page = self.next_page(link)?;
        let stored = self.stored.get(page as usize).copied().unwrap_or(true);
        // A page that is here is read first.
        (!stored).then_some(Part::Page(page))
    }

    /// Begins to work on a further page, of which a link has something that is missing.
    fn next_page(&mut self, link: LinkId) -> Option<u32> {
        if self.work.len() >= MAX_PAGES_AT_WORK && !self.put_aside() {
            return None;
        }
        let source = self.sources.get_mut(&link)?;
        let found = loop {
            let ahead = source.pages.range(self.next..).chain(source.pages.iter());
            let mut ahead = ahead.filter(|page| !self.work.contains_key(page));
            let page = *ahead.next()?;
            if source.helps(self.manifest.slots(page), &self.here) {
                break page;
            }
            // It has come meanwhile.
            source.pages.remove(&page);
        };
        self.next = found.saturating_add(1);
        let count = self.manifest.slots(found).len() as u32;
        let busy = Bits::new(count);
        self.work.insert(found, Work { page: None, busy });
        Some(found)
    }

    /// Stops work on a page with which nobody can help now; says whether there was one.
    fn put_aside(&mut self) -> bool {
        let stuck = self.work.iter().find(|(page, work)| {
            let slots = self.manifest.slots(**page);
            let mut sources = self.sources.values();
            let busy = work.busy.count() > 0 || self.busy.contains_key(&Part::Page(**page));
            !busy && !sources.any(|source| source.helps(slots.clone(), &self.here))
        });
        let stuck = stuck.map(|(page, _)| *page);
        stuck.is_some_and(|page| self.work.remove(&page).is_some())
    }

    /// Pages that are here, and are needed and not in memory.
    fn unread(&self) -> Vec<Part> {
        let mut parts = Vec::new();
        if self.listed && self.list.is_none() && !self.busy.contains_key(&Part::List) {
            parts.push(Part::List);
        }
        if self.list.is_some() {
            let unread = self.work.iter().filter(|(page, work)| {
                let stored = self.stored.get(**page as usize).copied().unwrap_or(false);
                work.page.is_none() && stored && !self.busy.contains_key(&Part::Page(**page))
            });
            parts.extend(unread.map(|(page, _)| Part::Page(*page)));
        }
        parts
    }
}

/// Bytes of parts together.
pub(super) fn len_of(asks: &[(Key, Part)]) -> usize {
    let len = |(key, part): &(Key, Part)| {
        let manifest = CheckedManifest::of(&key.manifest).ok()?;
        Some(place(&manifest, *part)?.1)
    };
    asks.iter().filter_map(len).sum()
}

/// A run of blocks that are missing, free, and at a source.
fn free_run(
    source: &Source,
    here: &Bits,
    work: &Work,
    slots: core::ops::Range<u32>,
) -> Option<SlotRange> {
    let start = slots.start;
    let free = |slot: u32| !here.has(slot) && !work.busy.has(slot - start);
    let mut slots = slots;
    let first = slots.find(|slot| free(*slot) && source.run(*slot) > 0)?;
    let most = source.run(first).min(MAX_RUN);
    let more = slots.take(most as usize - 1).take_while(|slot| free(*slot));
    let count = 1 + more.count() as u32;
    Some(SlotRange { first, count })
}

impl Swap {
    /// Fetches what was wanted before, as much at once as there may be.
    pub(super) fn fill(&mut self, env: &mut Env<'_, '_>) {
        if self.disk_failed {
            return;
        }
        let from = std::mem::take(&mut self.cursor);
        // From where it was left to the end, and then from the beginning.
        for from in [from, Vec::new()] {
            for (at, _) in env.cx.store.scan(WANTED, &from, &[0xff; 49], LOOKED_AT) {
                if self.fetches.len() >= MAX_FETCHES {
                    self.cursor = at;
                    return self.look_around_later(env);
                }
                let key = Key::read(&at).map(|(key, _)| key);
                let row = key.and_then(|key| row_of(env.cx, &key));
                if let (Some(key), Some(row)) = (key, row) {
                    self.begin(env, key, &row);
                }
            }
        }
    }

    /// Fetches that nobody can help with now make room for others.
    pub(super) fn look_around(&mut self, env: &mut Env<'_, '_>) {
        if self.fetches.len() >= MAX_FETCHES {
            let now = env.cx.now;
            let idle = |fetch: &Fetch| fetch.busy.is_empty() && fetch.moved.after(REST) <= now;
            let idle = self.fetches.iter().filter(|(_, fetch)| idle(fetch));
            for key in idle.map(|(key, _)| *key).collect::<Vec<Key>>() {
                self.end_fetch(&key);
            }
        }
        self.fill(env);
        self.ask_others(env);
        self.pump_all(env);
        if !self.fetches.is_empty() {
            self.look_around_later(env);
        }
    }

    /// Asks again whoever has not said that it has anything of what does not come, ever more rarely: who was
    /// asked tells by itself when it has more, unless it was asked about too much.
    fn ask_others(&mut self, env: &mut Env<'_, '_>) {
        let now = env.cx.now;
        let mut asks = Vec::new();
        for (key, fetch) in &mut self.fetches {
            if fetch.others.0 > now {
                continue;
            }
            let wait = fetch.others.1.saturating_mul(2).min(REST_MAX);
            fetch.others = (now.after(wait), wait);
            let links = self.links.iter();
            let others = links.filter(|(link, state)| {
                state.topics.contains(&key.local) && !fetch.sources.contains_key(link)
            });
            asks.extend(others.map(|(link, _)| (*link, *key)));
        }
        for (link, key) in asks {
            self.ask_for(env, link, key);
        }
    }

    /// What was asked for it, or is being read, finds nobody when it comes.
    pub(super) fn end_fetch(&mut self, key: &Key) {
        let Some(fetch) = self.fetches.remove(key) else {
            return;
        };
        self.writing.remove(&fetch.name);
        let writing = fetch
            .busy
            .iter()
            .filter(|(_, busy)| **busy == Busy::Writing);
        let lens = writing.filter_map(|(part, _)| Some(place(&fetch.manifest, *part)?.1));
        self.in_flight = self.in_flight.saturating_sub(lens.sum());
    }

    pub(super) fn begin(&mut self, env: &mut Env<'_, '_>, key: Key, row: &ContentRow) {
        let Ok(manifest) = CheckedManifest::of(&key.manifest) else {
            return;
        };
        if row.whole || self.fetches.contains_key(&key) {
            return;
        }
        let (here, pages) = bits_of(env.cx, &key, row);
        let mut stored = vec![false; manifest.pages() as usize];
        for page in pages {
            if let Some(stored) = stored.get_mut(page as usize) {
                *stored = true;
            }
        }
        let fetch = Fetch {
            manifest,
            name: row.name,
            here,
            stored,
            listed: row.listed,
            list: None,
            busy: BTreeMap::new(),
            work: BTreeMap::new(),
            // Of several who fetch the same from one another each begins elsewhere.
            next: env.cx.rng.below(u64::from(manifest.pages())) as u32,
            sources: BTreeMap::new(),
            bad: BTreeSet::new(),
            moved: env.cx.now,
            others: (env.cx.now.after(REST), REST),
        };
        self.fetches.insert(key, fetch);
        self.look_around_later(env);
        self.writing.insert(row.name, key);
        let links = self
            .links
            .iter()
            .filter(|(_, link)| link.topics.contains(&key.local));
        let links: Vec<LinkId> = links.map(|(link, _)| *link).collect();
        for link in links {
            self.ask_for(env, link, key);
        }
        self.pump(env, key);
    }

    fn ask_for(&self, env: &mut Env<'_, '_>, link: LinkId, key: Key) {
        let manifest = key.manifest;
        env.out.push(Output::Send {
            link,
            topic: key.local,
            frame: TopicFrame::BlocksAsk { manifest },
        });
    }

    /// A link has proved a topic: it may have what is wanted there.
    pub(super) fn ask_about(&mut self, env: &mut Env<'_, '_>, link: LinkId, topic: super::Local) {
        let keys = self.fetches.keys().filter(|key| key.local == topic);
        for key in keys.copied().collect::<Vec<Key>>() {
            self.ask_for(env, link, key);
        }
    }

    pub(super) fn on_here(
        &mut self,
        env: &mut Env<'_, '_>,
        link: LinkId,
        key: Key,
        slots: Vec<SlotRange>,
    ) {
        if !self.fetches.contains_key(&key) && self.fetches.len() < MAX_FETCHES {
            let row = row_of(env.cx, &key).filter(|row| row.wanted && !row.whole);
            if let Some(row) = row {
                self.begin(env, key, &row);
            }
        }
        let Some(fetch) = self.fetches.get_mut(&key) else {
            return;
        };
        let known = fetch.sources.contains_key(&link);
        let whole = |slots: &[SlotRange]| {
            let first = slots.first();
            first.is_some_and(|range| range.first == 0 && range.count >= key.manifest.count)
        };
        if !known && fetch.sources.len() >= MAX_SOURCES && whole(&slots) {
            // Who has all of it takes the place of one who has a part.
            let part = fetch
                .sources
                .iter()
                .find(|(_, it)| !it.is_whole(key.manifest.count));
            let part = part.map(|(link, _)| *link);
            part.into_iter().for_each(|link| fetch.no_source(link));
        }
        let room = known || fetch.sources.len() < MAX_SOURCES;
        if room && !slots.is_empty() && !fetch.bad.contains(&link) {
            let source = Source::new(slots, &fetch.here);
            fetch.sources.insert(link, source);
            self.pump(env, key);
        }
    }

    pub(super) fn pump_all(&mut self, env: &mut Env<'_, '_>) {
        if self.disk_failed || self.full {
            return;
        }
        let sources = self.fetches.values().flat_map(|fetch| fetch.sources.keys());
        let links: BTreeSet<LinkId> = sources.copied().collect();
        for link in links {
            self.pump_link(env, link);
        }
        let keys: Vec<Key> = self.fetches.keys().copied().collect();
        for key in keys {
            self.read_own(env, key);
        }
    }

    /// Asks for what a fetch lacks, and reads what it needs of what is here.
    fn pump(&mut self, env: &mut Env<'_, '_>, key: Key) {
        if self.disk_failed || self.full {
            return;
        }
        let links: Vec<LinkId> = match self.fetches.get(&key) {
            Some(fetch) => fetch.sources.keys().copied().collect(),
            None => return,
        };
        for link in links {
            let state = self.links.get(&link);
            if state.is_some_and(|state| state.asked <= ASK_BELOW) {
                self.ask_link(env, key, link, LINK_WINDOW);
            }
        }
        self.read_own(env, key);
    }

    fn read_own(&mut self, env: &mut Env<'_, '_>, key: Key) {
        let Some(fetch) = self.fetches.get_mut(&key) else {
            return;
        };
        let (name, manifest) = (fetch.name, fetch.manifest);
        let unread = fetch.unread();
        for part in &unread {
            fetch.occupy(*part, Busy::Reading);
        }
        for part in unread {
            if let Some((at, len)) = place(&manifest, part) {
                self.read_piece(env, None, (key, part), (name, at, len));
            }
        }
    }

    /// Whether a peer that is near, and gives enough, has all of what is asked for: no other is asked then.
    fn is_near_by(&self, now: Time, key: &Key, link: LinkId) -> bool {
        let Some(fetch) = self.fetches.get(key) else {
            return false;
        };
        let near = |link: &LinkId| {
            let state = self.links.get(link);
            state.is_some_and(|state| state.near && !state.muted && !state.spell.is_slow(now))
        };
        let whole = |source: &Source| source.is_whole(key.manifest.count);
        let mut sources = fetch.sources.iter();
        !near(&link) && sources.any(|(other, source)| near(other) && whole(source))
    }

    /// A link has room: the contents that are fetched of it take turns, so that a long one keeps none waiting.
    fn pump_link(&mut self, env: &mut Env<'_, '_>, link: LinkId) {
        let Some(state) = self.links.get(&link) else {
            return;
        };
        if state.asked > ASK_BELOW || self.disk_failed || self.full {
            return;
        }
        let fetches = self.fetches.iter();
        let mut keys: Vec<Key> = fetches
            .filter(|(_, fetch)| fetch.sources.contains_key(&link))
            .map(|(key, _)| *key)
            .collect();
        let next = keys.partition_point(|key| Some(*key) <= state.turn);
        keys.rotate_left(next);
        let share = (LINK_WINDOW - ASK_BELOW) / keys.len().max(1);
        // What some leave over goes to the others.
        for share in [share, LINK_WINDOW] {
            for key in &keys {
                self.ask_link(env, *key, link, share);
            }
        }
        for key in keys {
            self.read_own(env, key);
        }
    }

    /// Asks a link for so many bytes of a content, and a part more.
    fn ask_link(&mut self, env: &mut Env<'_, '_>, key: Key, link: LinkId, share: usize) {
        if self.is_near_by(env.cx.now, &key, link) {
            return;
        }
        let mut parts = Vec::new();
        let mut bytes = 0_usize;
        while parts.len() < MAX_PARTS && self.in_flight < MAX_IN_FLIGHT && bytes < share {
            let Some(fetch) = self.fetches.get_mut(&key) else {
                return;
            };
            let state = self.links.get_mut(&link);
            let Some(state) = state.filter(|link| !link.muted && link.asked < LINK_WINDOW) else {
                break;
            };
            let Some(part) = fetch.next_part(link) else {
                break;
            };
            let len = place(&fetch.manifest, part).map_or(0, |(_, len)| len);
            fetch.occupy(part, Busy::Asked(link));
            if state.asks.is_empty() {
                state.spell.begin(env.cx.now);
            }
            state.asks.push((key, part));
            state.asked = state.asked.saturating_add(len);
            state.turn = Some(key);
            self.in_flight = self.in_flight.saturating_add(len);
            bytes = bytes.saturating_add(len);
            parts.push(part);
        }
        if parts.is_empty() {
            return;
        }
        let at = env.cx.now.after(PATIENCE);
        self.timers.set_earlier(Timer::Patience(link), at);
        let manifest = key.manifest;
        env.out.push(Output::Send {
            link,
            topic: key.local,
            frame: TopicFrame::BlockWant { manifest, parts },
        });
    }

    /// Parts that were asked for and will not be given.
    pub(super) fn give_up(&mut self, link: LinkId, asks: Vec<(Key, Part)>) {
        for (key, part) in asks {
            let manifest = CheckedManifest::of(&key.manifest).ok();
            let len = manifest.and_then(|manifest| Some(place(&manifest, part)?.1));
            self.in_flight = self.in_flight.saturating_sub(len.unwrap_or(0));
            if let Some(fetch) = self.fetches.get_mut(&key) {
                fetch.free(part, Busy::Asked(link));
            }
        }
    }

    /// A link has not answered for too long: others are asked, and it is left alone for a while.
    pub(super) fn out_of_patience(&mut self, env: &mut Env<'_, '_>, link: LinkId) {
        let Some(state) = self.links.get_mut(&link) else {
            return;
        };
        if state.asks.is_empty() {
            return;
        }
        state.muted = true;
        // Who is near and does not answer is one among others from now on.
        state.near = false;
        state.asked = 0;
        let asks = std::mem::take(&mut state.asks);
        self.give_up(link, asks);
        let again = env.cx.now.after(ASK_AGAIN);
        self.timers.set(Timer::Again(link), again);
        self.pump_all(env);
    }

    pub(super) fn ask_again(&mut self, env: &mut Env<'_, '_>, link: LinkId) {
        if let Some(state) = self.links.get_mut(&link) {
            state.muted = false;
            self.pump_all(env);
        }
    }

    /// A part has come.
    pub(super) fn on_blocks(
        &mut self,
        env: &mut Env<'_, '_>,
        link: LinkId,
        (key, part): (Key, Part),
        bytes: Vec<u8>,
    ) {
        if self.is_challenged(env, link, (key, part), &bytes) {
            return;
        }
        let Some(state) = self.links.get_mut(&link) else {
            return;
        };
        let asked = state.asks.iter().position(|ask| *ask == (key, part));
        // What was given up may come all the same: it is asked of others by now.
        let Some(asked) = asked else {
            return;
        };
        state.asks.remove(asked);
        state.spell.counts(env.cx.now, bytes.len());
        if state.asks.is_empty() {
            state.spell.rest();
        }
        let manifest = CheckedManifest::of(&key.manifest).ok();
        let place = manifest.and_then(|manifest| place(&manifest, part));
        let (at, len) = place.unwrap_or((0, 0));
        state.asked = state.asked.saturating_sub(len);
        if state.asks.is_empty() {
            self.timers.clear(Timer::Patience(link));
        } else {
            let patience = env.cx.now.after(PATIENCE);
            self.timers.set(Timer::Patience(link), patience);
        }
        self.challenge_waits(env.cx.now, link);
        let fetch = self.fetches.get_mut(&key);
        // Of a fetch that has ended and begun anew it may be an answer to the one before.
        let Some(fetch) = fetch.filter(|fetch| fetch.busy.get(&part) == Some(&Busy::Asked(link)))
        else {
            self.in_flight = self.in_flight.saturating_sub(len);
            return self.pump_all(env);
        };
        let bytes_missing = bytes.is_empty();
        let taken = fetch.take(part, &bytes);
        if taken == Taken::Good {
            let name = fetch.name;
            fetch.occupy(part, Busy::Writing);
            let write = ContentEffect::Write { name, at, bytes };
            env.out.push(Output::Content(write));
        } else {
            fetch.free(part, Busy::Asked(link));
            self.in_flight = self.in_flight.saturating_sub(len);
        }
        if bytes_missing {
            // It said that it has it; it is asked again what it has.
            fetch.no_source(link);
        } else if taken == Taken::Bad {
            // Its disk may be at fault: of this content nothing more is taken of it. A second content is no
            // accident.
            fetch.no_source(link);
            if fetch.bad.insert(link)
                && let Some(state) = self.links.get_mut(&link)
            {
                state.bad += 1;
                if state.bad == MAX_BAD {
                    env.out.push(Output::Misbehaved { link });
                }
            }
        }
        if taken == Taken::Good && matches!(part, Part::Blocks(_)) {
            self.pump_link(env, link);
        } else {
            // By a page others can be asked for its blocks; and what did not come leaves room for other contents.
            self.pump_all(env);
        }
    }

    /// A piece that was read for a fetch itself.
    pub(super) fn own_read(
        &mut self,
        env: &mut Env<'_, '_>,
        key: Key,
        part: Part,
        piece: Option<Vec<u8>>,
    ) {
        let Some(fetch) = self.fetches.get_mut(&key) else {
            return;
        };
        if !fetch.free(part, Busy::Reading) {
            return;
        }
        let taken = piece.map_or(Taken::Bad, |piece| fetch.take(part, &piece));
        if taken == Taken::Bad {
            // What the disk has lost is asked for anew.
            match part {
                Part::List => fetch.listed = false,
                Part::Page(page) => {
                    if let Some(stored) = fetch.stored.get_mut(page as usize) {
                        *stored = false;
                    }
                }
                Part::Blocks(_) => {}
            }
        }
        self.pump(env, key);
    }

    /// A part is on stable storage.
    pub(super) fn written(&mut self, env: &mut Env<'_, '_>, name: ContentName, at: u64) {
        let Some((key, part)) = self.being_written(name, at) else {
            return;
        };
        let Some(fetch) = self.fetches.get_mut(&key) else {
            return;
        };
        let len = place(&fetch.manifest, part).map_or(0, |(_, len)| len);
        fetch.free(part, Busy::Writing);
        fetch.moved = env.cx.now;
        fetch.others = (env.cx.now.after(REST), REST);
        self.in_flight = self.in_flight.saturating_sub(len);
        match part {
            Part::List => {
                fetch.listed = true;
                if let Some(mut row) = row_of(env.cx, &key) {
                    row.listed = true;
                    put_row(env.cx, &key, &row);
                }
            }
            Part::Page(page) => {
                if let Some(stored) = fetch.stored.get_mut(page as usize) {
                    *stored = true;
                }
                put_page(env, key, fetch, page);
            }
            Part::Blocks(range) => {
                for slot in range.first..range.end() {
                    fetch.here.set(slot);
                }
                let page = range.first / PAGE_REFERENCES;
                put_page(env, key, fetch, page);
                let mut slots = fetch.manifest.slots(page);
                if slots.all(|slot| fetch.here.has(slot)) {
                    fetch.work.remove(&page);
                }
                self.changed(env, key);
            }
        }
        if self.is_complete(&key) {
            return self.complete(env, key);
        }
        self.pump_all(env);
    }

    fn is_complete(&self, key: &Key) -> bool {
        let fetch = self.fetches.get(key);
        fetch.is_some_and(|fetch| {
            fetch.here.is_full() && fetch.listed && fetch.stored.iter().all(|stored| *stored)
        })
    }

    fn complete(&mut self, env: &mut Env<'_, '_>, key: Key) {
        if let Some(mut row) = row_of(env.cx, &key) {
            let (_, pages) = bits_of(env.cx, &key, &row);
            row.whole = true;
            put_row(env.cx, &key, &row);
            for page in pages {
                env.cx.store.delete(PAGE, key.page(page));
            }
        }
        self.end_fetch(&key);
        env.out.push(Output::Whole {
            topic: key.local,
            manifest: key.manifest,
        });
        self.changed(env, key);
        self.fill(env);
        self.pump_all(env);
    }

    /// A part could not be written.
    pub(super) fn write_failed(
        &mut self,
        env: &mut Env<'_, '_>,
        name: ContentName,
        at: u64,
        why: String,
    ) {
        let Some((key, _)) = self.being_written(name, at) else {
            return;
        };
        // Begun anew when the disk is tried again, from what its rows say.
        self.end_fetch(&key);
        self.retry_disk(env, why);
    }

    pub(super) fn being_written(&self, name: ContentName, at: u64) -> Option<(Key, Part)> {
        let key = *self.writing.get(&name)?;
        let fetch = self.fetches.get(&key)?;
        let mut writing = fetch
            .busy
            .iter()
            .filter(|(_, busy)| **busy == Busy::Writing);
        let part = writing.find(|(part, _)| {
            place(&fetch.manifest, **part).is_some_and(|(place, _)| place == at)
        })?;
        Some((key, *part.0))
    }
}

/// Writes down which blocks of a page are here.
fn put_page(env: &mut Env<'_, '_>, key: Key, fetch: &Fetch, page: u32) {
    let slots = fetch.manifest.slots(page);
    let bits = fetch.here.bytes(slots.start, slots.len() as u32);
    env.cx.store.put(PAGE, key.page(page), bits);
}

impl Fetch {
    /// Verifies a part, and keeps what it lists.
    fn take(&mut self, part: Part, bytes: &[u8]) -> Taken {
        let good = match part {
            Part::List => {
                self.list = PageList::decode(&self.manifest, bytes).ok();
                self.list.is_some()
            }
            Part::Page(page) => {
                let Some(list) = &self.list else {
                    return Taken::Unknown;
                };
                let read = Page::decode(list, page, bytes).ok();
                let good = read.is_some();
                if let Some(work) = self.work.get_mut(&page) {
                    work.page = read;
                }
                good
            }
            Part::Blocks(range) => {
                let work = self.work.get(&(range.first / PAGE_REFERENCES));
                let Some(page) = work.and_then(|work| work.page.as_ref()) else {
                    return Taken::Unknown;
                };
                page.verify_run(range, bytes).is_ok() || is(Bug::BlocksUnchecked)
            }
        };
        if good { Taken::Good } else { Taken::Bad }
    }
}
