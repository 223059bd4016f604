//! Files: whoever has read of one fetches it.

use super::super::contents::fetched_path;
use super::super::host::{Around, Host};
use super::{Asked, Stage, TRY_AGAIN, is_own};
use crate::check::Message;
use machine::Time;
use node::command::files::FilesCommand;
use node::command::{Command, Line, LineKind};
use std::collections::BTreeMap;
use std::time::Duration;

/// A file that somebody has read of.
#[derive(Debug)]
struct Wish {
    /// Its place among the seats.
    seat: usize,
    /// The message, in text.
    id: String,
    stage: Stage,
    /// When it is tried again.
    again: Time,
}

/// The files that somebody has read of, by the steps that share them.
#[derive(Debug, Default)]
pub(super) struct Wishes(BTreeMap<u32, Wish>);

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(120);
/// After how long a file that was not there is asked for again: while faults last, and after them.
const LATER: Duration = Duration::from_secs(300);
const SOON: Duration = Duration::from_secs(20);

impl Wishes {
    pub(super) fn forget_life(&mut self) {
        for wish in self.0.values_mut() {
            if wish.stage == Stage::Asked {
                wish.stage = Stage::Wanted;
            }
        }
    }

    /// Which of them were written is not known any more.
    pub(super) fn was_set_back(&mut self) {
        self.0.clear();
    }
}

impl Host {
    /// Lines were read, perhaps of files.
    pub(super) fn reads_of_files(&mut self, around: &mut Around<'_>, seat: usize, lines: &[Line]) {
        if self.app.pairing.is_device() {
            return;
        }
        for line in lines {
            let LineKind::File {
                unshared: false, ..
            } = line.kind
            else {
                continue;
            };
            let Some(message) = Message::read(&line.text) else {
                continue;
            };
            if !is_own(around.plan, self.no, message) {
                let wish = Wish {
                    seat,
                    id: line.id.to_string(),
                    stage: Stage::Wanted,
                    again: around.now,
                };
                self.app.wishes.0.entry(message.step).or_insert(wish);
            }
        }
        self.fetch_files(around);
    }

    /// Asks for what is to be fetched now.
    pub(super) fn fetch_files(&mut self, around: &mut Around<'_>) {
        let now = around.now;
        let due = |wish: &Wish| wish.stage == Stage::Wanted && wish.again <= now;
        let wishes = self.app.wishes.0.iter();
        let steps: Vec<u32> = wishes
            .filter(|(_, wish)| due(wish))
            .map(|(at, _)| *at)
            .collect();
        for step in steps {
            let Some(wish) = self.app.wishes.0.get_mut(&step) else {
                continue;
            };
            let seat = &self.app.seats[wish.seat];
            let Some(topic) = seat.id.filter(|_| !seat.left) else {
                continue;
            };
            wish.stage = Stage::Asked;
            let get = FilesCommand::Get {
                topic: topic.to_string(),
                file: wish.id.clone(),
                to: fetched_path(Message { step, index: 0 }),
                timeout_ms: u64::try_from(PATIENCE.as_millis()).unwrap_or(u64::MAX),
            };
            self.give(around, Asked::Get { step }, Command::Files(get));
        }
    }

    /// A file was fetched, or not.
    pub(super) fn has_fetched(&mut self, around: &mut Around<'_>, step: u32, done: bool) {
        let wait = if around.net.lies { LATER } else { SOON };
        let Some(wish) = self.app.wishes.0.get_mut(&step) else {
            return;
        };
        if done {
            wish.stage = Stage::Done;
        } else {
            wish.stage = Stage::Wanted;
            wish.again = around.now.after(wait);
            self.try_again(around, TRY_AGAIN);
        }
    }

    /// Faults have stopped: what was not there may be there now.
    pub(crate) fn hopes_again(&mut self, around: &mut Around<'_>) {
        for wish in self.app.wishes.0.values_mut() {
            wish.again = around.now;
        }
        if self.life.is_some() && !self.app.wishes.0.is_empty() {
            self.fetch_files(around);
        }
    }

    /// Whether something is to be fetched that is not asked for.
    pub(super) fn wishes(&self) -> bool {
        let open = |wish: &Wish| wish.stage == Stage::Wanted && !self.app.seats[wish.seat].left;
        self.app.wishes.0.values().any(open)
    }
}
