//! What a machine's disk does with contents, one piece after the other, each durable when it is done; and with
//! the files that people share and fetch.
//!
//! Files have no bytes before they are shared: those of one length are the same, and nothing is kept of what
//! was fetched but that every byte was right.

use super::host::{Around, Happening, Host};
use crate::check::{Message, files};
use crate::metrics::TurnKind;
use crate::plan::Act;
use block::memory::{Whole, damaged, decode};
use identity::Secret;
use machine::{ContentDone, ContentEffect, ContentName, Rng};
use node::{FileDone, FileJob, Input};
use std::time::Duration;
use wire::Manifest;

/// Bytes of a file that are dealt with in a microsecond, beside a commit.
const FILE_SPEED: u64 = 100;
/// Where shared files are, and where fetched ones go; the name follows.
const SHARED: &str = "/shared/";
const FETCHED: &str = "/fetched/";

/// The path of a file that somebody shares.
pub(super) fn shared_path(message: Message) -> String {
    format!("{SHARED}{}", message.name())
}

/// The path to which somebody fetches a file.
pub(super) fn fetched_path(message: Message) -> String {
    format!("{FETCHED}{}", message.name())
}

/// The bytes of all files of this length.
fn bytes(length: u32) -> Vec<u8> {
    let mut seed = [7; 32];
    seed[..4].copy_from_slice(&length.to_be_bytes());
    let mut bytes = vec![0; length as usize];
    Rng::from_seed(seed).fill(&mut bytes);
    bytes
}

fn failed(text: &str) -> FileDone {
    let (text, hint) = (text.to_owned(), String::new());
    FileDone::Failed { text, hint }
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
        let capacity = self.capacity;
        let drops = self.drops(around);
        if let ContentEffect::Delete(name) = &effect {
            let mut scene = Self::scene(self.no, around);
            self.watch.content_gone(&mut scene, name);
        }
        let Some(life) = &mut self.life else { return };
        let disk = life.kernel.base_mut();
        let done = match effect {
            ContentEffect::Write { name, at, bytes }
                if capacity > 0 && disk.used() + bytes.len() as u64 > capacity =>
            {
                ContentDone::Failed(name, at, "the disk is full".to_owned())
            }
            ContentEffect::Write { name, at, .. } if drops => ContentDone::Written(name, at),
            effect => disk.contents_mut().perform(effect),
        };
        self.input(around, Input::Content(done), TurnKind::Other);
    }

    /// Work on files is handed to the disk.
    pub(super) fn file(&mut self, around: &mut Around<'_>, job: u64, what: FileJob) {
        let length = match &what {
            FileJob::Share { path, .. } => u64::from(length(around, path).unwrap_or(0)),
            FileJob::Unpack { manifest, .. } | FileJob::Verify { manifest, .. } => manifest.bytes,
        };
        let takes = self.plan(around.plan).commit_us + length / FILE_SPEED;
        let (life, what) = (self.lives, Box::new(what));
        let happens = Happening::File { life, job, what };
        self.soon(around, Duration::from_micros(takes.max(1)), happens);
    }

    /// The disk has done work on files.
    pub(crate) fn file_done(&mut self, around: &mut Around<'_>, job: u64, what: FileJob) {
        let done = match what {
            FileJob::Share {
                path,
                secret,
                content,
            } => self.share(around, &path, (secret, content)),
            FileJob::Unpack {
                content,
                manifest,
                capability,
                length,
                to,
            } => {
                let stored = self.disk().contents().get(&content);
                let read = stored.and_then(|of| decode(of, &manifest, &capability, length));
                self.fetched(around, &to, read)
            }
            FileJob::Verify { content, manifest } => self.verify(&content, &manifest),
        };
        self.input(around, Input::Filed { job, done }, TurnKind::Other);
    }

    fn share(
        &mut self,
        around: &Around<'_>,
        path: &str,
        (secret, content): (Secret, ContentName),
    ) -> FileDone {
        let Some(length) = length(around, path) else {
            return failed("there is no such file");
        };
        let Some(whole) = Whole::encode(&bytes(length), secret) else {
            return failed("it cannot be shared");
        };
        let capacity = self.capacity;
        let Some(life) = &mut self.life else {
            return failed("the machine is off");
        };
        let disk = life.kernel.base_mut();
        if capacity > 0 && disk.used() + whole.stored.len() as u64 > capacity {
            return failed("the disk is full");
        }
        let file = whole.as_file(path.trim_start_matches(SHARED), length.into());
        let manifest = whole.manifest;
        disk.contents_mut().insert(content, whole.stored);
        FileDone::Shared { manifest, file }
    }

    /// A file was read, and is compared with what was shared.
    fn fetched(&mut self, around: &mut Around<'_>, to: &str, read: Option<Vec<u8>>) -> FileDone {
        let Some(read) = read else {
            return FileDone::Damaged;
        };
        let message = to.strip_prefix(FETCHED).and_then(Message::read);
        let right = length(around, to).is_some_and(|length| read == bytes(length));
        match message.filter(|_| right) {
            Some(message) => self.watch.fetched(message.step),
            None => {
                let what = format!("{to} was fetched, and is not what was shared");
                Self::scene(self.no, around).broken(files::PROMISE, what);
            }
        }
        FileDone::Unpacked
    }

    fn verify(&self, content: &ContentName, manifest: &Manifest) -> FileDone {
        let stored = self.disk().contents().get(content);
        match stored.and_then(|stored| damaged(stored, manifest)) {
            Some(parts) if parts.len() <= node::limits::MAX_DAMAGED => {
                FileDone::Verified { damaged: parts }
            }
            _ => FileDone::Gone,
        }
    }
}

/// How long the file at a path is, by the step of the plan that shares it.
fn length(around: &Around<'_>, path: &str) -> Option<u32> {
    let (_, name) = path.rsplit_once('/')?;
    let step = around.plan.steps.get(Message::read(name)?.step as usize)?;
    match step.act {
        Act::Send { file, .. } if file > 0 => Some(file),
        _ => None,
    }
}
