//! What is kept of contents: who names them, whether they are wanted, and when they go.

use std::collections::BTreeSet;

use identity::EnvelopeId;
use machine::planted::{Bug, is};
use machine::{ContentName, Cx};
use thiserror::Error;
use wire::{Manifest, Part, SlotRange};

use super::bits::Bits;
use super::limits::{EXPIRED_PER_TURN, LOOKED_AT, MAX_FETCHES, MAX_USES};
use super::row::{CONTENT, ContentRow, END, LIMIT, NAME, PAGE, TAKEN, USE, WANTED, id_of};
use super::{Env, Key, Local, Output, Swap, Timer, Use};
use crate::limits::PAGE_REFERENCES;
use crate::manifest::{CheckedManifest, ManifestError};

/// What is known of a content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// Where its pieces are.
    pub name: ContentName,
    /// Blocks that are here.
    pub have: u32,
    /// It is being fetched, or was to be.
    pub wanted: bool,
    /// All blocks are here.
    pub whole: bool,
    /// Links from which something of it can be had.
    pub sources: usize,
}

/// A content that is here, or was when it was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whole {
    /// The topic.
    pub topic: Local,
    /// Its manifest.
    pub manifest: Manifest,
    /// Where its pieces are.
    pub name: ContentName,
}

/// A manifest that no content can have, or a content that nobody has named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotAContent {
    /// Its numbers are those of no content.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// No envelope of the topic names it.
    #[error("no envelope of the topic names this content")]
    Unknown,
}

/// At most so many contents of a topic, after one.
pub(super) fn contents_of(
    cx: &mut Cx<'_>,
    local: Local,
    after: Option<&Key>,
    limit: usize,
) -> Vec<Key> {
    let from = match after {
        Some(after) => [after.bytes().as_slice(), &[0]].concat(),
        None => local.to_be_bytes().to_vec(),
    };
    let to = local
        .checked_add(1)
        .map_or(vec![0xff; 8], |next| next.to_be_bytes().to_vec());
    let rows = cx.store.scan(CONTENT, &from, &to, limit);
    rows.iter()
        .filter_map(|(key, _)| Some(Key::read(key)?.0))
        .collect()
}

pub(super) fn row_of(cx: &mut Cx<'_>, key: &Key) -> Option<ContentRow> {
    ContentRow::decode(&cx.store.get(CONTENT, &key.bytes())?)
}

/// What a content takes on the disk, or will when it is whole.
fn weight(key: &Key, row: Option<&ContentRow>) -> u64 {
    let counts = row.is_some_and(|row| row.whole || row.wanted);
    let manifest = CheckedManifest::of(&key.manifest).ok().filter(|_| counts);
    manifest.map_or(0, |manifest| manifest.content_len())
}

/// A content takes as much as a new row of it says, no more as the old one did.
fn weigh(cx: &mut Cx<'_>, key: &Key, row: Option<&ContentRow>) {
    let before = row_of(cx, key);
    let (was, is) = (weight(key, before.as_ref()), weight(key, row));
    if was != is {
        let taken = number(cx, TAKEN, key.local).unwrap_or(0);
        let taken = taken.saturating_sub(was).saturating_add(is);
        let at = key.local.to_be_bytes();
        match taken {
            0 => cx.store.delete(TAKEN, at),
            taken => cx.store.put(TAKEN, at, taken.to_be_bytes()),
        }
    }
}

fn number(cx: &mut Cx<'_>, table: machine::Table, topic: Local) -> Option<u64> {
    let bytes = cx.store.get(table, &topic.to_be_bytes())?;
    Some(u64::from_be_bytes(bytes.try_into().ok()?))
}

pub(super) fn put_row(cx: &mut Cx<'_>, key: &Key, row: &ContentRow) {
    weigh(cx, key, Some(row));
    cx.store.put(CONTENT, key.bytes(), row.encode());
    let wanted = row.wanted && !row.whole;
    if wanted {
        cx.store.put(WANTED, key.bytes(), []);
    } else if cx.store.has(WANTED, &key.bytes()) {
        cx.store.delete(WANTED, key.bytes());
    }
}

