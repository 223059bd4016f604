//! Admission: does an envelope belong to the graph? A pure function of the envelope and its causal
//! past, so that every replica answers alike, in whatever order things come.

use crate::author::{Author, Root, Tip};
use crate::invite::Invitation;
use crate::lace::{Lace, Node, Stored};
use crate::limits::{FREE_INCARNATIONS, MAX_AHEAD, WEEK_MS};
use crate::park::{self, ParkedEnvelope};
use crate::rows::{self, Spot};
use crate::rule::Rule;
use identity::{EnvelopeId, PublicKey};
use machine::Staged;
use std::collections::VecDeque;
use wire::{Checked, Class, Envelope, Evidence, Header, Item, Verified};

/// What became of an envelope.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Admission {
    /// It belongs to the kept set.
    Admitted {
        /// Its place in the local causal order.
        n: u64,
        /// Whether its body is here.
        body: bool,
    },
    /// It is admitted but outside the kept set, since its author is closed from its number on and
    /// nothing that stands names it. It is neither served nor compared; should something name it
    /// later, it is reported as admitted then.
    Void,
    /// It was here already.
    Duplicate {
        /// Whether its body was wanted and came with it.
        body_was_missing: bool,
    },
    /// It waits for its past.
    Parked {
        /// What it waits for.
        missing: Missing,
    },
    /// It would have to wait for its past, and there is no room to wait in. It must be offered
    /// again, after its past.
    NoRoom,
    /// It breaks a rule. Those that were parked for want of it are dropped.
    Refused(Rule),
    /// It contradicts another envelope of its author, which closes the author. What became of the
    /// envelope itself is reported apart.
    Fork(Box<Evidence>),
}

/// What a parked envelope waits for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Missing {
    /// The author whose chain lacks the number before, if it does.
    pub chain: Option<(PublicKey, u64)>,
    /// Ids of all envelopes that it names and that are not here.
    pub ids: Vec<EnvelopeId>,
}

/// What a first look at a header says, before anything costly is done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Worth a check.
    New,
    /// Worth a check if it was asked for: the author is closed from its number on, so it is void
    /// unless something that stands names it.
    Closed,
    /// Its body is wanted, its header is here.
    BodyWanted,
    /// It is here, or parked.
    Known,
    /// It would have to be parked and there is no room.
    NoRoom,
    /// It breaks a rule.
    Refused(Rule),
}

struct Parents {
    previous: Option<Node>,
    deps: Vec<(EnvelopeId, Node)>,
    missing: Vec<EnvelopeId>,
}

impl Lace {
    /// Looks at a decoded header whose signature has not been checked: cheap, changes nothing.
    pub fn judge(&self, store: &mut Staged<'_>, id: &EnvelopeId, header: &Header) -> Verdict {
        if let Err(rule) = self.shape(header) {
            return Verdict::Refused(rule);
        }
        if self.park.contains(id) {
            return Verdict::Known;
        }
        if let Some(node) = self.node(store, id) {
            return if self.is_body_missing(store, &Spot::new(node.author, node.number, id)) {
                Verdict::BodyWanted
            } else {
                Verdict::Known
            };
        }
        let author = self.author(&header.author);
        let top = author.map_or(0, |author| author.top);
        if header.number > top.saturating_add(1) {
            let size = usize::try_from(header.body_len).unwrap_or(usize::MAX);
            let known = author.is_some();
            if header.number - top > MAX_AHEAD
                || !self
                    .park
                    .has_room(&header.author, known, header.number, size)
            {
                return Verdict::NoRoom;
            }
        }
        let closed = self.seen.get(&header.author);
        if closed.is_some_and(|seen| header.number >= seen.number) {
            return Verdict::Closed;
        }
        Verdict::New
    }

    /// Takes an envelope that has been checked, and with it whatever was parked for want of it.
    /// Reports on all of them, in causal order. Envelopes that stand again, because one of these
    /// names them, are reported as admitted too.
    pub fn admit(
        &mut self,
        store: &mut Staged<'_>,
        verified: Checked<Verified>,
    ) -> Vec<(EnvelopeId, Admission)> {
        let mut report = Vec::new();
        let mut queue = VecDeque::from([verified.into_inner()]);
        while let Some(verified) = queue.pop_front() {
            let id = verified.envelope.id;
            let outcome = self.admit_one(store, verified, &mut report);
            match outcome {
                Admission::Admitted { .. } | Admission::Void => {
                    queue.extend(self.park.release(&id));
                }
                Admission::Refused(_) => self.park.drop_dependents(&id),
                Admission::Duplicate { .. }
                | Admission::Parked { .. }
                | Admission::NoRoom
                | Admission::Fork(_) => {}
            }
            report.push((id, outcome));
        }
        report
    }

