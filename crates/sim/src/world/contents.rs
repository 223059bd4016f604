//! What a machine's disk does with contents: one piece after the other, each durable when it is done.

use super::host::{Around, Happening, Host};
use crate::metrics::TurnKind;
use machine::{ContentDone, ContentEffect, ContentName, MAX_LISTED};
use node::Input;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::time::Duration;

/// The contents on a disk.
#[derive(Clone, Debug, Default)]
pub(crate) struct Contents(BTreeMap<ContentName, Vec<u8>>);

/// Longest content in a simulated world.
const MAX_LEN: usize = 64 << 20;

impl Contents {
    fn perform(&mut self, effect: ContentEffect) -> ContentDone {
        let place = |at: u64, len: usize| {
            let at = usize::try_from(at).ok()?;
            let end = at.checked_add(len)?;
            (end <= MAX_LEN).then_some((at, end))
        };
        match effect {
            ContentEffect::Write { name, at, bytes } => {
                let Some((from, to)) = place(at, bytes.len()) else {
                    return ContentDone::Failed(name, at, "too long for this world".to_owned());
                };
                let content = self.0.entry(name).or_default();
                if content.len() < to {
                    content.resize(to, 0);
                }
                content[from..to].copy_from_slice(&bytes);
                ContentDone::Written(name, at)
            }
            ContentEffect::Read { name, at, len } => {
                let place = place(at, len as usize);
                let content = self.0.get(&name);
                let piece = place.and_then(|(from, to)| content?.get(from..to));
                ContentDone::Read(name, at, piece.map(<[u8]>::to_vec))
            }
            ContentEffect::Delete(name) => {
                self.0.remove(&name);
                ContentDone::Deleted(name)
            }
            ContentEffect::List { after } => {
                let from = after.map_or(Bound::Unbounded, Bound::Excluded);
                let names = self.0.range((from, Bound::Unbounded));
                let names = names.map(|(name, _)| *name).take(MAX_LISTED);
                ContentDone::Listed(names.collect())
            }
        }
    }
}

impl Host {
    /// Hands a piece of work to the disk, after all that it has been given before.
    pub(super) fn content(&mut self, around: &mut Around<'_>, effect: ContentEffect) {
        let long = self.plan(around.plan).commit_us;
        let lives = self.lives;
        let Some(life) = &mut self.life else { return };
        let at = life.disk_free.max(around.now);
        let at = at.after(Duration::from_micros(long.max(1)));
        life.disk_free = at;
        let effect = Box::new(effect);
        self.later(
            around,
            at,
            self.no,
            Happening::Content {
                life: lives,
                effect,
            },
        );
    }

    /// The disk has done a piece of work. What a crash interrupts is not done at all.
    pub(crate) fn content_done(&mut self, around: &mut Around<'_>, effect: ContentEffect) {
        let done = self.contents.perform(effect);
        self.input(around, Input::Content(done), TurnKind::Other);
    }
}
