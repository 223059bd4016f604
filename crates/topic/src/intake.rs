//! Taking: envelopes, bodies, evidence from peers.

use crate::check::{Done, Job, Results, Work};
use crate::event::{LinkId, Output, Rule};
use crate::host::{Offer, RefusedPart, Stored};
use crate::limits::{ANSWER_PATIENCE, MAX_CHECKING, MAX_ENVELOPES_PER_FRAME, PARKED_PATIENCE};
use crate::peer::Wanted;
use crate::rows::Phase;
use crate::state::{Shared, Timer, Topic};
use crate::topics::Env;
use core::time::Duration;
use identity::{EnvelopeId, PublicKey};
use lace::{Admission, Body, Verdict};
use machine::Time;
use machine::planted::{Bug, is};
use wire::{Checked, Class, Envelope, Evidence, Raw, RawHeader, TopicFrame, Verified};

impl Topic {
    pub(crate) fn on_envelopes(
        &mut self,
        shared: &mut Shared,
        env: &mut Env<'_, '_>,
        link: LinkId,
        (envelopes, last): (Vec<Raw>, bool),
    ) {
        if envelopes.len() > MAX_ENVELOPES_PER_FRAME {
            self.misbehaved(env, link, Rule::TooMuch);
            return;
        }
        if self
            .peers
            .get(&link)
            .is_some_and(|peer| peer.asked.is_some())
        {
            shared.timers.set(
                Timer::Answer(self.local, link),
                env.cx.now.after(ANSWER_PATIENCE),
            );
        }
        let mut bytes = 0_usize;
        let mut work = Vec::new();
        for raw in envelopes {
            if self.is_worth_checking(shared, env, link, &raw) {
                bytes = bytes.saturating_add(raw.encoded_len());
                work.push(raw);
            }
        }
        if !self.may_check(shared, env.cx.now, (link, bytes)) {
            work.clear();
            bytes = 0;
        }
        // An empty job still goes round, so that the end of an answer comes after its beginning.
        if !work.is_empty() || last {
            self.send_job(
                shared,
                env,
                link,
                Job::new(Work::Envelopes(work), bytes, last),
            );
        }
    }

    /// Whether a link may have this much more out for checking. What is dropped is asked for again.
    pub(crate) fn may_check(
        &mut self,
        shared: &mut Shared,
        now: Time,
        (link, bytes): (LinkId, usize),
    ) -> bool {
        let checking = shared.links.get(&link).map_or(0, |link| link.checking);
        let may = checking.saturating_add(bytes) <= MAX_CHECKING;
        if !may && let Some(peer) = self.peers.get_mut(&link) {
            peer.lost = true;
            self.parked_by.insert(link);
            shared.soon(Timer::Parked(self.local), now, PARKED_PATIENCE);
        }
        may
    }

    pub(crate) fn send_job(
        &mut self,
        shared: &mut Shared,
        env: &mut Env<'_, '_>,
        link: LinkId,
        job: Job,
    ) {
        if let Some(state) = shared.links.get_mut(&link) {
            state.checking = state.checking.saturating_add(job.bytes);
        }
        if let Some(peer) = self.peers.get_mut(&link) {
            peer.jobs = peer.jobs.saturating_add(1);
        }
        env.out.push(Output::Check {
            link,
            topic: self.local,
            job,
        });
    }

    pub(crate) fn is_worth_checking(
        &mut self,
        shared: &mut Shared,
        env: &mut Env<'_, '_>,
        link: LinkId,
        raw: &Raw,
    ) -> bool {
        let Ok(header) = wire::decode_header(&raw.header_bytes) else {
            self.misbehaved(env, link, Rule::BadEnvelope);
            return false;
        };
        if let Some(asked) = self
            .peers
            .get_mut(&link)
            .and_then(|peer| peer.asked.as_mut())
        {
            asked.got |= asked.ranges.contains_key(&header.author);
        }
        let id = wire::Header::id_of(&raw.header_bytes);
        let wall = env.cx.wall.as_millis();
        let declined = self
            .declined
            .get(&header.author)
            .is_some_and(|until| *until > wall);
        let declined = declined || self.is_declined(link, wall);
        if self.row.phase != Phase::Active || declined || self.bad.has(id.as_bytes()) {
            return false;
        }
        match self.lace.judge(&mut env.cx.store, &id, &header) {
            Verdict::New => {
                if is(Bug::GoodIdBad) && wire::check(raw.clone()).is_err() {
                    self.bad.note(id.as_bytes());
                }
                true
            }
            Verdict::Closed => self
                .peers
                .get(&link)
                .is_some_and(|peer| peer.asked.is_some()),
            Verdict::BodyWanted => {
                self.has_it(shared, link, (&header.author, header.number));
                raw.body.is_some() && !self.declines_bodies(env)
            }
            Verdict::Known => {
                self.has_it(shared, link, (&header.author, header.number));
                false
            }
            Verdict::NoRoom => {
                self.look_for_past(shared, env, link);
                false
            }
            Verdict::Refused(rule) => {
                self.inadmissible(shared, env, link, (header.author, header.number, rule));
                false
            }
        }
    }

