//! Members who hold no common newest secret find together again: one who missed an epoch, and two sides
//! that each began one. Somebody who was removed meets silence: its questions are answered as any
//! stranger's, after the same time, with random bytes (docs/spec/secrecy.md).

use crate::io::LinkId;
use crate::keychain::TopicKeys;
use crate::limits::{IDENTIFY_AFTER, MAX_IDENTIFIES};
use crate::look::look;
use crate::node::{Inner, Turn};
use crate::timer::Timer;
use identity::{PublicKey, TopicId};
use machine::Time;
use rights::{IDENTIFY_TOPICS, Identified, Identity, MeetingSecret, identified, identify};
use wire::IdentifyStep;

/// How often a peer is asked about a topic in which it has taken part on the link, and fell.
const ASKED_AFTER_A_FALL: usize = 3;

/// What has been asked and answered on one link.
#[derive(Debug, Default)]
pub(crate) struct Identifying {
    /// Topics that the peer was asked about, by local number: once each, unless it fell there.
    asked: Vec<u32>,
    /// Questions to the peer that it has not answered yet.
    open: usize,
    /// Questions of the peer, those that were answered too.
    heard: usize,
    /// Answers that are due, the earliest first.
    due: Vec<(Time, Vec<(u32, Identified)>)>,
}

impl Inner {
    /// Asks a peer about topics in which it is expected to take part, and which it has shown no common
    /// secret of: in one frame, whose length tells nothing.
    pub(crate) fn ask_to_identify(&mut self, turn: &mut Turn<'_, '_>, link: LinkId) {
        let Some(state) = self.links.get(&link) else {
            return;
        };
        let room = MAX_IDENTIFIES.saturating_sub(state.identifying.asked.len());
        let open = |local: &u32| {
            // Whoever fell there may have been given its place again, and is known by what it holds
            // from before: it is asked a few times more.
            let fell = state.fallen.contains(local);
            let known = state.proven.contains(local) || (state.shown.contains(local) && !fell);
            let asked = state.identifying.asked.iter();
            let asked = asked.filter(|asked| *asked == local).count();
            !known && asked < if fell { ASKED_AFTER_A_FALL } else { 1 }
        };
        // In a public topic there is one secret for all times.
        let shown = self.host.keys.topics();
        let shown = shown.filter(|(_, keys)| keys.is_shown() && !keys.is_public());
        let topics: Vec<u32> = shown.map(|(local, _)| local).filter(open).collect();
        let expected: Vec<u32> = topics
            .into_iter()
            .filter(|local| self.is_expected(turn, link, *local))
            .take(room)
            .collect();
        let mut all: Vec<(u32, Identity)> = Vec::new();
        for local in expected {
            let of = self.host.keys.topic(local);
            let of = of.map(TopicKeys::identities).unwrap_or_default();
            all.extend(of.into_iter().map(|one| (local, one)));
        }
        for of in all.chunks(IDENTIFY_TOPICS) {
            let Some(state) = self.links.get_mut(&link) else {
                return;
            };
            let locals = of.iter().map(|(local, _)| *local);
            state.identifying.asked.extend(locals);
            state.identifying.open = state.identifying.open.saturating_add(1);
            let of: Vec<Identity> = of.iter().map(|(_, one)| one.clone()).collect();
            let frame = identify(&state.secret, IdentifyStep::Question, &of, turn.cx.rng);
            turn.send(link, &frame);
        }
    }

    /// An answer to this device's claim may be what peers know it by: they are asked once more, where
    /// the next tags show no common secret.
    pub(crate) fn identify_anew(&mut self, local: u32) {
        for state in self.links.values_mut() {
            state.identifying.asked.retain(|asked| *asked != local);
        }
    }

    /// Whether a member's device that takes part is on the peer's node, as it has said; or the peer is
    /// named in the invite that this device has come by, or is another device of the person where this one
    /// does not write yet.
    fn is_expected(&mut self, turn: &mut Turn<'_, '_>, link: LinkId, local: u32) -> bool {
        let Some(node) = self.links.get(&link).map(|state| state.node) else {
            return false;
        };
        let keys = self.host.keys.topic(local);
        if keys.is_some_and(|keys| !keys.row.opened)
            && self.ways_of(local).iter().any(|way| way.node == node)
        {
            return true;
        }
        if keys.is_some_and(|keys| !keys.row.opened) && self.pairing.session(link).is_some() {
            return true;
        }
        let on_it: Vec<PublicKey> = self.tidings.members.on(local, &node).copied().collect();
        !on_it.is_empty()
            && look(&mut self.topics, turn.cx, local, |lace, store| {
                on_it.iter().any(|device| lace.has_member(store, device))
            }) == Some(true)
    }

    fn identity(&self, local: u32, secrets: Vec<MeetingSecret>) -> Option<Identity> {
        let keys = self.host.keys.topic(local)?;
        Some(Identity {
            topic: keys.id,
            secrets,
            standing: keys.standing().filter(|_| keys.is_shown())?,
        })
    }

