//! Files: blocks of envelopes, and the work that makes contents of files and files of contents.

use crate::command::{Code, Failure, Reply, RequestId};
use crate::io::{Advisory, FileDone, FileJob, Held, LinkId, Verbatim};
use crate::limits::MAX_FILE_JOBS;
use crate::node::{Inner, Turn};
use block::swap::{Env, Input, Output, Swap, Whole};
use identity::{EnvelopeId, EpochId, PublicKey};
use machine::planted::{Bug, is};
use machine::{ContentDone, ContentEffect, ContentName, Effect};
use router::acl::Way;
use std::collections::BTreeMap;
use wire::{Frame, Manifest, TopicFrame};

/// Work on files that is under way.
#[derive(Debug, Default)]
pub(crate) struct Files {
    jobs: BTreeMap<u64, Job>,
}

/// Who waits for what work.
#[derive(Clone, Debug)]
pub(crate) enum Job {
    Share(Sharing),
    Unpack(RequestId, Unpacking),
    Verify(Whole),
}

/// A file that is being made into a content.
#[derive(Clone, Debug)]
pub(crate) struct Sharing {
    pub(crate) request: RequestId,
    pub(crate) local: u32,
    pub(crate) path: String,
    /// The epoch whose secret its blocks are derived with.
    pub(crate) epoch: EpochId,
    pub(crate) lifespan: Option<u64>,
    pub(crate) content: ContentName,
}

/// A content that is being written out as a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unpacking {
    pub(crate) local: u32,
    pub(crate) id: EnvelopeId,
    pub(crate) manifest: Manifest,
    pub(crate) to: String,
}

impl Files {
    /// Whether a content is being made that no record names yet.
    fn makes(&self, name: ContentName) -> bool {
        let mut jobs = self.jobs.values();
        jobs.any(|job| matches!(job, Job::Share(sharing) if sharing.content == name))
    }

    /// Whether a content is being read through.
    pub(crate) fn verifies(&self) -> bool {
        let mut jobs = self.jobs.values();
        jobs.any(|job| matches!(job, Job::Verify(_)))
    }

    /// Whether this content is being read through.
    pub(crate) fn is_verified(&self, found: &Whole) -> bool {
        let mut jobs = self.jobs.values();
        jobs.any(|job| matches!(job, Job::Verify(it) if it == found))
    }
}

impl Inner {
    /// Runs something that needs the contents and their surroundings.
    pub(crate) fn with_swap<R>(
        &mut self,
        turn: &mut Turn<'_, '_>,
        f: impl FnOnce(&mut Swap, &mut Env<'_, '_>) -> R,
    ) -> R {
        let mut env = Env {
            cx: turn.cx,
            out: &mut turn.swap,
        };
        f(&mut self.swap, &mut env)
    }

    /// Hands an input to the contents.
    pub(crate) fn swap(&mut self, turn: &mut Turn<'_, '_>, input: Input) {
        self.with_swap(turn, |swap, env| swap.handle(env, input));
    }

    /// A frame about blocks, of a peer that has proved the topic.
    pub(crate) fn on_block_frame(
        &mut self,
        turn: &mut Turn<'_, '_>,
        link: LinkId,
        topic: u32,
        frame: TopicFrame,
    ) {
        let wants = matches!(frame, TopicFrame::BlockWant { .. });
        if wants && !self.may_give_to(turn, link) {
            return;
        }
        let link = block::swap::LinkId(link.0);
        self.swap(turn, Input::Frame { link, topic, frame });
    }

    /// Whether the rate rules let a peer be given anything now.
    fn may_give_to(&mut self, turn: &mut Turn<'_, '_>, link: LinkId) -> bool {
        let Some(node) = self.links.get(&link).map(|state| state.node) else {
            return false;
        };
        let acl = self.router.acl();
        acl.is_empty() || acl.room(turn.cx.now, Way::Out, node.as_bytes()).is_ok()
    }

