//! Giving: answers to wants, pushes, bodies, and all that is synced beside the graph.

use crate::cost::cost;
use crate::event::{Forward, LinkId, Output, Peer};
use crate::host::{Allowance, NEVER};
use crate::limits::{HOLD_BACK, MAX_ENVELOPES_PER_FRAME, MAX_GONE, MIN_RETRY_MS, MIN_ROOM};
use crate::peer::{PeerState, Refuses};
use crate::state::{Shared, Timer, Topic};
use crate::topics::Env;
use core::time::Duration;
use identity::PublicKey;
use lace::{Budget, Cursor, Range, Served};
use machine::Cx;
use wire::limits::DAY_MS;
use wire::{Raw, TopicFrame};

/// What one frame may have: what the link takes, and what this node may give.
fn budget(bytes: usize, allowed: Allowance) -> Budget {
    Budget {
        envelopes: MAX_ENVELOPES_PER_FRAME.min(allowed.messages),
        bytes: bytes.min(allowed.bytes),
    }
}

fn bytes_of(served: &Served) -> usize {
    let lengths = served.envelopes.iter().map(Raw::encoded_len);
    lengths.fold(0, usize::saturating_add)
}

impl Topic {
    /// Sends what is due to one peer, as far as link and turn allow; says whether more is due than
    /// the turn allows.
    pub(crate) fn pump(
        &mut self,
        shared: &mut Shared,
        env: &mut Env<'_, '_>,
        link: LinkId,
    ) -> bool {
        if !shared.has_little_room(link) {
            if let Some(state) = shared.links.get_mut(&link) {
                state.blocked.insert(self.local);
            }
            return false;
        }
        if env.host.may_give(env.cx, link) == Err(NEVER) {
            return false;
        }
        if self.peers.get(&link).is_some_and(|peer| peer.hello_due) {
            self.send_hello(shared, env, link);
        }
        let mut more = self.send_evidence(shared, env, link);
        more |= self.send_cut(shared, env, link);
        self.ask(shared, env, link);
        more |= self.ask_bodies(shared, env, link);
        more |= self.send_bodies(shared, env, link);
        more |= self.send_answer(shared, env, link);
        more |= self.send_pushes(shared, env, link);
        more |= self.send_changes(shared, env, link);
        self.keep_from_readers(link);
        more |= self.send_boxes(shared, env, link);
        more |= self.send_claims(shared, env, link);
        more |= self.send_slots(shared, env, link);
        more |= self.send_receipt_asks(shared, env, link);
        more |= self.send_receipts(shared, env, link);
        if !more {
            return false;
        }
        // Either the turn's frames are used up, or the link's credit.
        match shared.links.get_mut(&link) {
            Some(state) if state.credit < MIN_ROOM => {
                state.blocked.insert(self.local);
                false
            }
            _ => true,
        }
    }

    pub(crate) fn on_want(&mut self, link: LinkId, ranges: &[Range], control_only: bool) {
        let Some(peer) = self.peers.get_mut(&link) else {
            return;
        };
        for range in ranges {
            // Who asks for a chain takes it again.
            peer.refuses.remove(&range.author);
            peer.note_want(&self.lace, range);
        }
        peer.answering = Some(self.lace.cursor(ranges, control_only));
    }

    pub(crate) fn send_answer(
        &mut self,
        shared: &mut Shared,
        env: &mut Env<'_, '_>,
        link: LinkId,
    ) -> bool {
        loop {
            let cursor = self
                .peers
                .get_mut(&link)
                .and_then(|peer| peer.answering.take());
            let Some(mut cursor) = cursor else {
                return false;
            };
            let Some(room) = shared.room(link) else {
                self.put_back(link, |peer| &mut peer.answering, cursor);
                return true;
            };
            let Some(allowed) = self.may_give(shared, env, link) else {
                self.put_back(link, |peer| &mut peer.answering, cursor);
                let frame = TopicFrame::Envelopes {
                    envelopes: Vec::new(),
                    last: false,
                };
                self.ask_for_patience(shared, env, link, frame);
                return false;
            };
            let budget = budget(room, allowed);
            let served = self.lace.serve(&mut env.cx.store, &mut cursor, budget);
            let given = served.envelopes.len();
            env.host.gave(env.cx, link, given, bytes_of(&served));
            shared.frames_left = shared.frames_left.saturating_sub(1);
            let last = served.done;
            if !last {
                self.put_back(link, |peer| &mut peer.answering, cursor);
            }
            if served.envelopes.is_empty() && !last {
                continue;
            }
            self.note_bare(link, &served);
            let frame = TopicFrame::Envelopes {
                envelopes: served.envelopes,
                last,
            };
            self.say(shared, env, link, frame);
        }
    }

    pub(crate) fn put_back(
        &mut self,
        link: LinkId,
        place: impl Fn(&mut PeerState) -> &mut Option<Cursor>,
        cursor: Cursor,
    ) {
        if let Some(peer) = self.peers.get_mut(&link) {
            *place(peer) = Some(cursor);
        }
    }

