//! Frames that the router passes on: agreements with cores, boxes, and frames of proven topics.

use crate::host::{code_of, retry_at};
use crate::io::LinkId;
use crate::node::{Inner, Turn};
use crate::rows::TopicRow;
use custody::{Agreed, BoxAnswer, Refusal, Serving, TopicShare, Usage};
use identity::{NodeId, PublicKey, TopicId};
use machine::Time;
use machine::planted::{Bug, is};
use rights::{AtCore, CoreInviteKey, KeyRing, Show};
use router::Standing;
use topic::{Peer, Role};
use wire::frame::{Subject, TopicUsage};
use wire::{Code, Frame, Genesis, TopicFrame};

impl Inner {
    pub(crate) fn passed(
        &mut self,
        turn: &mut Turn<'_, '_>,
        link: LinkId,
        node: NodeId,
        frame: Frame,
    ) {
        match frame {
            Frame::Tags { round, tags } => self.on_tags(turn, link, round, &tags),
            Frame::Show {
                tag,
                device,
                grant,
                claim,
                signature,
            } => {
                self.on_show(
                    turn,
                    link,
                    &Show {
                        tag,
                        device,
                        grant,
                        claim,
                        signature,
                    },
                );
            }
            Frame::GrantAsk { grant } => self.on_grant_ask(turn, link, grant),
            Frame::GrantProof { grant, envelopes } => {
                self.on_grant_proof(turn, link, grant, &envelopes);
            }
            Frame::AtCore { token, tag, sealed } => {
                self.on_at_core(turn, link, &AtCore { token, tag, sealed });
            }
            Frame::Identify { step, sealed } => self.on_identify(turn, link, step, &sealed),
            Frame::InviteGet { loc } => self.on_invite_get(turn, link, node, loc),
            Frame::InviteBox { loc, sealed } => self.on_invite_box(turn, link, loc, &sealed),
            Frame::ClaimPut { loc, claim } => self.on_claim_put(turn, link, loc, &claim),
            Frame::ClaimAsk { loc, claim } => self.on_claim_ask(turn, link, loc, claim),
            Frame::ClaimAnswer { loc, claim, sealed } => {
                self.on_claim_answer(turn, link, (loc, claim), &sealed);
            }
            Frame::BoxPut { loc, sealed, until } => {
                let put = self
                    .host
                    .custody
                    .put_box(turn.cx, node, &loc, &sealed, until);
                if let Err(refusal) = put {
                    self.refuse(turn, link, Subject::Box(loc), &refusal);
                }
            }
            Frame::CoreClaim { token, mac } => self.on_core_claim(turn, link, node, &token, &mac),
            Frame::CoreAgreed {
                quota,
                used,
                topics,
                max_hold,
                retires,
            } => {
                let agreed = Agreed {
                    quota,
                    used,
                    topics: 0,
                    max_topics: topics,
                    max_hold_ms: max_hold,
                    retires_ms: (retires > 0).then_some(retires),
                };
                self.on_core_agreed(turn, node, &agreed);
            }
            Frame::CoreRefused { code, text, retry } => {
                self.on_core_refused(turn, node, code, text, retry);
            }
            Frame::CoreServe {
                topic,
                genesis,
                secret,
                share,
            } => {
                let serving = Serving {
                    topic,
                    genesis,
                    core_secret: *secret.as_bytes(),
                    share,
                };
                self.on_core_serve(turn, link, node, &serving);
            }
            Frame::CoreServing { topic } => {
                self.mine.serving_now(turn.cx, node, topic, &mut turn.mine);
                // What was shown before it held the topic was shown in vain.
                let local = self.host.keys.local(&topic);
                if self.mine.uses(turn.cx, &node)
                    && let (Some(local), Some(state)) = (local, self.links.get_mut(&link))
                    && let Some(shown) = state.at_core.get_mut(&local)
                {
                    *shown = None;
                }
                if let Some(local) = local {
                    // Who only reads tells nobody, and who joins cannot yet: neither would look.
                    self.learn_own_cores(turn, local);
                }
                self.show_at_core(turn, link);
                self.tell_soon(turn);
            }
            Frame::CoreUnserve { topic } => {
                self.host
                    .custody
                    .unserve(turn.cx, node, topic, &mut turn.custody);
                // The client repeats it until it hears this, whether or not it was served.
                let gone = refusal(
                    custody::Code::NotServed,
                    "the topic is not held for this node any more",
                );
                self.refuse(turn, link, Subject::Topic(topic), &gone);
            }
            Frame::CorePeers { topic, peers } => self.on_core_peers(turn, link, topic, peers),
            Frame::Topic { topic, frame } => self.on_topic_frame(turn, link, topic, frame),
            Frame::Refused {
                subject,
                code,
                text,
                retry,
            } => {
                self.on_refused(turn, link, node, subject, (code, text, retry));
            }
            Frame::CoreUsage {
                quota,
                used,
                headers,
                header_quota,
                topics,
            } => {
                let share = |of: TopicUsage| TopicShare {
                    topic: of.topic,
                    share: of.share,
                    own: of.own,
                    guests: of.guests,
                };
                let usage = Usage {
                    quota,
                    used,
                    headers,
                    header_quota,
                    topics: topics.into_iter().map(share).collect(),
                };
                self.mine.usage_told(turn.cx, node, &usage);
            }
            Frame::Pair { step, sealed } => self.on_pair(turn, link, step, &sealed),
            // The router's own; it passes none of them on.
            Frame::Hello { .. }
            | Frame::Bye { .. }
            | Frame::Ping { .. }
            | Frame::Pong { .. }
            | Frame::Advert(_)
            | Frame::AdvertAsk
            | Frame::Mail(_)
            | Frame::MailReceipt(_) => {}
        }
    }

