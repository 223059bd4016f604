//! A chain of grants, as it is shown to a stranger: somebody who knows the genesis and nothing else
//! of the graph.
//!
//! Each link is proved by envelopes: number 1 of an author, in which a device of whoever holds the
//! grant so far certifies it, and an envelope of that author that issues the next grant. They may be
//! one. What several devices signed together, an act or a grant, needs no author of the chain. The
//! envelopes come in this order, from the topic's own grant down, with nothing beside.
//!
//! What it costs to be shown one is bounded whatever is shown: [`MAX_PROOF_ENVELOPES`] envelopes,
//! [`MAX_CHAIN_BYTES`] bytes, and [`MAX_CHAIN_SIGNATURES`] signatures, which [`Checks`] counts.
//! Encodings and hashes are looked at first; then each envelope in its turn, all that needs no
//! signature before what does. The first failure ends it.
//!
//! A chain proves that a grant was given. That it was not taken back, no envelope could prove.

mod gather;

pub use gather::gather;

use std::collections::{BTreeMap, BTreeSet};

use identity::seal;
use identity::{ActId, BadSignature, Context, EnvelopeId, Form, GrantId, Id, PublicKey, TopicId};
use thiserror::Error;
use wire::limits::{MAX_CHAIN_SIGNATURES, MAX_GRANT_DEPTH, MAX_PROOF_ENVELOPES};
use wire::{
    Act, Budget, Certificate, Claim, Class, Envelope, Genesis, Grant, Interval, Invite, InviteKind,
    Item, Raw, Rights, TopicPolicy, decode_items,
};

use crate::limits::MAX_CHAIN_BYTES;

/// Signatures that were checked of what one stranger showed. Every check of this module is counted
/// here first, and none is made beyond [`MAX_CHAIN_SIGNATURES`].
#[derive(Debug, Default)]
pub struct Checks(usize);

impl Checks {
    /// None was checked.
    pub const fn new() -> Self {
        Self(0)
    }

    /// How many have been checked, or tried.
    pub const fn done(&self) -> usize {
        self.0
    }

    /// Checks what holds so many signatures, if there is room for all of them.
    fn make(
        &mut self,
        count: usize,
        check: impl FnOnce() -> Result<(), BadSignature>,
    ) -> Result<(), Rule> {
        let sum = self.0.saturating_add(count);
        if sum > MAX_CHAIN_SIGNATURES {
            return Err(Rule::Checks);
        }
        self.0 = sum;
        check().map_err(|_| Rule::Signature)
    }
}