    pub(crate) fn has_it(
        &mut self,
        shared: &mut Shared,
        link: LinkId,
        (author, number): (&PublicKey, u64),
    ) {
        let tip = self.tip(author);
        let mut said = false;
        if let Some(peer) = self.peers.get_mut(&link) {
            peer.learn(&self.lace, author, number);
            // Whoever gives an older one may lack what came after it.
            if number >= tip {
                peer.announce.remove(author);
                said = peer.held_back.remove(author);
            }
            if peer.due.get(author).is_some_and(|(_, to)| *to <= number) {
                peer.due.remove(author);
            }
        }
        if said && self.peers.values().all(|peer| peer.held_back.is_empty()) {
            shared.timers.clear(Timer::Back(self.local));
        }
    }

    pub(crate) fn look_for_past(&mut self, shared: &mut Shared, env: &Env<'_, '_>, link: LinkId) {
        self.parked_by.insert(link);
        shared.soon(Timer::Parked(self.local), env.cx.now, PARKED_PATIENCE);
    }

    /// Whoever gave what no rule admits hears which one it broke, so that a program of another version,
    /// or its writer, can learn from it. No more often than it takes to be cut off.
    fn inadmissible(
        &self,
        shared: &mut Shared,
        env: &mut Env<'_, '_>,
        link: LinkId,
        (author, number, rule): (PublicKey, u64, lace::Rule),
    ) {
        if shared.note_inadmissible(link) {
            self.misbehaved(env, link, Rule::Inadmissible);
        }
        if shared.has_little_room(link) && shared.answers_inadmissible(link) {
            let code = match rule {
                lace::Rule::Unknown => wire::Code::NEEDS_VERSION,
                _ => wire::Code::INADMISSIBLE,
            };
            let frame = TopicFrame::Refused {
                author,
                number,
                code,
                text: rule.to_string(),
                retry: 0,
            };
            self.say(shared, env, link, frame);
        }
    }

    pub(crate) fn on_checked(
        &mut self,
        shared: &mut Shared,
        env: &mut Env<'_, '_>,
        link: LinkId,
        done: Done,
    ) {
        if let Some(peer) = self.peers.get_mut(&link) {
            peer.jobs = peer.jobs.saturating_sub(1);
            if done.last
                && let Some(asked) = &mut peer.asked
            {
                asked.ended = true;
            }
        }
        match done.results {
            Results::Envelopes(results) => {
                for result in results {
                    match result {
                        Ok(verified) => self.take(shared, env, link, verified),
                        Err(_) => self.misbehaved(env, link, Rule::BadEnvelope),
                    }
                }
            }
            Results::Bodies(results) => {
                for result in results {
                    match result {
                        Ok(body) => self.take_body(shared, env, link, body),
                        Err(_) => self.misbehaved(env, link, Rule::BadBody),
                    }
                }
            }
            Results::Receipts(results) => {
                for result in results {
                    match result {
                        Ok(receipt) => {
                            self.take_receipt(shared, env, Some(link), receipt.into_inner())
                        }
                        Err(_) => self.misbehaved(env, link, Rule::BadReceipt),
                    }
                }
                self.receipts_checked(shared, env, link);
            }
            Results::Rebuilt(results) => {
                for result in results {
                    let rebuilt = result.map(Checked::into_inner);
                    self.take_rebuilt(shared, env, link, rebuilt);
                }
                self.receipts_checked(shared, env, link);
            }
            Results::Box(result) => match result {
                Ok(held) => self.take_box(shared, env, Some(link), *held),
                Err(_) => self.misbehaved(env, link, Rule::BadBox),
            },
            Results::Claim(result) => match result {
                Ok(claim) => self.take_claim(shared, env, Some(link), *claim),
                Err(_) => self.misbehaved(env, link, Rule::BadClaim),
            },
            Results::Answer(result) => match result {
                Ok(answer) => self.take_answer(env, Some(link), *answer),
                Err(_) => self.misbehaved(env, link, Rule::BadClaim),
            },
            Results::Evidence(results) => {
                for result in results {
                    match result {
                        Ok(evidence) => self.take_evidence(env, link, &evidence),
                        Err(_) => self.misbehaved(env, link, Rule::BadEvidence),
                    }
                }
            }
        }
        self.finish_answer(shared, env, link);
    }