    pub(crate) fn swap_said(&mut self, turn: &mut Turn<'_, '_>, output: Output) {
        match output {
            Output::Send { link, topic, frame } => {
                let link = LinkId(link.0);
                if let Some(topic) = self.host.keys.topic(topic).map(|keys| keys.id) {
                    turn.send(link, &Frame::Topic { topic, frame });
                }
            }
            Output::Blocks { link, topic, frame } => {
                self.give_blocks(turn, LinkId(link.0), topic, frame);
            }
            Output::Content(effect) => turn.out.push(Effect::Content(effect)),
            Output::Delete(name) => turn.held(Held::Delete(name)),
            Output::Whole { topic, manifest } => self.is_whole(turn, topic, &manifest),
            Output::Lost { topic, manifest } => {
                self.tell_uses(turn, topic, &manifest, false);
                let text = "blocks of a file that were here cannot be read any more".to_owned();
                let hint = "what was fetched is fetched again from who has it; look at the disk";
                self.problems.note("blocks-lost", text, hint);
            }
            Output::Failed { why } => {
                let hint = "free some space on the disk; what is wanted is fetched again by itself";
                self.problems.note("blocks-unwritten", why, hint);
            }
            Output::Challenged {
                link,
                topic,
                id,
                found,
            } => self.challenged(turn, (LinkId(link.0), topic), (id, found)),
            Output::Misbehaved { link } => {
                let code = u32::from(wire::Code::MISBEHAVED.0);
                let text = "gave blocks that are not what was asked for".to_owned();
                let event = "misbehaved";
                turn.advise(Advisory::Log {
                    event,
                    text: text.clone(),
                });
                let link = LinkId(link.0);
                turn.advise(Advisory::Close { link, code, text });
            }
        }
    }

    fn give_blocks(
        &mut self,
        turn: &mut Turn<'_, '_>,
        link: LinkId,
        topic: u32,
        frame: TopicFrame,
    ) {
        let node = self.links.get(&link).map(|state| state.node);
        let topic = self.host.keys.topic(topic).map(|keys| keys.id);
        let (Some(node), Some(topic)) = (node, topic) else {
            // It will not be sent: there is room for others.
            let link = block::swap::LinkId(link.0);
            return self.swap(turn, Input::Sent { link, frames: 1 });
        };
        let bytes = Frame::Topic { topic, frame }.encode();
        let acl = self.router.acl();
        if !acl.is_empty() {
            let what = (1, bytes.len() as u64);
            acl.spend(turn.cx.now, Way::Out, node.as_bytes(), what);
        }
        turn.out.push(Effect::Verbatim(Verbatim {
            link,
            bytes,
            bulk: true,
        }));
    }

    /// An envelope that names blocks is here with its body.
    pub(crate) fn blocks_named(&mut self, turn: &mut Turn<'_, '_>, local: u32, id: &EnvelopeId) {
        let header = self.with_topics(turn, |topics, env| topics.whole_header(env, local, id));
        let Some(header) = header.map(|envelope| envelope.header) else {
            return;
        };
        let Some(manifest) = header.manifest else {
            return;
        };
        let holds = self.is_custodian(local);
        let (id, expires) = (*id, header.expires);
        let whole = self.with_swap(turn, |swap, env| {
            if swap.used(env, local, &manifest, (id, expires)).is_err() {
                // Such blocks cannot be: the envelope is held with all that can be.
                return true;
            }
            if holds && swap.want(env, local, &manifest).is_err() {
                return true;
            }
            let known = swap.known(env.cx, local, &manifest);
            known.is_some_and(|known| known.whole)
        });
        if holds && (whole || is(Bug::HeldWithoutBlocks)) {
            self.with_topics(turn, |topics, env| topics.has_blocks(env, local, &id));
        }
    }

    /// A device says that the blocks of an envelope that it wrote may go.
    pub(crate) fn unshared(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        (device, id): (&PublicKey, &EnvelopeId),
    ) {
        let unshared = self.with_topics(turn, |topics, env| {
            topics.unshared(env, local, (device, id))
        });
        let Some((envelope, here)) = unshared else {
            return;
        };
        if let Some(manifest) = &envelope.header.manifest {
            self.with_swap(turn, |swap, env| swap.unuse(env, local, manifest, id));
            let known = self.with_swap(turn, |swap, env| swap.known(env.cx, local, manifest));
            if known.is_none() {
                self.unpack_none(turn, local, manifest);
            }
        }
        if here {
            self.host
                .release_blocks(turn.cx, local, &envelope.header, &mut turn.custody);
        }
    }

    /// A body came that was charged with its blocks, which are not wanted any more.
    pub(crate) fn unshared_late(&mut self, turn: &mut Turn<'_, '_>, local: u32, id: &EnvelopeId) {
        let header = self.with_topics(turn, |topics, env| topics.whole_header(env, local, id));
        if let Some(envelope) = header {
            self.host
                .release_blocks(turn.cx, local, &envelope.header, &mut turn.custody);
        }
    }