/// The blocks that are here, from the rows, and which pages are.
pub(super) fn bits_of(cx: &mut Cx<'_>, key: &Key, row: &ContentRow) -> (Bits, Vec<u32>) {
    let mut bits = Bits::new(key.manifest.count);
    let mut pages = Vec::new();
    if row.whole {
        (0..key.manifest.count).for_each(|slot| _ = bits.set(slot));
        return (bits, pages);
    }
    let most = crate::limits::MAX_BLOCKS.div_ceil(PAGE_REFERENCES) as usize;
    for (at, value) in cx.store.prefix(PAGE, &key.bytes(), most) {
        let page =
            Key::read(&at).and_then(|(_, page)| Some(u32::from_be_bytes(page.try_into().ok()?)));
        if let Some(page) = page {
            bits.load(page.saturating_mul(PAGE_REFERENCES), &value);
            pages.push(page);
        }
    }
    (bits, pages)
}

impl Swap {
    /// An envelope of a topic names a manifest: what is here of it is kept until the envelope expires
    /// (milliseconds since 1970; 0 never) or is [removed](Swap::unuse). Nothing is fetched by this.
    ///
    /// # Errors
    /// [`NotAContent::Manifest`].
    pub fn used(
        &mut self,
        env: &mut Env<'_, '_>,
        topic: Local,
        manifest: &Manifest,
        (id, expires): (Use, u64),
    ) -> Result<(), NotAContent> {
        CheckedManifest::of(manifest)?;
        let key = Key {
            local: topic,
            manifest: *manifest,
        };
        if row_of(env.cx, &key).is_none() {
            let row = ContentRow {
                name: ContentName(env.cx.rng.array()),
                wanted: false,
                listed: false,
                whole: false,
            };
            put_row(env.cx, &key, &row);
            env.cx.store.put(NAME, row.name.0, key.bytes());
        }
        env.cx
            .store
            .put(USE, key.used_by(&id), expires.to_be_bytes());
        if expires > 0 {
            env.cx.store.put(END, key.ends(expires, &id), []);
            self.expire_later(env);
        }
        Ok(())
    }

    /// An envelope is no more; what no other names goes.
    pub fn unuse(&mut self, env: &mut Env<'_, '_>, topic: Local, manifest: &Manifest, id: &Use) {
        let key = Key {
            local: topic,
            manifest: *manifest,
        };
        self.end_use(env, key, id);
    }

    pub(super) fn end_use(&mut self, env: &mut Env<'_, '_>, key: Key, id: &EnvelopeId) {
        let Some(expires) = env.cx.store.get(USE, &key.used_by(id)) else {
            return;
        };
        env.cx.store.delete(USE, key.used_by(id));
        if let Ok(expires) = expires.try_into().map(u64::from_be_bytes) {
            env.cx.store.delete(END, key.ends(expires, id));
        }
        if env.cx.store.prefix(USE, &key.bytes(), 1).is_empty() || is(Bug::BlocksGoWithFirst) {
            self.remove(env, key);
        }
    }

    /// All blocks are wanted, and stay when they are here.
    ///
    /// # Errors
    /// [`NotAContent`].
    pub fn want(
        &mut self,
        env: &mut Env<'_, '_>,
        topic: Local,
        manifest: &Manifest,
    ) -> Result<(), NotAContent> {
        let key = Key {
            local: topic,
            manifest: *manifest,
        };
        let mut row = row_of(env.cx, &key).ok_or(NotAContent::Unknown)?;
        if !row.wanted {
            row.wanted = true;
            put_row(env.cx, &key, &row);
        }
        if !row.whole && self.fetches.len() < MAX_FETCHES {
            self.begin(env, key, &row);
        }
        self.look_around_later(env);
        Ok(())
    }