    /// Pushes what is new. Other authors' envelopes leave at once, since they say nothing about
    /// this store; a frame with an own envelope waits for its commit.
    pub(crate) fn send_pushes(
        &mut self,
        shared: &mut Shared,
        env: &mut Env<'_, '_>,
        link: LinkId,
    ) -> bool {
        loop {
            let Some(peer) = self.peers.get_mut(&link) else {
                return false;
            };
            if peer.answering.is_some() {
                return false;
            }
            let cursor = match peer.pushing.take() {
                Some(cursor) => cursor,
                None if peer.due.is_empty() => return false,
                None => {
                    let mut ranges = Vec::new();
                    while ranges.len() < lace::limits::MAX_RANGES
                        && let Some((author, (from, to))) = peer.due.pop_first()
                    {
                        ranges.push(Range { author, from, to });
                    }
                    self.lace.cursor(&ranges, false)
                }
            };
            let Some(room) = shared.room(link) else {
                self.put_back(link, |peer| &mut peer.pushing, cursor);
                return true;
            };
            let Some(allowed) = self.may_give(shared, env, link) else {
                self.put_back(link, |peer| &mut peer.pushing, cursor);
                return false;
            };
            self.push_some(shared, env, link, (cursor, budget(room, allowed)));
        }
    }

    pub(crate) fn push_some(
        &mut self,
        shared: &mut Shared,
        env: &mut Env<'_, '_>,
        link: LinkId,
        (mut cursor, budget): (Cursor, Budget),
    ) {
        let served = self.lace.serve(&mut env.cx.store, &mut cursor, budget);
        let given = served.envelopes.len();
        env.host.gave(env.cx, link, given, bytes_of(&served));
        if !served.done {
            self.put_back(link, |peer| &mut peer.pushing, cursor);
        }
        if served.envelopes.is_empty() {
            return;
        }
        self.note_bare(link, &served);
        let own = served.envelopes.iter().any(|raw| self.is_own(env, raw));
        shared.frames_left = shared.frames_left.saturating_sub(1);
        let frame = TopicFrame::Envelopes {
            envelopes: served.envelopes,
            last: false,
        };
        if own {
            self.say(shared, env, link, frame);
        } else {
            shared.spend(link, cost(self.id, &frame));
            let (topic, forward) = (self.id, Forward(frame));
            env.out.push(Output::Forward {
                link,
                topic,
                forward,
            });
        }
    }

    /// Headers that go without their bodies: a body that comes later is sent after them.
    pub(crate) fn note_bare(&mut self, link: LinkId, served: &Served) {
        let Some(peer) = self.peers.get_mut(&link) else {
            return;
        };
        for (raw, id) in served.envelopes.iter().zip(&served.ids) {
            if raw.body.is_none() && peer.told_gone.len() < MAX_GONE {
                peer.told_gone.insert(*id);
            }
        }
    }

    pub(crate) fn is_own(&self, env: &Env<'_, '_>, raw: &Raw) -> bool {
        let Ok(header) = wire::decode_header(&raw.header_bytes) else {
            return true;
        };
        let device = self
            .lace
            .author(&header.author)
            .map(|author| *author.device());
        device.is_none() || device == env.host.device(self.local)
    }

