//! Sharing, listing, getting.

use super::messages::lifespan;
use super::topics::from_publish;
use crate::command::files::{File, FilesCommand, FilesReply};
use crate::command::{Code, Failure, MessageId, Reply, RequestId};
use crate::files::{Job, Sharing, Unpacking};
use crate::io::{FileJob, Held};
use crate::limits::{MAX_FILES_LISTED, MAX_FILES_LOOKED_AT};
use crate::node::{Inner, Turn};
use crate::waiting::What;
use block::eris::BlockSize;
use block::manifest::CheckedManifest;
use block::swap::{Swap, Whole};
use identity::{EnvelopeId, EpochId, PublicKey, Secret};
use machine::ContentName;
use topic::{Draft, LineKind, Payload, ReadFrom};
use wire::plain::Message;
use wire::{Item, Manifest, SharedFile};

/// A file of a topic, with what reads it.
struct Found {
    shown: File,
    /// The device that shared it.
    device: PublicKey,
    manifest: Manifest,
    file: SharedFile,
}

impl Inner {
    pub(super) fn files_command(
        &mut self,
        turn: &mut Turn<'_, '_>,
        request: RequestId,
        command: FilesCommand,
    ) {
        let answer = match command {
            FilesCommand::Share {
                topic,
                path,
                expires,
            } => self.share(turn, request, &topic, (path, expires)),
            FilesCommand::List { topic } => self.list_files(turn, &topic).map(Some),
            FilesCommand::Get {
                topic,
                file,
                to,
                timeout_ms,
            } => self.get_file(turn, request, (&topic, &file), to, timeout_ms),
            FilesCommand::Drop { topic, file } => self.drop_file(turn, &topic, &file).map(Some),
            FilesCommand::Unshare { topic, file } => self.unshare(turn, &topic, &file).map(Some),
            FilesCommand::Limit { topic, bytes } => self.limit_files(turn, &topic, bytes).map(Some),
        };
        match answer {
            Ok(Some(reply)) => self.reply(turn, request, reply),
            // Answered when it is done.
            Ok(None) => {}
            Err(failure) => self.reply(turn, request, Reply::Failed(failure)),
        }
    }

    fn share(
        &mut self,
        turn: &mut Turn<'_, '_>,
        request: RequestId,
        topic: &str,
        (path, expires): (String, Option<u64>),
    ) -> Result<Option<Reply>, Failure> {
        let local = self.find_topic(topic)?;
        self.may_write(local)?;
        let lifespan = lifespan(turn, expires)?;
        let (epoch, _) = self.convergence(local)?;
        let sharing = Sharing {
            request,
            local,
            path,
            epoch,
            lifespan,
            content: ContentName(turn.cx.rng.array()),
        };
        self.begin_share(turn, sharing)?;
        Ok(None)
    }

    fn begin_share(&mut self, turn: &mut Turn<'_, '_>, sharing: Sharing) -> Result<(), Failure> {
        let (epoch, secret) = self.convergence(sharing.local)?;
        let what = FileJob::Share {
            path: sharing.path.clone(),
            secret,
            content: sharing.content,
        };
        self.begin_job(turn, Job::Share(Sharing { epoch, ..sharing }), what)
    }

    /// What the keys of blocks are derived with that are shared now.
    fn convergence(&self, local: u32) -> Result<(EpochId, Secret), Failure> {
        let no_key = || Failure::new(Code::NotYet, "no key of the topic is here yet", "");
        let keys = self.host.keys.topic(local).ok_or_else(no_key)?;
        let held = keys.ring.newest_clean().ok_or_else(no_key)?;
        let meeting = held.meeting().ok_or_else(no_key)?;
        Ok((held.epoch().id(), meeting.convergence()))
    }