    /// What is here of a content goes, and is not fetched; it can be wanted again.
    pub fn drop(&mut self, env: &mut Env<'_, '_>, topic: Local, manifest: &Manifest) {
        let key = Key {
            local: topic,
            manifest: *manifest,
        };
        if let Some(row) = row_of(env.cx, &key) {
            self.remove_pieces(env, key, &row);
            let row = ContentRow {
                name: ContentName(env.cx.rng.array()),
                wanted: false,
                listed: false,
                whole: false,
            };
            put_row(env.cx, &key, &row);
            env.cx.store.put(NAME, row.name.0, key.bytes());
        }
    }

    /// The whole content is here already, in the pieces of this name. Pieces that were here before go;
    /// so do these, where all was here before.
    ///
    /// # Errors
    /// [`NotAContent`].
    pub fn adopt(
        &mut self,
        env: &mut Env<'_, '_>,
        topic: Local,
        manifest: &Manifest,
        name: ContentName,
    ) -> Result<(), NotAContent> {
        let key = Key {
            local: topic,
            manifest: *manifest,
        };
        let row = row_of(env.cx, &key).ok_or(NotAContent::Unknown)?;
        if row.whole {
            env.out.push(Output::Delete(name));
            return Ok(());
        }
        self.remove_pieces(env, key, &row);
        let row = ContentRow {
            name,
            // Should the disk lose it, it is fetched from who has it by then.
            wanted: true,
            listed: true,
            whole: true,
        };
        put_row(env.cx, &key, &row);
        env.cx.store.put(NAME, name.0, key.bytes());
        self.changed(env, key);
        let manifest = *manifest;
        env.out.push(Output::Whole { topic, manifest });
        Ok(())
    }

    /// What is known of a content.
    pub fn known(&self, cx: &mut Cx<'_>, topic: Local, manifest: &Manifest) -> Option<Known> {
        let key = Key {
            local: topic,
            manifest: *manifest,
        };
        let row = row_of(cx, &key)?;
        let fetch = self.fetches.get(&key);
        let have = match fetch {
            _ if row.whole => manifest.count,
            Some(fetch) => fetch.have(),
            None => bits_of(cx, &key, &row).0.count(),
        };
        Some(Known {
            name: row.name,
            have,
            wanted: row.wanted,
            whole: row.whole,
            sources: fetch.map_or(0, super::fetch::Fetch::sources),
        })
    }

    /// What the contents of a topic take on the disk, those that are being fetched as if they were whole; and
    /// how much that may be, if somebody has said so. It is for the node to keep to it.
    pub fn room(cx: &mut Cx<'_>, topic: Local) -> (u64, Option<u64>) {
        let taken = number(cx, TAKEN, topic).unwrap_or(0);
        (taken, number(cx, LIMIT, topic))
    }

    /// Says what the contents of a topic may take.
    pub fn set_limit(cx: &mut Cx<'_>, topic: Local, bytes: Option<u64>) {
        let at = topic.to_be_bytes();
        match bytes {
            Some(bytes) => cx.store.put(LIMIT, at, bytes.to_be_bytes()),
            None => cx.store.delete(LIMIT, at),
        }
    }

    /// The next content by its name that is whole, among the next [`LOOKED_AT`]; and where to go on, if there
    /// are any beyond these.
    pub fn next_whole(
        cx: &mut Cx<'_>,
        after: Option<ContentName>,
    ) -> (Option<Whole>, Option<ContentName>) {
        let from = after.map_or(Vec::new(), |after| [after.0.as_slice(), &[0]].concat());
        let some = cx.store.scan(NAME, &from, &[0xff; 33], LOOKED_AT);
        let found = some.iter().find_map(|(_, key)| {
            let (key, _) = Key::read(key)?;
            let row = row_of(cx, &key).filter(|row| row.whole)?;
            Some(Whole {
                topic: key.local,
                manifest: key.manifest,
                name: row.name,
            })
        });
        let last = some.last().filter(|_| some.len() == LOOKED_AT);
        let last = last.and_then(|(name, _)| name.as_slice().try_into().ok());
        (found, last.map(ContentName))
    }