    /// Something was admitted: every peer that lacks it hears of it. What a core node gave, other
    /// core nodes have from that one, as a rule: they are told a little later, if they have not
    /// said by then that they have it.
    pub(crate) fn offer(
        &mut self,
        (shared, cx): (&mut Shared, &mut Cx<'_>),
        giver: Option<LinkId>,
        (author, number): (&PublicKey, u64),
    ) {
        let closed = self.is_closed(author);
        let is_core = |peer: &PeerState| matches!(peer.who, Peer::Core { .. });
        let from_core = giver
            .and_then(|link| self.peers.get(&link))
            .is_some_and(is_core);
        let mut held = false;
        for peer in self.peers.values_mut() {
            if from_core && is_core(peer) && !closed && !peer.has(author, number) {
                held |= peer.held_back.insert(*author);
            } else {
                peer.offer(author, number, closed);
            }
        }
        if held {
            // Of two that hold back from one another, one speaks first.
            let spread = u64::try_from(HOLD_BACK.as_millis()).unwrap_or(u64::MAX);
            let more = Duration::from_millis(cx.rng.below(spread));
            let wait = HOLD_BACK.saturating_add(more);
            shared.soon(Timer::Back(self.local), cx.now, wait);
        }
    }

    /// What was held back is told to whoever has not said that it has it.
    pub(crate) fn tell_held_back(&mut self) {
        for peer in self.peers.values_mut() {
            peer.announce.append(&mut peer.held_back);
        }
    }

    pub(crate) fn send_evidence(
        &mut self,
        shared: &mut Shared,
        env: &mut Env<'_, '_>,
        link: LinkId,
    ) -> bool {
        loop {
            let Some(peer) = self.peers.get_mut(&link) else {
                return false;
            };
            if peer.evidence.is_empty() {
                return false;
            }
            if !shared.has_room(link) {
                return true;
            }
            let mut pairs = Vec::new();
            while pairs.len() < wire::limits::MAX_EVIDENCE
                && let Some(author) = peer.evidence.pop_first()
            {
                let evidence = self.lace.evidence(&mut env.cx.store, &author);
                pairs.extend(evidence.map(|evidence| {
                    (
                        evidence.first.to_raw_header(),
                        evidence.second.to_raw_header(),
                    )
                }));
            }
            if pairs.is_empty() {
                return false;
            }
            shared.frames_left = shared.frames_left.saturating_sub(1);
            self.say(shared, env, link, TopicFrame::Evidence { pairs });
        }
    }

    /// A peer does not take an envelope of a chain.
    pub(crate) fn on_refused(
        &mut self,
        shared: &mut Shared,
        env: &mut Env<'_, '_>,
        link: LinkId,
        refused: crate::evidence::RefusedRow,
    ) {
        let author = PublicKey::from_bytes(refused.author);
        let Some(peer) = self.peers.get_mut(&link) else {
            return;
        };
        let who = match peer.who {
            Peer::Member { device, .. } => device.to_bytes(),
            Peer::Core { node } => node.to_bytes(),
            // Whether a stranger has it is nothing to whoever wrote it.
            Peer::Reader { .. } => [0; 32],
        };
        let counts = !peer.is_reader();
        // A refusal with a time stops the chain until then. Without one only a body was refused, for
        // which the refuser asks itself.
        let code = wire::Code(refused.code);
        let by_rule = code == wire::Code::INADMISSIBLE || code == wire::Code::NEEDS_VERSION;
        let retry = if by_rule {
            // The same rule refuses it again, and what comes after it could only be parked there.
            env.cx.wall.as_millis().saturating_add(DAY_MS)
        } else {
            Self::retry_of(env, refused.retry)
        };
        let stops = refused.retry > 0 || by_rule;
        if stops {
            let until = retry;
            peer.refuses.insert(author, Refuses { until, by_rule });
            peer.due.remove(&author);
            peer.held_back.remove(&author);
            let known = peer.knows_to(&author).min(refused.number.saturating_sub(1));
            peer.cap(&author, known);
            // Nor is the rest of an answer that was begun of any use.
            let begun = [&mut peer.answering, &mut peer.pushing];
            for cursor in begun.into_iter().flatten() {
                self.lace.leave_out(cursor, &author);
            }
        }
        if stops {
            self.retry_at(shared, env, retry);
        }
        if counts {
            self.note_refusal(env, &author, &who, &refused);
        }
    }

    /// When something refused until then (milliseconds since 1970) is tried again.
    pub(crate) fn retry_of(env: &Env<'_, '_>, until: u64) -> u64 {
        until.max(env.cx.wall.as_millis().saturating_add(MIN_RETRY_MS))
    }

    /// Looks again at refusals when a time (milliseconds since 1970) has come.
    pub(crate) fn retry_at(&self, shared: &mut Shared, env: &Env<'_, '_>, at: u64) {
        let wait = at.saturating_sub(env.cx.wall.as_millis()).max(1_000);
        let wait = Duration::from_millis(wait);
        shared.soon(Timer::Retry(self.local), env.cx.now, wait);
    }

    /// Times that were given in refusals have come, some of them.
    pub(crate) fn on_retry(&mut self, shared: &mut Shared, env: &mut Env<'_, '_>) {
        let wall = env.cx.wall.as_millis();
        let mut next: Option<u64> = None;
        let mut note = |until: u64| next = Some(next.map_or(until, |next| next.min(until)));
        self.declined.retain(|_, until| *until > wall);
        self.declined.values().copied().for_each(&mut note);
        if self.bodies_declined > wall {
            note(self.bodies_declined);
        }
        self.unwanted
            .retain(|author| self.declined.contains_key(author));
        for peer in self.peers.values_mut() {
            if peer.declined > wall {
                note(peer.declined);
            } else if peer.declined > 0 {
                // What was dropped meanwhile is found by comparing the cuts.
                peer.declined = 0;
                peer.hello_due = true;
            }
            let over: Vec<PublicKey> = peer
                .refuses
                .iter()
                .filter(|(_, refuses)| refuses.until <= wall)
                .map(|(author, _)| *author)
                .collect();
            for author in over {
                peer.refuses.remove(&author);
                peer.announce.insert(author);
            }
            let until = peer.refuses.values().map(|refuses| refuses.until);
            until.for_each(&mut note);
            peer.body_from = 0;
        }
        if let Some(next) = next {
            self.retry_at(shared, env, next);
        }
    }
}