    pub(crate) fn take(
        &mut self,
        shared: &mut Shared,
        env: &mut Env<'_, '_>,
        link: LinkId,
        verified: Checked<Verified>,
    ) {
        if self.row.phase != Phase::Active {
            return;
        }
        let envelope = &verified.get().envelope;
        let (id, header) = (envelope.id, &envelope.header);
        let (author, number) = (header.author, header.number);
        let bare = header.class == Class::Content && verified.get().body.is_none();
        let own = env.host.author(self.local) == Some(author);
        if own && number > self.tip(&author) && !is(Bug::OldKeyAfterRestore) {
            self.stale = true;
            env.out.push(Output::OwnChainAhead {
                topic: self.local,
                author,
                number,
            });
        }
        if self.readers_wait(env.cx, link, header) {
            return self.look_for_past(shared, env, link);
        }
        let Some((verified, expired)) = self.welcome(shared, env, link, verified) else {
            return;
        };
        self.has_it(shared, link, (&author, number));
        self.admit(shared, env, Some(link), verified);
        if expired {
            self.lace.drop_body(&mut env.cx.store, &id);
        }
        if bare && let Some(peer) = self.peers.get_mut(&link) {
            // Whoever gives a header without its body has not got the body.
            peer.is_gone(id);
            self.waiting.look_again();
        }
    }

    /// Asks the node whether it has room for an envelope that is new here. What is refused alone
    /// for its body is taken without it: what depends on its header must not suffer. Gives what is
    /// to be admitted, and whether its body is not to be asked for, since its time is over.
    pub(crate) fn welcome(
        &mut self,
        shared: &mut Shared,
        env: &mut Env<'_, '_>,
        link: LinkId,
        verified: Checked<Verified>,
    ) -> Option<(Checked<Verified>, bool)> {
        let envelope = &verified.get().envelope;
        let (id, header) = (envelope.id, &envelope.header);
        let known = self.lace.contains(&mut env.cx.store, &id);
        if known && (verified.get().body.is_none() || self.lacking(env, &id).is_none()) {
            return Some((verified, false));
        }
        let header_bytes = envelope.header_bytes.len().saturating_add(64);
        let offer = Offer {
            link,
            id,
            header,
            header_bytes: if known { 0 } else { header_bytes },
            body_bytes: verified.get().body.as_ref().map_or(0, Vec::len),
            parked_bytes: self.parked.bytes_of(link),
            needed: self.lace.parked().next().is_some(),
            own: self.is_own_author(env, &header.author),
        };
        let Err(refusal) = env.host.room(env.cx, self.local, offer) else {
            return Some((verified, false));
        };
        if is(Bug::EvictPromised)
            && refusal.code == wire::Code::QUOTA
            && !self.lace.expire(&mut env.cx.store, u64::MAX, 1).is_empty()
        {
            return Some((verified, false));
        }
        let (author, number) = (header.author, header.number);
        let control = header.class == Class::Control;
        let expired = refusal.what == RefusedPart::Expired && !control;
        let giver = refusal.what == RefusedPart::Giver;
        let body_alone =
            (known && !giver) || expired || (refusal.what == RefusedPart::Body && !control);
        let mut text = refusal.text;
        while text.len() > wire::limits::MAX_TEXT {
            text.pop();
        }
        let (code, retry) = (refusal.code, Self::retry_of(env, refusal.retry_at));
        if expired {
            if known {
                self.lace.drop_body(&mut env.cx.store, &id);
            }
        } else if body_alone {
            self.bodies_declined = self.bodies_declined.max(retry);
        } else {
            match refusal.what {
                RefusedPart::Giver => self.decline_peer(link, retry),
                RefusedPart::Unwanted => {
                    self.unwanted.insert(author);
                    self.declined.insert(author, retry);
                }
                RefusedPart::Body | RefusedPart::All | RefusedPart::Expired => {
                    self.declined.insert(author, retry);
                }
            }
            let from = self.tip(&author).saturating_add(1);
            if let Some(peer) = self.peers.get_mut(&link) {
                peer.turned_away = true;
                peer.learn(&self.lace, &author, number);
                peer.want(
                    author,
                    Wanted {
                        from,
                        to: number,
                        hunt: false,
                    },
                );
            }
        }
        if !expired {
            self.retry_at(shared, env, retry);
        }
        // Whoever gave it hears of it, unless its link is full; it is told for its sender's sake.
        if shared.has_little_room(link) {
            // A time asks to offer the chain again then; the body alone this node asks for itself.
            let retry = if body_alone { 0 } else { retry };
            let frame = TopicFrame::Refused {
                author,
                number,
                code,
                text,
                retry,
            };
            self.say(shared, env, link, frame);
        }
        (body_alone && !known).then(|| (verified.without_body(), expired))
    }

