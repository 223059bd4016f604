//! Frames that the router passes on: proofs of topics, agreements with cores, boxes.

use crate::host::{code_of, retry_at};
use crate::io::LinkId;
use crate::limits::{
    MAX_GRANT_ASKS, MAX_PROOF_BYTES, MAX_PROOF_ENVELOPES, MAX_ROUND_NUMBER, ROUND_AFTER,
    SHOW_AGAIN, SHOW_AGAIN_MAX,
};
use crate::look::look;
use crate::node::{Inner, Turn};
use crate::proof::{Link, PendingShow};
use crate::rows::TopicRow;
use crate::timer::Timer;
use custody::{Agreed, BoxAnswer, Refusal, Serving};
use identity::{GrantId, NodeId, TopicId};
use machine::Time;
use rights::{
    AtCore, CoreInviteKey, KeyRing, Match, MeetingSecret, Round, Show, Shown, ShownAtCore,
};
use router::Standing;
use topic::{Peer, Role};
use wire::frame::Subject;
use wire::limits::MAX_TAGS;
use wire::{Code, Frame, Genesis, Raw, TopicFrame};

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
                self.on_grant_proof(turn, link, grant, envelopes);
            }
            Frame::AtCore { token, tag, sealed } => {
                self.on_at_core(turn, link, &AtCore { token, tag, sealed });
            }
            Frame::InviteGet { loc } => self.on_invite_get(turn, link, node, loc),
            Frame::InviteBox { loc, sealed } => self.on_invite_box(turn, link, loc, &sealed),
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
            } => {
                let agreed = Agreed {
                    quota,
                    used,
                    topics: 0,
                    max_topics: topics,
                    max_hold_ms: max_hold,
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
                self.show_at_core(turn, link);
                self.tell_soon(turn);
            }
            Frame::CoreUnserve { topic } => {
                self.host
                    .custody
                    .unserve(turn.cx, node, topic, &mut turn.custody);
            }
            Frame::CorePeers { topic, peers } => self.on_core_peers(turn, node, topic, peers),
            Frame::Topic { topic, frame } => self.on_topic_frame(turn, link, topic, frame),
            Frame::Refused {
                subject,
                code,
                text,
                retry,
            } => {
                self.on_refused(turn, link, node, subject, (code, text, retry));
            }
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

    /// The topics that a link may share, with the secret by which members recognise each.
    fn shared(&self) -> Vec<(TopicId, MeetingSecret)> {
        self.host
            .keys
            .topics()
            .filter(|(_, keys)| keys.device.is_some() && !keys.row.left)
            .filter_map(|(_, keys)| Some((keys.id, keys.ring.newest_clean()?.meeting()?)))
            .collect()
    }

    /// Lists all topics of this node on a link, in as many rounds of tags as that takes.
    pub(crate) fn begin_round(&mut self, turn: &mut Turn<'_, '_>, link: LinkId) {
        let last = self.links.get(&link).and_then(|state| state.rounds.last());
        let next = last.map_or(0, |round| round.number().saturating_add(1));
        let topics = self.shared().len();
        for (number, from) in (next..).zip((0..topics.max(1)).step_by(MAX_TAGS)) {
            self.list_round(turn, link, number, from);
        }
    }

    /// A topic is new: it is listed on every link, after a moment, because topics come in groups.
    pub(crate) fn begin_rounds_soon(&mut self, turn: &mut Turn<'_, '_>) {
        let at = turn.cx.now.after(ROUND_AFTER);
        self.timers.set_earlier(Timer::Rounds, at);
    }

    /// Lists the topics of this node again on every link.
    pub(crate) fn begin_rounds(&mut self, turn: &mut Turn<'_, '_>) {
        let links: Vec<LinkId> = self.links.keys().copied().collect();
        for link in links {
            self.begin_round(turn, link);
            self.show_at_core(turn, link);
        }
    }

    fn list_round(&mut self, turn: &mut Turn<'_, '_>, link: LinkId, number: u32, from: usize) {
        let shared = self.shared();
        let Some(state) = self.links.get_mut(&link) else {
            return;
        };
        match Round::begin(number, &state.secret, &shared, from, turn.cx.rng) {
            Ok((round, tags)) => {
                state.keep_round(round);
                turn.send(
                    link,
                    &Frame::Tags {
                        round: number,
                        tags,
                    },
                );
            }
            Err(why) => {
                self.problems
                    .note("topics", why.to_string(), "forget topics that are over")
            }
        }
    }

    fn on_tags(&mut self, turn: &mut Turn<'_, '_>, link: LinkId, number: u32, tags: &[[u8; 16]]) {
        if number > MAX_ROUND_NUMBER {
            return;
        }
        let known = self
            .links
            .get(&link)
            .is_some_and(|state| state.rounds.iter().any(|round| round.number() == number));
        if !known {
            self.list_round(turn, link, number, 0);
        }
        let Some(state) = self.links.get(&link) else {
            return;
        };
        let round = state.rounds.iter().find(|round| round.number() == number);
        let Some(Ok(matches)) = round.map(|round| round.matches(tags)) else {
            return;
        };
        for found in matches {
            self.show(turn, link, &found);
        }
    }

    fn show(&mut self, turn: &mut Turn<'_, '_>, link: LinkId, found: &Match) {
        let Some(local) = self.host.keys.local(&found.topic) else {
            return;
        };
        let standing = self.host.keys.topic(local).and_then(|keys| keys.standing());
        let Some(state) = self.links.get_mut(&link) else {
            return;
        };
        if let Some(standing) = standing
            && state.shown.insert(local)
        {
            let frame = Show::build(&state.secret, found, &standing).to_frame();
            turn.send(link, &frame);
        }
    }

    fn on_show(&mut self, turn: &mut Turn<'_, '_>, link: LinkId, show: &Show) {
        let Some(state) = self.links.get(&link) else {
            return;
        };
        let shown = state
            .rounds
            .iter()
            .rev()
            .find_map(|round| show.verify(&state.secret, round).ok());
        let Some(shown) = shown else { return };
        let Some(local) = self.host.keys.local(&shown.topic) else {
            return;
        };
        // The peer may have found the topic in a list of ours that we have not matched yet.
        let own = state
            .rounds
            .iter()
            .rev()
            .find_map(|round| round.own_tag(shown.topic));
        if let Some(tag) = own {
            self.show(
                turn,
                link,
                &Match {
                    topic: shown.topic,
                    tag,
                },
            );
        }
        self.judge_shown(turn, link, local, &shown);
    }

    fn judge_shown(&mut self, turn: &mut Turn<'_, '_>, link: LinkId, local: u32, shown: &Shown) {
        let claim = shown.claim.as_ref();
        let member = look(&mut self.topics, turn.cx, local, |lace, _| {
            lace.is_member(&shown.device, &shown.grant, claim)
        });
        if member == Some(true) {
            let peer = Peer::Member {
                device: shown.device,
                grant: shown.grant,
            };
            return self.prove(turn, link, local, peer);
        }
        let Some(state) = self.links.get_mut(&link) else {
            return;
        };
        state.keep_show(PendingShow {
            topic: local,
            device: shown.device,
            grant: shown.grant,
            claim: shown.claim,
        });
        if state.asked.len() < MAX_GRANT_ASKS && state.asked.insert(shown.grant) {
            turn.send(link, &Frame::GrantAsk { grant: shown.grant });
        }
    }

    /// A peer has proved a topic: its frames flow from now on.
    pub(crate) fn prove(&mut self, turn: &mut Turn<'_, '_>, link: LinkId, local: u32, peer: Peer) {
        let Some(state) = self.links.get_mut(&link) else {
            return;
        };
        if !state.proven.insert(local) {
            return;
        }
        let node = state.node;
        self.stands(turn, node, Standing::Member);
        let link = topic::LinkId(link.0);
        self.topic(
            turn,
            topic::Input::Proven {
                link,
                topic: local,
                peer,
            },
        );
    }

    /// Shows this device to a linked core node, in every topic that it holds as far as is known.
    pub(crate) fn show_at_core(&mut self, turn: &mut Turn<'_, '_>, link: LinkId) {
        let Some(state) = self.links.get(&link) else {
            return;
        };
        let node = state.node;
        let topics: Vec<u32> = self.host.keys.topics().map(|(local, _)| local).collect();
        let mut waits = false;
        for local in topics {
            let Some(state) = self.links.get(&link) else {
                return;
            };
            let held = self.is_held_at(local, &node);
            if held && !state.proven.contains(&local) {
                waits |= self.show_one_at_core(turn, link, local);
            }
        }
        if let Some(state) = self.links.get_mut(&link)
            && waits
        {
            // A core node that was not asked to hold the topic yet may be soon, or never.
            let wait = SHOW_AGAIN
                .saturating_mul(1 << state.shows.min(16))
                .min(SHOW_AGAIN_MAX);
            state.shows = state.shows.saturating_add(1);
            state.show_again = turn.cx.now.after(wait);
            self.timers.set_earlier(Timer::ShowAgain, state.show_again);
        }
    }

    fn show_one_at_core(&mut self, turn: &mut Turn<'_, '_>, link: LinkId, local: u32) -> bool {
        let Some(keys) = self.host.keys.topic(local) else {
            return false;
        };
        let Some(state) = self.links.get_mut(&link) else {
            return false;
        };
        let node = state.node;
        let frame = if keys.row.custodian {
            let ticket = self.tidings.ticket(local, &node);
            let secret = self.tidings.core_secret(local);
            ticket.zip(secret).map(|(ticket, secret)| {
                AtCore::of_core(&secret, &state.secret, &ticket, turn.cx.rng)
            })
        } else {
            let secret = keys.ring.newest_clean().and_then(rights::HeldEpoch::core);
            keys.standing()
                .filter(|_| !keys.row.left)
                .zip(secret)
                .map(|(standing, secret)| {
                    AtCore::of_device(&secret, &state.secret, keys.id, &standing, turn.cx.rng)
                })
        };
        let Some(frame) = frame else { return false };
        state.at_core.insert(local);
        turn.send(link, &frame.into_frame());
        true
    }

    fn on_at_core(&mut self, turn: &mut Turn<'_, '_>, link: LinkId, proof: &AtCore) {
        let Some(state) = self.links.get(&link) else {
            return;
        };
        let node = state.node;
        let shown = self
            .tokens
            .of(&proof.token)
            .iter()
            .find_map(|(local, topic, secret)| {
                let shown = proof
                    .verify(secret, &state.secret, *topic, turn.cx.wall)
                    .ok()?;
                Some((*local, *topic, shown))
            });
        let Some((local, topic, shown)) = shown else {
            // Says nothing that a stranger could not know: no token of this is known here.
            let refusal = Frame::Refused {
                subject: Subject::Link,
                code: Code::NOT_SERVED,
                text: "no such topic is held here".to_owned(),
                retry: 0,
            };
            return turn.send(link, &refusal);
        };
        let guest = !self.host.custody.is_client(turn.cx, &node);
        match shown {
            ShownAtCore::Device(shown) => {
                if guest && let Err(refusal) = self.host.custody.guest_up(turn.cx, &topic, node) {
                    return self.refuse(turn, link, Subject::Topic(topic), &refusal);
                }
                self.judge_shown(turn, link, local, &shown);
            }
            ShownAtCore::Core(ticket) => {
                // A ticket names no grant: its device has to be known already, as the founder's or
                // as one that has written.
                let stands = look(&mut self.topics, turn.cx, local, |lace, _| {
                    ticket.device == lace.genesis().founder
                        || lace
                            .authors()
                            .any(|author| *author.device() == ticket.device)
                });
                if stands == Some(true) {
                    self.prove(turn, link, local, Peer::Core { node });
                }
            }
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
        let Some(state) = self.links.get(&link) else {
            return;
        };
        let node = state.node;
        if !state.proven.contains(&local) {
            // TLS says who it is, and it is where this node was told that the topic is held.
            if !state.at_core.contains(&local) {
                return;
            }
            self.prove(turn, link, local, Peer::Core { node });
        }
        let link = topic::LinkId(link.0);
        self.topic(
            turn,
            topic::Input::Frame {
                link,
                topic: local,
                frame,
            },
        );
    }

    fn on_grant_ask(&mut self, turn: &mut Turn<'_, '_>, link: LinkId, grant: GrantId) {
        let Some(state) = self.links.get(&link) else {
            return;
        };
        // Only what was shown on this link is proved on it.
        let shown: Vec<u32> = state.shown.union(&state.at_core).copied().collect();
        let proof = shown.into_iter().find_map(|local| {
            let proof = look(&mut self.topics, turn.cx, local, |lace, store| {
                lace.proof(store, &grant, None)
            });
            proof.filter(|envelopes| !envelopes.is_empty())
        });
        if let Some(envelopes) = proof {
            turn.send(link, &Frame::GrantProof { grant, envelopes });
        }
    }

    fn on_grant_proof(
        &mut self,
        turn: &mut Turn<'_, '_>,
        link: LinkId,
        grant: GrantId,
        envelopes: Vec<Raw>,
    ) {
        let Some(state) = self.links.get_mut(&link) else {
            return;
        };
        let bytes: usize = envelopes.iter().map(Raw::encoded_len).sum();
        let asked = state.asked.contains(&grant);
        if !asked || envelopes.len() > MAX_PROOF_ENVELOPES || bytes > MAX_PROOF_BYTES {
            return;
        }
        let (named, rest) = std::mem::take(&mut state.pending)
            .into_iter()
            .partition(|show: &PendingShow| show.grant == grant);
        state.pending = rest;
        // Bounded by MAX_PROOF_ENVELOPES and asked for: cheap enough for the node's own thread.
        let checked: Vec<_> = envelopes
            .into_iter()
            .filter_map(|raw| wire::check(raw).ok())
            .collect();
        for show in named {
            let Some(keys) = self.host.keys.topic(show.topic) else {
                continue;
            };
            let holder = (&show.device, &grant);
            if lace::proves(&keys.genesis, holder, show.claim.as_ref(), &checked) {
                let peer = Peer::Member {
                    device: show.device,
                    grant,
                };
                self.prove(turn, link, show.topic, peer);
            }
        }
    }

    fn refuse(
        &mut self,
        turn: &mut Turn<'_, '_>,
        link: LinkId,
        subject: Subject,
        refusal: &Refusal,
    ) {
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
        let topics = &mut self.topics;
        let answer = self.host.custody.get_box(turn.cx, node, &loc, |cx| {
            topics.find_box(cx, &loc).map(|found| found.sealed)
        });
        match answer {
            BoxAnswer::Sealed(sealed) => turn.send(link, &Frame::InviteBox { loc, sealed }),
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
            let text = "this node is no core node".to_owned();
            Err(Refusal {
                code: custody::Code::NotServed,
                text,
                retry: None,
            })
        };
        match answer {
            Ok(agreed) => {
                self.stands(turn, node, Standing::Client);
                let frame = Frame::CoreAgreed {
                    quota: agreed.quota,
                    used: agreed.used,
                    topics: agreed.max_topics,
                    max_hold: agreed.max_hold_ms,
                };
                turn.send(link, &frame);
                self.host
                    .custody
                    .client_up(turn.cx, node, &mut turn.custody);
            }
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
            Some(genesis) => self
                .host
                .custody
                .serve(turn.cx, node, serving)
                .map(|_| self.hold_topic(turn, &genesis, serving)),
            None => Err(Refusal {
                code: custody::Code::Unacceptable,
                text: "the genesis is not that of the topic".to_owned(),
                retry: None,
            }),
        };
        match served {
            Ok(()) => turn.send(link, &Frame::CoreServing { topic }),
            Err(refusal) => self.refuse(turn, link, Subject::Topic(topic), &refusal),
        }
    }

    fn hold_topic(&mut self, turn: &mut Turn<'_, '_>, genesis: &Genesis, serving: &Serving) {
        let topic = serving.topic;
        let local = match self.host.keys.local(&topic) {
            Some(local) => local,
            None => {
                let row = TopicRow::custodian(topic, serving.genesis.clone());
                let Ok(ring) = KeyRing::new(topic, genesis) else {
                    return;
                };
                let Some(local) = self.host.keys.add(turn.cx, row, ring) else {
                    return;
                };
                self.topics.create(turn.cx, local, genesis, Role::Custodian);
                local
            }
        };
        self.hold_secret(turn, local, topic, serving.core_secret);
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
        match subject {
            Subject::Topic(topic) if self.mine.uses(turn.cx, &node) => {
                let refusal = refusal_of(turn, code, text, retry);
                self.mine.not_serving(turn.cx, node, topic, &refusal);
            }
            Subject::Box(loc) => self.box_refused(turn, loc, retry),
            Subject::Link if code == Code::NOT_SERVED => {
                if let Some(state) = self.links.get_mut(&link) {
                    state.at_core.clear();
                }
            }
            Subject::Link | Subject::Topic(_) | Subject::Mail(_) => {}
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

    fn on_core_agreed(&mut self, turn: &mut Turn<'_, '_>, node: NodeId, agreed: &Agreed) {
        if !self.mine.uses(turn.cx, &node) {
            return;
        }
        self.mine.agreed(turn.cx, node, agreed, &mut turn.mine);
        self.tell_router_cores(turn);
        self.core_answered(turn, node, Ok(agreed.quota));
    }

    /// Time to show topics again to core nodes that have not answered.
    pub(crate) fn show_again(&mut self, turn: &mut Turn<'_, '_>) {
        let now = turn.cx.now;
        let due = |state: &Link| state.shows > 0 && state.show_again <= now;
        let links: Vec<LinkId> = self
            .links
            .iter()
            .filter(|(_, state)| due(state))
            .map(|(link, _)| *link)
            .collect();
        for link in links {
            self.show_at_core(turn, link);
        }
        let waiting = self.links.values().filter(|state| state.show_again > now);
        if let Some(next) = waiting.map(|state| state.show_again).min() {
            self.timers.set_earlier(Timer::ShowAgain, next);
        }
    }

    /// When a bounded wait that began now is over.
    pub(crate) fn until(&self, turn: &Turn<'_, '_>, ms: u64) -> Time {
        turn.cx.now.after(core::time::Duration::from_millis(ms))
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
