//! Keys of epochs, handed over among members: to who joined after an epoch had begun, missed its box, or
//! got a false one.
//!
//! Whoever lacks keys asks one member after the other, in growing steps; who is asked gives what the
//! asker may have by what stands here, sealed to the key that it has told in the topic, once a minute.

use crate::io::LinkId;
use crate::keychain::{Keychain, TopicKeys};
use crate::limits::{KEYS_ASKED_EVERY, KEYS_ASKED_EVERY_MAX, KEYS_GIVEN_EVERY};
use crate::node::{Inner, Turn};
use core::time::Duration;
use identity::{EpochId, PublicKey};
use machine::{Cx, Time};
use rights::limits::MAX_KEYS;
use rights::{Survey, can_be_sealed_to, open_keys, seal_keys};
use std::collections::{BTreeMap, BTreeSet};
use wire::{Frame, SealedTo, TopicFrame};

/// Who was asked for keys, and who has asked.
#[derive(Debug, Default)]
pub(crate) struct Handing {
    asked: BTreeMap<u32, Asked>,
    /// Topics of which this device does not hold all that it may.
    lacks: BTreeSet<u32>,
    /// When a device was last given keys of a topic.
    given: BTreeMap<(u32, PublicKey), Time>,
}

#[derive(Debug)]
struct Asked {
    /// On which link; nothing once it has answered.
    link: Option<LinkId>,
    /// Behind which link the next one is asked.
    last: LinkId,
    at: Time,
    /// How long nobody else is asked.
    wait: Duration,
}

impl Inner {
    /// Asks a member for what is missing. Gives when to look again.
    pub(super) fn ask_keys(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        survey: &Survey,
    ) -> Option<Time> {
        let missing = self.host.keys.missing(local, survey);
        if missing.is_empty() {
            self.announcing.handing.asked.remove(&local);
            self.announcing.handing.lacks.remove(&local);
            return None;
        }
        self.announcing.handing.lacks.insert(local);
        let keys = self.host.keys.topic(local);
        if keys.is_some_and(TopicKeys::is_handed) {
            // Nobody can seal to it before it has told its sealing key, with its first envelope.
            return None;
        }
        let now = turn.cx.now;
        let before = self.announcing.handing.asked.get(&local);
        let again = before.map(|asked| asked.at.after(asked.wait));
        if let Some(again) = again.filter(|again| *again > now) {
            return Some(again);
        }
        let members = self.links.iter();
        let members = members.filter(|(_, state)| state.members.contains_key(&local));
        let mut links = members.map(|(link, _)| *link);
        let last = before.map(|asked| asked.last);
        let first = links.clone().next();
        let next = links.find(|link| last.is_none_or(|last| *link > last));
        // A member that is met later is asked then.
        let link = next.or(first)?;
        let wait = before.map_or(KEYS_ASKED_EVERY, |asked| asked.wait.saturating_mul(2));
        let wait = wait.min(KEYS_ASKED_EVERY_MAX);
        let asked = Asked {
            link: Some(link),
            last: link,
            at: now,
            wait,
        };
        self.announcing.handing.asked.insert(local, asked);
        let topic = self.host.keys.topic(local)?.id;
        let frame = TopicFrame::KeysAsk { epochs: missing };
        turn.send(link, &Frame::Topic { topic, frame });
        Some(now.after(wait))
    }

    /// A member was met: if something is missing it is asked without more patience.
    pub(crate) fn member_met(&mut self, turn: &mut Turn<'_, '_>, local: u32) {
        if let Some(asked) = self.announcing.handing.asked.get_mut(&local) {
            asked.wait = asked.wait.min(KEYS_ASKED_EVERY);
        }
        if self.announcing.handing.lacks.contains(&local) {
            self.epochs_changed(turn, local);
        }
    }