/// A rule that a chain breaks. The sender's fault, a function of what it sent and, for [`Rule::Over`],
/// of the time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Error)]
pub enum Rule {
    /// More envelopes than a chain may have.
    #[error("a chain of more than {MAX_PROOF_ENVELOPES} envelopes")]
    Envelopes,
    /// More bytes than a chain may have.
    #[error("a chain of more than {MAX_CHAIN_BYTES} bytes")]
    Bytes,
    /// More signatures than are checked.
    #[error("a chain of more than {MAX_CHAIN_SIGNATURES} signatures")]
    Checks,
    /// The encoding of an envelope, or its body is not the one that it names.
    #[error("an envelope that cannot be read, or without its body")]
    Malformed,
    /// It is of another topic, or no control.
    #[error("an envelope that is no control of this topic")]
    Topic,
    /// A signature that is not good.
    #[error("a signature that is not good")]
    Signature,
    /// The envelope adds nothing to the chain where it stands.
    #[error("an envelope that adds nothing to the chain where it stands")]
    Order,
    /// It is written under a grant that the chain has left behind, or leads back to one.
    #[error("a chain that leads back to itself")]
    Loop,
    /// Deeper than grants go.
    #[error("a chain of more than {MAX_GRANT_DEPTH} grants")]
    Depth,
    /// An author's first envelope does not begin with a certificate for it.
    #[error("an author whose first envelope does not certify it")]
    Certificate,
    /// The device does not hold the grant.
    #[error("a device that does not hold the grant")]
    Holder,
    /// The author's first envelope does not name the one that carries its grant.
    #[error("an author that does not name the envelope with its grant")]
    Deps,
    /// An invite, and no claim of it by the device.
    #[error("no claim of the invite by the device")]
    Claim,
    /// The claim came after the invite's end.
    #[error("a claim of an invite that was over")]
    InviteOver,
    /// Whoever claims this invite waits for somebody to welcome it.
    #[error("a claim of an invite that needs a welcome")]
    Attended,
    /// Given out of an invite: nothing hangs under one.
    #[error("a grant out of an invite")]
    Parent,
    /// The issuer may not admit.
    #[error("a grant by somebody who may not admit")]
    Right,
    /// The issuer wrote before its right began, or after it ended.
    #[error("a grant at a time at which its issuer may not give any")]
    Time,
    /// More than the issuer has itself.
    #[error("a grant of more than its issuer has")]
    Within,
    /// Not signed by as many devices as it takes, or in another state than the composition's.
    #[error("a grant that its composition did not sign")]
    Joint,
    /// The act does not follow the state that the chain has come to.
    #[error("an act that does not follow what is known of its composition")]
    Act,
    /// The form of whoever holds the grant is told nowhere in the chain.
    #[error("a grant to somebody of whom nothing is told")]
    Form,
    /// The grant is over.
    #[error("a grant that is over")]
    Over,
    /// It ends before the grant that it is for.
    #[error("a chain that ends before the grant")]
    Missing,
}

/// Where a chain breaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("envelope {at} of the chain: {rule}")]
pub struct Broken {
    /// Which envelope, from 0; as many as there are if it is about the whole.
    pub at: usize,
    /// What it breaks.
    pub rule: Rule,
}

/// A grant that was proved to have been given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Chain {
    topic: TopicId,
    depth: usize,
    rights: Rights,
    held: Held,
    /// Claims of the invite whose claimers' first envelopes were shown with it.
    claims: Vec<Claim>,
}

/// Who holds the grant that a chain has come to.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Held {
    Composition(State),
    /// Whoever claims it.
    Invite(Invite),
}

/// A composition, as far as the chain tells.
#[derive(Clone, PartialEq, Eq, Debug)]
struct State {
    of: Id,
    /// The number of the newest act, and its id.
    number: u64,
    act: ActId,
    form: Form,
}

impl Chain {
    /// Whether these envelopes prove a grant, from the genesis down. An empty list proves the
    /// topic's own.
    ///
    /// # Errors
    /// The first rule that is broken, and by which of them. Nothing else has been looked at.
    pub fn check(
        genesis: &Genesis,
        grant: &GrantId,
        envelopes: &[Raw],
        checks: &mut Checks,
    ) -> Result<Self, Broken> {
        let whole = |rule| Broken {
            at: envelopes.len(),
            rule,
        };
        if envelopes.len() > MAX_PROOF_ENVELOPES {
            return Err(whole(Rule::Envelopes));
        }
        let bytes = envelopes.iter().map(Raw::encoded_len);
        if bytes.fold(0, usize::saturating_add) > MAX_CHAIN_BYTES {
            return Err(whole(Rule::Bytes));
        }
        let topic = genesis.topic_id();
        let read = envelopes.iter().enumerate().map(|(at, raw)| {
            let part = Part::read(topic, raw);
            part.map_err(|rule| Broken { at, rule })
        });
        let parts: Vec<Part> = read.collect::<Result<_, _>>()?;
        let mut walk = Walk::new(genesis, topic, *grant, &parts);
        for (at, part) in parts.iter().enumerate() {
            let step = walk.step(part, checks);
            step.map_err(|rule| Broken { at, rule })?;
        }
        walk.end().map_err(whole)
    }

    /// How far the grant is from the topic's own.
    pub const fn depth(&self) -> usize {
        self.depth
    }