    /// Parts of a content have been found to be other than they should be: they are here no more, and are
    /// fetched anew if the content was wanted. Nothing happens where the content has another name by now.
    pub fn damaged(&mut self, env: &mut Env<'_, '_>, found: &Whole, parts: &[Part]) {
        let key = Key {
            local: found.topic,
            manifest: found.manifest,
        };
        let row = row_of(env.cx, &key).filter(|row| row.name == found.name);
        let (Some(mut row), Ok(manifest)) = (row, CheckedManifest::of(&key.manifest)) else {
            return;
        };
        if parts.is_empty() {
            return;
        }
        self.end_fetch(&key);
        let (mut bits, pages) = bits_of(env.cx, &key, &row);
        let mut pages: BTreeSet<u32> = match row.whole {
            true => (0..manifest.pages()).collect(),
            false => pages.into_iter().collect(),
        };
        for part in parts {
            match part {
                Part::List => row.listed = false,
                // Which of its blocks are here is known with the page alone.
                Part::Page(page) => _ = pages.remove(page),
                Part::Blocks(range) => (range.first..range.end()).for_each(|slot| bits.clear(slot)),
            }
        }
        for page in 0..manifest.pages() {
            let slots = manifest.slots(page);
            match pages.contains(&page) {
                true => {
                    let bits = bits.bytes(slots.start, slots.len() as u32);
                    env.cx.store.put(PAGE, key.page(page), bits);
                }
                false => env.cx.store.delete(PAGE, key.page(page)),
            }
        }
        row.whole = false;
        put_row(env.cx, &key, &row);
        let (topic, manifest) = (found.topic, found.manifest);
        env.out.push(Output::Lost { topic, manifest });
        if row.wanted && self.fetches.len() < MAX_FETCHES {
            self.begin(env, key, &row);
        }
        self.look_around_later(env);
    }

    /// The disk has not got what a row says it has: what is here of the content is not believed any more,
    /// and fetched anew if it was wanted.
    pub fn lost(&mut self, env: &mut Env<'_, '_>, found: &Whole) {
        let key = Key {
            local: found.topic,
            manifest: found.manifest,
        };
        // It may have been removed since it was looked for.
        let Some(row) = row_of(env.cx, &key).filter(|row| row.name == found.name) else {
            return;
        };
        let (topic, manifest) = (found.topic, found.manifest);
        self.drop(env, topic, &manifest);
        if row.wanted && self.want(env, topic, &manifest).is_err() {
            // Its row has just been written.
            return;
        }
        env.out.push(Output::Lost { topic, manifest });
    }

    /// Envelopes that name a manifest, the first [`MAX_USES`] by id after one.
    pub fn uses(
        &self,
        cx: &mut Cx<'_>,
        (topic, manifest): (Local, &Manifest),
        after: Option<&Use>,
    ) -> Vec<Use> {
        let key = Key {
            local: topic,
            manifest: *manifest,
        };
        let from = match after {
            Some(after) => [key.used_by(after).as_slice(), &[0]].concat(),
            None => key.bytes(),
        };
        let to = [key.bytes().as_slice(), &[0xff; 33]].concat();
        let rows = cx.store.scan(USE, &from, &to, MAX_USES);
        let id = |row: &(Vec<u8>, Vec<u8>)| id_of(Key::read(&row.0)?.1);
        rows.iter().filter_map(id).collect()
    }

    /// Envelopes of a topic with their manifests, at most so many, in no order that means anything.
    pub fn named(&self, cx: &mut Cx<'_>, topic: Local, limit: usize) -> Vec<(Manifest, Use)> {
        let to = topic
            .checked_add(1)
            .map_or(vec![0xff; 8], |next| next.to_be_bytes().to_vec());
        let rows = cx.store.scan(USE, &topic.to_be_bytes(), &to, limit);
        let used = |row: &(Vec<u8>, Vec<u8>)| {
            let (key, id) = Key::read(&row.0)?;
            Some((key.manifest, id_of(id)?))
        };
        rows.iter().filter_map(used).collect()
    }

