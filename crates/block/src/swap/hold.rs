//! What is kept of contents: who names them, whether they are wanted, and when they go.

use identity::EnvelopeId;
use machine::{ContentName, Cx};
use thiserror::Error;
use wire::{Manifest, SlotRange};

use super::bits::Bits;
use super::limits::{EXPIRED_PER_TURN, MAX_FETCHES, MAX_USES};
use super::row::{CONTENT, ContentRow, END, NAME, PAGE, USE, WANTED, id_of};
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

pub(super) fn put_row(cx: &mut Cx<'_>, key: &Key, row: &ContentRow) {
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
        if env.cx.store.prefix(USE, &key.bytes(), 1).is_empty() {
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