    fn on_topic_frame(
        &mut self,
        turn: &mut Turn<'_, '_>,
        link: LinkId,
        topic: TopicId,
        frame: TopicFrame,
    ) {
        let Some(local) = self.host.keys.local(&topic) else {
            return;
        };
        let Some(state) = self.links.get_mut(&link) else {
            return;
        };
        let node = state.node;
        state.keep_hello(local, &frame);
        if !state.proven.contains(&local) {
            // TLS says who it is, and it is where this node was told that the topic is held.
            if !state.at_core.contains_key(&local) && !is(Bug::StrangerServed) {
                return;
            }
            // A node that was only said to have a public topic is nobody's core node by that.
            let cores = self.host.cores.get(&local);
            let told = cores.is_some_and(|cores| cores.contains_key(&node));
            let peer = if told || !self.is_public(local) {
                Peer::Core { node }
            } else {
                let device = PublicKey::from_bytes(node.to_bytes());
                Peer::Reader { device, node }
            };
            self.prove(turn, link, local, peer);
        }
        let reads = self
            .links
            .get(&link)
            .is_some_and(|state| state.readers.contains_key(&local));
        let frame = match frame {
            TopicFrame::KeysAsk { epochs } => return self.on_keys_ask(turn, link, local, &epochs),
            TopicFrame::Keys { keys } => return self.on_keys(turn, link, local, &keys),
            TopicFrame::Proposal(_) | TopicFrame::Meet { .. } if reads => return,
            TopicFrame::Proposal(proposal) => {
                return self.on_proposal(turn, link, local, proposal);
            }
            TopicFrame::Meet { with } => return self.on_meet(turn, link, local, &with),
            TopicFrame::Met { node, address } => {
                return self.on_met(turn, link, local, (node, address));
            }
            TopicFrame::BlocksAsk { .. }
            | TopicFrame::BlocksHere { .. }
            | TopicFrame::BlockWant { .. }
            | TopicFrame::Blocks { .. } => return self.on_block_frame(turn, link, local, frame),
            frame => frame,
        };
        self.give_topic(turn, link, local, frame);
    }

    /// A frame of a peer that has proved a topic.
    pub(crate) fn give_topic(
        &mut self,
        turn: &mut Turn<'_, '_>,
        link: LinkId,
        topic: u32,
        frame: TopicFrame,
    ) {
        let link = topic::LinkId(link.0);
        self.topic(turn, topic::Input::Frame { link, topic, frame });
    }

    /// Whether the router does not know the peer of a link.
    pub(crate) fn is_stranger(&self, link: LinkId) -> bool {
        !self.router.is_known(router::LinkId(link.0))
    }

    /// Whether the operator denied the peer of a link, which is not to learn that.
    pub(crate) fn is_denied(&self, link: LinkId) -> bool {
        self.router.is_denied(router::LinkId(link.0))
    }

    /// Refuses whatever it was to a peer that is not known, without a reason (docs/spec/router.md).
    pub(crate) fn sorry(&mut self, turn: &Turn<'_, '_>, link: LinkId) {
        let link = router::LinkId(link.0);
        self.router.sorry(turn.cx, link, Subject::Link);
    }

    /// Refuses something: with code, words and time to a peer that is known, and to one that is not
    /// as everything else.
    pub(crate) fn refuse(
        &mut self,
        turn: &mut Turn<'_, '_>,
        link: LinkId,
        subject: Subject,
        refusal: &Refusal,
    ) {
        if self.is_stranger(link) {
            return self.sorry(turn, link);
        }
        let retry = retry_at(turn.cx, refusal);
        let code = code_of(refusal.code);
        turn.send(
            link,
            &Frame::Refused {
                subject,
                code,
                text: refusal.text.clone(),
                retry,
            },
        );
    }