    /// Whether a device takes part by this grant: it is one of the holder's, or has claimed the
    /// invite. A device that has not written yet shows its claim. `now`, in milliseconds since 1970,
    /// is compared with the end of the grant.
    ///
    /// # Errors
    /// The rule that says no.
    pub fn admits(
        &self,
        device: &PublicKey,
        claim: Option<&Claim>,
        now: u64,
        checks: &mut Checks,
    ) -> Result<(), Rule> {
        if end(&self.rights).is_some_and(|until| until <= now) {
            return Err(Rule::Over);
        }
        let invite = match &self.held {
            Held::Composition(state) if state.form.has(device) => return Ok(()),
            Held::Composition(_) => return Err(Rule::Holder),
            Held::Invite(invite) => invite,
        };
        if self.claims.iter().any(|claim| claim.device == *device) {
            return Ok(());
        }
        let claim = claim.ok_or(Rule::Claim)?;
        claims(claim, invite, device, &invite.grant())?;
        checks.make(1, || claim.verify(self.topic))
    }
}

/// An envelope of a chain: read, and with the body that it names. No signature was checked.
struct Part {
    envelope: Envelope,
    items: Vec<Item>,
    /// The ids of those items that give something.
    gifts: Vec<(usize, GrantId)>,
}

impl Part {
    fn read(topic: TopicId, raw: &Raw) -> Result<Self, Rule> {
        let envelope = Envelope::from_stored(raw.header_bytes.clone(), raw.proof);
        let envelope = envelope.map_err(|_| Rule::Malformed)?;
        let header = &envelope.header;
        if header.topic() != Some(topic) || header.class != Class::Control {
            return Err(Rule::Topic);
        }
        let body = raw.body.as_deref().ok_or(Rule::Malformed)?;
        let length = u32::try_from(body.len()) == Ok(header.body_len);
        if !length || seal::hash(&[body]) != header.body_hash {
            return Err(Rule::Malformed);
        }
        let items = decode_items(body).map_err(|_| Rule::Malformed)?;
        if items.len() != usize::from(header.count) {
            return Err(Rule::Malformed);
        }
        let gifts = items.iter().enumerate();
        let gifts = gifts.filter(|(_, item)| terms(item).is_some());
        Ok(Self {
            gifts: gifts.map(|(at, item)| (at, item.id())).collect(),
            envelope,
            items,
        })
    }
}

/// The author that writes under the grant so far, as its first envelope has it.
struct Author {
    key: PublicKey,
    first: EnvelopeId,
    created: u64,
}

/// How far a chain has come.
struct Walk<'a> {
    topic: TopicId,
    /// Grants that the chain may come to: the one that it is for, those under which authors begin
    /// in it, and those out of which it has something that was signed jointly.
    wanted: BTreeSet<GrantId>,
    target: GrantId,
    policy: TopicPolicy,
    /// The first forms that its grants tell.
    forms: BTreeMap<Id, &'a Form>,
    /// The holders of wanted grants whose forms no envelope so far has told.
    untold: BTreeSet<Id>,
    grant: GrantId,
    /// The grants before it.
    passed: BTreeSet<GrantId>,
    /// The envelope that carries it, and its generation; of the topic's own there is none.
    carrier: Option<(EnvelopeId, u64)>,
    rights: Rights,
    budget: Budget,
    held: Held,
    author: Option<Author>,
    claims: Vec<Claim>,
}