    /// The topics of which anything is kept here.
    pub fn topics(cx: &mut Cx<'_>) -> Vec<Local> {
        let mut topics = Vec::new();
        let mut from: Local = 0;
        while let Some((at, _)) = cx
            .store
            .scan(CONTENT, &from.to_be_bytes(), &[0xff; 49], 1)
            .pop()
        {
            let Some((key, _)) = Key::read(&at) else {
                break;
            };
            topics.push(key.local);
            match key.local.checked_add(1) {
                Some(next) => from = next,
                None => break,
            }
        }
        topics
    }

    /// Whether a record names a content: what none names may be removed.
    pub fn is_named(cx: &mut Cx<'_>, name: ContentName) -> bool {
        cx.store.has(NAME, &name.0)
    }

    /// What of a content is here, as it is told.
    pub(super) fn here(&self, cx: &mut Cx<'_>, key: &Key) -> Vec<SlotRange> {
        let most = wire::limits::MAX_SLOT_RANGES;
        if let Some(fetch) = self.fetches.get(key) {
            return fetch.here(most);
        }
        let Some(row) = row_of(cx, key) else {
            return Vec::new();
        };
        if row.whole {
            let (first, count) = (0, key.manifest.count);
            return vec![SlotRange { first, count }];
        }
        bits_of(cx, key, &row).0.ranges(most)
    }

    /// Whether a node has a slot.
    pub(super) fn has(&self, cx: &mut Cx<'_>, key: &Key, row: &ContentRow, slot: u32) -> bool {
        if row.whole {
            return slot < key.manifest.count;
        }
        match self.fetches.get(key) {
            Some(fetch) => fetch.has(slot),
            None => {
                let page = slot / PAGE_REFERENCES;
                let at = slot % PAGE_REFERENCES;
                let bits = cx.store.get(PAGE, &key.page(page));
                let byte = bits.as_ref().and_then(|bits| bits.get((at / 8) as usize));
                byte.is_some_and(|byte| byte >> (at % 8) & 1 == 1)
            }
        }
    }

    /// Removes all that is known of a content.
    pub(super) fn remove(&mut self, env: &mut Env<'_, '_>, key: Key) {
        let Some(row) = row_of(env.cx, &key) else {
            return;
        };
        self.remove_pieces(env, key, &row);
        weigh(env.cx, &key, None);
        env.cx.store.delete(CONTENT, key.bytes());
        for link in self.links.values_mut() {
            link.told.remove(&key);
            link.due.remove(&key);
        }
    }

    fn remove_pieces(&mut self, env: &mut Env<'_, '_>, key: Key, row: &ContentRow) {
        self.end_fetch(&key);
        let (_, pages) = bits_of(env.cx, &key, row);
        for page in pages {
            env.cx.store.delete(PAGE, key.page(page));
        }
        env.cx.store.delete(WANTED, key.bytes());
        env.cx.store.delete(NAME, row.name.0);
        env.out.push(Output::Delete(row.name));
    }

    /// Ends what has expired, in bounded steps. Called on a clock that is confirmed.
    pub(super) fn expire(&mut self, env: &mut Env<'_, '_>) {
        if !self.confirmed {
            return;
        }
        let now = env.cx.wall.as_millis();
        let to = now.saturating_add(1).to_be_bytes();
        let over = env.cx.store.scan(END, &[], &to, EXPIRED_PER_TURN);
        let more = over.len() == EXPIRED_PER_TURN;
        for (at, _) in over {
            let used = at.get(8..).and_then(Key::read);
            if let Some((key, id)) = used.and_then(|(key, id)| Some((key, id_of(id)?))) {
                self.end_use(env, key, &id);
            }
            env.cx.store.delete(END, at);
        }
        if more {
            self.timers.set(Timer::Expire, env.cx.now);
        } else if !env.cx.store.scan(END, &[], &[0xff; 9], 1).is_empty() {
            self.expire_later(env);
        }
    }
}