    /// A file has been made into a content: it is said to the others, and kept.
    pub(crate) fn made(
        &mut self,
        turn: &mut Turn<'_, '_>,
        sharing: Sharing,
        manifest: Manifest,
        file: &SharedFile,
    ) {
        let (local, content, request) = (sharing.local, sharing.content, sharing.request);
        if self
            .convergence(local)
            .is_ok_and(|(now, _)| now != sharing.epoch)
        {
            // Somebody may have been removed meanwhile, and could tell by these blocks what was shared.
            turn.held(Held::Delete(content));
            let sharing = Sharing {
                content: ContentName(turn.cx.rng.array()),
                ..sharing
            };
            if let Err(failure) = self.begin_share(turn, sharing) {
                self.reply(turn, request, Reply::Failed(failure));
            }
            return;
        }
        let message = Message {
            kind: Message::FILE,
            bytes: file.encode(),
        };
        if let Err(failure) = self.has_room(turn, local, &manifest) {
            turn.held(Held::Delete(content));
            return self.reply(turn, request, Reply::Failed(failure));
        }
        let draft = Draft {
            payload: Payload::Messages(vec![message]),
            lifespan: sharing.lifespan,
            answers: Vec::new(),
            manifest: Some(manifest),
        };
        let published = match self.publish_own(turn, local, draft) {
            Ok(published) => published,
            Err(why) => {
                turn.held(Held::Delete(content));
                return self.reply(turn, request, Reply::Failed(from_publish(why)));
            }
        };
        self.blocks_named(turn, local, &published);
        let adopted = self.with_swap(turn, |swap, env| swap.adopt(env, local, &manifest, content));
        if adopted.is_err() {
            // A file whose manifest is none was never encoded.
            turn.held(Held::Delete(content));
        }
        let id = MessageId {
            envelope: published,
            index: 0,
        };
        self.note_sent(turn, Some(&id));
        let topic = self.host.keys.topic(local).map(|keys| keys.id);
        let mut warnings = Vec::new();
        if let Some(topic) = topic {
            let needed =
                CheckedManifest::of(&manifest).map_or(0, |manifest| manifest.content_len());
            warnings = self.core_problems(turn, Some(&topic));
            warnings.extend(self.too_small(turn, &topic, needed));
        }
        let ids = vec![id];
        self.reply(turn, request, Reply::Sent { ids, warnings });
    }

    fn list_files(&mut self, turn: &mut Turn<'_, '_>, topic: &str) -> Result<Reply, Failure> {
        let local = self.find_topic(topic)?;
        let topic = self.member(local)?.id;
        let files = self.files_of(turn, local);
        let files = files.into_iter().map(|found| found.shown).collect();
        Ok(Reply::Files(FilesReply::Files { topic, files }))
    }

    /// The files of a topic that are not over, oldest first; of many the newest.
    fn files_of(&mut self, turn: &mut Turn<'_, '_>, local: u32) -> Vec<Found> {
        let named = self.with_swap(turn, |swap, env| {
            swap.named(env.cx, local, MAX_FILES_LOOKED_AT)
        });
        let mut lines = Vec::new();
        for (manifest, id) in named {
            if let Some(line) = self.topics.line_of(turn.cx, local, &id) {
                lines.push((line, manifest));
            }
        }
        lines.sort_unstable();
        let over = lines.len().saturating_sub(MAX_FILES_LISTED);
        let found = lines.into_iter().skip(over);
        let found = found.filter_map(|(line, manifest)| self.file_at(turn, local, line, manifest));
        let mut found: Vec<Found> = found.collect();
        let devices: Vec<PublicKey> = found.iter().map(|found| found.device).collect();
        let names = self.device_names(turn, local, &devices);
        for found in &mut found {
            if let Some(name) = names.get(&found.device) {
                found.shown.from.clone_from(name);
            }
        }
        found
    }

    /// The file on a line; `from` is not filled in.
    fn file_at(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        n: u64,
        manifest: Manifest,
    ) -> Option<Found> {
        let page = self.with_topics(turn, |topics, env| {
            topics.read(env, local, ReadFrom::Line(n), 1)
        });
        let line = page
            .ok()?
            .lines
            .into_iter()
            .next()
            .filter(|line| line.n == n)?;
        let LineKind::Message(message) = &line.kind else {
            return None;
        };
        let file = shared_file(message, &manifest)?;
        let known = self.with_swap(turn, |swap, env| swap.known(env.cx, local, &manifest))?;
        let shown = File {
            n,
            id: MessageId {
                envelope: line.envelope,
                index: line.index,
            },
            name: file.name.clone(),
            size: file.size,
            entries: file.entries,
            folder: file.folder,
            from: String::new(),
            at: line.at,
            have: known.have,
            parts: manifest.count,
            block: u32::try_from(manifest.bytes / u64::from(manifest.count.max(1))).unwrap_or(0),
            wanted: known.wanted && !known.whole,
            sources: u32::try_from(known.sources).unwrap_or(u32::MAX),
        };
        Some(Found {
            shown,
            device: line.device,
            manifest,
            file,
        })
    }