impl<'a> Walk<'a> {
    fn new(genesis: &'a Genesis, topic: TopicId, target: GrantId, parts: &'a [Part]) -> Self {
        let top = State::first(&genesis.root);
        let mut wanted = BTreeSet::from([target]);
        // Reading has made sure that the id of a holder is the hash of the form beside it.
        let mut forms = BTreeMap::from([(top.of, &genesis.root)]);
        for part in parts {
            if part.envelope.header.number == 1 {
                wanted.insert(part.envelope.header.grant);
            }
            for item in &part.items {
                if item.joint().is_some() {
                    wanted.extend(parent(item));
                }
                forms.extend(told(item));
            }
        }
        let gifts = parts.iter().flat_map(|part| {
            let gifts = part.gifts.iter();
            let gifts = gifts.filter(|(_, id)| wanted.contains(id));
            gifts.filter_map(|(at, _)| part.items.get(*at))
        });
        let untold = gifts.filter_map(|item| match item {
            Item::Grant(grant) if grant.holder != top.of => Some(grant.holder),
            _ => None,
        });
        Self {
            topic,
            untold: untold.collect(),
            wanted,
            target,
            forms,
            grant: GrantId::from_bytes(topic.to_bytes()),
            passed: BTreeSet::new(),
            carrier: None,
            rights: OWNERS,
            budget: Budget::default(),
            policy: genesis.policy,
            held: Held::Composition(top),
            author: None,
            claims: Vec::new(),
        }
    }

    /// The next envelope. It must add something.
    fn step(&mut self, part: &Part, checks: &mut Checks) -> Result<(), Rule> {
        let header = &part.envelope.header;
        let own = header.grant == self.grant;
        let begins = own && self.author.is_none() && header.number == 1;
        let (next, acts) = (self.next(part), self.acts(part));
        if !self.tells(part) && next.is_none() && acts.is_empty() && !begins {
            return Err(if self.passed.contains(&header.grant) {
                Rule::Loop
            } else {
                Rule::Order
            });
        }
        if begins {
            self.begin(part, checks)?;
        } else {
            let id = part.envelope.id;
            let by = header.author;
            checks.make(1, || {
                by.verify(Context::Envelope, id.as_bytes(), &part.envelope.proof)
            })?;
        }
        for act in acts {
            self.follow(act, checks)?;
        }
        if let Some((item, id)) = next {
            self.go_on(part, item, id, checks)?;
        }
        Ok(())
    }

    /// Whether it tells the form of somebody who holds a grant of the chain, which nothing before
    /// has told. It is of use only before the grant that the chain is for.
    fn tells(&mut self, part: &Part) -> bool {
        if self.grant == self.target {
            return false;
        }
        let mut tells = false;
        for (holder, _) in part.items.iter().filter_map(told) {
            tells |= self.untold.remove(&holder);
        }
        tells
    }

