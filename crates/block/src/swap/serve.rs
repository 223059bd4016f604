//! Giving: what is here, and blocks.

use machine::{ContentEffect, ContentName};
use wire::{Part, TopicFrame};

use super::hold::{Whole, row_of};
use super::limits::{
    MAX_FRAMES_OUT, MAX_OWED, MAX_READ_FOR_PEERS, MAX_TOLD, PARTS_PER_TURN, TELL_EVERY,
};
use super::row::PAGE;
use super::{Env, Key, LinkId, Output, Reading, Swap, Timer};
use crate::manifest::CheckedManifest;

/// Where a part lies in its content, and how long it is; nothing where the manifest has no such part.
pub(super) fn place(manifest: &CheckedManifest, part: Part) -> Option<(u64, usize)> {
    let block = manifest.shape().block_size().bytes();
    let blocks = manifest.shape().blocks();
    match part {
        Part::List => Some((manifest.list_at(), manifest.list_len())),
        Part::Page(page) if page < manifest.pages() => {
            Some((manifest.page_at(page), manifest.page_len(page)))
        }
        Part::Blocks(range) if range.end() <= blocks => {
            let len = block.checked_mul(range.count as usize)?;
            Some((manifest.block_at(range.first), len))
        }
        Part::Page(_) | Part::Blocks(_) => None,
    }
}

impl Swap {
    /// A peer wants to know what is here, now and later.
    pub(super) fn on_ask(&mut self, env: &mut Env<'_, '_>, link: LinkId, key: Key) {
        let Some(state) = self.links.get_mut(&link) else {
            return;
        };
        if state.told.len() < MAX_TOLD {
            state.told.insert(key);
        }
        self.say_here(env, link, key);
    }

    fn say_here(&mut self, env: &mut Env<'_, '_>, link: LinkId, key: Key) {
        let slots = self.here(env.cx, &key);
        // Who has nothing says nothing: it is told when there is something.
        if slots.is_empty() {
            return;
        }
        let manifest = key.manifest;
        let whole = slots.iter().map(|range| range.count).sum::<u32>() == manifest.count;
        if let Some(state) = self.links.get_mut(&link).filter(|_| whole) {
            // There is no more to be told.
            state.told.remove(&key);
        }
        env.out.push(Output::Send {
            link,
            topic: key.local,
            frame: TopicFrame::BlocksHere { manifest, slots },
        });
    }

    /// There is more of a content here: whoever asked is told, a little later.
    pub(super) fn changed(&mut self, env: &Env<'_, '_>, key: Key) {
        let mut any = false;
        for link in self.links.values_mut() {
            any |= link.told.contains(&key) && link.due.insert(key);
        }
        if any {
            let at = env.cx.now.after(TELL_EVERY);
            self.timers.set_earlier(Timer::Tell, at);
        }
    }

    pub(super) fn tell(&mut self, env: &mut Env<'_, '_>) {
        let links: Vec<LinkId> = self.links.keys().copied().collect();
        for link in links {
            let due = self
                .links
                .get_mut(&link)
                .map(|state| std::mem::take(&mut state.due));
            for key in due.into_iter().flatten() {
                self.say_here(env, link, key);
            }
        }
    }

    pub(super) fn on_want(
        &mut self,
        env: &mut Env<'_, '_>,
        link: LinkId,
        key: Key,
        parts: &[Part],
    ) {
        if let Some(state) = self.links.get_mut(&link) {
            let room = MAX_OWED.saturating_sub(state.owed.len());
            state
                .owed
                .extend(parts.iter().take(room).map(|part| (key, *part)));
        }
        self.serve(env, link);
    }

    /// Reads what a peer has asked for, as far as it takes frames and memory lasts.
    pub(super) fn serve(&mut self, env: &mut Env<'_, '_>, link: LinkId) {
        for _ in 0..PARTS_PER_TURN {
            let full = self.read_bytes >= MAX_READ_FOR_PEERS;
            let Some(state) = self.links.get_mut(&link) else {
                return;
            };
            if full || state.out >= MAX_FRAMES_OUT {
                return;
            }
            let Some((key, part)) = state.owed.pop_front() else {
                return;
            };
            match self.lies_at(env, &key, part) {
                Some((name, at, len)) => self.read(env, link, (key, part), (name, at, len)),
                None => self.not_here(env, link, key, part),
            }
        }
        // The rest of what it asks for and is not here takes another turn.
        self.timers.set_earlier(Timer::Serve, env.cx.now);
    }