    fn find_file(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        text: &str,
    ) -> Result<Found, Failure> {
        let files = self.files_of(turn, local);
        let number = text.parse::<u64>().ok();
        let by_number = |found: &Found| Some(found.shown.n) == number;
        let by_name = |found: &Found| found.shown.name == text;
        let by_id = |found: &Found| text.len() >= 4 && found.shown.id.to_string().starts_with(text);
        let position = files
            .iter()
            .rposition(by_number)
            .or_else(|| files.iter().rposition(by_name));
        let position = position.or_else(|| {
            let mut same = (0..files.len()).filter(|at| by_id(&files[*at]));
            same.next().filter(|_| same.next().is_none())
        });
        let found = position.and_then(|at| files.into_iter().nth(at));
        found.ok_or_else(|| {
            let text = format!("no file {text:?} is shared in this topic");
            Failure::new(
                Code::NotFound,
                text,
                "`way files TOPIC` lists those that are",
            )
        })
    }

    fn get_file(
        &mut self,
        turn: &mut Turn<'_, '_>,
        request: RequestId,
        (topic, file): (&str, &str),
        to: String,
        timeout_ms: u64,
    ) -> Result<Option<Reply>, Failure> {
        let local = self.find_topic(topic)?;
        self.member(local)?;
        let found = self.find_file(turn, local, file)?;
        let manifest = found.manifest;
        if !found.shown.wanted && found.shown.have < found.shown.parts {
            self.has_room(turn, local, &manifest)?;
        }
        let wanted = self.with_swap(turn, |swap, env| swap.want(env, local, &manifest));
        wanted.map_err(|why| Failure::new(Code::Failed, why.to_string(), ""))?;
        let unpacking = Unpacking {
            local,
            id: found.shown.id.envelope,
            manifest,
            to,
        };
        if found.shown.have == found.shown.parts {
            self.unpack(turn, request, unpacking)?;
        } else {
            self.wait(turn, request, What::File(unpacking), timeout_ms);
        }
        Ok(None)
    }

    /// Whether the files of a topic may take as much more.
    fn has_room(
        &self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        manifest: &Manifest,
    ) -> Result<(), Failure> {
        let (taken, limit) = Swap::room(turn.cx, local);
        let needed = CheckedManifest::of(manifest).map_or(0, |manifest| manifest.content_len());
        match limit {
            Some(limit) if taken.saturating_add(needed) > limit => {
                let text = format!(
                    "the files of this topic may take {limit} bytes here: {taken} are taken, and it needs {needed}"
                );
                let hint = "`way files TOPIC --drop FILE` makes room, and `--limit` another limit";
                Err(Failure::new(Code::Refused, text, hint))
            }
            _ => Ok(()),
        }
    }

    fn limit_files(
        &mut self,
        turn: &mut Turn<'_, '_>,
        topic: &str,
        bytes: Option<u64>,
    ) -> Result<Reply, Failure> {
        let local = self.find_topic(topic)?;
        self.member(local)?;
        Swap::set_limit(turn.cx, local, bytes);
        Ok(Reply::Done)
    }

    fn unshare(
        &mut self,
        turn: &mut Turn<'_, '_>,
        topic: &str,
        file: &str,
    ) -> Result<Reply, Failure> {
        let local = self.find_topic(topic)?;
        self.may_write(local)?;
        let found = self.find_file(turn, local, file)?;
        let (id, device) = (found.shown.id.envelope, found.device);
        let own = self.member(local)?.device.as_ref();
        if own.map(|own| own.public()) != Some(device) {
            let text = "another device has shared that file";
            let hint = "`way files TOPIC --drop FILE` removes what is here of it";
            return Err(Failure::new(Code::Refused, text, hint));
        }
        let draft = Draft {
            payload: Payload::Items(vec![Item::Unshare(id)]),
            lifespan: None,
            answers: vec![id],
            manifest: None,
        };
        self.publish_own(turn, local, draft).map_err(from_publish)?;
        self.unshared(turn, local, (&device, &id));
        Ok(Reply::Done)
    }

    fn drop_file(
        &mut self,
        turn: &mut Turn<'_, '_>,
        topic: &str,
        file: &str,
    ) -> Result<Reply, Failure> {
        let local = self.find_topic(topic)?;
        self.member(local)?;
        let manifest = self.find_file(turn, local, file)?.manifest;
        self.with_swap(turn, |swap, env| swap.drop(env, local, &manifest));
        Ok(Reply::Done)
    }