    fn older_secrets(&self, local: u32) -> Vec<MeetingSecret> {
        let of = self.host.keys.topic(local);
        let of = of.map(TopicKeys::identities).unwrap_or_default();
        of.into_iter().flat_map(|one| one.secrets).collect()
    }

    pub(crate) fn on_identify(
        &mut self,
        turn: &mut Turn<'_, '_>,
        link: LinkId,
        step: IdentifyStep,
        sealed: &[u8],
    ) {
        match step {
            IdentifyStep::Question => self.on_identify_question(turn, link, sealed),
            IdentifyStep::Answer => self.on_identify_answer(turn, link, sealed),
        }
    }

    /// Every question is answered, and always after the same time. Only who takes part as far as is
    /// known here gets more than random bytes: nothing is asked back of the others.
    fn on_identify_question(&mut self, turn: &mut Turn<'_, '_>, link: LinkId, sealed: &[u8]) {
        let denied = self.is_denied(link);
        let Some(state) = self.links.get_mut(&link) else {
            return;
        };
        if state.identifying.heard >= MAX_IDENTIFIES {
            return;
        }
        state.identifying.heard = state.identifying.heard.saturating_add(1);
        let shown = self.host.keys.topics();
        let shown = shown.filter(|(_, keys)| keys.is_shown() && !keys.is_public());
        let known: Vec<(TopicId, MeetingSecret)> = shown
            .filter(|_| !denied)
            .flat_map(|(_, keys)| keys.ring.meeting_secrets().map(|one| (keys.id, one)))
            .collect();
        let found = identified(&state.secret, IdentifyStep::Question, sealed, &known);
        let mut taking_part = Vec::new();
        for one in found {
            if let Some(local) = self.takes_part(turn, &one) {
                taking_part.push((local, one));
            }
        }
        let at = turn.cx.now.after(IDENTIFY_AFTER);
        if let Some(state) = self.links.get_mut(&link) {
            state.identifying.due.push((at, taking_part));
        }
        self.timers.set_earlier(Timer::Identify, at);
    }

    /// The topic in which somebody has identified itself, if it is known to take part there.
    fn takes_part(&mut self, turn: &mut Turn<'_, '_>, one: &Identified) -> Option<u32> {
        let local = self.host.keys.local(&one.shown.topic)?;
        let shown = &one.shown;
        let member = look(&mut self.topics, turn.cx, local, |lace, store| {
            lace.is_member(store, &shown.device, &shown.grant, shown.claim.as_ref())
                || lace.has_member(store, &shown.device)
        });
        (member == Some(true)).then_some(local)
    }

    /// Answers the questions whose time has come. What was proved by them counts from now on.
    pub(crate) fn answer_to_identify(&mut self, turn: &mut Turn<'_, '_>) {
        let now = turn.cx.now;
        let mut answers = Vec::new();
        for (link, state) in &mut self.links {
            let due = &mut state.identifying.due;
            let ready = due.iter().take_while(|(at, _)| *at <= now).count();
            answers.extend(due.drain(..ready).map(|(_, found)| (*link, found)));
        }
        for (link, found) in answers {
            let of: Vec<Identity> = found
                .iter()
                .filter_map(|(local, one)| self.identity(*local, vec![one.under.clone()]))
                .collect();
            let Some(state) = self.links.get_mut(&link) else {
                continue;
            };
            // What it is told to belong to it may ask the chain of.
            state.shown.extend(found.iter().map(|(local, _)| *local));
            let frame = identify(&state.secret, IdentifyStep::Answer, &of, turn.cx.rng);
            turn.send(link, &frame);
            for (local, one) in found {
                self.judge_shown(turn, link, (local, false), &one.shown);
            }
        }
        let next = self.links.values();
        let next = next.filter_map(|state| state.identifying.due.first());
        if let Some(at) = next.map(|(at, _)| *at).min() {
            self.timers.set_earlier(Timer::Identify, at);
        }
    }

    fn on_identify_answer(&mut self, turn: &mut Turn<'_, '_>, link: LinkId, sealed: &[u8]) {
        let Some(state) = self.links.get(&link) else {
            return;
        };
        let Some(open) = state.identifying.open.checked_sub(1) else {
            return;
        };
        let known: Vec<(TopicId, MeetingSecret)> = state
            .identifying
            .asked
            .iter()
            .filter_map(|local| Some((self.host.keys.topic(*local)?.id, *local)))
            .flat_map(|(id, local)| self.older_secrets(local).into_iter().map(move |m| (id, m)))
            .collect();
        let found = identified(&state.secret, IdentifyStep::Answer, sealed, &known);
        for one in found {
            let Some(local) = self.host.keys.local(&one.shown.topic) else {
                continue;
            };
            if let Some(state) = self.links.get_mut(&link) {
                state.shown.insert(local);
            }
            self.judge_shown(turn, link, (local, false), &one.shown);
        }
        if let Some(state) = self.links.get_mut(&link) {
            state.identifying.open = open;
        }
    }
}
