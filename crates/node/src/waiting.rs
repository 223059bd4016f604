//! Commands that wait for something to happen.

use crate::command::{Code, Failure, Reply, RequestId, WaitFor};
use crate::files::Unpacking;
use crate::limits::MAX_WAITS;
use crate::node::{Inner, Turn};
use crate::timer::Timer;
use identity::{EnvelopeId, NodeId, TopicId};
use router::Reach;
use std::collections::BTreeMap;
use topic::StateKind;
use wire::Manifest;

/// What a command waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// The box of an invite.
    Look([u8; 32]),
    /// A public topic.
    Sought(TopicId),
    /// The first envelope in a topic that is being joined.
    Join(u32),
    /// A state of an envelope in a topic.
    State {
        topic: u32,
        id: EnvelopeId,
        state: WaitFor,
        of: Option<u32>,
    },
    /// A state of a unicast message.
    Mail {
        id: EnvelopeId,
        state: WaitFor,
        of: Option<u32>,
    },
    /// An answer of the echo engine of a node.
    Echo { token: u64, path: String },
    /// The answer of a core node to a claim.
    Core(NodeId),
    /// Another device of the person, whose link was used here.
    Device(NodeId),
    /// The blocks of a file.
    File(Unpacking),
}

/// Who waits.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    waits: BTreeMap<RequestId, What>,
}

impl Waiting {
    /// How many commands wait.
    pub(crate) fn len(&self) -> usize {
        self.waits.len()
    }

    /// It waits no longer.
    pub(crate) fn done(&mut self, request: RequestId) -> Option<What> {
        self.waits.remove(&request)
    }

    /// It waits for something else from now on, within the same time.
    pub(crate) fn becomes(&mut self, request: RequestId, what: What) {
        if let Some(waiting) = self.waits.get_mut(&request) {
            *waiting = what;
        }
    }

    /// Takes those that waited for a topic to be joined.
    pub(crate) fn joined(&mut self, topic: u32) -> Vec<RequestId> {
        self.take(|what| *what == What::Join(topic))
    }

    /// Takes those that waited for the blocks of a manifest.
    pub(crate) fn for_blocks(
        &mut self,
        topic: u32,
        manifest: &Manifest,
    ) -> Vec<(RequestId, Unpacking)> {
        let of = |what: &What| match what {
            What::File(file) => file.local == topic && file.manifest == *manifest,
            _ => false,
        };
        let found = self.waits.iter().filter(|(_, what)| of(what));
        let found: Vec<RequestId> = found.map(|(request, _)| *request).collect();
        let taken = found
            .into_iter()
            .filter_map(|request| match self.waits.remove(&request)? {
                What::File(file) => Some((request, file)),
                _ => None,
            });
        taken.collect()
    }

    /// Takes those that waited for another device of the person.
    pub(crate) fn paired(&mut self, node: NodeId) -> Vec<RequestId> {
        self.take(|what| *what == What::Device(node))
    }

    fn take(&mut self, of: impl Fn(&What) -> bool) -> Vec<RequestId> {
        let found: Vec<RequestId> = self
            .waits
            .iter()
            .filter(|(_, what)| of(what))
            .map(|(request, _)| *request)
            .collect();
        for request in &found {
            self.waits.remove(request);
        }
        found
    }
}

impl Inner {
    /// Lets a command wait, at most so long.
    pub(crate) fn wait(
        &mut self,
        turn: &mut Turn<'_, '_>,
        request: RequestId,
        what: What,
        timeout_ms: u64,
    ) {
        if self.waiting.waits.len() >= MAX_WAITS {
            let failure = Failure::new(Code::Failed, "too many commands wait already", "try later");
            return self.reply(turn, request, Reply::Failed(failure));
        }
        self.waiting.waits.insert(request, what);
        let at = self.until(turn, timeout_ms);
        self.timers.set(Timer::Wait(request), at);
    }

    /// A command has waited long enough.
    pub(crate) fn wait_over(&mut self, turn: &mut Turn<'_, '_>, request: RequestId) {
        let Some(what) = self.waiting.done(request) else {
            return;
        };
        if let What::Join(local) = &what
            && let Some(whom) = self.waits_to_join(*local)
        {
            let hint =
                "joining goes on by itself as soon as one of them is online; `way why` says so too";
            let failure = Failure::new(Code::NotYet, format!("waits for {whom}"), hint);
            return self.reply(turn, request, Reply::Failed(failure));
        }
        let (message, hint) = match &what {
            What::Look(loc) => {
                self.look_over(turn, loc, request);
                match self.router.reach() {
                    Reach::Core => (
                        "none of this node's core nodes has answered, and it asks nobody else (reach = core)",
                        "`way core list` says how they stand",
                    ),
                    Reach::Any => (
                        "none of the nodes that the link names could be reached",
                        "see that one of them is up and reachable, then try again",
                    ),
                }
            }
            What::Sought(topic) => {
                self.sought_over(topic, request);
                (
                    "nobody who could be asked so far has the topic",
                    "it is looked for an hour; `way peer add` somebody who has it, or ask for its link",
                )
            }
            What::Join(_) => (
                "the topic has not come yet",
                "joining goes on by itself as soon as a member or a core node can be reached",
            ),
            What::State { .. } | What::Mail { .. } => (
                "the message is stored here and has not come further yet",
                "it is sent on by itself; `way why` says what it waits for",
            ),
            What::Echo { .. } => ("no answer came", "`way peers` says whether there is a link"),
            What::Device(node) => {
                self.device_join_over(turn, *node);
                (
                    "the other device has not handed everything over yet",
                    "`way device list` says how it stands; if it is not listed, see that both can reach \
                     one another and make a new link there",
                )
            }
            What::File(file) => {
                let known = self.with_swap(turn, |swap, env| {
                    swap.known(env.cx, file.local, &file.manifest)
                });
                let (have, sources) = known.map_or((0, 0), |known| (known.have, known.sources));
                let text = match sources {
                    0 => "nobody who has the file can be reached now",
                    _ => "the file has not come yet",
                };
                let text = format!("{text}: {have} of {} blocks are here", file.manifest.count);
                let hint = "fetching goes on by itself; ask again to wait for it";
                let failure = Failure::new(Code::NotYet, text, hint);
                return self.reply(turn, request, Reply::Failed(failure));
            }
            What::Core(_) => (
                "the core node has not answered yet",
                "the claim is repeated by itself; `way core list` says how it stands",
            ),
        };
        let failure = Failure::new(Code::NotYet, message, hint);
        self.reply(turn, request, Reply::Failed(failure));
    }