    /// All blocks of a manifest are here.
    fn is_whole(&mut self, turn: &mut Turn<'_, '_>, local: u32, manifest: &Manifest) {
        self.tell_uses(turn, local, manifest, true);
        self.scrub_later(turn);
        self.unpack_waiting(turn, local, manifest);
    }

    /// Whoever holds the topic for others says, or says no longer, that it holds the envelopes that name a
    /// manifest.
    fn tell_uses(&mut self, turn: &mut Turn<'_, '_>, local: u32, manifest: &Manifest, here: bool) {
        if !self.is_custodian(local) {
            return;
        }
        let mut after = None;
        loop {
            let uses = self.with_swap(turn, |swap, env| {
                swap.uses(env.cx, (local, manifest), after.as_ref())
            });
            for id in &uses {
                self.with_topics(turn, |topics, env| match here {
                    true => topics.has_blocks(env, local, id),
                    false => topics.lacks_blocks(env, local, id),
                });
            }
            after = uses.last().copied();
            if after.is_none() {
                return;
            }
        }
    }

    /// Contents of topics that are not here any more: forgetting them was interrupted.
    pub(crate) fn forget_strays(&mut self, turn: &mut Turn<'_, '_>) {
        for local in Swap::topics(turn.cx) {
            if self.host.keys.topic(local).is_none() {
                self.with_swap(turn, |swap, env| swap.forget(env, local));
            }
        }
    }

    /// Asks which contents are here, so that those which no record names can go.
    pub(crate) fn list_contents(&mut self, turn: &mut Turn<'_, '_>, after: Option<ContentName>) {
        turn.out
            .push(Effect::Content(ContentEffect::List { after }));
    }

    pub(crate) fn content_done(&mut self, turn: &mut Turn<'_, '_>, done: ContentDone) {
        match done {
            ContentDone::Listed(names) => {
                for name in &names {
                    if !Swap::is_named(turn.cx, *name) && !self.files.makes(*name) {
                        turn.held(Held::Delete(*name));
                    }
                }
                if let Some(last) = names.last() {
                    self.list_contents(turn, Some(*last));
                }
            }
            ContentDone::Unlisted(why) => {
                let text = format!("what is left of contents could not be looked for: {why}");
                self.problems
                    .note("contents-unlisted", text, "run `way check`");
            }
            done => self.swap(turn, Input::Content(done)),
        }
    }

    /// Begins some work on files.
    pub(crate) fn begin_job(
        &mut self,
        turn: &mut Turn<'_, '_>,
        job: Job,
        what: FileJob,
    ) -> Result<(), Failure> {
        if self.files.jobs.len() >= MAX_FILE_JOBS {
            let text = "too many files are being worked on";
            return Err(Failure::new(
                Code::Failed,
                text,
                "try again when some of them are done",
            ));
        }
        let number = turn.cx.rng.next_u64();
        self.files.jobs.insert(number, job);
        turn.advise(Advisory::File { job: number, what });
        Ok(())
    }

    /// Work on a file is done.
    pub(crate) fn filed(&mut self, turn: &mut Turn<'_, '_>, job: u64, done: FileDone) {
        let Some(job) = self.files.jobs.remove(&job) else {
            // What a life before has begun: the next look at all contents finds what is left of it.
            return;
        };
        match (job, done) {
            (Job::Share(sharing), FileDone::Shared { manifest, file }) => {
                self.made(turn, sharing, manifest, &file);
            }
            (Job::Share(sharing), FileDone::Failed { text, hint }) => {
                let failure = Failure::new(Code::Failed, text, hint);
                self.reply(turn, sharing.request, Reply::Failed(failure));
            }
            (Job::Unpack(request, unpacking), FileDone::Unpacked) => {
                self.unpacked(turn, request, &unpacking);
            }
            (Job::Unpack(request, _), FileDone::Failed { text, hint }) => {
                let failure = Failure::new(Code::Failed, text, hint);
                self.reply(turn, request, Reply::Failed(failure));
            }
            (Job::Unpack(request, unpacking), FileDone::Damaged | FileDone::Gone) => {
                self.not_whole(turn, request, &unpacking);
            }
            (Job::Verify(found), done) => self.verified(turn, &found, &done),
            // A job ends as what it was.
            (Job::Share(_), _) | (Job::Unpack(..), _) => {}
        }
    }
}