    /// Envelopes that wait for their past.
    pub fn parked(&self) -> impl Iterator<Item = ParkedEnvelope<'_>> {
        self.park.iter()
    }

    /// How many envelopes are parked, and the bytes that they are counted with.
    #[must_use]
    pub fn parked_load(&self) -> (usize, usize) {
        (self.park.len(), self.park.bytes())
    }

    /// Drops all that is parked. What is still wanted has to be offered again.
    pub fn drop_parked(&mut self) {
        self.park = park::Parking::default();
    }

    fn admit_one(
        &mut self,
        store: &mut Staged<'_>,
        verified: Verified,
        report: &mut Vec<(EnvelopeId, Admission)>,
    ) -> Admission {
        let envelope = &verified.envelope;
        let header = &envelope.header;
        if let Some(node) = self.node(store, &envelope.id) {
            let spot = Spot::new(node.author, node.number, &envelope.id);
            let body_was_missing = match verified.body {
                Some(body) => self.put_missing_body(store, &spot, &body),
                None => false,
            };
            return Admission::Duplicate { body_was_missing };
        }
        if self.park.contains(&envelope.id) {
            return Admission::Duplicate {
                body_was_missing: false,
            };
        }
        if let Err(rule) = self.shape(header).and_then(|()| first_items(&verified)) {
            return Admission::Refused(rule);
        }
        let parents = self.parents(store, header);
        if parents.missing.is_empty() {
            match self.rules(store, &verified, &parents) {
                Ok(root) => {
                    self.report_fork(store, envelope, report);
                    self.enter(store, verified, &parents, root, report)
                }
                Err(rule) => Admission::Refused(rule),
            }
        } else {
            // Evidence needs no past: it is taken from what can only be parked.
            self.report_fork(store, envelope, report);
            self.park(verified, parents.missing)
        }
    }

    fn report_fork(
        &mut self,
        store: &mut Staged<'_>,
        envelope: &Envelope,
        report: &mut Vec<(EnvelopeId, Admission)>,
    ) {
        if let Some(evidence) = self.observe(store, envelope) {
            report.push((envelope.id, Admission::Fork(Box::new(evidence))));
        }
    }

    fn park(&mut self, verified: Verified, missing: Vec<EnvelopeId>) -> Admission {
        let header = &verified.envelope.header;
        let author = header.author;
        let before = EnvelopeId::from_bytes(header.previous);
        let lacks_previous = header.number > 1 && missing.contains(&before);
        let chain = lacks_previous.then(|| (author, header.number - 1));
        let known = self.by_key.contains_key(&author);
        if self.park.put(verified, &missing, known) {
            Admission::Parked {
                missing: Missing {
                    chain,
                    ids: missing,
                },
            }
        } else {
            Admission::NoRoom
        }
    }

    /// Rules that the header alone decides, beyond those of its decoding.
    fn shape(&self, header: &Header) -> Result<(), Rule> {
        if header.topic() != Some(self.id) {
            return Err(Rule::Destination);
        }
        if header.class == Class::Live {
            return Err(Rule::Class);
        }
        if header.number == 1 && header.class != Class::Control {
            return Err(Rule::FirstClass);
        }
        if header
            .deps
            .iter()
            .any(|dep| *dep.as_bytes() == header.previous)
        {
            return Err(Rule::Deps);
        }
        Ok(())
    }

    fn parents(&self, store: &mut Staged<'_>, header: &Header) -> Parents {
        let mut parents = Parents {
            previous: None,
            deps: Vec::new(),
            missing: Vec::new(),
        };
        if header.number > 1 {
            let previous = EnvelopeId::from_bytes(header.previous);
            parents.previous = self.node(store, &previous);
            if parents.previous.is_none() {
                parents.missing.push(previous);
            }
        }
        for dep in &header.deps {
            match self.node(store, dep) {
                Some(node) => parents.deps.push((*dep, node)),
                None => parents.missing.push(*dep),
            }
        }
        parents
    }

    /// Rules that need the past, all of which is here. Gives what the chain's first envelope says.
    fn rules(
        &self,
        store: &mut Staged<'_>,
        verified: &Verified,
        parents: &Parents,
    ) -> Result<Root, Rule> {
        let header = &verified.envelope.header;
        let root = match parents.previous {
            Some(previous) => {
                let same = self.by_key.get(&header.author) == Some(&previous.author);
                if !same || previous.number.checked_add(1) != Some(header.number) {
                    return Err(Rule::Previous);
                }
                if header.created < previous.created {
                    return Err(Rule::Created);
                }
                let root = self.root(store, previous.author, previous.root);
                root.ok_or(Rule::Previous)?
            }
            None => self.first(verified, parents)?,
        };
        if root.grant != header.grant {
            return Err(Rule::Grant);
        }
        let named = parents
            .deps
            .iter()
            .map(|(_, node)| node)
            .chain(&parents.previous);
        let highest = named.map(|node| node.generation).max().unwrap_or(0);
        if highest.checked_add(1) != Some(header.generation) {
            return Err(Rule::Generation);
        }
        let founder = root.device == self.genesis.founder;
        for item in verified.items.iter().flatten() {
            if matches!(item, Item::Invite(_) | Item::Title(_)) && !founder {
                return Err(Rule::FounderOnly);
            }
        }
        Ok(root)
    }

    /// Rules of an author's envelope number 1, whose first item is a certificate.
    fn first(&self, verified: &Verified, parents: &Parents) -> Result<Root, Rule> {
        let header = &verified.envelope.header;
        let mut items = verified.items.iter().flatten();
        let Some(Item::Certificate(certificate)) = items.next() else {
            return Err(Rule::Certificate);
        };
        let claim = match items.next() {
            Some(Item::Claim(claim)) => Some(claim),
            _ => None,
        };
        let founder = certificate.device == self.genesis.founder;
        let (grant, began) = match (founder, claim) {
            (true, None) => {
                let grant = identity::GrantId::from_bytes(*self.id.as_bytes());
                (grant, self.genesis.epoch.start)
            }
            (true, Some(_)) | (false, None) => return Err(Rule::Claim),
            (false, Some(claim)) => {
                if claim.device != certificate.device || claim.grant != header.grant {
                    return Err(Rule::ClaimFor);
                }
                let invite = self
                    .invite_in(&claim.grant, parents)
                    .ok_or(Rule::NoInvite)?;
                if claim.invite != invite.key {
                    return Err(Rule::ClaimKey);
                }
                // The time of the claim counts and not that of the envelope, so that a later
                // incarnation of the device may repeat it after the invite's end.
                if claim.time > invite.until {
                    return Err(Rule::InviteOver);
                }
                (claim.grant, invite.began)
            }
        };
        let weeks = header.created.saturating_sub(began) / WEEK_MS;
        if u64::from(certificate.index) > FREE_INCARNATIONS.saturating_add(weeks) {
            return Err(Rule::Index);
        }
        Ok(Root {
            device: certificate.device,
            grant,
            index: certificate.index,
        })
    }

    /// The invite with this grant that one of the deps carries; of several the one that began
    /// first.
    fn invite_in(&self, grant: &identity::GrantId, parents: &Parents) -> Option<&Invitation> {
        parents
            .deps
            .iter()
            .filter_map(|(id, _)| self.invites.get(&(*grant, *id)))
            .min_by_key(|invite| (invite.began, invite.carrier))
    }

    /// Stores an admissible envelope.
    fn enter(
        &mut self,
        store: &mut Staged<'_>,
        verified: Verified,
        parents: &Parents,
        root: Root,
        report: &mut Vec<(EnvelopeId, Admission)>,
    ) -> Admission {
        let Verified {
            envelope,
            body,
            items,
        } = verified;
        let header = &envelope.header;
        let (no, root_no) = self.author_of(store, header, parents.previous, root);
        let spot = self.spot_of(no, &envelope);
        let node = Node {
            author: no,
            number: header.number,
            generation: header.generation,
            created: header.created,
            root: root_no,
        };
        let key = rows::key(self.local, &[envelope.id.as_bytes()]);
        store.put(rows::ID, key, node.encode());
        self.write_names(store, &spot, parents);
        self.put_body_rows(store, &spot, header, body.as_deref());
        self.count_envelope(no, &envelope, body.as_ref().map(Vec::len));
        self.note_invites(store, &envelope, items.as_deref().unwrap_or(&[]));
        if self.is_closed_at(no, header.number) {
            store.put(
                rows::HEADER,
                rows::at_spot(self.local, &spot),
                Stored::encode(0, &envelope),
            );
            self.write_author(store, no);
            return Admission::Void;
        }
        let named = parents
            .deps
            .iter()
            .map(|(id, node)| Spot::new(node.author, node.number, id));
        self.mark(store, named.collect(), report);
        let body_missing = body.is_none() && header.body_len > 0;
        let n = self.give_place(store, &spot, &envelope, body_missing);
        self.extend_chain(store, no, &envelope, parents);
        self.cut_hash.set(None);
        Admission::Admitted {
            n,
            body: !body_missing,
        }
    }

    /// The local number of the author and of the root of the chain, both new if need be.
    fn author_of(
        &mut self,
        store: &mut Staged<'_>,
        header: &Header,
        previous: Option<Node>,
        root: Root,
    ) -> (u32, u32) {
        if let Some(previous) = previous {
            return (previous.author, previous.root);
        }
        if let Some(no) = self.by_key.get(&header.author).copied() {
            let Some(author) = self.by_no_mut(no) else {
                return (no, 0);
            };
            let root_no = author.roots;
            author.roots = author.roots.saturating_add(1);
            let key = [&b"r"[..], &no.to_be_bytes(), &root_no.to_be_bytes()];
            store.put(rows::LACE, rows::key(self.local, &key), root.encode());
            return (no, root_no);
        }
        // Fewer than 2³² authors: each is a row and a certificate that somebody signed.
        let no = u32::try_from(self.authors.len()).unwrap_or(u32::MAX);
        let mut author = Author::new(no, header.author, root);
        author.closed = self.seen.get(&header.author).map(|seen| seen.number);
        let key = rows::key(self.local, &[b"a", &no.to_be_bytes()]);
        store.put(rows::LACE, key, author.encode_static());
        self.by_key.insert(header.author, no);
        self.authors.push(author);
        self.park.is_known(&header.author);
        (no, 0)
    }

    /// Who names whom, so that a fork can be judged without reading the whole graph.
    fn write_names(&self, store: &mut Staged<'_>, spot: &Spot, parents: &Parents) {
        for (id, dep) in &parents.deps {
            let dep = Spot::new(dep.author, dep.number, id);
            let key = rows::key(self.local, &[&dep.encode(), &spot.encode()]);
            store.put(rows::NAMED, key, []);
        }
    }

    fn count_envelope(&mut self, no: u32, envelope: &Envelope, body: Option<usize>) {
        let len = |len: usize| u64::try_from(len).unwrap_or(u64::MAX);
        let more = crate::Counts {
            envelopes: 1,
            header_bytes: len(envelope.header_bytes.len()).saturating_add(64),
            bodies: u64::from(body.is_some()),
            body_bytes: len(body.unwrap_or(0)),
        };
        self.totals.add(&more);
        if let Some(author) = self.by_no_mut(no) {
            author.counts.add(&more);
            author.top = author.top.max(envelope.header.number);
        }
    }

    fn note_invites(&mut self, store: &mut Staged<'_>, envelope: &Envelope, items: &[Item]) {
        for item in items {
            if let Item::Invite(invite) = item {
                let invitation = Invitation {
                    grant: item.id(),
                    carrier: envelope.id,
                    began: envelope.header.created,
                    key: invite.key,
                    sealing: invite.sealing,
                    uses: invite.uses,
                    until: invite.until,
                };
                let (grant, carrier) = (invitation.grant, envelope.id);
                let key = [&b"i"[..], grant.as_bytes(), carrier.as_bytes()];
                store.put(rows::LACE, rows::key(self.local, &key), invitation.encode());
                self.invites.insert((grant, carrier), invitation);
            }
        }
    }

    /// The envelope is the new tip of its chain and covers the tips that it names.
    fn extend_chain(
        &mut self,
        store: &mut Staged<'_>,
        no: u32,
        envelope: &Envelope,
        parents: &Parents,
    ) {
        for (id, dep) in &parents.deps {
            let tip = self
                .by_no_mut(dep.author)
                .filter(|author| !author.covered && author.tip.is_some_and(|tip| tip.id == *id));
            if let Some(author) = tip {
                author.covered = true;
                self.write_author(store, dep.author);
            }
        }
        let tip = Tip {
            number: envelope.header.number,
            id: envelope.id,
            generation: envelope.header.generation,
            created: envelope.header.created,
        };
        if let Some(author) = self.by_no_mut(no) {
            let before = author.tip.replace(tip);
            author.covered = false;
            if let Some(before) = before {
                self.tips.remove(&before.id);
            }
            self.tips.insert(tip.id, no);
        }
        self.write_author(store, no);
    }
}

/// Rules about where certificates and claims stand.
fn first_items(verified: &Verified) -> Result<(), Rule> {
    let first = verified.envelope.header.number == 1;
    for (place, item) in verified.items.iter().flatten().enumerate() {
        match item {
            Item::Certificate(_) if !first || place != 0 => return Err(Rule::Certificate),
            Item::Claim(_) if !first || place != 1 => return Err(Rule::Claim),
            _ => {}
        }
    }
    Ok(())
}