    /// A member asks for keys: it gets what it may have by what stands here.
    pub(crate) fn on_keys_ask(
        &mut self,
        turn: &mut Turn<'_, '_>,
        link: LinkId,
        local: u32,
        asked: &[(EpochId, u32)],
    ) {
        let device = self
            .links
            .get(&link)
            .and_then(|state| state.members.get(&local));
        let Some(device) = device.copied().filter(|_| !asked.is_empty()) else {
            return;
        };
        let now = turn.cx.now;
        let given = &mut self.announcing.handing.given;
        given.retain(|_, at| now.since(*at) < KEYS_GIVEN_EVERY);
        if given.contains_key(&(local, device)) {
            return;
        }
        given.insert((local, device), now);
        let Some(survey) = self.survey_epochs(turn, local) else {
            return;
        };
        let portion = survey.now.portion(&device);
        let to = survey.now.sealing(&device).filter(can_be_sealed_to);
        let (Some(portion), Some(to)) = (portion, to) else {
            return;
        };
        let Some(keys) = self.host.keys.topic(local) else {
            return;
        };
        // Of what was announced when its time was over it gets nothing, M neither.
        let its = |(epoch, _): &&(EpochId, u32)| {
            let held = keys.ring.by_id(*epoch);
            held.is_some_and(|held| survey.is_for(&device, held.epoch()))
        };
        let asked: Vec<(EpochId, u32)> = asked.iter().filter(its).copied().collect();
        let handed = keys.ring.hand_over(&asked, portion);
        let topic = keys.id;
        if handed.is_empty() {
            return;
        }
        if let Ok((keys, _)) = seal_keys(topic, &to, &handed, turn.cx.rng) {
            let frame = TopicFrame::Keys { keys };
            turn.send(link, &Frame::Topic { topic, frame });
        }
    }

    /// A member answers with keys. What was not asked for is not looked at.
    pub(crate) fn on_keys(
        &mut self,
        turn: &mut Turn<'_, '_>,
        link: LinkId,
        local: u32,
        sealed: &SealedTo,
    ) {
        let Some(asked) = self.announcing.handing.asked.get_mut(&local) else {
            return;
        };
        if asked.link.take_if(|asked| *asked == link).is_none() {
            return;
        }
        let (taken, refused) = self.host.keys.keys_came(turn.cx, local, sealed);
        if let Some(asked) = self
            .announcing
            .handing
            .asked
            .get_mut(&local)
            .filter(|_| taken)
        {
            // There may be more where it came from.
            asked.wait = KEYS_ASKED_EVERY;
        }
        for epoch in refused {
            turn.advise(crate::io::Advisory::Log {
                event: "false-keys",
                text: format!("{epoch}: a member handed over what does not fit it"),
            });
        }
        if taken {
            self.epochs_changed(turn, local);
        }
    }
}

impl Keychain {
    /// What this device may have and does not hold, the newest first: of epochs all of whose boxes have
    /// come, and of the first one.
    fn missing(&self, local: u32, survey: &Survey) -> Vec<(EpochId, u32)> {
        let Some(keys) = self.topics.get(&local) else {
            return Vec::new();
        };
        let Some(device) = keys.device.as_ref().map(|device| device.public()) else {
            return Vec::new();
        };
        let Some(portion) = survey.now.portion(&device) else {
            return Vec::new();
        };
        let its = |epoch: &EpochId| {
            let held = keys.ring.by_id(*epoch);
            held.is_some_and(|held| survey.is_for(&device, held.epoch()))
        };
        let usable = survey.epochs.iter().rev();
        let usable = usable.filter(|heard| heard.announced.is_usable());
        let usable = usable.map(|heard| heard.announced.epoch().id());
        let all = usable.chain([keys.genesis.epoch.id()]);
        let all = all.filter(its);
        let missing = all.filter_map(|epoch| Some((epoch, keys.ring.lacking(epoch, portion)?)));
        let mut missing: Vec<_> = missing.take(MAX_KEYS).collect();
        missing.sort_unstable();
        missing
    }

    /// Opens an answer with keys. Says whether any of them was taken, and which epochs they do not fit.
    fn keys_came(
        &mut self,
        cx: &mut Cx<'_>,
        local: u32,
        sealed: &SealedTo,
    ) -> (bool, Vec<EpochId>) {
        let (mut taken, mut refused) = (false, Vec::new());
        let Some(keys) = self.topics.get_mut(&local) else {
            return (taken, refused);
        };
        let (id, now) = (keys.id, cx.wall.as_millis());
        let Some(sealing) = keys.sealing.as_mut() else {
            return (taken, refused);
        };
        let opened = sealing.secrets().find_map(|secret| {
            let found = open_keys(id, secret, sealed).ok()?;
            Some((secret.public(), found))
        });
        let Some((key, found)) = opened else {
            return (taken, refused);
        };
        if sealing.opened(&key, now) {
            self.write_sealing(cx, local);
        }
        for (epoch, access) in found {
            if self.key_came(cx, local, epoch, access) {
                taken = true;
            } else {
                refused.push(epoch);
            }
        }
        (taken, refused)
    }
}