    /// The item in which the chain goes on.
    fn next<'p>(&self, part: &'p Part) -> Option<(&'p Item, GrantId)> {
        if self.grant == self.target {
            return None;
        }
        let gifts = part.gifts.iter();
        let mut gifts = gifts.filter_map(|(at, id)| Some((part.items.get(*at)?, *id)));
        gifts.find(|(item, id)| parent(item) == Some(self.grant) && self.wanted.contains(id))
    }

    /// Acts of the composition that the chain has come to.
    fn acts<'p>(&self, part: &'p Part) -> Vec<&'p Act> {
        let Held::Composition(state) = &self.held else {
            return Vec::new();
        };
        let acts = part.items.iter().filter_map(|item| match item {
            Item::Act(act) if act.composition == state.of => Some(act),
            _ => None,
        });
        acts.collect()
    }

    /// Number 1 of an author under the grant.
    fn begin(&mut self, part: &Part, checks: &mut Checks) -> Result<(), Rule> {
        let header = &part.envelope.header;
        let mut items = part.items.iter();
        let certificate = match items.next() {
            Some(Item::Certificate(it)) if it.author == header.author => it,
            _ => return Err(Rule::Certificate),
        };
        if let Some((carrier, generation)) = &self.carrier
            && (!header.deps.contains(carrier) || header.generation <= *generation)
        {
            return Err(Rule::Deps);
        }
        if end(&self.rights).is_some_and(|until| until <= header.created) {
            return Err(Rule::Time);
        }
        let claim = match (&self.held, items.next()) {
            (Held::Composition(state), _) if state.form.has(&certificate.device) => None,
            (Held::Composition(_), _) => return Err(Rule::Holder),
            (Held::Invite(invite), Some(Item::Claim(claim))) => {
                claims(claim, invite, &certificate.device, &self.grant)?;
                Some(claim)
            }
            (Held::Invite(_), _) => return Err(Rule::Claim),
        };
        self.certified(part, certificate, checks)?;
        if let Some(claim) = claim {
            checks.make(1, || claim.verify(self.topic))?;
            self.claims.push(*claim);
        } else {
            self.author = Some(Author {
                key: header.author,
                first: part.envelope.id,
                created: header.created,
            });
        }
        Ok(())
    }

    fn certified(
        &self,
        part: &Part,
        certificate: &Certificate,
        checks: &mut Checks,
    ) -> Result<(), Rule> {
        let (id, by) = (part.envelope.id, part.envelope.header.author);
        checks.make(1, || {
            by.verify(Context::Envelope, id.as_bytes(), &part.envelope.proof)
        })?;
        checks.make(1, || certificate.verify(self.topic))
    }

    /// The composition goes on by an act.
    fn follow(&mut self, act: &Act, checks: &mut Checks) -> Result<(), Rule> {
        let topic = self.topic;
        let Held::Composition(state) = &mut self.held else {
            return Err(Rule::Act);
        };
        let follows = Some(act.number) == state.number.checked_add(1)
            && act.previous == state.act
            && act.is_signed_from(&state.form);
        if !follows {
            return Err(Rule::Act);
        }
        checks.make(act.signatures.len(), || act.verify(topic))?;
        state.number = act.number;
        state.act = act.id();
        state.form = act.form.clone();
        Ok(())
    }

    /// The chain goes on to a grant or an invite.
    fn go_on(
        &mut self,
        part: &Part,
        item: &Item,
        id: GrantId,
        checks: &mut Checks,
    ) -> Result<(), Rule> {
        let header = &part.envelope.header;
        if self.passed.len() >= MAX_GRANT_DEPTH {
            return Err(Rule::Depth);
        }
        if id == self.grant || self.passed.contains(&id) {
            return Err(Rule::Loop);
        }
        let Held::Composition(state) = &self.held else {
            return Err(Rule::Parent);
        };
        let (rights, named) = terms(item).ok_or(Rule::Parent)?;
        let budget = self.policy.budget_of(named);
        let admit = self.rights.admit.ok_or(Rule::Right)?;
        if !admit.holds(header.created) {
            return Err(Rule::Time);
        }
        if !is_within((&self.rights, &self.budget), (&rights, &budget)) {
            return Err(Rule::Within);
        }
        match item.joint() {
            Some(joint) => {
                let signed = state.form.is_signed_by(&joint.signers());
                if joint.under != state.act || !signed {
                    return Err(Rule::Joint);
                }
                checks.make(joint.signatures.len(), || joint.verify(self.topic, &id))?;
            }
            None => self.written_by_author(part)?,
        }
        self.held = match item {
            Item::Invite(invite) => Held::Invite(*invite),
            Item::Grant(grant) => {
                // Of a composition that grants to itself, the newest state is known.
                let same = (state.of == grant.holder).then(|| state.clone());
                let told = || self.forms.get(&grant.holder).map(|form| State::first(form));
                Held::Composition(same.or_else(told).ok_or(Rule::Form)?)
            }
            _ => return Err(Rule::Parent),
        };
        self.passed.insert(self.grant);
        self.grant = id;
        self.carrier = Some((part.envelope.id, header.generation));
        (self.rights, self.budget) = (rights, budget);
        self.author = None;
        Ok(())
    }

    /// Whether the author under the grant so far wrote the envelope: its first one, or a later one.
    fn written_by_author(&self, part: &Part) -> Result<(), Rule> {
        let header = &part.envelope.header;
        let author = self.author.as_ref().ok_or(Rule::Order)?;
        let follows = header.number > 1 && header.created >= author.created;
        let own = header.author == author.key && header.grant == self.grant;
        if own && (follows || part.envelope.id == author.first) {
            Ok(())
        } else {
            Err(Rule::Order)
        }
    }

    fn end(self) -> Result<Chain, Rule> {
        if self.grant != self.target {
            return Err(Rule::Missing);
        }
        Ok(Chain {
            topic: self.topic,
            depth: self.passed.len(),
            rights: self.rights,
            held: self.held,
            claims: self.claims,
        })
    }
}