    /// The evidence about envelopes of a topic has changed.
    pub(crate) fn receipts_changed(&mut self, turn: &mut Turn<'_, '_>, topic: u32) {
        self.left_progress(turn, topic);
        self.look_at_left(turn);
        let waiting: Vec<RequestId> = self
            .waiting
            .waits
            .iter()
            .filter(|(_, what)| matches!(what, What::State { topic: of, .. } if *of == topic))
            .map(|(request, _)| *request)
            .collect();
        for request in waiting {
            self.check_wait(turn, request);
        }
    }

    /// Answers a command that waits for a state, if it has come.
    pub(crate) fn check_wait(&mut self, turn: &mut Turn<'_, '_>, request: RequestId) {
        let Some(What::State {
            topic,
            id,
            state,
            of,
        }) = self.waiting.waits.get(&request).cloned()
        else {
            return;
        };
        let states = self.with_topics(turn, |topics, env| topics.states(env, topic, &id));
        let Ok(Some(states)) = states else { return };
        let members = u32::try_from(states.members).unwrap_or(u32::MAX);
        let (count, of) = match state {
            WaitFor::Stored => (1, 1),
            WaitFor::Held => (
                u32::try_from(states.held).unwrap_or(u32::MAX),
                of.unwrap_or(1),
            ),
            WaitFor::Delivered => {
                let delivered = u32::try_from(states.delivered).unwrap_or(u32::MAX);
                (delivered, of.unwrap_or(members))
            }
        };
        // With nobody else in the topic, `delivered` would be true of no one.
        if count >= of && (of > 0 || state != WaitFor::Delivered) {
            self.waiting.done(request);
            self.reply(turn, request, Reply::Reached { state, count, of });
        } else if let Some(refused) = states
            .states
            .iter()
            .find(|state| state.kind == StateKind::Expired)
        {
            self.waiting.done(request);
            let text = refused
                .reason
                .clone()
                .unwrap_or_else(|| "it has expired".to_owned());
            let failure = Failure::new(Code::Failed, text, "`way why` shows the evidence");
            self.reply(turn, request, Reply::Failed(failure));
        }
    }

    /// The state of a unicast message has changed.
    pub(crate) fn mail_changed(&mut self, turn: &mut Turn<'_, '_>, id: EnvelopeId) {
        let waiting: Vec<RequestId> = self
            .waiting
            .waits
            .iter()
            .filter(|(_, what)| matches!(what, What::Mail { id: of, .. } if *of == id))
            .map(|(request, _)| *request)
            .collect();
        for request in waiting {
            self.check_mail_wait(turn, request);
        }
    }

    /// An echo has come to its end.
    pub(crate) fn echoed(
        &mut self,
        turn: &mut Turn<'_, '_>,
        token: u64,
        result: router::EchoResult,
    ) {
        let found = self
            .waiting
            .waits
            .iter()
            .find_map(|(request, what)| match what {
                What::Echo { token: of, path } if *of == token => Some((*request, path.clone())),
                _ => None,
            });
        let Some((request, path)) = found else { return };
        self.waiting.done(request);
        let reply = match result {
            router::EchoResult::RoundTrip(time) => Reply::Pong {
                round_trip_us: u64::try_from(time.as_micros()).unwrap_or(u64::MAX),
                path,
            },
            router::EchoResult::Failed(why) => {
                let hint = "`way peers` says whether there is a link";
                Reply::Failed(Failure::new(Code::NotYet, why, hint))
            }
        };
        self.reply(turn, request, reply);
    }

    /// A core node has answered a claim.
    pub(crate) fn core_answered(
        &mut self,
        turn: &mut Turn<'_, '_>,
        core: NodeId,
        answer: Result<u64, custody::Refusal>,
    ) {
        for request in self.waiting.take(|what| *what == What::Core(core)) {
            let reply = match &answer {
                Ok(quota) => Reply::CoreUsed {
                    id: core,
                    quota: *quota,
                },
                Err(refusal) => {
                    let hint = "ask its operator for an invite";
                    Reply::Failed(Failure::new(Code::Refused, refusal.text.clone(), hint))
                }
            };
            self.reply(turn, request, reply);
        }
    }

    /// The state that a waiting command about unicast is to reach, and at how many custodians.
    pub(crate) fn mail_wait(
        &self,
        request: RequestId,
    ) -> Option<(EnvelopeId, WaitFor, Option<u32>)> {
        match self.waiting.waits.get(&request)? {
            What::Mail { id, state, of } => Some((*id, *state, *of)),
            _ => None,
        }
    }
}
