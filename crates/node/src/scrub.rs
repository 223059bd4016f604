//! Contents are read through from time to time, so that what a disk has lost is noticed before it is needed:
//! what damaged parts can be fetched anew is fetched, and no receipt goes on to say that they are held.

use crate::files::Job;
use crate::io::{FileDone, FileJob};
use crate::limits::{SCRUB_BYTES_PER_SECOND, SCRUB_FIRST, SCRUB_PAUSE, SCRUB_ROUND};
use crate::node::{Inner, Turn};
use crate::rows::NODE;
use crate::timer::Timer;
use block::swap::{Swap, Whole};
use machine::ContentName;
use std::time::Duration;

/// Key of the row that says which content was read last.
const SCRUBBED: &[u8] = b"scrubbed";

impl Inner {
    /// There is a content that may be looked at some day.
    pub(crate) fn scrub_later(&mut self, turn: &Turn<'_, '_>) {
        if self.timers.get(Timer::Scrub).is_none() && !self.files.verifies() {
            let at = turn.cx.now.after(SCRUB_FIRST);
            self.timers.set(Timer::Scrub, at);
        }
    }

    /// The next content is read through; after the last one all begins again.
    pub(crate) fn scrub(&mut self, turn: &mut Turn<'_, '_>) {
        let last = turn.cx.store.get(NODE, SCRUBBED);
        let last = last.and_then(|name| Some(ContentName(name.try_into().ok()?)));
        match Swap::next_whole(turn.cx, last) {
            (Some(found), _) => {
                if self.verify(turn, found) {
                    turn.cx.store.put(NODE, SCRUBBED, found.name.0);
                }
            }
            // None of these: there are others.
            (None, Some(last)) => {
                turn.cx.store.put(NODE, SCRUBBED, last.0);
                self.timers.set(Timer::Scrub, turn.cx.now);
            }
            (None, None) if last.is_some() => {
                turn.cx.store.delete(NODE, SCRUBBED);
                let at = turn.cx.now.after(SCRUB_ROUND);
                self.timers.set(Timer::Scrub, at);
            }
            // There is none: it is set again when there is.
            (None, None) => {}
        }
    }

    /// Has a content read through, unless it is being read. Says whether it is.
    pub(crate) fn verify(&mut self, turn: &mut Turn<'_, '_>, found: Whole) -> bool {
        if self.files.is_verified(&found) {
            return true;
        }
        let what = FileJob::Verify {
            content: found.name,
            manifest: found.manifest,
        };
        let begun = self.begin_job(turn, Job::Verify(found), what).is_ok();
        if !begun {
            // There is more urgent work.
            let at = turn.cx.now.after(SCRUB_PAUSE);
            self.timers.set_earlier(Timer::Scrub, at);
        }
        begun
    }

    /// A content was read through.
    pub(crate) fn verified(&mut self, turn: &mut Turn<'_, '_>, found: &Whole, done: &FileDone) {
        match done {
            FileDone::Verified { damaged } => {
                self.with_swap(turn, |swap, env| swap.damaged(env, found, damaged));
            }
            FileDone::Gone => self.with_swap(turn, |swap, env| swap.lost(env, found)),
            // It could not be read now; it comes again with the next round.
            _ => {}
        }
        let took = Duration::from_secs(found.manifest.bytes / SCRUB_BYTES_PER_SECOND);
        let at = turn.cx.now.after(took.max(SCRUB_PAUSE));
        self.timers.set_earlier(Timer::Scrub, at);
    }
}