impl State {
    fn first(form: &Form) -> Self {
        Self {
            of: form.member(),
            number: 0,
            act: form.first_state(),
            form: form.clone(),
        }
    }
}

/// What somebody who owns the topic may do: everything, always.
const OWNERS: Rights = Rights {
    publish: Some(Interval::ALWAYS),
    read: Some(Interval::ALWAYS),
    admit: Some(Interval::ALWAYS),
};

/// The holder and the first form that an item tells.
const fn told(item: &Item) -> Option<(Id, &Form)> {
    match item {
        Item::Grant(Grant {
            holder,
            form: Some(form),
            ..
        }) => Some((*holder, form)),
        _ => None,
    }
}

/// What a grant or an invite gives.
fn terms(item: &Item) -> Option<(Rights, Budget)> {
    match item {
        Item::Grant(grant) => Some((grant.rights, grant.budget)),
        Item::Invite(invite) => {
            let terms = invite.gift()?.terms;
            Some((terms.rights, terms.budget))
        }
        _ => None,
    }
}

/// Out of which grant it is given.
fn parent(item: &Item) -> Option<GrantId> {
    match item {
        Item::Grant(grant) => Some(grant.parent),
        Item::Invite(invite) => Some(invite.gift()?.parent),
        _ => None,
    }
}

/// When the last right ends; nothing if one has no end.
fn end(rights: &Rights) -> Option<u64> {
    let mut ends = rights.iter().map(|(_, interval)| interval.until);
    ends.try_fold(0, |last: u64, until| Some(last.max(until?)))
}

/// No right that the giver has not got, at no time at which it has not, and nothing more, larger,
/// longer or farther. Whether all that it gives sums to no more than its share is seen in the topic.
fn is_within(own: (&Rights, &Budget), given: (&Rights, &Budget)) -> bool {
    let includes = |own: &Interval, given: &Interval| {
        own.from <= given.from && is_at_most(own.until, given.until)
    };
    let mut rights = given.0.iter();
    let rights = rights.all(|(right, interval)| {
        let own = own.0.get(right);
        own.is_some_and(|own| includes(&own, &interval))
    });
    let (own, given) = (own.1, given.1);
    rights
        && is_at_most(own.messages, given.messages)
        && is_at_most(own.bytes, given.bytes)
        && is_at_most(own.largest, given.largest)
        && is_at_most(own.lifespan, given.lifespan)
        && is_at_most(own.hops, given.hops)
}

/// Whether something is not beyond a bound, if there is one.
fn is_at_most<T: PartialOrd>(bound: Option<T>, given: Option<T>) -> bool {
    match (bound, given) {
        (Some(bound), Some(given)) => given <= bound,
        (Some(_), None) => false,
        (None, _) => true,
    }
}

/// Whether a claim is one of this invite by this device, as far as can be seen without its
/// signature.
fn claims(claim: &Claim, invite: &Invite, device: &PublicKey, grant: &GrantId) -> Result<(), Rule> {
    match invite.kind {
        InviteKind::WhileAway(_) => {}
        InviteKind::Attended(_) | InviteKind::Device => return Err(Rule::Attended),
    }
    if claim.device != *device || claim.grant != *grant || claim.invite != invite.key {
        return Err(Rule::Claim);
    }
    if claim.time > invite.until {
        return Err(Rule::InviteOver);
    }
    Ok(())
}