    fn on_invite_get(
        &mut self,
        turn: &mut Turn<'_, '_>,
        link: LinkId,
        node: NodeId,
        loc: [u8; 32],
    ) {
        self.stands(turn, node, Standing::Claiming);
        let denied = self.is_denied(link);
        // Whoever is denied gets random bytes, as for a place where there is no box.
        let loc_here = if denied { turn.cx.rng.array() } else { loc };
        let topics = &mut self.topics;
        let answer = self.host.custody.get_box(turn.cx, node, &loc_here, |cx| {
            topics.find_box(cx, &loc_here).map(|found| found.sealed)
        });
        match answer {
            BoxAnswer::Sealed(sealed) => {
                // Whatever somebody has put there: a public topic speaks for itself.
                let public = self.public_box(turn, &loc_here);
                let sealed = public.unwrap_or(sealed);
                turn.send(link, &Frame::InviteBox { loc, sealed });
            }
            BoxAnswer::Wait(_) if self.is_stranger(link) => self.sorry(turn, link),
            BoxAnswer::Wait(wait) => {
                let frame = Frame::Refused {
                    subject: Subject::Box(loc),
                    code: Code::RATE,
                    text: "asked too often".to_owned(),
                    retry: turn.cx.wall.after(wait).as_millis(),
                };
                turn.send(link, &frame);
            }
        }
    }

    fn on_core_claim(
        &mut self,
        turn: &mut Turn<'_, '_>,
        link: LinkId,
        node: NodeId,
        token: &[u8; 16],
        mac: &[u8; 32],
    ) {
        let Some(state) = self.links.get(&link) else {
            return;
        };
        let verify = |key: &[u8; 32]| CoreInviteKey::from_bytes(*key).verify(&state.secret, mac);
        let answer = if self.host.keys.config.core {
            self.host.custody.claim(turn.cx, node, token, verify)
        } else {
            Err(refusal(
                custody::Code::NotServed,
                "this node is no core node",
            ))
        };
        match answer {
            Ok(agreed) => {
                self.stands(turn, node, Standing::Client);
                self.note_group(turn, node);
                self.tell_agreed(turn, link, &agreed);
                self.host
                    .custody
                    .client_up(turn.cx, node, &mut turn.custody);
            }
            Err(_) if self.is_stranger(link) => self.sorry(turn, link),
            Err(refusal) => {
                let retry = retry_at(turn.cx, &refusal);
                let code = code_of(refusal.code);
                turn.send(
                    link,
                    &Frame::CoreRefused {
                        code,
                        text: refusal.text,
                        retry,
                    },
                );
            }
        }
    }

    fn on_core_serve(
        &mut self,
        turn: &mut Turn<'_, '_>,
        link: LinkId,
        node: NodeId,
        serving: &Serving,
    ) {
        let topic = serving.topic;
        let genesis = Genesis::decode(&serving.genesis).ok();
        let genesis = genesis.filter(|genesis| genesis.topic_id() == topic);
        let served = match genesis {
            Some(genesis) => self.hold_for(turn, node, &genesis, serving),
            None => Err(refusal(
                custody::Code::Unacceptable,
                "the genesis is not that of the topic",
            )),
        };
        match served {
            Ok(()) => turn.send(link, &Frame::CoreServing { topic }),
            Err(refusal) => self.refuse(turn, link, Subject::Topic(topic), &refusal),
        }
    }

    fn hold_for(
        &mut self,
        turn: &mut Turn<'_, '_>,
        node: NodeId,
        genesis: &Genesis,
        serving: &Serving,
    ) -> Result<(), Refusal> {
        let local = self.host.keys.local(&serving.topic);
        if local.is_some_and(|local| !self.is_custodian(local)) {
            // It would say what it has as a member, and promise nothing.
            return Err(refusal(
                custody::Code::Refused,
                "this node takes part in the topic itself",
            ));
        }
        self.host.custody.serve(turn.cx, node, serving)?;
        let held = self.hold_topic(turn, node, genesis, serving);
        if held.is_err() {
            self.host
                .custody
                .unserve(turn.cx, node, serving.topic, &mut turn.custody);
        }
        held
    }