    /// All blocks of a manifest are here: whoever waited for them gets the file.
    pub(crate) fn unpack_waiting(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        manifest: &Manifest,
    ) {
        for (request, unpacking) in self.waiting.for_blocks(local, manifest) {
            if let Err(failure) = self.unpack(turn, request, unpacking) {
                self.reply(turn, request, Reply::Failed(failure));
            }
        }
    }

    /// A file is fetched no more: whoever waited for it is told.
    pub(crate) fn unpack_none(&mut self, turn: &mut Turn<'_, '_>, local: u32, manifest: &Manifest) {
        for (request, _) in self.waiting.for_blocks(local, manifest) {
            let failure = Failure::new(
                Code::NotFound,
                "whoever shared the file has unshared it",
                "",
            );
            self.reply(turn, request, Reply::Failed(failure));
        }
    }

    /// What was to be written out is not all here: it is found out what is not, and that is fetched.
    pub(crate) fn not_whole(
        &mut self,
        turn: &mut Turn<'_, '_>,
        request: RequestId,
        unpacking: &Unpacking,
    ) {
        let (topic, manifest) = (unpacking.local, unpacking.manifest);
        let known = self.with_swap(turn, |swap, env| swap.known(env.cx, topic, &manifest));
        if let Some(known) = known.filter(|known| known.whole) {
            let name = known.name;
            let found = Whole {
                topic,
                manifest,
                name,
            };
            self.verify(turn, found);
        }
        let text =
            "some of the file was damaged on this disk, and is fetched again from who has it";
        let hint = "ask for it again; look at the disk";
        self.reply(
            turn,
            request,
            Reply::Failed(Failure::new(Code::NotYet, text, hint)),
        );
    }

    fn unpack(
        &mut self,
        turn: &mut Turn<'_, '_>,
        request: RequestId,
        unpacking: Unpacking,
    ) -> Result<(), Failure> {
        let gone = || Failure::new(Code::NotFound, "the file is not here any more", "");
        let (local, manifest) = (unpacking.local, unpacking.manifest);
        let line = self.topics.line_of(turn.cx, local, &unpacking.id);
        let line = line.ok_or_else(gone)?;
        let found = self.file_at(turn, local, line, manifest).ok_or_else(gone)?;
        let known = self.with_swap(turn, |swap, env| swap.known(env.cx, local, &manifest));
        let what = FileJob::Unpack {
            content: known.ok_or_else(gone)?.name,
            manifest,
            capability: found.file.capability,
            length: found.file.length,
            to: unpacking.to.clone(),
        };
        self.begin_job(turn, Job::Unpack(request, unpacking), what)
    }

    /// A file stands where it was to be.
    pub(crate) fn unpacked(
        &mut self,
        turn: &mut Turn<'_, '_>,
        request: RequestId,
        unpacking: &Unpacking,
    ) {
        let (local, manifest) = (unpacking.local, unpacking.manifest);
        let line = self.topics.line_of(turn.cx, local, &unpacking.id);
        let found = line.and_then(|line| self.file_at(turn, local, line, manifest));
        let topic = self.host.keys.topic(local).map(|keys| keys.id);
        let reply = match (found, topic) {
            (Some(found), Some(topic)) => Reply::Files(FilesReply::Got {
                topic,
                file: found.shown,
                to: unpacking.to.clone(),
            }),
            // It has expired since; what was asked for has been done.
            _ => Reply::Done,
        };
        self.reply(turn, request, reply);
    }

    /// What a line that shares a file says, and how many of its blocks are here.
    pub(super) fn file_of_line(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        (id, message): (&EnvelopeId, &Message),
    ) -> Option<crate::command::LineKind> {
        let header = self.with_topics(turn, |topics, env| topics.whole_header(env, local, id));
        let manifest = header?.header.manifest?;
        let file = shared_file(message, &manifest)?;
        let known = self.with_swap(turn, |swap, env| swap.known(env.cx, local, &manifest));
        let unshared = self.with_topics(turn, |topics, env| topics.is_unshared(env, local, id));
        Some(crate::command::LineKind::File {
            name: file.name,
            size: file.size,
            have: known.map_or(0, |known| known.have),
            parts: manifest.count,
            unshared,
        })
    }
}

/// What a message says of a file, if its envelope's manifest can be that of such a content.
fn shared_file(message: &Message, manifest: &Manifest) -> Option<SharedFile> {
    if message.kind != Message::FILE {
        return None;
    }
    let file = SharedFile::decode(&message.bytes).ok()?;
    let checked = CheckedManifest::of(manifest).ok()?;
    let size = checked.shape().block_size();
    (size == BlockSize::for_length(file.length)).then_some(file)
}
