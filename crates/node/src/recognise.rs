//! Recognising one another on a link: members by tags and shows, core nodes by proofs of the core
//! secret. Nothing about a topic flows before its proof (docs/spec/secrecy.md).

use crate::io::LinkId;
use crate::keychain::TopicKeys;
use crate::limits::{MAX_GRANT_ASKS, MAX_ROUND_NUMBER, ROUND_AFTER, SHOW_AGAIN, SHOW_AGAIN_MAX};
use crate::look::look;
use crate::node::{Inner, Turn};
use crate::pairing::has_lost_seat;
use crate::proof::{Link, PendingShow, Token};
use crate::timer::Timer;
use identity::{GrantId, NodeId, PublicKey, TopicId};
use lace::Lace;
use machine::{Staged, Time};
use rights::chain::{self, Chain, Checks};
use rights::{AtCore, Match, MeetingSecret, Round, Show, Shown, ShownAtCore};
use router::Standing;
use std::collections::{BTreeMap, BTreeSet};
use topic::Peer;
use wire::frame::Subject;
use wire::limits::MAX_TAGS;
use wire::{Code, Envelope, Frame, Item, Raw};

impl Inner {
    /// The topics that a link may share, with the newest secret of each. Older ones are for
    /// [`identifying`](crate::identifying): whoever was removed knows them.
    fn shared(&self) -> Vec<(TopicId, MeetingSecret)> {
        self.host
            .keys
            .topics()
            .filter(|(_, keys)| keys.is_shown())
            .flat_map(|(_, keys)| {
                let secrets = keys.recognised_by().into_iter();
                secrets.map(|meeting| (keys.id, meeting))
            })
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
        self.pairs_go_on(turn);
    }