    /// Admits an envelope, of a peer or of this home, and does what follows from it.
    pub(crate) fn admit(
        &mut self,
        shared: &mut Shared,
        env: &mut Env<'_, '_>,
        giver: Option<LinkId>,
        verified: Checked<Verified>,
    ) -> Vec<(EnvelopeId, Admission)> {
        let id = verified.get().envelope.id;
        let bytes = verified.get().envelope.header_bytes.len();
        let bytes = bytes.saturating_add(verified.get().body.as_ref().map_or(0, Vec::len));
        let header = &verified.get().envelope.header;
        let bytes = match &verified.get().body {
            Some(_) => bytes.saturating_add(env.host.blocks_of(self.local, header)),
            None => bytes,
        };
        let (given, author, number) = (id, header.author, header.number);
        let mut entered = Vec::new();
        let reports = self
            .lace
            .admit_noting(&mut env.cx.store, verified, &mut entered);
        for stored in &entered {
            let parked = self.parked.take(stored).filter(|_| *stored != id);
            self.charge(env, stored, parked.or(giver), true);
        }
        for (id, admission) in &reports {
            match admission {
                Admission::Admitted { n, body } => {
                    if !body {
                        self.missing_to = self.missing_to.max(*n);
                    }
                    if let Some(peer) = giver.and_then(|link| self.peers.get_mut(&link))
                        && let Some(asked) = &mut peer.asked
                    {
                        asked.news = true;
                    }
                    self.admitted(shared, env, giver, id);
                }
                Admission::Duplicate {
                    body_was_missing: true,
                } => {
                    self.charge(env, id, giver, false);
                    self.body_came(shared, env, id);
                }
                Admission::Parked { .. } | Admission::NoRoom => {
                    if let Admission::Parked { .. } = admission
                        && let Some(link) = giver
                    {
                        self.parked.put(*id, (link, bytes));
                        if is(Bug::ParkedAcknowledged) {
                            shared.soon(Timer::Receipt(self.local), env.cx.now, Duration::ZERO);
                        }
                    }
                    if let Some(link) = giver {
                        self.look_for_past(shared, env, link);
                    }
                }
                Admission::Refused(rule) => {
                    // Of what was parked the giver may be another one, and gone.
                    if let Some(link) = giver {
                        let of = (author, number, *rule);
                        if *id == given {
                            self.inadmissible(shared, env, link, of);
                        } else if shared.note_inadmissible(link) {
                            self.misbehaved(env, link, Rule::Inadmissible);
                        }
                    }
                }
                Admission::Fork(evidence) => {
                    if let Some(peer) = giver.and_then(|link| self.peers.get_mut(&link))
                        && let Some(asked) = &mut peer.asked
                    {
                        asked.news = true;
                    }
                    // Whoever gave one of the two need not know the other.
                    self.forked(env, None, &evidence.first);
                }
                Admission::Void
                | Admission::Duplicate {
                    body_was_missing: false,
                } => {}
            }
        }
        self.parked.keep_only(&self.lace);
        reports
    }

