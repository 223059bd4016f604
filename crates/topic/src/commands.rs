//! What the node asks of topics.

use crate::draft::{
    Draft, InviteBox, Payload, PublishError, Published, PutBoxError, ReadError, Summary, Unknown,
};
use crate::event::{LinkId, Peer};
use crate::host::Local;
use crate::limits::MAX_FRAMES_PER_TURN;
use crate::lines::{Page, ReadFrom};
use crate::rows::{self, Phase, Role, Shown};
use crate::state::Timer;
use crate::states::States;
use crate::topics::{Env, Topics};
use identity::{EnvelopeId, PublicKey, TopicId};
use lace::Rule;
use machine::Cx;
use wire::{Item, TopicBox};

impl Topics {
    /// Writes, seals, signs, admits and pushes one envelope of this home.
    ///
    /// # Errors
    /// See [`PublishError`].
    pub fn publish(
        &mut self,
        env: &mut Env<'_, '_>,
        topic: Local,
        draft: Draft,
    ) -> Result<Published, PublishError> {
        self.shared.frames_left = MAX_FRAMES_PER_TURN;
        let (topic, shared) = self.get(env.cx, topic)?;
        let published = topic.publish(shared, env, draft)?;
        topic.work(shared, env);
        Ok(published)
    }

    /// What could not be opened when it came can be now: if the envelope is shown as a gap, its lines
    /// follow at the end. Nothing happens otherwise.
    ///
    /// # Errors
    /// [`Unknown`].
    pub fn opens_now(
        &mut self,
        env: &mut Env<'_, '_>,
        topic: Local,
        id: &EnvelopeId,
    ) -> Result<(), Unknown> {
        let (topic, shared) = self.get(env.cx, topic)?;
        topic.show_late(env, id);
        topic.work(shared, env);
        Ok(())
    }

    /// Reads lines, at most `limit` and [`crate::limits::MAX_READ`].
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn read(
        &mut self,
        env: &mut Env<'_, '_>,
        topic: Local,
        from: ReadFrom,
        limit: usize,
    ) -> Result<Page, ReadError> {
        let (topic, _) = self.get(env.cx, topic)?;
        topic.read(env, from, limit)
    }

    /// The first line of an envelope's messages, once they are shown.
    pub fn line_of(&mut self, cx: &mut Cx<'_>, topic: Local, id: &EnvelopeId) -> Option<u64> {
        let (topic, _) = self.get(cx, topic).ok()?;
        match topic.shown(cx, id)? {
            Shown::Lines(line) => Some(line),
            Shown::Gap(_) => None,
        }
    }

    /// The application has dealt with all lines up to `n`. Durable when this turn's outputs are
    /// released; never goes back.
    ///
    /// # Errors
    /// [`Unknown`].
    pub fn confirm(&mut self, cx: &mut Cx<'_>, topic: Local, n: u64) -> Result<(), Unknown> {
        let (topic, _) = self.get(cx, topic)?;
        let n = n.min(topic.row.next_line.saturating_sub(1));
        if n > topic.row.confirmed {
            topic.row.confirmed = n;
            topic.save(cx);
        }
        Ok(())
    }

    /// Where an envelope stands; nothing when it is not one of this topic.
    ///
    /// # Errors
    /// [`Unknown`].
    pub fn states(
        &mut self,
        env: &mut Env<'_, '_>,
        topic: Local,
        id: &EnvelopeId,
    ) -> Result<Option<States>, Unknown> {
        let (topic, shared) = self.get(env.cx, topic)?;
        Ok(topic.states(shared, env, id))
    }

    /// A topic at a glance.
    ///
    /// # Errors
    /// [`Unknown`].
    pub fn summary(&mut self, cx: &mut Cx<'_>, topic: Local) -> Result<Summary, Unknown> {
        let (topic, _) = self.get(cx, topic)?;
        Ok(Summary {
            id: topic.id,
            role: topic.row.role,
            phase: topic.row.phase,
            last_line: topic.row.next_line.saturating_sub(1),
            confirmed: topic.row.confirmed,
            envelopes: topic.lace.totals().envelopes,
            waiting: topic.waiting.len(),
            parked: topic.lace.parked_load().0,
            links: topic.peers.len(),
            members: topic.people(cx).len(),
            title: topic.title(cx),
        })
    }

    /// The name that a device of the topic gave itself.
    pub fn name(&mut self, cx: &mut Cx<'_>, topic: Local, device: &PublicKey) -> Option<String> {
        let (topic, _) = self.get(cx, topic).ok()?;
        topic.name(cx, device)
    }

    /// The devices that take part in a topic now, with the names that they gave themselves.
    pub fn members(
        &mut self,
        cx: &mut Cx<'_>,
        topic: Local,
    ) -> Result<Vec<(PublicKey, Option<String>)>, Unknown> {
        let (topic, _) = self.get(cx, topic)?;
        let devices = topic.members(cx);
        Ok(devices
            .into_iter()
            .map(|device| (device, topic.name(cx, &device)))
            .collect())
    }

    /// Who is there in a topic: the links that have proved it, and what is known to be at the other
    /// end.
    #[must_use]
    pub fn peers(&self, topic: Local) -> Vec<(LinkId, Peer)> {
        let topic = self
            .entries
            .get(&topic)
            .and_then(|entry| entry.topic.as_ref());
        let peers = topic.into_iter().flat_map(|topic| &topic.peers);
        peers.map(|(link, peer)| (*link, peer.who)).collect()
    }

