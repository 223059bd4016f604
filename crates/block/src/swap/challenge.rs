//! Asking a peer for a part of what it says it holds, to see whether it does.

use core::time::Duration;

use identity::EnvelopeId;
use machine::Time;
use wire::{Manifest, Part, SlotRange, TopicFrame};

use super::limits::CHALLENGE_PATIENCE;
use super::row::{USE, id_of};
use super::{Env, Key, LinkId, Local, Output, Swap, Timer};
use crate::limits::PAGE_REFERENCES;
use crate::manifest::{CheckedManifest, Page, PageList};

/// What became of a question for blocks that a peer says it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// It gave them.
    Kept,
    /// It said that it has not got them.
    Lacks,
    /// It gave something else.
    Other,
    /// It said nothing, on a link that stayed.
    Silence,
}

/// A question that is not answered: for the page list, a page and one block of it, so that what comes proves
/// itself, whatever is here.
#[derive(Debug)]
pub(super) struct Challenge {
    key: Key,
    id: EnvelopeId,
    manifest: CheckedManifest,
    slot: u32,
    list: Option<PageList>,
    page: Option<Page>,
}

impl Challenge {
    /// The part that comes next: a peer gives them in order.
    const fn next(&self) -> Part {
        match (&self.list, &self.page) {
            (None, _) => Part::List,
            (Some(_), None) => Part::Page(self.slot / PAGE_REFERENCES),
            (Some(_), Some(_)) => Part::Blocks(self.run()),
        }
    }

    const fn run(&self) -> SlotRange {
        SlotRange {
            first: self.slot,
            count: 1,
        }
    }

    /// Takes the part that comes next. Nothing where it is right and not the last.
    fn take(&mut self, bytes: &[u8]) -> Option<Found> {
        if bytes.is_empty() {
            return Some(Found::Lacks);
        }
        let Some(list) = &self.list else {
            self.list = PageList::decode(&self.manifest, bytes).ok();
            return self.list.is_none().then_some(Found::Other);
        };
        let Some(page) = &self.page else {
            self.page = Page::decode(list, self.slot / PAGE_REFERENCES, bytes).ok();
            return self.page.is_none().then_some(Found::Other);
        };
        match page.verify_run(self.run(), bytes) {
            Ok(()) => Some(Found::Kept),
            Err(_) => Some(Found::Other),
        }
    }
}

impl Swap {
    /// Some content that an envelope of a topic names, drawn at random.
    #[must_use]
    pub fn drawn(env: &mut Env<'_, '_>, topic: Local) -> Option<(Manifest, EnvelopeId)> {
        let prefix = topic.to_be_bytes();
        let from: [u8; 32] = env.cx.rng.array();
        let to = [&prefix[..], &[0xff; 77]].concat();
        let begins = [[&prefix[..], &from].concat(), prefix.to_vec()];
        let row = begins
            .iter()
            .find_map(|from| env.cx.store.scan(USE, from, &to, 1).pop())?;
        let (key, id) = Key::read(&row.0)?;
        Some((key.manifest, id_of(id)?))
    }

    /// Asks a peer that says it holds an envelope with its blocks for one of these. [`Output::Challenged`] says
    /// what came of it. False where it is asked already, has not proved the topic, or is being fetched from.
    pub fn challenge(
        &mut self,
        env: &mut Env<'_, '_>,
        (link, topic): (LinkId, Local),
        (manifest, id): (&Manifest, EnvelopeId),
    ) -> bool {
        let key = Key {
            local: topic,
            manifest: *manifest,
        };
        let proven = self.links.get(&link);
        let proven = proven.is_some_and(|state| state.topics.contains(&topic));
        let busy = self.challenges.contains_key(&link) || self.fetches.contains_key(&key);
        let Some(manifest) = CheckedManifest::of(manifest)
            .ok()
            .filter(|_| proven && !busy)
        else {
            return false;
        };
        let slot = env.cx.rng.below(u64::from(key.manifest.count.max(1)));
        let slot = u32::try_from(slot).unwrap_or(0);
        let challenge = Challenge {
            key,
            id,
            manifest,
            slot,
            list: None,
            page: None,
        };
        let parts = vec![
            Part::List,
            Part::Page(slot / PAGE_REFERENCES),
            Part::Blocks(challenge.run()),
        ];
        self.challenges.insert(link, challenge);
        self.challenge_until(env.cx.now, link, CHALLENGE_PATIENCE);
        env.out.push(Output::Send {
            link,
            topic,
            frame: TopicFrame::BlockWant {
                manifest: key.manifest,
                parts,
            },
        });
        true
    }

    fn challenge_until(&mut self, now: Time, link: LinkId, patience: Duration) {
        self.timers.set(Timer::Challenge(link), now.after(patience));
    }

    /// A part has come; says whether it is the answer to a question of this kind.
    pub(super) fn is_challenged(
        &mut self,
        env: &mut Env<'_, '_>,
        link: LinkId,
        (key, part): (Key, Part),
        bytes: &[u8],
    ) -> bool {
        let Some(challenge) = self.challenges.get_mut(&link) else {
            return false;
        };
        if challenge.key != key || challenge.next() != part {
            return false;
        }
        match challenge.take(bytes) {
            Some(found) => self.challenged(env, link, found),
            None => self.challenge_until(env.cx.now, link, CHALLENGE_PATIENCE),
        }
        true
    }

    pub(super) fn challenged(&mut self, env: &mut Env<'_, '_>, link: LinkId, found: Found) {
        self.timers.clear(Timer::Challenge(link));
        if let Some(Challenge { key, id, .. }) = self.challenges.remove(&link) {
            env.out.push(Output::Challenged {
                link,
                topic: key.local,
                id,
                found,
            });
        }
    }

    /// A link is gone, or has not proved a topic any more: nothing is said of what it was asked.
    pub(super) fn no_challenge(&mut self, link: LinkId, topic: Option<Local>) {
        let asked = self.challenges.get(&link);
        if asked.is_some_and(|asked| topic.is_none_or(|topic| asked.key.local == topic)) {
            self.challenges.remove(&link);
            self.timers.clear(Timer::Challenge(link));
        }
    }
}