    /// Tells the node what was stored just now: header and body, or the body alone.
    pub(crate) fn charge(
        &mut self,
        env: &mut Env<'_, '_>,
        id: &EnvelopeId,
        link: Option<LinkId>,
        header: bool,
    ) {
        let Some(held) = self.lace.envelope(&mut env.cx.store, id) else {
            return;
        };
        let header_bytes = held.envelope.header_bytes.len().saturating_add(64);
        let stored = Stored {
            link,
            header: &held.envelope.header,
            header_bytes: if header { header_bytes } else { 0 },
            body_bytes: match &held.body {
                Body::Here(body) => body.len(),
                Body::Missing | Body::Gone => 0,
            },
        };
        env.host.charge(env.cx, self.local, stored);
    }

    pub(crate) fn admitted(
        &mut self,
        shared: &mut Shared,
        env: &mut Env<'_, '_>,
        giver: Option<LinkId>,
        id: &EnvelopeId,
    ) {
        let Some(envelope) = self.lace.header(&mut env.cx.store, id) else {
            return;
        };
        let header = &envelope.header;
        let (author, number) = (header.author, header.number);
        self.offer((shared, env.cx), giver, (&author, number));
        self.note_way(header.author, giver);
        if header.class == Class::Content {
            shared.expire_by(env.cx, header.expires);
        }
        self.note_rights(env.cx, &envelope);
        if header.manifest.is_some() && self.body_is_here(env, id) {
            self.note_blocks(env, &envelope);
        }
        if header.class == Class::Control {
            env.out.push(Output::Control {
                topic: self.local,
                id: *id,
            });
        }
        self.note_acknowledged(env, &envelope);
        if env.host.author(self.local) != Some(header.author) {
            self.issue_soon(shared, env.cx.now);
        }
    }

    /// An author has contradicted itself: its chain is closed, others hear of it.
    pub(crate) fn forked(
        &mut self,
        env: &mut Env<'_, '_>,
        giver: Option<LinkId>,
        first: &Envelope,
    ) {
        let author = first.header.author;
        for (link, peer) in &mut self.peers {
            if Some(*link) != giver {
                peer.evidence.insert(author);
            }
            peer.announce.insert(author);
            peer.due.remove(&author);
        }
        self.waiting.look_again();
        self.rights_changed = true;
        env.out.push(Output::Problem {
            topic: self.local,
            code: "forked",
            text: format!("author {author} has signed two envelopes with one number"),
        });
    }

    pub(crate) fn take_evidence(
        &mut self,
        env: &mut Env<'_, '_>,
        link: LinkId,
        evidence: &Checked<Evidence>,
    ) {
        if evidence.get().first.header.topic() != Some(self.id) {
            self.misbehaved(env, link, Rule::BadEvidence);
        } else if self.lace.add_evidence(&mut env.cx.store, evidence) {
            self.forked(env, Some(link), &evidence.get().first);
        }
    }

    pub(crate) fn on_evidence(
        &mut self,
        shared: &mut Shared,
        env: &mut Env<'_, '_>,
        link: LinkId,
        pairs: Vec<(RawHeader, RawHeader)>,
    ) {
        let bytes = pairs
            .iter()
            .map(|(a, b)| a.header_bytes.len().saturating_add(b.header_bytes.len()))
            .fold(0, usize::saturating_add);
        if pairs.len() > wire::limits::MAX_EVIDENCE {
            self.misbehaved(env, link, Rule::TooMuch);
        } else if self.may_check(shared, env.cx.now, (link, bytes)) {
            self.send_job(
                shared,
                env,
                link,
                Job::new(Work::Evidence(pairs), bytes, false),
            );
        }
    }

    pub(crate) fn on_receipts(
        &mut self,
        shared: &mut Shared,
        env: &mut Env<'_, '_>,
        link: LinkId,
        receipts: Vec<wire::RawStatement>,
    ) {
        let bytes = receipts
            .iter()
            .map(|raw| raw.bytes.len())
            .fold(0, usize::saturating_add);
        if receipts.len() > crate::limits::MAX_RECEIPTS_PER_FRAME {
            self.misbehaved(env, link, Rule::TooMuch);
        } else if !receipts.is_empty() && self.may_check(shared, env.cx.now, (link, bytes)) {
            let job = Job::new(Work::Receipts(receipts), bytes, false);
            self.check_receipts(shared, env, link, job);
        }
    }
}