    fn hold_topic(
        &mut self,
        turn: &mut Turn<'_, '_>,
        node: NodeId,
        genesis: &Genesis,
        serving: &Serving,
    ) -> Result<(), Refusal> {
        let topic = serving.topic;
        let local = match self.host.keys.local(&topic) {
            Some(local) => local,
            None => {
                let row = TopicRow::custodian(topic, serving.genesis.clone());
                let ring = KeyRing::new(topic, genesis);
                let ring = ring.map_err(|why| {
                    refusal(
                        custody::Code::Unacceptable,
                        &format!("the genesis cannot be used: {why}"),
                    )
                })?;
                let Some(local) = self.host.keys.add(turn.cx, row, ring) else {
                    return Err(refusal(
                        custody::Code::TooMany,
                        "this node can hold no further topic",
                    ));
                };
                self.topics.create(turn.cx, local, genesis, Role::Custodian);
                local
            }
        };
        let served = self.host.custody.served(turn.cx, &topic);
        let mut given = served.into_iter().flat_map(|served| served.sponsors);
        if let Some((_, secrets)) = given.find(|(sponsor, _)| *sponsor == node) {
            self.hold_secrets(node, (local, topic), &secrets);
        }
        // What was refused while it was held for nobody, or for want of a greater share.
        self.topics.room_again(turn.cx.now, Some(local));
        Ok(())
    }

    fn on_refused(
        &mut self,
        turn: &mut Turn<'_, '_>,
        link: LinkId,
        node: NodeId,
        subject: Subject,
        why: (Code, String, u64),
    ) {
        let (code, text, retry) = why;
        if subject == Subject::Link {
            self.pair_refused(turn, node, code);
        }
        match subject {
            Subject::Topic(topic) if self.mine.uses(turn.cx, &node) => {
                let refusal = refusal_of(turn, code, text, retry);
                self.mine
                    .not_serving(turn.cx, node, topic, &refusal, &mut turn.mine);
            }
            Subject::Link if code == Code::NOT_SERVED || code == Code::STRANGER => {
                let state = self.links.get_mut(&link);
                let shown = state.is_some_and(|state| {
                    let shown = !state.at_core.is_empty();
                    state.at_core.clear();
                    shown
                });
                // Whoever it does not know it tells no more; nothing else was asked of it.
                if code == Code::STRANGER && !shown && self.mine.uses(turn.cx, &node) {
                    self.not_a_client(turn, node);
                }
            }
            // A box that was asked for too often is asked for again when the timer comes.
            Subject::Link | Subject::Topic(_) | Subject::Mail(_) | Subject::Box(_) => {}
        }
    }

    fn on_core_refused(
        &mut self,
        turn: &mut Turn<'_, '_>,
        node: NodeId,
        code: Code,
        text: String,
        retry: u64,
    ) {
        let refusal = refusal_of(turn, code, text, retry);
        self.mine.refused(turn.cx, node, &refusal);
        self.core_answered(turn, node, Err(refusal));
    }

    /// A core node that this node uses does not say why it takes nothing: it does not know this node.
    fn not_a_client(&mut self, turn: &mut Turn<'_, '_>, node: NodeId) {
        let text = "the core node does not know this node: the invite is not valid there, used up \
                    or over, or its operator denied this node";
        let refusal = refusal(custody::Code::NotClient, text);
        self.mine.refused(turn.cx, node, &refusal);
        self.core_answered(turn, node, Err(refusal));
    }

    fn on_core_agreed(&mut self, turn: &mut Turn<'_, '_>, node: NodeId, agreed: &Agreed) {
        if !self.mine.uses(turn.cx, &node) {
            return;
        }
        self.mine.agreed(turn.cx, node, agreed, &mut turn.mine);
        self.note_group(turn, node);
        self.leaving_changed(turn);
        self.core_answered(turn, node, Ok(agreed.quota));
    }

    /// When a bounded wait that began now is over.
    pub(crate) fn until(&self, turn: &Turn<'_, '_>, ms: u64) -> Time {
        turn.cx.now.after(core::time::Duration::from_millis(ms))
    }
}

/// A refusal that stands until somebody changes something.
fn refusal(code: custody::Code, text: &str) -> Refusal {
    Refusal {
        code,
        text: text.to_owned(),
        retry: None,
    }
}

fn refusal_of(turn: &Turn<'_, '_>, code: Code, text: String, retry: u64) -> Refusal {
    let wait = retry.checked_sub(turn.cx.wall.as_millis());
    let retry = wait
        .filter(|_| retry > 0)
        .map(core::time::Duration::from_millis);
    let code = custody::Code::of_frame(code.0);
    Refusal { code, text, retry }
}

/// The bytes of a body that is here.
pub(crate) fn here(body: lace::Body) -> Option<Vec<u8>> {
    match body {
        lace::Body::Here(bytes) => Some(bytes),
        lace::Body::Missing | lace::Body::Gone => None,
    }
}