    /// Lists the topics of this node again on every link.
    pub(crate) fn begin_rounds(&mut self, turn: &mut Turn<'_, '_>) {
        let links: Vec<LinkId> = self.links.keys().copied().collect();
        let cores = self.host.cores.values().flat_map(BTreeMap::keys);
        let cores: BTreeSet<NodeId> = cores.copied().collect();
        for link in links {
            self.begin_round(turn, link);
            let is_core = |state: &Link| cores.contains(&state.node);
            if self.links.get(&link).is_some_and(is_core) {
                self.show_at_core(turn, link);
            }
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

    pub(crate) fn on_tags(
        &mut self,
        turn: &mut Turn<'_, '_>,
        link: LinkId,
        number: u32,
        tags: &[[u8; 16]],
    ) {
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
        // Its own list it has been sent; more would tell it apart from one who shares nothing.
        if self.is_denied(link) {
            return;
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
        self.ask_to_identify(turn, link);
    }

    fn show(&mut self, turn: &mut Turn<'_, '_>, link: LinkId, found: &Match) {
        let Some(local) = self.host.keys.local(&found.topic) else {
            return;
        };
        let standings = self.host.keys.topic(local).map(TopicKeys::standings);
        let standings = standings.unwrap_or_default();
        let Some(state) = self.links.get_mut(&link) else {
            return;
        };
        if !standings.is_empty() && state.shown.insert(local) {
            for standing in standings {
                let frame = Show::build(&state.secret, found, &standing).to_frame();
                turn.send(link, &frame);
            }
        }
    }

    pub(crate) fn on_show(&mut self, turn: &mut Turn<'_, '_>, link: LinkId, show: &Show) {
        if self.is_denied(link) {
            return;
        }
        let Some(state) = self.links.get_mut(&link) else {
            return;
        };
        let shown = state.rounds.iter().rev().find_map(|round| {
            let shown = show.verify(&state.secret, round).ok()?;
            Some((round.number(), shown))
        });
        let Some((round, shown)) = shown else { return };
        let Some(local) = self.host.keys.local(&shown.topic) else {
            return;
        };
        // A peer that shows a topic again in a later round has forgotten what it knew of it: both
        // begin anew.
        let last = state.shown_in.insert(local, round);
        let anew = last.is_some_and(|last| last < round);
        if anew {
            state.shown.remove(&local);
        }
        // The peer may have found the topic in a list of ours that we have not matched yet.
        let rounds = state.rounds.iter().rev();
        let own = rounds
            .clone()
            .find_map(|round| round.answer(shown.topic, &show.tag))
            .or_else(|| rounds.clone().find_map(|round| round.own_tag(shown.topic)));
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
        self.judge_shown(turn, link, (local, anew), &shown);
    }

    /// Decides whether what was shown proves the topic. If it was shown `anew`, both begin anew as
    /// soon as it does; until then what was proven before counts, because frames that are on their
    /// way and are refused do not come again.
    pub(crate) fn judge_shown(
        &mut self,
        turn: &mut Turn<'_, '_>,
        link: LinkId,
        (local, anew): (u32, bool),
        shown: &Shown,
    ) {
        if self.is_public(local) {
            return self.judge_reader(turn, link, (local, anew), shown);
        }
        let claim = shown.claim.as_ref();
        let found = look(&mut self.topics, turn.cx, local, |lace, store| {
            // Who was given another grant may not have heard of it yet.
            let member = lace.is_member(store, &shown.device, &shown.grant, claim)
                || lace.has_member(store, &shown.device);
            let ended = has_ended(lace, store, &shown.grant)
                || !member && has_lost_seat(lace, store, &shown.grant, &shown.device);
            (member, ended)
        });
        let Some((member, ended)) = found else {
            return;
        };
        if member {
            let peer = Peer::Member {
                device: shown.device,
                grant: shown.grant,
            };
            self.begin_anew(link, local, anew);
            return self.prove(turn, link, local, peer);
        }
        if ended {
            // No chain of envelopes tells what has ended since.
            return;
        }
        let Some(state) = self.links.get_mut(&link) else {
            return;
        };
        state.keep_show(PendingShow {
            topic: local,
            device: shown.device,
            grant: shown.grant,
            claim: shown.claim,
            anew,
            hello: None,
        });
        if state.asks(shown.grant, anew) {
            let node = state.node;
            // What it answers may be more than a stranger may say.
            self.stands(turn, node, Standing::Claiming);
            turn.send(link, &Frame::GrantAsk { grant: shown.grant });
        }
    }

    pub(crate) fn begin_anew(&mut self, link: LinkId, local: u32, anew: bool) {
        if let Some(state) = self.links.get_mut(&link).filter(|_| anew) {
            state.proven.remove(&local);
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
        state.fallen.remove(&local);
        let node = state.node;
        let told = state.told_peers.remove(&local);
        state.readers.remove(&local);
        match &peer {
            Peer::Member { device, .. } => {
                state.members.insert(local, *device);
                self.stands(turn, node, Standing::Member);
                self.pair_proved(turn, local, device, &node);
                self.member_met(turn, local);
            }
            Peer::Reader { device, .. } => {
                state.members.remove(&local);
                state.readers.insert(local, *device);
                self.stands(turn, node, Standing::Reader);
            }
            Peer::Core { .. } => self.stands(turn, node, Standing::Member),
        }
        if let (Peer::Member { .. } | Peer::Reader { .. }, Some(peers)) = (&peer, told) {
            self.take_core_peers(turn, node, local, peers);
        }
        if let Peer::Core { .. } = &peer {
            self.core_gives(turn, node);
        }
        let reads = matches!(peer, Peer::Reader { .. });
        self.topic(
            turn,
            topic::Input::Proven {
                link: topic::LinkId(link.0),
                topic: local,
                peer,
            },
        );
        let proven = block::swap::Input::Proven {
            link: block::swap::LinkId(link.0),
            topic: local,
            near: self.router.is_near(router::LinkId(link.0)),
        };
        self.swap(turn, proven);
        if !reads {
            self.tell_proposals(turn, link, local);
        }
    }

    /// The device by which a peer has proved a topic takes part there no more. The link stays where
    /// there are other reasons for it.
    pub(crate) fn unprove(
        &mut self,
        turn: &mut Turn<'_, '_>,
        link: LinkId,
        local: u32,
        device: &PublicKey,
    ) {
        let public = self.is_public(local);
        let Some(state) = self.links.get_mut(&link) else {
            return;
        };
        state.proven.remove(&local);
        state.members.remove(&local);
        state.told_peers.remove(&local);
        state.pending.retain(|show| show.topic != local);
        // What it is called a core node for was its own word.
        state.at_core.remove(&local);
        let node = state.node;
        if !public {
            state.fallen.insert(local);
        }
        let fallen = block::swap::Input::Unproven {
            link: block::swap::LinkId(link.0),
            topic: local,
        };
        self.swap(turn, fallen);
        if public {
            // It reads on, as anybody may.
            let device = *device;
            self.prove(turn, link, local, Peer::Reader { device, node });
        }
        self.member_fell(turn, local, device);
        self.stranger_again(turn, &node);
    }

    /// Shows this device to a linked core node, in every topic that it holds as far as is known.
    pub(crate) fn show_at_core(&mut self, turn: &mut Turn<'_, '_>, link: LinkId) {
        let Some(state) = self.links.get(&link) else {
            return;
        };
        let node = state.node;
        let held = self.host.cores.iter();
        // What has just been shown may still be answered.
        let now = turn.cx.now;
        let just = |at: &Option<Time>| at.is_some_and(|at| now.since(at) < SHOW_AGAIN);
        let held = held.filter(|(local, cores)| {
            let shown = state.at_core.get(local).is_some_and(just);
            let proven = state.proven.contains(local) || state.fallen.contains(local);
            cores.contains_key(&node) && !proven && !shown
        });
        let mut topics: BTreeSet<u32> = held.map(|(local, _)| *local).collect();
        // What is only read is shown wherever it was said to be.
        let read = self.read_by_way_of(&node).into_iter();
        topics.extend(read.filter(|local| {
            let shown = state.at_core.get(local).is_some_and(just);
            !shown && !state.proven.contains(local)
        }));
        let mut waits = false;
        for local in topics {
            waits |= self.show_one_at_core(turn, link, local);
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

    pub(crate) fn show_one_at_core(
        &mut self,
        turn: &mut Turn<'_, '_>,
        link: LinkId,
        local: u32,
    ) -> bool {
        let Some(keys) = self.host.keys.topic(local) else {
            return false;
        };
        let Some(state) = self.links.get_mut(&link) else {
            return false;
        };
        let node = state.node;
        if keys.row.custodian {
            let Some(ticket) = self.tidings.ticket(local, &node) else {
                return false;
            };
            // Clients may have given different secrets; the other core knows one of them.
            for secret in self.tidings.core_secrets(local) {
                let frame = AtCore::of_core(&secret, &state.secret, &ticket, turn.cx.rng);
                turn.send(link, &frame.into_frame());
            }
            state.at_core.insert(local, Some(turn.cx.now));
            return true;
        }
        let found = keys.is_found();
        let proofs = keys.core_proofs().into_iter().filter(|_| keys.is_shown());
        let frames: Vec<Frame> = proofs
            .map(|(secret, standing)| {
                AtCore::of_device(&secret, &state.secret, keys.id, &standing, turn.cx.rng)
                    .into_frame()
            })
            .collect();
        if frames.is_empty() {
            return false;
        }
        state.at_core.insert(local, Some(turn.cx.now));
        for frame in frames {
            turn.send(link, &frame);
        }
        if found {
            // What it answers may be more than a stranger may say.
            self.stands(turn, node, Standing::Claiming);
        }
        true
    }

    pub(crate) fn on_at_core(&mut self, turn: &mut Turn<'_, '_>, link: LinkId, proof: &AtCore) {
        let Some(state) = self.links.get(&link) else {
            return;
        };
        let node = state.node;
        let (stranger, denied) = (self.is_stranger(link), self.is_denied(link));
        let mut tokens: Vec<&Token> = self.tokens.of(&proof.token).iter().collect();
        tokens.sort_by_key(|token| token.older);
        let shown = tokens.into_iter().find_map(|token| {
            let shown = proof.verify(&token.secret, &state.secret, token.topic, turn.cx.wall);
            Some(((token.local, token.topic, token.older), shown.ok()?))
        });
        // Whoever was removed knows an older secret too, and is to learn no more by it than a stranger.
        let shown = shown.filter(|((local, _, older), shown)| {
            !denied && (!older || self.is_known(turn, *local, shown))
        });
        let Some(((local, topic, _), shown)) = shown else {
            if stranger {
                return self.sorry(turn, link);
            }
            let refusal = Frame::Refused {
                subject: Subject::Link,
                code: Code::NOT_SERVED,
                text: "no such topic is held here".to_owned(),
                retry: 0,
            };
            return turn.send(link, &refusal);
        };
        let reads = self.is_public(local) && !self.is_known(turn, local, &shown);
        match shown {
            ShownAtCore::Device(shown) => {
                if !self.guest_counts(turn, link, topic, reads) {
                    return;
                }
                // Who shows itself again may have forgotten what it knew of the topic.
                let anew = self
                    .links
                    .get(&link)
                    .is_some_and(|state| state.proven.contains(&local));
                self.judge_shown(turn, link, (local, anew), &shown);
            }
            ShownAtCore::Core(ticket) if reads => {
                // Its client only reads.
                if !self.guest_counts(turn, link, topic, reads) {
                    return;
                }
                let device = ticket.device;
                self.prove(turn, link, local, Peer::Reader { device, node });
            }
            ShownAtCore::Core(ticket) => {
                // A ticket names no grant: its device has to be known already, as one that takes part.
                let stands = look(&mut self.topics, turn.cx, local, |lace, store| {
                    lace.has_member(store, &ticket.device)
                });
                if stands == Some(true) {
                    self.prove(turn, link, local, Peer::Core { node });
                }
            }
        }
    }

    /// Counts a guest on the account of a client; says whether there is a place for it.
    fn guest_counts(
        &mut self,
        turn: &mut Turn<'_, '_>,
        link: LinkId,
        topic: TopicId,
        reads: bool,
    ) -> bool {
        let Some(node) = self.links.get(&link).map(|state| state.node) else {
            return false;
        };
        let seen = |node: &NodeId| {
            let (host, used) = self.router.unknown(node)?;
            Some(custody::Seen { host, used })
        };
        let custody = &mut self.host.custody;
        match custody.guest_up(turn.cx, &topic, (node, reads), seen) {
            Ok(None) => true,
            Ok(Some(crowded)) => {
                self.router.show_out(turn.cx, &crowded, &mut turn.router);
                true
            }
            Err(refusal) => {
                self.refuse(turn, link, Subject::Topic(topic), &refusal);
                false
            }
        }
    }

    /// Whether what was shown at this core node names a device that takes part, as far as is known here.
    fn is_known(&mut self, turn: &mut Turn<'_, '_>, local: u32, shown: &ShownAtCore) -> bool {
        let known = look(
            &mut self.topics,
            turn.cx,
            local,
            |lace, store| match shown {
                ShownAtCore::Device(shown) => {
                    let claim = shown.claim.as_ref();
                    lace.is_member(store, &shown.device, &shown.grant, claim)
                        || lace.has_member(store, &shown.device)
                }
                ShownAtCore::Core(ticket) => lace.has_member(store, &ticket.device),
            },
        );
        known == Some(true)
    }

    /// Only its own grants does a node prove to a peer that was shown them, each a few times.
    pub(crate) fn on_grant_ask(&mut self, turn: &mut Turn<'_, '_>, link: LinkId, grant: GrantId) {
        let answered = self.links.get(&link).map(|state| state.answered);
        if answered.is_none_or(|answered| answered >= MAX_GRANT_ASKS) {
            return;
        }
        if self.prove_grant(turn, link, grant)
            && let Some(state) = self.links.get_mut(&link)
        {
            state.answered = state.answered.saturating_add(1);
        }
    }

    /// Something was given in a topic: proves what was asked for before it had come.
    pub(crate) fn prove_owed(&mut self, turn: &mut Turn<'_, '_>, local: u32, items: &[Item]) {
        let gives = |item: &Item| matches!(item, Item::Grant(_) | Item::Invite(_) | Item::Act(_));
        if !items.iter().any(gives) {
            return;
        }
        // Whoever has been removed meanwhile hears nothing more.
        let links = self.links.iter();
        let owed = links.filter(|(_, state)| !state.fallen.contains(&local));
        let owed = owed.flat_map(|(link, state)| state.owed.iter().map(|grant| (*link, *grant)));
        let owed: Vec<(LinkId, GrantId)> = owed.collect();
        let standings = self.host.keys.topic(local).map(TopicKeys::standings);
        let own: BTreeSet<GrantId> = standings.iter().flatten().map(|one| one.grant).collect();
        for (link, grant) in owed.into_iter().filter(|(_, grant)| own.contains(grant)) {
            self.prove_grant(turn, link, grant);
        }
    }

    /// Proves a grant of this node that was shown on a link, now or when what gives it has come. Says
    /// whether it is one.
    fn prove_grant(&mut self, turn: &mut Turn<'_, '_>, link: LinkId, grant: GrantId) -> bool {
        let Some(state) = self.links.get_mut(&link) else {
            return false;
        };
        let mut shown = state.shown.iter().chain(state.at_core.keys());
        let own = shown.find_map(|local| {
            let standings = self.host.keys.topic(*local)?.standings();
            let standing = standings.into_iter().find(|one| one.grant == grant)?;
            Some((*local, standing.device.public()))
        });
        let Some((local, device)) = own else {
            state.owed.remove(&grant);
            return false;
        };
        let envelopes = look(&mut self.topics, turn.cx, local, |lace, store| {
            chain::gather(lace, store, &grant, &device)
        });
        let Some(state) = self.links.get_mut(&link) else {
            return false;
        };
        match envelopes.flatten() {
            Some(envelopes) => {
                state.owed.remove(&grant);
                turn.send(link, &Frame::GrantProof { grant, envelopes });
            }
            // Whoever comes by an invite may be asked before the envelope with it is here.
            None => drop(state.owed.insert(grant)),
        }
        true
    }

    pub(crate) fn on_grant_proof(
        &mut self,
        turn: &mut Turn<'_, '_>,
        link: LinkId,
        grant: GrantId,
        envelopes: &[Raw],
    ) {
        let confirmed = self.router.clock_confirmed();
        let Some(state) = self.links.get_mut(&link) else {
            return;
        };
        // An answer is looked at once.
        if !state.awaited.remove(&grant) {
            return;
        }
        let (named, rest) = std::mem::take(&mut state.pending)
            .into_iter()
            .partition(|show: &PendingShow| show.grant == grant);
        state.pending = rest;
        // Nothing has ended by a clock that nobody confirmed.
        let now = if confirmed {
            turn.cx.wall.as_millis()
        } else {
            0
        };
        // Of all that one answer may be for so much is checked, and no more: cheap enough for the
        // node's own thread.
        let mut checks = Checks::new();
        let mut chains: BTreeMap<u32, Option<Chain>> = BTreeMap::new();
        for show in named {
            let Some(keys) = self.host.keys.topic(show.topic) else {
                continue;
            };
            let chain = chains.entry(show.topic).or_insert_with(|| {
                Chain::check(&keys.genesis, &grant, envelopes, &mut checks).ok()
            });
            let proved = chain.as_ref().is_some_and(|chain| {
                let claim = show.claim.as_ref();
                chain.admits(&show.device, claim, now, &mut checks).is_ok()
            });
            let mut ended = || {
                look(&mut self.topics, turn.cx, show.topic, |lace, store| {
                    has_ended(lace, store, &grant)
                        || rests_on_ended(lace, store, envelopes)
                        || has_lost_seat(lace, store, &grant, &show.device)
                })
            };
            if proved && ended() == Some(false) {
                let peer = Peer::Member {
                    device: show.device,
                    grant,
                };
                self.begin_anew(link, show.topic, show.anew);
                self.prove(turn, link, show.topic, peer);
                if let Some(hello) = show.hello {
                    self.give_topic(turn, link, show.topic, hello);
                }
            }
        }
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
}

/// Whether a grant is known here and does not stand.
pub(crate) fn has_ended(lace: &Lace, store: &mut Staged<'_>, grant: &GrantId) -> bool {
    let standing = lace.held_effect(store).grants.contains_key(grant);
    !standing && lace.facts(store, |facts| !facts.issued(grant).is_empty())
}

/// Whether what a chain gives was given under a grant that is known here and lets nobody in any more.
/// What was given before that ended is here: whoever ends a grant names what is left of it.
fn rests_on_ended(lace: &Lace, store: &mut Staged<'_>, envelopes: &[Raw]) -> bool {
    let effect = lace.held_effect(store);
    envelopes.iter().any(|raw| {
        let Ok(envelope) = Envelope::from_stored(raw.header_bytes.clone(), raw.proof) else {
            return true;
        };
        if lace.contains(store, &envelope.id) {
            // What it gives is known here, and judged where it is used.
            return false;
        }
        let under = &envelope.header.grant;
        match effect.grants.get(under) {
            Some(standing) => standing.over.admit,
            None => has_ended(lace, store, under),
        }
    })
}
