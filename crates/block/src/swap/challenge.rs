//! Asking a peer for a part of what it says it holds, to see whether it does.

use identity::EnvelopeId;
use machine::Time;
use wire::{Manifest, Part, SlotRange, TopicFrame};

use super::limits::{CHALLENGE_LOOKS, CHALLENGE_PATIENCE, CHALLENGE_TRIES};
use super::row::{USE, id_of};
use super::{Env, Key, Link, LinkId, Local, Output, Swap, Timer};
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
    /// How often it may still be said.
    tries: u32,
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

    /// What is still to come.
    fn parts(&self) -> Vec<Part> {
        let page = Part::Page(self.slot / PAGE_REFERENCES);
        let all = [Part::List, page, Part::Blocks(self.run())];
        let next = self.next();
        all.into_iter().skip_while(|part| *part != next).collect()
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
    /// Some contents of a topic, from one that is drawn at random on, with the envelopes that name them, in an
    /// order that is drawn too.
    #[must_use]
    pub fn drawn(env: &mut Env<'_, '_>, topic: Local) -> Vec<(Manifest, EnvelopeId)> {
        let prefix = topic.to_be_bytes();
        let from: [u8; 32] = env.cx.rng.array();
        let to = [&prefix[..], &[0xff; 77]].concat();
        let begins = [[&prefix[..], &from].concat(), prefix.to_vec()];
        let mut drawn = Vec::new();
        for from in &begins {
            let left = CHALLENGE_LOOKS.saturating_sub(drawn.len());
            for (at, _) in env.cx.store.scan(USE, from, &to, left) {
                let named = Key::read(&at).and_then(|(key, id)| Some((key.manifest, id_of(id)?)));
                drawn.extend(named);
            }
        }
        env.cx.rng.shuffle(&mut drawn);
        drawn
    }

    /// Asks a peer that says it holds an envelope with its blocks for one of these. [`Output::Challenged`] says
    /// what came of it. False where it is asked already, has not proved the topic, or owes something else, which
    /// may take long: nobody is to seem silent who is at work.
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
        let idle =
            |state: &Link| state.topics.contains(&topic) && state.asks.is_empty() && !state.muted;
        let idle = self.links.get(&link).is_some_and(idle);
        let busy = self.challenges.contains_key(&link) || self.fetches.contains_key(&key);
        let manifest = CheckedManifest::of(manifest).ok();
        let Some(manifest) = manifest.filter(|_| idle && !busy) else {
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
            tries: CHALLENGE_TRIES,
        };
        self.challenges.insert(link, challenge);
        self.say_challenge(env, link);
        true
    }

    /// Asks for what is still to come. A peer whose rules let it give nothing now says nothing, so it is asked
    /// more than once.
    pub(super) fn say_challenge(&mut self, env: &mut Env<'_, '_>, link: LinkId) {
        let Some(challenge) = self.challenges.get_mut(&link) else {
            return;
        };
        let Some(left) = challenge.tries.checked_sub(1) else {
            return self.challenged(env, link, Found::Silence);
        };
        challenge.tries = left;
        let (key, parts) = (challenge.key, challenge.parts());
        let manifest = key.manifest;
        env.out.push(Output::Send {
            link,
            topic: key.local,
            frame: TopicFrame::BlockWant { manifest, parts },
        });
        self.challenge_waits(env.cx.now, link);
    }

    /// Something that was asked for came of a link: it is at work, and has more time.
    pub(super) fn challenge_waits(&mut self, now: Time, link: LinkId) {
        if self.challenges.contains_key(&link) {
            let at = now.after(CHALLENGE_PATIENCE);
            self.timers.set(Timer::Challenge(link), at);
        }
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
            None => self.challenge_waits(env.cx.now, link),
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