    /// Where a part lies that is here.
    fn lies_at(
        &self,
        env: &mut Env<'_, '_>,
        key: &Key,
        part: Part,
    ) -> Option<(ContentName, u64, usize)> {
        let manifest = CheckedManifest::of(&key.manifest).ok()?;
        let (at, len) = place(&manifest, part)?;
        let row = row_of(env.cx, key)?;
        let here = match part {
            Part::List => row.listed,
            Part::Page(page) => row.whole || env.cx.store.has(PAGE, &key.page(page)),
            Part::Blocks(range) => {
                (range.first..range.end()).all(|slot| self.has(env.cx, key, &row, slot))
            }
        };
        here.then_some((row.name, at, len))
    }

    fn read(
        &mut self,
        env: &mut Env<'_, '_>,
        link: LinkId,
        (key, part): (Key, Part),
        (name, at, len): (ContentName, u64, usize),
    ) {
        if let Some(state) = self.links.get_mut(&link) {
            state.out += 1;
        }
        self.read_bytes = self.read_bytes.saturating_add(len);
        self.read_piece(env, Some(link), (key, part), (name, at, len));
    }

    /// Has a piece read, for a peer or for the fetch itself.
    pub(super) fn read_piece(
        &mut self,
        env: &mut Env<'_, '_>,
        link: Option<LinkId>,
        (key, part): (Key, Part),
        (name, at, len): (ContentName, u64, usize),
    ) {
        let reading = Reading { key, part, link };
        self.reading
            .entry((name, at))
            .or_default()
            .push_back(reading);
        // A part is never longer than MAX_PART.
        let len = u32::try_from(len).unwrap_or(u32::MAX);
        env.out
            .push(Output::Content(ContentEffect::Read { name, at, len }));
    }

    fn not_here(&mut self, env: &mut Env<'_, '_>, link: LinkId, key: Key, part: Part) {
        let frame = TopicFrame::Blocks {
            manifest: key.manifest,
            part,
            bytes: Vec::new(),
        };
        env.out.push(Output::Send {
            link,
            topic: key.local,
            frame,
        });
    }

    /// A piece was read, or is not there.
    pub(super) fn was_read(
        &mut self,
        env: &mut Env<'_, '_>,
        name: ContentName,
        at: u64,
        read: Result<Option<Vec<u8>>, ()>,
    ) {
        let Some(queue) = self.reading.get_mut(&(name, at)) else {
            return;
        };
        let reading = queue.pop_front();
        if queue.is_empty() {
            self.reading.remove(&(name, at));
        }
        let Some(Reading { key, part, link }) = reading else {
            return;
        };
        let Some(link) = link else {
            return self.own_read(env, key, part, read.ok().flatten());
        };
        let manifest = CheckedManifest::of(&key.manifest).ok();
        let len = manifest.and_then(|manifest| Some(place(&manifest, part)?.1));
        self.read_bytes = self.read_bytes.saturating_sub(len.unwrap_or(0));
        let state = self.links.get_mut(&link);
        let Some(state) = state.filter(|state| state.topics.contains(&key.local)) else {
            if let Some(state) = self.links.get_mut(&link) {
                state.out = state.out.saturating_sub(1);
            }
            return self.serve_all(env);
        };
        match read {
            Ok(Some(bytes)) => {
                let frame = TopicFrame::Blocks {
                    manifest: key.manifest,
                    part,
                    bytes,
                };
                env.out.push(Output::Blocks {
                    link,
                    topic: key.local,
                    frame,
                });
            }
            read => {
                state.out = state.out.saturating_sub(1);
                self.not_here(env, link, key, part);
                if read.is_ok() {
                    let (topic, manifest) = (key.local, key.manifest);
                    let found = Whole {
                        topic,
                        manifest,
                        name,
                    };
                    self.lost(env, &found);
                }
            }
        }
        self.serve_all(env);
    }

    pub(super) fn serve_all(&mut self, env: &mut Env<'_, '_>) {
        let waiting = self.links.iter().filter(|(_, link)| !link.owed.is_empty());
        let waiting: Vec<LinkId> = waiting.map(|(link, _)| *link).collect();
        for link in waiting {
            self.serve(env, link);
        }
    }
}