    /// Says to the others that this device leaves (if it can write), and stops taking part. What is
    /// here stays readable and is still served.
    ///
    /// # Errors
    /// See [`PublishError`].
    pub fn leave(&mut self, env: &mut Env<'_, '_>, topic: Local) -> Result<(), PublishError> {
        self.shared.frames_left = MAX_FRAMES_PER_TURN;
        let local = topic;
        let (topic, shared) = self.get(env.cx, topic)?;
        if topic.row.phase != Phase::Active {
            return Ok(());
        }
        let author = env.host.author(local);
        if topic.can_write(author) {
            let payload = Payload::Items(vec![Item::Leave]);
            let draft = Draft {
                payload,
                lifespan: None,
                answers: Vec::new(),
                manifest: None,
            };
            match topic.publish(shared, env, draft) {
                // Whom the rules never let say anything again leaves without a word.
                Err(PublishError::Refused(rule)) if lasts(rule, shared.clock_confirmed) => {}
                Err(PublishError::CutOff) if !topic.has_seat(env.cx, author) => {}
                published => drop(published?),
            }
        }
        topic.row.phase = Phase::Left;
        topic.save(env.cx);
        topic.work(shared, env);
        if let Some(entry) = self.entries.get_mut(&local) {
            entry.phase = Phase::Left;
        }
        Ok(())
    }

    /// Removes everything about a topic, a bounded piece at a time. The topic is unknown from now
    /// on; its local number must not be given out again before [`Topics::is_forgotten`].
    ///
    /// # Errors
    /// [`Unknown`].
    pub fn forget(&mut self, cx: &mut Cx<'_>, topic: Local) -> Result<(), Unknown> {
        let local = topic;
        let (topic, shared) = self.get(cx, topic)?;
        topic.row.phase = Phase::Forgetting;
        topic.save(cx);
        for link in topic.peers.keys() {
            if let Some(link) = shared.links.get_mut(link) {
                link.topics.remove(&local);
                link.blocked.remove(&local);
            }
        }
        let boxes: Vec<[u8; 32]> = topic.boxes.keys().copied().collect();
        for loc in boxes {
            topic.remove_box(cx, &loc);
        }
        topic.forget_claims(cx);
        shared.timers.set(Timer::Forget(local), cx.now);
        if let Some(entry) = self.entries.get_mut(&local) {
            entry.phase = Phase::Forgetting;
            entry.topic = None;
            self.by_id.remove(&entry.id);
        }
        Ok(())
    }

    /// Whether nothing of a topic is left.
    #[must_use]
    pub fn is_forgotten(&self, topic: Local) -> bool {
        !self.entries.contains_key(&topic)
    }

    /// Puts an invite box, to be kept by every member, signed by this device, which lets people in
    /// ([`TopicBox::sign`]); a time that has passed removes it here.
    ///
    /// # Errors
    /// See [`PutBoxError`].
    pub fn put_box(
        &mut self,
        env: &mut Env<'_, '_>,
        topic: Local,
        held: TopicBox,
    ) -> Result<(), PutBoxError> {
        self.shared.frames_left = MAX_FRAMES_PER_TURN;
        let (topic, shared) = self.get(env.cx, topic)?;
        if !topic.lets_in(env.cx, &held.device) {
            return Err(PutBoxError::NotInviter);
        }
        let held = wire::check_box(topic.id, held).map_err(|_| PutBoxError::NotInviter)?;
        topic.take_box(shared, env, None, held);
        topic.work(shared, env);
        Ok(())
    }

    /// The invite box with this locator, in whichever topic.
    pub fn find_box(&mut self, cx: &mut Cx<'_>, loc: &[u8; 32]) -> Option<InviteBox> {
        cx.store
            .get(rows::BOX, loc)
            .and_then(|row| crate::boxes::decode(&row))
            .map(|(topic, held)| InviteBox {
                topic,
                sealed: held.sealed,
                until: held.until,
            })
    }

    /// The topics that are here and not being forgotten.
    pub fn list(&self) -> impl Iterator<Item = (Local, TopicId, Role, Phase)> + '_ {
        let here = self
            .entries
            .iter()
            .filter(|(_, entry)| entry.phase != Phase::Forgetting);
        here.map(|(local, entry)| (*local, entry.id, entry.role, entry.phase))
    }

    /// The local number of a topic.
    #[must_use]
    pub fn local(&self, id: &TopicId) -> Option<Local> {
        self.by_id.get(id).copied()
    }

    /// Bytes of a link that are out for checking. The node stops reading from a link while this is
    /// more than it wants to keep in memory for it.
    #[must_use]
    pub fn checking(&self, link: LinkId) -> usize {
        self.shared.links.get(&link).map_or(0, |link| link.checking)
    }
}

/// Whether what a rule refuses to somebody who says nothing but that it leaves stays refused: what it may
/// write in all is used up, what it wrote under has been taken back, it has no seat any more, or its
/// time is over by a clock that is confirmed. Rates fill again.
const fn lasts(rule: Rule, clock_confirmed: bool) -> bool {
    let over = matches!(rule, Rule::Time) && clock_confirmed;
    over || matches!(rule, Rule::Total | Rule::Ended | Rule::Holder)
}
